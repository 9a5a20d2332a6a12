"""Features to remove: groups of positions, or windows that slide over the inputs.

Both number their features from 0 and answer two things: where features lie (`hidden`), and how scores of features
become attributions of positions (`spread`).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.reading.values import as_tensor, check_values, is_integer, ragged, shown
from attribution_core.types import Tensors

Box = tuple[int, ...]
"""A size for each dimension of an input, without the batch."""
WindowShapes = Box | tuple[Box, ...]
Strides = int | Box | tuple[int | Box, ...] | None


class Features(ABC):
    """Features of a tuple of inputs, each removed as one."""

    count: int

    @abstractmethod
    def hidden(self, start: int, stop: int) -> Tensors:
        """For each input a boolean tensor (stop − start, 1 or B, …): true where the feature lies."""

    @abstractmethod
    def spread(self, scores: Tensor) -> Tensors:
        """Attributions shaped like the inputs from one score per feature and example (count, B)."""


class Groups(Features):
    """Each position belongs to exactly one feature; equal numbers are one feature, also across inputs."""

    def __init__(self, inputs: Tensors, masks: Tensors | None) -> None:
        masks = _every_position(inputs) if masks is None else masks
        numbers, features = torch.unique(torch.cat([m.reshape(-1) for m in masks]), return_inverse=True)
        self.count = len(numbers)
        parts = features.split([m.numel() for m in masks])
        self.places = tuple(p.reshape(m.shape) for p, m in zip(parts, masks, strict=True))
        """For each input the feature of each position, (1 or B, …)."""

    @property
    def per_example(self) -> bool:
        """Whether examples differ in their features."""
        return any(len(p) > 1 for p in self.places)

    def of(self, row: int) -> Tensor:
        """The features that one example has, in order."""
        own: Tensor = torch.unique(torch.cat([p[row if len(p) > 1 else 0].reshape(-1) for p in self.places]))
        return own

    def example(self, row: int) -> Groups:
        """The features of one example."""
        return Groups(self.places, tuple(p[row : row + 1] if len(p) > 1 else p for p in self.places))

    def shown(self, coalitions: Tensor) -> Tensors:
        """For each input a boolean tensor (k, 1 or B, …): true where a feature of the coalition lies, (k, count)."""
        return tuple(coalitions.to(p.device)[:, p] for p in self.places)

    def gathered(self, values: Tensors) -> Tensor:
        """Sums over the positions of each feature, (count, B), of values shaped like the inputs; (count, 1) over all
        rows, where inputs differ in them."""
        if ragged(values):
            parts = zip(values, self.places, strict=True)
            every = torch.cat([p.expand_as(value).reshape(-1) for value, p in parts])
            flat = torch.cat([value.reshape(-1) for value in values])
            return flat.new_zeros(self.count).scatter_add_(0, every, flat)[:, None]
        total = torch.zeros(len(values[0]), self.count, dtype=values[0].dtype, device=values[0].device)
        for value, places in zip(values, self.places, strict=True):
            total.scatter_add_(1, places.expand_as(value).flatten(1), value.flatten(1))
        return total.T

    def hidden(self, start: int, stop: int) -> Tensors:
        """Positions of features start…stop."""
        return tuple(_column(torch.arange(start, stop, device=p.device), p.dim()) == p for p in self.places)

    def spread(self, scores: Tensor) -> Tensors:
        """Each position gets its feature's score."""
        return tuple(self._scattered(scores.to(p.device), p) for p in self.places)

    def _scattered(self, scores: Tensor, places: Tensor) -> Tensor:
        if len(places) == 1:
            return scores[places[0]].movedim(-1, 0)
        rows = _column(torch.arange(len(places), device=places.device), places.dim() - 1)
        return scores[places, rows]


class Windows(Features):
    """Boxes that slide over one input after the other; the last of a row may stick out and is clipped.

    A window is an interval in each dimension. `intervals` says, for each input and dimension, which positions lie in
    which interval (intervals, positions); a window's mask is their product.
    """

    def __init__(self, inputs: Tensors, boxes: tuple[Box, ...], steps: tuple[Box, ...]) -> None:
        self.sizes = [x.shape[1:] for x in inputs]
        self.intervals = [_intervals(x, box, step) for x, box, step in zip(inputs, boxes, steps, strict=True)]
        self.grids = [tuple(map(len, intervals)) for intervals in self.intervals]
        self.firsts = list(itertools.accumulate(map(math.prod, self.grids), initial=0))
        self.count = self.firsts[-1]
        self.device = inputs[0].device

    def hidden(self, start: int, stop: int) -> Tensors:
        """The windows start…stop, each in one input only."""
        return tuple(self._hidden(place, start, stop) for place in range(len(self.sizes)))

    def _hidden(self, place: int, start: int, stop: int) -> Tensor:
        first, last = self.firsts[place : place + 2]
        grid, sizes = self.grids[place], self.sizes[place]
        numbers = torch.arange(start, stop, device=self.device)
        of_this_input = (numbers >= first) & (numbers < last)
        mask = _column(of_this_input, 1 + len(sizes))
        # windows of other inputs get some corner here as well: their mask is false already
        corners = torch.unravel_index((numbers - first).clamp(0, last - first - 1), grid) if grid else ()
        for dim, corner in enumerate(corners):
            shape = [1] * len(sizes)
            shape[dim] = sizes[dim]
            mask = mask & self.intervals[place][dim][corner].reshape(-1, 1, *shape)
        return mask

    def spread(self, scores: Tensor) -> Tensors:
        """Each position gets the mean score of the windows that cover it."""
        parts = torch.split(scores, [math.prod(grid) for grid in self.grids])
        return tuple(self._mean(part, place) for place, part in enumerate(parts))

    def _mean(self, scores: Tensor, place: int) -> Tensor:
        """A mean over a product of intervals is a mean over one dimension after the other."""
        total = scores.T.reshape(-1, *self.grids[place])
        for interval in self.intervals[place]:
            inside = interval.to(scores)
            total = torch.tensordot(total, inside / inside.sum(0), ([1], [0]))
        return total


def _every_position(inputs: Tensors) -> Tensors:
    """Masks in which each position is a feature, numbered through all inputs."""
    firsts = itertools.accumulate((x.shape[1:].numel() for x in inputs), initial=0)
    return tuple(
        torch.arange(first, first + x.shape[1:].numel(), device=x.device).reshape(1, *x.shape[1:])
        for first, x in zip(firsts, inputs, strict=False)
    )


def _intervals(x: Tensor, box: Box, step: Box) -> list[Tensor]:
    """For each dimension, which positions lie in which interval: (intervals, positions), boolean."""
    intervals = []
    for size, width, stride in zip(x.shape[1:], box, step, strict=True):
        first = torch.arange(math.ceil((size - width) / stride) + 1, device=x.device)[:, None] * stride
        position = torch.arange(size, device=x.device)
        intervals.append((position >= first) & (position < first + width))
    return intervals


def _column(values: Tensor, trailing: int) -> Tensor:
    return values.reshape(-1, *[1] * trailing)


def as_groups(masks: Tensor | Sequence[Tensor] | None, inputs: Tensors) -> Groups:
    """Read `feature_mask`: integer tensors that broadcast to the inputs, numbers shared across inputs."""
    if masks is None:
        return Groups(inputs, None)
    each = (masks,) if len(inputs) == 1 and isinstance(masks, (Tensor, np.ndarray)) else masks
    if not isinstance(each, (tuple, list)) or len(each) != len(inputs):
        count = len(each) if isinstance(each, (tuple, list)) else 1
        raise AttributionError(f"feature_mask has {count} entries for {len(inputs)} inputs.", "Pass a tensor for each.")
    if ragged(inputs) and any(isinstance(m, (Tensor, np.ndarray)) and m.ndim and len(m) > 1 for m in each):
        raise AttributionError(
            f"feature_mask has rows for examples; inputs have {[len(x) for x in inputs]} rows.",
            "One row of each mask, mask[:1], serves all examples.",
        )
    return Groups(inputs, tuple(_as_mask(m, x, place) for place, (m, x) in enumerate(zip(each, inputs, strict=True))))


def _as_mask(mask: object, x: Tensor, place: int) -> Tensor:
    if isinstance(mask, np.ndarray):
        mask = as_tensor(f"feature_mask[{place}]", mask)
    if not isinstance(mask, Tensor):
        raise AttributionError(f"feature_mask[{place}] is {shown(mask)}, not a tensor.")
    check_values(f"feature_mask[{place}]", mask)
    if mask.is_complex() or (mask.is_floating_point() and not bool((mask == mask.round()).all())):
        raise AttributionError(f"feature_mask[{place}] has numbers that are not whole.", "Use an integer tensor.")
    rows = len(x) if mask.dim() == x.dim() and mask.shape[0] != 1 else 1
    try:
        return mask.to(x.device, torch.long).expand(rows, *x.shape[1:])
    except RuntimeError as error:
        raise AttributionError(
            f"feature_mask[{place}] has shape {tuple(mask.shape)}, its input {tuple(x.shape)}.",
            "It must broadcast to its input; one row serves all examples.",
        ) from error


def as_windows(shapes: WindowShapes, strides: Strides, inputs: Tensors) -> Windows:
    """Read `sliding_window_shapes` and `strides`, one box and step for each input."""
    single = len(inputs) == 1
    boxes = _for_each(shapes, inputs, single and not _nested(shapes), "sliding_window_shapes")
    strides = (1,) * len(inputs) if strides is None else strides
    bare = is_integer(strides) or (isinstance(strides, (tuple, list)) and len(strides) > 1 and not _nested(strides))
    steps = _for_each(strides, inputs, single and bare, "strides")
    pairs = [_box_and_step(x, b, s, place) for place, (x, b, s) in enumerate(zip(inputs, boxes, steps, strict=True))]
    return Windows(inputs, tuple(box for box, _ in pairs), tuple(step for _, step in pairs))


def _nested(value: object) -> bool:
    return isinstance(value, (tuple, list)) and len(value) > 0 and isinstance(value[0], (tuple, list))


def _for_each(value: object, inputs: Tensors, alone: bool, name: str) -> tuple[object, ...]:
    entries = (value,) if alone else value
    if not isinstance(entries, (tuple, list)) or len(entries) != len(inputs):
        raise AttributionError(f"{name}={shown(value)}: expected one entry for each of {len(inputs)} inputs.")
    return tuple(entries)


def _box_and_step(x: Tensor, box: object, step: object, place: int) -> tuple[Box, Box]:
    sizes = tuple(x.shape[1:])
    widths = _as_box("sliding_window_shapes", box, sizes, place)
    strides = _as_box("strides", (step,) * len(sizes) if is_integer(step) else step, sizes, place)
    for width, stride, size in zip(widths, strides, sizes, strict=True):
        if width > size:
            raise AttributionError(f"Window {widths} of input {place} is larger than the input, {sizes}.")
        if stride > width and width < size:
            raise AttributionError(
                f"Stride {strides} of input {place} steps over positions: the window is {widths}.",
                "Choose strides no larger than the window.",
            )
    return widths, strides


def _as_box(name: str, value: object, sizes: Box, place: int) -> Box:
    if isinstance(value, (tuple, list)) and len(value) == len(sizes) and all(is_integer(n) and n >= 1 for n in value):
        return tuple(map(int, value))
    raise AttributionError(
        f"{name} {shown(value)} for input {place}: expected {len(sizes)} integers ≥ 1, one per dimension of {sizes}."
    )
