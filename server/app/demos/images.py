"""A folder of photos as a map-style data set, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from torch import Tensor

from app.errors import InsightsError

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


def find_images(folder: Path) -> list[Path]:
    """All images in a folder and the folders in it, in the order of their paths; hidden ones are left out.

    Raises `InsightsError` where there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InsightsError(f"{folder} {what}", hint="name a folder of images")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    shown = sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    if not shown:
        raise InsightsError(f"there is no image in {folder}", hint=f"looked for {', '.join(sorted(SUFFIXES))}")
    return shown


def open_image(path: Path) -> Image.Image:
    """Any image file as upright RGB: turned as its EXIF says, transparency on white, 16 bit scaled to 8.

    Raises `InsightsError` where the file cannot be read as an image.
    """
    try:
        with Image.open(path) as image:
            return _rgb(ImageOps.exif_transpose(image))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InsightsError(
            f"{path.name} cannot be read as an image: {error}",
            hint="the file may be cut off or of another kind",
            type="BrokenImage",
        ) from error


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) // 256).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


class Photos:
    """Images (3, H, W) in [0, 1] as `show` cuts them out, each with its label where that is known."""

    def __init__(
        self, paths: Sequence[Path], labels: Sequence[int | None], show: Callable[[Image.Image], Tensor]
    ) -> None:
        self.paths, self.labels, self.show = paths, labels, show

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, int | None]:
        return self.show(open_image(self.paths[index])), self.labels[index]
