"""Linear operations as they were called, ready to be asked again with other values or weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import TreeSpec, tree_flatten, tree_unflatten, version
from attribution_core.rules.intercept import Call, constant
from attribution_core.types import Tensors

Weights = tuple[Tensor, Tensor | None] | None
"""Weight and bias, or None of an operation that has none, such as an addition."""

PLACES = dict.fromkeys(ops.WEIGHTED, (0, 1, 2)) | {"matmul": (0, 1, None), "mm": (0, 1, None), "addmm": (1, 2, 0)}
"""Where value, weight and bias stand among the arguments."""

MULTIPLIED = ops.PRODUCTS | ops.SHIFTED | ops.WEIGHTED

BY_ELEMENT = ops.QUOTIENTS | {"add", "mul", "multiply", "neg", "negative", "rsub", "sub", "subtract"}
"""Sums, products and quotients of each value by itself."""


class Operation(NamedTuple):
    """A call, its arguments in a row (`leaves`), and the places among them whose values depend on the input."""

    call: Call
    leaves: list[Any]
    form: TreeSpec | None
    places: list[int]

    @classmethod
    def of(cls, call: Call) -> Operation:
        """Lists and named tensors are taken apart, named options stay together."""
        nested = any(isinstance(arg, list) for arg in call.args)
        if nested or any(isinstance(value, Tensor) for value in call.kwargs.values()):
            leaves, form = tree_flatten((call.args, call.kwargs))
        else:
            leaves, form = list(call.args), None
        leaves = [constant(leaf, call.interception.since) for leaf in leaves]
        return cls(call, leaves, form, [i for i, x in enumerate(leaves) if isinstance(x, Tensor) and x.requires_grad])

    @property
    def name(self) -> str:
        """The operation."""
        return self.call.name

    @property
    def values(self) -> Tensors:
        """The arguments that depend on the input."""
        return tuple([self.leaves[place] for place in self.places])

    def arguments(self, leaves: list[object]) -> Call:
        """The call with other arguments."""
        args, kwargs = (leaves, self.call.kwargs) if self.form is None else tree_unflatten(leaves, self.form)
        return self.call._replace(args=tuple(args), kwargs=kwargs)

    def result(self) -> Any:
        """What the operation returns, parameters of the model counting as constants."""
        return self.arguments(self.leaves).result()

    def of_values(self, *values: Tensor) -> Any:
        """What it returns for other values."""
        leaves = list(self.leaves)
        for place, value in zip(self.places, values, strict=True):
            leaves[place] = value
        return self.arguments(leaves).result()

    def without(self, places: list[int]) -> Operation:
        """The same with the values at these places as constants."""
        leaves = [self._fixed(leaf) if place in places else leaf for place, leaf in enumerate(self.leaves)]
        return self._replace(leaves=leaves, places=[place for place in self.places if place not in places])

    def _fixed(self, leaf: Tensor) -> Tensor:
        """A constant that the operation itself does not overwrite."""
        return leaf.detach().clone() if self.call.in_place else leaf.detach()


class LinearMap:
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
        self.lost: Tensor | None = None
        """Of each row, the relevance that a rule found no contributions for, less what it made up."""

    def receive(self, values: Tensors, in_place: bool = False) -> None:
        """Note the values, safe from operations in place where torch allows them to follow."""
        # Autograd keeps no value of a sum, so that a model may overwrite those; `_check` notices all others.
        copies = in_place or (self.weights is None and max(self.shares) == 1)
        self.values = tuple(value.detach().clone() if copies else value.detach() for value in values)
        self._versions = list(map(version, self.values))

    def result(self, keep: bool) -> Tensor:
        """What the operation returns; what differentiates it is kept if the rule will ask for that."""
        if not keep or any(value.dtype != accumulator(value.dtype) for value in self.values):
            return self.function(self.values, self.weights)
        self._found = self.computed(self.values, self.weights)
        return self._found[1].detach().clone()  # operations in place must not overwrite what the rule divides by

    def as_computed(self) -> tuple[Tensors, Tensor]:
        """The operation's own values and result in at least float32, connected by autograd."""
        self._check()
        return self._found or self.computed(self.precise, self.weighted(same, same))

    def computed(self, values: Tensors, weights: Weights) -> tuple[Tensors, Tensor]:
        """Other values, and the result of theirs with other weights, connected by autograd."""
        with torch.enable_grad():
            leaves = tuple(value.detach().requires_grad_() for value in values)
            return leaves, self.function(leaves, weights)

    @cached_property
    def precise(self) -> Tensors:
        """The values in at least float32."""
        self._check()
        return tuple(map(_precise, self.values))

    def _check(self) -> None:
        if self._versions != list(map(version, self.values)):
            raise AttributionError(
                f"What {self.name} received was overwritten in place afterwards.",
                "Let the model compute the operation that overwrites it out of place.",
            )

    def reweigh(self, change: Callable[[tuple[Tensor, Tensor | None]], Weights]) -> None:
        """Give it other weights from now on; its result in the model stays."""
        if self.weights is not None:
            self.weights, self._found = change(self.weights), None

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


def weighted(operation: Operation) -> LinearMap | None:
    """A linear layer, a convolution, or a product with a constant matrix; None of any other operation."""
    call = operation.arguments(operation.leaves)
    name, own = call.name, list(call.args)
    value, weight, bias = PLACES.get(name, (0, len(own), None))
    if len(operation.places) > 1 or len(own) <= weight or not _applies(own[value], own[weight]):
        return None
    if bias is not None and bias >= len(own):
        own.append(None)

    def function(values: Tensors, weights: Weights) -> Tensor:
        args = list(own)
        args[value], args[weight] = values[0], (weights or (None, None))[0]
        if bias is not None:
            args[bias] = (weights or (None, None))[1]
        result: Tensor = call.function(*args, **call.kwargs)
        return result

    return LinearMap(name, function, (own[weight], None if bias is None else own[bias]), [1])


def _applies(value: object, weight: object) -> bool:
    return isinstance(value, Tensor) and value.requires_grad and isinstance(weight, Tensor)


def unweighted(operation: Operation) -> LinearMap:
    """An addition, an average, or a product of values that all depend on the input."""

    def function(values: Tensors, _: Weights) -> Tensor:
        own = operation._replace(leaves=[_like(leaf, values[0]) for leaf in operation.leaves])
        result: Tensor = own.of_values(*values)
        return result

    shifted = operation.name in ops.SHIFTED
    factors = [i for i in operation.places if operation.name in MULTIPLIED and not (shifted and i == 0)]
    shares = [len(factors) if place in factors else 1 for place in operation.places]
    return LinearMap(operation.name, function, None, shares)


def _like(leaf: object, value: Tensor) -> object:
    """Constants in the precision of the values."""
    return leaf.to(value.dtype) if isinstance(leaf, Tensor) and leaf.is_floating_point() else leaf
