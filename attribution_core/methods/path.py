"""Methods that integrate gradients along a path."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from attribution_core.evaluate import over, rows_that_fit
from attribution_core.paths import straight, wide
from attribution_core.question import Question, Tensors


def integrated_gradients(
    question: Question,
    inputs: Tensors,
    baselines: Tensors,
    quadrature: tuple[Tensor, Tensor],
    multiply_by_inputs: bool = True,
    rows: int | None = None,
) -> Tensors:
    """(x − b) · ∫ d score / d x along the straight line from b to x [sundararajan2017]."""
    positions, weights = quadrature
    batch = len(inputs[0])

    def part(start: int, stop: int) -> Tensors:
        points = straight(inputs, baselines, positions[start:stop])
        slopes = question.repeated(stop - start).gradients(points).slopes
        return tuple(_weighted(s, weights[start:stop]) for s in slopes)

    parts = over(len(positions), part, batch, rows_that_fit(inputs, rows))
    means = reduce(lambda one, other: tuple(map(Tensor.add_, one, other)), parts)
    if not multiply_by_inputs:
        return means
    return tuple(m * (x - b) for m, x, b in zip(means, inputs, baselines, strict=True))


def _weighted(slopes: Tensor, weights: Tensor) -> Tensor:
    steps = slopes.to(wide(slopes.dtype)).reshape(len(weights), -1, *slopes.shape[1:])
    mean: Tensor = torch.tensordot(weights.to(steps), steps, 1)
    return mean
