"""Attributions of words, as a table in a notebook."""

from __future__ import annotations

import html
import math
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from attribution_core.errors import AttributionError
from attribution_core.visualization.scale import as_array

BLUE, RED = 215, 0
"""Hues of words for the score and against it; black on any of their shades used here has a contrast above 5."""


@dataclass(slots=True)
class VisualizationDataRecord:
    """A row of `visualize_text`: attributions of the words (N,), and what the model said of the text."""

    word_attributions: Any
    pred_prob: float
    pred_class: Any
    true_class: Any
    attr_class: Any
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
    heads = ("True Label", "Predicted Label", "Attribution Label", "Attribution Score", "Word Importance")
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    rows = "".join(map(_row, datarecords))
    table = Html(f'{_legend() if legend else ""}<table style="width: 100%"><tr>{head}</tr>{rows}</table>')
    _display(table)
    return table


def format_classname(classname: Any) -> str:
    """A table cell with a class."""
    return f'<td><span style="padding-right:2em"><b>{html.escape(f"{classname}")}</b></span></td>'


def format_special_tokens(token: str) -> str:
    """Tokens in angle brackets as `#name`; others unchanged."""
    return f"#{token[1:-1]}" if token.startswith("<") and token.endswith(">") and len(token) > 1 else token


def format_tooltip(item: str, text: str) -> str:
    """A word with a text that appears when it is pointed at."""
    return (
        f'<div class="tooltip" title="{html.escape(text)}">{html.escape(item)}'
        f'<span class="tooltiptext">{html.escape(text)}</span></div>'
    )


def format_word_importances(words: Sequence[str], importances: Any) -> str:
    """A table cell with words on a background by importance: blue above zero, red below, white at zero."""
    if importances is None or len(importances) == 0:
        return "<td></td>"
    weights = as_array(importances, "importances")
    if weights.ndim != 1 or len(weights) < len(words):
        raise AttributionError(f"importances have shape {weights.shape} for {len(words)} words.", "Give one for each.")
    return f"<td>{''.join(_word(word, float(weight)) for word, weight in zip(words, weights, strict=False))}</td>"


def _word(word: str, weight: float) -> str:
    return (
        f'<mark title="{weight:+.3g}" style="background-color: {_color(weight)}; color: black; line-height: 1.75">'
        f" {html.escape(format_special_tokens(word))} </mark>"
    )


def _color(weight: float) -> str:
    """White at zero, and at ±1 the lightest shade on which both hues look equally strong."""
    size = 0.0 if math.isnan(weight) else min(1.0, abs(weight))
    hue = BLUE if weight > 0 else RED
    return f"hsl({hue}, 75%, {100 - int(40 * size)}%)"


def _row(record: VisualizationDataRecord) -> str:
    cells = (
        format_classname(record.true_class),
        format_classname(f"{record.pred_class} ({record.pred_prob:.2f})"),
        format_classname(record.attr_class),
        format_classname(f"{record.attr_score:.2f}"),
        format_word_importances(record.raw_input_ids, record.word_attributions),
    )
    return f"<tr>{''.join(cells)}</tr>"


def _legend() -> str:
    parts = (
        f'<span style="display: inline-block; width: 10px; height: 10px; border: 1px solid; '
        f'background-color: {_color(weight)}"></span> {name} '
        for name, weight in (("Negative", -1.0), ("Neutral", 0.0), ("Positive", 1.0))
    )
    return (
        f'<div style="border-top: 1px solid; margin-top: 5px; padding-top: 5px"><b>Legend: </b>{"".join(parts)}</div>'
    )


def _display(table: Html) -> None:
    ipython = sys.modules.get("IPython")  # where nobody imported it, nobody runs inside it
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(table)
