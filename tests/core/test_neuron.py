"""Neuron methods: against plain autograd, and what Captum does not do."""

from __future__ import annotations

from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    NeuronConductance,
    NeuronDeepLift,
    NeuronFeatureAblation,
    NeuronGradient,
    NeuronIntegratedGradients,
    observe,
)

torch.manual_seed(0)
NET = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Softplus(), nn.Flatten(), nn.Linear(18, 3)).double()
X, B = torch.randn(2, 1, 5, 5).double(), torch.randn(2, 1, 5, 5).double()
METHODS = ["NeuronGradient", "NeuronGuidedBackprop", "NeuronDeconvolution", "NeuronIntegratedGradients",
           "NeuronConductance", "NeuronDeepLift", "NeuronFeatureAblation"]  # fmt: skip


def ask(name: str, selector: Any, model: Any = NET, layer: Any = NET[0], x: Tensor = X, **more: Any) -> Tensor:
    target = {"target": 1} if name == "NeuronConductance" else {}
    found: Tensor = getattr(attribution_core, name)(model, layer).attribute(x, selector, **{**target, **more})
    return found


@pytest.mark.parametrize("name", METHODS)
def test_a_slice_is_the_sum_of_its_neurons_and_a_function_may_pick_one(name: str) -> None:
    each = [ask(name, (channel, 1, 2)) for channel in (0, 1)]
    torch.testing.assert_close(ask(name, (slice(0, 2), 1, 2)), each[0] + each[1])
    torch.testing.assert_close(ask(name, lambda values: values[:, 1, 1, 2]), each[1])


def test_captum_multiplies_sums_for_the_conductance_of_a_slice() -> None:
    theirs = captum.attr.NeuronConductance(NET, NET[0])
    call: dict[str, Any] = {"target": 1, "method": "riemann_middle"}
    each = [theirs.attribute(X, (channel, 1, 2), **call) for channel in (0, 1)]
    sliced = theirs.attribute(X, (slice(0, 2), 1, 2), **call)
    assert not torch.allclose(sliced, each[0] + each[1])
    torch.testing.assert_close(ask("NeuronConductance", (slice(0, 2), 1, 2), **call), each[0] + each[1])


def test_conductance_of_a_neuron_by_its_definition_and_of_all_neurons_is_integrated_gradients() -> None:
    found = torch.zeros_like(X)
    for k in range(6):
        point = (B + (k + 0.5) / 6 * (X - B)).requires_grad_()
        hidden = NET[0](point)
        (slope,) = torch.autograd.grad(NET(point)[:, 1].sum(), point)  # the whole gradient, for the sum below
        leaf = hidden.detach().requires_grad_()
        (onward,) = torch.autograd.grad(NET[1:](leaf)[:, 1].sum(), leaf)
        (own,) = torch.autograd.grad((hidden[:, 1, 0, 2] * onward[:, 1, 0, 2]).sum(), point)
        assert own.shape == slope.shape
        found += own * (X - B) / 6
    call: dict[str, Any] = {"baselines": B, "n_steps": 6, "method": "riemann_middle"}
    torch.testing.assert_close(ask("NeuronConductance", (1, 0, 2), **call), found)
    every = ask("NeuronConductance", (slice(None), slice(None), slice(None)), **call)
    torch.testing.assert_close(every, attribution_core.IntegratedGradients(NET).attribute(X, target=1, **call))


def test_the_trapezoid_default_counts_every_step_where_captum_loses_one() -> None:
    theirs = captum.attr.NeuronConductance(NET, NET[0]).attribute(X, (1, 0, 2), target=1, n_steps=5)
    torch.testing.assert_close(ask("NeuronConductance", (1, 0, 2), n_steps=5), theirs * 5 / 4)


@pytest.mark.parametrize("method", [NeuronIntegratedGradients, NeuronDeepLift])
def test_attributions_add_up_to_the_neurons_change(method: Any) -> None:
    found = method(NET, NET[1]).attribute(X, (1, 2, 2), B)
    change = (NET[:2](X) - NET[:2](B))[:, 1, 2, 2].detach()
    torch.testing.assert_close(found.flatten(1).sum(1), change, rtol=1e-4, atol=1e-6)


def test_gradient_and_ablation_by_hand() -> None:
    found = NeuronGradient(NET, NET[1]).attribute(X, (0, 0, 0), attribute_to_neuron_input=True)
    torch.testing.assert_close(found[:, 0, :3, :3], NET[0].weight[0, 0].detach().expand(2, 3, 3))
    assert found[:, 0, 3:].abs().max() == 0
    fall = NeuronFeatureAblation(NET, NET[0]).attribute(X, (0, 0, 0), attribute_to_neuron_input=False)
    torch.testing.assert_close(fall[:, 0, :3, :3], (NET[0].weight[0, 0] * X[:, 0, :3, :3]).detach())


@pytest.mark.parametrize("name", METHODS)
def test_results_do_not_depend_on_chunks(name: str) -> None:
    whole = ask(name, (1, 1, 2))
    with observe(max_batch=1):
        torch.testing.assert_close(ask(name, (1, 1, 2)), whole)
    assert all(not m._forward_hooks and not m._forward_pre_hooks for m in NET.modules())


@pytest.mark.parametrize("selector", [-1, (0, -1, 0), "a", (), 1.5, True])
def test_selectors_that_fit_no_layer_are_refused_before_the_model_runs(selector: Any) -> None:
    def never(x: Tensor) -> Tensor:
        raise RuntimeError("the model ran")

    with pytest.raises(AttributionError, match="neuron_selector"):
        NeuronGradient(never, NET[0]).attribute(X, selector)


@pytest.mark.parametrize("selector", [0, (0, 1), (0, 1, 3), (0, 1, 2, 0)])
def test_a_wrong_selector_shows_what_would_work(selector: Any) -> None:
    with pytest.raises(AttributionError, match=r"shape \(2, 2, 3, 3\).*Valid here: \(1, 2, 2\); a function"):
        NeuronGradient(NET, NET[0]).attribute(X, selector)


def test_grad_kwargs_of_conductance() -> None:
    torch.testing.assert_close(
        ask("NeuronConductance", (1, 1, 1), grad_kwargs={"create_graph": False}), ask("NeuronConductance", (1, 1, 1))
    )
    with pytest.raises(AttributionError, match="unknown to torch"):
        NeuronConductance(NET, NET[0]).attribute(X, (0, 0, 0), target=0, grad_kwargs={"x": 1})
