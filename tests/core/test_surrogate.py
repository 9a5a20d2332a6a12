"""LIME: its linear models against scikit-learn, its numbers against Captum, its degenerate cases."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from captum._utils.models.linear_model import SkLearnLasso, SkLearnLinearRegression, SkLearnRidge
from sklearn import linear_model
from torch import Tensor, nn

from attribution_core import AttributionError, Lime, LimeBase, observe
from attribution_core.methods.linear import Lasso, LinearRegression, Ridge
from attribution_core.methods.surrogate import exponential_likeness

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")


@pytest.mark.parametrize(("rows", "columns"), [(50, 8), (25, 30), (200, 30), (25, 100)])
@pytest.mark.parametrize("alpha", [0.01, 0.1, 3.0])
def test_lasso_is_that_of_scikit_learn(rows: int, columns: int, alpha: float) -> None:
    torch.manual_seed(rows)
    x = (torch.rand(rows, columns) < 0.5).double()
    y = x @ torch.randn(columns, 2).double() + torch.randn(rows, 2).double() / 3
    w = torch.rand(rows, 2).double()
    found = Lasso(alpha).coefficients(x, y, w)
    for place in range(2):
        theirs = linear_model.Lasso(alpha=alpha, tol=1e-10, max_iter=100_000)
        theirs.fit(x.numpy(), y[:, place].numpy(), sample_weight=w[:, place].numpy())
        torch.testing.assert_close(found[:, place], torch.tensor(theirs.coef_), rtol=1e-4, atol=1e-5)
        assert ((found[:, place] != 0) == torch.tensor(theirs.coef_ != 0)).all()


def test_lasso_keeps_equals_equal_and_ends() -> None:
    cube = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)))
    found = Lasso(0.01).coefficients(cube, cube.sum(1, keepdim=True), torch.ones(16, 1))
    torch.testing.assert_close(found, torch.full((4, 1), 0.96).double())
    twice = Lasso(0.01).coefficients(torch.eye(5).repeat(1, 2), 5 * torch.eye(5)[:, :1], torch.ones(5, 1))
    torch.testing.assert_close(twice.sum(), torch.tensor(4.9375).double())  # of equal columns, any split is a solution
    assert Lasso(0.01).coefficients(torch.ones(3, 2), torch.rand(3, 1), torch.ones(3, 1)).eq(0).all()


def test_least_squares_are_those_of_scikit_learn() -> None:
    x, y, w = torch.randn(30, 5).double(), torch.randn(30, 1).double(), torch.rand(30, 1).double()
    plain = linear_model.LinearRegression().fit(x.numpy(), y.numpy(), sample_weight=w[:, 0].numpy())
    torch.testing.assert_close(LinearRegression().coefficients(x, y, w).T, torch.tensor(plain.coef_))
    ridge = linear_model.Ridge(alpha=0.3 * float(w.sum())).fit(x.numpy(), y.numpy(), sample_weight=w[:, 0].numpy())
    torch.testing.assert_close(Ridge(0.3).coefficients(x, y, w).T, torch.tensor(ridge.coef_).reshape(1, -1))


@pytest.mark.parametrize("model", [Lasso, Ridge])
def test_penalties_are_checked(model: Any) -> None:
    with pytest.raises(AttributionError, match="alpha=-1"):
        model(-1)
    with pytest.raises(AttributionError, match="no coefficients yet"):
        model().representation()


def in_turn(_: Any, **options: Any) -> Iterator[Tensor]:
    """All coalitions, again and again: makes Captum deterministic."""
    while True:
        for row in itertools.product([0, 1], repeat=options["num_interp_features"]):
            yield torch.tensor([row])


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 3)).double()


MODELS: list[tuple[Any, Any]] = [
    (None, None),
    (Lasso(0.05), SkLearnLasso(alpha=0.05)),
    (LinearRegression(), SkLearnLinearRegression()),
]


@pytest.mark.parametrize("ours, theirs", MODELS)
@pytest.mark.parametrize("mask", [None, torch.tensor([[0, 1, 1, 2, 0]])])
@pytest.mark.parametrize("baseline", [None, 0.5])
@pytest.mark.parametrize("target", [1, [0, 2, 1]])
def test_numbers_of_captum_over_all_coalitions(ours: Any, theirs: Any, mask: Any, baseline: Any, target: Any) -> None:
    """Ours by itself, with the limit of Captum's sampling; and with the same functions given."""
    model, x = net(), torch.randn(3, 5).double()
    count = 8 if mask is not None else 32
    call = {"inputs": x, "baselines": baseline, "target": target, "feature_mask": mask, "n_samples": count}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = captum.attr.Lime(model, theirs, perturb_func=in_turn).attribute(**call)
        flat = captum.attr.Lime(model, theirs, perturb_func=in_turn).attribute(**call, return_input_shape=False)
    for perturb in (None, in_turn):
        method = Lime(model, ours, perturb_func=perturb)
        close = {"rtol": 1e-3, "atol": 1e-4, "check_dtype": False}  # scikit-learn stops at a tolerance
        torch.testing.assert_close(method.attribute(**call), expected, **close)
        torch.testing.assert_close(method.attribute(**call, return_input_shape=False), flat, **close)


@pytest.mark.parametrize("model", [SkLearnLasso(alpha=0.01), SkLearnRidge(alpha=0.1), Lasso(0.01)])
def test_own_functions_and_models_of_captum(model: Any) -> None:
    x, seen = torch.randn(1, 5).double(), []

    def weight(given: Any, perturbed: Any, features: Any, **options: Any) -> float:
        seen.append((given.shape, perturbed.shape, features.shape, sorted(options)))
        return 1.0 + float(features.float().mean())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = {"inputs": x, "target": 2, "n_samples": 40}
        theirs = captum.attr.Lime(net(), model, weight, in_turn).attribute(**arguments)
        ours = Lime(net(), model, weight, in_turn).attribute(**arguments)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, check_dtype=False)
    assert seen[:40] == seen[40:]


def gaussian(given: Any, **options: Any) -> Any:
    return given + options["width"] * torch.randn_like(given)


@pytest.mark.parametrize("interpretable", [False, True])
def test_lime_base_is_captums(interpretable: bool) -> None:
    x, model = torch.randn(1, 5).double(), net()

    def transform(sample: Tensor, given: Tensor, **options: Any) -> Tensor:
        return given * sample if interpretable else (sample - given) ** 2

    def weight(given: Tensor, perturbed: Tensor, features: Tensor, **options: Any) -> Tensor:
        return (-(given - perturbed).norm() / options["width"]).exp()

    functions = (transform, None) if interpretable else (None, transform)
    results = []
    for home, surrogate in ((captum.attr.LimeBase, SkLearnRidge(alpha=1.0)), (LimeBase, SkLearnRidge(alpha=1.0))):
        method = home(model, surrogate, weight, gaussian, interpretable, *functions)
        torch.manual_seed(5)
        results.append(method.attribute(x, target=1, n_samples=30, width=0.7))
    torch.testing.assert_close(results[1], results[0], rtol=1e-4, atol=1e-6, check_dtype=False)
    assert results[0].shape == results[1].shape == (1, 5)


def test_a_transform_for_the_other_way_is_not_asked() -> None:
    def never(*_: Any, **__: Any) -> Tensor:
        raise AssertionError("samples are inputs already")

    method = LimeBase(lambda x: x.sum(1), Ridge(1e-6), lambda *a, **k: 1.0, gaussian, False, never, flat)
    torch.testing.assert_close(
        method.attribute(torch.randn(1, 3), n_samples=40, width=0.1, seed=1), torch.ones(1, 3), rtol=1e-3, atol=1e-3
    )


def test_lime_base_of_a_batch_needs_one_number() -> None:
    x = torch.randn(3, 2)
    method = LimeBase(lambda x: x.square().sum(), Ridge(1e-6), lambda *a, **k: 1.0, gaussian, False, None, flat)
    assert method.attribute(x, n_samples=40, width=0.1, seed=1).shape == (1, 6)
    with pytest.raises(AttributionError, match="one example at a time"):
        LimeBase(lambda x: x.sum(1), Ridge(), lambda *a, **k: 1.0, gaussian, False, None, flat).attribute(x, width=1.0)


def flat(sample: Tensor, given: Tensor, **options: Any) -> Tensor:
    return sample.reshape(1, -1)


def test_seed_reaches_own_functions_and_leaves_the_global_state() -> None:
    method = LimeBase(lambda x: x.sum(1), Ridge(), lambda *a, **k: 1.0, gaussian, False, None, flat)
    before = torch.get_rng_state()
    found = [method.attribute(torch.ones(1, 3), n_samples=9, width=1.0, seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.float16])
@pytest.mark.parametrize("likeness", [None, exponential_likeness("euclidean", 2.0)])
def test_any_dtype(dtype: torch.dtype, likeness: Any) -> None:
    x = torch.tensor([[1, 0, 1]]).to(dtype)
    found = Lime(lambda x: x.float() @ torch.tensor([1.0, 2, 4]), Lasso(0), likeness).attribute(x, n_samples=60, seed=1)
    torch.testing.assert_close(found, torch.tensor([[1.0, 0, 4]]), rtol=1e-3, atol=1e-3)


def test_samples_are_paired_and_bounded() -> None:
    rows: list[Tensor] = []

    def score(x: Tensor) -> Tensor:
        rows.append(x)
        return x.sum(1)

    Lime(score).attribute(torch.ones(1, 8), n_samples=20, seed=0)
    (seen,) = rows
    assert torch.equal(seen[::2], 1 - seen[1::2])
    rows.clear()
    Lime(score).attribute(torch.ones(1, 3), n_samples=20)
    assert [len(row) for row in rows] == [8]
    rows.clear()
    with observe(max_batch=3):
        Lime(score, perturb_func=in_turn).attribute(torch.ones(1, 4), n_samples=16)
    assert max(map(len, rows)) == 3


@pytest.mark.parametrize("own", [{}, {"perturb_func": in_turn}])
def test_one_number_for_the_batch(own: dict[str, Any]) -> None:
    x = torch.randn(3, 4)
    found = Lime(lambda x: x.sum(), LinearRegression(), **own).attribute(x, n_samples=16)
    torch.testing.assert_close(found, x.sum(0, keepdim=True), rtol=1e-4, atol=1e-4)


def test_masks_of_single_examples() -> None:
    x, own = torch.rand(2, 3).double() + 1, torch.tensor([[0, 0, 1], [5, 2, 3]])
    for functions in ({}, {"perturb_func": in_turn}):
        method = Lime(lambda x: x.sum(1), LinearRegression(), **functions)
        found = method.attribute(x, feature_mask=own, n_samples=8)
        expected = torch.stack([torch.stack([x[0, :2].sum()] * 2 + [x[0, 2]]), x[1]])
        torch.testing.assert_close(found, expected)
        found = method.attribute(x, feature_mask=own, n_samples=8, return_input_shape=False)
        of_features = torch.zeros(2, 5).double()  # of 0, 1, 2, 3 and 5, those that an example does not have are zero
        of_features[0, :2], of_features[1, [4, 2, 3]] = torch.stack([x[0, :2].sum(), x[0, 2]]), x[1]
        torch.testing.assert_close(found, of_features)


def test_likeness_is_captums() -> None:
    from captum.attr._core.lime import get_exp_kernel_similarity_function  # noqa: PLC0415 - documented there only

    a, b = torch.randn(2, 5), torch.randn(2, 5)
    for mode, width in (("cosine", 1.0), ("euclidean", 2.0)):
        theirs = get_exp_kernel_similarity_function(mode, width)(a, b, None)
        assert exponential_likeness(mode, width)(a, b, None) == pytest.approx(float(theirs), rel=1e-5)  # type: ignore[arg-type]
    with pytest.raises(AttributionError, match="kernel_width=0"):
        exponential_likeness("cosine", 0)


def ends(given: Any, **options: Any) -> Iterator[Tensor]:
    yield torch.ones(1, 3).long()


@pytest.mark.parametrize(
    ("make", "arguments", "says"),
    [
        (Lime, {"n_samples": 0}, "n_samples=0"),
        (lambda f: Lime(f, interpretable_model=3), {}, "without fit"),
        (lambda f: Lime(f, perturb_func=ends), {}, "ended after 1 of 25"),
        (lambda f: LimeBase(f, Lasso(), len, len, True, None, None), {}, "needs from_interp_rep_transform"),
        (lambda f: LimeBase(f, Lasso(), len, len, False, None, None), {}, "needs to_interp_rep_transform"),
    ],
)
def test_wrong_arguments_are_refused_before_the_model_runs(
    make: Callable[[Any], Any], arguments: dict[str, Any], says: str
) -> None:
    with pytest.raises(AttributionError, match=says):
        make(_never).attribute(torch.ones(1, 3), **arguments)


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")


def test_own_functions_that_work_in_place_change_no_input() -> None:
    def perturb(given: Tensor, **_: Any) -> Tensor:
        return given.mul_(torch.rand_like(given))

    def weigh(given: Tensor, *_: Any, **__: Any) -> Tensor:
        return given.mul_(0).sum() + 1

    def flatten(sample: Tensor, given: Tensor, **_: Any) -> Tensor:
        return sample - given.add_(1)

    x = torch.ones(1, 3)
    LimeBase(lambda x: x.sum(1), Ridge(), weigh, perturb, False, None, flatten).attribute(x, n_samples=4)
    assert torch.equal(x, torch.ones(1, 3))


def test_a_model_of_ones_own_gets_one_score_for_each_sample() -> None:
    """As scikit-learn's models take them: (samples,), not (samples, 1)."""
    shapes = []

    class Noted:
        def fit(self, train_data: Any) -> None:
            shapes.extend([[tuple(part.shape) for part in batch] for batch in train_data])

        def representation(self) -> Tensor:
            return torch.zeros(3)

    Lime(nn.Linear(3, 2), Noted()).attribute(torch.rand(1, 3), target=1, n_samples=7)
    assert shapes == [[(7, 3), (7,), (7,)]]


class Says:
    """An interpretable model that says this of itself."""

    def __init__(self, said: object) -> None:
        self.said = said

    def fit(self, train_data: object) -> None:
        """Learn nothing."""

    def representation(self) -> object:
        """What it was told."""
        return self.said


def described(said: object) -> Any:
    method = LimeBase(lambda x: x.sum(1), Says(said), lambda *_: 1.0, torch.rand_like, False, None, lambda s, _: s)
    return method.attribute(torch.ones(1, 3), n_samples=2)


def test_what_a_model_of_ones_own_says_is_a_tensor() -> None:
    assert torch.equal(described(np.array([1.0, 2.0])), torch.tensor([1.0, 2.0]).double())
    with pytest.raises(AttributionError, match=r"representation\(\) returned a str"):
        described("x[0] > 3")
