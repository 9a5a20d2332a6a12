"""Attributions to the values at a layer.

`layer` is a module, `Layer(module, call=…)` where the module runs several times in one pass, or a list of those; a list
of results comes back for a list of layers. Results are shaped like the layer's values: a tensor, or a tuple where the
layer passes on several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, final

from torch import Tensor, nn
from torch.autograd.graph import save_on_cpu

from attribution_core.classes.base import GradientAttribution, PerturbationAttribution
from attribution_core.classes.internal import (
    LayerAttribution,
    LayerLike,
    MultiplyingLayer,
    OfLayers,
    each_layer,
    for_each_example,
)
from attribution_core.classes.primary import combination
from attribution_core.errors import AttributionError
from attribution_core.methods import ablation, deeplift, integrated_gradients
from attribution_core.methods.conductance import conductance, internal_influence
from attribution_core.methods.delta import change, total
from attribution_core.methods.gradient import gradients
from attribution_core.methods.paths import Quadrature, quadrature
from attribution_core.question.question import Question
from attribution_core.question.site import Layers
from attribution_core.question.target import TargetLike
from attribution_core.reading.arguments import Baselines, Tensors, as_baselines, as_rows, at_least
from attribution_core.reading.masks import as_groups
from attribution_core.rules.intercept import refuse_compiled

GradKwargs = Mapping[str, Any] | None


@final
class LayerActivation(LayerAttribution):
    """What a layer computes."""

    citation = "erhan2009"
    differentiates = False

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
    ) -> OfLayers:
        """The layer's values."""
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, None, additional_forward_args, site=site) as (question, xs, _):
            return self._packed(question.values(xs), site)


@final
class LayerGradientXActivation(MultiplyingLayer):
    """Each value of a layer times the score's gradient: its share in a linear approximation of what follows."""

    citation = "shrikumar2016"
    differentiates = False

    def __init__(
        self,
        forward_func: Callable[..., Any],
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__(forward_func, layer, device_ids, multiply_by_inputs)
        self.memory_efficient = memory_efficient

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
    ) -> OfLayers:
        """Value · d score / d value, or the gradient alone; shapes of the layer's values."""
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, None, site, grad_kwargs) as (question, xs, _):
            with save_on_cpu() if self.memory_efficient else nullcontext():
                found = gradients(question, xs)
            if not self._multiply:
                return self._packed(found.slopes, site)
            return self._packed(_products(found.values, found.slopes), site)


@final
class LayerConductance(LayerAttribution, GradientAttribution):
    """How much of the score's change flows through each value of a layer on the way from a baseline to the input."""

    citation = "dhamdhere2019"
    complete = True

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of their sums, (B,)."""
        positions, _ = quadrature(method, at_least("n_steps", n_steps, 1) + 1)
        rows = as_rows(internal_batch_size)
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, baselines, site, grad_kwargs) as (question, xs, bs):
            found = conductance(question, xs, bs, positions, rows)
            return self._with_delta(found, site, question, xs, bs, return_convergence_delta)

    def _with_delta(
        self, found: Tensors, site: Layers, question: Question, xs: Tensors, bases: Tensors, asked: bool
    ) -> Any:
        if not asked:
            return self._packed(found, site)
        rise = change(question, bases, xs)
        deltas = [total(own) - rise for own in site.divided(found)]
        return self._packed(found, site), deltas if self._many else deltas[0]


@final
class InternalInfluence(LayerAttribution, GradientAttribution):
    """The score's gradient at a layer, averaged over the way from a baseline to the input."""

    citation = "leino2018"

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
    ) -> OfLayers:
        """The mean gradient; shapes of the layer's values."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, baselines, site, grad_kwargs) as (question, xs, bs):
            return self._packed(internal_influence(question, xs, bs, rule, rows), site)


@final
class LayerIntegratedGradients(MultiplyingLayer):
    """Gradients summed along the way of a layer's values from those on a baseline to those on the input."""

    citation = "sundararajan2017"
    differentiates = False
    complete = True

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of their sums, (B,).

        Several layers move together, as the tables of an embedding must; if one feeds another, each moves by itself.
        """
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, baselines, site, grad_kwargs) as (question, xs, bs):
            starts, ends = (for_each_example(question.values(x), len(x[0])) for x in (bs, xs))

            def along(asked: Question, starts: Tensors, ends: Tensors) -> tuple[Tensors, bool]:
                lifted = asked.lifted(xs)
                return integrated_gradients(lifted, ends, starts, rule, self._multiply, rows), all(lifted.used.values())

            found, together = along(question, starts, ends)
            pairs = list(zip(each_layer(question, starts), each_layer(question, ends), strict=True))
            apart = not together and len(pairs) > 1
            if apart:
                each = [along(asked, start, end)[0] for (_, asked, start), (_, _, end) in pairs]
                found = tuple(value for values in each for value in values)
            if not return_convergence_delta:
                return self._packed(found, site)
            rise = change(question, bs, xs)
            apart = apart and self._many
            delta = [total(own) - rise for own in site.divided(found)] if apart else total(found) - rise
            return self._packed(found, site), delta


@final
class LayerDeepLift(LayerAttribution, GradientAttribution):
    """Compares every activation with that on a baseline; a layer's attributions add up to the score's change."""

    citation = "shrikumar2017"
    differentiates = False
    complete = True

    def __init__(
        self,
        model: nn.Module | Callable[..., Any],
        layer: LayerLike | Sequence[LayerLike],
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(model, layer)
        self.model = model
        self._multiply = multiply_by_inputs

    @property
    def multiplies_by_inputs(self) -> bool:
        """As constructed."""
        return self._multiply

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
        grad_kwargs: GradKwargs = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of their sums, (B,)."""
        refuse_compiled(self.model)
        if grad_kwargs and grad_kwargs.get("create_graph"):
            raise AttributionError(
                "LayerDeepLift: multipliers have no gradients; grad_kwargs has create_graph.",
                "Use LayerIntegratedGradients or LayerGradientXActivation where attributions are trained.",
            )
        combine = combination(custom_attribution_func, self._multiply)
        site = self._site(attribute_to_layer_input)
        with self._asking(inputs, target, additional_forward_args, baselines, site, grad_kwargs) as (question, xs, bs):
            found = deeplift(question, xs, bs)
            parts = (site.divided(values) for values in (found.multipliers, found.values, found.baseline_values))
            each = [combine(*part) for part in zip(*parts, strict=True)]
            packed = self._packed(tuple(value for values in each for value in values), site)
            if not return_convergence_delta:
                return packed
            deltas = [total(own) - (found.scores - found.baseline_scores) for own in each]
            return packed, deltas if self._many else deltas[0]


@final
class LayerFeatureAblation(LayerAttribution, PerturbationAttribution):
    """How much the score falls when each value of a layer, or group of values, is replaced by a baseline."""

    citation = "zeiler2014"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        layer_baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        layer_mask: Tensor | tuple[Tensor, ...] | None = None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
    ) -> OfLayers:
        """The fall of the score; shapes of the layer's values. A list of layers takes lists of baselines and masks."""
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        site = self._site(attribute_to_layer_input)
        bases, masks = self._for_each("layer_baselines", layer_baselines), self._for_each("layer_mask", layer_mask)
        with self._asking(inputs, target, additional_forward_args, site=site) as (question, xs, _):
            values = for_each_example(question.values(xs), len(xs[0]))
            found: list[Tensor] = []
            for number, asked, own in each_layer(question, values):
                starts = as_baselines(bases[number], own)
                features = as_groups(masks[number], own)
                rows = None if copies == 1 else copies * len(own[0])
                found += ablation(asked.lifted(xs), own, starts, features, rows)
            return self._packed(tuple(found), site)


def _products(values: Tensors, slopes: Tensors) -> Tensors:
    return tuple(v * s for v, s in zip(values, slopes, strict=True))
