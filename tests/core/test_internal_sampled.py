"""Layers and neurons averaged over baselines and shuffles: what they must equal elsewhere."""

from __future__ import annotations

from typing import Any

import captum.attr
import pytest
import torch
from torch import nn

import attribution_core
from attribution_core import (
    AttributionError,
    DeepLiftShap,
    FeaturePermutation,
    GradientShap,
    LayerDeepLiftShap,
    LayerFeaturePermutation,
    LayerGradientShap,
    NeuronDeepLiftShap,
    NeuronGradientShap,
    NeuronIntegratedGradients,
    observe,
)

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5), nn.Softplus(), nn.Linear(5, 2)).double()
X, ROWS = torch.randn(4, 3).double(), torch.randn(6, 3).double()
LAYERS: dict[str, dict[str, Any]] = {
    "LayerGradientShap": {"baselines": ROWS, "stdevs": 0.1, "seed": 1, "return_convergence_delta": True},
    "LayerDeepLiftShap": {"baselines": ROWS, "return_convergence_delta": True},
}


def test_at_the_first_layers_input_they_are_the_methods_of_the_input() -> None:
    call: dict[str, Any] = {"target": 1, "return_convergence_delta": True}
    torch.testing.assert_close(
        LayerGradientShap(NET, NET[0]).attribute(X, ROWS, 9, 0.2, attribute_to_layer_input=True, seed=3, **call),
        GradientShap(NET).attribute(X, ROWS, 9, 0.2, seed=3, **call),
    )
    torch.testing.assert_close(
        LayerDeepLiftShap(NET, NET[0]).attribute(X, ROWS, attribute_to_layer_input=True, **call),
        DeepLiftShap(NET).attribute(X, ROWS, **call),
    )
    identity = nn.Sequential(nn.Identity(), *NET)
    torch.testing.assert_close(
        LayerFeaturePermutation(identity, identity[0]).attribute(X, target=1, seed=5),
        FeaturePermutation(NET).attribute(X, target=1, seed=5),
    )


def test_neurons_of_the_last_layer_are_targets() -> None:
    last = NET[4]
    torch.testing.assert_close(
        NeuronGradientShap(NET, last).attribute(X, 1, ROWS, 9, 0.2, seed=3),
        GradientShap(NET).attribute(X, ROWS, 9, 0.2, target=1, seed=3),
    )
    torch.testing.assert_close(
        NeuronDeepLiftShap(NET, last).attribute(X, 0, ROWS), DeepLiftShap(NET).attribute(X, ROWS, target=0)
    )


def test_many_draws_from_one_baseline_come_to_integrated_gradients_of_the_neuron() -> None:
    found = NeuronGradientShap(NET, NET[2]).attribute(X, 3, ROWS[:1], n_samples=500, seed=0)
    expected = NeuronIntegratedGradients(NET, NET[2]).attribute(X, 3, ROWS[:1])
    torch.testing.assert_close(found, expected, rtol=0.02, atol=5e-3)


def test_the_distribution_of_captums_layer_gradient_shap() -> None:
    torch.manual_seed(0)
    theirs = captum.attr.LayerGradientShap(NET, NET[1]).attribute(X, ROWS, n_samples=3000, target=0)
    ours = LayerGradientShap(NET, NET[1]).attribute(X, ROWS, n_samples=3000, target=0, seed=0)
    torch.testing.assert_close(ours, theirs.detach(), rtol=0.1, atol=0.02)


@pytest.mark.parametrize("name", LAYERS)
def test_lists_of_layers_seeds_and_chunks(name: str) -> None:
    def ask(layer: Any) -> Any:
        return getattr(attribution_core, name)(NET, layer).attribute(X, target=1, **LAYERS[name])

    state = torch.get_rng_state()
    several, alone = ask([NET[1], NET[2]]), [ask(NET[1]), ask(NET[2])]
    torch.testing.assert_close(several[0], [found for found, _ in alone])
    with observe(max_batch=3):
        torch.testing.assert_close(ask(NET[1]), alone[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert alone[0][1].shape == ((4 * 5,) if name == "LayerGradientShap" else (4 * 6,))


def test_permuted_layers_are_reproducible_and_grouped() -> None:
    method = LayerFeaturePermutation(NET, [NET[1], NET[2]])
    masks = [torch.zeros(1, 4).long(), None]
    found = method.attribute(X, target=0, layer_mask=masks, seed=1)
    torch.testing.assert_close(found, method.attribute(X, target=0, layer_mask=masks, seed=1, perturbations_per_eval=2))
    assert (found[0] == found[0][:, :1]).all()
    with pytest.raises(AttributionError, match="must be a list"):
        method.attribute(X, target=0, layer_mask=masks[0])
