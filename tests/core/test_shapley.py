"""Shapley values: against the definition, axioms, Captum, and its degenerate cases."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from attribution_core import AttributionError, KernelShap, ShapleyValues, ShapleyValueSampling, observe
from attribution_core.methods import shapley
from attribution_core.methods.coalitions import every, kernel, pairs

METHODS: list[Any] = [ShapleyValues, ShapleyValueSampling, KernelShap]


def score(x: Tensor) -> Tensor:
    """Every feature matters differently, and features interact in groups of any size."""
    flat = x.flatten(1).double()
    weighted = flat * torch.arange(1.0, flat.shape[1] + 1)
    return weighted.sum(1) + (weighted.sum(1) / 3).tanh() * flat.shape[1] + flat.clamp(-2, 2).prod(1)


def by_definition(f: Callable[[Tensor], Tensor], x: Tensor, b: Tensor) -> Tensor:
    """The mean over all orders of what a feature adds when it joins, one example (1, n)."""
    found = torch.zeros_like(x)
    orders = list(itertools.permutations(range(x.shape[1])))
    for order in orders:
        now = b.clone()
        for feature in order:
            before = f(now)
            now[0, feature] = x[0, feature]
            found[0, feature] += (f(now) - before)[0]
    return found / len(orders)


@pytest.mark.parametrize("method", METHODS)
def test_definition(method: Any) -> None:
    x, b = torch.randn(3, 5).double(), torch.randn(3, 5).double()
    options = {} if method is ShapleyValues else {"n_samples": 32}
    found = method(score).attribute(x, b, **options)
    for row in range(3):
        one = slice(row, row + 1)
        torch.testing.assert_close(found[one], by_definition(score, x[one], b[one]))


def test_dummies_are_exactly_zero_and_twins_alike() -> None:
    found = ShapleyValues(lambda x: (x[:, 0] + x[:, 1]).tanh() * x[:, 3]).attribute(torch.full((1, 4), 0.7))
    assert found[0, 2] == 0
    torch.testing.assert_close(found[0, 0], found[0, 1])


@pytest.mark.parametrize("method", [ShapleyValueSampling, KernelShap])
def test_linear_models_are_explained_exactly(method: Any) -> None:
    x, w = torch.randn(1, 40).double(), torch.arange(40).double()
    found = method(lambda x: x @ w).attribute(x, n_samples=200 if method is KernelShap else 25)
    torch.testing.assert_close(found, x * w, rtol=1e-5, atol=1e-5)


def test_groups_across_inputs_and_masks_of_single_examples() -> None:
    a, b = torch.randn(2, 3).double(), torch.randn(2, 2).double()
    masks = (torch.tensor([[0, 0, 1]]), torch.tensor([[1, 2]]))

    def joint(a: Tensor, b: Tensor) -> Tensor:
        return score(torch.cat([a, b], 1))

    first, second = ShapleyValues(joint).attribute((a, b), feature_mask=masks)
    assert torch.equal(first[:, 0], first[:, 1])
    assert torch.equal(first[:, 2], second[:, 0])
    torch.testing.assert_close(first[:, 0] + first[:, 2] + second[:, 1], joint(a, b) - joint(a * 0, b * 0))
    own = torch.tensor([[0, 0, 1], [5, 2, 3]])
    sampled = {"seed": 1}
    for method, options in (
        (ShapleyValues, {}),
        (KernelShap, {"n_samples": 4, **sampled}),
        (ShapleyValueSampling, sampled),
    ):
        found = method(score).attribute(a, feature_mask=own, **options)
        for row in range(2):
            alone = method(score).attribute(a[row : row + 1], feature_mask=own[row : row + 1], **options)
            torch.testing.assert_close(found[row : row + 1], alone)


@pytest.mark.parametrize("method", METHODS)
def test_one_number_for_the_batch(method: Any) -> None:
    x = torch.randn(3, 4).double()
    options = {} if method is ShapleyValues else {"n_samples": 16}
    found = method(lambda x: score(x).sum()).attribute(x, **options)
    torch.testing.assert_close(found, ShapleyValues(score).attribute(x).sum(0, keepdim=True))


def games() -> dict[str, tuple[int, nn.Module]]:
    torch.manual_seed(0)
    found: dict[str, tuple[int, nn.Module]] = {}
    for players in (8, 10, 12):
        for name, bend in (("relu", nn.ReLU()), ("tanh", nn.Tanh())):
            body = nn.Sequential(nn.Linear(players, 24), bend, nn.Linear(24, 24), bend, nn.Linear(24, 1), nn.Flatten(0))
            for parameter in body.parameters():
                parameter.data *= 2.5
            found[f"{name} {players}"] = (players, body.double().eval())
    return found


def error(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).square().mean())


@pytest.mark.parametrize("per_feature", [6, 12])
def test_half_of_captums_error_for_the_same_evaluations(per_feature: int) -> None:
    """Root mean square against exact values, over nets of 8 to 12 players and several seeds."""
    ours, theirs = torch.zeros(2), torch.zeros(2)
    for players, net in games().values():
        x, b = torch.randn(1, players).double(), torch.randn(1, players).double()
        exact = ShapleyValues(net).attribute(x, b)
        scale = float(exact.square().mean())
        for seed in range(3):
            budgets = {"KernelShap": per_feature * players, "ShapleyValueSampling": per_feature}
            for place, (name, n_samples) in enumerate(budgets.items()):
                mine = {"KernelShap": KernelShap, "ShapleyValueSampling": ShapleyValueSampling}[name](net)
                torch.manual_seed(seed)
                other = getattr(captum.attr, name)(net).attribute(x, b, n_samples=n_samples, perturbations_per_eval=99)
                ours[place] += error(mine.attribute(x, b, n_samples=n_samples, seed=seed), exact) / scale
                theirs[place] += error(other.double(), exact) / scale
    assert (ours.sqrt() <= theirs.sqrt() / 2).all(), (ours.sqrt(), theirs.sqrt())


def test_captums_estimator_stays_reachable() -> None:
    """The mean over independent orders: the same spread over seeds, and the right expectation."""
    net, x = games()["tanh 8"][1], torch.randn(1, 8).double()
    ours = torch.stack(
        [ShapleyValueSampling(net).attribute(x, n_samples=3, estimator="orders", seed=s)[0] for s in range(200)]
    )
    torch.manual_seed(0)
    method = captum.attr.ShapleyValueSampling(net)
    theirs = torch.stack([method.attribute(x, n_samples=3, perturbations_per_eval=9)[0] for _ in range(200)])
    exact = ShapleyValues(net).attribute(x)[0]
    allowed = 4 * theirs.std(0) / 200**0.5
    assert ((ours.mean(0) - exact).abs() <= allowed).all()
    assert ((ours.std(0) / theirs.std(0) - 1).abs() < 0.35).all()


class Counted(nn.Module):
    """Counts rows, and the different ones among them."""

    def __init__(self, net: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.net, self.rows, self.calls, self.seen = net, 0, 0, set[tuple[float, ...]]()

    def forward(self, x: Tensor) -> Tensor:
        self.rows, self.calls = self.rows + len(x), self.calls + 1
        self.seen |= {tuple(row) for row in x.tolist()}
        return self.net(x)


def test_no_coalition_is_evaluated_twice_and_budgets_are_kept() -> None:
    x = torch.rand(1, 9) + 1
    for method, n_samples, budget in (
        (KernelShap, 100, 100),
        (KernelShap, 37, 37),
        (KernelShap, 9999, 512),
        (ShapleyValueSampling, 10, 90),
        (ShapleyValues, None, 512),
    ):
        model = Counted(score)
        method(model).attribute(x, **({} if n_samples is None else {"n_samples": n_samples}))
        assert model.rows == len(model.seen) <= budget
        assert model.rows >= budget - 1
        assert model.calls == 1


def test_tolerance_stops_early_and_only_then() -> None:
    x = torch.rand(2, 12).double()
    easy, hard = Counted(lambda x: x.double().sum(1)), Counted(score)
    found = KernelShap(easy).attribute(x, n_samples=1000, tolerance=0.01, seed=0)
    torch.testing.assert_close(found, x, rtol=1e-4, atol=1e-6)
    KernelShap(hard).attribute(x, n_samples=1000, tolerance=1e-9, seed=0)
    assert easy.rows < 300
    assert hard.rows == 2000
    alone = KernelShap(easy).attribute(x[:1], n_samples=1000, tolerance=0.01, seed=0)
    torch.testing.assert_close(alone, found[:1])


@pytest.mark.parametrize(("features", "bound"), [(12, 1), (12, 7), (30, 7), (30, 100), (1500, 100)])
def test_results_do_not_depend_on_the_bound(features: int, bound: int) -> None:
    x, n_samples = torch.rand(2, features).double(), 1 if features > 1024 else 3
    method = ShapleyValueSampling(Counted(score))
    expected = method.attribute(x, n_samples=n_samples, seed=1)
    with observe(max_batch=bound):
        torch.testing.assert_close(method.attribute(x, n_samples=n_samples, seed=1), expected)


@pytest.mark.parametrize("estimator", ["sets", "orders"])
def test_seeds(estimator: Any) -> None:
    x, before = torch.rand(1, 12), torch.get_rng_state()
    found = [ShapleyValueSampling(score).attribute(x, n_samples=2, estimator=estimator, seed=s) for s in (1, 1, 2)]
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), before)


class Largest(TorchDispatchMode):
    """Notes the size of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, tuple) else (result,):
            if isinstance(value, Tensor):
                self.bytes = max(self.bytes, value.numel() * value.element_size())
        return result


def test_many_features_need_little_memory() -> None:
    """Coalitions times features in double precision were 2 KB for each byte of the input."""
    x = torch.rand(1, 10_000)
    with Largest() as largest:
        found = KernelShap(lambda x: x.sum(1)).attribute(x, n_samples=400, seed=0)
    assert largest.bytes < 10 << 20
    torch.testing.assert_close(found.sum(), x.sum())


@pytest.mark.parametrize("count", [25, 60])
def test_more_coalitions_than_are_solved_at_once_are_taken_in_groups(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each group holds the full coalition, so that all values add up."""
    x = torch.ones(2, 9)
    exact = ShapleyValues(interacting).attribute(x)
    monkeypatch.setattr(shapley, "MOST_OBSERVED", 12)
    monkeypatch.setattr(shapley, "MOST_SOLVED", 8)
    found = KernelShap(interacting).attribute(x, n_samples=2 * count, seed=0)
    torch.testing.assert_close(found.sum(1), exact.sum(1))
    assert (found - exact).norm() < 0.5 * exact.norm()


def interacting(x: Tensor) -> Tensor:
    return (x @ torch.linspace(-1, 1, 9)).tanh() + x[:, 0] * x[:, 1]


@pytest.mark.parametrize(("players", "count"), [(2, 1), (5, 3), (5, 15), (8, 60), (9, 200), (13, 64), (60, 100)])
def test_pairs_are_different_and_follow_the_kernel(players: int, count: int) -> None:
    chosen = pairs(players, count, torch.Generator().manual_seed(0))
    both = {tuple(row) for row in torch.cat([chosen, ~chosen]).tolist()}
    assert len(both) == 2 * count == 2 * len(chosen)
    sizes = chosen.sum(1).minimum(players - chosen.sum(1))
    assert sizes.min() > 0
    counts = sizes.bincount(minlength=players // 2 + 1)[1:]
    capacity = [math.comb(players, s) // (2 if 2 * s == players else 1) for s in range(1, players // 2 + 1)]
    shares = [kernel(players, s) for s in range(1, players // 2 + 1)]
    open_ = [s for s, c in enumerate(capacity) if counts[s] < c]
    for one, other in itertools.pairwise(open_):
        assert abs(counts[one] / shares[one] - counts[other] / shares[other]) <= 1 / shares[one] + 1 / shares[other]


def test_every_coalition_once() -> None:
    assert every(3).tolist() == [list(row) for row in itertools.product([False, True], repeat=3)]


@pytest.mark.parametrize("name", ["ShapleyValues", "ShapleyValueSampling", "KernelShap"])
@pytest.mark.parametrize("target", [0, [1, 0, 2], torch.tensor([1])])
def test_captums_exact_values(name: str, target: Any) -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3)).double()
    ours = {"ShapleyValues": ShapleyValues, "ShapleyValueSampling": ShapleyValueSampling, "KernelShap": KernelShap}[
        name
    ]
    x = torch.randn(3, 4).double()
    for baseline, mask in itertools.product(
        (None, 0.3, torch.randn(1, 4).double()), (None, torch.tensor([[0, 1, 1, 2]]))
    ):
        call = {"inputs": x, "baselines": baseline, "target": target, "feature_mask": mask}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            theirs = captum.attr.ShapleyValues(net).attribute(**call)
        found = ours(net).attribute(**call)
        torch.testing.assert_close(found, theirs, check_dtype=False)
    assert ours(net).get_name() == getattr(captum.attr, name)(net).get_name()
    assert ours(net).multiplies_by_inputs == getattr(captum.attr, name)(net).multiplies_by_inputs


@pytest.mark.parametrize(
    ("method", "arguments", "says"),
    [
        (ShapleyValues, {"inputs": torch.ones(1, 21)}, "2\\^21 evaluations"),
        (ShapleyValueSampling, {"n_samples": 0}, "n_samples=0"),
        (ShapleyValueSampling, {"estimator": "magic"}, "estimator='magic'"),
        (ShapleyValueSampling, {"estimator": "orders", "tolerance": 0.1}, "tolerance needs"),
        (ShapleyValueSampling, {"tolerance": 0}, "tolerance=0"),
        (KernelShap, {"tolerance": 2.0}, "tolerance=2.0"),
        (KernelShap, {"seed": -1}, "seed=-1"),
        (KernelShap, {"perturbations_per_eval": 0}, "perturbations_per_eval=0"),
        (KernelShap, {"feature_mask": torch.tensor([[0.5, 0, 1]])}, "not whole"),
    ],
)
def test_wrong_arguments_are_refused_before_the_model_runs(method: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        method(_never).attribute(**{"inputs": torch.ones(1, 3), **arguments})


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")


def test_the_regression_over_all_pairs_gives_the_values_of_any_game(monkeypatch: pytest.MonkeyPatch) -> None:
    """[lundberg2017], theorem 2; used where the posterior mean would cost too much."""
    monkeypatch.setattr(shapley, "MOST_OBSERVED", 1)
    worth = torch.randn(2, 2, 2, 2, dtype=torch.float64)
    one_of_each = [members for members in itertools.product((0, 1), repeat=4) if 0 < sum(members) < 4 and members[0]]
    chosen = torch.tensor([(1, 1, 1, 1), *one_of_each])
    half = torch.stack([(worth[tuple(row)] - worth[tuple(1 - row)])[None] / 2 for row in chosen])

    def score(x: Tensor) -> Tensor:
        return torch.stack([worth[tuple(row.long().tolist())] for row in x])

    expected = by_definition(score, torch.ones(1, 4).double(), torch.zeros(1, 4).double())
    torch.testing.assert_close(shapley._fitted(chosen, half)[:, 0], expected[0], rtol=1e-6, atol=1e-6)
