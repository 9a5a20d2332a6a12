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
