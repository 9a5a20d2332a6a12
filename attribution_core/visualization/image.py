"""Attributions of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypedDict, Unpack

import numpy as np
from numpy.typing import NDArray

from attribution_core.errors import AttributionError, require_matplotlib
from attribution_core.visualization.colors import color_scale
from attribution_core.visualization.scale import (
    Array,
    Floats,
    ImageVisualizationMethod,
    Numbers,
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
    from matplotlib.typing import ColorType

Pixels = NDArray[np.uint8]
METHODS = ImageVisualizationMethod
UNSIGNED = (METHODS.masked_image, METHODS.alpha_scaling)


class Look(TypedDict, total=False):
    """What `visualize_image_attr_multiple` passes on to each of its pictures."""

    outlier_perc: float
    cmap: str | Colormap | None
    alpha_overlay: float
    show_colorbar: bool


def visualize_image_attr(
    attr: Numbers | None,
    original_image: Numbers | None = None,
    method: str = "heat_map",
    sign: str = "absolute_value",
    plt_fig_axis: tuple[Figure, Axes] | None = None,
    outlier_perc: float = 2,
    cmap: str | Colormap | None = None,
    alpha_overlay: float = 0.5,
    show_colorbar: bool = False,
    title: str | None = None,
    fig_size: tuple[float, float] = (6, 6),
    use_pyplot: bool = True,
) -> tuple[Figure, Axes]:
    """Show attributions (H, W) or (H, W, C), channels summed, alone or with the image (H, W) or (H, W, 1, 3 or 4).

    `method` is heat_map, blended_heat_map (over the grey image), original_image (which needs no `attr`), masked_image
    (pixels × attributions) or alpha_scaling (attributions as opacity); `sign` is all, positive, negative or
    absolute_value. The largest values that make up `outlier_perc` percent of the total get full colour. Unsigned bytes
    are 0…255; other images up to 1 are 0…1. `use_pyplot` makes a figure of pyplot and shows it. Values that are not
    numbers stay transparent.
    """
    require_matplotlib()
    style, signs = as_option(METHODS, "method", method), as_option(VisualizeSign, "sign", sign)
    heat, pixels = _read(attr, original_image, style, signs, outlier_perc)
    scale = color_scale(cmap, signs)
    figure, axis = plt_fig_axis or _first(new_axes(1, 1, fig_size, use_pyplot))
    axis.set_xticks([])
    axis.set_yticks([])
    if title:
        axis.set_title(title)
    mapped = style in (METHODS.heat_map, METHODS.blended_heat_map)
    if pixels is not None:
        axis.imshow(_picture(style, heat, pixels), cmap="gray", vmin=0, vmax=255)
    if mapped:
        opacity = None if pixels is None else alpha_overlay
        axis.imshow(np.ma.masked_invalid(heat), cmap=scale.cmap, vmin=scale.low, vmax=scale.high, alpha=opacity)
    if show_colorbar:  # empty where nothing is mapped, so that pictures side by side stay aligned
        colorbar(figure, [axis], *scale).ax.set_visible(mapped)
    show(figure, use_pyplot)
    return figure, axis


def visualize_image_attr_multiple(
    attr: Numbers | None,
    original_image: Numbers | None,
    methods: Sequence[str],
    signs: Sequence[str],
    titles: Sequence[str] | None = None,
    fig_size: tuple[float, float] = (8, 6),
    use_pyplot: bool = True,
    **kwargs: Unpack[Look],
) -> tuple[Figure, Axes | list[Axes]]:
    """Several pictures of `visualize_image_attr` side by side; further arguments go to each of them.

    Returns the figure and its axes, a list if there are several.
    """
    require_matplotlib()
    if not methods or len(signs) != len(methods) or (titles is not None and len(titles) != len(methods)):
        raise AttributionError(
            f"{len(methods)} methods, {len(signs)} signs, {'no' if titles is None else len(titles)} titles.",
            "Give at least one method, and a sign (and title) for each.",
        )
    for method, sign in zip(methods, signs, strict=True):  # before a figure exists
        style, which = as_option(METHODS, "method", method), as_option(VisualizeSign, "sign", sign)
        _read(attr, original_image, style, which, kwargs.get("outlier_perc", 2))
    figure, axes = new_axes(1, len(methods), fig_size, use_pyplot)
    for place, axis in enumerate(axes):
        visualize_image_attr(
            attr,
            original_image,
            methods[place],
            signs[place],
            (figure, axis),
            title=titles[place] if titles else None,
            use_pyplot=False,
            **kwargs,
        )
    show(figure, use_pyplot)
    return figure, axes if len(axes) > 1 else axes[0]


def _read(
    attr: Numbers | None,
    image: Numbers | None,
    style: ImageVisualizationMethod,
    sign: VisualizeSign,
    outlier_perc: float,
) -> tuple[Floats, Pixels | None]:
    """What is drawn: attributions (H, W) in −1…1 and, where the method shows it, the image as bytes."""
    if attr is None:
        return _alone(image, style)
    heat = as_array(attr, "attr")
    if heat.ndim not in (2, 3):
        raise AttributionError(
            f"attr has shape {heat.shape}, not (H, W) or (H, W, C).", "For a tensor (C, H, W): attr.permute(1, 2, 0)."
        )
    if style in UNSIGNED and sign is VisualizeSign.all:
        raise AttributionError(
            f"{style.name} cannot show both signs.", "Choose sign positive, negative or absolute_value."
        )
    if heat.ndim == 3:
        with np.errstate(invalid="ignore"):
            heat = heat.sum(axis=2, dtype=np.float64)
    values = scaled(heat, sign, outlier_perc)
    if style is METHODS.heat_map:
        return values, None
    pixels = _shown(image, style)
    if pixels.shape[:2] != values.shape:
        raise AttributionError(f"attr is {values.shape} and original_image {pixels.shape[:2]} (height, width).")
    return values, pixels


def _alone(image: Numbers | None, style: ImageVisualizationMethod) -> tuple[Floats, Pixels]:
    """The image where there are no attributions: a map of zeros, and its bytes."""
    if style is not METHODS.original_image:
        raise AttributionError(f"{style.name} needs attr.", "Only original_image works without.")
    pixels = _shown(image, style)
    return np.zeros(pixels.shape[:2]), pixels


def _shown(image: Numbers | None, style: ImageVisualizationMethod) -> Pixels:
    if image is None:
        raise AttributionError(f"{style.name} needs original_image.", "Only heat_map works without.")
    return _as_pixels(as_array(image, "original_image"))


def _as_pixels(image: Array) -> Pixels:
    """Bytes (H, W), (H, W, 3) or (H, W, 4)."""
    if image.ndim == 3 and image.shape[2] == 1:
        image = image[..., 0]
    if image.ndim != 2 and (image.ndim != 3 or image.shape[2] not in (3, 4)):
        raise AttributionError(
            f"original_image has shape {image.shape}, not (H, W) or (H, W, 1, 3 or 4).",
            "For a tensor (C, H, W): image.permute(1, 2, 0).",
        )
    values = np.nan_to_num(image.astype(np.float64))
    if image.dtype != np.uint8 and values.max() <= 1.5:
        values = values * 255
    return np.clip(values, 0, 255).astype(np.uint8)


def _picture(style: ImageVisualizationMethod, heat: Floats, pixels: Pixels) -> Array:
    """What lies below the map, or in its place: grey or colour pixels, masked by the map or made transparent by it."""
    if style is METHODS.blended_heat_map:
        return pixels if pixels.ndim == 2 else pixels[..., :3].mean(axis=2)
    weight = np.nan_to_num(heat)
    if style is METHODS.masked_image:
        masked = (pixels * (weight if pixels.ndim == 2 else weight[..., None])).astype(np.uint8)
        if pixels.ndim == 3:
            masked[..., 3:] = pixels[..., 3:]
        return masked
    if style is METHODS.alpha_scaling:
        color = np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels[..., :3]
        opacity = (weight * 255).astype(np.uint8)
        return np.concatenate([color, opacity[..., None]], axis=2)
    return pixels


def _first(made: tuple[Figure, list[Axes]]) -> tuple[Figure, Axes]:
    return made[0], made[1][0]


def draw_mask_border(ax: Axes, mask: Numbers, border_width: int = 1, border_color: ColorType = "black") -> None:
    """Colour the outermost `border_width` pixels of a region, a boolean array (H, W), over what the axes show."""
    require_matplotlib()
    from matplotlib.colors import to_rgba  # noqa: PLC0415

    region = _as_region(mask)
    inner = region
    for _ in range(border_width):
        padded = np.pad(inner, 1)
        inner = inner & padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
    border = np.zeros((*region.shape, 4))
    border[region & ~inner] = to_rgba(border_color)
    ax.imshow(border, interpolation="nearest")


def draw_mask_legend(
    ax: Axes,
    mask: Numbers,
    label: str,
    fontsize: int = 10,
    text_color: str = "white",
    bbox_facecolor: str = "black",
    bbox_alpha: float = 0.6,
) -> None:
    """Write a label at the centre of mass of a region, a boolean array (H, W); an empty region gets none."""
    require_matplotlib()
    rows, columns = np.nonzero(_as_region(mask))
    if rows.size:
        ax.text(
            columns.mean(),
            rows.mean(),
            label,
            fontsize=fontsize,
            color=text_color,
            ha="center",
            va="center",
            bbox={"facecolor": bbox_facecolor, "alpha": bbox_alpha, "edgecolor": "none"},
        )


def _as_region(mask: Numbers) -> NDArray[np.bool_]:
    region = as_array(mask, "mask")
    if region.ndim != 2:
        raise AttributionError(f"mask has shape {region.shape}, not (H, W).")
    return region.astype(np.bool_)
