"""Linear surrogates: against slow replicas and scikit-learn; their memory, progress and cancellation."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import linear_model
from torch import Tensor

from attribution_core import AttributionError, AttributionWarning, Lime, observe
from attribution_core.evaluation.observe import Cancelled
from attribution_core.methods import coalitions, factor, lasso, regression, surrogate
from attribution_core.methods.coalitions import halves
from attribution_core.methods.linear import Lasso, LinearModel, LinearRegression, Ridge

Problem = tuple[Tensor, Tensor, Tensor]


def problem(rows: int, columns: int, dependent: bool = False) -> Problem:
    """Features of coalitions, scores of standard deviation 1 with interactions, and weights."""
    random = torch.Generator().manual_seed(rows)
    x = halves(columns, rows, random).double() if dependent else torch.rand(rows, columns, generator=random) < 0.5
    slopes = torch.randn(columns, generator=random).double()
    y = torch.tanh(x @ slopes) + x.double() @ slopes if dependent else x.double() @ slopes + torch.randn(rows)
    return x, ((y - y.mean()) / y.std())[:, None], 0.1 + torch.rand(rows, 1, generator=random).double()


def by_coordinates(x: Tensor, y: Tensor, w: Tensor, alpha: float) -> Tensor:
    """One coefficient after the other, until nothing changes (Friedman, Hastie & Tibshirani 2010)."""
    share = (w / w.sum())[:, 0]
    x, y = x.double(), y[:, 0].double()
    x, left = x - share @ x, y - share @ y
    found = torch.zeros(x.shape[1], dtype=torch.double)
    for _ in range(100_000):
        before = found.clone()
        for j in range(len(found)):
            slope = (share * x[:, j]) @ left + (share * x[:, j] ** 2).sum() * found[j]
            size = (slope.abs() - alpha).clamp(min=0) / (share * x[:, j] ** 2).sum()
            left += x[:, j] * (found[j] - slope.sign() * size)
            found[j] = slope.sign() * size
        if (found - before).abs().max() < 1e-12:
            return found
    raise AssertionError("it did not settle")


@pytest.mark.parametrize(("rows", "columns"), [(40, 6), (30, 12), (12, 8)])
@pytest.mark.parametrize("alpha", [0.003, 0.1])
def test_lasso_is_that_of_coordinate_descent(rows: int, columns: int, alpha: float) -> None:
    x, y, w = problem(rows, columns)
    torch.testing.assert_close(
        Lasso(alpha).coefficients(x, y, w)[:, 0], by_coordinates(x, y, w, alpha), rtol=1e-7, atol=1e-9
    )


def theirs(x: Tensor, y: Tensor, w: Tensor, alpha: float) -> Any:
    model = linear_model.Lasso(alpha=alpha, tol=1e-12, max_iter=1_000_000)
    return model.fit(x.numpy(), y[:, 0].numpy(), sample_weight=w[:, 0].numpy())


def height(x: Tensor, y: Tensor, w: Tensor, alpha: float, coefficients: Tensor) -> float:
    """What the lasso minimizes."""
    share, left = (w / w.sum())[:, 0], y[:, 0] - x.double() @ coefficients
    return float(share @ (left - share @ left) ** 2) / 2 + alpha * float(coefficients.abs().sum())


@pytest.mark.parametrize(("rows", "columns"), [(120, 100), (60, 150), (24, 400)])
@pytest.mark.parametrize("alpha", [1e-4, 0.01, 0.3])
def test_no_other_coefficients_are_better(
    rows: int, columns: int, alpha: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Complements in pairs: features depend on each other, and several solutions may be equally good."""
    x, y, w = problem(rows, columns, dependent=True)
    expected = height(x, y, w, alpha, torch.tensor(theirs(x, y, w, alpha).coef_))
    for room in (lasso.ROOM, 1):
        monkeypatch.setattr(lasso, "ROOM", room)
        monkeypatch.setattr(lasso, "SPARE", 8)
        found = Lasso(alpha).coefficients(x, y, w)[:, 0]
        assert height(x, y, w, alpha, found) <= expected * (1 + 1e-9)
        assert (found != 0).sum() <= columns


def test_a_fit_that_takes_too_long_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lasso, "MOST_STEPS", 20)
    with pytest.warns(AttributionWarning, match="stopped before its end"):
        Lasso(1e-6).coefficients(*problem(60, 150, dependent=True))


def test_equal_features_share_what_is_theirs() -> None:
    x, y, w = problem(12, 5)
    once = Lasso(0.01).coefficients(x, y, w)
    twice = Lasso(0.01).coefficients(x[:, [0, 1, 1, 2, 3, 1, 4]], y, w)
    torch.testing.assert_close(twice[[1, 2, 5]], (once[1] / 3).expand(3, 1))
    torch.testing.assert_close(twice[[0, 3, 4, 6]], once[[0, 2, 3, 4]])


def test_complements_share_with_opposite_signs() -> None:
    x, y, w = problem(12, 5)
    once = Lasso(0.01).coefficients(x, y, w)
    with_complement = torch.cat([x, ~x[:, 1:2]], 1)
    shared = Lasso(0.01).coefficients(with_complement, y, w)
    torch.testing.assert_close(shared[[1, 5]], torch.stack([once[1] / 2, -once[1] / 2]))
    torch.testing.assert_close(shared[[0, 2, 3, 4]], once[[0, 2, 3, 4]])


def test_features_of_any_scale_and_those_that_do_not_differ() -> None:
    x, y, w = problem(50, 6)
    x = x.double() * torch.tensor([1e-3, 1, 1e3, 1, 1, 0]) + torch.tensor([0, 7, 0, 0, 0, 3])
    found = Lasso(0.01).coefficients(x, y, w)[:, 0]
    expected = theirs(x, y, w, 0.01)
    torch.testing.assert_close(found, torch.tensor(expected.coef_), rtol=1e-6, atol=1e-12)
    assert found[5] == 0


@pytest.mark.parametrize(("rows", "columns"), [(30, 8), (8, 30), (12, 12)])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_least_squares_in_the_smaller_form(rows: int, columns: int, alpha: float) -> None:
    x, y, w = problem(rows, columns)
    share = w / w.sum()
    z, t = (share.sqrt() * (v - (share * v).sum(0)) for v in (x.double(), y))
    expected = torch.linalg.pinv(z.T @ z + alpha * torch.eye(columns).double(), rtol=1e-10, hermitian=True) @ z.T @ t
    model = Ridge(alpha) if alpha else LinearRegression()
    torch.testing.assert_close(model.coefficients(x, y, w), expected, rtol=1e-8, atol=1e-10)


def test_factors_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(factor, "STEP", 3)
    some = np.random.default_rng(0).normal(size=(10, 10))
    matrix = some @ some.T
    lower = factor.factor(matrix.copy())
    np.testing.assert_allclose(lower, np.linalg.cholesky(matrix), atol=1e-10)
    np.testing.assert_allclose(factor.solved(lower, some), np.linalg.solve(matrix, some), rtol=1e-6)
    with pytest.raises(np.linalg.LinAlgError):
        factor.factor(-matrix)


MODELS: list[LinearModel] = [Lasso(0.001), Ridge(0.1), LinearRegression()]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(("samples", "features"), [(60, 20), (20, 60)])
def test_a_fit_can_be_stopped_at_any_moment(
    model: LinearModel, samples: int, features: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (regression, coalitions):
        monkeypatch.setattr(module, "BLOCK", 128)
    monkeypatch.setattr(factor, "STEP", 4)
    x, passes, asked, limit = torch.rand(1, features), 0, 0, 10**9

    def score(x: Tensor) -> Tensor:
        nonlocal passes
        passes += 1
        return x.sum(1) + x.prod(1)

    def cancelled() -> bool:
        nonlocal asked
        asked += passes == 1
        return asked >= limit

    def ask() -> None:
        nonlocal passes, asked
        passes = asked = 0
        with observe(cancelled=cancelled):
            Lime(score, model).attribute(x, n_samples=samples, seed=0)

    ask()
    assert asked > 8
    for limit in range(1, asked + 1, 1 + asked // 30):  # noqa: B007 - read by `cancelled`
        with pytest.raises(Cancelled):
            ask()


@pytest.mark.parametrize(("samples", "features"), [(60, 20), (20, 60)])
def test_progress_goes_on_during_the_fit(samples: int, features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (regression, coalitions):
        monkeypatch.setattr(module, "BLOCK", 128)
    monkeypatch.setattr(surrogate, "SMALL", 0)
    seen: list[tuple[int, int]] = []
    with observe(progress=lambda *counts: seen.append(counts)):
        Lime(lambda x: x.sum(1) + x.prod(1)).attribute(torch.rand(3, features), n_samples=samples, seed=0)
    total = samples + samples // 10
    assert (seen[0], seen[-1]) == ((0, total), (total, total))
    assert seen == sorted(seen)
    assert len({done for done, _ in seen if done > samples}) >= 2


def peak(call: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("model", MODELS)
def test_many_features_need_little_memory(model: LinearModel) -> None:
    """A square matrix of the features would take 3.2 GB."""
    x, y, w = problem(60, 20_000)
    assert peak(lambda: model.coefficients(x, y, w)) < 120 << 20


def test_what_does_not_fit_is_refused_before_the_model_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(x: Tensor) -> Tensor:
        raise RuntimeError("the model ran")

    with pytest.raises(AttributionError, match=r"20000 samples of 150528 features take 2\.8 GiB"):
        Lime(never).attribute(torch.zeros(1, 3, 224, 224), n_samples=20_000)
    with pytest.raises(AttributionError, match="features fitted to 20000 samples needs more than 1 GiB"):
        Lime(never).attribute(torch.zeros(1, 20_000), n_samples=20_000)


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_that_mean_nothing_are_refused(weight: float) -> None:
    x, y, _ = problem(8, 3)
    with pytest.raises(AttributionError, match="weights of samples"):
        Lasso(0.01).coefficients(x, y, torch.full((8, 1), weight))
