"""Noise tunnel, expected gradients and DeepLiftShap: definitions, expectations, Captum."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor

import attribution_core
from attribution_core import (
    AttributionError,
    DeepLift,
    DeepLiftShap,
    GradientShap,
    IntegratedGradients,
    NoiseTunnel,
    Saliency,
    observe,
)
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.noise import Moments, noisy

from .nets import Counting

INNER: dict[str, dict[str, Any]] = {
    "Saliency": {"abs": False},
    "InputXGradient": {},
    "GuidedBackprop": {},
    "Deconvolution": {},
    "IntegratedGradients": {"n_steps": 4, "baselines": torch.full((1, 5), 0.2).double()},
    "DeepLift": {"baselines": torch.rand(3, 5).double()},
    "FeatureAblation": {"feature_mask": torch.tensor([[0, 0, 1, 2, 3]])},
    "Occlusion": {"sliding_window_shapes": (2,)},
    "FeaturePermutation": {},
    "ShapleyValues": {},
    "ShapleyValueSampling": {"n_samples": 2},
    "KernelShap": {"n_samples": 8},
    "Lime": {"n_samples": 40},
    "GradientShap": {"baselines": torch.rand(4, 5).double()},
    "DeepLiftShap": {"baselines": torch.rand(4, 5).double()},
}
RANDOM = {"FeaturePermutation", "ShapleyValueSampling", "KernelShap", "Lime", "GradientShap"}
TARGETS = [[2, 0, 1], 1, torch.tensor([0, 1, 1]), lambda outputs: outputs[torch.arange(3), torch.tensor([2, 0, 1])]]
X = torch.linspace(-1, 1.5, 15).reshape(3, 5).double()
SCALE = torch.tensor([1.0, 2.0, -0.5]).double()
CPU = torch.device("cpu")


def quiet(function: Callable[..., Any], **arguments: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(**arguments)


@pytest.mark.parametrize("target", TARGETS, ids=["list", "int", "tensor", "function"])
@pytest.mark.parametrize("name", INNER)
def test_definition_over_every_method(name: str, target: Any) -> None:
    """One noisy copy after the other, and then the mean, the mean square or the variance."""
    method = getattr(attribution_core, name)(Counting())
    arguments = {**INNER[name], "target": target, "additional_forward_args": SCALE}
    points = noisy(X, 0.3, range(4), Draws(5, CPU)).reshape(4, 3, 5)
    stochastic = "seed" in inspect.signature(method.attribute).parameters
    seeds = [{"seed": 5 + copy} if stochastic else {} for copy in range(4)]
    each = torch.stack(
        [quiet(method.attribute, inputs=p, **arguments, **s) for p, s in zip(points, seeds, strict=True)]
    )
    expected = {
        "smoothgrad": each.mean(0),
        "smoothgrad_sq": each.square().mean(0),
        "vargrad": each.var(0, correction=0),
    }
    for kind, wanted in expected.items():
        ask = NoiseTunnel(method).attribute
        found = quiet(ask, inputs=X, nt_type=kind, nt_samples=4, stdevs=0.3, seed=5, **arguments)
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("target", TARGETS[:3], ids=["list", "int", "tensor"])
@pytest.mark.parametrize("kind", ["smoothgrad", "smoothgrad_sq", "vargrad"])
@pytest.mark.parametrize("name", sorted(set(INNER) - RANDOM - {"DeepLiftShap"}))  # Captum asks for B baselines there
def test_numbers_of_captum_without_noise(name: str, kind: Any, target: Any) -> None:
    arguments = {**INNER[name], "target": target, "nt_type": kind, "nt_samples": 3, "stdevs": 0.0}
    deltas = {"return_convergence_delta": True} if name in ("IntegratedGradients", "DeepLift") else {}
    theirs = captum.attr.NoiseTunnel(getattr(captum.attr, name)(Counting()))
    ours = NoiseTunnel(getattr(attribution_core, name)(Counting()))
    expected = quiet(theirs.attribute, inputs=X, **arguments, **deltas)
    found = ours.attribute(X, **arguments, **deltas)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5, check_dtype=False)
    assert ours.multiplies_by_inputs == getattr(theirs, "multiplies_by_inputs", False)
    assert ours.has_convergence_delta() == theirs.has_convergence_delta()


def test_expectation_of_captum() -> None:
    model, arguments = Counting(), {"nt_samples": 4000, "stdevs": 0.5, "target": 1, "abs": False}
    torch.manual_seed(0)
    theirs = captum.attr.NoiseTunnel(captum.attr.Saliency(model)).attribute(X, **arguments)
    ours = NoiseTunnel(Saliency(model)).attribute(X, **arguments)
    torch.testing.assert_close(ours, theirs, atol=0.02, rtol=0.05)


def test_noise_has_the_deviation_that_was_asked_for() -> None:
    """The gradient of x²/2 is x itself."""
    x = (torch.full((2, 3), 5.0).double(), torch.full((2, 2), 5.0).double())
    method = Saliency(lambda a, b: (a.square().sum(1) + b.square().sum(1)) / 2)
    first, second = NoiseTunnel(method).attribute(x, "vargrad", nt_samples=3000, stdevs=(0.5, 2.0), seed=0, abs=False)
    torch.testing.assert_close(first, torch.full((2, 3), 0.25).double(), rtol=0.1, atol=0)
    torch.testing.assert_close(second, torch.full((2, 2), 4.0).double(), rtol=0.1, atol=0)


@pytest.mark.parametrize("bound", [1, 2, 3, 7, 30])
@pytest.mark.parametrize("name", INNER)
@pytest.mark.filterwarnings("ignore:Lime's penalty")
def test_bounds_change_nothing(name: str, bound: int) -> None:
    model = Counting()
    arguments = {**INNER[name], "target": [2, 0, 1], "nt_samples": 3, "stdevs": 0.3, "seed": 1, "inputs": X}
    method = NoiseTunnel(getattr(attribution_core, name)(model))
    expected = method.attribute(**arguments)
    model.rows.clear()
    with observe(max_batch=bound):
        torch.testing.assert_close(method.attribute(**arguments), expected)
    assert max(model.rows) <= bound


def test_copies_are_stacked_unless_asked_otherwise() -> None:
    model = Counting()
    NoiseTunnel(Saliency(model)).attribute(X, nt_samples=4, target=0)
    NoiseTunnel(Saliency(model)).attribute(X, nt_samples=4, nt_samples_batch_size=2, target=0)
    assert model.rows == [12, 6, 6]


@pytest.mark.parametrize("name", ["Saliency", "FeatureAblation", "IntegratedGradients"])
def test_one_number_for_the_batch_is_not_mixed_over_copies(name: str) -> None:
    method = getattr(attribution_core, name)(lambda x: x.square().mean())
    found = NoiseTunnel(method).attribute(X, nt_samples=3, stdevs=0.0)
    torch.testing.assert_close(found, method.attribute(X))


def test_pred_is_what_is_predicted_without_noise() -> None:
    model = Counting()
    method = NoiseTunnel(Saliency(model))
    found = method.attribute(X, nt_samples=5, stdevs=5.0, seed=1, target="pred")
    torch.testing.assert_close(found, method.attribute(X, nt_samples=5, stdevs=5.0, seed=1, target=model(X).argmax(1)))


@pytest.mark.parametrize("name", INNER)
@pytest.mark.parametrize("bound", [None, 2])
def test_several_targets_equal_separate_calls(name: str, bound: int | None) -> None:
    method = NoiseTunnel(getattr(attribution_core, name)(Counting()))
    options = {**INNER[name], "nt_samples": 3, "stdevs": 0.2, "seed": 1, "nt_samples_batch_size": bound}
    if method.has_convergence_delta():
        options["return_convergence_delta"] = True
    together = quiet(method.attribute, inputs=X, targets=TARGETS, **options)
    assert isinstance(together, list)
    torch.testing.assert_close(together, [quiet(method.attribute, inputs=X, target=t, **options) for t in TARGETS])


def test_several_targets_share_the_forward() -> None:
    model = Counting()
    method = NoiseTunnel(Saliency(model))
    found = method.attribute({"x": X}, nt_samples=3, targets=[0, 1, "pred"], seed=1)
    rows = sum(model.rows)
    torch.testing.assert_close(
        [part["x"] for part in found], method.attribute(X, nt_samples=3, targets=[0, 1, "pred"], seed=1)
    )
    assert rows == 3 + 9  # one look at what is predicted, and the noisy copies
    for wrong in (3, []):
        with pytest.raises(AttributionError, match="expected a list of targets"):
            method.attribute(X, targets=wrong)
    with pytest.raises(AttributionError, match="in place of `target`"):
        method.attribute(X, targets=[0], target=1)
    with pytest.raises(AttributionError, match="targets on, which NeuronGradient"):
        neuron = attribution_core.NeuronGradient(model, model.body[0])
        NoiseTunnel(neuron).attribute(X, neuron_selector=1, targets=[0])


def test_layers_neurons_and_named_inputs() -> None:
    model = Counting()
    layer = NoiseTunnel(attribution_core.LayerActivation(model, model.body[0]))
    torch.testing.assert_close(layer.attribute(X, nt_samples=2, stdevs=0.0), model.body[0](X))
    neuron = attribution_core.NeuronGradient(model, model.body[0])
    found = NoiseTunnel(neuron).attribute(X, nt_samples=2, stdevs=0.0, neuron_selector=1)
    torch.testing.assert_close(found, neuron.attribute(X, neuron_selector=1))
    named = NoiseTunnel(Saliency(model)).attribute({"x": X}, nt_samples=2, stdevs=0.0, target=1)
    torch.testing.assert_close(named["x"], Saliency(model).attribute(X, target=1))


def test_baselines_are_drawn_from_a_distribution() -> None:
    """IG of a linear model is w · (x − b): its mean over drawn baselines is w · (x − mean b)."""
    rows, w = torch.randn(7, 5).double(), torch.arange(5.0).double()
    method = NoiseTunnel(IntegratedGradients(lambda x: x @ w))
    found = method.attribute(
        X, nt_samples=2000, stdevs=0.0, baselines=rows, draw_baseline_from_distrib=True, n_steps=1, seed=0
    )
    torch.testing.assert_close(found, w * (X - rows.mean(0)), atol=0.2, rtol=0)


def test_moments_of_large_means_and_half_precision() -> None:
    values = torch.randn(9, 4).double() + 1e6
    joined = Moments.of(values[:2], True).joined(Moments.of(values[2:3], True)).joined(Moments.of(values[3:], True))
    torch.testing.assert_close(joined.summary("vargrad"), values.var(0, correction=0), rtol=1e-6, atol=0)
    torch.testing.assert_close(joined.summary("smoothgrad_sq"), values.square().mean(0))
    assert Moments.of(values.half(), False).mean.dtype == torch.float32


@pytest.mark.parametrize("multiply", [True, False])
def test_gradient_shap_is_the_mean_over_its_draws(multiply: bool) -> None:
    """A straightforward replica from the same random numbers."""
    model, rows, count = Counting(), torch.randn(4, 5).double(), 6
    found, deltas = GradientShap(model, multiply).attribute(
        X, rows, n_samples=count, stdevs=0.2, target=[0, 1, 2], seed=9, return_convergence_delta=True
    )
    draws, total, misses = Draws(9, CPU), torch.zeros_like(X), torch.zeros(3, count).double()
    for copy in range(count):
        x = noisy(X, 0.2, range(copy, copy + 1), draws, count)
        way, which = torch.rand(count, 2, generator=draws.at(0))[copy].tolist()
        b = rows[int(which * 4)].expand_as(x)
        point = (b + (copy + way) / count * (x - b)).requires_grad_()
        score = model(point)[range(3), range(3)]
        (slope,) = torch.autograd.grad(score.sum(), point)
        total += slope * (x - b) if multiply else slope
        change = (model(x) - model(b))[range(3), range(3)].detach()
        misses[:, copy] = (slope * (x - b)).sum(1) - change
    torch.testing.assert_close(found, total / count)
    torch.testing.assert_close(deltas, misses.flatten())


def test_gradient_shap_expects_what_captum_does() -> None:
    model, rows = Counting(), torch.randn(3, 5).double()
    torch.manual_seed(0)
    theirs = captum.attr.GradientShap(model).attribute(X, rows, n_samples=4000, target=1)
    ours = GradientShap(model).attribute(X, rows, n_samples=4000, target=1)
    torch.testing.assert_close(ours, theirs, atol=0.03, rtol=0.05)


@pytest.mark.parametrize("multiply", [True, False])
@pytest.mark.parametrize("target", TARGETS[:3], ids=["list", "int", "tensor"])
@pytest.mark.parametrize("rows", [2, 3, 5])
def test_deep_lift_shap_is_captums(rows: int, target: Any, multiply: bool) -> None:
    bases = torch.randn(rows, 5).double()
    theirs, their_delta = quiet(
        captum.attr.DeepLiftShap(Counting(), multiply).attribute,
        inputs=X, baselines=bases, target=target, return_convergence_delta=True,
    )  # fmt: skip
    ours, delta = DeepLiftShap(Counting(), multiply).attribute(X, bases, target=target, return_convergence_delta=True)
    torch.testing.assert_close(ours, theirs.detach())
    torch.testing.assert_close(delta, their_delta.detach(), atol=1e-12, rtol=1e-6)


def test_deep_lift_shap_is_the_mean_of_deep_lift() -> None:
    model, bases, scale = Counting(), torch.randn(4, 5).double(), SCALE
    arguments: dict[str, Any] = {"target": [0, 2, 2], "additional_forward_args": scale}
    each = [DeepLift(model).attribute(X, row[None], **arguments) for row in bases]
    torch.testing.assert_close(DeepLiftShap(model).attribute(X, bases, **arguments), torch.stack(each).mean(0))
    own = DeepLiftShap(model).attribute(
        X, bases, custom_attribution_func=lambda m: tuple(a * 2 for a in m), **arguments
    )
    plain = DeepLiftShap(model, multiply_by_inputs=False).attribute(X, bases, **arguments)
    torch.testing.assert_close(own, 2 * plain)


@pytest.mark.parametrize("method", [GradientShap, DeepLiftShap])
@pytest.mark.parametrize(
    "baselines",
    [None, 0, 0.0, torch.zeros(5).double(), torch.zeros(1, 5), lambda: torch.zeros(2, 5), lambda x: torch.zeros(3, 5)],
)
def test_forms_of_distributions(method: Any, baselines: Any) -> None:
    options = {"seed": 1} if method is GradientShap else {}
    found = method(Counting()).attribute(X, baselines, target=1, **options)
    torch.testing.assert_close(found, method(Counting()).attribute(X, torch.zeros(2, 5).double(), target=1, **options))


def test_seeds_and_the_global_state() -> None:
    net = Counting()
    before = torch.get_rng_state()
    for ask in (
        lambda seed: NoiseTunnel(Saliency(net)).attribute(X, target=1, seed=seed),
        lambda seed: GradientShap(net).attribute(X, torch.rand(9, 5, generator=torch.Generator()), target=1, seed=seed),
    ):
        assert torch.equal(ask(1), ask(1))
        assert not torch.equal(ask(1), ask(2))
    assert torch.equal(torch.get_rng_state(), before)


PAIR = (torch.ones(2, 3), torch.ones(2, 2))


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda f: NoiseTunnel(Saliency(f)).attribute(X, nt_type="bogus"), "nt_type='bogus'"),
        (lambda f: NoiseTunnel(Saliency(f)).attribute(X, nt_samples=0), "nt_samples=0"),
        (lambda f: NoiseTunnel(Saliency(f)).attribute(X, nt_samples_batch_size=0), "nt_samples_batch_size=0"),
        (lambda f: NoiseTunnel(Saliency(f)).attribute(X, stdevs=-1.0), "stdevs=-1.0"),
        (lambda f: NoiseTunnel(Saliency(f)).attribute(PAIR, stdevs=(1.0, 1.0, 1.0)), "for 2 inputs"),
        (lambda f: NoiseTunnel(attribution_core.FeatureAblation(f)).attribute(X.long()), "noise needs floating point"),
        (NoiseTunnel, "not an attribution method"),
        (lambda f: GradientShap(f).attribute(X, torch.zeros(2, 4)), "baselines"),
        (lambda f: GradientShap(f).attribute(PAIR, (torch.zeros(2, 3), torch.zeros(3, 2))), r"\[2, 3\] rows"),
        (lambda f: GradientShap(f).attribute(PAIR, torch.zeros(2, 3)), "1 entries for 2 inputs"),
        (lambda f: DeepLiftShap(f).attribute(X, torch.zeros(0, 5)), "rows"),
    ],
)
def test_wrong_arguments_are_refused_before_the_model_runs(call: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(AttributionError, match=says):
        call(_never)


def _never(*inputs: Tensor) -> Tensor:
    raise RuntimeError("the model ran")
