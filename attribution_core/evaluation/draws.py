"""Random numbers of numbered steps: the same for a seed, however the steps are divided into chunks."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.reading.arguments import at_least


class Draws:
    """One random stream for each step; without a seed they follow from the global random state, which is not advanced.

    To be made inside `undisturbed`, which restores the global state.
    """

    def __init__(self, seed: int | None, device: torch.device) -> None:
        self.seed = int(torch.randint(1 << 48, ())) if seed is None else at_least("seed", seed, 0)
        self.device = device
        self._generator = torch.Generator(device)

    def at(self, step: int) -> torch.Generator:
        """The stream of a step, from its start; the stream of another step ends with it."""
        return self._generator.manual_seed((self.seed * 0x9E3779B97F4A7C15 + step * 0xBF58476D1CE4E5B9) % (1 << 63))

    def normal(self, step: int, like: Tensor) -> Tensor:
        """Standard normal numbers of a tensor's shape and dtype, the same (but for rounding) for all dtypes."""
        return torch.randn(like.shape, generator=self.at(step), device=self.device, dtype=torch.float32).to(like.dtype)


def seeded(seed: int | None, device: torch.device) -> None:
    """Start the global random state from a seed, if there is one, for functions of the caller's that draw from it."""
    if seed is None:
        return
    torch.default_generator.manual_seed(at_least("seed", seed, 0))
    if device.type == "cuda":
        torch.cuda.default_generators[device.index or 0].manual_seed(seed)
