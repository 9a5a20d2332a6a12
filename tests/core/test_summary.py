"""Summaries: against numpy, against Captum, and where Captum is wrong."""

from __future__ import annotations

import captum.attr
import numpy as np
import pytest
import torch

from attribution_core import AttributionError, summary
from attribution_core.summary import (
    MSE,
    ClassSummarizer,
    CommonStats,
    Count,
    Max,
    Mean,
    Min,
    StdDev,
    Sum,
    Summarizer,
    SummarizerSingleTensor,
    Var,
)

X = torch.randn(7, 2, 3, generator=torch.Generator().manual_seed(0))
ALL = ["Count", "Max", "Mean", "Min", "MSE", "StdDev", "Sum", "Var"]


def summarized(summarizer, *updates):
    for update in updates:
        summarizer.update(update)
    return summarizer.summary


def test_against_numpy():
    found = summarized(
        Summarizer([Count(), Mean(), MSE(), Var(), Var(order=1), StdDev(order=2), Min(), Max(), Sum()]), *X
    )
    x = X.double().numpy()
    expected = {
        "count": 7,
        "mean": x.mean(0),
        "mse": ((x - x.mean(0)) ** 2).sum(0),
        "variance": x.var(0),
        "sample_variance": x.var(0, ddof=1),
        "std_dev(2)": x.std(0, ddof=2),
        "min": x.min(0),
        "max": x.max(0),
        "sum": x.sum(0),
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-6, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
@pytest.mark.parametrize("of_tuple", [False, True])
def test_like_captum(count, dtype, of_tuple):
    updates = [(x, x.flatten()) if of_tuple else x for x in (X[:count] * 10).to(dtype)]
    ours = summarized(Summarizer([*CommonStats(), *(getattr(summary, name)() for name in ALL)]), *updates)
    stats = [*captum.attr.CommonStats(), *(getattr(captum.attr, name)() for name in ALL)]
    theirs = summarized(captum.attr.Summarizer(stats), *updates)
    if count == 0:
        assert ours is theirs is None
        return
    for our, their in zip(*([s] if not of_tuple else s for s in (ours, theirs)), strict=True):
        assert our.keys() == their.keys()
        for name in our:
            torch.testing.assert_close(our[name], their[name], check_dtype=count > 1, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "labels", [None, 1, "cat", [0, 1, 0, 1], ["a", "b", "b", "b"], [(0, 1), (1, 0), (0, 1), (2, 2)]]
)
@pytest.mark.parametrize("of_tuple", [False, True])
def test_classes_like_captum(labels, of_tuple):
    ours, theirs = (
        ClassSummarizer([Sum(), Count()]),
        captum.attr.ClassSummarizer([captum.attr.Sum(), captum.attr.Count()]),
    )
    for x in (X[:4], X[1:5]):
        for summarizer in (ours, theirs):
            summarizer.update((x, x * 2) if of_tuple else x, labels)
    torch.testing.assert_close(ours.summary, theirs.summary)
    assert ours.class_summaries.keys() == theirs.class_summaries.keys()
    for label, found in theirs.class_summaries.items():
        torch.testing.assert_close(ours.class_summaries[label], found)


@pytest.mark.parametrize("labels", [torch.tensor([0, 1, 0, 1]), [torch.tensor(k) for k in (0, 1, 0, 1)]])
def test_classes_of_tensors_are_their_numbers(labels):
    found = ClassSummarizer([Count()])
    found.update(X[:4], labels)
    assert found.class_summaries == {0: [{"count": 2}], 1: [{"count": 2}]}
    rows = ClassSummarizer([Count()])
    rows.update(X[:3], torch.tensor([[0, 1], [1, 0], [0, 1]]))
    assert rows.class_summaries == {(0, 1): [{"count": 2}], (1, 0): [{"count": 1}]}
    one = ClassSummarizer([Count()])
    one.update(X[:3], torch.tensor(2))
    assert one.class_summaries == {2: [{"count": 3}]}


def test_a_summary_shares_no_memory_and_keeps_no_graph():
    x = torch.ones(2, requires_grad=True)
    kept = Summarizer([Sum(), Max(), Mean(), Var()])
    kept.update(x)
    for value in kept.summary.values():
        assert not value.requires_grad
        value.add_(100)
    assert x.tolist() == [1, 1]
    assert kept.summary["sum"].tolist() == kept.summary["mean"].tolist() == [1, 1]


def test_precise_far_from_zero_and_in_half_precision():
    values = [1e4 + k / 8 for k in range(8)]
    found = summarized(Summarizer([Var()]), *(torch.tensor([v]) for v in values))
    assert found["variance"].item() == pytest.approx(np.var(values), rel=1e-6)
    half = summarized(Summarizer([Sum(), Mean()]), *[torch.full((1,), 300.0, dtype=torch.float16)] * 400)
    assert half["sum"].item() == 120000
    assert half["mean"].item() == 300


def test_stats_are_patterns():
    stats = [Mean()]
    first, second = Summarizer(stats), Summarizer(stats)
    assert summarized(first, X[0]) is not summarized(second, X[1])
    torch.testing.assert_close(first.summary["mean"], X[0])
    assert summarized(Summarizer([Mean(), Mean("other")]), X[0]).keys() == {"mean", "other"}
    assert Mean("a") == Mean("b") != Sum()
    assert hash(Var(order=1)) == hash(Var(order=1))
    assert Var() != Var(order=1)
    assert Max() != Max(max_fn=torch.fmax)


def test_single_tensor_and_stats_alone():
    kept = SummarizerSingleTensor([Mean(), Count(), Max()], [2, 0])
    assert kept.summary == {"max": None, "mean": None}
    kept.update(X[0])
    assert list(kept.summary) == ["max", "mean"]
    assert kept.get(Count()).get() == 1
    assert kept.get(Sum()) is None
    alone = Var(order=1)
    assert alone.get() is None
    alone.update(X[0])
    alone.update(X[1])
    torch.testing.assert_close(alone.get(), X[:2].double().var(0))
    assert Count().get() is None


def test_own_functions_numbers_empty_and_nan():
    assert summarized(Summarizer([Sum("product", torch.mul)]), 2.0, 3)["product"].item() == 6
    assert summarized(Summarizer(CommonStats()), torch.ones(0, 3))["mean"].shape == (0, 3)
    assert summarized(Summarizer([Mean()]), torch.tensor([1.0, np.nan]))["mean"][0] == 1
    assert summarized(Summarizer([]), X) == {}


@pytest.mark.parametrize(
    ("attempt", "words"),
    [
        (lambda: Summarizer([3]), "list of statistics"),
        (lambda: Summarizer(Mean()), "list of statistics"),
        (lambda: Var(order=-1), "integer ≥ 0"),
        (lambda: summarized(Summarizer([Mean()]), "x"), "str"),
        (lambda: summarized(Summarizer([Mean()]), X, (X, X)), "a tuple of 2"),
        (lambda: summarized(Summarizer([Mean()]), (X,), (X, X)), "a tuple of 1"),
        (lambda: summarized(Summarizer([Sum()]), X, X[:, :1]), "one shape"),
        (lambda: summarized(Summarizer([Mean()]), X, X[0]), "one shape"),
        (lambda: ClassSummarizer([Mean()]).update(X, [0, 1]), "2 labels"),
        (lambda: ClassSummarizer([Mean()]).update((X, X[:2]), 0), "[7, 2] rows"),
        (lambda: ClassSummarizer([Mean()]).update(torch.tensor(1.0), [0, 1]), "[0] rows"),
    ],
)
def test_refused(attempt, words):
    with pytest.raises(AttributionError) as error:
        attempt()
    assert words in str(error.value)
