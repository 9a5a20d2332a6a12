"""What the demos' images are compared with, as the model sees it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def black(image: Tensor) -> Tensor:
    """No light at all, for a model that takes images in [0, 1]."""
    return torch.zeros_like(image)


def black_before(normalise: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same for a model that takes normalised images."""

    def black(image: Tensor) -> Tensor:
        return normalise(torch.zeros_like(image))

    return black
