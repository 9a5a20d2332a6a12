"""Regions of an input that perturbation methods remove as one: groups of positions, and windows."""

from __future__ import annotations

import torch
from torch import Tensor

Sides = tuple[int, ...]

ACROSS = 16  # groups along the shorter side of an image, unless the user says otherwise
ALONG = 64  # groups along a series


def each(x: Tensor) -> Tensor:
    """Every position is a group of its own; shaped like `x`."""
    return torch.arange(x.numel(), device=x.device).reshape(x.shape)


def whole(x: Tensor) -> Tensor:
    """All positions are one group."""
    return torch.zeros(x.shape, dtype=torch.long, device=x.device)


def squares(x: Tensor, side: int | None) -> Tensor:
    """Squares over the last two dimensions (…, H, W), through all others."""
    side = side or max(1, round(min(x.shape[-2:]) / ACROSS))
    rows, columns = (torch.arange(size, device=x.device) // side for size in x.shape[-2:])
    return (rows[:, None] * (int(columns.max()) + 1) + columns).expand(x.shape)


def stretches(x: Tensor, dim: int, length: int) -> Tensor:
    """Stretches of `length` positions along one dimension, through all others."""
    if not x.dim():
        return whole(x)
    shape = [1] * x.dim()
    shape[dim] = -1
    return (torch.arange(x.shape[dim], device=x.device) // length).reshape(shape).expand(x.shape)


def square_window(x: Tensor, side: int | None) -> Sides:
    """A square over the last two dimensions, through all others."""
    return (*x.shape[:-2], *(min(side or max(2, size // 8), size) for size in x.shape[-2:]))


def stretch_window(x: Tensor, dim: int, length: int) -> Sides:
    """A stretch along one dimension, through all others."""
    if not x.dim():
        return ()
    box = list(x.shape)
    box[dim] = min(length, box[dim])
    return tuple(box)


def strides(x: Tensor, window: Sides, stride: int | None) -> Sides:
    """Steps of a window: none along what it spans, else those asked for, else half of it."""
    return tuple(
        box if box == size else min(stride or max(1, box // 2), box) for box, size in zip(window, x.shape, strict=True)
    )
