"""What a method finds at a layer → what is drawn: over an input where the layer's positions lie there, by channel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from app.data.features import BaseFeature
from app.model.copies import Tensors
from app.model.layers import grid_of, is_text, positions
from app.numbers import Floats
from attribution_core.methods.layout import Context

STRONGEST = 16  # channels that are drawn each


@dataclass(frozen=True, eq=False)
class ChannelFinding:
    """A channel: its sum over positions, and its map (h, w) where the layer has a grid."""

    index: int
    total: float
    map: Floats | None


@dataclass(frozen=True, eq=False)
class LayerFinding:
    """Attribution of a layer's values.

    values: each tensor that it passes on, without the batch dimension. input: over which input its positions lie;
    drawn: their sums over channels, stretched to (H, W) of an image, or one for each token (T,).
    """

    name: str
    values: tuple[Tensor, ...]
    input: int | None
    drawn: Floats | None
    grid: list[int] | None
    channels: int
    strongest: list[ChannelFinding]

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        maps = [self.drawn, *(channel.map for channel in self.strongest)]
        return sum(v.nbytes for v in self.values) + sum(each.nbytes for each in maps if each is not None)


def layer_finding(
    name: str, found: Sequence[Tensor], context: Context, features: Sequence[BaseFeature]
) -> LayerFinding:
    """Read attributions of a layer's values, without batch dimension, with what is known of those."""
    values = tuple(value.float() for value in found)
    first, inputs = values[0], context.inputs
    maps = positions(first[None], context)
    grid = grid_of(maps, context)
    if maps is not None and grid is not None:
        image = next(place for place, x in enumerate(inputs) if x.dim() == 4)
        drawn = _stretched(maps.sum(1, keepdim=True), inputs[image])
        return LayerFinding(name, values, image, drawn, grid, maps.shape[1], _strongest(maps[0]))
    place, tokens = _tokens(maps[0].T if maps is not None and is_text(maps, context) else first, inputs, features)
    if tokens is not None:
        return LayerFinding(name, values, place, _array(tokens.sum(1)), None, tokens.shape[1], _strongest(tokens.T))
    channels = first if first.dim() else first[None]
    return LayerFinding(name, values, None, None, None, len(channels), _strongest(channels))


def _tokens(value: Tensor, inputs: Tensors, features: Sequence[BaseFeature]) -> tuple[int | None, Tensor | None]:
    """Values by token (T, C), and which input's tokens they are."""
    for place, (x, feature) in enumerate(zip(inputs, features, strict=True)):
        if feature.kind == "text" and x.dim() > 1:
            count = x.shape[1]
            if value.shape in ((count,), (1, count)):
                return place, value.reshape(count, 1)
            if value.dim() > 1 and len(value) == count:
                return place, value.flatten(1)
    return None, None


def _stretched(cam: Tensor, image: Tensor) -> Floats:
    """A map (1, 1, h, w) over the height and width of an image (1, C, H, W)."""
    size = (image.shape[2], image.shape[3])
    return _array(F.interpolate(cam, size, mode="bilinear", align_corners=False)[0, 0])


def _strongest(channels: Tensor) -> list[ChannelFinding]:
    """Of channels (C, positions…) those with the largest magnitudes, that first; of one alone none."""
    if len(channels) < 2:
        return []
    flat = channels.flatten(1) if channels.dim() > 1 else channels[:, None]
    order = torch.nan_to_num(flat.abs().sum(1)).argsort(descending=True, stable=True)[:STRONGEST]
    return [
        ChannelFinding(
            index=int(place),
            total=float(flat[place].sum()),
            map=_array(channels[place]) if channels.dim() == 3 else None,
        )
        for place in order
    ]


def _array(values: Tensor) -> Floats:
    return np.asarray(values.numpy(), dtype=np.float32)
