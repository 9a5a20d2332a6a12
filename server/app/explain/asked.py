"""A question of one example, ready for the engine: to be answered, or to be priced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from app.data.example import Example
from app.errors import InsightsError
from app.explain.jobs import KEPT
from app.explain.methods import Call
from app.explain.question import Question
from app.explain.removal import Removal, removal
from app.model.case import Case, Explained, Finding, Watcher
from app.model.copies import Tensors
from attribution_core.evaluation.observe import Passes

FLOAT = 4  # bytes
EXACT_UP_TO = 14  # features, of which all sets are looked at: 16,384 passes


@dataclass(frozen=True, eq=False)
class Asked:
    """A question with the example it is asked of, for the engine: to be answered, or to be priced.

    inputs: (1, …) as the model takes them, of which the case may hold embeddings.
    """

    question: Question
    case: Case
    inputs: Tensors
    removed: Removal
    target: Explained | None

    def answered(self, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Finding:
        """The engine's answer."""
        return self.case.explain(lambda *given: self._call(*given).made(), self.target, Watcher(progress, cancelled))

    def priced(self) -> Passes:
        """The passes of one answer; it is given once for each baseline."""
        small = self._smallest()
        baselines = small.case.baselines[0] if small.case.baselines else small.case.inputs
        return small._call(small.case.module, small.case.inputs, baselines, self.target, small.case.extra).priced()

    def _smallest(self) -> Asked:
        """A question of as many passes, of inputs as small as can be: large perturbed ones take long to make."""
        if self.removed.groups:
            x, mask = torch.zeros(1, self.removed.groups), torch.arange(self.removed.groups)[None]
            removed = replace(self.removed, arguments=self.removed.arguments | {"feature_mask": mask})
            return replace(self, case=replace(self.case, inputs=(x,), baselines=[(x,)]), removed=removed)
        if self.question.method.name == "RISE":
            x = torch.zeros([1] * self.case.inputs[0].dim())
            return replace(self, case=replace(self.case, inputs=(x,), baselines=[(x,)]))
        return self

    def _call(self, *given: Any) -> Call:
        """The engine's method with module, inputs, baselines, target and further arguments."""
        return self.question.method.ask(self.removed.arguments, self.question.site, *given)


def prepared(question: Question, example: Example) -> Asked:
    """The question for the engine."""
    subject, method = question.subject, question.method
    inputs = subject.prepare(example)
    case = subject.case(inputs, question.baseline if method.uses_baseline else None, embedded=method.of_inputs)
    _refuse_too_large(case.inputs)
    batch = tuple(x[None] for x in inputs.inputs)
    removed = removal(question.arguments, subject.features, case.inputs)
    if method.name == "ShapleyValues":
        _refuse_too_many(removed)
    return Asked(question, case, batch, removed, question.explained(batch))


def _refuse_too_many(removed: Removal) -> None:
    """Say before the model runs that all sets of features are too many."""
    if removed.groups > EXACT_UP_TO:
        raise InsightsError(
            f"exact Shapley values of {removed.groups:,} features need 2^{removed.groups} passes; "
            f"they are offered for up to {EXACT_UP_TO}",
            hint="make patches larger, or choose KernelShap, which estimates them",
        )


def _refuse_too_large(inputs: Sequence[Tensor]) -> None:
    """Say before the model runs what could not be kept, nor drawn."""
    numbers = sum(x.numel() for x in inputs)
    if numbers * FLOAT > KEPT:
        raise InsightsError(
            f"an input of {numbers:,} numbers is too large to be explained: the most is {KEPT // FLOAT:,}",
            hint="make it smaller by an input transform, as the model's training did",
        )
