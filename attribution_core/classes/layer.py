"""What methods at layers share: which layers, and the form in which their attributions are handed back.

`layer` is a module, `Layer(module, call=…)` where the module runs several times in one pass, or a list of those; a list
of results comes back for a list of layers. Results are shaped like the layer's values: a tensor, or a tuple where the
layer passes on several.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core.classes.base import Attribution, GradientAttribution, Method
from attribution_core.classes.signatures import Attributions
from attribution_core.errors import AttributionError
from attribution_core.methods.delta import missed
from attribution_core.methods.layout import on_grid
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.question.site import Layer, Layers
from attribution_core.types import GradKwargs, LayerValues, Model, Tensors

LayerLike = nn.Module | Layer
"""A module, or Layer(module, call=…) for one that runs several times in one pass."""


class LayerAttribution(Attribution):
    """A method that attributes to the values at a layer, or at each of a list of layers."""

    of_inputs: ClassVar[bool] = False

    def __init__(
        self,
        forward_func: Model,
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
    ) -> None:
        super().__init__(forward_func)
        self.layer = layer
        self.device_ids = device_ids
        self._many = isinstance(layer, (list, tuple))
        self._layers = tuple(map(as_layer, layer if isinstance(layer, (list, tuple)) else (layer,)))
        if not self._layers:
            raise AttributionError("layer is an empty list.", "Pass a module of the model, or several.")

    def _site(self, of_input: bool) -> Layers:
        return Layers(tuple(replace(part, of_input=of_input or part.of_input) for part in self._layers))

    def _answer_at(
        self, site: Layers, request: Request, method: Method, grad_kwargs: GradKwargs = None
    ) -> Attributions:
        """What the method says of the layers' values."""

        def pack(attributions: Tensors) -> LayerValues:
            each = [
                layer.joined(values) for layer, values in zip(self._layers, site.divided(attributions), strict=True)
            ]
            return self._one_or_all([values[0] if len(values) == 1 else values for values in each])

        return self._answer(request, method, site=site, pack=pack, grad_kwargs=grad_kwargs)

    def _one_or_all(self, of_each_layer: list[object]) -> Any:
        return of_each_layer if self._many else of_each_layer[0]

    def _deltas(self, site: Layers, attributions: Tensors, change: Tensor) -> Any:
        """By how much the sum at each layer exceeds the score's change, (B, targets); a list for a list of layers."""
        return self._one_or_all([missed(values, change) for values in site.divided(attributions)])

    def _for_each(self, name: str, value: Any) -> Sequence[Any]:
        """An argument with an entry for each layer."""
        if not self._many:
            return [value]
        if value is None:
            return [None] * len(self._layers)
        if not isinstance(value, list) or len(value) != len(self._layers):
            raise AttributionError(f"{name} must be a list with one entry for each of {len(self._layers)} layers.")
        return value

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
        forward_func: Model,
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(forward_func, layer, device_ids)
        self._multiplies = multiply_by_inputs


def as_layer(layer: LayerLike) -> Layer:
    """A layer as a site."""
    return layer if isinstance(layer, Layer) else Layer(layer)


def each_layer(question: Question, values: Tensors) -> list[tuple[int, Question, Tensors]]:
    """The question of each layer, and of each call of one, by itself: the layer's number, the question, its values."""
    site = question.site
    if not isinstance(site, Layers):
        return [(0, question, values)]
    questions = []
    for number, (part, own) in enumerate(zip(site.parts, site.divided(values), strict=True)):
        single = [replace(part, call=call) for call in range(len(own))] if part.call == "sum" else [part]
        groups = [(value,) for value in own] if part.call == "sum" else [own]
        for layer, group in zip(single, groups, strict=True):
            questions.append((number, question._replace(site=Layers((layer,), (len(group),)), reached=None), group))
    return questions


def for_each_example(values: Tensors, batch: int) -> Tensors:
    """Values with a row per example; one row for all, as of position embeddings, is expanded."""
    for value in values:
        if len(value) not in (1, batch):
            raise AttributionError(
                f"The layer's values have shape {tuple(value.shape)} for {batch} examples.",
                "Choose a layer with one row per example in dimension 0.",
            )
    return tuple(value.expand(batch, *value.shape[1:]) for value in values)
