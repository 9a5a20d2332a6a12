"""Infidelity and sensitivity: against loops over the formulas, against Captum, and what they leave behind."""

from __future__ import annotations

import random
import warnings

import captum.metrics
import numpy as np
import pytest
import torch
from torch import nn

from attribution_core import AttributionError, IntegratedGradients, Saliency, observe
from attribution_core.metrics import (
    default_perturb_func,
    infidelity,
    infidelity_perturb_func_decorator,
    perturbed,
    sensitivity_max,
)

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

torch.manual_seed(0)
W = torch.randn(3, 2, dtype=torch.float64)
X, A = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)


def model(x):
    return torch.tanh(x @ W.to(x))


def ramp(x, *_):
    """Disturbs each row differently."""
    noise = torch.arange(x.numel(), dtype=x.dtype).reshape(x.shape) / 10
    return noise, x - noise


def noisy(x, *_):
    noise = torch.randn_like(x)
    return noise, x - noise


def slow_infidelity(x, a, samples, target, normalize):
    found = []
    for row in range(len(x)):
        repeated = x[row].repeat(samples, 1)
        noise = torch.arange(x.numel() * samples, dtype=x.dtype).reshape(-1, *x.shape[1:])
        noise = noise[row * samples : (row + 1) * samples] / 10
        dots = [float((noise[k] * a[row]).sum()) for k in range(samples)]
        falls = [float((model(x[row]) - model(repeated[k] - noise[k]))[target]) for k in range(samples)]
        power = sum(d * d for d in dots)
        scale = sum(d * f for d, f in zip(dots, falls, strict=True)) / power if normalize and power else 1
        found.append(sum((scale * d - f) ** 2 for d, f in zip(dots, falls, strict=True)) / samples)
    return torch.tensor(found, dtype=x.dtype)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("samples", [1, 5])
def test_infidelity_is_its_formula(normalize, samples):
    found = infidelity(model, ramp, X, A, target=1, n_perturb_samples=samples, normalize=normalize)
    torch.testing.assert_close(found, slow_infidelity(X, A, samples, 1, normalize))


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("target", [0, [0, 1, 1, 0], torch.tensor([1, 0, 0, 1])])
@pytest.mark.parametrize("perturb", [ramp, noisy])
def test_infidelity_like_captum(normalize, target, perturb):
    arguments = {"target": target, "n_perturb_samples": 6, "normalize": normalize}
    torch.manual_seed(5)
    ours = infidelity(model, perturb, X, A, **arguments)
    torch.manual_seed(5)
    torch.testing.assert_close(ours, captum.metrics.infidelity(model, perturb, X, A, **arguments))


def test_infidelity_of_several_inputs_like_captum():
    def both(a, b, c, scale):
        return (a @ W + b.sum((1, 2), keepdim=False)[:, None] * c) * scale

    def disturb(xs, bases):
        assert bases[0] == 1
        assert len(bases[1]) == len(xs[1])
        return tuple(x * 0 + 0.5 for x in xs), tuple(x - 0.5 for x in xs)

    pair = (X, torch.randn(4, 2, 2, dtype=torch.float64))
    arguments = {
        "baselines": (1, torch.zeros(4, 2, 2)),
        "additional_forward_args": (torch.rand(4, 2, dtype=torch.float64), 3.0),
        "target": 1,
        "n_perturb_samples": 3,
    }
    parts = (A, torch.ones(4, 2, 2, dtype=torch.float64))
    ours = infidelity(both, disturb, pair, parts, **arguments)
    torch.testing.assert_close(ours, captum.metrics.infidelity(both, disturb, pair, parts, **arguments))


@pytest.mark.parametrize("baselines", [None, 0, 0.25, torch.zeros(1, 3), X.clone()])
@pytest.mark.parametrize("multiply", [False, True])
def test_decorator_like_captum(baselines, multiply):
    def half(x, *_):
        return x * 0.5

    ours, theirs = (
        infidelity_perturb_func_decorator(multiply),
        captum.metrics.infidelity_perturb_func_decorator(multiply),
    )
    torch.testing.assert_close(ours(half)(X, baselines), theirs(half)(X, baselines))
    arguments = {"target": 0, "baselines": baselines, "n_perturb_samples": 3}
    expected = captum.metrics.infidelity(model, theirs(half), X, A, **arguments)
    torch.testing.assert_close(infidelity(model, ours(half), X, A, **arguments), expected)


def test_decorated_function_needs_no_baselines():
    disturb = infidelity_perturb_func_decorator()(lambda x: x - 1)
    shares, disturbed = disturb(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.0, 0.0]]))
    assert (shares[0].tolist(), disturbed[0].tolist()) == ([[1.0, 0.5]], [[0.0, 1.0]])


def test_a_linear_model_is_explained_perfectly():
    w = W[:, :1].T
    assert infidelity(lambda x: x @ W, noisy, X, w.expand(4, 3), target=0, seed=1).max() < 1e-20
    disturb = infidelity_perturb_func_decorator()(lambda x, b: torch.where(torch.rand_like(x) > 0.5, x, b))
    assert infidelity(lambda x: x @ W, disturb, X, X * w, baselines=0, target=0, seed=1).max() < 1e-20
    assert infidelity(model, noisy, X, A * 0, target=0, normalize=True, seed=1).isfinite().all()


@pytest.mark.parametrize("rows", [1, 4, 9, 40, None])
@pytest.mark.parametrize("drawn", [24, 1 << 24])
def test_chunks_change_nothing_and_memory_is_bounded(rows, drawn, monkeypatch):
    monkeypatch.setattr(perturbed, "DRAWN", drawn)
    seen, done = [], []

    def watched(x):
        seen.append(len(x))
        return model(x)

    def disturb(x):
        assert x.numel() <= drawn
        return ramp(x)

    arguments = {"target": 0, "n_perturb_samples": 7, "seed": 3}
    with observe(progress=lambda *counts: done.append(counts)):
        found = infidelity(watched, disturb, X, A, max_examples_per_batch=rows, **arguments)
    assert max(seen) <= max(4, rows or 1000)
    assert done[0] == (0, 7)
    assert done[-1] == (7, 7)
    torch.testing.assert_close(found, infidelity(model, disturb, X, A, **arguments))
    moved = sensitivity_max(
        lambda x: x**2, X, lambda x: disturb(x)[1], n_perturb_samples=7, max_examples_per_batch=rows
    )
    torch.testing.assert_close(moved, sensitivity_max(lambda x: x**2, X, lambda x: disturb(x)[1], n_perturb_samples=7))


def explained(x, **kwargs):
    """As Captum calls it: the first time with a tuple."""
    return x**2 if isinstance(x, torch.Tensor) else tuple(part**2 for part in x)


def test_sensitivity_is_its_formula():
    found = sensitivity_max(explained, X, lambda x, radius: ramp(x)[1] * radius, 0.5, n_perturb_samples=3)
    noise = torch.arange(36.0, dtype=X.dtype).reshape(4, 3, 3) / 10
    for row in range(4):
        ratios = [(((X[row] - noise[row, k]) * 0.5) ** 2 - X[row] ** 2).norm() / (X[row] ** 2).norm() for k in range(3)]
        torch.testing.assert_close(found[row], max(ratios))


@pytest.mark.parametrize("order", ["fro", 1, 2, 0.5, 0, float("inf"), -float("inf")])
@pytest.mark.parametrize("several", [False, True])
def test_sensitivity_like_captum(order, several):
    inputs = (X, torch.rand(4, 2, 2, dtype=torch.float64)) if several else X
    torch.manual_seed(2)
    ours = sensitivity_max(explained, inputs, norm_ord=order, n_perturb_samples=4)
    torch.manual_seed(2)
    torch.testing.assert_close(
        ours, captum.metrics.sensitivity_max(explained, inputs, norm_ord=order, n_perturb_samples=4)
    )


def test_sensitivity_of_a_method_like_captum():
    net = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    for method, arguments in (
        (Saliency(net), {"target": [0, 1, 1, 0]}),
        (IntegratedGradients(net), {"target": 1, "baselines": (torch.ones(4, 3).double(),), "n_steps": 8}),
    ):
        torch.manual_seed(1)
        ours = sensitivity_max(method.attribute, X, perturb_radius=0.1, n_perturb_samples=5, **arguments)
        torch.manual_seed(1)
        theirs = captum.metrics.sensitivity_max(
            method.attribute, X, perturb_radius=0.1, n_perturb_samples=5, max_examples_per_batch=20, **arguments
        )
        torch.testing.assert_close(ours, theirs)


def test_sensitivity_repeats_what_has_a_row_for_each_example():
    seen = {}

    def explain(x, **kwargs):
        seen.update(kwargs, rows=len(x))
        return x

    per_row = torch.arange(4.0)[:, None]
    sensitivity_max(
        explain,
        X,
        n_perturb_samples=3,
        target=[0, 1, 1, 0],
        baselines=(per_row,),
        additional_forward_args=(per_row, "a", None),
        feature_mask=torch.zeros(1, 3),
        other=per_row,
    )
    assert seen["rows"] == 12
    assert seen["target"] == [0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0]
    assert seen["baselines"][0].flatten().tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert (len(seen["additional_forward_args"][0]), seen["additional_forward_args"][1:]) == (12, ("a", None))
    assert (len(seen["feature_mask"]), len(seen["other"])) == (1, 4)


def test_sensitivity_of_nothing():
    assert sensitivity_max(lambda x: x * 0, X).tolist() == [0.0] * 4
    assert sensitivity_max(lambda x: x, X, perturb_radius=0).tolist() == [0.0] * 4
    ones = torch.ones(2, 3)
    torch.testing.assert_close(sensitivity_max(lambda x: x - 1, ones, lambda x: x + 1), torch.full((2,), 3.0).sqrt())
    torch.testing.assert_close(
        sensitivity_max(lambda x: x**2, X, norm_ord="nuc", seed=1), sensitivity_max(lambda x: x**2, X, seed=1)
    )


def test_default_perturbation():
    moved = default_perturb_func((torch.zeros(1000, 2), torch.zeros(5, dtype=torch.long)), 0.5)
    assert moved[0].abs().max() <= 0.5
    assert abs(moved[0].mean()) < 0.05
    assert abs(moved[0].std() - 0.5 / 3**0.5) < 0.02
    assert moved[1].abs().max() > 0


def numpy_noise(x, *_):
    noise = torch.from_numpy(np.random.normal(size=x.shape)) * random.random()
    return noise, x - noise


@pytest.mark.parametrize("perturb", [noisy, numpy_noise])
def test_seed_and_random_state(perturb):
    state = torch.random.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()

    def scored(seed):
        return infidelity(model, perturb, X, A, target=0, seed=seed), sensitivity_max(
            lambda x: x, X, lambda x: perturb(x)[1], seed=seed
        )

    first, again, other = scored(1), scored(1), scored(2)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])
    assert torch.equal(state[0], torch.random.get_rng_state())
    assert state[1:] == (np.random.get_state()[1].tolist(), random.getstate())


def test_nothing_is_left_behind_also_after_an_error():
    net = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).double().train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    state = torch.random.get_rng_state()

    def explode(x):
        torch.rand(1)
        raise KeyError("mine")

    infidelity(net, noisy, X, A, target=0, seed=0)
    sensitivity_max(Saliency(net).attribute, X, target=0, seed=0)
    for attempt in (lambda: infidelity(explode, noisy, X, A, seed=0), lambda: sensitivity_max(explode, X, seed=0)):
        with pytest.raises(KeyError, match="mine"):
            attempt()
    assert torch.equal(state, torch.random.get_rng_state())
    assert net.training
    assert all(p.grad is None for p in net.parameters())
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_accumulated_in_float32(dtype):
    x, a = X.to(dtype), A.to(dtype)
    found = infidelity(model, ramp, x, a * 300, target=0)
    expected = infidelity(model, ramp, x.double(), a.double() * 300, target=0)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected.float(), rtol=0.1, atol=1)
    assert sensitivity_max(lambda x: x, x, seed=0).dtype == torch.float32


def test_inference_mode_integers_and_one_row():
    with torch.inference_mode():
        x = torch.ones(1, 3)
        assert infidelity(model, noisy, x, x, target=0).shape == (1,)
        assert sensitivity_max(Saliency(model).attribute, x, target=0).shape == (1,)
    counts = torch.tensor([[1, 2, 3]])
    found = infidelity(lambda x: x.float().sum(1), lambda x: (torch.ones_like(x), x - 1), counts, torch.ones(1, 3))
    assert found.tolist() == [0.0]
    assert infidelity(lambda x: x.sum(), lambda x: (x * 0 + 1, x - 1), torch.ones(1, 3), torch.ones(1, 3)).tolist() == [
        0.0
    ]


def never(*_, **__):
    raise RuntimeError("a forward pass was made")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"attributions": A[:, :2]}, "attributions have shapes [(4, 2)]"),
        ({"attributions": (A, A)}, "attributions have shapes [(4, 3), (4, 3)]"),
        ({"attributions": 3}, "int"),
        ({"n_perturb_samples": 0}, "n_perturb_samples=0"),
        ({"max_examples_per_batch": 0}, "max_examples_per_batch=0"),
        ({"perturb_func": lambda x: x}, "decorate it"),
        ({"perturb_func": lambda x: None}, "NoneType"),
        ({"perturb_func": lambda x: (x, x, x)}, "3 values"),
        ({"perturb_func": lambda x: (x[:, :2], x)}, "(40, 2)"),
        ({"perturb_func": lambda x: (x, x[:1])}, "(1, 3)"),
        ({"perturb_func": 3}, "cannot be called"),
        ({"baselines": torch.zeros(3, 3)}, "baselines[0]"),
        ({"target": "x"}, "target="),
        ({"seed": -1}, "seed=-1"),
        ({"inputs": X[:0], "attributions": A[:0]}, "no rows"),
    ],
)
def test_infidelity_refuses_before_any_forward(arguments, words):
    given = {"forward_func": never, "perturb_func": ramp, "inputs": X, "attributions": A, **arguments}
    with pytest.raises(AttributionError) as error:
        infidelity(**given)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"norm_ord": "max"}, "norm_ord='max'"),
        ({"norm_ord": None}, "norm_ord=None"),
        ({"perturb_radius": -1}, "perturb_radius=-1"),
        ({"n_perturb_samples": 1.5}, "n_perturb_samples=1.5"),
        ({"perturb_func": lambda x: x[:1]}, "(1, 3)"),
        ({"perturb_func": lambda x: "x"}, "str"),
        ({"explanation_func": 3}, "cannot be called"),
        ({"return_convergence_delta": True}, "return_convergence_delta"),
        ({"explanation_func": lambda x: x.sum()}, "one row for each example"),
        ({"explanation_func": lambda x: x[:1]}, "one row for each example"),
    ],
)
def test_sensitivity_refuses(arguments, words):
    with pytest.raises(AttributionError) as error:
        sensitivity_max(**{"explanation_func": never, "inputs": X, **arguments})
    assert words in str(error.value)


def test_infidelity_needs_a_score_for_each_example():
    with pytest.raises(AttributionError, match="1 scores for 4 examples"):
        infidelity(lambda x: x.sum(), ramp, X, A)
    with pytest.raises(AttributionError, match="target"):
        infidelity(model, ramp, X, A, target=7)


def test_a_bound_below_the_batch_means_one_batch_at_a_time():
    arguments = {"target": 0, "max_examples_per_batch": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Captum warns
        theirs = captum.metrics.infidelity(model, lambda x: (x * 0 + 1, x - 1), X, A, **arguments)
    torch.testing.assert_close(infidelity(model, lambda x: (x * 0 + 1, x - 1), X, A, **arguments), theirs)
