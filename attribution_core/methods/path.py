"""Methods that integrate gradients along a path."""

from __future__ import annotations

from functools import reduce

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.observe import warn
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.delta import change, measured_elsewhere, multiplied, total
from attribution_core.methods.paths import Quadrature, quadrature, straight
from attribution_core.question.question import Question, as_they_are
from attribution_core.types import Tensors

MOST_STEPS = 2048
"""Where doubling ends."""


def integrated_gradients(
    question: Question,
    inputs: Tensors,
    baselines: Tensors,
    rule: tuple[Tensor, Tensor],
    multiply_by_inputs: bool = True,
    rows: int | None = None,
) -> Tensors:
    """(x − b) · ∫ d score / d x along the straight line from b to x [sundararajan2017]."""
    means = _mean_slopes(question, inputs, baselines, rule, rows)
    return multiplied(means, inputs, baselines) if multiply_by_inputs else means


def to_tolerance(
    question: Question,
    inputs: Tensors,
    baselines: Tensors,
    method: Quadrature,
    steps: int,
    tolerance: float,
    multiply_by_inputs: bool = True,
    rows: int | None = None,
) -> tuple[Tensors, Tensor]:
    """Integrated gradients of ever twice as many steps, until the sum of an example's attributions misses the change
    of its score by at most that share of it; and what is missed, (B, targets)."""
    rise = change(question._replace(measured=as_they_are), baselines, inputs)
    slopes = _mean_slopes(question, inputs, baselines, quadrature(method, steps), rows)
    error = total(multiplied(slopes, inputs, baselines)) - rise
    rounding = 64 * torch.finfo(rise.dtype).eps
    while (open_ := error.abs() > tolerance * rise.abs() + rounding).any() and 2 * steps <= MOST_STEPS:
        steps *= 2
        finer = _mean_slopes(question, inputs, baselines, quadrature(method, steps), rows)
        slopes = tuple(torch.where(_at_rows(open_, f), f, s) for f, s in zip(finer, slopes, strict=True))
        error = total(multiplied(slopes, inputs, baselines)) - rise
    if open_.any():
        few = int(open_.any(1).sum())
        warn(f"IntegratedGradients: {few} examples miss the tolerance of {tolerance} after {steps} steps.")
    if measured_elsewhere(question, baselines, inputs):
        error = error + rise - change(question, baselines, inputs)
    return multiplied(slopes, inputs, baselines) if multiply_by_inputs else slopes, error


def _mean_slopes(
    question: Question, inputs: Tensors, baselines: Tensors, rule: tuple[Tensor, Tensor], rows: int | None
) -> Tensors:
    positions, weights = rule
    batch = len(inputs[0])

    def part(start: int, stop: int) -> Tensors:
        points = straight(inputs, baselines, positions[start:stop])
        slopes = question.repeated(stop - start).gradients(points).slopes
        return tuple(_weighted(s, weights[start:stop]) for s in slopes)

    parts = in_chunks(len(positions), part, batch, rows_that_fit(inputs, rows))
    return reduce(lambda one, other: tuple(map(Tensor.add_, one, other)), parts)


def _at_rows(chosen: Tensor, like: Tensor) -> Tensor:
    """Truths (B, targets) for values (targets, B, …)."""
    return chosen.T.reshape(*chosen.T.shape, *[1] * (like.dim() - 2))


def _weighted(slopes: Tensor, weights: Tensor) -> Tensor:
    """From slopes (targets, steps · B, …) to their weighted sums over the steps, (targets, B, …)."""
    steps = slopes.to(accumulator(slopes.dtype)).reshape(len(slopes), len(weights), -1, *slopes.shape[2:])
    mean: Tensor = torch.tensordot(weights.to(steps), steps, ([0], [1]))
    return mean
