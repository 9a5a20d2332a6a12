"""Whether attributions make up the change of the score, and how much of them cancels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from attribution_core.evaluation.observe import is_nested, warn
from attribution_core.types import Tensors

SHARE = 0.05
"""Attributions that miss the change of the score by more than this share of it do not add up."""

NEGLIGIBLE = 1e-6
"""A difference of scores that float32 cannot be trusted with."""

CANCELLING = 1 / SHARE
"""From this ratio of magnitudes to sum on, errors too small to be doubted are as large as the whole change."""


@dataclass(frozen=True)
class Completeness:
    """What an example's attributions sum to, `absolute` in magnitude, and the change of its score; (B,) each."""

    total: Tensor
    absolute: Tensor
    change: Tensor

    @property
    def delta(self) -> Tensor:
        """By how much the sum exceeds the change, (B,)."""
        return self.total - self.change

    @property
    def adds_up(self) -> Tensor:
        """Whether the sum misses the change by no more than a twentieth of it, but for rounding, (B,)."""
        rounding = 64 * torch.finfo(self.total.dtype).eps * self.absolute
        return self.delta.abs() <= SHARE * self.change.abs() + NEGLIGIBLE + rounding

    @property
    def cancellation(self) -> Tensor:
        """Σ|a| / |Σa|, at least 1: how much larger attributions of both signs are than what is left of them, (B,).

        Infinite where they sum to nothing, 1 where all of them are 0.
        """
        return torch.where(self.absolute == 0, 1, self.absolute / self.total.abs())

    @property
    def cancels(self) -> Tensor:
        """Whether so much cancels that a negligible share of it is as large as the sum, (B,)."""
        return (self.absolute > 0) & (self.absolute >= CANCELLING * self.total.abs())


def completeness(attributions: Tensor | Tensors | dict[str, Tensor], change: Tensor | float) -> Completeness:
    """How attributions (B, …) of one input or several relate to the change of the score, (B,).

    The change is score(inputs) − score(baselines), or attributions summed − convergence delta.
    """
    parts = attributions.values() if isinstance(attributions, dict) else attributions
    each = [parts] if isinstance(parts, Tensor) else list(parts)
    rows = torch.cat([part.detach().double().reshape(len(part), -1) for part in each], 1)
    return Completeness(rows.sum(1), rows.abs().sum(1), torch.as_tensor(change, dtype=rows.dtype).to(rows.device))


def check_sums(total: Tensor, change: Tensor, absolute: Callable[[], Tensor]) -> None:
    """Warn where attributions do not add up; (B, targets) each, the magnitudes only asked for where in doubt."""
    if is_nested() or not total.numel() or total.is_meta:
        return
    if float(((total - change).abs() - SHARE * change.abs()).max()) <= NEGLIGIBLE:
        return
    found = Completeness(total, absolute(), change)
    wrong = ~found.adds_up & change.isfinite()
    if wrong.any():
        most, rows = float(found.delta.abs()[wrong].max()), int(wrong.any(1).sum())
        warn(
            f"The attributions{_of(rows, len(wrong))} {MISSING} by up to {most:.2g}, more than {SHARE:.0%} of it. "
            "Take more steps, or another method."
        )


def check_values(attributions: Tensors) -> None:
    """Warn of attributions (targets, B, …) that are not finite, and of examples whose attributions are all zero."""
    if is_nested() or not attributions or not all(value.numel() and not value.is_meta for value in attributions):
        return
    largest = [value.detach().abs() for value in attributions]
    largest = [value.amax(tuple(range(2, value.dim()))) if value.dim() > 2 else value for value in largest]
    if len({value.shape for value in largest}) > 1:
        return  # layers with other rows than the examples
    each = largest[0] if len(largest) == 1 else torch.stack(largest).amax(0)
    if all(0 < value < math.inf for value in each.flatten().tolist()):
        return
    for found, told in ((each == 0, NOTHING), (~each.isfinite(), BROKEN)):
        rows = int(found.any(0).sum())
        if rows:
            warn(f"The attributions{_of(rows, found.shape[1])} {told}")


def _of(rows: int, count: int) -> str:
    return f" of {rows} of {count} examples" if count > 1 else ""


MISSING = "miss the change of the score"
"""What is said where attributions do not add up."""

NOTHING = "are all zero: the score does not react to them, is saturated, or they are their own baselines."
BROKEN = "are not all finite: look for NaN and infinity in the inputs and in what the model computes."
