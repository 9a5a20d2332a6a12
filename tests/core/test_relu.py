"""Guided backpropagation and deconvolution: their definitions, whatever way the rectifier is written."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError

SHARED = nn.ReLU()


def in_place(x: Tensor) -> Tensor:
    x.relu_()
    return x


def inline(x: Tensor) -> Tensor:
    activation = nn.ReLU()
    return activation(x)


SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(), "shared module": SHARED, "inplace module": nn.ReLU(inplace=True), "inline": inline,
    "F.relu": F.relu, "F.relu inplace": lambda x: F.relu(x, inplace=True),
    "F.relu positional": lambda x: F.relu(x, True),
    "F.relu keyword": lambda x: F.relu(input=x), "method": lambda x: x.relu(), "torch.relu": torch.relu,
    "torch.relu_": torch.relu_, "F.relu_": F.relu_, "method in place": in_place,
}  # fmt: skip


class Net(nn.Module):
    """Two rectifiers in a row and one on a skip connection, so that order and reuse matter."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.a, self.b, self.c = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.relu(self.a(x))
        return self.c(self.relu(self.b(hidden)) + hidden)


def by_definition(x: Tensor, guided: bool) -> Tensor:
    """The backward pass of `Net` for output 1, written out."""
    net = Net(F.relu)
    with torch.no_grad():
        z1 = net.a(x)
        z2 = net.b(z1.relu())

    def rule(signal: Tensor, z: Tensor) -> Tensor:
        return signal.relu() * (z > 0) if guided else signal.relu()

    top = net.c.weight[1].expand(len(x), -1)
    return (rule(rule(top, z2) @ net.b.weight + top, z1) @ net.a.weight).detach()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("name", "guided"), [("GuidedBackprop", True), ("Deconvolution", False)])
def test_every_spelling_follows_the_definition(spelling: str, name: str, guided: bool) -> None:
    x = torch.randn(5, 4)
    found = getattr(attribution_core, name)(Net(SPELLINGS[spelling])).attribute(x, target=1)
    torch.testing.assert_close(found, by_definition(x, guided))


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_deeplift_is_the_same_for_every_spelling(spelling: str) -> None:
    torch.manual_seed(2)
    x, b = torch.randn(5, 4), torch.randn(5, 4)
    expected = attribution_core.DeepLift(Net(F.relu)).attribute(x, b, target=1)
    net = Net(SPELLINGS[spelling])
    found, delta = attribution_core.DeepLift(net).attribute(x, b, target=1, return_convergence_delta=True)
    torch.testing.assert_close(found, expected)
    assert delta.abs().max() < 1e-5


@pytest.mark.parametrize("spelling", ["inplace module", "method in place", "F.relu inplace"])
@pytest.mark.parametrize("name", ["GuidedBackprop", "DeepLift", "Saliency", "IntegratedGradients", "FeatureAblation"])
def test_an_in_place_first_layer_changes_neither_input_nor_result(name: str, spelling: str) -> None:
    x = torch.randn(3, 4)
    before = x.clone()
    method = getattr(attribution_core, name)
    found = method(SPELLINGS[spelling]).attribute(x, target=2)
    assert torch.equal(x, before)
    torch.testing.assert_close(found, method(torch.relu).attribute(x, target=2))


@pytest.mark.parametrize("name", ["GuidedBackprop", "Deconvolution", "DeepLift"])
def test_modules_that_hide_their_operations_are_refused_by_name(name: str) -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    net.add_module("hidden", _Traced())
    with pytest.raises(AttributionError, match=r"'hidden' \(OptimizedModule\)"):
        getattr(attribution_core, name)(net).attribute(torch.randn(1, 2), target=0)


class _Traced(nn.Identity):
    pass


_Traced.__name__ = "OptimizedModule"


def test_results_written_elsewhere_are_refused() -> None:
    with pytest.raises(AttributionError, match=r"sigmoid\(out="):
        attribution_core.DeepLift(lambda x: torch.sigmoid(x, out=torch.empty(1, 2))).attribute(
            torch.randn(1, 2), target=0
        )


def test_other_threads_see_nothing() -> None:
    seen: list[Tensor] = []

    def elsewhere() -> None:
        y = torch.tensor([[-1.0, 2.0]], requires_grad=True)
        seen.append(torch.autograd.grad(-y.relu().sum(), y)[0])

    def model(x: Tensor) -> Tensor:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        return -x.relu().sum(1)

    found = attribution_core.GuidedBackprop(model).attribute(torch.tensor([[-1.0, 2.0]]))
    assert seen[0].tolist() == [[0, -1]]
    assert found.tolist() == [[0, 0]]
