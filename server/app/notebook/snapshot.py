"""A still picture of what was last seen, for saved notebooks: HTML for the eye, PNG where HTML is not shown."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.data.features import BaseFeature, Picture, Shown
from app.explain.explanation import Explanation, InputExplanation
from app.numbers import Floats, finite
from app.web.present import map_of
from app.words import readable

SIDE = 160
NEGATIVE, MIDDLE, POSITIVE = np.array([[33, 102, 172], [247, 247, 247], [178, 24, 43]], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Seen:
    """One sample as it was on the screen."""

    title: str
    method: str
    shown: list[Shown]
    explanation: Explanation


def colours(values: Floats, bound: float) -> npt.NDArray[np.uint8]:
    """Blue for negative, red for positive, white at zero; uint8 (…, 3)."""
    part = np.clip(np.nan_to_num(values.astype(np.float64)) / (bound or 1.0), -1, 1)[..., None]
    end = np.where(part < 0, NEGATIVE, POSITIVE)
    return np.asarray(np.round(MIDDLE + (end - MIDDLE) * np.abs(part)), dtype=np.uint8)


def as_html(seen: Sequence[Seen], features: list[BaseFeature], caption: str) -> str:
    """A figure of the samples: originals, attributions and words, without scripts."""
    cells = "".join(_cell(item, features) for item in seen)
    return (
        '<figure style="margin:0;padding:8px;font:13px system-ui,sans-serif">'
        f'<figcaption style="font-weight:600">{_text(caption)}</figcaption>'
        f'<div style="display:flex;flex-wrap:wrap;gap:16px 24px;margin-top:8px">{cells}</div></figure>'
    )


def as_png(seen: Sequence[Seen]) -> bytes | None:
    """The images among the samples, original above attribution, side by side; None where there are none."""
    columns = [
        np.vstack([_sized(shown.pixels), _sized(_map(part))])
        for item in seen
        for shown, part in zip(item.shown, item.explanation.inputs, strict=True)
        if isinstance(shown, Picture) and part.kind == "image"
    ]
    return _png(np.hstack(columns)) if columns else None


def _cell(item: Seen, features: list[BaseFeature]) -> str:
    parts = zip(features, item.shown, item.explanation.inputs, strict=True)
    inside = "".join(_input(feature, shown, part) for feature, shown, part in parts)
    return f'<div><div style="margin-bottom:4px">{_text(item.title)}</div>{inside}</div>'


def _input(feature: BaseFeature, shown: Shown, part: InputExplanation) -> str:
    if isinstance(shown, Picture):
        drawn = _img(_map(part), f"attribution of {feature.name}") if part.kind == "image" else ""
        return _img(shown.pixels, feature.name) + drawn
    if shown is None:
        return ""
    values = part.values if part.kind != "empty" else np.zeros(len(shown.names), np.float32)
    bound = float(np.nanmax(np.abs(values), initial=0.0))
    words = (_word(name, value, bound) for name, value in zip(shown.names, values, strict=False))
    return f"<div>{' '.join(words)}</div>"


def _word(name: str, value: float, bound: float) -> str:
    red, green, blue = colours(np.asarray(value, dtype=np.float32), bound)
    ink = "#fff" if abs(value) > 0.6 * bound else "#111"
    style = f"background:rgb({red},{green},{blue});color:{ink};padding:0 3px;border-radius:3px"
    number = finite(float(value))
    said = "not finite" if number is None else f"{number:.3g}"
    return f'<span style="{style}" title="{said}">{_text(name)}</span>'


def _text(written: str) -> str:
    """As the dashboard shows it, and never markup."""
    return html.escape(readable(written))


def _map(part: InputExplanation) -> npt.NDArray[np.uint8]:
    """The signed sum over channels, clipped at the 99th percentile, as colours."""
    summed = map_of(part, "sum")
    magnitudes = np.abs(summed[np.isfinite(summed)])
    return colours(summed, float(np.percentile(magnitudes, 99)) if magnitudes.size else 0.0)


def _sized(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    how = Image.Resampling.NEAREST if pixels.shape[0] < SIDE else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(pixels).resize((SIDE, SIDE), how))


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _img(pixels: npt.NDArray[np.uint8], label: str) -> str:
    data = base64.b64encode(_png(_sized(pixels))).decode()
    style = "display:inline-block;margin:0 4px 0 0;border-radius:4px"
    size = f'width="{SIDE}" height="{SIDE}"'
    return f'<img alt="{_text(label)}" style="{style}" {size} src="data:image/png;base64,{data}">'
