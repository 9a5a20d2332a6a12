"""Products of two values that may both depend on the input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.intercept import is_parameter


class Product(NamedTuple):
    """A call of an operation that is linear in each of the two arguments at `places`."""

    name: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    places: tuple[int, int]

    @property
    def factors(self) -> tuple[Tensor, Tensor]:
        """The two arguments."""
        return self.args[self.places[0]], self.args[self.places[1]]

    def of(self, one: Tensor, other: Tensor) -> Tensor:
        """The product of other factors."""
        args = list(self.args)
        args[self.places[0]], args[self.places[1]] = one, other
        args = [_like(arg, one) for arg in args]
        result: Tensor = self.function(*args, **self.kwargs)
        return result


def factors(name: str, args: tuple[Any, ...]) -> list[int]:
    """At which places there are factors that are no parameters of the model."""
    ahead = args[:2] if name in ops.WEIGHTED else args
    return [
        place
        for place, arg in enumerate(ahead)
        if isinstance(arg, Tensor) and arg.is_floating_point() and not is_parameter(arg)
    ]


def shared(
    product: Product, now: tuple[Tensor, ...], before: tuple[Tensor, ...]
) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, ...]]]:
    """The product, and its change divided evenly: Δ(uv) = ūΔv + v̄Δu with mean values."""
    precise = accumulator(now[0].dtype)
    one, other = ((a.to(precise) + b.to(precise)) / 2 for a, b in zip(now, before, strict=True))

    def pull(gradient: Tensor) -> tuple[Tensor, ...]:
        g = gradient.to(precise)
        pulled: tuple[Tensor, ...]
        if product.name in {"mul", "multiply"}:
            pulled = (g * other).sum_to_size(one.shape), (g * one).sum_to_size(other.shape)
        else:
            pulled = _differentiated(product, one, other, g)
        return tuple(part.to(a.dtype) for part, a in zip(pulled, now, strict=True))

    return product.of(*now), pull


def _differentiated(product: Product, one: Tensor, other: Tensor, gradient: Tensor) -> tuple[Tensor, ...]:
    with torch.enable_grad():
        leaves = one.detach().requires_grad_(), other.detach().requires_grad_()
        return torch.autograd.grad(product.of(*leaves), leaves, gradient)


def _like(arg: Any, value: Tensor) -> Any:
    return arg.to(value.dtype) if isinstance(arg, Tensor) and arg.is_floating_point() else arg
