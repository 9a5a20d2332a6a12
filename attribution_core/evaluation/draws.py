"""Random numbers of numbered steps: the same for a seed, however the steps are divided into chunks."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.evaluation.isolation import drawn_seed
from attribution_core.evaluation.observe import is_counting
from attribution_core.reading.arguments import LARGEST_SEED, at_least


class Draws:
    """One random stream for each step; without a seed they follow from one draw from the global random state.

    To be made once in a call.
    """

    def __init__(self, seed: int | None, device: torch.device) -> None:
        self.seed = _unasked() if seed is None else at_least("seed", seed, 0, LARGEST_SEED)
        self.device = device
        self._generator = torch.Generator(device)

    def at(self, step: int) -> torch.Generator:
        """The stream of a step, from its start; the stream of another step ends with it."""
        return self._generator.manual_seed((self.seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) % (1 << 63))

    def normal(self, step: int, like: Tensor) -> Tensor:
        """Standard normal numbers of a tensor's shape and dtype, the same (but for rounding) for all dtypes."""
        return torch.randn(like.shape, generator=self.at(step), device=self.device, dtype=torch.float32).to(like.dtype)


def _unasked() -> int:
    return 0 if is_counting() else drawn_seed()  # to count passes is not to make them
