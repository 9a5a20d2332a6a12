"""Layer-wise relevance propagation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.methods.gradient import gradients
from attribution_core.question.question import Gradients, Question
from attribution_core.question.target import Target
from attribution_core.rules.composites import Composite
from attribution_core.rules.intercept import replaced
from attribution_core.rules.relevance import Relevance
from attribution_core.types import Tensors


def lrp(question: Question, inputs: Tensors, composite: Composite | None = None, verbose: bool = False) -> Gradients:
    """The relevance of the values at the site, starting from the score itself [bach2015]."""
    targets = tuple(_Relevant(t, lambda: Relevance(question.forward, composite, verbose)) for t in question.targets)
    extra = tree_map(lambda value: value.detach() if isinstance(value, Tensor) else value, question.extra)
    return gradients(replace(question, targets=targets, extra=extra), inputs)


@dataclass(frozen=True)
class _Relevant(Target):
    """The same scores, whose backward pass carries relevance and begins with the scores themselves."""

    target: Target
    rules: Callable[[], Relevance]

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        with self.rules() as rules:
            scores = self.target.scores(run, copies)
        rules.check(scores)
        return replaced(lambda found: (found.clone(), lambda one: one * found), scores)

    def examples(self, start: int, stop: int) -> Target:
        return replace(self, target=self.target.examples(start, stop))
