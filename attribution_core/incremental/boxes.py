"""Boxes in space: where values are changed, which outputs depend on them, and which inputs these need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

Sizes = tuple[int, ...]
"""A number for each spatial dimension."""
Range = tuple[int, int]
"""The first position and the one after the last."""


class Boxes(NamedTuple):
    """Boxes of one size, each with its first position; of a map's values or of outputs."""

    starts: tuple[Sizes, ...]
    size: Sizes

    def ranges(self) -> list[list[Range]]:
        """Of each box, in each dimension."""
        return [[(first, first + n) for first, n in zip(start, self.size, strict=True)] for start in self.starts]

    def share(self, sizes: Sizes) -> float:
        """How much of a map one box covers."""
        return math.prod(self.size) / max(1, math.prod(sizes))


def covering(ranges: Sequence[Sequence[Range]], sizes: Sizes) -> Boxes:
    """The smallest boxes of one size inside of a map, each of which covers ranges."""
    columns = list(zip(*ranges, strict=True))
    size = tuple(
        min(whole, max(1, *(stop - first for first, stop in column)))
        for column, whole in zip(columns, sizes, strict=True)
    )
    starts = [
        tuple(max(0, min(first, whole - n)) for (first, _), whole, n in zip(row, sizes, size, strict=True))
        for row in ranges
    ]
    return Boxes(tuple(starts), size)


def union(boxes: Sequence[Boxes], sizes: Sizes) -> Boxes:
    """Boxes that cover, one by one, several of the same number."""
    if all(each == boxes[0] for each in boxes):
        return boxes[0]
    several = zip(*(each.ranges() for each in boxes), strict=True)
    return covering([[_hull(column) for column in zip(*ranges, strict=True)] for ranges in several], sizes)


def _hull(ranges: Sequence[Range]) -> Range:
    return min(first for first, _ in ranges), max(stop for _, stop in ranges)


def hidden_boxes(hidden: Tensor) -> Boxes:
    """Boxes around what is true of masks (k, channels, …)."""
    masks, sizes = hidden.numpy(), tuple(hidden.shape[2:])  # torch takes ten times as long to reduce booleans
    columns = []
    for dim, size in enumerate(sizes, 2):
        others = tuple(other for other in range(1, masks.ndim) if other != dim)
        inside = np.asarray(masks.any(axis=others))
        last = size - inside[:, ::-1].argmax(1)
        columns.append(list(zip(inside.argmax(1).tolist(), last.tolist(), strict=True)))
    return covering(list(zip(*columns, strict=True)), sizes)


class Slide(NamedTuple):
    """How a kernel slides over a map; a number for each spatial dimension. `ceil`: the last step may stick out."""

    kernel: Sizes
    stride: Sizes
    padding: Sizes
    dilation: Sizes
    ceil: bool = False

    @property
    def reach(self) -> Sizes:
        """Positions from the first to the last that one output depends on."""
        return tuple(d * (k - 1) + 1 for d, k in zip(self.dilation, self.kernel, strict=True))

    def outputs(self, sizes: Sizes) -> Sizes:
        """How many outputs there are, as torch counts them."""
        return tuple(map(self._count, sizes, self.reach, self.stride, self.padding))

    def _count(self, size: int, reach: int, stride: int, padding: int) -> int:
        left = size + 2 * padding - reach
        if not self.ceil:
            return left // stride + 1
        steps = -(-left // stride)
        return steps if steps * stride >= size + padding else steps + 1  # the last must start inside or before

    def after(self, sizes: Sizes) -> Sizes:
        """Positions that the last output needs beyond a map's end."""
        each = zip(self.outputs(sizes), self.stride, self.reach, self.padding, sizes, strict=True)
        return tuple(max(0, (count - 1) * stride + reach - pad - size) for count, stride, reach, pad, size in each)

    def touched(self, boxes: Boxes, sizes: Sizes) -> Boxes:
        """The outputs that depend on anything in boxes of a map of these sizes."""
        counts = self.outputs(sizes)

        def one(changed: Range, count: int, stride: int, padding: int, reach: int) -> Range:
            first = -(-(changed[0] + padding - reach + 1) // stride)
            stop = (changed[1] - 1 + padding) // stride + 1
            return max(0, min(first, count - 1)), max(1, min(stop, count))

        each = [map(one, ranges, counts, self.stride, self.padding, self.reach) for ranges in boxes.ranges()]
        return covering([list(ranges) for ranges in each], counts)

    def needed(self, boxes: Boxes) -> Boxes:
        """The positions of the padded map that outputs in boxes depend on."""
        starts = [tuple(first * step for first, step in zip(start, self.stride, strict=True)) for start in boxes.starts]
        each = zip(boxes.size, self.stride, self.reach, strict=True)
        return Boxes(tuple(starts), tuple((n - 1) * stride + reach for n, stride, reach in each))
