"""Methods that need one gradient."""

from __future__ import annotations

from attribution_core.evaluation.chunks import in_one_chunk
from attribution_core.methods.intercepted import intercepted
from attribution_core.question.question import Gradients, Question
from attribution_core.question.site import Site
from attribution_core.rules.intercept import Interception
from attribution_core.rules.relu import Signals, guided
from attribution_core.types import Tensors


def gradients(question: Question, inputs: Tensors) -> Gradients:
    """One forward and one backward pass."""
    return in_one_chunk(lambda: question.gradients(inputs), inputs[0].shape[0])


def saliency(question: Question, inputs: Tensors, absolute: bool = True) -> Tensors:
    """|d score / d value|, (targets, B, …) [simonyan2014]."""
    slopes = gradients(question, inputs).slopes
    return tuple(s.abs() for s in slopes) if absolute else slopes


def input_x_gradient(question: Question, inputs: Tensors) -> Tensors:
    """value · d score / d value, (targets, B, …) [shrikumar2016]."""
    result = gradients(question, inputs)
    return tuple(v * s for v, s in zip(result.values, result.slopes, strict=True))


def with_guided(question: Question, site: Site, inputs: Tensors) -> tuple[Gradients, Tensors]:
    """The usual gradients at a site and the guided ones at the question's, from one forward pass."""
    rule = guided()

    def both() -> tuple[Gradients, Gradients]:
        return intercepted(question, lambda: rule).gradients_also_at(site, inputs, rule.state.pause)

    usual, fine = in_one_chunk(both, inputs[0].shape[0])
    return usual, fine.slopes


def modified(question: Question, inputs: Tensors, rule: Interception[Signals]) -> Tensors:
    """The gradient under a rule, as in guided backpropagation."""
    return gradients(intercepted(question, lambda: rule), inputs).slopes
