"""Class activation maps: a layer's maps, weighted and added up to one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.precision import accumulator
from attribution_core.question.question import Question
from attribution_core.types import Tensors


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
    weights = _alpha(g, a) * g.relu()
    weights = weights.sum(spatial, keepdim=True) if spatial else weights
    return _summed(weights * a).relu().to(value.dtype)


def of_both_signs(value: Tensor, slope: Tensor) -> str:
    """What speaks against Grad-CAM++: an α that counts beyond [0, 1], twice the range that it has of maps ≥ 0."""
    g, a = slope.to(accumulator(slope.dtype)), value.to(accumulator(value.dtype))
    alpha = torch.where(g > 0, _alpha(g, a), 0)
    if not ((alpha < 0) | (alpha > 1)).any():
        return ""
    return (
        "Grad-CAM++ is made for maps that are never negative; this layer's have both signs, so that its weights α are "
        "no longer between 0 and ½ and mean nothing. Choose a layer behind a ReLU, or LayerGradCam or LayerCam."
    )


def _alpha(g: Tensor, a: Tensor) -> Tensor:
    """g² / (2g² + g³ Σ A), between 0 and ½ where neither g nor A is negative."""
    spatial = tuple(range(2, a.dim()))
    below = 2 * g.square() + g**3 * (a.sum(spatial, keepdim=True) if spatial else a)
    return torch.where(g == 0, 0, g.square() / torch.where(below == 0, 1, below))


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
