"""Arrays of numbers, and numbers that JSON can carry."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def finite(value: float | None) -> float | None:
    """The number, or None where JSON has no word for it."""
    return float(value) if value is not None and math.isfinite(value) else None


def finites(values: npt.NDArray[np.float32] | list[float]) -> list[float | None]:
    """The numbers, None for those that are not finite."""
    return [finite(value) for value in values]
