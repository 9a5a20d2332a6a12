"""Attributions averaged over noise and over baselines."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.observe import nested
from attribution_core.evaluation.precision import accumulator
from attribution_core.methods.deeplift import compared
from attribution_core.methods.delta import change, total
from attribution_core.question.question import Question, check_rows, stacked
from attribution_core.types import Tensors

Kind = Literal["smoothgrad", "smoothgrad_sq", "vargrad"]


class Moments(NamedTuple):
    """Mean and sum of squared deviations of `number` values."""

    number: int
    mean: Tensor
    spread: Tensor

    @staticmethod
    def of(values: Tensor, spread: bool) -> Moments:
        """Of values (count, …), in float32 or better; the spread is 0 where nobody asks for it."""
        precise = values.to(accumulator(values.dtype))
        mean = precise.mean(0)
        return Moments(len(values), mean, (precise - mean).square_().sum(0) if spread else mean.new_zeros(()))

    def joined(self, other: Moments) -> Moments:
        """Of both sets of values [welford1962]."""
        number, apart = self.number + other.number, other.mean - self.mean
        mean = self.mean + apart * (other.number / number)
        return Moments(
            number, mean, self.spread + other.spread + apart.square() * (self.number * other.number / number)
        )

    def summary(self, kind: Kind) -> Tensor:
        """The mean, the mean square, or the variance."""
        if kind == "smoothgrad":
            return self.mean
        variance = self.spread / self.number
        return variance if kind == "vargrad" else variance + self.mean.square()


class Expected(NamedTuple):
    """Attributions (targets, B, …), and convergence deltas of each copy (count, B, targets), if there are deltas."""

    attributions: Tensors
    deltas: Tensor | None


def smoothed(
    explain: Callable[[Tensors, int, int], tuple[Tensors, Tensor | None]],
    inputs: Tensors,
    stdevs: tuple[float, ...],
    count: int,
    kind: Kind,
    draws: Draws,
    rows: int | None,
) -> Expected:
    """Mean, mean square or variance of attributions to noisy inputs [smilkov2017] [adebayo2018].

    `explain(points, start, stop)` attributes to the copies start…stop, stacked.
    """
    batch = len(inputs[0])

    def part(start: int, stop: int) -> tuple[tuple[Moments, ...], Tensor | None]:
        points = tuple(
            noisy(x, stdev, range(start, stop), draws, place * count)
            for place, (x, stdev) in enumerate(zip(inputs, stdevs, strict=True))
        )
        with nested(stacked=stop - start > 1):
            result, delta = explain(points, start, stop)
        each = (a.reshape(stop - start, -1, *a.shape[1:]) for a in result)
        moments = tuple(Moments.of(a, spread=kind != "smoothgrad") for a in each)
        return moments, None if delta is None else delta.reshape(stop - start, -1)

    total: tuple[Moments, ...] = ()
    deltas = []
    for moments, delta in in_chunks(count, part, batch, rows_that_fit(inputs, rows)):
        total = tuple(map(Moments.joined, total, moments)) if total else moments
        deltas += [] if delta is None else [delta]
    return Expected(tuple(m.summary(kind) for m in total), torch.cat(deltas) if deltas else None)


def noisy(x: Tensor, stdev: float, copies: range, draws: Draws, first: int = 0) -> Tensor:
    """Stacked copies of a tensor, each with normal noise of its own, the same for all examples."""
    if stdev == 0:
        return x.repeat(len(copies), *[1] * (x.dim() - 1))
    noise = torch.stack([draws.normal(first + copy, x[:1]) for copy in copies])
    return torch.add(x, noise, alpha=stdev).flatten(0, 1)


def gradient_shap(
    question: Question,
    inputs: Tensors,
    distribution: Tensors,
    count: int,
    stdevs: tuple[float, ...],
    draws: Draws,
    multiply_by_inputs: bool = True,
    with_deltas: bool = False,
) -> Expected:
    """Mean of (x − b) · d score / d x at random points between noisy inputs and random baselines [erion2021].

    Each copy draws one baseline, one point of the way and one noise for all examples, so that none depends on others.
    Points are spread evenly over the way: that of copy k lies in the k-th of `count` equal parts.
    """
    batch = len(inputs[0])
    chance = torch.rand(count, 2, generator=draws.at(0), device=draws.device)
    ways = (chance[:, 0] + torch.arange(count, device=draws.device)) / count

    def part(start: int, stop: int) -> tuple[Tensors, Tensor | None]:
        copies = range(start, stop)
        ends = tuple(
            noisy(x, stdev, copies, draws, (place + 1) * count)
            for place, (x, stdev) in enumerate(zip(inputs, stdevs, strict=True))
        )
        starts = tuple(chosen(b, chance[start:stop, 1], batch) for b in distribution)
        asked = question.repeated(stop - start)
        along = ways[start:stop].repeat_interleave(batch)
        points = tuple(_between(b, x, along) for b, x in zip(starts, ends, strict=True))
        slopes = asked.gradients(points).slopes
        values, before = asked.values(ends), asked.values(starts)
        check_rows(values, len(ends[0]))
        whole = tuple(_product(s, x, b) for s, x, b in zip(slopes, values, before, strict=True))
        result = whole if multiply_by_inputs else tuple(s.to(accumulator(s.dtype)) for s in slopes)
        sums = tuple(_over_copies(f, stop - start) for f in result)
        if not with_deltas:
            return sums, None
        return sums, _by_copy(total(whole) - change(asked, starts, ends), stop - start)

    return _expected(in_chunks(count, part, batch, rows_that_fit(inputs)), count)


def deeplift_shap(
    question: Question, inputs: Tensors, distribution: Tensors, combine: Callable[..., Tensors], eps: float = 1e-10
) -> Expected:
    """Mean of DeepLIFT's attributions over all baselines of a distribution [lundberg2017]."""
    batch, count = len(inputs[0]), len(distribution[0])

    def part(start: int, stop: int) -> tuple[Tensors, Tensor]:
        ends = tuple(stacked(x, batch, stop - start) for x in inputs)
        starts = tuple(b[start:stop].repeat_interleave(batch, 0) for b in distribution)
        result = compared(question.repeated(stop - start), ends, starts, eps)
        check_rows(result.values, len(ends[0]))
        each = tuple(
            a.to(accumulator(a.dtype)) for a in combine(result.multipliers, result.values, result.baseline_values)
        )
        deltas = total(each) - (result.scores - result.baseline_scores)
        return tuple(_over_copies(a, stop - start) for a in each), _by_copy(deltas, stop - start)

    return _expected(in_chunks(count, part, batch, rows_that_fit(inputs)), count)


def _over_copies(attributions: Tensor, copies: int) -> Tensor:
    """From (targets, copies · B, …) to their sums over the copies, (targets, B, …)."""
    return attributions.reshape(len(attributions), copies, -1, *attributions.shape[2:]).sum(1)


def _by_copy(deltas: Tensor, copies: int) -> Tensor:
    """From (copies · B, targets) to (copies, B, targets)."""
    return deltas.reshape(copies, -1, deltas.shape[1])


def _expected(parts: Iterable[tuple[Tensors, Tensor | None]], count: int) -> Expected:
    sums: Tensors = ()
    deltas = []
    for some, delta in parts:
        sums = tuple(map(Tensor.add_, sums, some)) if sums else some
        deltas += [] if delta is None else [delta]
    return Expected(tuple(s / count for s in sums), torch.cat(deltas) if deltas else None)


def chosen(rows: Tensor, chance: Tensor, batch: int) -> Tensor:
    """For each number in [0, 1) the row of a distribution that it stands for, as a batch."""
    return rows[(chance * len(rows)).long().clamp(max=len(rows) - 1)].repeat_interleave(batch, 0)


def _between(start: Tensor, end: Tensor, way: Tensor) -> Tensor:
    at = way.to(accumulator(end.dtype)).reshape(-1, *[1] * (end.dim() - 1))
    first = start.to(at.dtype)
    point: Tensor = torch.addcmul(first, at, end.to(at.dtype) - first)
    return point.to(end.dtype)


def _product(slope: Tensor, end: Tensor, start: Tensor) -> Tensor:
    precise = accumulator(slope.dtype)
    return slope.to(precise) * (end.to(precise) - start.to(precise))


def as_kind(kind: Kind) -> Kind:
    """Read `nt_type`."""
    if kind not in get_args(Kind):
        raise AttributionError(f"nt_type={kind!r}.", f"Choose one of {', '.join(get_args(Kind))}.")
    return kind
