"""Layer-wise relevance propagation."""

from __future__ import annotations

from functools import partial

from attribution_core.methods.gradient import gradients
from attribution_core.methods.intercepted import intercepted, of_inputs_alone
from attribution_core.question.question import Gradients, Question
from attribution_core.rules.composites import Composite
from attribution_core.rules.flow import moment
from attribution_core.rules.losses import Losses
from attribution_core.rules.relevance import relevance
from attribution_core.types import Tensors


def lrp(
    question: Question,
    inputs: Tensors,
    composite: Composite | None = None,
    verbose: bool = False,
    losses: Losses | None = None,
) -> Gradients:
    """The relevance of the values at the site, starting from the score itself [bach2015]; `losses` are told of it."""
    rule = partial(relevance, question.forward, composite, verbose, moment(), losses or Losses())
    return gradients(intercepted(of_inputs_alone(question), rule), inputs)
