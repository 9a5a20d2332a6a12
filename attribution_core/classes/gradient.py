"""Gradients: of a score or a neuron, plain or under a rule, times the values or not; and the values themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import final

from torch.autograd.graph import save_on_cpu

from attribution_core.classes.base import Explained, GradientAttribution
from attribution_core.classes.layer import LayerAttribution, LayerLike, MultiplyingLayer
from attribution_core.classes.neuron import NeuronAttribution
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute,
    layer_attribute,
    neuron_attribute,
)
from attribution_core.methods import input_x_gradient, modified, saliency
from attribution_core.methods.gradient import gradients
from attribution_core.question.question import Question
from attribution_core.rules import deconvolution, guided
from attribution_core.rules.intercept import Interception, refuse_compiled
from attribution_core.rules.relu import Signals
from attribution_core.types import GradKwargs, Inputs, Model, Selector, TargetLike, Tensors

Rule = Callable[[], Interception[Signals]]


@final
class Saliency(GradientAttribution):
    """How strongly the score reacts to a small change of each input value."""

    citation = "simonyan2014"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        abs: bool = True,
        additional_forward_args: object = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """|d score / d input|, or the signed gradient; shapes of the inputs."""
        request = self._read(inputs, target, targets, additional_forward_args)
        return self._answer(request, lambda question, xs, _: Explained(saliency(question, xs, abs)))


@final
class InputXGradient(GradientAttribution):
    """Each input value times the score's gradient: its share in a linear approximation of the model."""

    citation = "shrikumar2016"
    _multiplies = True

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Input · d score / d input; shapes of the inputs."""
        request = self._read(inputs, target, targets, additional_forward_args)
        return self._answer(request, lambda question, xs, _: Explained(input_x_gradient(question, xs)))


class UnderRule(GradientAttribution):
    """The gradient under a rule."""

    rule: Rule

    def __init__(self, model: Model) -> None:
        super().__init__(model)
        self.model = model

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """The gradient under the rule; shapes of the inputs."""
        refuse_compiled(self.model)
        request = self._read(inputs, target, targets, additional_forward_args)
        return self._answer(request, under(self.rule))


@final
class GuidedBackprop(UnderRule):
    """The gradient without anything that speaks against the score at any rectifier: fine structures."""

    citation = "springenberg2015"
    rule = staticmethod(guided)


@final
class Deconvolution(UnderRule):
    """Projects the score back to the input through rectified signals, as in a deconvolutional network."""

    citation = "zeiler2014"
    rule = staticmethod(deconvolution)


def under(rule: Rule) -> Callable[[Question, Tensors, Tensors], Explained]:
    """The method that takes gradients under a rule."""
    return lambda question, xs, _: Explained(modified(question, xs, rule()))


@final
class NeuronGradient(NeuronAttribution, GradientAttribution):
    """How strongly a neuron reacts to a small change of each input value."""

    citation = "simonyan2014"

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
    ) -> Attributions:
        """d neuron / d input; shapes of the inputs."""
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args)
        return self._answer(request, lambda question, xs, _: Explained(saliency(question, xs, absolute=False)))


class NeuronUnderRule(NeuronAttribution, GradientAttribution):
    """A neuron's gradient under a rule."""

    rule: Rule

    def __init__(self, model: Model, layer: LayerLike, device_ids: list[int] | None = None) -> None:
        super().__init__(model, layer, device_ids)
        self.model = model

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
    ) -> Attributions:
        """The neuron's gradient under the rule; shapes of the inputs."""
        refuse_compiled(self.model)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        return self._answer(self._read(inputs, neuron, None, additional_forward_args), under(self.rule))


@final
class NeuronGuidedBackprop(NeuronUnderRule):
    """A neuron's gradient without anything that speaks against it at any rectifier."""

    citation = "springenberg2015"
    rule = staticmethod(guided)


@final
class NeuronDeconvolution(NeuronUnderRule):
    """Projects a neuron back to the input through rectified signals."""

    citation = "zeiler2014"
    rule = staticmethod(deconvolution)


@final
class LayerActivation(LayerAttribution):
    """What a layer computes."""

    citation = "erhan2009"
    differentiates = False
    _multiplies = True

    @layer_attribute
    def attribute(
        self, inputs: Inputs, additional_forward_args: object = None, attribute_to_layer_input: bool = False
    ) -> Attributions:
        """The layer's values."""
        request = self._read(inputs, extra=additional_forward_args)

        def values(question: Question, xs: Tensors, _: Tensors) -> Explained:
            return Explained(tuple(value[None] for value in question.values(xs)))

        return self._answer_at(self._site(attribute_to_layer_input), request, values)


@final
class LayerGradientXActivation(MultiplyingLayer):
    """Each value of a layer times the score's gradient: its share in a linear approximation of what follows."""

    citation = "shrikumar2016"
    differentiates = False

    def __init__(
        self,
        forward_func: Model,
        layer: LayerLike | Sequence[LayerLike],
        device_ids: list[int] | None = None,
        multiply_by_inputs: bool = True,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__(forward_func, layer, device_ids, multiply_by_inputs)
        self.memory_efficient = memory_efficient

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Value · d score / d value, or the gradient alone; shapes of the layer's values."""
        request = self._read(inputs, target, targets, additional_forward_args)

        def explain(question: Question, xs: Tensors, _: Tensors) -> Explained:
            with save_on_cpu() if self.memory_efficient else nullcontext():
                found = gradients(question, xs)
            if not self._multiplies:
                return Explained(found.slopes)
            return Explained(tuple(v * s for v, s in zip(found.values, found.slopes, strict=True)))

        return self._answer_at(self._site(attribute_to_layer_input), request, explain, grad_kwargs)
