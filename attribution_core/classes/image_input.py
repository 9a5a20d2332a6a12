"""An image as model input, whose features are segments of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from attribution_core.classes.interpretable import InterpretableInput, as_present, check_last
from attribution_core.errors import AttributionError, require_matplotlib
from attribution_core.reading.values import shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Image = Any
"""An image of PIL, which the engine itself does not need."""


class ImageMaskInput(InterpretableInput):
    """A PIL image whose features are segments: pixels with the same number in `mask` (H, W), or those of each boolean
    mask in `mask_list`, which may overlap; without either the whole image is one.

    Pixels of an absent segment have the color `baseline`. `processor_fn` makes the model's input from an image.
    """

    def __init__(
        self,
        image: Image,
        mask: Tensor | None = None,
        mask_list: Sequence[Tensor] | None = None,
        baseline: tuple[int, int, int] = (255, 255, 255),
        processor_fn: Callable[[Image], Any] | None = None,
    ) -> None:
        self.image = image
        self.baseline = baseline
        self.processor_fn = processor_fn
        self.mask = mask
        self.mask_list = self._segments(mask, mask_list)
        self.n_itp_features = len(self.mask_list)
        self.original_model_inputs = self._processed(image)

    def to_tensor(self) -> Tensor:
        """Ones, (1, segments), float."""
        return torch.ones(1, self.n_itp_features)

    def to_model_input(self, perturbed_tensor: Tensor | None = None) -> Any:
        """The model's input for the image without absent segments (zeros in (1, segments))."""
        if perturbed_tensor is None:
            return self.original_model_inputs
        present = as_present(perturbed_tensor, self.n_itp_features)
        absent = [segment for segment, shown_ in zip(self.mask_list, present, strict=True) if not shown_]
        return self._processed(self._without(absent))

    def format_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the segments, (1, segments), as they are."""
        check_last("attributions", itp_attr, self.n_itp_features)
        return itp_attr

    def format_pixel_attr(self, itp_attr: Tensor) -> Tensor:
        """Attributions of the pixels, (1, H, W): the sum of those of the segments that each belongs to."""
        check_last("attributions", itp_attr, self.n_itp_features)
        inside = torch.stack(self.mask_list).to(itp_attr)
        sums: Tensor = torch.tensordot(itp_attr.reshape(1, -1), inside, 1)
        return sums

    def get_mask_list(self) -> list[Tensor]:
        """A boolean mask (H, W) of each segment."""
        return self.mask_list

    def plot_mask_overlay(
        self, show: bool = False, border_width: int = 0, show_legends: bool = True
    ) -> tuple[Figure, Axes] | None:
        """The image with each segment in a color of its own, its number in the middle; shown, or else returned.

        `border_width` is in points, 0 for no borders. Needs matplotlib.
        """
        require_matplotlib("plot_mask_overlay needs")
        import matplotlib.pyplot as plt  # noqa: PLC0415 - slow to import, and only pictures need it

        figure, axis = plt.subplots()
        axis.imshow(self.image)
        axis.set_axis_off()
        colors = plt.get_cmap("tab20")
        for number, segment in enumerate(self.mask_list):
            layer = np.zeros((*segment.shape, 4))
            layer[segment.numpy()] = (*colors(number % 20)[:3], 0.4)
            axis.imshow(layer)
            if border_width and bool(segment.any()) and not bool(segment.all()):
                axis.contour(segment.numpy(), [0.5], colors=[colors(number % 20)], linewidths=border_width)
            if show_legends and bool(segment.any()):
                row, column = segment.nonzero().double().mean(0).tolist()
                axis.text(column, row, str(number), ha="center", va="center", bbox={"facecolor": "white", "alpha": 0.7})
        if not show:
            return figure, axis
        plt.show()
        return None

    def _segments(self, mask: Tensor | None, masks: Sequence[Tensor] | None) -> list[Tensor]:
        size = (self.image.height, self.image.width)
        given = [torch.zeros(size) if mask is None else mask] if masks is None else list(masks)
        for each in given:
            if not isinstance(each, Tensor) or tuple(each.shape) != size:
                raise AttributionError(
                    f"A mask is {shown(each)}; the image has {size[0]} rows of {size[1]} pixels.",
                    "Pass a tensor (height, width).",
                )
        if not given:
            raise AttributionError("mask_list is empty.", "Pass a mask for each segment, or leave it out.")
        if masks is not None:
            return [each.bool().cpu() for each in masks]
        numbers = given[0].cpu()
        return [numbers == number for number in torch.unique(numbers)]

    def _without(self, segments: list[Tensor]) -> Image:
        covered, left = self.image.convert("L"), self.image.convert("RGB")
        hidden = torch.stack(segments).any(0) if segments else torch.zeros(self.mask_list[0].shape)
        covered.frombytes((hidden.to(torch.uint8) * 255).numpy().tobytes())
        left.paste(tuple(self.baseline), (0, 0), covered)
        return left

    def _processed(self, image: Image) -> Any:
        return image if self.processor_fn is None else self.processor_fn(image)
