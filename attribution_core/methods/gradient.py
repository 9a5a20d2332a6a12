"""Methods that need one gradient."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from attribution_core.evaluate import once
from attribution_core.question import Gradients, Question, Tensors


def gradients(question: Question, inputs: Tensors, rule: AbstractContextManager[object] | None = None) -> Gradients:
    """One forward and one backward pass, the backward pass changed by a rule."""

    def both() -> Gradients:
        with rule or nullcontext():
            return question.gradients(inputs)

    return once(both, inputs[0].shape[0])


def saliency(question: Question, inputs: Tensors, absolute: bool = True) -> Tensors:
    """|d score / d value| [simonyan2014]."""
    slopes = gradients(question, inputs).slopes
    return tuple(s.abs() for s in slopes) if absolute else slopes


def input_x_gradient(question: Question, inputs: Tensors) -> Tensors:
    """value · d score / d value [shrikumar2016]."""
    found = gradients(question, inputs)
    return tuple(v * s for v, s in zip(found.values, found.slopes, strict=True))


def modified(question: Question, inputs: Tensors, rule: AbstractContextManager[object]) -> Tensors:
    """The gradient under a rule, as in guided backpropagation."""
    return gradients(question, inputs, rule).slopes
