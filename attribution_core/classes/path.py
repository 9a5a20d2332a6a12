"""Gradients along the way from a baseline to the input: of the inputs, of a neuron, and at a layer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Literal, final

from attribution_core.classes.base import Explained, Method, MultiplyingGradient
from attribution_core.classes.layer import LayerAttribution, MultiplyingLayer, each_layer, for_each_example
from attribution_core.classes.neuron import MultiplyingNeuron
from attribution_core.classes.signatures import (
    Attributions,
    Targets,
    input_attribute_with_delta,
    layer_attribute_with_delta,
    neuron_attribute,
)
from attribution_core.methods import integrated_gradients
from attribution_core.methods.delta import change, missed
from attribution_core.methods.path import to_tolerance
from attribution_core.methods.paths import Quadrature, quadrature
from attribution_core.question.question import Question, Reached
from attribution_core.question.site import Layers
from attribution_core.reading.arguments import as_rows, at_least
from attribution_core.types import Baselines, GradKwargs, Inputs, Selector, TargetLike, Tensors


@final
class IntegratedGradients(MultiplyingGradient):
    """Gradients summed along the way from a baseline to the input; attributions add up to the score's change."""

    citation = "sundararajan2017"
    complete = True

    @input_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_steps: int | Literal["auto"] = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        *,
        tolerance: float | None = None,
        targets: Targets | None = None,
    ) -> Attributions:
        """Attributions shaped like the inputs, and with `return_convergence_delta` the error of their sums, (B,).

        With `tolerance`, or `n_steps="auto"` (0.01), steps are doubled until that error is below this share of the
        score's change.
        """
        auto = isinstance(n_steps, str) and n_steps == "auto"
        first = 8 if auto else at_least("n_steps", n_steps, 1)
        share = 0.01 if auto and tolerance is None else tolerance
        rule, rows = quadrature(method, first), as_rows(internal_batch_size)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            if share is not None:
                attributions, error = to_tolerance(question, xs, bases, method, first, share, self._multiplies, rows)
                return Explained(attributions, error if return_convergence_delta else None)
            attributions = integrated_gradients(question, xs, bases, rule, self._multiplies, rows)
            rise = change(question, bases, xs) if return_convergence_delta else None
            return Explained(attributions, None if rise is None else missed(attributions, rise))

        return self._answer(request, explain)


@final
class NeuronIntegratedGradients(MultiplyingNeuron):
    """A neuron's gradients summed along the way from a baseline to the input: they add up to the neuron's change."""

    citation = "sundararajan2017"

    @neuron_attribute
    def attribute(
        self,
        inputs: Inputs,
        neuron_selector: Selector,
        baselines: Baselines = None,
        additional_forward_args: object = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        attribute_to_neuron_input: bool = False,
    ) -> Attributions:
        """Shapes of the inputs."""
        rule, rows = quadrature(method, at_least("n_steps", n_steps, 1)), as_rows(internal_batch_size)
        neuron = self._neuron(neuron_selector, attribute_to_neuron_input)
        request = self._read(inputs, neuron, None, additional_forward_args, baselines)

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Tensors:
            return integrated_gradients(question, xs, bases, rule, self._multiplies, rows)

        return self._answer(request, explain)


class PathAtLayer(LayerAttribution):
    """A method that adds up what happens at a layer on the way from a baseline to the input."""

    complete = True

    @abstractmethod
    def _steps(self, site: Layers, method: Quadrature, n_steps: int, rows: int | None, with_deltas: bool) -> Method:
        """The method that takes so many steps, in passes of so many rows."""

    @layer_attribute_with_delta
    def attribute(
        self,
        inputs: Inputs,
        baselines: Baselines = None,
        target: TargetLike = None,
        additional_forward_args: object = None,
        n_steps: int = 50,
        method: Quadrature = "gausslegendre",
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        attribute_to_layer_input: bool = False,
        grad_kwargs: GradKwargs = None,
        *,
        targets: Targets | None = None,
    ) -> Attributions:
        """Shapes of the layer's values, and with `return_convergence_delta` the error of their sums, (B,).

        Of LayerIntegratedGradients several layers move together, as the tables of an embedding must; if one feeds
        another, each moves by itself.
        """
        site = self._site(attribute_to_layer_input)
        steps = at_least("n_steps", n_steps, 1)
        explain = self._steps(site, method, steps, as_rows(internal_batch_size), return_convergence_delta)
        request = self._read(inputs, target, targets, additional_forward_args, baselines)
        return self._answer_at(site, request, explain, grad_kwargs)


@final
class LayerIntegratedGradients(PathAtLayer, MultiplyingLayer):
    """Gradients summed along the way of a layer's values from those on a baseline to those on the input."""

    citation = "sundararajan2017"
    differentiates = False

    def _steps(self, site: Layers, method: Quadrature, n_steps: int, rows: int | None, with_deltas: bool) -> Method:
        rule = quadrature(method, n_steps)

        def along(question: Question, xs: Tensors, starts: Tensors, ends: Tensors) -> tuple[Tensors, bool]:
            reached = Reached()
            lifted = question.lifted(xs)._replace(reached=reached)
            return integrated_gradients(lifted, ends, starts, rule, self._multiplies, rows), not reached.missed

        def explain(question: Question, xs: Tensors, bases: Tensors) -> Explained:
            starts, ends = (for_each_example(question.values(x), len(x[0])) for x in (bases, xs))
            attributions, together = along(question, xs, starts, ends)
            pairs = list(zip(each_layer(question, starts), each_layer(question, ends), strict=True))
            apart = not together and len(pairs) > 1
            if apart:
                each = [along(alone, xs, start, end)[0] for (_, alone, start), (_, _, end) in pairs]
                attributions = tuple(value for values in each for value in values)
            if not with_deltas:
                return Explained(attributions)
            rise = change(question, bases, xs)
            deltas = self._deltas(site, attributions, rise) if apart else missed(attributions, rise)
            return Explained(attributions, deltas)

        return explain
