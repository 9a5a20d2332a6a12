"""Attributions of a neuron to the model's inputs.

`neuron_selector` is an index, a tuple of indices and slices (one for each dimension of the layer's values; what slices
select is added up), or a function of the layer's values that returns one number per example.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, final

from torch import Tensor, nn

from attribution_core.classes.base import GradientAttribution, PerturbationAttribution
from attribution_core.classes.internal import LayerLike, MultiplyingNeuron, NeuronAttribution
from attribution_core.classes.primary import combination
from attribution_core.methods import ablation, deeplift, integrated_gradients, modified, saliency
from attribution_core.methods.conductance import Through
from attribution_core.methods.paths import Quadrature, quadrature
from attribution_core.question.target import Selector, TargetLike
from attribution_core.reading.arguments import Baselines, TensorOrTuple, Tensors, as_rows, at_least, packed
from attribution_core.reading.masks import as_groups
from attribution_core.rules import deconvolution, guided
from attribution_core.rules.intercept import Interception, refuse_compiled


@final
class NeuronGradient(NeuronAttribution, GradientAttribution):
    """How strongly a neuron reacts to a small change of each input value."""

    citation = "simonyan2014"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
    ) -> TensorOrTuple:
        """d neuron / d input; shapes of the inputs."""
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        with self._asking(inputs, neuron, additional_forward_args) as (question, xs, _):
            return packed(saliency(question, xs, absolute=False), inputs)


@final
class NeuronIntegratedGradients(MultiplyingNeuron):
    """A neuron's gradients summed along the way from a baseline to the input: they add up to the neuron's change."""

    citation = "sundararajan2017"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        baselines: Baselines = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        attribute_to_neuron_input: bool = False,
    ) -> TensorOrTuple:
        """Shapes of the inputs."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        with self._asking(inputs, neuron, additional_forward_args, baselines) as (question, xs, bs):
            return packed(integrated_gradients(question, xs, bs, rule, self._multiply, rows), inputs)


@final
class NeuronConductance(MultiplyingNeuron):
    """How much of the score's change flows from each input value through a neuron."""

    citation = "dhamdhere2019"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: Any = None,
        n_steps: int = 50,
        method: Quadrature = "riemann_trapezoid",
        internal_batch_size: int | None = None,
        attribute_to_neuron_input: bool = False,
        grad_kwargs: Mapping[str, Any] | None = None,
    ) -> TensorOrTuple:
        """Shapes of the inputs; a function as selector is applied to the neurons' gradients as well."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        asked = self._asking(inputs, target, additional_forward_args, baselines, grad_kwargs=grad_kwargs)
        with asked as (question, xs, bs):
            options = question.grad_kwargs
            outer = {"create_graph": bool(options.get("create_graph"))}
            flow = replace(question, target=Through(question.target, neuron, options), grad_kwargs=outer)
            return packed(integrated_gradients(flow, xs, bs, rule, self._multiply, rows), inputs)


@final
class NeuronDeepLift(NeuronAttribution, GradientAttribution):
    """Compares every activation before a neuron with that on a baseline; they add up to the neuron's change."""

    citation = "shrikumar2017"

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
        baselines: Baselines = None,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
        custom_attribution_func: Callable[..., Tensors] | None = None,
    ) -> TensorOrTuple:
        """Shapes of the inputs."""
        refuse_compiled(self.model)
        combine = combination(custom_attribution_func, self._multiply)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        with self._asking(inputs, neuron, additional_forward_args, baselines) as (question, xs, bs):
            return packed(combine(deeplift(question, xs, bs).multipliers, xs, bs), inputs)


class _Modified(NeuronAttribution, GradientAttribution):
    """A neuron's gradient under a rule."""

    def __init__(
        self, model: nn.Module | Callable[..., Any], layer: LayerLike, device_ids: list[int] | None = None
    ) -> None:
        super().__init__(model, layer, device_ids)
        self.model = model

    def _under(
        self, rule: Interception, inputs: TensorOrTuple, selector: Selector, extra: Any, of_input: bool
    ) -> TensorOrTuple:
        refuse_compiled(self.model)
        with self._asking(inputs, self._neuron(selector, of_input), extra) as (question, xs, _):
            return packed(modified(question, xs, rule), inputs)


@final
class NeuronGuidedBackprop(_Modified):
    """A neuron's gradient without anything that speaks against it at any rectifier."""

    citation = "springenberg2015"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
    ) -> TensorOrTuple:
        """The guided gradient; shapes of the inputs."""
        return self._under(guided(), inputs, neuron_selector, additional_forward_args, attribute_to_neuron_input)


@final
class NeuronDeconvolution(_Modified):
    """Projects a neuron back to the input through rectified signals."""

    citation = "zeiler2014"

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        additional_forward_args: Any = None,
        attribute_to_neuron_input: bool = False,
    ) -> TensorOrTuple:
        """The deconvolved gradient; shapes of the inputs."""
        return self._under(deconvolution(), inputs, neuron_selector, additional_forward_args, attribute_to_neuron_input)


@final
class NeuronFeatureAblation(NeuronAttribution, PerturbationAttribution):
    """How much a neuron falls when each feature, or group of features, is replaced by a baseline."""

    citation = "zeiler2014"

    @property
    def multiplies_by_inputs(self) -> bool:
        """Always."""
        return True

    def attribute(
        self,
        inputs: TensorOrTuple,
        neuron_selector: Selector,
        baselines: Baselines = None,
        additional_forward_args: Any = None,
        feature_mask: Tensor | tuple[Tensor, ...] | None = None,
        attribute_to_neuron_input: bool = False,
        perturbations_per_eval: int = 1,
    ) -> TensorOrTuple:
        """The fall of the neuron's value; shapes of the inputs."""
        copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        with self._asking(inputs, neuron, additional_forward_args, baselines) as (question, xs, bs):
            features = as_groups(feature_mask, xs)
            rows = None if copies == 1 else copies * len(xs[0])
            return packed(ablation(question, xs, bs, features, rows), inputs)
