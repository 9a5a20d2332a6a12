"""What layer and neuron methods share: which layer, and how its attributions are handed back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core.classes.base import Attribution, GradientAttribution
from attribution_core.errors import AttributionError
from attribution_core.methods.cam import on_grid
from attribution_core.question.question import Question
from attribution_core.question.site import Layer, Layers
from attribution_core.question.target import Neuron, Selector
from attribution_core.reading.arguments import Tensors

LayerLike = nn.Module | Layer
"""A module, or Layer(module, call=…) for one that runs several times in one pass."""

OfLayer = Tensor | tuple[Tensor, ...]
OfLayers = OfLayer | list[OfLayer]
"""Attributions to a layer that passes on a tensor or several, or a list of those for a list of layers."""


class LayerAttribution(Attribution):
    """A method that attributes to the values at a layer, or at each of a list of layers."""

    of_inputs: ClassVar[bool] = False

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
    ) -> None:
        super().__init__(forward_func)
        check_devices(device_ids)
        self.layer = layer
        self.device_ids = device_ids
        self._many = isinstance(layer, (list, tuple))
        given = tuple(layer) if isinstance(layer, (list, tuple)) else (layer,)
        self._parts = tuple(as_layer(each) for each in given)
        if not self._parts:
            raise AttributionError("layer is an empty list.", "Pass a module of the model, or several.")

    def _site(self, of_input: bool) -> Layers:
        return Layers(tuple(replace(part, of_input=of_input or part.of_input) for part in self._parts))

    def _packed(self, attributions: Tensors, site: Layers) -> OfLayers:
        """A tensor for a layer that passes on one, else a tuple; a list of those for a list of layers."""
        each = [part.joined(found) for part, found in zip(self._parts, site.divided(attributions), strict=True)]
        if self._many:
            return [alone(found) for found in each]
        return alone(each[0])

    def _for_each(self, name: str, given: Any) -> Sequence[Any]:
        if not self._many:
            return [given]
        if given is None:
            return [None] * len(self._parts)
        if not isinstance(given, list) or len(given) != len(self._parts):
            raise AttributionError(f"{name} must be a list with one entry for each of {len(self._parts)} layers.")
        return given

    @staticmethod
    def interpolate(
        layer_attribution: Tensor, interpolate_dims: int | tuple[int, ...], interpolate_mode: str = "nearest"
    ) -> Tensor:
        """Stretch attributions (B, C, …) over an input's spatial size, (B, C, *interpolate_dims).

        Tokens (B, class token + patches, C) of an image model are put on their grid first.
        """
        if isinstance(interpolate_dims, tuple) and len(interpolate_dims) == 2 and layer_attribution.dim() == 3:
            layer_attribution = on_grid(layer_attribution, (interpolate_dims[0], interpolate_dims[1]))
        return F.interpolate(layer_attribution, interpolate_dims, mode=interpolate_mode)


class MultiplyingLayer(LayerAttribution, GradientAttribution):
    """A layer method whose slopes may be multiplied by values."""

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(forward_func, layer, device_ids)
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply


class NeuronAttribution(Attribution):
    """A method that explains a neuron of a layer in terms of the inputs."""

    shares_targets: ClassVar[bool] = False

    def __init__(self, forward_func: Callable[..., Any], layer: LayerLike, device_ids: list[int] | None = None) -> None:
        super().__init__(forward_func)
        check_devices(device_ids)
        self.layer = layer
        self.device_ids = device_ids
        self._part = as_layer(layer)

    def _neuron(self, selector: Selector, of_input: bool) -> Neuron:
        part = self._part
        return Neuron(part.module, selector, of_input or part.of_input, part.call)


class MultiplyingNeuron(NeuronAttribution, GradientAttribution):
    """A neuron method whose slopes may be multiplied by the difference between input and baseline."""

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: LayerLike,
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(forward_func, layer, device_ids)
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply


def as_layer(layer: Any) -> Layer:
    """A layer as a site."""
    return layer if isinstance(layer, Layer) else Layer(layer)


def alone(values: Tensors) -> OfLayer:
    """The tensor of a layer that passes on one, else the tuple."""
    return values[0] if len(values) == 1 else values


def each_layer(question: Question, values: Tensors) -> list[tuple[int, Question, Tensors]]:
    """The question of each layer, and of each call of one, by itself: the layer's number, the question, its values."""
    site = question.site
    if not isinstance(site, Layers):
        return [(0, question, values)]
    found = []
    for number, (part, own) in enumerate(zip(site.parts, site.divided(values), strict=True)):
        single = [replace(part, call=call) for call in range(len(own))] if part.call == "sum" else [part]
        groups = [(value,) for value in own] if part.call == "sum" else [own]
        for layer, group in zip(single, groups, strict=True):
            found.append((number, replace(question, site=Layers((layer,), (len(group),)), used={}), group))
    return found


def for_each_example(values: Tensors, batch: int) -> Tensors:
    """Values with a row per example; one row for all, as of position embeddings, is expanded."""
    for value in values:
        if len(value) not in (1, batch):
            raise AttributionError(
                f"The layer's values have shape {tuple(value.shape)} for {batch} examples.",
                "Choose a layer with one row per example in dimension 0.",
            )
    return tuple(value.expand(batch, *value.shape[1:]) for value in values)


def check_devices(device_ids: list[int] | None) -> None:
    """Refuse a model that is replicated over several devices."""
    if device_ids is not None and len(device_ids) > 1:
        raise AttributionError(
            f"device_ids={device_ids}: a model spread over devices by DataParallel hides its layers.",
            "Pass the model as it was before, model.module.",
        )
