"""From attributions to numbers in −1…1 and colours: what all pictures share."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from attribution_core.errors import AttributionError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Array = NDArray[Any]
"""Numbers of any dtype."""
Floats = NDArray[np.float64]
Numbers = Tensor | ArrayLike
"""What a picture is made of: a tensor, an array, or nested lists of numbers."""
Choice = TypeVar("Choice", bound=Enum)


class ImageVisualizationMethod(Enum):
    """How an image and its attributions are shown together."""

    heat_map = 1
    blended_heat_map = 2
    original_image = 3
    masked_image = 4
    alpha_scaling = 5


class TimeseriesVisualizationMethod(Enum):
    """How a time series and its attributions are shown together."""

    overlay_individual = 1
    overlay_combined = 2
    colored_graph = 3


class VisualizeSign(Enum):
    """Which attributions are shown."""

    positive = 1
    absolute_value = 2
    negative = 3
    all = 4


def as_option(options: type[Choice], name: str, value: str | Choice) -> Choice:
    """Read an argument that is one of some names."""
    if isinstance(value, options):
        return value
    if not isinstance(value, str) or value not in options.__members__:
        raise AttributionError(f"{name}={value!r}.", f"Choose one of {', '.join(options.__members__)}.")
    return options[value]


def as_array(value: Numbers, name: str, may_be_empty: bool = False) -> Array:
    """A numpy array, also from a tensor on any device."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() and value.itemsize < 4 else value
    array = np.asarray(value)
    if array.dtype.kind not in "biuf" or (array.size == 0 and not may_be_empty):
        raise AttributionError(f"{name} has dtype {array.dtype} and shape {array.shape}.", "Pass an array of numbers.")
    return array


def scaled(attributions: Array, sign: VisualizeSign, outlier_perc: float) -> Floats:
    """Attributions of the sign in −1…1 (0…1 unless sign is all), shape unchanged.

    The largest values that together make up `outlier_perc` percent of the total become 1; the smallest of them is the
    scale. What is not a number stays so, and infinity counts as an outlier. Where there is nothing, everything is zero.
    """
    if not 0 <= outlier_perc <= 100:
        raise AttributionError(f"outlier_perc={outlier_perc!r}: expected a number from 0 to 100.")
    part = _of_sign(attributions.astype(np.float64), sign)
    sizes = np.sort(np.abs(part[np.isfinite(part)]))
    if not sizes.any():
        return _signs(part)
    sums = np.cumsum(sizes / sizes[-1])
    place = np.searchsorted(sums, sums[-1] * (100 - outlier_perc) / 100)
    scale = sizes[min(int(place), len(sizes) - 1)]
    if scale == 0:
        return _signs(part)
    with np.errstate(over="ignore"):
        return np.asarray(np.clip(part / scale, -1.0, 1.0))


def _signs(part: Floats) -> Floats:
    return np.asarray(np.sign(part))


def _of_sign(attributions: Floats, sign: VisualizeSign) -> Floats:
    if sign is VisualizeSign.positive:
        return np.maximum(attributions, 0.0)
    if sign is VisualizeSign.negative:
        return np.maximum(-attributions, 0.0)
    return np.abs(attributions) if sign is VisualizeSign.absolute_value else attributions


def new_axes(rows: int, columns: int, size: tuple[float, float], use_pyplot: bool) -> tuple[Figure, list[Axes]]:
    """A new figure with its axes; pyplot knows of it only with `use_pyplot`."""
    if use_pyplot:
        import matplotlib.pyplot as plt  # noqa: PLC0415

        figure = plt.figure(figsize=size)
    else:
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(figsize=size)
    return figure, list(np.ravel(figure.subplots(rows, columns, squeeze=False)))


def colorbar(figure: Figure, axes: list[Axes], cmap: str | Colormap, low: float, high: float) -> Colorbar:
    """A colour bar below the axes, with numbers at its ends and middle."""
    from matplotlib.cm import ScalarMappable  # noqa: PLC0415
    from matplotlib.colors import Normalize  # noqa: PLC0415

    bar = figure.colorbar(
        ScalarMappable(Normalize(low, high), cmap), ax=axes, orientation="horizontal", fraction=0.05, pad=0.08
    )
    bar.set_ticks([low, (low + high) / 2, high])
    return bar


def show(figure: Figure, use_pyplot: bool) -> None:
    """Show a figure that belongs to pyplot."""
    if use_pyplot and figure.canvas.manager is not None:
        import matplotlib.pyplot as plt  # noqa: PLC0415

        plt.show()
