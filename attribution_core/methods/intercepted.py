"""A question whose forward pass, but not whose backward pass, an interception sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.errors import AttributionError
from attribution_core.question.question import Question
from attribution_core.question.target import Output, Target
from attribution_core.rules.intercept import Interception

Opened = Callable[[], AbstractContextManager[Interception[Any]]]
"""An interception for one forward pass."""


def intercepted(question: Question, opened: Opened) -> Question:
    """The same question; what the model and its targets compute is answered by a rule."""
    return question._replace(targets=tuple([_Intercepted(target, opened) for target in question.targets]))


def of_inputs_alone(question: Question) -> Question:
    """The same question, its further arguments without a history: rules look for what depends on the inputs."""
    if not question.extra:
        return question
    detached = tree_map(lambda value: value.detach() if isinstance(value, Tensor) else value, question.extra)
    return question._replace(extra=tuple(detached))


@dataclass(frozen=True)
class _Intercepted(Target):
    target: Target
    opened: Opened

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """The same scores, with the gradient that the rule gives them; to select one of the outputs needs no rule."""
        if not isinstance(self.target, Output):
            with self.opened() as interception, _compiled_refused():
                return interception.finished(self.target.scores(run, copies))
        with self.opened() as interception, _compiled_refused():
            outputs = run()
        return interception.finished(self.target.scores(lambda: outputs, copies))

    def examples(self, start: int, stop: int) -> Target:
        """The same for a part of the examples."""
        return replace(self, target=self.target.examples(start, stop))


@contextmanager
def _compiled_refused() -> Iterator[None]:
    """Say what is the matter where torch cannot compile what the model computes, because we watch."""
    try:
        yield
    except RuntimeError as error:
        if type(error.__cause__ or error).__module__.startswith("torch._dynamo"):
            raise AttributionError(
                "torch.compile inside the model hides its operations from this method.",
                "Pass the model as it was before compiling.",
            ) from error
        raise
