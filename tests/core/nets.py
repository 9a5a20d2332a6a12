"""Small nets and operations that several tests explain."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


def affine(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer in float64."""
    return nn.Linear(inputs, outputs).double()


class Counting(nn.Module):
    """Three classes of five inputs, an additional argument with a row per example; notes the rows of each pass."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)).double()
        self.rows: list[int] = []

    def forward(self, x: Tensor, scale: Tensor | None = None) -> Tensor:
        self.rows.append(len(x))
        return self.body(x) if scale is None else self.body(x) * scale[:, None]


class Rectifier(torch.autograd.Function):
    """A rectifier that no rule sees into."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


class Passes(nn.Module):
    """Counts the passes through a net."""

    passes: int

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body
        self.passes = 0

    def forward(self, *inputs: Tensor) -> Tensor:
        self.passes += 1
        scores: Tensor = self.body(*inputs)
        return scores


class Pair(nn.Module):
    """Three classes of a picture (B, 2, 6, 6) and a row of numbers (B, 5)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.line = nn.Conv2d(2, 3, 3), nn.Linear(5, 3)

    def forward(self, picture: Tensor, row: Tensor) -> Tensor:
        return self.conv(picture).relu().mean((2, 3)) + self.line(row)


class Means(nn.Module):
    """The mean over positions (B, T, …)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(1)


class Total(nn.Module):
    """One number for the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum()
