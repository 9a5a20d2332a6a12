"""Class activation maps, in any model with maps or with tokens of image patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar, final

import torch
from torch import Tensor, nn

from attribution_core.classes.base import GradientAttribution, PerturbationAttribution
from attribution_core.classes.internal import LayerAttribution, LayerLike, OfLayers, as_layer, check_devices
from attribution_core.errors import AttributionError
from attribution_core.methods.cam import as_maps, grad_cam, grad_cam_plus_plus, layer_cam, score_cam, spread_over
from attribution_core.methods.gradient import gradients, with_guided
from attribution_core.question.question import Question
from attribution_core.question.target import TargetLike
from attribution_core.reading.arguments import Baselines, TensorOrTuple, Tensors, at_least, packed
from attribution_core.rules.intercept import refuse_compiled


class _Cam(LayerAttribution, GradientAttribution):
    """A class activation map."""

    differentiates: ClassVar[bool] = False

    def _maps(self, question: Question, xs: Tensors) -> list[tuple[Tensor, Tensor]]:
        found = gradients(question, xs)
        pairs = zip(found.values, found.slopes, strict=True)
        return [(as_maps(value, xs), as_maps(slope, xs)) for value, slope in pairs]


@final
class LayerGradCam(_Cam):
    """A layer's maps, each weighted by its mean gradient, added up to one coarse map of where the score comes from."""

    citation = "selvaraju2017"

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
        relu_attributions: bool = False,
        attr_dim_summation: bool = True,
        grad_kwargs: Mapping[str, Any] | None = None,
    ) -> OfLayers:
        """(B, 1, …) over the layer's positions, or with attr_dim_summation=False (B, C, …)."""
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, None, site, grad_kwargs) as (question, xs, _):
            found = tuple(grad_cam(value, slope, attr_dim_summation) for value, slope in self._maps(question, xs))
            return self._packed(tuple(map(torch.relu, found)) if relu_attributions else found, site)


@final
class LayerGradCamPlusPlus(_Cam):
    """Grad-CAM with pixelwise weights of the gradients, so that several objects of a class all show."""

    citation = "chattopadhay2018"

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
    ) -> OfLayers:
        """(B, 1, …) over the layer's positions, never negative."""
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, None, site) as (question, xs, _):
            return self._packed(tuple(grad_cam_plus_plus(*pair) for pair in self._maps(question, xs)), site)


@final
class LayerCam(_Cam):
    """A layer's maps, each position weighted by its own positive gradient: fine maps, also from early layers."""

    citation = "jiang2021"

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
    ) -> OfLayers:
        """(B, 1, …) over the layer's positions, never negative."""
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, None, site) as (question, xs, _):
            return self._packed(tuple(layer_cam(*pair) for pair in self._maps(question, xs)), site)


@final
class LayerScoreCam(LayerAttribution, PerturbationAttribution):
    """A layer's maps, each weighted by the score of the input seen through it; no gradients."""

    citation = "wang2020"

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
    ) -> OfLayers:
        """(B, 1, …) over the layer's positions, never negative."""
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, baselines, site) as (question, xs, bs):
            if len(xs) > 1 or not 3 <= xs[0].dim() <= 5:
                raise AttributionError(
                    f"LayerScoreCam got inputs of shapes {[tuple(x.shape) for x in xs]}.",
                    "It masks one input (B, C, …) with 1 to 3 spatial dimensions; pass others as further arguments.",
                )
            rows = None if copies == 1 else copies * len(xs[0])
            maps = [as_maps(value, xs) for value in question.values(xs)]
            return self._packed(tuple(score_cam(question, xs, bs, each, rows) for each in maps), site)


@final
class GuidedGradCam(GradientAttribution):
    """Grad-CAM stretched over the input, times guided backpropagation: fine structures where the score comes from."""

    citation = "selvaraju2017"

    def __init__(
        self, model: nn.Module | Callable[..., Any], layer: LayerLike, device_ids: list[int] | None = None
    ) -> None:
        super().__init__(model)
        check_devices(device_ids)
        self.model = model
        self.layer = layer
        self._part = as_layer(layer)

    def attribute(
        self,
        inputs: TensorOrTuple,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        interpolate_mode: str = "nearest",
        attribute_to_layer_input: bool = False,
    ) -> TensorOrTuple:
        """Positive part of Grad-CAM · guided gradient; shapes of the inputs."""
        refuse_compiled(self.model)
        site = replace(self._part, of_input=attribute_to_layer_input or self._part.of_input)
        with self._asking(inputs, target, additional_forward_args) as (question, xs, _):
            found, fine = with_guided(question, site, xs)
            if len(found.values) > 1 and site.call != "sum":
                raise AttributionError("GuidedGradCam: the layer passes on several tensors.", "Choose another layer.")
            pairs = zip(found.values, found.slopes, strict=True)
            maps = [grad_cam(as_maps(value, xs), as_maps(slope, xs)) for value, slope in pairs]
            cam = torch.stack(maps).sum(0).relu()
            return packed(
                tuple(spread_over(cam, x, interpolate_mode) * f for x, f in zip(xs, fine, strict=True)), inputs
            )
