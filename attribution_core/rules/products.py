"""Products of two values that may both depend on the input, as DeepLIFT divides them."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.intercept import Call, is_parameter
from attribution_core.types import Tensors

Places = tuple[int, ...]


def factors(call: Call) -> Places:
    """At which places there are two factors that are no parameters of the model; none of what is linear in one."""
    ahead = call.args[:2] if call.name in ops.WEIGHTED else call.args
    places = tuple([place for place, arg in enumerate(ahead) if is_value(arg)])
    return places if len(places) == 2 else ()


def is_value(arg: object) -> bool:
    """Whether an argument may depend on the input."""
    return isinstance(arg, Tensor) and arg.is_floating_point() and not is_parameter(arg)


def product(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001 - nothing is divided
    """The product, its change divided evenly between the factors: Δ(uv) = ūΔv + v̄Δu with mean values ū, v̄.

    With u = u₀ + Δu: uv − u₀v₀ = (u + u₀)/2 · Δv + (v + v₀)/2 · Δu, without a rest. It is also what integrating the
    gradient along the straight line gives, and the Shapley values of the two factors.
    """

    def rule(*now: Tensor) -> tuple[Tensor, Pull]:
        precise = accumulator(now[0].dtype)
        means = tuple((a.to(precise) + b.to(precise)) / 2 for a, b in zip(now, references, strict=True))

        def pull(gradient: Tensor) -> Tensors:
            pulled = _pulled(call, places, means, gradient.to(precise))
            return tuple(part.to(a.dtype) for part, a in zip(pulled, now, strict=True))

        result: Tensor = call.with_arguments(places, now).result()
        return result, pull

    return replaced(rule, *(call.args[place] for place in places))


def _pulled(call: Call, places: Places, means: Tensors, gradient: Tensor) -> Tensors:
    """The gradient of each factor, the other one at its mean."""
    if call.name in {"mul", "multiply"}:
        one, other = means
        return (gradient * other).sum_to_size(one.shape), (gradient * one).sum_to_size(other.shape)
    with torch.enable_grad():
        leaves = tuple(mean.detach().requires_grad_() for mean in means)
        args = [_like(arg, gradient.dtype) for arg in call.args]
        result = call._replace(args=tuple(args)).with_arguments(places, leaves).result()
        return torch.autograd.grad(result, leaves, gradient)


def _like(arg: object, dtype: torch.dtype) -> object:
    return arg.to(dtype) if isinstance(arg, Tensor) and arg.is_floating_point() else arg
