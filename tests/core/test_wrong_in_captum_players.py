"""What Captum 0.9 gets wrong and this engine gets right: Shapley values and LIME (item 8).

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from sklearn import linear_model
from torch import Tensor

from attribution_core import (
    KernelShap,
    Lime,
    ShapleyValueSampling,
)
from attribution_core.methods.linear import Lasso, LinearRegression
from attribution_core.methods.surrogate import exponential_likeness

from .peer import IS_09, of_captum

# 8


def interacting(x: Tensor) -> Tensor:
    """Every feature matters differently, and features interact in groups of any size."""
    flat = x.flatten(1).double()
    weighted = (flat * torch.arange(1.0, flat.shape[1] + 1)).sum(1)
    return weighted + (weighted / 3).tanh() * flat.shape[1] + flat.clamp(-2, 2).prod(1)


def coalitions(n: int) -> Tensor:
    return torch.tensor([*itertools.product([False, True], repeat=n)])


def shapley_by_enumeration(x: Tensor, b: Tensor) -> Tensor:
    """The weighted sum over all coalitions, one example (1, n)."""
    n = x.shape[1]
    found = torch.zeros(1, n).double()
    for inside in coalitions(n):
        value, size = float(interacting(torch.where(inside, x, b))[0]), int(inside.sum())
        for feature in range(n):
            others = size - int(inside[feature])
            weight = math.factorial(others) * math.factorial(n - 1 - others) / math.factorial(n)
            found[0, feature] += weight * value * (1 if inside[feature] else -1)
    return found


def lime_by_enumeration(x: Tensor, b: Tensor, fit: Any) -> Tensor:
    """A linear model fitted to all coalitions, weighed by their likeness to the input."""
    inside = coalitions(x.shape[1])
    points = torch.where(inside, x, b)
    likeness = exponential_likeness("cosine", 1.0)
    weights = [likeness(x, point[None], None) for point in points]  # type: ignore[arg-type]
    fit.fit(inside.double().numpy(), interacting(points).numpy(), sample_weight=weights)
    return torch.tensor(fit.coef_)[None]


@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
@pytest.mark.parametrize("features", range(1, 11))
@pytest.mark.parametrize("method", [KernelShap, ShapleyValueSampling, Lime])
def test_08_few_features_are_explained_as_by_exact_enumeration(method: Any, features: int, dtype: torch.dtype) -> None:
    torch.manual_seed(features)
    x, b = torch.randn(1, features).double() * 2, torch.randn(1, features).double()
    if not dtype.is_floating_point:
        x, b = (x > -1).to(dtype), torch.zeros(1, features, dtype=dtype)
    if method is Lime:
        for ours, theirs in (
            (LinearRegression(), linear_model.LinearRegression()), (Lasso(0.01), linear_model.Lasso(0.01, tol=1e-10)),
        ):  # fmt: skip
            found = Lime(interacting, ours).attribute(x, b, n_samples=1024, return_input_shape=False)
            torch.testing.assert_close(found, lime_by_enumeration(x, b, theirs), rtol=1e-4, atol=1e-4)
        return
    found = method(interacting).attribute(x, b, n_samples=1024)
    torch.testing.assert_close(found.double(), shapley_by_enumeration(x, b))
    torch.testing.assert_close(found.sum(1).double(), interacting(x) - interacting(b))


@pytest.mark.parametrize("n_samples", [1, 25, 60])
@pytest.mark.parametrize("features", [1, 2, 30, 200])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.int64, torch.bool])
@pytest.mark.parametrize("method", [KernelShap, ShapleyValueSampling])
def test_08_many_features_are_finite_and_add_up_to_the_change(
    method: Any, dtype: torch.dtype, features: int, n_samples: int
) -> None:
    x = (torch.rand(2, features) > 0.3).to(dtype) if dtype in (torch.int64, torch.bool) else torch.rand(2, features)
    x = x.to(dtype)
    found = method(lambda x: interacting(x) / features).attribute(x, n_samples=n_samples)
    assert found.isfinite().all()
    assert found.shape == x.shape
    change = (interacting(x) - interacting(x & False if dtype == torch.bool else x * 0)) / features
    torch.testing.assert_close(found.double().sum(1), change, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("features", [1, 2, 5, 200])
@pytest.mark.parametrize("dtype", [torch.float64, torch.int64, torch.bool])
def test_08_lime_of_many_features_is_finite_and_that_of_a_linear_model_adds_up(
    dtype: torch.dtype, features: int
) -> None:
    x = torch.ones(2, features).to(dtype)
    assert Lime(interacting).attribute(x, seed=1).isfinite().all()
    found = Lime(lambda x: x.double().sum(1), LinearRegression()).attribute(x, n_samples=2000, seed=1)
    torch.testing.assert_close(found.sum(1), torch.full((2,), float(features)), check_dtype=False)
    torch.testing.assert_close(found, torch.ones(2, features), rtol=1e-5, atol=1e-5, check_dtype=False)


def test_08_a_penalty_that_zeroes_everything_becomes_relative_and_says_so() -> None:
    x, w = torch.ones(2, 3), torch.tensor([1.0, 2.0, -3.0])

    def small(x: Tensor) -> Tensor:
        return 1e-3 * x @ w

    if IS_09:
        assert of_captum("Lime", small, x[:1]).eq(0).all()
    with pytest.warns(UserWarning, match="left no feature of 2 examples") as caught:
        found = Lime(small).attribute(x)
    assert caught[0].filename == __file__
    torch.testing.assert_close(found, 1e-3 * w.expand(2, 3), rtol=0.1, atol=1e-5)
    assert Lime(small, Lasso(0.01)).attribute(x).eq(0).all()  # the caller's own penalty stands
    assert Lime(lambda x: x[:, 0] * 0).attribute(x).eq(0).all()  # nothing to explain, nothing to warn of
    for method in (KernelShap, ShapleyValueSampling):
        torch.testing.assert_close(method(small).attribute(x), 1e-3 * w.expand(2, 3))


def test_08_captums_kernel_shap_has_no_answer_for_one_feature() -> None:
    if IS_09:
        with pytest.raises((ValueError, RuntimeError), match=r"Categorical|probability"):
            of_captum("KernelShap", lambda x: x.sum(1), torch.ones(1, 1))
    assert KernelShap(lambda x: x.sum(1)).attribute(torch.ones(1, 1)).tolist() == [[1]]
