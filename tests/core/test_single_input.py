"""A tuple of one input: what belongs to that input may be given bare, as to Captum, or as a tuple of one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, DeepLift, IntegratedGradients, NoiseTunnel, Occlusion, metrics

from .registry import FLAT, Options, build, recipe, takes

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(4, 3), nn.Softplus(), nn.Linear(3, 2)).double()
X, B = torch.randn(3, 4).double(), torch.randn(3, 4).double()
MASK = torch.tensor([[0, 0, 1, 1]])
OF_EACH_INPUT = {"baselines": B, "feature_mask": MASK, "sliding_window_shapes": (2,), "strides": (2,), "stdevs": 0.1}
"""What belongs to an input, bare."""
OWN: dict[str, Options] = {
    "DeepLift": {"baselines": B[:1]}, "FeatureAblation": {"baselines": 0.5, "feature_mask": MASK},
    "KernelShap": {"baselines": 1, "feature_mask": MASK}, "NeuronDeepLift": {"baselines": 0.5},
}  # fmt: skip
"""In other forms."""


def bare_of(name: str) -> Options:
    return OWN.get(name) or {key: value for key, value in OF_EACH_INPUT.items() if takes(name, key)}


def asked(name: str, inputs: Any, bare: Options) -> Any:
    return build(name, NET).attribute(inputs, **{**recipe(name).options(X), **bare})


@pytest.mark.parametrize("name", [name for name in FLAT if bare_of(name)])
def test_bare_is_as_good_as_a_tuple_of_one(name: str) -> None:
    bare = bare_of(name)
    in_tuples = {key: (value,) for key, value in bare.items() if key in OF_EACH_INPUT}
    expected = asked(name, X, bare)
    for options in (bare, {**bare, **in_tuples}):
        found = asked(name, (X,), options)
        if not name.startswith(("Layer", "Internal")):
            assert isinstance(found, tuple)
            (found,) = found
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("inputs", [X, (X,)], ids=["bare", "tuple"])
@pytest.mark.parametrize("baselines", [B, 0.5, (B,), (0.5,)], ids=["tensor", "number", "tensors", "numbers"])
def test_baselines_are_read_as_captum_reads_them(inputs: Any, baselines: Any) -> None:
    theirs = captum.attr.FeatureAblation(NET).attribute(inputs, baselines, target=1)
    ours = attribution_core.FeatureAblation(NET).attribute(inputs, baselines, target=1)
    torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("one", [lambda x: x, lambda x: (x,)], ids=["bare", "tuple"])
@pytest.mark.parametrize("window", [(1, 2, 2), ((1, 2, 2),)])
@pytest.mark.parametrize("strides", [None, 1, 2, (2,), (1, 2, 2), ((1, 2, 2),)])
def test_windows_are_read_as_captum_reads_them(one: Callable[[Tensor], Any], window: Any, strides: Any) -> None:
    x, weights = torch.randn(2, 1, 4, 4).double(), torch.arange(16.0).reshape(4, 4)
    call = {"inputs": one(x), "sliding_window_shapes": window, "strides": strides}
    ours, theirs = (
        m.Occlusion(lambda x: (x * weights).sum((1, 2, 3))).attribute(**call) for m in (attribution_core, captum.attr)
    )
    assert type(ours) is type(theirs)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6, check_dtype=False)


def test_what_belongs_to_several_inputs_is_never_bare() -> None:
    pair = attribution_core.FeatureAblation(lambda a, b: a.sum(1) + b.sum(1))
    with pytest.raises(AttributionError, match="baselines has 1 entries for 2 inputs"):
        pair.attribute((X, X), baselines=B)
    with pytest.raises(AttributionError, match="feature_mask has 1 entries for 2 inputs"):
        pair.attribute((X, X), feature_mask=MASK)
    with pytest.raises(AttributionError, match="one entry for each of 2"):
        Occlusion(lambda a, b: a.sum(1)).attribute((X, X), (2,))


def test_around_the_methods() -> None:
    delta = IntegratedGradients(NET).compute_convergence_delta((X,), B, (X,), target=0)
    torch.testing.assert_close(delta, IntegratedGradients(NET).compute_convergence_delta(X, (B,), X, target=0))
    noisy = NoiseTunnel(DeepLift(NET))
    for drawn in (False, True):
        options: Options = {"draw_baseline_from_distrib": drawn, "target": 0, "seed": 1, "stdevs": (0.1,)}
        (found,) = noisy.attribute((X,), baselines=B, **options)
        torch.testing.assert_close(found, noisy.attribute(X, baselines=(B,), **options))
    disturbed = metrics.infidelity_perturb_func_decorator(True)(lambda inputs: tuple(x * 0.9 for x in inputs))
    found = metrics.infidelity(NET, disturbed, (X,), (X,), baselines=B, target=0)
    torch.testing.assert_close(found, metrics.infidelity(NET, disturbed, (X,), (X,), baselines=(B,), target=0))
    (named,) = DeepLift(NET).attribute({"input": X}, baselines=B, target=0).values()
    torch.testing.assert_close(named, DeepLift(NET).attribute(X, baselines=B, target=0))
