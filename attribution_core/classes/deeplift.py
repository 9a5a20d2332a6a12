"""DeepLIFT: against one baseline, or averaged over a distribution of baselines; of inputs, layers and neurons."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import final

import torch

from attribution_core.classes.base import Explained, GradientAttribution
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
from attribution_core.methods import deeplift
from attribution_core.methods.delta import total
from attribution_core.methods.noise import deeplift_shap
from attribution_core.question.question import Question
from attribution_core.reading.arguments import baselines_for
from attribution_core.reading.distribution import as_distribution
from attribution_core.rules.intercept import refuse_compiled
from attribution_core.types import Baselines, Distribution, GradKwargs, Inputs, Model, Selector, TargetLike, Tensors

Combine = Callable[[Tensors, Tensors, Tensors], Tensors]
"""From multipliers (targets, B, …), values and baselines (B, …) to attributions (targets, B, …)."""

Custom = Callable[..., Tensors] | None


def combination(custom: Custom, multiply: bool) -> Combine:
    """The caller's own formula, asked of each target by itself; the difference from the baseline, or nothing."""
    if custom is not None:
        return _custom(custom)
    if not multiply:
        return lambda multipliers, inputs, baselines: multipliers  # noqa: ARG005
    return lambda multipliers, inputs, baselines: tuple(
        m * (x - b) for m, x, b in zip(multipliers, inputs, baselines, strict=True)
    )


def _custom(formula: Callable[..., Tensors]) -> Combine:
    count = len(inspect.signature(formula).parameters)
    if not 1 <= count <= 3:
        raise AttributionError(
            f"custom_attribution_func takes {count} arguments.",
            "Expected (multipliers), (…, inputs) or (…, inputs, baselines).",
        )

    def combine(multipliers: Tensors, inputs: Tensors, baselines: Tensors) -> Tensors:
        each = [formula(*(of_target, inputs, baselines)[:count]) for of_target in zip(*multipliers, strict=True)]
        return tuple(torch.stack(column) for column in zip(*each, strict=True))

    return combine


@final
class DeepLift(GradientAttribution):
    """Compares every activation with that on a baseline; attributions add up to the score's change."""

    citation = "shrikumar2017"
    complete = True

    def __init__(self, model: Model, multiply_by_inputs: bool = True, eps: float = 1e-10) -> None:
        super().__init__(model)
        if not eps >= 0:
            raise AttributionError(f"DeepLift(eps={eps!r}): expected a number ≥ 0.")
        self.model = model
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
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiplies)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            found = deeplift(question, xs, bases, self.eps)
            attributions = combine(found.multipliers, xs, bases)
            if not return_convergence_delta:
                return Explained(attributions)
            return Explained(attributions, total(attributions) - (found.scores - found.baseline_scores))

        return self._answer(request, explain)


@final
class DeepLiftShap(GradientAttribution):
    """DeepLIFT averaged over baselines from a distribution: an approximation of Shapley values."""

    citation = "lundberg2017"
    complete = True

    def __init__(self, model: Model, multiply_by_inputs: bool = True) -> None:
        super().__init__(model)
        self.model = model
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
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiplies)
        request = self._read(inputs, target, targets, additional_forward_args)
        rows = request.in_order("baselines", baselines_for(baselines, inputs))

        def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
            return of_all_draws(
                deeplift_shap(question, xs, as_distribution(rows, xs), combine), return_convergence_delta
            )

        return self._answer(request, explain)


class LayerOfModel(LayerAttribution, GradientAttribution):
    """DeepLIFT at a layer."""

    citation = "shrikumar2017"
    complete = True

    def __init__(
        self,
        model: Model,
        layer: LayerLike | Sequence[LayerLike],
        multiply_by_inputs: bool = True,
    ) -> None:
        super().__init__(model, layer)
        self.model = model
        self._multiplies = multiply_by_inputs


@final
class LayerDeepLift(LayerOfModel):
    """Compares every activation with that on a baseline; a layer's attributions add up to the score's change."""

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
        refuse_compiled(self.model)
        if grad_kwargs and grad_kwargs.get("create_graph"):
            raise AttributionError(
                "LayerDeepLift: multipliers have no gradients; grad_kwargs has create_graph.",
                "Use LayerIntegratedGradients or LayerGradientXActivation where attributions are trained.",
            )
        combine = combination(custom_attribution_func, self._multiplies)
        site = self._site(attribute_to_layer_input)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            found = deeplift(question, xs, bases)
            parts = (site.divided(values) for values in (found.multipliers, found.values, found.baseline_values))
            attributions = tuple(a for part in zip(*parts, strict=True) for a in combine(*part))
            if not return_convergence_delta:
                return Explained(attributions)
            return Explained(attributions, self._deltas(site, attributions, found.scores - found.baseline_scores))

        return self._answer_at(site, request, explain, grad_kwargs)


@final
class LayerDeepLiftShap(LayerOfModel):
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
        refuse_compiled(self.model)
        combine, site = combination(custom_attribution_func, self._multiplies), self._site(attribute_to_layer_input)
        request = self._read(inputs, target, targets, additional_forward_args)
        rows = request.in_order("baselines", baselines_for(baselines, inputs))

        def of_each(*parts: Tensors) -> Tensors:
            layers = zip(*map(site.divided, parts), strict=True)
            return tuple(value for layer in layers for value in combine(*layer))

        def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
            return of_all_draws(
                deeplift_shap(question, xs, as_distribution(rows, xs), of_each), return_convergence_delta
            )

        return self._answer_at(site, request, explain)


class NeuronOfModel(NeuronAttribution, GradientAttribution):
    """DeepLIFT of a neuron."""

    citation = "shrikumar2017"

    def __init__(self, model: Model, layer: LayerLike, multiply_by_inputs: bool = True) -> None:
        super().__init__(model, layer)
        self.model = model
        self._multiplies = multiply_by_inputs


@final
class NeuronDeepLift(NeuronOfModel):
    """Compares every activation before a neuron with that on a baseline; they add up to the neuron's change."""

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
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiplies)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            return Explained(combine(deeplift(question, xs, bases).multipliers, xs, bases))

        return self._answer(request, explain)


@final
class NeuronDeepLiftShap(NeuronOfModel):
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
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiplies)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args)
        rows = request.in_order("baselines", baselines_for(baselines, inputs))

        def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
            return Explained(deeplift_shap(question, xs, as_distribution(rows, xs), combine).attributions)

        return self._answer(request, explain)
