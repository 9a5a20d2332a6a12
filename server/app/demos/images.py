"""A folder of photos as a map-style data set, read one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from app.errors import InsightsError
from app.words import text

PIXELS = 89_478_485
"""Of the largest image that is opened: from here on Pillow warns of files that are small and fill the memory."""
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".ppm", ".pgm"}


def find_images(folder: Path) -> list[Path]:
    """All images in a folder and the folders in it, in the order of their paths; hidden ones are left out.

    So are links that lead out of the folder. Raises `InsightsError` where there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InsightsError(f"{folder} {what}", hint="name a folder of images")
    found = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    shown = sorted(path for path in found if not any(p.startswith(".") for p in path.relative_to(folder).parts))
    inside = [path for path in shown if path.resolve().is_relative_to(folder.resolve())]
    if not inside:
        leave = f"; {len(shown)} links lead out of it, and are not followed" if shown else ""
        raise InsightsError(f"there is no image in {folder}{leave}", hint=f"looked for {', '.join(sorted(SUFFIXES))}")
    return inside


def open_image(path: Path) -> Image.Image:
    """Any image file as upright RGB: turned as its EXIF says, transparency on white, other numbers scaled to 8 bits.

    Raises `InsightsError` where the file cannot be read as an image, or is too large.
    """
    try:
        with Image.open(path) as image:
            if image.width * image.height > PIXELS:
                raise _too_large(path, f"{image.width:,} × {image.height:,} pixels")
            return _rgb(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_large(path, "hundreds of millions of pixels") from None
    except InsightsError:
        raise
    except Exception as error:  # damaged files make the decoders raise anything
        empty = not path.stat().st_size if path.exists() else False
        why = (
            "it is empty" if empty else "nobody knows its kind" if isinstance(error, UnidentifiedImageError) else error
        )
        raise InsightsError(
            f"{path.name} cannot be read as an image: {text(why)}",
            hint="the file may be cut off or of another kind; open it elsewhere, or take it out of the folder",
            type="Broken image",
        ) from error


def _too_large(path: Path, size: str) -> InsightsError:
    return InsightsError(
        f"{path.name} has {size}; at most {PIXELS:,} are opened",
        hint="make it smaller: the model sees a few hundred pixels a side",
        type="Too large",
    )


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image)))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _eight_bits(values: npt.NDArray[np.generic]) -> npt.NDArray[np.uint8]:
    """Numbers from 0 to 1, 255, 65,535 or 2³² − 1, the least that holds them all, as those from 0 to 255.

    Those of 16 bits are never taken for 8, nor whole numbers for fractions.
    """
    whole = np.issubdtype(values.dtype, np.integer)
    low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
    ranges = (
        [65535.0] if values.dtype.itemsize == 2 else [255.0, 65535.0, 2.0**32 - 1] if whole else [1.0, 255.0, 65535.0]
    )
    full = next((top for top in ranges if high <= top), None)
    if full is None or not low >= 0:
        raise ValueError(
            f"its numbers go from {low:g} to {high:g}; expected some from 0 to {', '.join(f'{r:g}' for r in ranges)}"
        )
    return np.asarray(values.astype(np.float64) * (255 / full)).astype(np.uint8)


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
