"""Random soft masks."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question
from attribution_core.types import Tensors

STRETCHES = {1: "linear", 2: "bilinear", 3: "trilinear"}


def rise(
    question: Question, inputs: Tensors, baselines: Tensors, masks: int, grid: int, share: float, draws: Draws
) -> Tensors:
    """Mean score over the masks that show a position, weighted by how much they show of it [petsiuk2018].

    A mask is a grid of zeros and ones, ones with probability `share`, stretched over the input and shifted at random.
    """

    def part(start: int, stop: int) -> tuple[Tensors, Tensors]:
        shown = tuple(
            torch.stack(
                [_mask(x, grid, share, draws.at(2 * step + place * 2 * masks), draws) for step in range(start, stop)]
            )
            for place, x in enumerate(inputs)
        )
        points = tuple(map(_blended, inputs, baselines, shown))
        scores = plain_scores(question.repeated(stop - start, disposable=True), points)
        each = scores.to(accumulator(scores.dtype)).reshape(stop - start, -1)
        weighted = tuple(torch.tensordot(each.T, m.to(each)[:, 0], 1) for m in shown)
        return weighted, tuple(m.to(each)[:, 0].sum(0) for m in shown)

    parts = list(in_chunks(masks, part, len(inputs[0]), rows_that_fit(inputs)))
    weighted, seen = (tuple(sum(column) for column in zip(*each, strict=True)) for each in zip(*parts, strict=True))
    columns = zip(weighted, seen, inputs, strict=True)
    return tuple(_of_targets(w / s.clamp(min=1e-12), x, len(question.targets)) for w, s, x in columns)


def _of_targets(means: Tensor, x: Tensor, targets: int) -> Tensor:
    """From (B · targets, 1, …) to (targets, B, C, …)."""
    return means.expand(-1, *x.shape[1:]).reshape(-1, targets, *x.shape[1:]).transpose(0, 1)


def _mask(x: Tensor, grid: int, share: float, random: torch.Generator, draws: Draws) -> Tensor:
    """One mask for all examples and channels, (1, 1, …)."""
    sizes = x.shape[2:]
    cells = torch.rand(1, 1, *[grid] * len(sizes), generator=random, device=draws.device) < share
    steps = [-(-size // grid) for size in sizes]
    stretched = F.interpolate(
        cells.float(),
        [size + step for size, step in zip(sizes, steps, strict=True)],
        mode=STRETCHES[len(sizes)],
        align_corners=False,
    )
    for dim, (size, step) in enumerate(zip(sizes, steps, strict=True), 2):
        first = int(torch.randint(step, (), generator=random, device=draws.device))
        stretched = stretched.narrow(dim, first, size)
    return stretched


def _blended(x: Tensor, baseline: Tensor, shown: Tensor) -> Tensor:
    start = baseline.to(accumulator(x.dtype))
    mixed = start + shown.to(start) * (x.to(start.dtype) - start)
    return torch.where(shown > 0, mixed, start).to(x.dtype).flatten(0, 1)
