"""The types of `attribute`: what it returns for the form of the inputs, for several targets, and with deltas.

The decorators say so to type checkers, in place of four overloads beside every method; the functions stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Concatenate, Literal, ParamSpec, Protocol, cast, overload

from torch import Tensor

from attribution_core.types import Inputs, InputsT, LayerValues, TargetLike

P = ParamSpec("P")

Targets = Sequence[TargetLike]

Attributions = Inputs | LayerValues | tuple[Inputs | LayerValues, Tensor | list[Tensor]] | list[Any]
"""What a shell returns at run time; the types below say when it is what."""


class NeuronAttribute(Protocol[P]):
    """Attributions to the inputs, in their form."""

    def __call__(self, inputs: InputsT, *args: P.args, **kwargs: P.kwargs) -> InputsT:
        """Attributions of one target."""


class InputAttribute(Protocol[P]):
    """Attributions to the inputs, in their form; of several targets a list."""

    @overload
    def __call__(self, inputs: InputsT, *args: Any, targets: Targets, **kwargs: Any) -> list[InputsT]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, inputs: InputsT, *args: P.args, **kwargs: P.kwargs) -> InputsT: ...


class InputAttributeWithDelta(Protocol[P]):
    """The same, and where it is asked for the convergence delta of each example."""

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, inputs: InputsT, *args: Any, targets: Targets, return_convergence_delta: Literal[True], **kwargs: Any
    ) -> list[tuple[InputsT, Tensor]]: ...
    @overload
    def __call__(self, inputs: InputsT, *args: Any, targets: Targets, **kwargs: Any) -> list[InputsT]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, inputs: InputsT, *args: Any, return_convergence_delta: Literal[True], **kwargs: Any
    ) -> tuple[InputsT, Tensor]: ...
    @overload
    def __call__(self, inputs: InputsT, *args: P.args, **kwargs: P.kwargs) -> InputsT: ...


class LayerAttribute(Protocol[P]):
    """Attributions to the values at a layer; of several targets a list."""

    @overload
    def __call__(self, inputs: Inputs, *args: Any, targets: Targets, **kwargs: Any) -> list[LayerValues]: ...
    @overload
    def __call__(self, inputs: Inputs, *args: P.args, **kwargs: P.kwargs) -> LayerValues: ...


class LayerAttributeWithDelta(Protocol[P]):
    """The same, and where it is asked for the convergence delta of each example, in a list for a list of layers."""

    @overload
    def __call__(
        self, inputs: Inputs, *args: Any, targets: Targets, return_convergence_delta: Literal[True], **kwargs: Any
    ) -> list[tuple[LayerValues, LayerValues]]: ...
    @overload
    def __call__(self, inputs: Inputs, *args: Any, targets: Targets, **kwargs: Any) -> list[LayerValues]: ...
    @overload
    def __call__(
        self, inputs: Inputs, *args: Any, return_convergence_delta: Literal[True], **kwargs: Any
    ) -> tuple[LayerValues, LayerValues]: ...
    @overload
    def __call__(self, inputs: Inputs, *args: P.args, **kwargs: P.kwargs) -> LayerValues: ...


Function = Callable[Concatenate[Any, Any, P], Attributions]


def neuron_attribute(function: Function[P]) -> NeuronAttribute[P]:
    """Type the `attribute` of a method that explains a neuron."""
    return cast("NeuronAttribute[P]", function)


def input_attribute(function: Function[P]) -> InputAttribute[P]:
    """Type the `attribute` of a method that attributes to inputs."""
    return cast("InputAttribute[P]", function)


def input_attribute_with_delta(function: Function[P]) -> InputAttributeWithDelta[P]:
    """Type the `attribute` of a method that attributes to inputs and may return convergence deltas."""
    return cast("InputAttributeWithDelta[P]", function)


def layer_attribute(function: Function[P]) -> LayerAttribute[P]:
    """Type the `attribute` of a method that attributes to layers."""
    return cast("LayerAttribute[P]", function)


def layer_attribute_with_delta(function: Function[P]) -> LayerAttributeWithDelta[P]:
    """Type the `attribute` of a method that attributes to layers and may return convergence deltas."""
    return cast("LayerAttributeWithDelta[P]", function)
