"""The predictions of every model on every sample seen so far: filter, sort, page, summarise (DuckDB, in memory)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import duckdb

from app.errors import InsightsError
from app.schema import Order, SampleFilter, SampleQuery

BEST = 10
BINS = 20

_TABLE = """
create table prediction (
    sample integer, model integer, label integer, predicted integer, score float, correct boolean,
    classes integer[], scores float[], error varchar, primary key (model, sample)
)"""

_RANK = "case when correct is false then 0 when correct is null then 1 else 2 end"
_SCORE = "coalesce(score, -3e38)"
_ORDERS: dict[Order, list[str]] = {
    "index": ["sample"],
    "mistakes": [_RANK, f"-{_SCORE}", "sample"],
    "confident": [f"-{_SCORE}", "sample"],
    "uncertain": [_SCORE, "sample"],
}


@dataclass(frozen=True)
class Row:
    """A model's prediction on a sample: the best classes with their scores, or the error that prevented it (JSON)."""

    sample: int
    model: int
    label: int | None
    predicted: int | None
    correct: bool | None
    classes: list[int]
    scores: list[float | None]
    error: str | None = None

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


class PredictionIndex:
    """Rows are added as the data is scanned; every question is answered from what is there."""

    def __init__(self) -> None:
        self._connection = duckdb.connect(":memory:")
        self._connection.execute(_TABLE)

    def add(self, rows: Iterable[Row]) -> None:
        """Add predictions; all become visible at once."""
        values = [
            (r.sample, r.model, r.label, r.predicted, r.score, r.correct, r.classes, r.scores, r.error) for r in rows
        ]
        if values:
            cursor = self._connection.cursor()
            cursor.begin()
            cursor.executemany(f"insert into prediction values ({', '.join('?' * 9)})", values)
            cursor.commit()

    def page(self, query: SampleQuery) -> Page:
        """The samples that match, from the cursor on."""
        where, values = _where(query)
        keys = _ORDERS[query.order]
        matched = self._rows(f"select count(*) from prediction where {where}", values)[0][0]
        after, place = _after(query, keys)
        rows = self._rows(
            f"select sample, {', '.join(keys)} from prediction where {where}{after} "
            f"order by {', '.join(keys)} limit {query.limit + 1}",
            values + place,
        )
        more = len(rows) > query.limit
        rows = rows[: query.limit]
        cursor = _encode(query.order, rows[-1][1:]) if more else None
        return Page([row[0] for row in rows], cursor, matched)

    def predictions(self, samples: list[int]) -> dict[int, list[Row]]:
        """Every model's prediction for each of these samples."""
        columns = "sample, model, label, predicted, correct, classes, scores, error"
        rows = self._rows(f"select {columns} from prediction where list_contains(?, sample) order by model", [samples])
        found: dict[int, list[Row]] = {sample: [] for sample in samples}
        for row in rows:
            found[row[0]].append(Row(*row))
        return found

    def counts(self, query: SampleFilter) -> Counts:
        """How many match, and over all samples of the model: outcomes, classes, confusion, histogram of scores."""
        where, values = _where(query)
        model = [query.model]
        matched = self._rows(f"select count(*) from prediction where {where}", values)[0][0]
        outcomes = dict(self._rows("select correct, count(*) from prediction where model = ? group by 1", model))
        low, high = self._rows("select min(score), max(score) from prediction where model = ?", model)[0]
        low, high = (0.0, 1.0) if low is None or (low >= 0 and high <= 1) else (low, high)
        return Counts(
            matched=matched,
            correct=outcomes.get(True, 0),
            incorrect=outcomes.get(False, 0),
            unlabelled=self._rows("select count(*) from prediction where model = ? and label is null", model)[0][0],
            predicted=self._by("predicted", query.model),
            actual=self._by("label", query.model),
            confusion=self._rows(
                "select label, predicted, count(*) from prediction where model = ? and label is not null and "
                "predicted is not null group by all order by all",
                model,
            ),
            scores=self._rows(
                f"select least({BINS - 1}, floor((score - ?) / ? * {BINS}))::integer, correct, count(*) "
                "from prediction where model = ? and score is not null group by all",
                [low, (high - low) or 1.0, query.model],
            ),
            low=low,
            high=high,
        )

    def _by(self, column: str, model: int) -> dict[int, int]:
        return dict(
            self._rows(
                f"select {column}, count(*) from prediction where model = ? and {column} is not null group by 1",
                [model],
            )
        )

    def _rows(self, sql: str, values: list[Any]) -> list[Any]:
        return self._connection.cursor().execute(sql, values).fetchall()

    def close(self) -> None:
        """Free the memory."""
        self._connection.close()


def _where(query: SampleFilter) -> tuple[str, list[Any]]:
    clauses, values = ["model = ?"], [query.model]
    for column, chosen in (("predicted", query.predicted), ("label", query.actual)):
        if chosen:
            clauses.append(f"list_contains(?, {column})")
            values.append(chosen)  # type: ignore[arg-type]  # DuckDB takes lists as values
    if query.outcome != "all":
        clauses.append("correct" if query.outcome == "correct" else "not correct")
    return " and ".join(clauses), values


def _after(query: SampleQuery, keys: list[str]) -> tuple[str, list[Any]]:
    if query.cursor is None:
        return "", []
    place = _decode(query.order, query.cursor)
    if len(place) != len(keys):
        raise _bad_cursor()
    return f" and ({', '.join(keys)}) > ({', '.join('?' * len(keys))})", place


def _encode(order: Order, place: tuple[Any, ...]) -> str:
    return base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode()


def _decode(order: Order, cursor: str) -> list[Any]:
    try:
        stored, *place = json.loads(base64.urlsafe_b64decode(cursor))
    except ValueError as error:
        raise _bad_cursor() from error
    if stored != order or not all(isinstance(value, int | float) for value in place):
        raise _bad_cursor()
    return list(place)


def _bad_cursor() -> InsightsError:
    return InsightsError("this cursor does not belong to this order", hint="start again without a cursor", status=422)
