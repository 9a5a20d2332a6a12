"""Without a target, methods that perturb explain every output, in the shapes of Captum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, observe

WEIGHTS = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
X = torch.randn(2, 4, generator=torch.Generator().manual_seed(1))
FORWARD: dict[str, Callable[[Tensor], Tensor]] = {
    "classes": lambda x: (x @ WEIGHTS).sin(),
    "pixels of classes": lambda x: torch.stack([x @ WEIGHTS, (x @ WEIGHTS).sin()], -1),
    "three for all": lambda x: (x @ WEIGHTS).sin().sum(0),
    "a row for all": lambda x: (x @ WEIGHTS).sin().sum(0, keepdim=True),
    "five for all": lambda x: torch.cat([(x @ WEIGHTS).sin().sum(0), x.square().sum(0)[:2]]),
    "two rows for each": lambda x: (x @ WEIGHTS).sin()[:, :2].reshape(-1),
}
CALLS: dict[str, dict[str, Any]] = {
    "FeatureAblation": {"baselines": 0.5},
    "Occlusion": {"sliding_window_shapes": (2,)},
    "ShapleyValues": {"feature_mask": torch.tensor([[0, 1, 1, 2]])},
    "FeaturePermutation": {"perm_func": lambda x, mask: torch.where(mask, x.roll(1, 0), x)},
}


def asked(package: Any, name: str, forward: Any, x: Any) -> Any:
    options = dict(CALLS[name])
    made = {key: options.pop(key) for key in ("perm_func",) if key in options}
    return getattr(package, name)(forward, **made).attribute(x, **options)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("outputs", FORWARD)
def test_every_output_is_explained_as_by_captum(name: str, outputs: str) -> None:
    ours = asked(attribution_core, name, FORWARD[outputs], X)
    torch.testing.assert_close(ours, asked(captum.attr, name, FORWARD[outputs], X))
    if outputs in ("classes", "pixels of classes") and name != "FeaturePermutation":
        with observe(max_batch=1):
            torch.testing.assert_close(asked(attribution_core, name, FORWARD[outputs], X), ours)


@pytest.mark.parametrize("outputs", FORWARD)
def test_estimated_values_that_are_exact_are_the_exact_ones(outputs: str) -> None:
    exact = attribution_core.ShapleyValues(FORWARD[outputs]).attribute(X)
    torch.testing.assert_close(attribution_core.ShapleyValueSampling(FORWARD[outputs]).attribute(X), exact)


def test_several_inputs_and_dicts_come_back_as_they_were() -> None:
    def forward(a: Tensor, b: Tensor) -> Tensor:
        return (a @ WEIGHTS) * b.sum(1, keepdim=True)

    inputs = (X, X[:, :2].exp())
    ours = attribution_core.FeatureAblation(forward).attribute(inputs)
    torch.testing.assert_close(ours, captum.attr.FeatureAblation(forward).attribute(inputs))
    named = attribution_core.FeatureAblation(lambda a, b: {"logits": forward(a, b)})
    torch.testing.assert_close(
        named.attribute(dict(zip("ab", inputs, strict=True))), dict(zip("ab", ours, strict=True))
    )


@pytest.mark.parametrize("outputs", FORWARD)
@pytest.mark.parametrize("name", ["LayerFeatureAblation", "LayerFeaturePermutation"])
def test_at_layers(name: str, outputs: str) -> None:
    layer = nn.Linear(4, 4)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return FORWARD[outputs](self.layer(x))

    ours, theirs = (getattr(package, name)(Net(), layer).attribute(X) for package in (attribution_core, captum.attr))
    assert ours.shape == theirs.shape
    if name == "LayerFeatureAblation":
        torch.testing.assert_close(ours, theirs)


@pytest.mark.parametrize("name", ["KernelShap", "Lime", "Saliency"])
def test_other_methods_ask_for_a_target(name: str) -> None:
    with pytest.raises(AttributionError, match="Valid here: target=2"):
        getattr(attribution_core, name)(FORWARD["classes"]).attribute(X)


def test_a_target_that_leaves_several_numbers_is_refused() -> None:
    with pytest.raises(AttributionError, match="leaves 2 numbers per example"):
        attribution_core.FeatureAblation(FORWARD["pixels of classes"]).attribute(X, target=0)


@pytest.mark.parametrize("name", ["FeatureAblation", "ShapleyValues", "KernelShap"])
def test_functions_that_return_arrays(name: str) -> None:
    method = getattr(attribution_core, name)
    ours = method(lambda x: FORWARD["classes"](x).numpy()).attribute(X, target=1)
    torch.testing.assert_close(ours, method(FORWARD["classes"]).attribute(X, target=1))
    with pytest.raises(AttributionError, match="The model's output is a <U"):
        method(lambda x: FORWARD["classes"](x).numpy().astype(str)).attribute(X, target=1)
