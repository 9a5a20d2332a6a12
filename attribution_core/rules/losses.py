"""How much relevance an explanation has lost where a rule had nothing to divide it among."""

from __future__ import annotations

import torch
from torch import Tensor


class Losses:
    """What rules lost, or made up, in all passes of one explanation."""

    def __init__(self) -> None:
        self._passes: list[tuple[Tensor, list[Tensor]]] = []

    def begin(self, scores: Tensor) -> None:
        """A pass, whose relevance begins with these scores (B,)."""
        self._passes.append((scores.detach(), []))

    def note(self, lost: Tensor | None) -> None:
        """What an operation lost of each example, or of each part of one."""
        rows = len(self._passes[-1][0])
        if lost is not None and rows and len(lost) % rows == 0:
            self._passes[-1][1].append(lost.reshape(rows, -1).sum(1))

    def share(self) -> float:
        """Of all scores together."""
        lost = [torch.stack(each).sum(0).abs().sum().item() for _, each in self._passes if each]
        whole = sum(scores.abs().sum().item() for scores, _ in self._passes) if lost else 0
        return sum(lost) / whole if whole else 0.0
