"""Completeness: how far attributions miss the change of the score."""

from __future__ import annotations

import operator

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.completeness import check_sums
from attribution_core.question.question import Question
from attribution_core.types import Tensors


def plain_scores(question: Question, inputs: Tensors) -> Tensor:
    """Floating point scores (rows, targets), without gradients; integers in double precision, which holds them."""
    with torch.no_grad():
        scores = question.scores(inputs)
    return scores if scores.is_floating_point() else scores.double()


def change(question: Question, start: Tensors, end: Tensors) -> Tensor:
    """score(end) − score(start) of each example, shape (B, targets), both in one forward pass where they fit."""
    ends = start, end = question.measured(start, end)

    def part(first: int, last: int) -> Tensor:
        points = tuple(torch.cat(column) for column in zip(*ends[first:last], strict=True))
        with torch.no_grad():
            scores = question.repeated(last - first, disposable=True).scores(points)
        return scores.reshape(last - first, -1, len(question.targets))

    scores = torch.cat(list(in_chunks(2, part, len(start[0]), rows_that_fit(start, 2 * len(start[0])), reported=False)))
    return scores[1] - scores[0]


def measured_elsewhere(question: Question, start: Tensors, end: Tensors) -> bool:
    """Whether the change of the score is measured between other points, such as the ids of embeddings."""
    return not all(map(operator.is_, question.measured(start, end)[0], start))


def total(attributions: Tensors) -> Tensor:
    """The sum of each example's attributions (targets, B, …) over all inputs, shape (B, targets)."""
    sums = [_by_example(a).sum(2) for a in attributions]
    if len({s.shape[1] for s in sums}) > 1:
        raise AttributionError(
            f"Attributions have {[s.shape[1] for s in sums]} rows: they do not add up by example.",
            "Leave return_convergence_delta out, or pass as many rows of each input.",
        )
    return torch.stack(sums).sum(0).T


def missed(attributions: Tensors, change: Tensor) -> Tensor:
    """By how much the sums of attributions exceed the score's change, (B, targets); much is warned of."""
    sums = total(attributions)
    if attributions[0].dtype == sums.dtype:  # in half precision scores are too coarse
        check_sums(sums, change, lambda: total(tuple(map(Tensor.abs, attributions))))
    return sums - change


def multiplied(slopes: Tensors, inputs: Tensors, baselines: Tensors) -> Tensors:
    """slope · (x − b), (targets, B, …)."""
    return tuple([s * (x - b) for s, x, b in zip(slopes, inputs, baselines, strict=True)])


def _by_example(attributions: Tensor) -> Tensor:
    """All of an example's attributions side by side, (targets, B, n), as they are added up."""
    return attributions.to(accumulator(attributions.dtype)).unsqueeze(-1).flatten(2)
