"""Attributions of time series."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from attribution_core.errors import AttributionError, AttributionWarning, require_matplotlib
from attribution_core.visualization.colors import ColorScale, color_scale
from attribution_core.visualization.scale import (
    Array,
    Floats,
    Numbers,
    TimeseriesVisualizationMethod,
    VisualizeSign,
    as_array,
    as_option,
    colorbar,
    new_axes,
    scaled,
    show,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

METHODS = TimeseriesVisualizationMethod
Panels: TypeAlias = "Axes | Sequence[Axes] | NDArray[np.object_]"
"""The axes of one panel, or an array of several."""
Style = dict[str, Any]
"""Further arguments for matplotlib's lines."""


def visualize_timeseries_attr(
    attr: Numbers,
    data: Numbers,
    x_values: Numbers | None = None,
    method: str = "overlay_individual",
    sign: str = "absolute_value",
    channel_labels: Sequence[str] | None = None,
    channels_last: bool = True,
    plt_fig_axis: tuple[Figure, Panels] | None = None,
    outlier_perc: float = 2,
    cmap: str | Colormap | None = None,
    alpha_overlay: float = 0.7,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
    **pyplot_kwargs: object,
) -> tuple[Figure, Panels]:
    """Show attributions (N, C) over the series (N, C); (C, N) with channels_last=False.

    `method` is overlay_individual (a panel for each channel, attributions as its background), overlay_combined (one
    panel, the mean over channels as background) or colored_graph (panels, attributions as the colour of the line).
    Each point's colour reaches halfway to its neighbours. `x_values` (N,) increase. `pyplot_kwargs` style the lines.
    Further arguments are as in `visualize_image_attr`. Returns the figure and its axes: an array if there are several.
    """
    require_matplotlib()
    style, signs = as_option(METHODS, "method", method), as_option(VisualizeSign, "sign", sign)
    heat, values = _read(attr, data, channels_last)
    x = _as_x(x_values, len(values))
    lines = _as_style(pyplot_kwargs)
    labels = _as_labels(channel_labels, values.shape[1])
    combined = style is METHODS.overlay_combined
    shown = scaled(heat.mean(axis=1, dtype=np.float64, keepdims=True) if combined else heat, signs, outlier_perc)
    scale = color_scale(cmap, signs)
    panels = 1 if combined else values.shape[1]
    figure, returned, axes = _axes(plt_fig_axis, panels, fig_size, use_pyplot)
    for place, axis in enumerate(axes):
        columns = range(values.shape[1]) if combined else [place]
        if style is METHODS.colored_graph:
            _colored(axis, x, values[:, place], shown[:, place], scale, lines)
        else:
            _background(axis, x, shown[:, place], scale, alpha_overlay)
            _lines(axis, x, values, columns, labels, combined, lines)
        if labels and not combined:
            axis.set_ylabel(labels[place])
    if title:
        axes[0].set_title(title)
    if show_colorbar:
        colorbar(figure, axes, *scale)
    show(figure, use_pyplot)
    return figure, returned


def _read(attr: Numbers, data: Numbers, channels_last: bool) -> tuple[Array, Array]:
    heat, values = as_array(attr, "attr"), as_array(data, "data")
    if heat.ndim != 2 or heat.shape != values.shape:
        raise AttributionError(
            f"attr has shape {heat.shape} and data {values.shape}.",
            "Both must be (N, C), or (C, N) with channels_last=False.",
        )
    heat, values = (heat, values) if channels_last else (heat.T, values.T)
    if values.shape[1] > values.shape[0]:
        warnings.warn(
            f"The series has {values.shape[1]} channels and only {values.shape[0]} points; is channels_last right?",
            AttributionWarning,
            stacklevel=3,
        )
    return heat, values


def _as_x(x_values: Numbers | None, count: int) -> Array:
    x = np.arange(count) if x_values is None else as_array(x_values, "x_values")
    if x.shape != (count,) or (np.diff(x) <= 0).any():
        raise AttributionError(f"x_values has shape {x.shape}; expected {count} increasing numbers.")
    return x


def _as_labels(labels: Sequence[str] | None, count: int) -> list[str]:
    if labels is not None and len(labels) != count:
        raise AttributionError(f"{len(labels)} channel_labels for {count} channels.")
    return list(labels or [])


def _as_style(pyplot_kwargs: Style) -> Style:
    """Arguments of lines under their full names: `lw` is `linewidth`."""
    from matplotlib.cbook import normalize_kwargs  # noqa: PLC0415
    from matplotlib.lines import Line2D  # noqa: PLC0415

    return {**normalize_kwargs(pyplot_kwargs, Line2D)}


def _axes(
    existing: tuple[Figure, Panels] | None, panels: int, size: tuple[float, float], use_pyplot: bool
) -> tuple[Figure, Panels, list[Axes]]:
    """The figure, its axes as they are returned, and as a list."""
    if existing is None:
        figure, axes = new_axes(panels, 1, size, use_pyplot)
        return figure, axes[0] if panels == 1 else np.array(axes), axes
    axes = list(np.ravel(np.asarray(existing[1], dtype=object)))
    if len(axes) != panels:
        raise AttributionError(f"plt_fig_axis has {len(axes)} axes; this picture needs {panels}.")
    return existing[0], existing[1], axes


def _edges(x: Array) -> Array:
    """Borders of the points' intervals, (N + 1,): halfway between neighbours."""
    if len(x) == 1:
        return np.array([x[0] - 0.5, x[0] + 0.5])
    middle = (x[1:] + x[:-1]) / 2
    return np.concatenate([[2 * x[0] - middle[0]], middle, [2 * x[-1] - middle[-1]]])


def _background(axis: Axes, x: Array, shown: Floats, scale: ColorScale, alpha: float) -> None:
    axis.pcolormesh(
        _edges(x),
        [0, 1],
        np.ma.masked_invalid(shown)[None],
        cmap=scale.cmap,
        vmin=scale.low,
        vmax=scale.high,
        alpha=alpha,
        transform=axis.get_xaxis_transform(),
        linewidth=0,
        rasterized=True,
    )


def _lines(
    axis: Axes,
    x: Array,
    values: Array,
    columns: Sequence[int],
    labels: list[str],
    combined: bool,
    style: Style,
) -> None:
    from matplotlib import colormaps  # noqa: PLC0415
    from matplotlib.patheffects import withStroke  # noqa: PLC0415

    palette = colormaps["Dark2"]
    halo = [withStroke(linewidth=style.get("linewidth", 1.5) + 2.5, foreground="white", alpha=0.8)]  # on dark colours
    for column in columns:
        label = labels[column] if labels and combined else None
        color = palette(column % 8) if combined else "black"
        axis.plot(x, values[:, column], **{"color": color, "label": label, "path_effects": halo, **style})
    if labels and combined:
        axis.legend(loc="best")
    axis.set_xlim(*_edges(x)[[0, -1]])
    _limit(axis, values[:, list(columns)])


def _colored(axis: Axes, x: Array, values: Array, shown: Floats, scale: ColorScale, style: Style) -> None:
    from matplotlib.collections import LineCollection  # noqa: PLC0415

    half = np.concatenate([values[:1], (values[1:] + values[:-1]) / 2, values[-1:]])
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    corners = [np.stack(pair, axis=1) for pair in ((edges[:-1], half[:-1]), (x, values), (edges[1:], half[1:]))]
    width = style.get("linewidth", 3)
    axis.plot(x, values, color="0.5", linewidth=width + 1.2)  # an edge, for where the colour is near white
    lines = LineCollection(list(np.stack(corners, axis=1)), **{"cmap": scale.cmap, "linewidth": width, **style})
    lines.set_array(np.ma.masked_invalid(shown))
    lines.set_clim(scale.low, scale.high)
    axis.add_collection(lines)
    axis.set_xlim(*_edges(x)[[0, -1]])
    _limit(axis, values)


def _limit(axis: Axes, values: Array) -> None:
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size:
        low, high = finite.min(), finite.max()
        margin = 0.05 * (high - low) or 0.5
        axis.set_ylim(low - margin, high + margin)
