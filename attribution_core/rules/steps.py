"""Linear operations as they were called, ready to be asked again with other values or weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.types import Tensors

Weights = tuple[Tensor, Tensor | None] | None
"""Weight and bias, or None of an operation that has none, such as an addition."""

WEIGHT_PLACES = dict.fromkeys(ops.WEIGHTED, (0, 1, 2)) | {
    "matmul": (0, 1, None),
    "mm": (0, 1, None),
    "addmm": (1, 2, 0),
}
"""Where value, weight and bias stand among the arguments."""

MULTIPLIED = ops.PRODUCTS | ops.SHIFTED | ops.WEIGHTED


def flattened(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[list[Any], Any]:
    """All arguments in a row, and how to put them back; those by name stay together where none is a tensor."""
    if any(isinstance(arg, list) for arg in args) or any(isinstance(value, Tensor) for value in kwargs.values()):
        return tree_flatten((args, kwargs))
    return list(args), kwargs


def restored(leaves: list[Any], form: Any) -> tuple[Any, dict[str, Any]]:
    """The arguments as they were."""
    if isinstance(form, dict):
        return tuple(leaves), dict(form)
    args, kwargs = tree_unflatten(leaves, form)
    return args, kwargs


class Seen(NamedTuple):
    """A call of an operation: its arguments in a row, and at which places there are values that depend on the input."""

    name: str
    function: Callable[..., Any]
    leaves: list[Any]
    form: Any
    places: list[int]

    @property
    def values(self) -> Tensors:
        """The arguments that depend on the input."""
        return tuple(self.leaves[place] for place in self.places)

    def call(self, leaves: list[Any]) -> Any:
        """The operation's result for other arguments."""
        args, kwargs = restored(leaves, self.form)
        return self.function(*args, **kwargs)


class Step:
    """An operation as it was called: `function(values, weights)` is linear in the values, but for the bias.

    Of values that are multiplied with each other, `shares[i]` says among how many the relevance of value i is divided.
    """

    def __init__(
        self, name: str, function: Callable[[Tensors, Weights], Tensor], weights: Weights, shares: Sequence[int]
    ) -> None:
        self.name = name
        self.function = function
        self.weights = weights
        self.shares = shares
        self._found: tuple[Tensors, Tensor] | None = None

    def receive(self, values: Tensors) -> None:
        """Note the values, safe from operations in place where torch allows them to follow."""
        sums = self.weights is None and max(self.shares) == 1
        self.values = tuple(value.detach().clone() if sums else value.detach() for value in values)
        self._versions = [value._version for value in self.values]

    def result(self, keep: bool) -> Tensor:
        """What the operation returns; what differentiates it is kept if the rule will ask for that."""
        if not keep or any(value.dtype != accumulator(value.dtype) for value in self.values):
            return self.function(self.values, self.weights)
        self._found = self.computed(self.values, self.weights)
        return self._found[1].detach().clone()  # operations in place must not overwrite what the rule divides by

    def plain(self) -> tuple[Tensors, Tensor]:
        """The values and the result in at least float32, connected by autograd."""
        return self._found or self.computed(self.precise, self.weighted(same, same))

    def computed(self, values: Tensors, weights: Weights) -> tuple[Tensors, Tensor]:
        """Other values, and the result of theirs with other weights, connected by autograd."""
        with torch.enable_grad():
            leaves = tuple(value.detach().requires_grad_() for value in values)
            return leaves, self.function(leaves, weights)

    @cached_property
    def precise(self) -> Tensors:
        """The values in at least float32."""
        if self._versions != [value._version for value in self.values]:
            raise AttributionError(
                f"What {self.name} received was overwritten in place afterwards.",
                "Let the model compute that operation out of place.",
            )
        return tuple(map(_precise, self.values))

    def weighted(self, change: Callable[[Tensor], Tensor], bias: Callable[[Tensor], Tensor] | None = None) -> Weights:
        """Changed weights and bias; no bias if nothing is said of it."""
        if self.weights is None:
            return None
        weight, own = self.weights
        return change(_precise(weight)), None if own is None or bias is None else bias(_precise(own))


def _precise(value: Tensor) -> Tensor:
    return value.detach().to(accumulator(value.dtype))


def same(value: Tensor) -> Tensor:
    """The value itself."""
    return value


def weighted(seen: Seen) -> Step | None:
    """A linear layer, a convolution, or a product with a constant matrix."""
    places = WEIGHT_PLACES.get(seen.name)
    args, kwargs = restored(seen.leaves, seen.form)
    args = [*args, *(kwargs.pop(name) for name in ("weight", "bias") if name in kwargs and len(args) > 0)]
    if places is None or len(seen.places) > 1 or len(args) <= places[1]:
        return None
    value, weight, bias = places
    if bias is not None and bias >= len(args):
        args.append(None)
    if not (isinstance(args[value], Tensor) and args[value].requires_grad and isinstance(args[weight], Tensor)):
        return None

    def function(values: Tensors, weights: Weights) -> Tensor:
        own = list(args)
        own[value], own[weight] = values[0], (weights or (None, None))[0]
        if bias is not None:
            own[bias] = (weights or (None, None))[1]
        result: Tensor = seen.function(*own, **kwargs)
        return result

    return Step(seen.name, function, (args[weight], None if bias is None else args[bias]), [1])


def unweighted(seen: Seen) -> Step:
    """An addition, an average, or a product of values that all depend on the input."""

    def function(values: Tensors, _: Weights) -> Tensor:
        leaves = list(seen.leaves)
        for place, value in zip(seen.places, values, strict=True):
            leaves[place] = value
        result: Tensor = seen.call([_like(leaf, values[0]) for leaf in leaves])
        return result

    factors = [i for i in seen.places if seen.name in MULTIPLIED and not (seen.name in ops.SHIFTED and i == 0)]
    return Step(seen.name, function, None, [len(factors) if place in factors else 1 for place in seen.places])


def _like(leaf: Any, value: Tensor) -> Any:
    """Constants in the precision of the values."""
    return leaf.to(value.dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf


def by_a_constant(seen: Seen) -> Seen:
    """What a value is divided by counts as constant."""
    leaves = [leaf.detach() if i and isinstance(leaf, Tensor) else leaf for i, leaf in enumerate(seen.leaves)]
    return seen._replace(leaves=leaves, places=[place for place in seen.places if place == 0])


class Norm(NamedTuple):
    """A call of F.batch_norm, by its arguments."""

    input: Any = None
    running_mean: Any = None
    running_var: Any = None
    weight: Any = None
    bias: Any = None
    training: bool = False
    momentum: float = 0.1
    eps: float = 1e-5

    @classmethod
    def of(cls, seen: Seen) -> Norm:
        """The call with its defaults filled in."""
        args, kwargs = restored(seen.leaves, seen.form)
        return cls(*args, **kwargs)

    def step(self) -> Step:
        """With running statistics, a linear operation of one value."""
        weights = None if self.weight is None else (self.weight, self.bias)
        return Step("batch_norm", lambda values, own: self.result(values[0], *(own or (None, None))), weights, [1])

    def result(self, x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        """What the norm makes of a value in any precision."""
        parts = (self.running_mean, self.running_var, weight, bias)
        own = [None if part is None else part.to(x.dtype) for part in parts]
        mean, var, weight, bias = own
        return F.batch_norm(x, mean, var, weight, bias, False, self.momentum, self.eps)

    def merged(self, before: Step, values: Tensor) -> Step | None:
        """The convolution or linear layer before it with the norm's scale and shift in its weights [pahde2023]."""
        flat = before.name == "linear" and values.dim() == 2
        if before.weights is None or not (flat or before.name in ("conv1d", "conv2d", "conv3d")):
            return None
        weight, bias = before.weights
        scale = (self.running_var + self.eps).rsqrt() * (1 if self.weight is None else self.weight)
        shift = ((0 if bias is None else bias) - self.running_mean) * scale + (0 if self.bias is None else self.bias)
        wider = weight * scale.reshape(-1, *[1] * (weight.dim() - 1))
        return Step(before.name, before.function, (wider.to(weight.dtype), shift.to(weight.dtype)), [1])
