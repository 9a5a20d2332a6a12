"""Attributions of words, as a table in a notebook."""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from attribution_core.errors import AttributionError
from attribution_core.visualization.colors import PALETTE, css, ink_on
from attribution_core.visualization.scale import Numbers, as_array

PAPER, INK, MUTED, RULE = "#ffffff", "#1b1e25", "#565c69", "#dfe2e8"
"""A sheet of its own, since the page around it may be light or dark: background, text, small text and lines."""

SHEET = (
    f"background: {PAPER}; color: {INK}; border: 1px solid {RULE}; border-radius: 10px; padding: 14px 18px; "
    "overflow-x: auto; font: 14px/1.5 system-ui, sans-serif"
)
GROUP = 'role="group" aria-label="Attributions of words" tabindex="0"'
"""Where the sheet is too narrow for the table, the keyboard can scroll it."""
TABLE = "width: 100%; table-layout: auto; border: 0; border-collapse: collapse; margin: 0; font-size: inherit"
ROW = f"background: {PAPER}; color: {INK}; border: 0; border-top: 1px solid {RULE}"
HEAD = (
    f"background: {PAPER}; color: {MUTED}; font-size: 12px; font-weight: 600; text-align: left; white-space: nowrap; "
    "padding: 6px 18px 6px 0"
)
CELL = "text-align: left; vertical-align: top; padding: 9px 18px 7px 0; font-variant-numeric: tabular-nums"
WORDS = "text-align: left; vertical-align: top; padding: 8px 0; width: 100%; min-width: 260px; line-height: 1.9"
WORD = "display: inline-block; border-radius: 4px; padding: 1px 5px; margin: 1px 0; white-space: pre-wrap"


@dataclass(slots=True)
class VisualizationDataRecord:
    """A row of `visualize_text`: attributions of the words (N,), and what the model said of the text."""

    word_attributions: Numbers
    pred_prob: float
    pred_class: object
    true_class: object
    attr_class: object
    attr_score: float
    raw_input_ids: Sequence[str]
    convergence_score: float


@dataclass(frozen=True)
class Html:
    """Markup that notebooks show as it is."""

    data: str

    def _repr_html_(self) -> str:
        return self.data


def visualize_text(datarecords: Iterable[VisualizationDataRecord], legend: bool = True) -> Html:
    """A table of texts whose words are coloured by their attributions, which should lie in −1…1.

    Shown at once inside IPython; the result has the markup as `data`. All text is escaped.
    """
    heads = ("True class", "Predicted class", "Explained class", "Attribution", "Words")
    head = "".join(f'<th scope="col" style="{HEAD}">{name}</th>' for name in heads)
    rows = "".join(map(_row, datarecords))
    table = f'<table style="{TABLE}"><tr style="background: {PAPER}; border: 0">{head}</tr>{rows}</table>'
    sheet = Html(f'<div {GROUP} style="{SHEET}">{_legend() if legend else ""}{table}</div>')
    _display(sheet)
    return sheet


def format_classname(classname: object) -> str:
    """A table cell with a class."""
    return f'<td style="{CELL}">{html.escape(f"{classname}")}</td>'


def format_special_tokens(token: str) -> str:
    """Tokens in angle brackets as `#name`; others unchanged."""
    return f"#{token[1:-1]}" if token.startswith("<") and token.endswith(">") and len(token) > 1 else token


def format_tooltip(item: str, text: str) -> str:
    """A word with a text that appears when it is pointed at."""
    return f'<abbr title="{html.escape(text)}">{html.escape(item)}</abbr>'


def format_word_importances(words: Sequence[str], importances: Numbers | None) -> str:
    """A table cell with words on a background by importance: blue above zero, red below, near white at zero.

    Each word's number is its tooltip. Importances beyond ±1 have the colour of ±1, those that are no numbers that of 0.
    """
    weights = as_array([] if importances is None else importances, "importances", may_be_empty=True)
    if weights.size == 0:
        return "<td></td>"
    if weights.ndim != 1 or len(weights) < len(words):
        raise AttributionError(f"importances have shape {weights.shape} for {len(words)} words.", "Give one for each.")
    marks = " ".join(_word(word, float(weight)) for word, weight in zip(words, weights, strict=False))
    return f'<td dir="auto" style="{WORDS}">{marks}</td>'


def _word(word: str, weight: float) -> str:
    background = PALETTE.at(0.0 if math.isnan(weight) else weight)
    colors = f"background: {css(background)}; color: {ink_on(background)}"
    title = "not a number" if math.isnan(weight) else _signed(weight)
    return f'<mark title="{title}" style="{colors}; {WORD}">{html.escape(format_special_tokens(word))}</mark>'


def _signed(weight: float) -> str:
    """A number with its sign, as it is printed: +0.5, −0.25, 0."""
    return f"{weight:+.3g}".replace("-", "−") if weight else "0"


def _row(record: VisualizationDataRecord) -> str:
    cells = (
        format_classname(record.true_class),
        format_classname(f"{record.pred_class} ({record.pred_prob:.2f})"),
        format_classname(record.attr_class),
        format_classname(f"{record.attr_score:.2f}".replace("-", "−")),
        format_word_importances(record.raw_input_ids, record.word_attributions),
    )
    return f'<tr style="{ROW}">{"".join(cells)}</tr>'


def _legend() -> str:
    """The colour scale as a continuous bar, with numbers below it and what its sides mean beside it."""
    ends = f"−1 is dark {PALETTE.negative}, against the explained class; +1 is dark {PALETTE.positive}, for it"
    shades = ", ".join(map(css, PALETTE.stops))
    bar = f'<div style="height: 10px; border-radius: 5px; background: linear-gradient(to right, {shades})"></div>'
    ticks = (("left", "−1"), ("center", "0"), ("right", "+1"))
    numbers = "".join(f'<span style="flex: 1; text-align: {side}">{number}</span>' for side, number in ticks)
    below = f'<div style="display: flex; margin-top: 4px">{numbers}</div>'
    return (
        f'<div role="img" aria-label="Colour scale: {ends}" style="display: flex; align-items: flex-start; gap: 10px; '
        f'color: {MUTED}; font-size: 12px; line-height: 1; margin-bottom: 10px">'
        f'<span>against</span><div style="width: 220px">{bar}{below}</div><span>for the explained class</span></div>'
    )


def _display(sheet: Html) -> None:
    ipython = sys.modules.get("IPython")  # where nobody imported it, nobody runs inside it
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(sheet)
