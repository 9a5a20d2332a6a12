"""The cost that is told before a call is what a hook counts during it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, IntegratedGradients, NoiseTunnel, Saliency, cost, observe
from attribution_core.evaluation.observe import Passes

from .registry import FLAT, NEURONS, PRIMARY, build, options, takes


class Net(nn.Module):
    """Counts rows forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
        self.passes = Passes()

    def forward(self, x: Tensor) -> Tensor:
        self.passes.forward += 1
        outputs = self.body(x)
        self.passes.forward_rows += len(outputs)  # as many as of a layer whose values were put in its place
        if outputs.requires_grad:
            outputs.register_hook(self._back)
        return outputs

    def _back(self, gradient: Tensor) -> None:
        self.passes.backward += 1
        self.passes.backward_rows += len(gradient)


@pytest.mark.parametrize("bound", [None, 2, 7])
@pytest.mark.parametrize("name", FLAT)
@pytest.mark.filterwarnings("ignore:Lime's penalty")
def test_cost_is_what_a_hook_counts(name: str, bound: int | None) -> None:
    model, x = Net(), torch.randn(3, 5)
    each = {"target": [0, 1, 2]} if takes(name, "target") else {}
    method, arguments = build(name, model), options(name, x, **each)
    with observe(max_batch=bound):
        counted = cost(method, x, **arguments)
        assert name not in PRIMARY or model.passes == Passes()  # a layer's values need the model
        model.passes = Passes()
        method.attribute(x, **arguments)
    assert (counted.forward, counted.forward_rows) == (model.passes.forward, model.passes.forward_rows)
    if name not in NEURONS:  # whose gradients start inside, where the net does not count
        assert counted == model.passes


@pytest.mark.parametrize("inner", ["Saliency", "IntegratedGradients", "KernelShap"])
def test_cost_of_a_method_of_a_method(inner: str) -> None:
    model, x = Net(), torch.randn(3, 5)
    method = NoiseTunnel(getattr(attribution_core, inner)(model))
    counted = cost(method, x, nt_samples=4, target=0)
    method.attribute(x, nt_samples=4, target=0)
    assert counted == model.passes


def test_cost_of_layers_runs_the_model_for_their_values_only() -> None:
    model, x = Net(), torch.randn(3, 5)
    method = attribution_core.LayerIntegratedGradients(model, model.body[0])
    counted = cost(method, x, n_steps=40, target=0)
    assert model.passes.forward_rows <= 6
    model.passes = Passes()
    method.attribute(x, n_steps=40, target=0)
    assert counted == model.passes


def test_cost_leaves_nothing_behind_and_refuses_what_attribute_refuses() -> None:
    method = Saliency(Net())
    with pytest.raises(AttributionError, match="not an attribution method"):
        cost(len, torch.ones(1, 5))  # type: ignore[arg-type]
    with pytest.raises(AttributionError, match="rows"):
        cost(method, ())
    assert method.attribute(torch.ones(1, 5), target=0).shape == (1, 5)


def test_cost_of_a_method_with_an_argument_of_the_same_name() -> None:
    counted = cost(IntegratedGradients(Net()), torch.randn(3, 5), target=0, n_steps=7, method="riemann_left")
    assert counted.forward_rows == 21
