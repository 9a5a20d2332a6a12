"""The predictions of every model on every sample seen so far: filter, sort, page, summarise (DuckDB, in memory)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite
from threading import Lock
from typing import Any, TypeVar

import duckdb
from cachetools import LRUCache
from pydantic_core import from_json

from app.errors import InsightsError
from app.schema import EXACT, Order, SampleFilter, SampleQuery

Value = int | float | list[int]
Key = TypeVar("Key")

ANSWERED = 50_000  # rows of answers that are kept: what several pages ask for is asked of the database once
BEST = 10  # classes kept of each prediction, besides the true one
BINS = 20

_COLUMNS = {
    "sample": "integer",
    "model": "integer",
    "label": "bigint",
    "predicted": "integer",
    "score": "float",
    "correct": "boolean",
    "classes": "bigint[]",
    "scores": "float[]",
    "error": "varchar",
    "truth": "double",
}
_TABLE = f"create table prediction ({', '.join(map(' '.join, _COLUMNS.items()))}, primary key (model, sample))"
_INSERT = f"insert into prediction select {', '.join(f'unnest(?::{kind}[])' for kind in _COLUMNS.values())}"

_ALL = "model = ? and sample < ?"
_RANK = "case when correct is false then 0 when correct is null then 1 else 2 end"
_SCORE = "coalesce(score, -3e38)"
_ERROR = "coalesce(abs(score - truth), -1)"  # of a regression
_ORDERS: dict[Order, list[str]] = {
    "index": ["sample"],
    "mistakes": [_RANK, f"-{_ERROR}", f"-{_SCORE}", "sample"],
    "confident": [f"-{_SCORE}", "sample"],
    "uncertain": [_SCORE, "sample"],
}


@dataclass(frozen=True)
class Row:
    """A model's prediction on a sample: the best classes with their scores, or the error that prevented it (JSON).

    `truth` is what a regression should have given.
    """

    sample: int
    model: int
    label: int | None
    predicted: int | None
    correct: bool | None
    classes: list[int]
    scores: list[float | None]
    error: str | None = None
    truth: float | None = None

    @property
    def residual(self) -> float | None:
        """How far a regression's output lies above what is true."""
        return None if self.score is None or self.truth is None else self.score - self.truth

    @property
    def score(self) -> float | None:
        """The score of the predicted class."""
        return self.scores[0] if self.scores else None


@dataclass(frozen=True)
class Page:
    """Samples in order, where the next page starts, and how many match in all."""

    samples: list[int]
    next_cursor: str | None
    matched: int


@dataclass(frozen=True)
class Counts:
    """Counts over the samples of one model."""

    matched: int
    correct: int
    incorrect: int
    unlabelled: int
    predicted: dict[int, int]
    actual: dict[int, int]
    confusion: list[tuple[int, int, int]]
    scores: list[tuple[int, bool | None, int]]
    low: float
    high: float
    error: float | None


class PredictionIndex:
    """Rows are added as the data is scanned; every question is answered from the first so many samples.

    Samples come in their order and never change, so that all answers about the same number of them agree, and can be
    kept.
    """

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute(_TABLE)
        self._answered: LRUCache[str, list[object]] = LRUCache(ANSWERED, getsizeof=lambda rows: 1 + len(rows))
        self._lock = Lock()

    def add(self, rows: Iterable[Row]) -> None:
        """Add predictions; all become visible at once."""
        rows = list(rows)
        if rows:
            self._connection.cursor().execute(_INSERT, [[getattr(row, name) for row in rows] for name in _COLUMNS])

    def page(self, query: SampleQuery, scanned: int) -> Page:
        """The samples that match, from the cursor on."""
        where, values = _where(query, scanned)
        keys = _ORDERS[query.order]
        matched = self._rows(f"select count(*) from prediction where {where}", values)[0][0]
        after, place = _after(query, keys)
        rows = self._rows(
            f"select sample, {', '.join(keys)} from prediction where {where}{after} order by {', '.join(keys)} limit ?",
            [*values, *place, query.limit + 1],
        )
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = _encode(query.order, rows[-1][1:]) if more else None
        return Page([row[0] for row in rows], cursor, matched)

    def predictions(self, samples: list[int]) -> dict[int, list[Row]]:
        """Every model's prediction for each of these samples."""
        columns = "sample, model, label, predicted, correct, classes, scores, error, truth"
        rows = self._rows(
            f"select {columns} from prediction where sample in (select unnest(?::integer[])) order by model", [samples]
        )
        result: dict[int, list[Row]] = {sample: [] for sample in samples}
        for row in rows:
            result[row[0]].append(Row(*row))
        return result

    def counts(self, query: SampleFilter, scanned: int) -> Counts:
        """How many match, and over all samples of the model: outcomes, classes, confusion, scores, mean error."""
        where, values = _where(query, scanned)
        matched = self._rows(f"select count(*) from prediction where {where}", values)[0][0]
        cells = self._rows(
            f"select label, predicted, correct, count(*) from prediction where {_ALL} group by all order by all",
            [query.model, scanned],
        )
        low, high, bins = self._histogram(query.model, scanned)
        outcomes = _sums((correct, n) for _, _, correct, n in cells)
        labels = _sums((label, n) for label, _, _, n in cells)
        return Counts(
            matched=matched,
            correct=outcomes.get(True, 0),
            incorrect=outcomes.get(False, 0),
            unlabelled=labels.pop(None, 0),
            predicted=_sums((predicted, n) for _, predicted, _, n in cells if predicted is not None),
            actual=labels,
            confusion=[(a, p, n) for a, p, _, n in cells if a is not None and p is not None],
            scores=bins,
            low=low,
            high=high,
            error=self._rows(f"select avg(abs(score - truth)) from prediction where {_ALL}", [query.model, scanned])[0][
                0
            ],
        )

    def _histogram(self, model: int, scanned: int) -> tuple[float, float, list[tuple[int, bool | None, int]]]:
        """Its ends, and counts by bin and outcome; from 0 to 1 where no score is beyond."""
        low, high = self._rows(f"select min(score), max(score) from prediction where {_ALL}", [model, scanned])[0]
        low, high = (0.0, 1.0) if low is None or (low >= 0 and high <= 1) else (low, high)
        bins = self._rows(
            f"select least({BINS - 1}, floor((score - ?) / ? * {BINS}))::integer, correct, count(*) "
            f"from prediction where {_ALL} and score is not null group by all",
            [low, (high - low) or 1.0, model, scanned],
        )
        return low, high, bins

    def _rows(self, sql: str, values: list[Value]) -> list[Any]:
        """The rows of a question about samples that are there; they are kept, and not to be changed."""
        question = f"{sql} {values}"
        with self._lock:
            known = self._answered.get(question)
        return self._asked(question, sql, values) if known is None else known

    def _asked(self, question: str, sql: str, values: list[Value]) -> list[Any]:
        try:
            rows: list[Any] = self._connection.cursor().execute(sql, values).fetchall()
        except duckdb.ConnectionException as error:
            raise InsightsError("the visualizer is closed", hint="make a new one") from error
        with self._lock:
            if len(rows) < ANSWERED:
                self._answered[question] = rows
        return rows

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()
        with self._lock:
            self._answered.clear()


def _sums(counts: Iterable[tuple[Key, int]]) -> dict[Key, int]:
    result: dict[Key, int] = {}
    for key, count in counts:
        result[key] = result.get(key, 0) + count
    return result


def _where(query: SampleFilter, scanned: int) -> tuple[str, list[Value]]:
    clauses, values = [_ALL], list[Value]([query.model, scanned])
    for column, chosen in (("predicted", query.predicted), ("label", query.actual)):
        if chosen:
            clauses.append(f"list_contains(?, {column})")
            values.append(chosen)
    if query.outcome != "all":
        clauses.append("correct" if query.outcome == "correct" else "not correct")
    for bound, holds in ((query.score_from, "score >= ?"), (query.score_below, "score < ?")):
        if bound is not None:
            clauses.append(holds)
            values.append(bound)
    return " and ".join(clauses), values


def _after(query: SampleQuery, keys: list[str]) -> tuple[str, list[Value]]:
    if not query.cursor:
        return "", []
    place = _decode(query.order, query.cursor)
    if len(place) != len(keys):
        raise _bad_cursor()
    return f" and ({', '.join(keys)}) > ({', '.join('?' * len(keys))})", place


def _encode(order: Order, place: tuple[float, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode()


def _decode(order: Order, cursor: str) -> list[Value]:
    try:
        found = from_json(base64.urlsafe_b64decode(cursor))
    except ValueError as error:
        raise _bad_cursor() from error
    if not isinstance(found, list) or found[:1] != [order] or not all(map(_is_place, found[1:])):
        raise _bad_cursor()
    return found[1:]


def _is_place(value: object) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= EXACT


def _bad_cursor() -> InsightsError:
    return InsightsError("this cursor does not belong to this order", hint="start again without a cursor", status=422)
