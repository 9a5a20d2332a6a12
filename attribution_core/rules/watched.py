"""A question whose forward pass, but not whose backward pass, an interception sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from torch import Tensor

from attribution_core.question.question import Question
from attribution_core.question.shared import Together
from attribution_core.question.target import Output, Target
from attribution_core.rules.intercept import Interception

Asked = TypeVar("Asked", bound=Question)


def watched(question: Asked, rule: Interception) -> Asked:
    """The same question; what the model and its target compute passes through the rule."""

    def forward(*values: Any) -> Any:
        with rule.watching():
            outputs = question.forward(*values)
        rule.left(outputs)
        return outputs

    return replace(question, forward=forward, target=_watched(question.target, rule))


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
    if isinstance(target, Output):
        return target
    if isinstance(target, Together):
        return Together(tuple(_watched(each, rule) for each in target.targets))
    return _Watched(target, rule)
