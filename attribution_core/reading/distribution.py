"""Arguments of sampling: how much noise, and which rows baselines are drawn from."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.reading.arguments import as_baseline, baseline_of_each
from attribution_core.reading.values import is_number, ragged, shown
from attribution_core.types import Tensors


def as_deviations(stdevs: object, xs: Tensors) -> tuple[float, ...]:
    """Read `stdevs`: one for each input, or one for all."""
    given = stdevs if isinstance(stdevs, (tuple, list)) else (stdevs,) * len(xs)
    if len(given) != len(xs) or not all(is_number(s) and 0 <= s < math.inf for s in given):
        raise AttributionError(
            f"stdevs={shown(stdevs)} for {len(xs)} inputs.", "Pass a number ≥ 0, or one for each input."
        )
    for place, (s, x) in enumerate(zip(given, xs, strict=True)):
        if s and not x.is_floating_point():
            raise AttributionError(
                f"inputs[{place}] is {x.dtype}; noise needs floating point.", "Use .float(), or stdevs of 0 for it."
            )
    return tuple(map(float, given))


def as_distribution(baselines: Any, xs: Tensors) -> Tensors:
    """Rows to draw baselines from, as many for each input: (K, …) of the inputs' dtypes."""
    if ragged(xs):
        raise AttributionError(
            f"inputs have {[len(x) for x in xs]} rows; a baseline is drawn for each row.", "Pass as many of each input."
        )
    each = baseline_of_each(baselines, xs)
    rows = tuple(
        b.detach().to(x)
        if isinstance(b, Tensor) and b.shape[1:] == x.shape[1:]
        else as_baseline(b, x[:1] if len(x) else x.new_empty(1, *x.shape[1:]), place)
        for place, (b, x) in enumerate(zip(each, xs, strict=True))
    )
    if not any(len(x) for x in xs):  # of no examples; rows made like them are none
        rows = tuple(row if len(row) else row.new_zeros(1, *row.shape[1:]) for row in rows)
    count = max(map(len, rows))
    if not count or any(len(row) not in (1, count) for row in rows):
        raise AttributionError(
            f"baselines have {[len(row) for row in rows]} rows.", "Dimension 0 of every baseline counts the same draws."
        )
    return tuple(row.expand(count, *row.shape[1:]) for row in rows)
