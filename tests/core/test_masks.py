from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor

from attribution_core import AttributionError, FeatureAblation, Occlusion
from attribution_core.reading.masks import as_groups, as_windows


def score(*inputs: Tensor) -> Tensor:
    """A score in which every position matters differently and features interact."""
    flat = torch.cat([x.flatten(1).double() for x in inputs], 1)
    return (flat * torch.arange(1.0, flat.shape[1] + 1)).sum(1).square() / 100 + flat.prod(1)


def ablated_slowly(x: Tensor, baseline: float, mask: Tensor) -> Tensor:
    """One example, one feature at a time."""
    found = torch.zeros(x.shape, dtype=torch.double)
    for row in range(len(x)):
        own = mask.expand(x.shape)[row]
        for number in own.unique():
            changed = x[row : row + 1].clone()
            changed[0, own == number] = baseline
            found[row, own == number] = (score(x[row : row + 1]) - score(changed))[0]
    return found


@pytest.mark.parametrize("mask", [None, torch.tensor([[3, 0, 3, 7]]), torch.tensor([[0, 0, 1, 1], [5, 1, 5, 5]])])
@pytest.mark.parametrize("copies", [1, 2, 3])
def test_ablation_against_the_definition(mask: Tensor | None, copies: int) -> None:
    x = torch.randn(2, 4).double()
    found = FeatureAblation(score).attribute(x, 0.5, feature_mask=mask, perturbations_per_eval=copies)
    torch.testing.assert_close(found, ablated_slowly(x, 0.5, torch.arange(4)[None] if mask is None else mask))


def occluded_slowly(x: Tensor, window: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    total, covered = torch.zeros(x.shape).double(), torch.zeros(x.shape)
    counts = [math.ceil((n - w) / s) + 1 for n, w, s in zip(x.shape[1:], window, stride, strict=True)]
    for corner in itertools.product(*map(range, counts)):
        box = tuple(slice(c * s, c * s + w) for c, s, w in zip(corner, stride, window, strict=True))
        changed = x.clone()
        changed[(slice(None), *box)] = 0
        total[(slice(None), *box)] += (score(x) - score(changed)).reshape(-1, *[1] * (x.dim() - 1))
        covered[(slice(None), *box)] += 1
    return total / covered


@pytest.mark.parametrize(
    ("shape", "window", "stride"),
    [((2, 7), (3,), (2,)), ((2, 7), (7,), (1,)), ((1, 2, 5), (1, 2), (1, 2)), ((2, 2, 4, 5), (2, 3, 2), (1, 2, 2))],
)
def test_occlusion_against_the_definition(
    shape: tuple[int, ...], window: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    x = torch.randn(shape).double()
    found = Occlusion(score).attribute(x, window, stride)
    torch.testing.assert_close(found, occluded_slowly(x, window, stride))


def test_windows_of_several_inputs() -> None:
    a, b = torch.randn(2, 5).double(), torch.randn(2, 2, 3).double()
    first, second = Occlusion(score).attribute((a, b), ((2,), (1, 3)), (2, (1, 1)))
    torch.testing.assert_close(first, Occlusion(score).attribute(a, (2,), 2, additional_forward_args=b))
    alone = Occlusion(lambda b, a: score(a, b)).attribute(b, (1, 3), additional_forward_args=a)
    torch.testing.assert_close(second, alone)


def test_windows_of_inputs_without_dimensions() -> None:
    x = torch.tensor([2.0, 3.0])
    torch.testing.assert_close(Occlusion(lambda x: x.square()).attribute(x, ()), x.square())


def test_each_position_is_hidden_by_its_own_feature_only() -> None:
    groups = as_groups(torch.tensor([[4, 9, 4]]), (torch.zeros(2, 3),))
    assert groups.count == 2
    assert groups.hidden(0, 2)[0].tolist() == [[[True, False, True]], [[False, True, False]]]
    windows = as_windows((2,), None, (torch.zeros(1, 4),))
    assert windows.hidden(1, 3)[0].tolist() == [[[False, True, True, False]], [[False, False, True, True]]]


X, PAIR = torch.ones(2, 4), (torch.ones(2, 4), torch.ones(2, 3))


@pytest.mark.parametrize(
    ("inputs", "arguments", "says"),
    [
        (PAIR, {"feature_mask": torch.zeros(1, 4).long()}, "1 entries for 2 inputs"),
        (PAIR, {"feature_mask": (torch.zeros(1, 4).long(),)}, "1 entries for 2 inputs"),
        (X, {"feature_mask": torch.tensor([[0.0, 0.5, 1, 1]])}, "not whole"),
        (X, {"feature_mask": torch.zeros(1, 5).long()}, r"shape \(1, 5\), its input \(2, 4\)"),
        (X, {"feature_mask": torch.zeros(3, 4).long()}, r"shape \(3, 4\)"),
        (X, {"feature_mask": [[0, 1, 2, 3]]}, "not a tensor"),
        (PAIR, {"baselines": (0, 0, 0)}, "3 entries for 2 inputs"),
        (X, {"baselines": torch.zeros(2, 5)}, r"shape \(2, 5\), its input \(2, 4\)"),
        (X, {"baselines": torch.zeros(1, 2, 4)}, r"shape \(1, 2, 4\)"),
        (X, {"baselines": "zero"}, "str"),
        (X, {"perturbations_per_eval": 0}, "perturbations_per_eval=0"),
        (X, {"bogus": 1}, "bogus"),
    ],
)
def test_wrong_arguments_are_refused_before_the_model_runs(inputs: Any, arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        FeatureAblation(_never).attribute(inputs, **arguments)


@pytest.mark.parametrize(
    ("inputs", "window", "strides", "says"),
    [
        (X, (5,), None, "larger than the input"),
        (X, (2,), 3, "steps over"),
        (X, (2, 2), None, "expected 1 integers"),
        (X, (0,), None, "expected 1 integers"),
        (X, (2,), (1, 1), "expected 1 integers"),
        (X, 2, None, "expected 1 integers"),
        (PAIR, (2,), None, "one entry for each of 2"),
        (PAIR, ((2,),), None, "one entry for each of 2"),
        (PAIR, ((2,), (2,)), (1,), "one entry for each of 2"),
    ],
)
def test_wrong_windows_are_refused_before_the_model_runs(inputs: Any, window: Any, strides: Any, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        Occlusion(_never).attribute(inputs, window, strides)


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")
