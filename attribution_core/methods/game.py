"""The game of a model whose features can be removed: players are features, the value of a coalition is its score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question
from attribution_core.reading.masks import Groups
from attribution_core.types import Tensors


@dataclass(frozen=True)
class Game:
    """v(S): each example's score where features outside the coalition S are replaced by the baseline.

    A batch of B examples and several targets are as many games: B · targets columns, an example's side by side.

    A coalition is a row of booleans, one per feature. `rows` is the most rows that the caller asked for in one pass.
    """

    question: Question
    inputs: Tensors
    baselines: Tensors
    features: Groups
    rows: int | None = None

    @property
    def players(self) -> int:
        """Number of features."""
        return self.features.count

    def points(self, coalitions: Tensor) -> Tensors:
        """What the model sees of k coalitions: k stacked batches."""
        return tuple(
            torch.where(shown, x, b).expand(len(coalitions), *x.shape).flatten(0, 1)
            for shown, x, b in zip(self.features.shown(coalitions), self.inputs, self.baselines, strict=True)
        )

    def values(self, count: int, coalitions: Callable[[int, int], Tensor], *, reported: bool = True) -> Tensor:
        """v of coalitions 0…count, given slice by slice: (count, columns); one per target where the batch has one."""

        def part(start: int, stop: int) -> Tensor:
            points = self.points(coalitions(start, stop))
            return plain_scores(self.question.repeated(stop - start, disposable=True), points).reshape(stop - start, -1)

        fit = rows_that_fit(self.inputs, self.rows)
        result = torch.cat(list(in_chunks(count, part, len(self.inputs[0]), fit, reported=reported)))
        return result.to(accumulator(result.dtype))

    def each(self) -> list[Game]:
        """The games of single examples where each has its own features; else this one, of all examples at once."""
        return [self.of(row) for row in range(len(self.inputs[0]))] if self.features.per_example else [self]

    def of(self, row: int) -> Game:
        """The game of one example."""
        batch = len(self.inputs[0])

        def own(x: Tensor) -> Tensor:
            return x[row : row + 1] if len(x) == batch else x  # of an input with other rows all belong to the example

        return Game(
            self.question.examples(row, row + 1, batch),
            tuple(map(own, self.inputs)),
            tuple(map(own, self.baselines)),
            self.features.example(row) if self.features.per_example else self.features,
            self.rows,
        )
