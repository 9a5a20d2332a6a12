"""The axioms of the papers, asked of every method that promises them [sundararajan2017] [lundberg2017]."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import Lime, NoiseTunnel, Saliency
from attribution_core.methods.linear import LinearRegression

from .registry import OF_ROWS, recipe

Options = dict[str, Any]
OWN: dict[str, Options] = {
    "Saliency": {"abs": False}, "InputXGradient": {}, "GuidedBackprop": {}, "Deconvolution": {}, "LRP": {},
    "IntegratedGradients": {"n_steps": 64}, "DeepLift": {}, "DeepLiftShap": {"baselines": 0},
    "GradientShap": {"baselines": 0, "stdevs": 0.2, "seed": 1, "n_samples": 30}, "FeatureAblation": {},
    "Occlusion": {"sliding_window_shapes": (1,)}, "FeaturePermutation": {"seed": 3}, "ShapleyValues": {},
    "ShapleyValueSampling": {"n_samples": 4}, "KernelShap": {"n_samples": 16}, "Lime": {"n_samples": 16},
    "NoiseTunnel": {"stdevs": 0.2, "seed": 1},
}  # fmt: skip
"""What is asked more exactly than the registry says."""
OF_CHANGES = ["IntegratedGradients", "DeepLift", "DeepLiftShap", "ShapleyValues", "ShapleyValueSampling", "KernelShap"]
"""Methods that explain the score's change from a baseline, and all of it."""
SHAPLEY = {"ShapleyValues", "ShapleyValueSampling", "KernelShap"}
X = torch.randn(3, 4, generator=torch.Generator().manual_seed(2)).double()
Model = nn.Module | Callable[[Tensor], Tensor]


def ask(name: str, model: Model, x: Tensor = X, **more: Any) -> Tensor:
    makers: dict[str, Callable[[], Any]] = {
        "NoiseTunnel": lambda: NoiseTunnel(Saliency(model)),
        "Lime": lambda: Lime(model, LinearRegression()),
    }
    method = makers.get(name, lambda: getattr(attribution_core, name)(model))()
    signed = {"abs": False} if name == "NoiseTunnel" else {}
    own = OWN.get(name) or {**recipe(name).options(x), "target": None}
    found: Tensor = method.attribute(x, **{**own, **signed, **more})
    return found


def without(*names: str) -> list[str]:
    return [name for name in OF_ROWS if name not in names]


class Net(nn.Module):
    """Two layers, smooth or with kinks, to one number; `last` scales it."""

    def __init__(self, seed: int, bend: nn.Module | None = None) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.bend, self.last = nn.Linear(4, 6).double(), bend or nn.Softplus(), nn.Linear(6, 1).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.bend(self.first(x)))[:, 0]


@pytest.mark.parametrize("bend", [nn.Softplus(), nn.ReLU(), nn.Tanh()])
@pytest.mark.parametrize("name", OF_CHANGES)
def test_completeness_values_add_up_to_the_change(name: str, bend: nn.Module) -> None:
    net = Net(1, bend)
    steps = {"n_steps": 2000} if name == "IntegratedGradients" else {}
    close = 2e-3 if name == "IntegratedGradients" and isinstance(bend, nn.ReLU) else 1e-6
    change = (net(X) - net(X * 0)).detach()
    torch.testing.assert_close(ask(name, net, **steps).sum(1), change, rtol=close, atol=close)


def test_completeness_of_relevance_and_in_expectation() -> None:
    net = Net(1, nn.ReLU())
    for module in (net.first, net.last):
        module.bias.data.zero_()
    torch.testing.assert_close(ask("LRP", net).sum(1), net(X).detach(), rtol=1e-6, atol=1e-6)
    expected = ask("GradientShap", net, n_samples=4000, stdevs=0.0)
    torch.testing.assert_close(expected.sum(1), net(X).detach(), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", [*OF_CHANGES, "FeatureAblation", "Occlusion", "Lime", "GradientShap"])
def test_sensitivity_a_feature_that_makes_the_difference_counts(name: str) -> None:
    """f = 1 − relu(1 − x) is flat at 2, where gradients see nothing."""

    def saturated(x: Tensor) -> Tensor:
        return 1 - (1 - x[:, 0]).relu() + x[:, 1:].sum(1)

    x = torch.tensor([[2.0, 0, 0, 0]]).double()
    assert ask("Saliency", saturated, x)[0, 0] == 0
    found = ask(name, saturated, x)
    assert found[0, 0] > 0.3
    if name in OF_CHANGES:
        torch.testing.assert_close(found, torch.tensor([[1.0, 0, 0, 0]]).double(), atol=0.02, rtol=0)


@pytest.mark.parametrize("name", without("Lime"))  # whose other features share what interactions leave
def test_dummy_a_feature_that_does_not_count_gets_nothing(name: str) -> None:
    net = Net(2)
    net.first.weight.data[:, 2] = 0
    found = ask(name, net)
    assert found[:, 2].abs().max() < 1e-12
    assert (found.abs().amax(0) > 1e-6).tolist() == [True, True, False, True]


@pytest.mark.parametrize("name", without("GuidedBackprop", "Deconvolution"))  # which cut off by the sign
def test_linearity_of_a_sum_of_models(name: str) -> None:
    f, g = Net(3), Net(4)

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f, self.g = f, g

        def forward(self, x: Tensor) -> Tensor:
            return 2 * self.f(x) - 3 * self.g(x)

    torch.testing.assert_close(ask(name, Sum()), 2 * ask(name, f) - 3 * ask(name, g), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", without("FeaturePermutation", "NoiseTunnel"))  # whose draws differ
def test_symmetry_of_features_that_are_alike(name: str) -> None:
    net = Net(5)
    net.first.weight.data[:, 1] = net.first.weight.data[:, 0]
    x = X.clone()
    x[:, 1] = x[:, 0]
    found = ask(name, net, x, **({"stdevs": 0.0} if name == "GradientShap" else {}))
    torch.testing.assert_close(found[:, 1], found[:, 0])
    assert not torch.allclose(found[:, 2], found[:, 0])


class Rewritten(nn.Module):
    """The same function as a net with ReLUs: units split in halves, and relu(z) = (z + |z|) / 2."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        z = self.net.first(x)
        z = (z * 0.25 + z * 0.75) / 2
        return self.net.last(z + z.abs())[:, 0]


@pytest.mark.parametrize("name", without("GuidedBackprop", "Deconvolution", "DeepLift", "DeepLiftShap", "LRP"))
def test_implementation_invariance_of_nets_that_compute_the_same(name: str) -> None:
    """Rules depend on how a net is written; gradients and differences do not."""
    net = Net(6, nn.ReLU())
    torch.testing.assert_close(ask(name, Rewritten(net)), ask(name, net))


@pytest.mark.parametrize("name", without("FeaturePermutation"))  # which compares with the rest of the batch
def test_examples_do_not_depend_on_each_other(name: str) -> None:
    net = Net(7, nn.ReLU())
    found = ask(name, net)
    for row in range(3):
        torch.testing.assert_close(ask(name, net, X[row : row + 1])[0], found[row])


@pytest.mark.parametrize("name", [*SHAPLEY])
def test_efficiency_holds_for_any_number_of_samples(name: str) -> None:
    net, x = Net(8), torch.randn(2, 4).double()
    change = (net(x) - net(x * 0)).detach()
    for n_samples in (1, 2, 3):
        more = {} if name == "ShapleyValues" else {"n_samples": n_samples}
        torch.testing.assert_close(ask(name, net, x, **more).sum(1), change)
