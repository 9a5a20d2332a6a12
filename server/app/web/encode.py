"""Arrays to bytes and to numbers that JSON can carry."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from app.data.features import Picture
from app.numbers import Floats

EACH_CHANNEL_UP_TO = 16


def image_file(picture: Picture) -> tuple[bytes, str]:
    """An image file and its media type: lossless PNG for small images, WebP for photos."""
    buffer = io.BytesIO()
    image = Image.fromarray(picture.pixels)
    if image.width * image.height <= 64 * 64:
        image.save(buffer, "PNG")
        return buffer.getvalue(), "image/png"
    image.save(buffer, "WEBP", quality=90)
    return buffer.getvalue(), "image/webp"


@dataclass(frozen=True, eq=False)
class EncodedMap:
    """A map as little-endian float16 in [-1, 1], to be multiplied by `scale`; NaN where it was not finite."""

    data: bytes
    height: int
    width: int
    scale: float
    minimum: float
    maximum: float
    nonfinite: int


def reductions(channels: int) -> list[str]:
    """The ways in which `channels` channels become one number: the sum first."""
    each = [str(i) for i in range(channels)] if 1 < channels <= EACH_CHANNEL_UP_TO else []
    return ["sum", "magnitude", *each] if channels > 1 else ["sum"]


def reduce_channels(attribution: Floats, reduction: str) -> Floats:
    """One (H, W) map of a (C, H, W) attribution."""
    if reduction == "sum":
        return np.asarray(attribution.sum(axis=0))
    if reduction == "magnitude":
        return np.asarray(np.sqrt(np.square(attribution.astype(np.float64)).sum(axis=0)), dtype=np.float32)
    return np.asarray(attribution[int(reduction)])


def encode_map(values: Floats) -> EncodedMap:
    """Encode a (H, W) map so that its largest magnitude is 1 in float16."""
    good = np.isfinite(values)
    seen = values[good]
    scale = float(np.abs(seen).max()) if seen.size else 0.0
    scaled = np.where(good, values.astype(np.float64) / (scale or 1.0), np.nan).astype("<f2")
    low, high = (float(seen.min()), float(seen.max())) if seen.size else (0.0, 0.0)
    height, width = values.shape
    return EncodedMap(scaled.tobytes(), height, width, scale, low, high, int((~good).sum()))
