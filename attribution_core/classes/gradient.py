"""Gradients: of a score or a neuron, plain or under a rule, times the values or not; and the values themselves."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import final

from torch.autograd.graph import save_on_cpu

from attribution_core.classes.base import Attribution, GradientAttribution, OperationAttribution
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
from attribution_core.rules.intercept import Interception
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
        return self._answer(request, lambda question, xs, _: saliency(question, xs, abs))


class OneGradient(GradientAttribution):
    """One forward and one backward pass, without arguments of its own."""

    @abstractmethod
    def _explain(self, question: Question, xs: Tensors, baselines: Tensors) -> Tensors: ...

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        target: TargetLike = None,
        additional_forward_args: object = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Attributions shaped like the inputs."""
        return self._answer(self._read(inputs, target, targets, additional_forward_args), self._explain)


class OneNeuronGradient(NeuronAttribution, GradientAttribution):
    """The same of a neuron."""

    @abstractmethod
    def _explain(self, question: Question, xs: Tensors, baselines: Tensors) -> Tensors: ...

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        additional_forward_args: object = None,
        attribute_to_neuron_input: bool = False,
    ) -> Attributions:
        """Attributions shaped like the inputs."""
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        return self._answer(self._read(inputs, neuron, None, additional_forward_args), self._explain)


@final
class InputXGradient(OneGradient):
    """Each input value times the score's gradient: its share in a linear approximation of the model."""

    citation = "shrikumar2016"
    _multiplies = True

    def _explain(self, question: Question, xs: Tensors, _: Tensors) -> Tensors:
        return input_x_gradient(question, xs)


@final
class NeuronGradient(OneNeuronGradient):
    """How strongly a neuron reacts to a small change of each input value: d neuron / d input."""

    citation = "simonyan2014"

    def _explain(self, question: Question, xs: Tensors, _: Tensors) -> Tensors:
        return saliency(question, xs, absolute=False)


class UnderRule(Attribution):
    """The gradient under a rule."""

    rule: Rule

    def _explain(self, question: Question, xs: Tensors, _: Tensors) -> Tensors:
        return modified(question, xs, self.rule())


@final
class GuidedBackprop(UnderRule, OperationAttribution, OneGradient):
    """The gradient without anything that speaks against the score at any rectifier: fine structures."""

    citation = "springenberg2015"
    rule = staticmethod(guided)


@final
class Deconvolution(UnderRule, OperationAttribution, OneGradient):
    """Projects the score back to the input through rectified signals, as in a deconvolutional network."""

    citation = "zeiler2014"
    rule = staticmethod(deconvolution)


class NeuronUnderRule(UnderRule, OneNeuronGradient, OperationAttribution):
    """A neuron's gradient under a rule."""

    def __init__(self, model: Model, layer: LayerLike, device_ids: list[int] | None = None) -> None:
        NeuronAttribution.__init__(self, model, layer, device_ids)


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

        def values(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            return tuple(value[None] for value in question.values(xs))

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

        def explain(question: Question, xs: Tensors, _: Tensors) -> Tensors:
            with save_on_cpu() if self.memory_efficient else nullcontext():
                result = gradients(question, xs)
            if not self._multiplies:
                return result.slopes
            return tuple(v * s for v, s in zip(result.values, result.slopes, strict=True))

        return self._answer_at(self._site(attribute_to_layer_input), request, explain, grad_kwargs)
