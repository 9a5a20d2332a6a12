"""Class activation maps, in any model with maps or with tokens of image patches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, final

import torch
from torch import Tensor

from attribution_core.classes.base import GradientAttribution, Method, OperationAttribution
from attribution_core.classes.layer import LayerAttribution, LayerLike, as_layer
from attribution_core.classes.perturbation import PerturbationAttribution
from attribution_core.classes.signatures import Attributions, Targets, input_attribute, layer_attribute
from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import warn
from attribution_core.methods.cam import (
    can_spread,
    check_mode,
    grad_cam,
    grad_cam_plus_plus,
    layer_cam,
    of_both_signs,
    score_cam,
    spread_over,
)
from attribution_core.methods.gradient import gradients, with_guided
from attribution_core.methods.layout import Context, as_maps, check_layout, is_sequence
from attribution_core.question.joins import Joins
from attribution_core.question.question import Gradients, Question
from attribution_core.question.site import Layer, Layers, Site
from attribution_core.reading.arguments import as_copies
from attribution_core.types import Baselines, GradKwargs, Inputs, Layout, Model, TargetLike, Tensors

Map = Callable[[Tensor, Tensor], Tensor]
"""From a layer's maps and their gradients, both (B, C, …), to a class activation map (B, 1, …)."""

Caveat = Callable[[Tensor, Tensor], str]
"""From the same to what speaks against the method there; nothing, if nothing does."""


class GradientCam(LayerAttribution, GradientAttribution):
    """A class activation map made of a layer's maps and their gradients."""

    differentiates: ClassVar[bool] = False


def contexts(question: Question, site: Site, values: Tensors, xs: Tensors, layout: Layout | None) -> list[Context]:
    """What is known of each of the values at a site; one more pass where the places of an image's patches matter."""
    parts = [site] if isinstance(site, Layer) else site.parts if isinstance(site, Layers) else []
    each = [values] if isinstance(site, Layer) else site.divided(values) if isinstance(site, Layers) else []
    known = [Context(xs, part, layout) for part, own in zip(parts, each, strict=True) for _ in own]
    if not any(map(is_sequence, values, known)):
        return known
    joins = Joins()
    question._replace(site=joins).values(xs)
    return [context._replace(patches=joins.patches) for context in known]


def maps_of(result: Gradients, known: list[Context], activation_map: Map) -> Tensors:
    """A map for each tensor that the layer passes on, (targets, B, 1, …)."""

    def of_each_target(value: Tensor, slopes: Tensor, context: Context) -> Tensor:
        maps = as_maps(value, context)
        return torch.stack([activation_map(maps, as_maps(slope, context)) for slope in slopes])

    return tuple(map(of_each_target, result.values, result.slopes, known))


def mapped(activation_map: Map, layout: Layout | None) -> Method:
    """The method that makes a class activation map."""

    def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
        result = gradients(question, xs)
        return maps_of(result, contexts(question, question.site, result.values, xs, layout), activation_map)

    return explain


@final
class LayerGradCam(GradientCam):
    """A layer's maps, each weighted by its mean gradient, added up to one coarse map of where the score comes from."""

    citation = "selvaraju2017"

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        attribute_to_layer_input: bool = False,
        relu_attributions: bool = False,
        attr_dim_summation: bool = True,
        grad_kwargs: GradKwargs = None,
        *,
        layout: Layout | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """(B, 1, …) over the layer's positions, or with attr_dim_summation=False (B, C, …)."""
        check_layout(layout)
        request = self._read(inputs, target, targets, additional_forward_args)

        def activation_map(maps: Tensor, slopes: Tensor) -> Tensor:
            cam = grad_cam(maps, slopes, attr_dim_summation)
            return cam.relu() if relu_attributions else cam

        return self._answer_at(
            self._site(attribute_to_layer_input), request, mapped(activation_map, layout), grad_kwargs
        )


class PositiveCam(GradientCam):
    """A map that is never negative."""

    activation_map: Map
    caveat: Caveat = staticmethod(lambda maps, slopes: "")  # noqa: ARG005

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        attribute_to_layer_input: bool = False,
        *,
        layout: Layout | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """(B, 1, …) over the layer's positions, never negative."""
        check_layout(layout)
        request = self._read(inputs, target, targets, additional_forward_args)
        caveats: set[str] = set()

        def activation_map(maps: Tensor, slopes: Tensor) -> Tensor:
            caveats.add(self.caveat(maps, slopes))
            return self.activation_map(maps, slopes)

        cam = self._answer_at(self._site(attribute_to_layer_input), request, mapped(activation_map, layout))
        for caveat in caveats - {""}:
            warn(caveat)
        return cam


@final
class LayerGradCamPlusPlus(PositiveCam):
    """Grad-CAM with pixelwise weights of the gradients, so that several objects of a class all show."""

    citation = "chattopadhay2018"
    activation_map = staticmethod(grad_cam_plus_plus)
    caveat = staticmethod(of_both_signs)


@final
class LayerCam(PositiveCam):
    """A layer's maps, each position weighted by its own positive gradient: fine maps, also from early layers."""

    citation = "jiang2021"
    activation_map = staticmethod(layer_cam)


@final
class LayerScoreCam(LayerAttribution, PerturbationAttribution):
    """A layer's maps, each weighted by the score of the input seen through it; no gradients."""

    citation = "wang2020"

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
        *,
        layout: Layout | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """(B, 1, …) over the layer's positions, never negative."""
        check_layout(layout)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        rows, shapes = as_copies(perturbations_per_eval, request.batch), [tuple(x.shape) for x in request.inputs]
        if len(shapes) > 1 or not 3 <= len(shapes[0]) <= 5:
            raise AttributionError(
                f"LayerScoreCam got inputs of shapes {shapes}.",
                "It masks one input (B, C, …) with 1 to 3 spatial dimensions; pass others as further arguments.",
            )

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            values = question.values(xs)
            known = contexts(question, question.site, values, xs, layout)
            return tuple(score_cam(question, xs, bases, each, rows) for each in map(as_maps, values, known))

        return self._answer_at(self._site(attribute_to_layer_input), request, explain)


@final
class GuidedGradCam(OperationAttribution):
    """Grad-CAM stretched over the input, times guided backpropagation: fine structures where the score comes from."""

    citation = "selvaraju2017"

    def __init__(self, model: Model, layer: LayerLike, device_ids: list[int] | None = None) -> None:
        super().__init__(model)
        self.layer = layer
        self.device_ids = device_ids
        self._layer = as_layer(layer)

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        interpolate_mode: str = "nearest",
        attribute_to_layer_input: bool = False,
        *,
        layout: Layout | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Positive part of Grad-CAM · guided gradient; shapes of the inputs."""
        check_mode(interpolate_mode)
        check_layout(layout)
        site = replace(self._layer, of_input=attribute_to_layer_input or self._layer.of_input)
        request = self._read(inputs, target, targets, additional_forward_args)

        def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            usual, guided = with_guided(question, site, xs)
            if len(usual.values) > 1 and site.call != "sum":
                raise AttributionError("GuidedGradCam: the layer passes on several tensors.", "Choose another layer.")
            known = contexts(question, site, usual.values, xs, layout)
            cams = torch.stack(maps_of(usual, known, grad_cam)).sum(0).relu()
            fitting = [can_spread(cams[0], x) for x in xs]
            if any(fitting) and not all(fitting):
                _warn_of_empty(fitting, cams[0], request.names)
            return tuple(
                _stretched(cams, x, interpolate_mode) * g if fits or not any(fitting) else g.new_zeros(len(g), 0)
                for x, g, fits in zip(xs, guided, fitting, strict=True)
            )

        return self._answer(request, explain)


def _stretched(cams: Tensor, x: Tensor, mode: str) -> Tensor:
    return torch.stack([spread_over(cam, x, mode) for cam in cams])


def _warn_of_empty(fitting: list[bool], cam: Tensor, names: tuple[str, ...]) -> None:
    unfit = [f"inputs[{names[place] if names else place!r}]" for place, fits in enumerate(fitting) if not fits]
    warn(
        f"GuidedGradCam: a map {tuple(cam.shape)} cannot be stretched over {', '.join(unfit)}: attributions are empty."
    )
