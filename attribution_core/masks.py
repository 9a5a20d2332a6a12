"""Features to remove: groups of positions, or windows that slide over the inputs.

Both number their features 0…count and answer two things: where features lie (`hidden`), and how scores per feature
become attributions per position (`spread`).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from attribution_core.errors import AttributionError

Tensors = tuple[Tensor, ...]


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
        numbers = _own_numbers(inputs) if masks is None else masks
        found, order = torch.unique(torch.cat([m.reshape(-1) for m in numbers]), return_inverse=True)
        self.count = len(found)
        parts = order.split([m.numel() for m in numbers])
        self.places = tuple(p.reshape(m.shape) for p, m in zip(parts, numbers, strict=True))

    def hidden(self, start: int, stop: int) -> Tensors:
        """Positions of features start…stop."""
        return tuple(_column(torch.arange(start, stop, device=p.device), p.dim()) == p for p in self.places)

    def spread(self, scores: Tensor) -> Tensors:
        """Each position gets its feature's score."""
        return tuple(self._scattered(scores.to(p.device), p) for p in self.places)

    def _scattered(self, scores: Tensor, places: Tensor) -> Tensor:
        if len(places) == 1:
            return scores[places[0]].movedim(-1, 0)
        examples = _column(torch.arange(len(places), device=places.device), places.dim() - 1)
        return scores[places, examples]


class Windows(Features):
    """Boxes that slide over one input after the other; the last of a row may stick out and is clipped."""

    def __init__(self, inputs: Tensors, boxes: tuple[tuple[int, ...], ...], steps: tuple[tuple[int, ...], ...]) -> None:
        self.inputs = inputs
        self.corners = [_corners(x, box, step) for x, box, step in zip(inputs, boxes, steps, strict=True)]
        self.boxes = boxes
        self.firsts = list(itertools.accumulate((len(c) for c in self.corners), initial=0))
        self.count = self.firsts[-1]

    def hidden(self, start: int, stop: int) -> Tensors:
        """The windows start…stop, each in one input only."""
        return tuple(self._hidden(place, start, stop) for place in range(len(self.inputs)))

    def _hidden(self, place: int, start: int, stop: int) -> Tensor:
        x, first = self.inputs[place], self.firsts[place]
        mask = torch.zeros((stop - start, 1, *x.shape[1:]), dtype=torch.bool, device=x.device)
        for row in range(max(start, first), min(stop, self.firsts[place + 1])):
            corner = self.corners[place][row - first]
            box = tuple(slice(c, c + b) for c, b in zip(corner, self.boxes[place], strict=True))
            mask[(row - start, 0, *box)] = True
        return mask

    def spread(self, scores: Tensor) -> Tensors:
        """Each position gets the mean score of the windows that cover it."""
        return tuple(self._mean(scores, place) for place in range(len(self.inputs)))

    def _mean(self, scores: Tensor, place: int) -> Tensor:
        x = self.inputs[place]
        total = torch.zeros((scores.shape[1], *x.shape[1:]), dtype=scores.dtype, device=x.device)
        covered = torch.zeros(x.shape[1:], dtype=scores.dtype, device=x.device)
        first = self.firsts[place]
        for row, corner in enumerate(self.corners[place]):
            box = tuple(slice(c, c + b) for c, b in zip(corner, self.boxes[place], strict=True))
            total[(slice(None), *box)] += _column(scores[first + row], x.dim() - 1)
            covered[box] += 1
        return total / covered


def _own_numbers(inputs: Tensors) -> Tensors:
    firsts = itertools.accumulate((x[0].numel() if len(x) else 0 for x in inputs), initial=0)
    return tuple(
        torch.arange(first, first + x[:1].numel(), device=x.device).reshape(1, *x.shape[1:])
        for first, x in zip(firsts, inputs, strict=False)
    )


def _corners(x: Tensor, box: tuple[int, ...], step: tuple[int, ...]) -> list[tuple[int, ...]]:
    counts = [math.ceil((n - b) / s) + 1 for n, b, s in zip(x.shape[1:], box, step, strict=True)]
    return [
        tuple(i * s for i, s in zip(place, step, strict=True)) for place in itertools.product(*map(range, counts))
    ]


def _column(values: Tensor, trailing: int) -> Tensor:
    return values.reshape(-1, *[1] * trailing)


def as_groups(masks: Any, inputs: Tensors, single: bool) -> Groups:
    """Read `feature_mask`: integer tensors that broadcast to the inputs, numbers shared across inputs."""
    if masks is None:
        return Groups(inputs, None)
    given = (masks,) if single and isinstance(masks, Tensor) else masks
    if not isinstance(given, (tuple, list)) or len(given) != len(inputs):
        count = len(given) if isinstance(given, (tuple, list)) else 1
        raise AttributionError(f"feature_mask has {count} entries for {len(inputs)} inputs.", "Pass a tensor for each.")
    return Groups(inputs, tuple(_as_mask(m, x, place) for place, (m, x) in enumerate(zip(given, inputs, strict=True))))


def _as_mask(mask: Any, x: Tensor, place: int) -> Tensor:
    if not isinstance(mask, Tensor):
        raise AttributionError(f"feature_mask[{place}] is a {type(mask).__name__}, not a tensor.")
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


def as_windows(shapes: Any, strides: Any, inputs: Tensors, single: bool) -> Windows:
    """Read `sliding_window_shapes` and `strides`, one box and step for each input."""
    boxes = _for_each(shapes, inputs, single and not _nested(shapes), "sliding_window_shapes")
    if strides is None or (single and not _nested(strides)):
        steps: tuple[Any, ...] = (1 if strides is None else strides,) * len(inputs)
    else:
        steps = _for_each(strides, inputs, False, "strides")
    pairs = [_box_and_step(x, b, s, place) for place, (x, b, s) in enumerate(zip(inputs, boxes, steps, strict=True))]
    return Windows(inputs, tuple(box for box, _ in pairs), tuple(step for _, step in pairs))


def _nested(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and len(value) > 0 and isinstance(value[0], (tuple, list))


def _for_each(value: Any, inputs: Tensors, alone: bool, name: str) -> tuple[Any, ...]:
    entries = (value,) if alone else value
    if not isinstance(entries, (tuple, list)) or len(entries) != len(inputs):
        raise AttributionError(f"{name}={value!r}: expected one entry for each of {len(inputs)} inputs.")
    return tuple(entries)


def _box_and_step(x: Tensor, box: Any, step: Any, place: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    sizes = tuple(x.shape[1:])
    steps = (step,) * len(sizes) if isinstance(step, int) else step
    for name, value in (("sliding_window_shapes", box), ("strides", steps)):
        whole = isinstance(value, (tuple, list)) and all(isinstance(n, int) and n >= 1 for n in value)
        if not whole or len(value) != len(sizes):
            raise AttributionError(
                f"{name} {value!r} for input {place}: expected {len(sizes)} integers ≥ 1, one per dimension of {sizes}."
            )
    for b, s, n in zip(box, steps, sizes, strict=True):
        if b > n:
            raise AttributionError(f"Window {tuple(box)} of input {place} is larger than the input, {sizes}.")
        if s > b and b < n:
            raise AttributionError(
                f"Stride {tuple(steps)} of input {place} steps over positions: the window is {tuple(box)}.",
                "Choose strides no larger than the window.",
            )
    return tuple(box), tuple(steps)
