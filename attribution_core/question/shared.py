"""One question of several targets, answered by one forward pass."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor

from attribution_core.errors import NotPerExample
from attribution_core.question.question import Gradients, Question, Reading, Tensors
from attribution_core.question.site import Inputs, Site
from attribution_core.question.target import Target


@dataclass(frozen=True)
class Together(Target):
    """The scores of several targets side by side, shape (rows, targets)."""

    targets: tuple[Target, ...]

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Run the model once and ask every target."""
        outputs = run()
        return torch.stack([target.scores(lambda: outputs, copies) for target in self.targets], 1)

    def examples(self, start: int, stop: int) -> Target:
        """The targets of these examples."""
        return Together(tuple(target.examples(start, stop) for target in self.targets))


@dataclass(frozen=True)
class Shared(Question):
    """To a method, a batch that holds all examples once for each target; the model sees every example once.

    Row r of a batch is target r // B and example r % B. `target` must be a Together.
    """

    def scores(self, inputs: Tensors) -> Tensor:
        """One score per row."""
        return self._target_first(self._one.scores(self._unique(inputs)))

    def values(self, inputs: Tensors) -> Tensors:
        """The tensors at the site, for all rows."""
        return inputs if isinstance(self.site, Inputs) else self._for_all(self._one.values(self._unique(inputs)))

    def read(self, inputs: Tensors) -> Reading:
        """Values and scores of all rows."""
        found = self._one.read(self._unique(inputs))
        return Reading(self._for_all(found.values), self._target_first(found.scores))

    def gradients(self, inputs: Tensors) -> Gradients:
        """Values, slopes and scores of all rows: one forward pass, a backward pass for each target."""
        return self._of_all(self._one.gradients(self._unique(inputs)))

    def gradients_also_at(
        self, site: Site, inputs: Tensors, there: Callable[[], AbstractContextManager[object]]
    ) -> tuple[Gradients, Gradients]:
        """The same at another site and at this one."""
        first, second = self._one.gradients_also_at(site, self._unique(inputs), there)
        return self._of_all(first), self._of_all(second)

    def lifted(self, inputs: Tensors) -> Question:
        """The same scores as functions of the site's values."""
        if isinstance(self.site, Inputs):
            return self
        lifted = self._one.lifted(self._unique(inputs))
        return replace(self, forward=lifted.forward, site=Inputs(), extra=lifted.extra, used={})

    @property
    def _one(self) -> Question:
        return Question(**{f.name: getattr(self, f.name) for f in fields(Question)})

    @property
    def _count(self) -> int:
        return len(self.target.targets) if isinstance(self.target, Together) else 1

    def _unique(self, inputs: Tensors) -> Tensors:
        return tuple(x.reshape(self.copies, self._count, -1, *x.shape[1:])[:, 0].flatten(0, 1) for x in inputs)

    def _target_first(self, found: Tensor) -> Tensor:
        """From (copies · B, targets, …) to (copies · targets · B, …)."""
        if len(found) % self.copies:
            raise NotPerExample(f"A layer's values have {len(found)} rows for {self.copies} batches.")
        return found.reshape(self.copies, -1, *found.shape[1:]).transpose(1, 2).flatten(0, 2)

    def _of_all(self, found: Gradients) -> Gradients:
        slopes = tuple(map(self._target_first, found.slopes))
        return Gradients(self._for_all(found.values), slopes, self._target_first(found.scores))

    def _for_all(self, values: Tensors) -> Tensors:
        return tuple(self._target_first(v[:, None].expand(-1, self._count, *v.shape[1:])) for v in values)
