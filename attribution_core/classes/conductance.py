"""What flows through a layer or a neuron on the way from a baseline to the input."""

from __future__ import annotations

from typing import final

from attribution_core.classes.base import Explained, GradientAttribution, Method
from attribution_core.classes.layer import LayerAttribution
from attribution_core.classes.neuron import MultiplyingNeuron
from attribution_core.classes.path import PathAtLayer
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute,
    layer_attribute,
)
from attribution_core.methods import integrated_gradients
from attribution_core.methods.conductance import Through, conductance, internal_influence
from attribution_core.methods.delta import change
from attribution_core.methods.paths import Quadrature, quadrature
from attribution_core.question.question import Question
from attribution_core.question.site import Layers
from attribution_core.reading.arguments import as_rows, at_least
from attribution_core.types import Baselines, GradKwargs, Inputs, Selector, TargetLike, Tensors


@final
class LayerConductance(PathAtLayer, GradientAttribution):
    """How much of the score's change flows through each value of a layer on the way from a baseline to the input."""

    citation = "dhamdhere2019"
    _multiplies = True

    def _steps(self, site: Layers, method: Quadrature, n_steps: int, rows: int | None, with_deltas: bool) -> Method:
        positions, _ = quadrature(method, n_steps + 1)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            attributions = conductance(question, xs, bases, positions, rows)
            rise = change(question, bases, xs) if with_deltas else None
            return Explained(attributions, None if rise is None else self._deltas(site, attributions, rise))

        return explain


@final
class InternalInfluence(LayerAttribution, GradientAttribution):
    """The score's gradient at a layer, averaged over the way from a baseline to the input."""

    citation = "leino2018"

    @layer_attribute
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """The mean gradient; shapes of the layer's values."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            return internal_influence(question, xs, bases, rule, rows)

        return self._answer_at(self._site(attribute_to_layer_input), request, explain, grad_kwargs)


@final
class NeuronConductance(MultiplyingNeuron):
    """How much of the score's change flows from each input value through a neuron."""

    citation = "dhamdhere2019"

    @input_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_steps: int = 50,
        method: Quadrature = "riemann_trapezoid",
        internal_batch_size: int | None = None,
        attribute_to_neuron_input: bool = False,
        grad_kwargs: GradKwargs = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the inputs; a function as selector is applied to the neurons' gradients as well."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            through = tuple(Through(target, neuron, question.grad_kwargs) for target in question.targets)
            outer = {"create_graph": bool(question.grad_kwargs.get("create_graph"))}
            flow = question._replace(targets=through, grad_kwargs=outer)
            return integrated_gradients(flow, xs, bases, rule, self._multiplies, rows)

        return self._answer(request, explain, grad_kwargs=grad_kwargs)
