"""Calls that work in Captum, or that its users would expect to, with its numbers where it has some."""

from __future__ import annotations

from typing import Any

import captum.attr
import numpy as np
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    AttributionWarning,
    DeepLift,
    GuidedGradCam,
    IntegratedGradients,
    KernelShap,
    LayerScoreCam,
    Lime,
    NeuronGradient,
    NoiseTunnel,
    Saliency,
    ShapleyValueSampling,
)

from .nets import Pair
from .registry import OF_ROWS, PRIMARY, ask, build, takes

torch.manual_seed(0)
pytestmark = [
    pytest.mark.filterwarnings("ignore:Input Tensor . did not"),  # of Captum
    pytest.mark.filterwarnings("ignore:Setting backward hooks"),
    pytest.mark.filterwarnings("ignore:You are providing multiple"),
    pytest.mark.filterwarnings("ignore:Lime's penalty"),  # of nets whose scores differ by little
]
NET = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)).double()
X = torch.randn(4, 5).double()
ENGINES = (captum.attr, attribution_core)


def both(name: str, model: Any, *arguments: Any, **named: Any) -> tuple[Tensor, Tensor]:
    """What Captum says, and what we say."""
    theirs, ours = (getattr(engine, name)(model).attribute(*arguments, **named) for engine in ENGINES)
    return theirs, ours


@pytest.mark.parametrize("name", ["FeatureAblation", "ShapleyValueSampling", "KernelShap", "Lime"])
def test_scores_that_are_numbers_of_python_keep_their_digits(name: str) -> None:
    more = {} if name == "FeatureAblation" else {"n_samples": 64}
    found = getattr(attribution_core, name)(lambda x: 12345.678 + 1e-4 * float(x.sum())).attribute(X[:1], **more)
    assert found.dtype == torch.float64
    if name != "Lime":  # whose penalty is larger than these
        torch.testing.assert_close(found, 1e-4 * X[:1], rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_integer_scores_above_what_float32_holds(dtype: torch.dtype) -> None:
    theirs, ours = both("FeatureAblation", lambda x: (x.sum(1) * 1000).to(dtype) + 2**25, X)
    torch.testing.assert_close(ours, theirs.double())


@pytest.mark.parametrize("target", [-1, (-1,), torch.tensor(-1)])
def test_a_target_that_counts_from_the_end(target: Any) -> None:
    theirs, ours = both("Saliency", NET, X, target=target)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(Saliency(NET).attribute(X, target=[-1] * 4), ours)


@pytest.mark.parametrize("name", ["FeatureAblation", "ShapleyValues", "ShapleyValueSampling", "KernelShap"])
@pytest.mark.parametrize("baseline", [0.5, torch.full((1, 3), 0.5), np.full(3, 0.5)])
def test_fractional_baselines_of_whole_inputs(name: str, baseline: Any) -> None:
    x = torch.arange(6).reshape(2, 3)
    found = getattr(attribution_core, name)(lambda x: x.float().square().sum(1)).attribute(x, baseline)
    torch.testing.assert_close(found, x.float().square() - 0.25, check_dtype=False)
    if name == "FeatureAblation" and not isinstance(baseline, np.ndarray):
        theirs, ours = both(name, lambda x: x.float().square().sum(1), x, baseline)
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("selector", [0, (0,), (0, 0), (0, 0, 0)])
def test_the_only_neuron_of_a_map(selector: Any) -> None:
    net = nn.Sequential(nn.Conv2d(3, 1, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    x = torch.randn(2, 3, 6, 6)
    theirs, ours = (engine.NeuronGradient(net, net[1]).attribute(x, selector) for engine in ENGINES)
    torch.testing.assert_close(ours, theirs)
    with pytest.raises(AttributionError, match=r"\(2, 1, 4, 4\)"):
        NeuronGradient(net, net[0]).attribute(x, 0)


@pytest.mark.parametrize("name", [name for name in OF_ROWS if takes(name, "baselines")])
def test_baselines_of_numpy(name: str) -> None:
    zeros = torch.zeros_like(X)
    expected = ask(name, NET, X, baselines=zeros)
    for given in (zeros.numpy(), zeros[:1].numpy()[:, ::-1], lambda x: np.zeros(x.shape), np.float32(0)):
        torch.testing.assert_close(ask(name, NET, X, baselines=given), expected)


@pytest.mark.parametrize("name", ["Saliency", "IntegratedGradients", "DeepLift"])
def test_baselines_of_numpy_for_several_inputs_and_several_baselines(name: str) -> None:
    if not takes(name, "baselines"):
        return
    x, y = torch.rand(2, 3), torch.rand(2, 3)
    method = getattr(attribution_core, name)(lambda x, y: (x * y).sum(1))
    found = method.attribute((x, y), [(np.zeros((2, 3)), 0), (np.ones((1, 3)), np.float64(1))])
    expected = method.attribute((x, y), [(0, 0), (1, 1)])
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", PRIMARY)
def test_an_empty_batch_has_an_empty_answer(name: str) -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))
    x = torch.rand(2, 2, 6, 6)
    more = {"feature_mask": torch.zeros(1, 2, 6, 6).long()} if takes(name, "feature_mask") else {}
    if takes(name, "return_convergence_delta"):
        found, delta = ask(name, net, x[:0], return_convergence_delta=True, **more)
        assert delta.shape == (0,)
    else:
        found = ask(name, net, x[:0], **more)
    assert found.shape == x[:0].shape


def test_guided_grad_cam_of_a_picture_and_a_row() -> None:
    net, given = Pair(), (torch.randn(2, 2, 6, 6), torch.randn(2, 5))
    with pytest.warns(UserWarning):
        theirs = captum.attr.GuidedGradCam(net, net.conv).attribute(given, 0)
    with pytest.warns(AttributionWarning, match=r"over inputs\[1\]: attributions are empty"):
        ours = GuidedGradCam(net, net.conv).attribute(given, 0)
    torch.testing.assert_close(ours[0], theirs[0])
    assert ours[1].numel() == theirs[1].numel() == 0


@pytest.mark.parametrize("mode", ["linear", "bilinear"])
def test_guided_grad_cam_of_a_series_stretches_linearly(mode: str) -> None:
    net = nn.Sequential(nn.Conv1d(2, 3, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(9, 2))
    x = torch.randn(2, 2, 8)
    expected = captum.attr.GuidedGradCam(net, net[0]).attribute(x, 0, interpolate_mode="linear")
    torch.testing.assert_close(GuidedGradCam(net, net[0]).attribute(x, 0, interpolate_mode=mode), expected)
    for wrong in ("bicubic", "cubic"):
        with pytest.raises(AttributionError, match=f"interpolate_mode='{wrong}'"):
            GuidedGradCam(net, net[0]).attribute(x, 0, interpolate_mode=wrong)


@pytest.mark.parametrize("name", ["Lime", "KernelShap"])
def test_values_of_examples_with_different_features(name: str) -> None:
    """Zero for features that an example does not have, as in Captum."""
    masks = torch.tensor([[0, 0, 1, 1, 2], [0, 0, 0, 1, 1], [0, 1, 2, 3, 4], [0, 2, 2, 2, 2]])
    call: dict[str, Any] = {"target": 0, "feature_mask": masks, "n_samples": 64}
    found = getattr(attribution_core, name)(NET).attribute(X, **call, return_input_shape=False)
    spread = getattr(attribution_core, name)(NET).attribute(X, **call)
    theirs = getattr(captum.attr, name)(NET).attribute(X, **call, return_input_shape=False)
    assert found.shape == theirs.shape == (4, 5)
    torch.testing.assert_close(found.gather(1, masks), spread)
    lacking = torch.tensor([[False, False, False, True, True], [False, False, True, True, True], [False] * 5,
                            [False, True, False, True, True]])  # fmt: skip
    assert not found[lacking].any()


def test_orders_of_one_feature() -> None:
    found = ShapleyValueSampling(NET).attribute(
        X, target=0, feature_mask=torch.zeros(1, 5).long(), estimator="orders", n_samples=3
    )
    change = (NET(X) - NET(X * 0))[:, :1].detach()
    torch.testing.assert_close(found, change.expand(4, 5))


def test_score_cam_of_a_layer_without_maps_is_refused() -> None:
    net = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 3))
    with pytest.raises(AttributionError, match=r"\(2, 3\) are no maps of inputs \(2, 2, 6, 6\)"):
        LayerScoreCam(net, net[3]).attribute(torch.rand(2, 2, 6, 6), target=0)


def test_baselines_are_drawn_only_where_the_method_has_some() -> None:
    plain = NoiseTunnel(Saliency(NET)).attribute(X, target=0, seed=1)
    drawing = NoiseTunnel(Saliency(NET)).attribute(X, target=0, seed=1, draw_baseline_from_distrib=True)
    torch.testing.assert_close(drawing, plain)


def test_keywords_that_the_method_inside_does_not_take() -> None:
    with pytest.raises(AttributionError, match=r"NoiseTunnel passes n_steps on, which Saliency\.attribute"):
        NoiseTunnel(Saliency(NET)).attribute(X, target=0, n_steps=3)


@pytest.mark.parametrize("weight", [0.0, float("nan"), float("inf"), -1.0, "x", None])
def test_similarities_that_weigh_nothing(weight: Any) -> None:
    with pytest.raises(AttributionError, match="similarity_func"):
        Lime(NET, similarity_func=lambda *_, **__: weight).attribute(X[:1], target=0)


@pytest.mark.parametrize(
    "formula", [lambda m: 1, lambda m: (), lambda m: m[0], lambda m: (m[0][:, :1],), lambda m: (m[0].numpy(),)]
)
def test_own_formulas_of_deeplift_keep_the_shape(formula: Any) -> None:
    with pytest.raises(AttributionError, match=r"custom_attribution_func returned .* shapes \[\(4, 5\)\]"):
        DeepLift(NET).attribute(X, target=0, custom_attribution_func=formula)


@pytest.mark.parametrize(
    ("baseline", "says"),
    [(float("nan"), "is nan"), (float("inf"), "is inf"), (2**2000, r"beyond what torch.float64"), ("x", "is a str"),
     (np.array(["a"]), "array"), (torch.zeros(4, 5).to_sparse(), "sparse_coo"),
     (torch.zeros(4, 5, device="meta"), "meta"),
     (torch.zeros(4, 5) * 1j, "complex64"), (object(), "object")],
)  # fmt: skip
@pytest.mark.parametrize("method", [IntegratedGradients, KernelShap])
def test_baselines_that_are_refused_before_the_model_runs(method: Any, baseline: Any, says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        method(_never).attribute(X, baselines=baseline)


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")


SHARED, OTHER = torch.randn(1, 5).double(), torch.randn(7, 3).double()


def scaled(x: Tensor, shared: Tensor) -> Tensor:
    """A score for each row of x, with one row of weights for all."""
    return (x * shared).tanh().sum(1)


def of_both(x: Tensor, other: Tensor) -> Tensor:
    """One number of two inputs that have nothing to do with each other."""
    return x.square().sum() + other.tanh().sum()


@pytest.mark.parametrize("name", ["Saliency", "InputXGradient", "FeatureAblation"])
def test_inputs_with_different_rows(name: str) -> None:
    theirs, ours = both(name, scaled, (X, SHARED))
    torch.testing.assert_close(ours, theirs)
    if name == "FeatureAblation":  # Captum takes no gradients of one number
        torch.testing.assert_close(*both(name, of_both, (X, OTHER)))


ANY_ROWS = [name for name in OF_ROWS if name not in ("GradientShap", "DeepLiftShap", "Occlusion")]


@pytest.mark.parametrize("name", ANY_ROWS)
def test_inputs_with_different_rows_in_all_methods(name: str) -> None:
    mixing = torch.randn(5, 3).double()
    found = build(name, lambda x, other: x.mv(mixing.mv(other.mean(0)).relu())).attribute((X, OTHER))
    assert [f.shape[1:] for f in found] == [(5,), (3,)]
    assert len(found[0]) == 4


@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift", "ShapleyValueSampling", "KernelShap"])
def test_inputs_with_different_rows_add_up_to_the_change(name: str) -> None:
    more: dict[str, Any] = {"n_samples": 99} if takes(name, "n_samples") else {}
    found = getattr(attribution_core, name)(of_both).attribute((X, OTHER), **more)
    assert [len(f) for f in found] in ([4, 7], [1, 1])
    torch.testing.assert_close(sum(f.sum() for f in found), of_both(X, OTHER), rtol=1e-6, atol=1e-6)


def test_what_rows_that_differ_do_not_allow() -> None:
    given, own = (X, SHARED), torch.arange(20).reshape(4, 5)
    for call, says in [
        (
            lambda: IntegratedGradients(scaled).attribute(given, return_convergence_delta=True),
            "do not add up by example",
        ),
        (lambda: attribution_core.GradientShap(scaled).attribute(given, (0, 0)), "a baseline is drawn for each row"),
        (
            lambda: KernelShap(scaled).attribute(given, feature_mask=(own, own[:1])),
            "rows",
        ),
    ]:
        with pytest.raises(AttributionError, match=says):
            call()
    with attribution_core.observe(max_batch=2), pytest.raises(AttributionError, match=r"\[4, 1\] rows; at most 2"):
        Saliency(scaled).attribute(given)


def test_sparse_further_arguments_have_a_row_for_each_example() -> None:
    rows = torch.eye(4, 5).double()
    plain = KernelShap(lambda x, w: (x * w).sum(1)).attribute(X, additional_forward_args=rows, seed=1)
    sparse = KernelShap(lambda x, w: (x * w.to_dense()).sum(1)).attribute(
        X, additional_forward_args=rows.to_sparse(), seed=1
    )
    torch.testing.assert_close(sparse, plain)
