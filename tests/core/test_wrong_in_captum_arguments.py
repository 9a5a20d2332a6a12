"""What Captum 0.9 gets wrong and this engine gets right: arguments, errors, deltas (item 11).

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

import inspect
import math
from typing import Any

import captum
import captum.attr
import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    DeepLift,
    IntegratedGradients,
)

from .nets import affine
from .peer import IS_09, of_captum
from .registry import FLAT, NEURONS, ask

# 11

WEIGHED = ["LayerConductance", "LayerIntegratedGradients", "LayerDeepLift", "InternalInfluence", "LayerGradCam",
           "LayerGradientXActivation", "NeuronConductance"]  # fmt: skip
UP_TO_THE_LAYER = {*NEURONS} - {"NeuronConductance"}


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
    x = torch.tensor([[0.5, 1.0, -1.0], [2.0, 0.1, 0.7]])
    return ask(name, net, x, net.relu, **more)


def state(net: nn.Module) -> list[Any]:
    found: list[Any] = [torch.get_rng_state().tolist(), torch.is_grad_enabled()]
    for module in net.modules():
        hooks = {key: len(value) for key, value in vars(module).items() if key.endswith("_hooks")}
        found += [sorted(vars(module)), module.training, hooks]
    return found + [(p.tolist(), p.requires_grad, p.grad) for p in net.parameters()]


@pytest.mark.parametrize("name", FLAT)
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
@pytest.mark.parametrize("name", FLAT)
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
        """What depends on a condition without a gradient passes for linear in DeepLIFT, and jumps."""
        return torch.where(x.detach() > 0.5, 3 + x, x).sum(1)

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


@pytest.mark.filterwarnings("ignore:The attributions of 1 of 2 examples are not all finite")
@pytest.mark.parametrize("name", ["IntegratedGradients", "DeepLift", "LRP"])
def test_11_a_model_that_fails_for_one_example_shows_in_its_delta_alone(name: str) -> None:
    net = Plain()
    x = torch.tensor([[0.5, math.nan, 1.0], [1.0, 2.0, 0.5]])
    method = getattr(attribution_core, name)(net)
    _, delta = method.attribute(x, target=1, return_convergence_delta=True)
    assert delta.isnan().tolist() == [True, False]
    torch.testing.assert_close(delta[1:], method.attribute(x[1:], target=1, return_convergence_delta=True)[1])
