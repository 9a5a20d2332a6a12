"""What the demos' images are compared with, as the model sees it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur


def black(image: Tensor) -> Tensor:
    """No light at all, for a model that takes images in [0, 1]."""
    return torch.zeros_like(image)


def black_before(normalise: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The same for a model that takes normalised images."""

    def black(image: Tensor) -> Tensor:
        return normalise(torch.zeros_like(image))

    return black


def blurred(image: Tensor) -> Tensor:
    """The colours without the shapes: blurred by a twelfth of the shorter side."""
    sigma = min(image.shape[-2:]) / 12
    soft: Tensor = gaussian_blur(image, kernel_size=[2 * int(2 * sigma) + 1] * 2, sigma=[sigma, sigma])
    return soft
