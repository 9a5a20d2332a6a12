"""Attributions of every output, where no target chooses one."""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from typing import Literal

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.question.target import Output, Score, Target, as_tensor

Form = Literal["outputs first", "one row for each output"]


class Outputs:
    """The outputs of a batch, whose shape is learned from a run of the model."""

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self._parts: list[torch.Size] = []

    def looked_at(self, outputs: object) -> Tensor:
        """A target that notes the shape of the outputs of the batch, or of a slice of it."""
        found = as_tensor(outputs)
        self._parts.append(found.shape or torch.Size([1]))
        return found.new_zeros(1)

    def are_several(self, outputs: object) -> bool:
        """Whether the outputs of the batch are more than a number for each example, or one for all."""
        self.looked_at(outputs)
        return self.shape[0] not in (self.batch, 1) or math.prod(self.shape[1:]) != 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the outputs of the whole batch."""
        return (sum(part[0] for part in self._parts), *self._parts[0][1:])

    @property
    def of_rows(self) -> bool:
        """Whether there is a row of outputs for each example."""
        return self.shape[0] == self.batch

    def targets(self) -> tuple[Target, ...]:
        """A target for each number of an example's outputs, or of the whole batch."""
        if self.of_rows:
            return tuple(Output((index,)) for index in product(*map(range, self.shape[1:])))
        return tuple(Score(partial(_number, place)) for place in range(math.prod(self.shape)))

    def joined(self, answers: list[object], form: Form) -> object:
        """Answers of shape (rows, …) to all targets, side by side."""
        first = self.shape if form == "outputs first" else (math.prod(self.shape),)
        return tree_map(lambda *each: torch.stack(each, 1).reshape(*first, *each[0].shape[1:]), *answers)


def _number(place: int, outputs: object) -> Tensor:
    return as_tensor(outputs).reshape(-1)[place]
