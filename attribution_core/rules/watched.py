"""A question whose forward pass, but not whose backward pass, an interception sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from attribution_core.question.question import Question
from attribution_core.question.target import Output, Target
from attribution_core.rules.intercept import Interception


def watched(question: Question, rule: Interception) -> Question:
    """The same question; what the model and its targets compute passes through the rule."""

    def forward(*values: Any) -> Any:
        with rule.watching():
            outputs = question.forward(*values)
        rule.left(outputs)
        return outputs

    return replace(question, forward=forward, targets=tuple(_watched(target, rule) for target in question.targets))


@dataclass(frozen=True)
class _Watched(Target):
    target: Target
    rule: Interception

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """The same scores, seen by the rule."""
        with self.rule.watching():
            return self.target.scores(run, copies)

    def examples(self, start: int, stop: int) -> Target:
        """The same for a part of the examples."""
        return replace(self, target=self.target.examples(start, stop))


def _watched(target: Target, rule: Interception) -> Target:
    return target if isinstance(target, Output) else _Watched(target, rule)
