"""What Captum 0.9 gets wrong and this engine gets right: layers and masks (items 5 to 7).

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import captum
import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    Layer,
    LayerActivation,
    Lime,
    ShapleyValueSampling,
)
from attribution_core.methods.linear import LinearRegression

from .nets import affine
from .peer import IS_09, of_captum
from .registry import FLAT, LAYERS, NEURONS, build, options

# 5


class Twice(nn.Module):
    """One layer called twice in a forward pass."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.shared, self.out = affine(3, 3), affine(3, 2)
        self.calls = (self.shared, self.shared)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.calls[1](self.calls[0](x).relu()))


class Unrolled(Twice):
    """The same, with a layer for each call."""

    def __init__(self) -> None:
        super().__init__()
        self.again = affine(3, 3)
        self.again.load_state_dict(self.shared.state_dict())
        self.calls = (self.shared, self.again)


@pytest.mark.parametrize("name", [name for name in FLAT if name in {*LAYERS, *NEURONS}])
def test_05_a_layer_called_twice_is_selected_or_summed_never_silently_the_last(name: str) -> None:
    x, twice, unrolled = torch.randn(4, 3).double(), Twice(), Unrolled()

    def ask(model: Twice, layer: Any) -> Tensor:
        found: Tensor = build(name, model, layer).attribute(x, **options(name, x))
        return found

    with pytest.raises(AttributionError, match=r"called 2 times.*call=0.*call=1.*call='sum'"):
        ask(twice, twice.shared)
    each = [ask(unrolled, layer) for layer in unrolled.calls]
    for call in (0, 1):
        torch.testing.assert_close(ask(twice, Layer(twice.shared, call=call)), each[call])
    if name != "LayerFeaturePermutation":  # where the calls are shuffled differently
        torch.testing.assert_close(ask(twice, Layer(twice.shared, call="sum")), each[0] + each[1])
    with pytest.raises(AttributionError, match="call=2 is not among them"):
        ask(twice, Layer(twice.shared, call=2))


def test_05_captum_takes_the_last_call_without_a_word() -> None:
    x, twice = torch.randn(4, 3).double(), Twice()
    theirs = captum.attr.LayerActivation(twice, twice.shared).attribute(x)
    torch.testing.assert_close(theirs, LayerActivation(twice, Layer(twice.shared, call=1)).attribute(x))


# 6


def counting(x: Tensor) -> Tensor:
    """The sum of what is finite, and 10 for everything that is not."""
    return x.nan_to_num(0, 0, 0).sum(1) + 10 * (~x.isfinite()).sum(1)


SELECTING: dict[str, dict[str, Any]] = {
    "FeatureAblation": {}, "Occlusion": {"sliding_window_shapes": (1,)}, "ShapleyValues": {}, "KernelShap": {},
    "ShapleyValueSampling": {},
}  # fmt: skip


def removed(name: str, score: Callable[[Tensor], Tensor], x: Tensor, b: Any) -> list[float]:
    method = Lime(score, LinearRegression()) if name == "Lime" else getattr(attribution_core, name)(score)
    found: Tensor = method.attribute(x, baselines=b, **SELECTING.get(name, {}))
    return [round(value, 4) for value in found[0].tolist()]


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [*SELECTING, "Lime"])
def test_06_nan_and_infinity_stay_where_they_are(name: str, wrong: float) -> None:
    clean, spoiled = torch.tensor([[1.0, 2, 3]]), torch.tensor([[1.0, 2, wrong]])
    assert removed(name, counting, spoiled, 0) == [1, 2, 10]
    assert removed(name, counting, clean, spoiled - torch.tensor([[1.0, 2, 0]])) == [1, 2, -7]
    assert removed(name, lambda x: x[:, :2].sum(1), spoiled, torch.tensor([[0.0, 0, wrong]])) == [1, 2, 0]
    if IS_09 and name == "FeatureAblation":
        assert of_captum(name, counting, spoiled)[0].tolist() == [1, 2, 0]
        assert of_captum(name, counting, clean, torch.tensor([[0, 0, wrong]]))[0].tolist() == [-6, -5, -7]


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_06_nor_do_they_leak_from_layers_into_neurons_or_by_shuffling(wrong: float) -> None:
    layer, x = nn.Identity(), torch.tensor([[1.0, 2, wrong], [3, 4, 5]])

    def through(x: Tensor) -> Tensor:
        return counting(layer(x))

    expected = [[1, 2, 10], [3, 4, 5]]
    assert attribution_core.LayerFeatureAblation(through, layer).attribute(x).tolist() == expected
    assert attribution_core.NeuronFeatureAblation(through, layer).attribute(x, counting).tolist() == expected
    in_orders = ShapleyValueSampling(counting).attribute(x, estimator="orders", n_samples=3)
    torch.testing.assert_close(in_orders, torch.tensor(expected).float())
    swapped = torch.tensor([1, 0])
    shuffled = attribution_core.FeaturePermutation(counting, lambda x, mask: torch.where(mask, x[swapped], x))
    assert shuffled.attribute(x).tolist() == [[-2, -2, 5], [2, 2, -5]]
    for seed in range(4):  # one of the two orders of two examples
        found = attribution_core.LayerFeaturePermutation(through, layer).attribute(x, seed=seed)
        assert found[:, 2].tolist() in ([5, -5], [0, 0])


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool])
@pytest.mark.parametrize("name", [*SELECTING, "Lime"])
def test_06_integers_and_booleans_are_selected_too(name: str, dtype: torch.dtype) -> None:
    large = {torch.int64: 2**60 + 1, torch.uint8: 255, torch.bool: 1}[dtype]  # no float32 holds 2**60 + 1
    x, b = torch.tensor([[large, 1, large]]).to(dtype), torch.tensor([[0, 0, 0]]).to(dtype)

    def whole(x: Tensor) -> Tensor:
        assert x.dtype == dtype
        return ((x == large) * torch.tensor([1.0, 0, 4])).sum(1)

    assert removed(name, whole, x, b) == [1, 0, 4]


# 7


def never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")


X, PAIR = torch.ones(2, 4), (torch.ones(2, 4), torch.ones(2, 3))
WHOLE = torch.zeros(1, 4).long()
MASKS: list[tuple[Any, Any, str]] = [
    (PAIR, WHOLE, "1 entries for 2 inputs"), (PAIR, (WHOLE,), "1 entries for 2 inputs"),
    (X, (WHOLE, WHOLE), "2 entries for 1 inputs"), (X, torch.tensor([[0.0, 0.5, 1, 1]]), "not whole"),
    (X, torch.full((1, 4), math.nan), "not whole"), (X, torch.zeros(1, 5).long(), r"\(1, 5\), its input \(2, 4\)"),
    (X, torch.zeros(3, 4).long(), r"shape \(3, 4\)"), (PAIR, (WHOLE, WHOLE), r"\(1, 4\), its input \(2, 3\)"),
    (X, [[0, 1, 2, 3]], "not a tensor"),
]  # fmt: skip
BASELINES: list[tuple[Any, Any, str]] = [
    (PAIR, (0, 0, 0), "3 entries for 2 inputs"), (PAIR, 0, "1 entries for 2 inputs"),
    (X, torch.zeros(2, 5), r"\(2, 5\), its input \(2, 4\)"), (X, torch.zeros(3, 4), r"shape \(3, 4\)"),
    (X, torch.zeros(1, 2, 4), r"shape \(1, 2, 4\)"), (X, "zero", "str"),
]  # fmt: skip
MASKED = ["FeatureAblation", "FeaturePermutation", "ShapleyValues", "ShapleyValueSampling", "KernelShap", "Lime"]
REPLACING = [*(set(MASKED) - {"FeaturePermutation"}), "Occlusion", "IntegratedGradients", "DeepLift"]


@pytest.mark.parametrize(("inputs", "mask", "says"), MASKS)
@pytest.mark.parametrize("name", MASKED)
def test_07_masks_that_do_not_fit_are_refused_before_any_forward(name: str, inputs: Any, mask: Any, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        getattr(attribution_core, name)(never).attribute(inputs, feature_mask=mask)


@pytest.mark.parametrize(("inputs", "baselines", "says"), BASELINES)
@pytest.mark.parametrize("name", sorted(REPLACING))
def test_07_baselines_that_do_not_fit_are_refused_before_any_forward(
    name: str, inputs: Any, baselines: Any, says: str
) -> None:
    windows = {"sliding_window_shapes": (2,) if inputs is X else ((2,), (2,))} if name == "Occlusion" else {}
    with pytest.raises(AttributionError, match=says):
        getattr(attribution_core, name)(never).attribute(inputs, baselines=baselines, **windows)


def test_07_captum_takes_one_mask_and_three_baselines_for_two_inputs() -> None:
    def score(a: Tensor, b: Tensor) -> Tensor:
        return a.sum(1) + b.sum(1)

    if IS_09:
        assert of_captum("FeatureAblation", score, PAIR, feature_mask=(WHOLE,))[1].abs().max() == 0
        assert of_captum("FeatureAblation", score, PAIR, (0, 0, 0))[1].tolist() == PAIR[1].tolist()
