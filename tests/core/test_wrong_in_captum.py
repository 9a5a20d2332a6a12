"""What Captum 0.9 gets wrong and this engine gets right: the eleven items of the list, in its order, one name each.

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

import inspect
import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import captum
import captum.attr
import pytest
import torch
import torch.nn.functional as F
from sklearn import linear_model
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    LRP,
    AttributionError,
    DeepLift,
    IntegratedGradients,
    KernelShap,
    Layer,
    LayerActivation,
    LayerLRP,
    Lime,
    ShapleyValueSampling,
)
from attribution_core.linear import Lasso, LinearRegression
from attribution_core.methods.surrogate import exponential_likeness
from attribution_core.rules.composites import COMPOSITES

IS_09 = captum.__version__.startswith("0.9")


def of_captum(name: str, model: Any, *arguments: Any, **options: Any) -> Any:
    """What Captum's class of that name answers, without its warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(captum.attr, name)(model).attribute(*arguments, **options)


def affine(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs).double()


# 1


def test_01_deeplift_through_softmax_is_independent_of_the_batch_and_complete() -> None:
    net = nn.Sequential(affine(3, 4), nn.Tanh(), affine(4, 3), nn.Softmax(1))
    x, b = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    found = DeepLift(net).attribute(x, b, target=1)
    for row in range(5):
        alone = DeepLift(net).attribute(x[row : row + 1], b[row : row + 1], target=1)
        torch.testing.assert_close(alone, found[row : row + 1], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sum(1), (net(x) - net(b))[:, 1].detach(), rtol=0, atol=1e-12)
    if IS_09:
        whole, delta = of_captum("DeepLift", net, x, b, 1, return_convergence_delta=True)
        assert (whole[:1] - of_captum("DeepLift", net, x[:1], b[:1], 1)).abs().max() > 1e-4
        assert delta.abs().max() > 1e-3


# 2


def test_02_deeplift_through_max_pool_where_input_equals_baseline_inside_a_window() -> None:
    conv = nn.Conv1d(1, 1, 2, stride=2, bias=False)
    conv.weight.data.fill_(1.0)
    net = nn.Sequential(conv, nn.MaxPool1d(2), nn.Flatten())
    x = torch.tensor([[5.0, 5, 1, 0], [0, 1, 6, 4]])[:, None]
    b = torch.tensor([[0.0, 0, 0, 1], [0, 0, 5, 5]])[:, None]
    expected = torch.tensor([[4.5, 4.5, 0, 0], [0, 0, 1, -1]])[:, None]
    for rows in ([0, 1], [1, 0], [1], [0], [1, 1, 0]):
        found, delta = DeepLift(net).attribute(x[rows], b[rows], target=0, return_convergence_delta=True)
        torch.testing.assert_close(found, expected[rows])
        assert delta.tolist() == [0] * len(rows)
    if IS_09:
        assert of_captum("DeepLift", net, x, b, 0)[1, 0].tolist() == [0, 0, 0, 0]


# 3

NONLINEAR: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(2), "gelu": nn.GELU,
    "max pool": lambda: nn.MaxPool1d(2, stride=1, padding=1), "average pool": lambda: nn.AvgPool1d(2),
    "leaky": nn.LeakyReLU, "elu": nn.ELU, "silu": nn.SiLU, "softplus": nn.Softplus, "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish, "prelu": nn.PReLU,
}  # fmt: skip


@pytest.mark.parametrize("second", NONLINEAR)
@pytest.mark.parametrize("first", NONLINEAR)
def test_03_deeplift_through_adjacent_nonlinearities_in_every_ordered_pair(first: str, second: str) -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 2), NONLINEAR[first](), NONLINEAR[second](), nn.Flatten(), nn.LazyLinear(2))
    x, b = torch.randn(3, 1, 7), torch.randn(3, 1, 7)
    net(x)
    assert DeepLift(net).attribute(x, b, target=0, return_convergence_delta=True)[1].abs().max() < 1e-5
    exact = DeepLift(net.double()).attribute(x.double(), b.double(), target=0, return_convergence_delta=True)[1]
    assert exact.abs().max() < 1e-12
    if IS_09 and (first, second) in {("relu", "max pool"), ("max pool", "relu"), ("relu", "tanh")}:
        theirs = of_captum("DeepLift", net, x.double(), b.double(), 0, return_convergence_delta=True)[1]
        assert theirs.abs().max() > 1e-4


# 4

WRITTEN: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = {
    "relu": (nn.ReLU(), F.relu), "relu method": (nn.ReLU(), lambda x: x.relu()), "gelu": (nn.GELU(), F.gelu),
    "silu": (nn.SiLU(), F.silu), "sigmoid": (nn.Sigmoid(), torch.sigmoid), "tanh": (nn.Tanh(), lambda x: x.tanh()),
    "elu": (nn.ELU(), F.elu), "leaky": (nn.LeakyReLU(), F.leaky_relu), "relu6": (nn.ReLU6(), F.relu6),
    "hardswish": (nn.Hardswish(), F.hardswish), "softplus": (nn.Softplus(), F.softplus), "mish": (nn.Mish(), F.mish),
    "clamp": (nn.Hardtanh(-1, 1), lambda x: x.clamp(-1, 1)), "softmax": (nn.Softmax(1), lambda x: x.softmax(1)),
    "max pool": (nn.MaxPool1d(2), lambda x: F.max_pool1d(x, 2)),
}  # fmt: skip


class Between(nn.Module):
    """Something between two linear layers."""

    def __init__(self, middle: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.middle, self.last = affine(3, 6), middle, nn.LazyLinear(2).double()
        self(torch.zeros(1, 3).double())

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)))


@pytest.mark.parametrize("name", ["DeepLift", "GuidedBackprop", "Deconvolution", "LRP"])
@pytest.mark.parametrize("written", WRITTEN)
def test_04_a_functional_activation_gives_the_attributions_of_the_module(written: str, name: str) -> None:
    module, function = WRITTEN[written]
    x = torch.randn(4, 3).double()
    expected = getattr(attribution_core, name)(Between(module)).attribute(x, target=1)
    found = getattr(attribution_core, name)(Between(function)).attribute(x, target=1)
    torch.testing.assert_close(found, expected)
    if name == "DeepLift":
        net = Between(function)
        torch.testing.assert_close(found.sum(1), (net(x) - net(x * 0))[:, 1].detach())
    if IS_09 and written == "relu" and name in ("DeepLift", "Deconvolution"):
        theirs = [of_captum(name, Between(middle), x, target=1) for middle in (module, function)]
        assert not torch.allclose(*theirs)


class Rectifier(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.relu()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (Rectifier.apply, "Rectifier"), (torch.ops.aten.relu, "relu"), (lambda x: x.prod(1, keepdim=True), "prod"),
        (lambda x: torch.cdist(x[:, None], x[:, None])[:, 0], "cdist"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["DeepLift", "LRP"])
def test_04_an_unlisted_operation_is_refused_by_name(name: str, function: Any, named: str) -> None:
    with pytest.raises(AttributionError, match=named):
        getattr(attribution_core, name)(Between(function)).attribute(torch.randn(2, 3).double(), target=1)


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


TARGET: dict[str, Any] = {"target": 1}
NEURON: dict[str, Any] = {"neuron_selector": 1}
INTERNAL: dict[str, dict[str, Any]] = {
    "LayerActivation": {}, "LayerCam": TARGET, "LayerConductance": TARGET, "LayerDeepLift": TARGET,
    "LayerDeepLiftShap": {**TARGET, "baselines": 0.5}, "LayerFeatureAblation": TARGET,
    "LayerFeaturePermutation": {**TARGET, "seed": 1}, "LayerGradCam": TARGET, "LayerGradCamPlusPlus": TARGET,
    "LayerGradientShap": {**TARGET, "baselines": 0.5, "seed": 1}, "LayerGradientXActivation": TARGET,
    "LayerIntegratedGradients": TARGET, "LayerLRP": TARGET, "InternalInfluence": TARGET, "NeuronGradient": NEURON,
    "NeuronConductance": {**NEURON, **TARGET}, "NeuronDeconvolution": NEURON, "NeuronDeepLift": NEURON,
    "NeuronDeepLiftShap": {**NEURON, "baselines": 0.5}, "NeuronFeatureAblation": NEURON,
    "NeuronGradientShap": {**NEURON, "baselines": 0.5, "seed": 1}, "NeuronGuidedBackprop": NEURON,
    "NeuronIntegratedGradients": NEURON,
}  # fmt: skip


@pytest.mark.parametrize("name", INTERNAL)
def test_05_a_layer_called_twice_is_selected_or_summed_never_silently_the_last(name: str) -> None:
    x, twice, unrolled = torch.randn(4, 3).double(), Twice(), Unrolled()

    def ask(model: Twice, layer: Any) -> Tensor:
        found: Tensor = getattr(attribution_core, name)(model, layer).attribute(x, **INTERNAL[name])
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
        with pytest.raises(ValueError, match="Categorical"):
            of_captum("KernelShap", lambda x: x.sum(1), torch.ones(1, 1))
    assert KernelShap(lambda x: x.sum(1)).attribute(torch.ones(1, 1)).tolist() == [[1]]


# 9


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.PReLU()])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_09_deeplift_in_half_precision_near_its_baseline(activation: nn.Module, dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Linear(4, 4), activation, nn.Linear(4, 2))
    b = torch.randn(3, 4).to(dtype)
    x = (b.float() + 1e-3).to(dtype)
    exact = DeepLift(net).attribute(x.float(), b.float(), target=0)
    half = net.to(dtype)
    at, near = (DeepLift(half).attribute(point, b, target=0) for point in (b, x))
    at_baseline = of_captum("DeepLift", half, b, b, 0) if IS_09 and isinstance(activation, nn.Sigmoid) else None
    net.float()
    assert at.dtype == near.dtype == dtype
    assert at.abs().max() == 0
    assert near.isfinite().all()
    change = (x.float() - b.float()).abs().max().item()
    torch.testing.assert_close(near.float(), exact, rtol=0.1, atol=0.1 * change + 1e-6)
    if at_baseline is not None and dtype == torch.float16:
        assert at_baseline.isnan().all()


# 10


class Skip(nn.Module):
    """f(x) + g(x), in either order, without biases, which would absorb relevance."""

    def __init__(self, swapped: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.f = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 5, bias=False), nn.ReLU())
        self.g, self.joined = nn.Linear(4, 5, bias=False), nn.Identity()
        self.cat, self.out, self.swapped = nn.Linear(10, 5, bias=False), nn.Linear(5, 3, bias=False), swapped
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.f(x), self.g(x)
        joined = self.joined(two + one if self.swapped else one + two)
        hidden = F.relu(self.cat(torch.cat([joined, joined.tanh()], 1)))
        hidden = joined + hidden if self.swapped else hidden + joined
        return self.out(hidden)


@pytest.mark.parametrize("composite", [None, *COMPOSITES])
def test_10_lrp_over_skip_connections_conserves_relevance_at_every_layer(composite: str | None) -> None:
    x, (net, swapped) = torch.randn(5, 4).double(), (Skip(False), Skip(True))
    score = net(x)[:, 2].detach()
    relevance, delta = LRP(net).attribute(x, 2, return_convergence_delta=True, composite=composite)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(relevance.sum(1), score, **close)
    assert delta.abs().max() < 1e-4
    first, hidden, f, g, joined, cat = (
        found.sum(1)
        for found in LayerLRP(net, [net.f[0], net.f[2], net.f, net.g, net.joined, net.cat]).attribute(
            x, 2, composite=composite
        )
    )
    torch.testing.assert_close(joined, score, **close)
    torch.testing.assert_close(f + g, score, **close)
    torch.testing.assert_close(first, f, **close)
    torch.testing.assert_close(hidden, f, **close)
    assert (cat - score).abs().max() > 1e-4  # the other branch carries the rest
    torch.testing.assert_close(LRP(swapped).attribute(x, 2, composite=composite), relevance)


def test_10_captum_counts_relevance_once_for_each_branch() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f, self.g = (nn.Sequential(nn.Linear(4, 5, bias=False), nn.ReLU()) for _ in range(2))
            self.out = nn.Linear(5, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.f(x) + self.g(x))

    net, x = Sum(), torch.randn(3, 4)
    torch.testing.assert_close(LRP(net).attribute(x, 0).sum(1), net(x)[:, 0].detach())
    if IS_09:
        torch.testing.assert_close(of_captum("LRP", net, x, 0).sum(1).detach(), 2 * net(x)[:, 0].detach())


# 11

WEIGHED = ["LayerConductance", "LayerIntegratedGradients", "LayerDeepLift", "InternalInfluence", "LayerGradCam",
           "LayerGradientXActivation", "NeuronConductance"]  # fmt: skip
PRIMARY: dict[str, dict[str, Any]] = {
    "Saliency": TARGET, "InputXGradient": TARGET, "GuidedBackprop": TARGET, "Deconvolution": TARGET,
    "IntegratedGradients": TARGET, "DeepLift": TARGET, "LRP": TARGET, "FeatureAblation": TARGET,
    "FeaturePermutation": {**TARGET, "seed": 1}, "ShapleyValues": TARGET, "ShapleyValueSampling": TARGET,
    "KernelShap": TARGET, "Lime": {**TARGET, "seed": 1}, "GradientShap": {**TARGET, "baselines": 0.5, "seed": 1},
    "DeepLiftShap": {**TARGET, "baselines": 0.5}, "Occlusion": {**TARGET, "sliding_window_shapes": (2,)},
}  # fmt: skip
CALLS = {**PRIMARY, **INTERNAL}
UP_TO_THE_LAYER = {name for name in INTERNAL if name.startswith("Neuron")} - {"NeuronConductance"}


class Plain(nn.Module):
    """A net that breaks on demand, on its way forward or back."""

    def __init__(self, breaks: str = "") -> None:
        super().__init__()
        torch.manual_seed(5)
        self.first, self.relu, self.out = nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)
        self.breaks = breaks

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.first(x))
        if self.breaks == "forward":
            raise ZeroDivisionError
        if self.breaks == "backward" and hidden.requires_grad:
            hidden.register_hook(broken)
        return self.out(hidden)


def broken(gradient: Tensor) -> Tensor:
    raise ZeroDivisionError


def called(name: str, net: Plain, **more: Any) -> Any:
    inside = (net.relu,) if name in INTERNAL else ()
    x = torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.1, 0.7]])
    return getattr(attribution_core, name)(net, *inside).attribute(x, **{**CALLS[name], **more})


def state(net: nn.Module) -> list[Any]:
    found: list[Any] = [torch.get_rng_state().tolist(), torch.is_grad_enabled()]
    for module in net.modules():
        hooks = {key: len(value) for key, value in vars(module).items() if key.endswith("_hooks")}
        found += [sorted(vars(module)), module.training, hooks]
    return found + [(p.tolist(), p.requires_grad, p.grad) for p in net.parameters()]


@pytest.mark.parametrize("name", CALLS)
def test_11_no_argument_is_accepted_and_ignored(name: str) -> None:
    with pytest.raises((AttributionError, TypeError), match="bogus"):
        called(name, Plain("forward"), bogus=1)
    grad_kwargs = "grad_kwargs" in inspect.signature(getattr(attribution_core, name).attribute).parameters
    assert grad_kwargs == (name in WEIGHED)
    if grad_kwargs:
        with pytest.raises(AttributionError, match=r"grad_kwargs has \['bogus'\]"):
            called(name, Plain("forward"), grad_kwargs={"bogus": 1})
        paths = "n_steps" in inspect.signature(getattr(attribution_core, name).attribute).parameters
        rows = {"n_steps": 3} if paths else {}
        count = 8 if name == "LayerConductance" else 6 if paths else 2
        zero = called(name, Plain(), grad_kwargs={"grad_outputs": torch.zeros(count)}, **rows)
        assert zero.abs().max() == 0 < called(name, Plain(), **rows).abs().max()


@pytest.mark.parametrize("name", WEIGHED)
def test_11_create_graph_makes_attributions_differentiable_or_is_refused(name: str) -> None:
    net = nn.Sequential(affine(3, 4), nn.Tanh(), affine(4, 4), nn.Sigmoid(), affine(4, 2))
    x = torch.randn(2, 3).double().requires_grad_()
    method, neuron = getattr(attribution_core, name)(net, net[1]), {"neuron_selector": 1}
    more = {**(neuron if name == "NeuronConductance" else {}), "target": 1, "grad_kwargs": {"create_graph": True}}
    if name == "LayerDeepLift":
        with pytest.raises(AttributionError, match="create_graph"):
            method.attribute(x, **more)
        return

    def size() -> Tensor:
        found: Tensor = method.attribute(x, **more).square().sum()
        return found

    leaves = [net[2].weight] if name == "LayerIntegratedGradients" else [net[2].weight, x]  # its path starts inside
    for leaf, slope in zip(leaves, torch.autograd.grad(size(), leaves), strict=True):
        step, at = torch.zeros_like(leaf), leaf.data.clone()
        step[1, 2] = 1e-5
        leaf.data = at + step
        more_of_it = size()
        leaf.data = at - step
        torch.testing.assert_close(slope[1, 2], (more_of_it - size()) / 2e-5, rtol=1e-5, atol=1e-9)
        leaf.data = at


@pytest.mark.parametrize("breaks", ["forward", "backward"])
@pytest.mark.parametrize("name", CALLS)
def test_11_nothing_is_left_on_the_model_after_an_error(name: str, breaks: str) -> None:
    net = Plain(breaks)
    before = state(net)
    forward_only = issubclass(getattr(attribution_core, name), attribution_core.PerturbationAttribution)
    if breaks == "backward" and (forward_only or name == "LayerActivation" or name in UP_TO_THE_LAYER):
        called(name, net)  # nothing goes back through what breaks
    else:
        with pytest.raises(ZeroDivisionError):
            called(name, net)
    assert state(net) == before
    net.breaks = ""
    torch.testing.assert_close(called(name, net), called(name, Plain()))


@pytest.mark.parametrize("name", ["DeepLift", "LRP"])
def test_11_captum_leaves_hooks_or_attributes_behind(name: str) -> None:
    if IS_09:
        net = Plain("forward")
        before = state(net)
        with pytest.raises(ZeroDivisionError):
            of_captum(name, net, torch.ones(1, 3), target=1)
        assert state(net) != before


def test_11_a_convergence_delta_hides_no_failure() -> None:
    def hidden(x: Tensor) -> Tensor:
        """The part that depends on a condition passes for linear in DeepLIFT, and jumps."""
        return torch.where(x > 0.5, 3 + x, x).sum(1)

    x, b = torch.tensor([[1.0, 0.0], [0.2, 0.1], [1.0, 2.0]]), torch.zeros(3, 2)
    found, delta = DeepLift(hidden).attribute(x, b, return_convergence_delta=True)
    missing = found.sum(1) - (hidden(x) - hidden(b))
    assert missing[0] != 0 == missing[1]
    torch.testing.assert_close(delta, missing)

    method = IntegratedGradients(lambda x: x.sum(1))
    up_and_down = torch.tensor([[1.0, 0], [-1, 0], [0, 0]])  # errors that would cancel out over the batch
    assert method.compute_convergence_delta(x + up_and_down, b, x).tolist() == [1, -1, 0]
    assert method.compute_convergence_delta(x * math.nan, b, x).isnan().all()
    for wrong in (x[:, :1], x[:1], (x, x)):
        with pytest.raises(AttributionError, match="They must match"):
            method.compute_convergence_delta(wrong, b, x)
    if IS_09:
        theirs = captum.attr.IntegratedGradients(lambda x: x.sum(1))
        assert theirs.compute_convergence_delta(torch.zeros(3, 1), b, x).shape == (3,)  # another shape, no word


@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift", "LRP"])
def test_11_a_model_that_fails_for_one_example_shows_in_its_delta_alone(name: str) -> None:
    net = Plain()
    x = torch.tensor([[0.5, math.nan, 1.0], [1.0, 2.0, 0.5]])
    method = getattr(attribution_core, name)(net)
    _, delta = method.attribute(x, target=1, return_convergence_delta=True)
    assert delta.isnan().tolist() == [True, False]
    torch.testing.assert_close(delta[1:], method.attribute(x[1:], target=1, return_convergence_delta=True)[1])
