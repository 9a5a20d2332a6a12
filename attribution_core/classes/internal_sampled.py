"""Attributions to layers, and of neurons, averaged over baselines from a distribution or over shuffled examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from torch import Tensor, nn

from attribution_core.classes.base import GradientAttribution, PerturbationAttribution
from attribution_core.classes.internal import (
    LayerAttribution,
    LayerLike,
    MultiplyingLayer,
    MultiplyingNeuron,
    NeuronAttribution,
    OfLayers,
    each_layer,
    for_each_example,
)
from attribution_core.classes.primary import combination
from attribution_core.classes.sampled import Distribution, as_deviations, as_distribution, made
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.noise import deeplift_shap, gradient_shap
from attribution_core.methods.permutation import permutation
from attribution_core.question.target import Selector, TargetLike
from attribution_core.reading.arguments import TensorOrTuple, Tensors, at_least, packed
from attribution_core.reading.masks import as_groups
from attribution_core.rules.intercept import refuse_compiled


@final
class LayerGradientShap(MultiplyingLayer):
    """Gradients at a layer, at random points between noisy inputs and random baselines, times the layer's change."""

    citation = "erion2021"
    differentiates = True
    complete = True

    def attribute(
        self,
        inputs: TensorOrTuple,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: float | tuple[float, ...] = 0.0,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        *,
        seed: int | None = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of each draw's sum: all of the
        first example, then of the second, …, (B · n_samples,). The points lie between the inputs, not the layer's
        values: the sums are exact only where the layer depends linearly on the input."""
        count, site = at_least("n_samples", n_samples, 1), self._site(attribute_to_layer_input)
        drawn = made(baselines, inputs)
        with self._asking(inputs, target, additional_forward_args, site=site) as (question, xs, _):
            deviations, bases = as_deviations(stdevs, xs), as_distribution(drawn, xs)
            draws = Draws(seed, xs[0].device)
            found = gradient_shap(
                question, xs, bases, count, deviations, draws, self._multiply, return_convergence_delta
            )
            packed_layers = self._packed(found.attributions, site)
            return packed_layers if found.deltas is None else (packed_layers, found.deltas.T.reshape(-1))


@final
class LayerDeepLiftShap(LayerAttribution, GradientAttribution):
    """DeepLIFT at a layer, averaged over baselines from a distribution."""

    citation = "lundberg2017"
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
        baselines: Distribution,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
    ) -> Any:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of each baseline's sum: all of
        the first example, then of the second, …, (B · baselines,)."""
        refuse_compiled(self.model)
        combine, site = combination(custom_attribution_func, self._multiply), self._site(attribute_to_layer_input)
        drawn = made(baselines, inputs)

        def of_each(*parts: Tensors) -> Tensors:
            layers = zip(*map(site.divided, parts), strict=True)
            return tuple(value for layer in layers for value in combine(*layer))

        with self._asking(inputs, target, additional_forward_args, site=site) as (question, xs, _):
            bases = as_distribution(drawn, xs)
            found = deeplift_shap(question, xs, bases, of_each)
            packed_layers = self._packed(found.attributions, site)
            if not return_convergence_delta or found.deltas is None:
                return packed_layers
            return packed_layers, found.deltas.T.reshape(-1)


@final
class LayerFeaturePermutation(LayerAttribution, PerturbationAttribution):
    """How much the score falls when a value of a layer is shuffled among the examples of the batch."""

    citation = "fisher2019"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: Tensor | tuple[Tensor, ...],
        target: TargetLike = None,
        additional_forward_args: Any = None,
        layer_mask: Tensor | tuple[Tensor, ...] | None = None,
        perturbations_per_eval: int = 1,
        *,
        seed: int | None = None,
    ) -> OfLayers:
        """The fall of the score; shapes of the layer's values. A list of layers takes a list of masks."""
        copies, site = at_least("perturbations_per_eval", perturbations_per_eval, 1), self._site(False)
        masks = self._for_each("layer_mask", layer_mask)
        with self._asking(inputs, target, additional_forward_args, site=site) as (question, xs, _):
            values = for_each_example(question.values(xs), len(xs[0]))
            draws, found = Draws(seed, xs[0].device), list[Tensor]()
            for number, asked, own in each_layer(question, values):
                features = as_groups(masks[number], own)
                rows = None if copies == 1 else copies * len(own[0])
                found += permutation(asked.lifted(xs), own, features, draws, None, rows)
            return self._packed(tuple(found), site)


@final
class NeuronGradientShap(MultiplyingNeuron):
    """A neuron's gradients at random points between noisy inputs and random baselines."""

    citation = "erion2021"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        baselines: Distribution,
        n_samples: int = 5,
        stdevs: float | tuple[float, ...] = 0.0,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
        *,
        seed: int | None = None,
    ) -> TensorOrTuple:
        """Shapes of the inputs."""
        count, neuron = at_least("n_samples", n_samples, 1), self._neuron(neuron_selector, attribute_to_neuron_input)
        drawn = made(baselines, inputs)
        with self._asking(inputs, neuron, additional_forward_args) as (question, xs, _):
            deviations, bases = as_deviations(stdevs, xs), as_distribution(drawn, xs)
            draws = Draws(seed, xs[0].device)
            found = gradient_shap(question, xs, bases, count, deviations, draws, self._multiply)
            return packed(found.attributions, inputs)


@final
class NeuronDeepLiftShap(NeuronAttribution, GradientAttribution):
    """DeepLIFT of a neuron, averaged over baselines from a distribution."""

    citation = "lundberg2017"

    def __init__(
        self, model: nn.Module | Callable[..., Any], layer: LayerLike, multiply_by_inputs: bool = True
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
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        baselines: Distribution,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
    ) -> TensorOrTuple:
        """Shapes of the inputs."""
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiply)
        neuron, drawn = self._neuron(neuron_selector, attribute_to_neuron_input), made(baselines, inputs)
        with self._asking(inputs, neuron, additional_forward_args) as (question, xs, _):
            bases = as_distribution(drawn, xs)
            return packed(deeplift_shap(question, xs, bases, combine).attributions, inputs)
