"""Permuted features and random masks."""

from __future__ import annotations

import itertools
from typing import Any

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core import RISE, AttributionError, FeatureAblation, FeaturePermutation, observe
from attribution_core.evaluation.draws import Draws

X = torch.randn(6, 4, generator=torch.Generator().manual_seed(0)).double()


def score(*inputs: Tensor) -> Tensor:
    flat = torch.cat([x.flatten(1).double() for x in inputs], 1)
    return (flat * torch.arange(1.0, flat.shape[1] + 1)).sum(1).square() / 10


def turned(x: Tensor, mask: Tensor) -> Tensor:
    """A shuffle that is the same for Captum and for us."""
    return torch.where(mask, x.roll(1, 0), x)


@pytest.mark.parametrize("mask", [None, torch.tensor([[0, 1, 1, 2]]), torch.tensor([[7, 3, 3, 7]])])
@pytest.mark.parametrize("copies", [1, 2, 4])
def test_numbers_of_captum(mask: Tensor | None, copies: int) -> None:
    call = {"inputs": X, "feature_mask": mask, "perturbations_per_eval": copies}
    theirs = captum.attr.FeaturePermutation(score, turned).attribute(**call)
    torch.testing.assert_close(FeaturePermutation(score, turned).attribute(**call), theirs)


def test_a_feature_of_two_inputs_is_shuffled_alike() -> None:
    mask = torch.tensor([[0, 1, 2, 3]])
    found = FeaturePermutation(lambda a, b: (a - b).abs().sum(1)).attribute((X, X), feature_mask=(mask, mask))
    assert all(part.eq(0).all() for part in found)


def test_definition() -> None:
    found, draws = FeaturePermutation(score).attribute(X, seed=4), Draws(4, X.device)
    for feature in range(4):
        cycle = torch.randperm(6, generator=draws.at(feature)).tolist()
        changed = X.clone()
        for row, other in zip(cycle, cycle[-1:] + cycle[:-1], strict=True):
            changed[row, feature] = X[other, feature]
        torch.testing.assert_close(found[:, feature], score(X) - score(changed))


def test_expectation_is_that_of_captum_where_it_moves_a_value() -> None:
    """Captum leaves each of six examples as it is in one draw of six; here, each gets another's value."""
    torch.manual_seed(0)
    ours = torch.stack([FeaturePermutation(score).attribute(X, seed=seed) for seed in range(600)])
    method = captum.attr.FeaturePermutation(score)
    theirs = torch.stack([method.attribute(X) for _ in range(600)])
    theirs *= 6 / 5
    error = (ours.var(0) / 600 + theirs.var(0) / 600).sqrt()
    assert ((ours.mean(0) - theirs.mean(0)).abs() <= 4.5 * error + 1e-9).all()


@pytest.mark.parametrize("rows", [2, 3, 5])
def test_no_example_keeps_its_own_value(rows: int) -> None:
    x = torch.arange(1.0, rows + 1)[:, None] ** 2
    for seed in range(20):
        assert (FeaturePermutation(lambda x: x.sum(1)).attribute(x, seed=seed) != 0).all()


def test_a_batch_of_one_has_nothing_to_shuffle_with() -> None:
    assert FeaturePermutation(score).attribute(X[:1]).tolist() == [[0, 0, 0, 0]]
    assert FeaturePermutation(score).attribute(X[:1].long()).is_floating_point()


def test_one_number_for_the_batch() -> None:
    found = FeaturePermutation(lambda x: score(x).sum(), turned).attribute(X)
    torch.testing.assert_close(found, FeaturePermutation(score, turned).attribute(X).sum(0, keepdim=True))


@pytest.mark.parametrize("bound", [1, 5, 13])
def test_bounds_change_nothing(bound: int) -> None:
    expected = FeaturePermutation(score).attribute(X, seed=1)
    with observe(max_batch=bound):
        torch.testing.assert_close(FeaturePermutation(score).attribute(X, seed=1), expected)


def test_seeds_and_the_global_state() -> None:
    before = torch.get_rng_state()
    one, same, other = (FeaturePermutation(score).attribute(X, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def rise_slowly(x: Tensor, b: float, masks: int, grid: int, share: float, seed: int) -> Tensor:
    """One mask after the other, as the paper says, over what a position was shown."""
    draws, total, shown = Draws(seed, x.device), torch.zeros(len(x), *x.shape[2:]).double(), torch.zeros(x.shape[2:])
    height, width = (-(-size // grid) for size in x.shape[2:])
    for step in range(masks):
        random = draws.at(2 * step)
        cells = (torch.rand(1, 1, grid, grid, generator=random) < share).float()
        large = F.interpolate(cells, [x.shape[2] + height, x.shape[3] + width], mode="bilinear")
        top, left = (int(torch.randint(size, (), generator=random)) for size in (height, width))
        mask = large[0, 0, top : top + x.shape[2], left : left + x.shape[3]]
        total += spot(b + mask * (x - b))[:, None, None] * mask
        shown += mask
    return (total / shown)[:, None].expand_as(x)


def spot(x: Tensor) -> Tensor:
    """Looks at one place only."""
    return x[:, :, 3:6, 3:6].double().mean((1, 2, 3))


def test_rise_definition() -> None:
    x = torch.rand(2, 3, 9, 11)
    found = RISE(spot).attribute(x, 0.25, n_masks=12, grid_size=4, probability=0.4, seed=3)
    torch.testing.assert_close(found, rise_slowly(x, 0.25, 12, 4, 0.4, 3), check_dtype=False)


@pytest.mark.parametrize("shape", [(2, 1, 12), (2, 3, 9, 9), (1, 2, 5, 6, 7)])
def test_rise_finds_what_the_model_looks_at(shape: tuple[int, ...]) -> None:
    middle = tuple(size // 2 for size in shape[2:])
    found = RISE(lambda x: x[(slice(None), slice(None), *middle)].sum(1)).attribute(
        torch.ones(shape), seed=0, n_masks=600
    )
    assert found.shape == shape
    for row in found:
        places = (row[0] == row[0].max()).nonzero()[0]
        assert (places - torch.tensor(middle)).abs().max() <= 1
    assert torch.equal(found[:, :1].expand_as(found), found)


def test_rise_is_bounded_and_seeded() -> None:
    x, rows = torch.rand(2, 1, 8, 8), []

    def counted(x: Tensor) -> Tensor:
        rows.append(len(x))
        return x.mean((1, 2, 3))

    expected = RISE(counted).attribute(x, n_masks=20, seed=1)
    with observe(max_batch=5):
        torch.testing.assert_close(RISE(counted).attribute(x, n_masks=20, seed=1), expected)
    assert rows[0] == 40
    assert max(rows[1:]) == 4
    assert not torch.equal(RISE(counted).attribute(x, n_masks=20, seed=2), expected)


def test_rise_keeps_what_is_hidden_hidden() -> None:
    x = torch.full((1, 1, 8), torch.nan)
    x[..., :2] = 1
    found = RISE(lambda x: x[:, 0, :1].sum(1)).attribute(x, n_masks=60, grid_size=8, seed=0)
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: RISE(_never).attribute(torch.ones(2, 3)), r"shape \(2, 3\)"),
        (lambda: RISE(_never).attribute(torch.ones(2, 3, 4).long()), "dtype torch.int64"),
        (lambda: RISE(_never).attribute(torch.ones(2, 3, 4), probability=1.0), "probability=1.0"),
        (lambda: RISE(_never).attribute(torch.ones(2, 3, 4), n_masks=0), "n_masks=0"),
        (lambda: RISE(_never).attribute(torch.ones(2, 3, 4), grid_size=0), "grid_size=0"),
        (lambda: FeaturePermutation(_never).attribute(X, seed=-3), "seed=-3"),
        (lambda: FeaturePermutation(_never).attribute(X, bogus=1), "bogus"),
        (lambda: FeaturePermutation(_never).attribute(X, feature_mask=torch.tensor([[0.5, 0, 1, 1]])), "not whole"),
        (lambda: FeaturePermutation(score, lambda x, m: x[:2]).attribute(X), "perm_func returned shape"),
    ],
)
def test_wrong_arguments_are_refused(call: Any, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        call()


def test_ablation_takes_baselines_of_each_feature() -> None:
    """What permutation rests on: one baseline for all features is the same as one for each."""
    from attribution_core.methods import ablation  # noqa: PLC0415
    from attribution_core.question.question import Question  # noqa: PLC0415
    from attribution_core.reading.masks import as_groups  # noqa: PLC0415

    features = as_groups(None, (X,))
    (found,) = ablation(Question(score), (X,), lambda a, b: (X.roll(1, 0).expand(b - a, 6, 4),), features)
    torch.testing.assert_close(found[0], FeatureAblation(score).attribute(X, X.roll(1, 0)))  # of the only target


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")


def test_masks_of_two_inputs_differ() -> None:
    seen: list[Tensor] = []

    def both(a: Tensor, b: Tensor) -> Tensor:
        seen.extend(itertools.chain(a, b))
        return a.mean((1, 2)) + b.mean((1, 2))

    RISE(both).attribute((torch.ones(1, 1, 20), torch.ones(1, 1, 20)), n_masks=1, seed=0)
    assert not torch.equal(seen[0], seen[1])


def test_an_own_function_that_works_in_place_changes_no_input() -> None:
    x = X.clone()
    FeaturePermutation(lambda x: x.sum(1), perm_func=lambda x, mask: x.mul_(0)).attribute(x)
    assert torch.equal(x, X)
