"""What a perturbation method removes at once, and how its values spread over positions.

The engine gives each position the whole value of its group, or the mean of the windows that cover it. Here a value is
divided evenly over the positions that it stands for, so that any sum counts a group once: a word once, not once for
each number of its embedding; a patch once, not once for each pixel and channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod

import torch
from torch import Tensor

from app.data import regions
from app.data.features import BaseFeature
from app.schema import Argument, Unit


@dataclass(frozen=True, eq=False)
class Removal:
    """The engine's arguments, and for each input over how many positions each value spreads; None: over its own.

    groups: how many features are removed, each by itself.
    """

    arguments: dict[str, object]
    positions: list[Tensor] | None
    unit: Unit
    groups: int = 0

    def divided(self, attributions: Sequence[Tensor]) -> list[Tensor]:
        """Each value divided evenly over its positions."""
        if self.positions is None:
            return list(attributions)
        return [a / count.to(a) for a, count in zip(attributions, self.positions, strict=True)]

    def unit_of(self, place: int) -> Unit:
        """What a value of an image's map is the attribution of; one pixel through all channels is a pixel."""
        if self.positions is None:
            return self.unit
        count = self.positions[place]
        return self.unit if int(count.max()) > prod(count.shape[:-2]) else "pixel"


def removal(arguments: dict[str, Argument], features: Sequence[BaseFeature], inputs: tuple[Tensor, ...]) -> Removal:
    """Read the sizes that a person gave (None: chosen by the input's size) for inputs (1, …)."""
    rest: dict[str, object] = dict(arguments)
    ones = [x[0] for x in inputs]
    if "patch" in rest:
        patch = _size(rest.pop("patch"))
        groups = [feature.groups(x, patch) for feature, x in zip(features, ones, strict=True)]
        masks, sizes = _numbered(groups), [_sizes(group) for group in groups]
        return Removal(rest | {"feature_mask": masks}, sizes, "patch", int(masks[-1].max()) + 1)
    if "window" in rest:
        size, stride = _size(rest.pop("window")), _size(rest.pop("stride", None))
        windows = [feature.window(x, size) for feature, x in zip(features, ones, strict=True)]
        steps = [regions.strides(x, window, stride) for x, window in zip(ones, windows, strict=True)]
        covers = [_cover(*item) for item in zip(ones, windows, steps, strict=True)]
        return Removal(rest | {"sliding_window_shapes": tuple(windows), "strides": tuple(steps)}, covers, "window")
    if "n_masks" in rest:  # RISE: what a mask shows, it shows of all channels
        return Removal(rest, [torch.tensor(len(x)).expand(x.shape) for x in ones], "pixel")
    return Removal(rest, None, "pixel")


def _size(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _numbered(groups: list[Tensor]) -> tuple[Tensor, ...]:
    """Batches of one, numbered on from input to input."""
    masks, first = [], 0
    for group in groups:
        masks.append(group[None] + first)
        first += int(group.max()) + 1
    return tuple(masks)


def _sizes(group: Tensor) -> Tensor:
    """For each position the size of its group; dimensions that only repeat it, channels say, take no memory."""
    repeated = [dim for dim, stride in enumerate(group.stride()) if stride == 0]
    once = group.cpu()[tuple(slice(0, 1) if dim in repeated else slice(None) for dim in range(group.dim()))]
    sizes = torch.bincount(once.reshape(-1))[once] * prod(group.shape[dim] for dim in repeated)
    return sizes.expand(group.shape)


def _cover(x: Tensor, window: regions.Sides, step: regions.Sides) -> Tensor:
    """For each position the mean size of the windows that cover it; those at the edge are cut."""
    sizes = torch.ones([1] * x.dim(), dtype=torch.float64)
    for dim, (size, box, stride) in enumerate(zip(x.shape, window, step, strict=True)):
        first = torch.arange(ceil((size - box) / stride) + 1)[:, None] * stride
        inside = (torch.arange(size) >= first) & (torch.arange(size) < first + box)
        lengths = inside.sum(1, keepdim=True).double()
        mean = (inside * lengths).sum(0) / inside.sum(0)
        sizes = sizes * (box if box == size else mean.reshape([-1 if d == dim else 1 for d in range(x.dim())]))
    return sizes.expand(x.shape)
