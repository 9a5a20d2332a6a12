"""Where the maps are in a layer's values: channels first or last, or tokens that lie on a grid.

Nothing is guessed: the layer's modules and the shapes must leave one layout only, or the caller names it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from torch import Tensor, nn

from attribution_core.errors import AttributionError
from attribution_core.question.joins import Patches
from attribution_core.question.site import Layer
from attribution_core.reading.arguments import is_ids
from attribution_core.types import Tensors

LAYOUTS = {
    "channels_first": "(B, channels, …)",
    "channels_last": "(B, …, channels)",
    "tokens": "(B, tokens, channels)",
    "tokens_first": "(tokens, B, channels)",
}
"""What a caller may call the layout of a layer's values, and their shape in it."""

EXTRA_TOKENS = (0, 1, 2, 5)
"""How many tokens may stand before those of the patches: none, class, class and distillation, class and registers."""

Size = tuple[int, int]
"""Height and width of an image."""


class Context(NamedTuple):
    """What is known of a layer's values: the inputs, the layer, what the caller says, and where patches are."""

    inputs: Tensors
    layer: Layer
    layout: str | None = None
    patches: Mapping[int, Patches] = MappingProxyType({})

    @property
    def image(self) -> Size | None:
        """The size of the first image among the inputs."""
        return next(((x.shape[2], x.shape[3]) for x in self.inputs if x.dim() == 4), None)

    @property
    def lengths(self) -> set[int]:
        """How many token ids an example has."""
        return {x.shape[1] for x in self.inputs if x.dim() == 2 and is_ids(x)}


def check_layout(layout: str | None) -> None:
    """Refuse a name that is none of `LAYOUTS`."""
    if layout is not None and layout not in LAYOUTS:
        known = ", ".join(f"{name!r} {shape}" for name, shape in LAYOUTS.items())
        raise AttributionError(f"layout={layout!r} is unknown.", f"Choose one of {known}, or None.")


def is_sequence(value: Tensor, context: Context) -> bool:
    """Whether a layer's values may be tokens of an image, whose places among others are then worth knowing."""
    return value.dim() == 3 and context.image is not None and context.layout != "channels_first"


def as_maps(value: Tensor, context: Context) -> Tensor:
    """A layer's values as maps (B, C, …); tokens of an image on their grid, without those that are no patches."""
    layout = context.layout or _proven(value, context)
    if layout == "channels_first":
        return value
    if layout == "channels_last":
        return value.movedim(-1, 1)
    if value.dim() != 3:
        raise AttributionError(
            f"layout={layout!r} is for values {LAYOUTS[layout]}; the layer's have the shape {tuple(value.shape)}."
        )
    tokens = value.transpose(0, 1) if layout == "tokens_first" else value
    if context.image is None:
        return tokens.transpose(1, 2)
    return on_grid(tokens, context.image, context.patches.get(tokens.shape[1]))


def _proven(value: Tensor, context: Context) -> str:
    """The only layout that the values can have."""
    if value.dim() == 4 and context.image is not None:
        possible = _of_maps(value, context.image)
    elif value.dim() == 3 and (context.image is not None or context.lengths):
        possible = _of_sequences(value, context)
    else:
        return "channels_first"
    made = _made_by(context.layer, value)
    left = [layout for layout in possible if layout in made] or possible
    if len(left) == 1:
        return left[0]
    raise AttributionError(
        f"The layer's values of shape {tuple(value.shape)} can be read as {' or as '.join(map(_described, left))}."
        if left
        else f"The layer's values of shape {tuple(value.shape)} are no maps, and no tokens, of inputs "
        f"{[tuple(x.shape) for x in context.inputs]}.",
        f"Say which by layout=, one of {', '.join(LAYOUTS)}, or choose another layer.",
    )


def _described(layout: str) -> str:
    return f"{layout!r} {LAYOUTS[layout]}"


def _of_maps(value: Tensor, image: Size) -> list[str]:
    """Maps (B, C, h, w) or (B, h, w, C) of an image: channels come first unless those that come last fit it."""
    (height, width), (a, b, c) = image, value.shape[1:]
    first, last = b * width == c * height, a * width == b * height and height % a == 0
    if not last:
        return ["channels_first"]
    return ["channels_last"] if not first and (b > height or c > width) else ["channels_first", "channels_last"]


def _of_sequences(value: Tensor, context: Context) -> list[str]:
    """Tokens of an image or of a text, or maps (B, C, positions) of either."""
    batch, (a, b, c) = len(context.inputs[0]), value.shape
    possible = ["tokens"] if a == batch and _fits(b, context) else []
    possible += ["tokens_first"] if b == batch and _fits(a, context) else []
    if b in context.patches:
        positions = False  # the model has joined so many tokens
    else:
        positions = _fits(c, context) if context.image is not None else b not in context.lengths or c <= b
    return possible + (["channels_first"] if a == batch and positions else [])


def _fits(count: int, context: Context) -> bool:
    """Whether there can be so many tokens."""
    if context.image is None:
        return count in context.lengths
    return _grid(count, context.image, context.patches.get(count)) is not None


MAKING = {
    3: (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.InstanceNorm1d),
    4: (nn.Conv2d, nn.ConvTranspose2d, nn.BatchNorm2d, nn.InstanceNorm2d),
}
POOLS = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d, nn.Upsample, nn.Dropout2d)


def _made_by(layer: Layer, value: Tensor) -> tuple[str, ...]:
    """The layouts that speak for themselves: of modules inside the layer with as many channels as the values have."""
    modules = list(layer.module.modules())
    side = "in" if layer.of_input else "out"
    maps = {
        getattr(m, "num_features", None) or getattr(m, f"{side}_channels", None)
        for m in modules
        if isinstance(m, MAKING.get(value.dim(), ()))
    }
    rows = {m.normalized_shape[-1] for m in modules if isinstance(m, (nn.LayerNorm, nn.RMSNorm))}
    rows |= {getattr(m, f"{side}_features") for m in modules if isinstance(m, nn.Linear)}
    rows |= {m.embedding_dim for m in modules if isinstance(m, (nn.Embedding, nn.EmbeddingBag))}
    first = value.shape[1] in maps or isinstance(layer.module, POOLS)
    last = value.shape[-1] in rows
    orders = {m.batch_first for m in modules if isinstance(m, nn.MultiheadAttention)}
    if first == last:
        return ()
    if first:
        return ("channels_first",)
    tokens = {True: "tokens", False: "tokens_first"}
    return ("channels_last", tokens[orders.pop()]) if len(orders) == 1 else ("channels_last", *tokens.values())


def on_grid(tokens: Tensor, size: Size, patches: Patches | None = None) -> Tensor:
    """Tokens (B, k + h·w, C) of an image of `size` (H, W) as (B, C, h, w); those that are no patches are dropped.

    `patches` are the first of the patches and their number, where known; without it, other tokens come first.
    """
    grid = _grid(tokens.shape[1], size, patches)
    if grid is None:
        raise AttributionError(
            f"Values of shape {tuple(tokens.shape)} are no grid of patches of an image of {size[0]}×{size[1]}.",
            "Choose a layer that passes on (B, class token + patches, channels) or (B, channels, height, width), or "
            "say by layout= where the channels are.",
        )
    start, height, width = grid
    kept = tokens[:, start : start + height * width]
    return kept.transpose(1, 2).reshape(len(tokens), -1, height, width)


def _grid(count: int, size: Size, patches: Patches | None) -> tuple[int, int, int] | None:
    """The first patch, and height and width of the grid of patches; None where they fit no grid of the image."""
    known = [patches] if patches is not None else [(extra, count - extra) for extra in EXTRA_TOKENS]
    for start, number in known:
        height = math.isqrt(max(0, number) * size[0] // size[1])
        fits = height > 1 and size[0] % height == 0 and (size[1] * height) % size[0] == 0
        if fits and height * (width := size[1] * height // size[0]) == number and size[1] % width == 0:
            return start, height, width
    return None
