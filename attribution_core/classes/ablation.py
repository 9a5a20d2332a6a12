"""Removal of one feature after the other: by a baseline, a window of it, or the values of other examples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

from torch import Tensor

from attribution_core.classes.base import Method
from attribution_core.classes.layer import LayerAttribution, each_layer, for_each_example
from attribution_core.classes.neuron import NeuronAttribution
from attribution_core.classes.perturbation import PerturbationAttribution, WaitingAttribution
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute,
    layer_attribute,
    neuron_attribute,
)
from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.methods import ablation
from attribution_core.methods.permutation import Permute, permutation
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.reading.arguments import as_baselines, as_copies
from attribution_core.reading.masks import as_groups, as_windows
from attribution_core.types import Baseline, Baselines, Inputs, Mask, Model, Selector, TargetLike, Tensors

Window = tuple[int, ...] | tuple[tuple[int, ...], ...]
Strides = int | tuple[int, ...] | tuple[int | tuple[int, ...], ...] | None
LayerMask = Tensor | Tensors | list[Tensor | Tensors | None] | None


def of_groups(request: Request, feature_mask: Mask, perturbations_per_eval: int) -> Method:
    """The method that removes one group of positions after the other."""
    rows = as_copies(perturbations_per_eval, request.batch)
    return lambda question, xs, bases: ablation(question, xs, bases, request.groups(feature_mask, xs), rows)


def of_layers(fall: Callable[[int, Question, Tensors], Tensors]) -> Method:
    """The method that asks, layer by layer, how the score falls: of the layer's number, a question of its values, and
    those."""

    def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
        values = for_each_example(question.values(xs), len(xs[0]))
        falls = [fall(number, alone.lifted(xs), own) for number, alone, own in each_layer(question, values)]
        return tuple(value for each in falls for value in each)

    return explain


@final
class FeatureAblation(WaitingAttribution):
    """How much the score falls when each feature, or group of features, is replaced by a baseline."""

    citation = "zeiler2014"
    _multiplies = True
    of_outputs = "one row for each output"

    @input_attribute  # type: ignore[arg-type]  # **kwargs, as in Captum
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        targets: Targets | None = None,
        **kwargs: object,
    ) -> Attributions:
        """The fall of the score; shapes of the inputs, or one row where the model returns one number per batch."""
        refuse_unknown("FeatureAblation", kwargs)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        method = of_groups(request, feature_mask, perturbations_per_eval)
        return self._answer(request, method, show_progress=show_progress)


@final
class Occlusion(PerturbationAttribution):
    """How much the score falls when a window, slid over the input, is replaced by a baseline."""

    citation = "zeiler2014"
    _multiplies = True
    of_outputs = "one row for each output"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        sliding_window_shapes: Window | dict[str, tuple[int, ...]],
        strides: Strides | dict[str, int | tuple[int, ...]] = None,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """The mean fall over the windows that cover a position; shapes as in FeatureAblation."""
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        rows = as_copies(perturbations_per_eval, request.batch)
        shapes = request.in_order("sliding_window_shapes", sliding_window_shapes)
        steps = request.in_order("strides", strides)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            return ablation(question, xs, bases, as_windows(shapes, steps, xs), rows)

        return self._answer(request, explain, show_progress=show_progress)


@final
class FeaturePermutation(WaitingAttribution):
    """How much the score falls when a feature's values are shuffled among the examples of the batch."""

    citation = "fisher2019"
    _multiplies = True
    of_outputs = "one row for each output"

    def __init__(self, forward_func: Model, perm_func: Permute | None = None) -> None:
        super().__init__(forward_func)
        self.perm_func = perm_func

    @input_attribute  # type: ignore[arg-type]  # **kwargs, as in Captum
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        perturbations_per_eval: int = 1,
        show_progress: bool = False,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
        **kwargs: object,
    ) -> Attributions:
        """The fall of the score; shapes of the inputs, or one row where the model returns one number per batch."""
        refuse_unknown("FeaturePermutation", kwargs)
        request = self._read(inputs, target, targets, additional_forward_args)
        rows = as_copies(perturbations_per_eval, request.batch)

        def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            groups, draws = request.groups(feature_mask, xs), Draws(seed, xs[0].device)
            return permutation(question, xs, groups, draws, self.perm_func, rows)

        return self._answer(request, explain, show_progress=show_progress)


def refuse_unknown(name: str, unknown: dict[str, Any]) -> None:
    """Refuse keywords that Captum's signature lets pass."""
    if unknown:
        raise AttributionError(f"{name}.attribute does not know {', '.join(sorted(unknown))}.")


@final
class NeuronFeatureAblation(NeuronAttribution, PerturbationAttribution):
    """How much a neuron falls when each feature, or group of features, is replaced by a baseline."""

    citation = "zeiler2014"
    _multiplies = True

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Baselines = None,
        additional_forward_args: object = None,
        feature_mask: Mask = None,
        attribute_to_neuron_input: bool = False,
        perturbations_per_eval: int = 1,
    ) -> Attributions:
        """The fall of the neuron's value; shapes of the inputs."""
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args, baselines)
        return self._answer(request, of_groups(request, feature_mask, perturbations_per_eval))


@final
class LayerFeatureAblation(LayerAttribution, PerturbationAttribution):
    """How much the score falls when each value of a layer, or group of values, is replaced by a baseline."""

    citation = "zeiler2014"
    _multiplies = True
    of_outputs = "one row for each output"

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        layer_baselines: Baseline | list[Baseline] = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        layer_mask: LayerMask = None,
        attribute_to_layer_input: bool = False,
        perturbations_per_eval: int = 1,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """The fall of the score; shapes of the layer's values. A list of layers takes lists of baselines and masks."""
        request = self._read(inputs, target, targets, additional_forward_args)
        rows = as_copies(perturbations_per_eval, request.batch)
        bases, masks = self._for_each("layer_baselines", layer_baselines), self._for_each("layer_mask", layer_mask)

        def fall(number: int, question: Question, values: Tensors) -> Tensors:
            groups = as_groups(masks[number], values)
            return ablation(question, values, as_baselines(bases[number], values), groups, rows)

        return self._answer_at(self._site(attribute_to_layer_input), request, of_layers(fall))


@final
class LayerFeaturePermutation(LayerAttribution, WaitingAttribution):
    """How much the score falls when a value of a layer is shuffled among the examples of the batch."""

    citation = "fisher2019"
    _multiplies = True
    of_outputs = "one row for each output"

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        layer_mask: LayerMask = None,
        perturbations_per_eval: int = 1,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """The fall of the score; shapes of the layer's values. A list of layers takes a list of masks."""
        request = self._read(inputs, target, targets, additional_forward_args)
        rows, masks = as_copies(perturbations_per_eval, request.batch), self._for_each("layer_mask", layer_mask)
        draws = Draws(seed, request.inputs[0].device)

        def fall(number: int, question: Question, values: Tensors) -> Tensors:
            return permutation(question, values, as_groups(masks[number], values), draws, None, rows)

        return self._answer_at(self._site(False), request, of_layers(fall))
