import base64
import contextlib
import json
from typing import Any

import duckdb
import pytest

from app.errors import InsightsError
from app.index.predictions import PredictionIndex, Row
from app.schema import Order, SampleFilter, SampleQuery


@pytest.fixture
def index() -> PredictionIndex:
    """Sample: label, predicted, score — 0: 0,0,.9 · 1: 0,1,.8 · 2: 1,1,.6 · 3: 1,0,.95 · 4: none,1,.5 · 5 failed."""
    found = PredictionIndex()
    rows = [(0, 0, 0.9), (0, 1, 0.8), (1, 1, 0.6), (1, 0, 0.95), (None, 1, 0.5)]
    found.add(
        Row(
            i,
            0,
            label,
            predicted,
            None if label is None else label == predicted,
            [predicted, 1 - predicted],
            [s, 1 - s],
        )
        for i, (label, predicted, s) in enumerate(rows)
    )
    found.add([Row(5, 0, 1, None, None, [], [], '{"type": "E", "message": "m", "hint": ""}')])
    return found


def samples(index: PredictionIndex, **query: object) -> list[int]:
    return index.page(SampleQuery.model_validate(query), 6).samples


def test_everything_in_the_order_given(index: PredictionIndex) -> None:
    assert samples(index) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"outcome": "incorrect"}, [1, 3]),
        ({"outcome": "correct"}, [0, 2]),
        ({"predicted": [1]}, [1, 2, 4]),
        ({"predicted": [0, 1], "actual": [1]}, [2, 3]),
        ({"predicted": [7]}, []),
        ({"score_from": 0.6, "score_below": 0.9}, [0, 1, 2]),  # float32 has 0.6 above and 0.9 below
        ({"score_from": 0.9375}, [3]),
        ({"score_below": 0.5}, []),
        ({"model": 3}, []),
    ],
)
def test_filters(index: PredictionIndex, query: dict[str, object], expected: list[int]) -> None:
    assert samples(index, **query) == expected


@pytest.mark.parametrize(
    ("order", "expected"),
    [("mistakes", [3, 1, 4, 5, 0, 2]), ("confident", [3, 0, 1, 2, 4, 5]), ("uncertain", [5, 4, 2, 1, 0, 3])],
)
def test_orders(index: PredictionIndex, order: Order, expected: list[int]) -> None:
    assert samples(index, order=order) == expected


@pytest.mark.parametrize("order", ["index", "mistakes", "confident", "uncertain"])
def test_pages_follow_each_other_without_gap_or_repeat(index: PredictionIndex, order: Order) -> None:
    whole, cursor, found = samples(index, order=order), "", []
    while True:
        page = index.page(SampleQuery(order=order, limit=2, cursor=cursor), 6)
        assert page.matched == 6
        found += page.samples
        cursor = page.next_cursor
        if cursor is None:
            break
    assert found == whole


@pytest.mark.parametrize("cursor", ["nonsense", "WzFd", "eyJ9", "bnVsbA==", "Mw==", "é"])
def test_a_bad_cursor_is_refused(index: PredictionIndex, cursor: str) -> None:
    with pytest.raises(InsightsError, match="cursor"):
        index.page(SampleQuery(cursor=cursor), 6)


def test_a_cursor_of_another_order_is_refused(index: PredictionIndex) -> None:
    cursor = index.page(SampleQuery(limit=2), 6).next_cursor
    with pytest.raises(InsightsError, match="does not belong to this order"):
        index.page(SampleQuery(order="confident", cursor=cursor), 6)


def test_counts(index: PredictionIndex) -> None:
    counts = index.counts(SampleFilter(predicted=[1]), 6)
    assert (counts.matched, counts.correct, counts.incorrect, counts.unlabelled) == (3, 2, 2, 1)
    assert counts.predicted == {0: 2, 1: 3}
    assert counts.actual == {0: 2, 1: 3}
    assert counts.confusion == [(0, 0, 1), (0, 1, 1), (1, 0, 1), (1, 1, 1)]
    assert sum(count for _, _, count in counts.scores) == 5


def test_predictions_keep_scores_and_errors(index: PredictionIndex) -> None:
    found = index.predictions([1, 5])
    assert found[1][0].classes == [1, 0]
    assert found[1][0].scores == pytest.approx([0.8, 0.2])
    assert found[5][0].error is not None


def test_scores_that_are_missing_are_kept_as_missing() -> None:
    index = PredictionIndex()
    index.add([Row(0, 0, None, None, None, [0, 1], [None, None])])
    assert index.predictions([0])[0][0].scores == [None, None]
    assert index.page(SampleQuery(order="confident"), 1).samples == [0]


def test_every_answer_is_about_the_first_so_many_samples(index: PredictionIndex) -> None:
    """So that a page and its counts are of one moment, however far reading has gone meanwhile."""
    counts = index.counts(SampleFilter(predicted=[1]), 4)
    page = index.page(SampleQuery(predicted=[1]), 4)
    assert page.samples == [1, 2]
    assert (page.matched, counts.matched) == (2, 2)
    assert (counts.correct, counts.incorrect, counts.unlabelled) == (2, 2, 0)
    assert sum(count for _, _, count in counts.confusion) == sum(count for _, _, count in counts.scores) == 4


def test_rows_without_any_label_or_score_are_columns_too() -> None:
    index = PredictionIndex()
    index.add([Row(n, 0, None, None, None, [], [], '{"type": "E", "message": "m", "hint": ""}') for n in range(3)])
    index.add([Row(3, 0, 2**40, 1, False, [1, 2**40], [0.5, None])])
    assert index.page(SampleQuery(), 4).matched == 4
    assert index.predictions([3])[3][0].classes == [1, 2**40]
    assert index.counts(SampleFilter(), 4).actual == {2**40: 1}


HOSTILE = "0); drop table prediction; --"


@pytest.mark.parametrize(
    "query",
    [
        {"model": HOSTILE},
        {"predicted": [HOSTILE]},
        {"actual": [HOSTILE]},
        {"limit": HOSTILE},
        {"outcome": HOSTILE},
        {"order": HOSTILE},
        {"cursor": base64.urlsafe_b64encode(json.dumps(["index", HOSTILE]).encode()).decode()},
    ],
)
def test_no_value_of_a_request_is_ever_a_part_of_the_sql(index: PredictionIndex, query: dict[str, Any]) -> None:
    """Also where it came in past the checks at the door."""
    with contextlib.suppress(InsightsError, duckdb.Error, KeyError, TypeError):
        assert index.page(SampleQuery.model_construct(**query), 6).samples in ([], [1, 3])
    assert samples(index) == [0, 1, 2, 3, 4, 5]


def test_no_name_is_ever_a_part_of_the_sql(index: PredictionIndex) -> None:
    index.add([Row(6, 0, 1, 1, True, [1], [0.5], f"'{HOSTILE}")])
    assert index.predictions([6])[6][0].error == f"'{HOSTILE}"
    assert index.page(SampleQuery(), 7).matched == 7


def test_the_same_question_is_asked_of_the_database_once(index: PredictionIndex) -> None:
    query = SampleQuery(order="mistakes", limit=2)
    page, counts = index.page(query, 6), index.counts(query, 6)
    index._connection.execute("delete from prediction")  # so that nobody else could answer
    assert (index.page(query, 6), index.counts(query, 6)) == (page, counts)
    assert index.page(query, 5).samples == []


def test_a_closed_index_says_so(index: PredictionIndex) -> None:
    index.close()
    with pytest.raises(InsightsError, match="the visualizer is closed"):
        index.counts(SampleFilter(), 6)


def regression(number: int, output: float | None, truth: float | None) -> Row:
    return Row(number, 0, None, None, None, [0], [output], None, truth)


def test_a_regression_is_off_by_its_residuals() -> None:
    index = PredictionIndex()
    index.add([regression(0, 2.0, 1.5), regression(1, -1.0, 3.0), regression(2, 8.0, None), regression(3, None, 1.0)])
    assert samples(index, order="mistakes") == [1, 0, 2, 3]
    assert index.counts(SampleFilter(), 4).error == pytest.approx((0.5 + 4) / 2)
    assert [rows[0].residual for rows in index.predictions([0, 1, 2, 3]).values()] == [0.5, -4, None, None]
