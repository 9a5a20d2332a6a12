"""The colours of every picture, chosen in one place: which hue speaks for the score, and which against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from attribution_core.visualization.scale import VisualizeSign

if TYPE_CHECKING:
    from matplotlib.colors import Colormap

Rgb = tuple[int, int, int]


class ColorScale(NamedTuple):
    """A colour map of matplotlib and the numbers at its ends."""

    cmap: str | Colormap
    low: float
    high: float


@dataclass(frozen=True)
class Palette:
    """A diverging scale and its two halves.

    `maps` are matplotlib's names. `stops` are the colours of −1…+1 in even steps, for where there is no matplotlib;
    `negative` and `positive` say their hues in words.
    """

    maps: Mapping[VisualizeSign, str]
    stops: tuple[Rgb, ...]
    negative: str
    positive: str

    def at(self, value: float) -> Rgb:
        """The colour of a number, linear between the stops; numbers beyond ±1 have the colour of the end."""
        place = (min(max(value, -1.0), 1.0) + 1) / 2 * (len(self.stops) - 1)
        left = min(int(place), len(self.stops) - 2)
        red, green, blue = (
            round(a + (b - a) * (place - left)) for a, b in zip(*self.stops[left : left + 2], strict=True)
        )
        return red, green, blue


BLUE_FOR = Palette(
    maps={
        VisualizeSign.positive: "Blues",
        VisualizeSign.negative: "Reds",
        VisualizeSign.absolute_value: "Purples",
        VisualizeSign.all: "RdBu",
    },
    stops=(  # RdBu of ColorBrewer, which people with any colour vision can read [harrower2003]
        (103, 0, 31),
        (178, 24, 43),
        (214, 96, 77),
        (244, 165, 130),
        (253, 219, 199),
        (247, 247, 247),
        (209, 229, 240),
        (146, 197, 222),
        (67, 147, 195),
        (33, 102, 172),
        (5, 48, 97),
    ),
    negative="red",
    positive="blue",
)
"""Captum's choice of hues: blue is for the score, red against it, and purple is size without sign."""

PALETTE = BLUE_FOR


def color_scale(cmap: str | Colormap | None, sign: VisualizeSign) -> ColorScale:
    """The user's colour map, or the palette's for a sign; symmetric about zero where both signs are shown."""
    return ColorScale(cmap or PALETTE.maps[sign], -1.0 if sign is VisualizeSign.all else 0.0, 1.0)


def css(color: Rgb) -> str:
    """A colour in CSS."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def ink_on(background: Rgb) -> str:
    """Black or white, whichever reads better: a contrast of at least 4.5 on any background (WCAG 2)."""
    return "#000000" if luminance(background) > 0.179 else "#ffffff"


def luminance(color: Rgb) -> float:
    """Relative luminance, 0…1 (WCAG 2)."""
    red, green, blue = (
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
        for share in (channel / 255 for channel in color)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
