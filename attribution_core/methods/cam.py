"""Class activation maps: a layer's maps, weighted and added up to one."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.precision import accumulator
from attribution_core.question.question import Question
from attribution_core.reading.arguments import is_ids
from attribution_core.types import Tensors

EXTRA_TOKENS = (0, 1, 2, 5)
"""How many tokens may stand before those of the patches: none, class, class and distillation, class and registers."""


def grad_cam(value: Tensor, slope: Tensor, summed: bool = True) -> Tensor:
    """Σ_c w_c A_c with w_c the mean gradient of map c [selvaraju2017]; (B, C, …) → (B, 1, …)."""
    weights = slope if slope.dim() <= 2 else slope.mean(tuple(range(2, slope.dim())), keepdim=True)
    return _summed(weights * value, summed)


def grad_cam_plus_plus(value: Tensor, slope: Tensor) -> Tensor:
    """relu(Σ_c w_c A_c) with w_c = Σ α · relu(g), α = g² / (2g² + g³ Σ A) [chattopadhay2018].

    g is the gradient of the score itself; the paper's exp(score) would only scale an example's whole map.
    """
    spatial = tuple(range(2, value.dim()))
    g, a = slope.to(accumulator(slope.dtype)), value.to(accumulator(value.dtype))
    below = 2 * g.square() + g**3 * (a.sum(spatial, keepdim=True) if spatial else a)
    alpha = torch.where(g == 0, 0, g.square() / torch.where(below == 0, 1, below))
    weights = alpha * g.relu()
    weights = weights.sum(spatial, keepdim=True) if spatial else weights
    return _summed(weights * a).relu().to(value.dtype)


def layer_cam(value: Tensor, slope: Tensor) -> Tensor:
    """relu(Σ_c relu(g_c) A_c): each position has its own weight [jiang2021]."""
    return _summed(slope.relu() * value).relu()


def score_cam(question: Question, inputs: Tensors, baselines: Tensors, maps: Tensor, rows: int | None = None) -> Tensor:
    """relu(Σ_c w_c A_c), w the softmax over maps of score(x where the map is high) − score(b), (targets, B, 1, …)
    [wang2020]."""
    (x,), (baseline,) = inputs, baselines
    if maps.dim() != x.dim():
        raise AttributionError(
            f"The layer's values of shape {tuple(maps.shape)} are no maps of inputs {tuple(x.shape)}.",
            "Choose a layer with as many spatial dimensions, such as a convolution.",
        )
    batch, channels = maps.shape[:2]
    masks = _stretched(F.interpolate(maps.to(accumulator(maps.dtype)), x.shape[2:], mode=_MODES[x.dim()]))

    with torch.no_grad():
        nothing = question.scores((baseline,))

    def part(start: int, stop: int) -> Tensor:
        seen = masks[:, start:stop].transpose(0, 1)[:, :, None].to(x.dtype)
        points = (baseline + seen * (x - baseline)).flatten(0, 1)
        with torch.no_grad():
            return (
                question.repeated(stop - start, disposable=True).scores((points,)).reshape(stop - start, *nothing.shape)
            )

    scores = torch.cat(list(in_chunks(channels, part, batch, rows_that_fit(inputs, rows)))) - nothing
    weights = scores.to(accumulator(scores.dtype)).softmax(0).movedim((0, 1), (2, 1))
    each = [_summed(w.reshape(-1, channels, *[1] * (maps.dim() - 2)) * maps) for w in weights]
    return torch.stack(each).relu().to(maps.dtype)


def spread_over(cam: Tensor, x: Tensor, mode: str) -> Tensor:
    """A map (B, 1, …) stretched over the spatial size of an input (B, C, …)."""
    if not can_spread(cam, x):
        raise AttributionError(
            f"A map of shape {tuple(cam.shape)} cannot be stretched over an input of shape {tuple(x.shape)}.",
            "Choose a layer with as many spatial dimensions; pass other inputs as additional_forward_args.",
        )
    return F.interpolate(cam, x.shape[2:], mode=as_mode(mode, x.dim()))


def can_spread(cam: Tensor, x: Tensor) -> bool:
    """Whether a map can be stretched over an input: both have as many spatial dimensions."""
    return cam.dim() == x.dim() >= 3


def as_mode(mode: str, dim: int) -> str:
    """A mode of `F.interpolate` for tensors of so many dimensions; linear, bilinear and trilinear are the same."""
    if mode in _MODES.values():
        return _MODES.get(dim, mode)
    if mode == "bicubic" and dim != 4:
        raise AttributionError("interpolate_mode='bicubic' is for images (B, C, H, W).", "Use 'linear' or 'nearest'.")
    return mode


def check_mode(mode: str) -> None:
    """Refuse a mode that `F.interpolate` does not know."""
    known = ("nearest", "nearest-exact", "area", "bicubic", *_MODES.values())
    if mode not in known:
        raise AttributionError(f"interpolate_mode={mode!r} is unknown.", f"Choose one of {', '.join(known)}.")


_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}


def _stretched(maps: Tensor) -> Tensor:
    """Each map from 0 to 1; a constant one shows nothing."""
    spatial = tuple(range(2, maps.dim()))
    low, high = maps.amin(spatial, keepdim=True), maps.amax(spatial, keepdim=True)
    return torch.where(high > low, (maps - low) / torch.where(high > low, high - low, 1), 0)


def _summed(maps: Tensor, summed: bool = True) -> Tensor:
    return maps.sum(1, keepdim=True) if summed else maps


def as_maps(value: Tensor, inputs: Tensors) -> Tensor:
    """A layer's values as maps (B, C, …).

    In a model of images, a token sequence (B, tokens, C) becomes (B, C, h, w) without its class token, and channels
    that come last go first; in a model of token ids (B, T), values (B, T, C) become (B, C, T).
    """
    image = next((x for x in inputs if x.dim() == 4), None)
    if image is not None and value.dim() == 3:
        return on_grid(value, (image.shape[2], image.shape[3]))
    if image is not None and value.dim() == 4 and _channels_last(value, image):
        return value.movedim(-1, 1)
    if value.dim() == 3 and any(is_ids(x) and x.shape == value.shape[:2] for x in inputs):
        return value.transpose(1, 2)
    return value


def on_grid(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """Tokens (B, k + h·w, C) of an image of `size` (H, W) as (B, C, h, w); k class and register tokens are dropped."""
    count = tokens.shape[1]
    for extra in EXTRA_TOKENS:
        height = math.isqrt(max(0, count - extra) * size[0] // size[1])
        fits = height > 1 and size[0] % height == 0 and (size[1] * height) % size[0] == 0
        if fits and height * (width := size[1] * height // size[0]) == count - extra and size[1] % width == 0:
            return tokens[:, extra:].transpose(1, 2).reshape(len(tokens), -1, height, width)
    raise AttributionError(
        f"Values of shape {tuple(tokens.shape)} are no grid of patches of an image of {size[0]}×{size[1]}.",
        "Choose a layer that passes on (B, class token + patches, channels) or (B, channels, height, width).",
    )


def _channels_last(value: Tensor, image: Tensor) -> bool:
    height, width = image.shape[2:]
    a, b, c = value.shape[1:]
    return a * width == b * height and b * width != c * height and height % a == 0
