"""Layer-wise relevance propagation."""

from __future__ import annotations

from dataclasses import replace

from attribution_core.methods.gradient import gradients
from attribution_core.methods.intercepted import constants, intercepted
from attribution_core.question.question import Gradients, Question
from attribution_core.rules.composites import Composite
from attribution_core.rules.relevance import relevance
from attribution_core.types import Tensors


def lrp(question: Question, inputs: Tensors, composite: Composite | None = None, verbose: bool = False) -> Gradients:
    """The relevance of the values at the site, starting from the score itself [bach2015]."""
    under = intercepted(question, lambda: relevance(question.forward, composite, verbose))
    return gradients(replace(under, extra=constants(question.extra)), inputs)
