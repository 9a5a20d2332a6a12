"""What DeepLIFT sees of a run: nonlinear operations and products, all else being linear, made of parts, or unknown."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.rules import operations as ops
from attribution_core.rules.intercept import (
    Call,
    Interception,
    Spelling,
    again,
    custom,
    direct,
    is_parameter,
    spellings,
)
from attribution_core.rules.parts import EXACT_PARTS, body, maximum, over_dimensions, quotient
from attribution_core.rules.products import Product, factors

NONLINEAR = ops.ELEMENTWISE | ops.NORMALISED | ops.POOLED | ops.LARGEST


class Comparison(Interception):
    """An interception of everything that is not linear."""

    def __init__(self) -> None:
        super().__init__(NONLINEAR)
        self.unknown: dict[str, None] = {}
        self.known = _known()
        self.linear = _linear()

    def nonlinear(self, call: Call) -> Any:
        """What a nonlinear function of one tensor returns."""
        raise NotImplementedError

    def product(self, product: Product) -> Any:
        """What a product returns."""
        raise NotImplementedError

    def left(self, outputs: Any) -> None:
        """Note what nobody sees into."""
        if torch.is_grad_enabled():
            self.unknown |= dict.fromkeys(custom(outputs))

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func in self.linear:
            return func(*_constant(args), **(kwargs or {}))
        spelling = self.known.get(func)
        if spelling is None:
            return self._composed(func, args, kwargs or {})
        if spelling.name in NONLINEAR:
            return super().__torch_function__(func, types, args, kwargs)
        return self._multiplied(spelling, func, args, kwargs or {})

    def answer(self, call: Call) -> Any:
        """Nonlinear functions of one tensor, also in disguise; others are unknown."""
        if call.name == "relu":
            return self.nonlinear(call)
        others = [x for x in (*call.arguments, *call.options.values()) if isinstance(x, Tensor)]
        if call.name in ops.LARGEST and not _of_one_dimension(call):
            with again(self):
                return maximum(call.x, others[0]) if others else over_dimensions(call)
        if any(x.requires_grad and not is_parameter(x) for x in others):
            self._unknown(call.name)
        return self.nonlinear(call)

    def _multiplied(self, spelling: Spelling, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        name = spelling.name
        if name in ops.WEIGHTED and len(args) > 1 and is_parameter(args[1]):
            return func(*_constant(args), **kwargs)
        if name in ops.WEIGHTED and "weight" in kwargs:
            args, kwargs = (*args, kwargs["weight"]), {k: v for k, v in kwargs.items() if k != "weight"}
        places = factors(name, args)
        if len(places) < 2:
            return func(*_constant(args), **kwargs)
        function, args, kwargs, in_place = direct(spelling, func, args, kwargs)
        if name in ops.QUOTIENTS and not kwargs:
            with again(self):
                result = quotient(*args)
        elif len(places) > 2 or name in ops.QUOTIENTS:
            self._unless_constant(name, args)
            result = function(*args, **kwargs)
        else:
            result = self.product(Product(name, function, args, kwargs, (places[0], places[1])))
        return args[0].copy_(result) if in_place else result

    def _composed(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        parts = EXACT_PARTS.get(func) or body(func)
        if parts is not None:
            with again(self):
                composed = parts(*args, **kwargs)
            return func(*args, **kwargs) if composed is NotImplemented else composed
        result = func(*_constant(args), **kwargs)
        found = result if isinstance(result, (tuple, list)) else (result,)
        if any(isinstance(x, Tensor) and x.requires_grad for x in found) and torch.is_grad_enabled():
            self._unknown(getattr(func, "__name__", str(func)))
        return result

    def _unless_constant(self, name: str, args: tuple[Any, ...]) -> None:
        if sum(isinstance(x, Tensor) and x.requires_grad and not is_parameter(x) for x in args) > 1:
            self._unknown(name)

    def _unknown(self, name: str) -> None:
        self.unknown[name] = None


def _constant(args: tuple[Any, ...]) -> Any:
    """Parameters without gradients: only what depends on the input is followed."""
    return [arg.detach() if is_parameter(arg) else arg for arg in args]


def other_way(what: str) -> AttributionError:
    """The two runs did not meet the same operations."""
    return AttributionError(
        f"The model computes in another way for the inputs than for the baselines: {what}.",
        "DeepLIFT compares the same operations on both; choose a baseline that takes the same branches.",
    )


def _of_one_dimension(call: Call) -> bool:
    """False for `max` over everything, over several dimensions, or of two tensors."""
    dims = call.arguments[:1] or (call.options.get("dim"),)
    return isinstance(dims[0], int) and not isinstance(dims[0], bool)


@lru_cache
def _known() -> dict[Any, Spelling]:
    found = dict(spellings(NONLINEAR | ops.WEIGHTED | ops.PRODUCTS | ops.QUOTIENTS))
    for reversed_one in ("__rdiv__", "__rmatmul__"):
        found.pop(getattr(Tensor, reversed_one), None)
    return found


@lru_cache
def _linear() -> frozenset[Any]:
    properties = {getattr(Tensor, name).__get__ for name in ops.PROPERTIES | ops.QUERIED}
    linear = spellings(ops.MOVED | (ops.SUMS - ops.QUOTIENTS) | {"dropout"})
    return frozenset(linear) | properties | {getattr(Tensor, name) for name in ops.QUERIES}
