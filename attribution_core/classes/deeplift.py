"""DeepLIFT: against one baseline, or averaged over a distribution of baselines; of inputs, layers and neurons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, final

import torch
from torch import Tensor

from attribution_core.classes.base import Deltas, Explained, Method, OperationAttribution
from attribution_core.classes.gradient_shap import of_all_draws
from attribution_core.classes.layer import LayerAttribution, LayerLike
from attribution_core.classes.neuron import NeuronAttribution
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute_with_delta,
    layer_attribute_with_delta,
    neuron_attribute,
)
from attribution_core.errors import AttributionError
from attribution_core.methods.deeplift import EPS, deeplift, rise
from attribution_core.methods.delta import missed, multiplied
from attribution_core.methods.noise import deeplift_shap
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.reading.distribution import as_distribution
from attribution_core.reading.values import ragged, shown
from attribution_core.types import Baselines, Distribution, GradKwargs, Inputs, Model, Selector, TargetLike, Tensors

Combine = Callable[[Tensors, Tensors, Tensors], Tensors]
"""From multipliers (targets, B, …), values and baselines (B, …) to attributions (targets, B, …)."""

Custom = Callable[..., Tensors] | None

Divided = Callable[[Tensors], list[Tensors]]
"""From the values of several layers, one after the other, to those of each."""

Missed = Callable[[Tensors, Tensor], Deltas]
"""From attributions and the score's change (B, targets) to the error of the sums."""


def combination(custom: Custom, multiply: bool) -> Combine:
    """The caller's own formula, asked of each target by itself; the difference from the baseline, or nothing."""
    if custom is not None:
        return _custom(custom)
    if not multiply:
        return lambda multipliers, *_: multipliers
    return multiplied


def _custom(formula: Callable[..., Tensors]) -> Combine:
    try:
        count = len(inspect.signature(formula).parameters)
    except (TypeError, ValueError):  # of a function that is not written in Python
        count = 3
    if not 1 <= count <= 3:
        raise AttributionError(
            f"custom_attribution_func takes {count} arguments.",
            "Expected (multipliers), (…, inputs) or (…, inputs, baselines).",
        )

    def combine(multipliers: Tensors, inputs: Tensors, baselines: Tensors) -> Tensors:
        each = [
            _checked(formula(*(of_target, inputs, baselines)[:count]), of_target)
            for of_target in zip(*multipliers, strict=True)
        ]
        return tuple(torch.stack(column) for column in zip(*each, strict=True))

    return combine


def by_parts(combine: Combine, divided: Divided) -> Combine:
    """The same formula, asked of each layer by itself."""

    def of_each(*parts: Tensors) -> Tensors:
        layers = zip(*map(divided, parts), strict=True)
        return tuple(value for layer in layers for value in combine(*layer))

    return of_each


def against_one(combine: Combine, eps: float, deltas: Missed | None) -> Method:
    """The method that compares with one baseline; `deltas` are made of attributions and the score's change."""

    def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
        compared = deeplift(question, xs, bases, eps)
        attributions = combine(compared.multipliers, compared.values, compared.baseline_values)
        if deltas is None and combine is multiplied and not ragged(xs):
            missed(attributions, compared.scores - compared.baseline_scores)  # a warning costs no pass
        return Explained(attributions, deltas and deltas(attributions, rise(question, xs, bases, compared)))

    return explain


def against_several(combine: Combine, request: Request, baselines: Distribution, with_deltas: bool) -> Method:
    """The method that takes the mean over a distribution of baselines."""
    rows = request.rows_of(baselines)

    def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
        return of_all_draws(deeplift_shap(question, xs, as_distribution(rows, xs), combine), with_deltas)

    return explain


def _checked(attributions: Any, multipliers: Tensors) -> Tensors:
    """What the caller's formula returned, if it is a tensor for each of the multipliers."""
    shapes = [tuple(m.shape) for m in multipliers]
    several = isinstance(attributions, (tuple, list)) and all(isinstance(part, Tensor) for part in attributions)
    if not several or [tuple(part.shape) for part in attributions] != shapes:
        got = [tuple(part.shape) for part in attributions] if several else shown(attributions)
        raise AttributionError(
            f"custom_attribution_func returned {got}; the multipliers have shapes {shapes}.",
            "Return a tuple with a tensor of each of those shapes.",
        )
    return tuple(attributions)


@final
class DeepLift(OperationAttribution):
    """Compares every activation with that on a baseline; attributions add up to the score's change."""

    citation = "shrikumar2017"
    complete = True

    def __init__(self, model: Model, multiply_by_inputs: bool = True, eps: float = EPS) -> None:
        super().__init__(model)
        self.eps = eps
        self._multiplies = multiply_by_inputs

    @input_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        custom_attribution_func: Custom = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of their sums, (B,)."""
        combine = combination(custom_attribution_func, self._multiplies)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        return self._answer(request, against_one(combine, self.eps, missed if return_convergence_delta else None))


@final
class DeepLiftShap(OperationAttribution):
    """DeepLIFT averaged over baselines from a distribution: an approximation of Shapley values."""

    citation = "lundberg2017"
    complete = True

    def __init__(self, model: Model, multiply_by_inputs: bool = True) -> None:
        super().__init__(model)
        self._multiplies = multiply_by_inputs

    @input_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Distribution,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        custom_attribution_func: Custom = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of each baseline's sum:
        all of the first example, then of the second, …, (B · baselines,)."""
        combine = combination(custom_attribution_func, self._multiplies)
        request = self._read(inputs, target, targets, additional_forward_args)
        return self._answer(request, against_several(combine, request, baselines, return_convergence_delta))


class DeepLiftAtLayer(LayerAttribution, OperationAttribution):
    """DeepLIFT at a layer."""

    complete = True

    def __init__(self, model: Model, layer: LayerLike | Sequence[LayerLike], multiply_by_inputs: bool = True) -> None:
        super().__init__(model, layer)
        self._multiplies = multiply_by_inputs


@final
class LayerDeepLift(DeepLiftAtLayer):
    """Compares every activation with that on a baseline; a layer's attributions add up to the score's change."""

    citation = "shrikumar2017"
    differentiates = False

    @layer_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        custom_attribution_func: Custom = None,
        grad_kwargs: GradKwargs = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of their sums, (B,)."""
        if grad_kwargs and grad_kwargs.get("create_graph"):
            raise AttributionError(
                "LayerDeepLift: multipliers have no gradients; grad_kwargs has create_graph.",
                "Use LayerIntegratedGradients or LayerGradientXActivation where attributions are trained.",
            )
        site = self._site(attribute_to_layer_input)
        combine = by_parts(combination(custom_attribution_func, self._multiplies), site.divided)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        deltas = partial(self._deltas, site) if return_convergence_delta else None
        return self._answer_at(site, request, against_one(combine, EPS, deltas), grad_kwargs)


@final
class LayerDeepLiftShap(DeepLiftAtLayer):
    """DeepLIFT at a layer, averaged over baselines from a distribution."""

    citation = "lundberg2017"

    @layer_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Distribution,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        custom_attribution_func: Custom = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of each baseline's sum: all of
        the first example, then of the second, …, (B · baselines,)."""
        site = self._site(attribute_to_layer_input)
        combine = by_parts(combination(custom_attribution_func, self._multiplies), site.divided)
        request = self._read(inputs, target, targets, additional_forward_args)
        return self._answer_at(site, request, against_several(combine, request, baselines, return_convergence_delta))


class DeepLiftOfNeuron(NeuronAttribution, OperationAttribution):
    """DeepLIFT of a neuron."""

    def __init__(self, model: Model, layer: LayerLike, multiply_by_inputs: bool = True) -> None:
        super().__init__(model, layer)
        self._multiplies = multiply_by_inputs


@final
class NeuronDeepLift(DeepLiftOfNeuron):
    """Compares every activation before a neuron with that on a baseline; they add up to the neuron's change."""

    citation = "shrikumar2017"

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Baselines = None,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
        custom_attribution_func: Custom = None,
    ) -> Attributions:
        """Shapes of the inputs."""
        combine = combination(custom_attribution_func, self._multiplies)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args, baselines)
        return self._answer(request, against_one(combine, EPS, None))


@final
class NeuronDeepLiftShap(DeepLiftOfNeuron):
    """DeepLIFT of a neuron, averaged over baselines from a distribution."""

    citation = "lundberg2017"

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Distribution,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
        custom_attribution_func: Custom = None,
    ) -> Attributions:
        """Shapes of the inputs."""
        combine = combination(custom_attribution_func, self._multiplies)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args)
        return self._answer(request, against_several(combine, request, baselines, False))
