"""Expected gradients: at random points between noisy inputs and random baselines; of inputs, layers and neurons."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from attribution_core.classes.base import Explained, MultiplyingGradient
from attribution_core.classes.base import Method as Explain
from attribution_core.classes.layer import MultiplyingLayer
from attribution_core.classes.neuron import MultiplyingNeuron
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute_with_delta,
    layer_attribute_with_delta,
    neuron_attribute,
)
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.noise import Expected, gradient_shap
from attribution_core.question.question import Question
from attribution_core.question.request import Request
from attribution_core.reading.arguments import at_least
from attribution_core.reading.distribution import as_deviations, as_distribution
from attribution_core.types import Distribution, Inputs, Selector, TargetLike, Tensors

Deviations = float | tuple[float, ...] | Mapping[str, float]


def of_all_draws(expected: Expected, with_deltas: bool) -> Explained:
    """The means; deltas of all draws of the first example, then of the second, …, (B · draws, targets)."""
    if not with_deltas or expected.deltas is None:
        return Explained(expected.attributions)
    return Explained(expected.attributions, expected.deltas.transpose(0, 1).flatten(0, 1))


def between(
    request: Request,
    baselines: Distribution,
    n_samples: int,
    stdevs: Deviations,
    seed: int | None,
    multiply: bool,
    with_deltas: bool = False,
) -> Explain:
    """The method that takes gradients between noisy inputs and baselines drawn from a distribution."""
    count, noise = at_least("n_samples", n_samples, 1), request.in_order("stdevs", stdevs)
    rows = request.rows_of(baselines)

    def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
        deviations, distribution = as_deviations(noise, xs), as_distribution(rows, xs)
        draws = Draws(seed, xs[0].device)
        expected = gradient_shap(question, xs, distribution, count, deviations, draws, multiply, with_deltas)
        return of_all_draws(expected, with_deltas)

    return explain


@final
class GradientShap(MultiplyingGradient):
    """Gradients at random points between noisy inputs and random baselines: expected values of integrated gradients."""

    citation = "erion2021"
    complete = True

    @input_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: Deviations = 0.0,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of each draw's sum: all of
        the first example, then of the second, …, (B · n_samples,)."""
        request = self._read(inputs, target, targets, additional_forward_args)
        options = (baselines, n_samples, stdevs, seed, self._multiplies, return_convergence_delta)
        return self._answer(request, between(request, *options))


@final
class LayerGradientShap(MultiplyingLayer):
    """Gradients at a layer, at random points between noisy inputs and random baselines, times the layer's change."""

    citation = "erion2021"
    differentiates = True
    complete = True

    @layer_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: Deviations = 0.0,
        target: TargetLike = None,
        additional_forward_args: object = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        *,
        seed: int | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of each draw's sum: all of the
        first example, then of the second, …, (B · n_samples,). The points lie between the inputs, not the layer's
        values: the sums are exact only where the layer depends linearly on the input."""
        request = self._read(inputs, target, targets, additional_forward_args)
        options = (baselines, n_samples, stdevs, seed, self._multiplies, return_convergence_delta)
        return self._answer_at(self._site(attribute_to_layer_input), request, between(request, *options))


@final
class NeuronGradientShap(MultiplyingNeuron):
    """A neuron's gradients at random points between noisy inputs and random baselines."""

    citation = "erion2021"

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: Deviations = 0.0,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
        *,
        seed: int | None = None,
    ) -> Attributions:
        """Shapes of the inputs."""
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args)
        return self._answer(request, between(request, baselines, n_samples, stdevs, seed, self._multiplies))
