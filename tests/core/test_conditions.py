"""Rectifiers and gates that a model writes by comparisons: the same as those that torch has a name for."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from attribution_core import AttributionWarning, Deconvolution, DeepLift, GuidedBackprop, Saliency

from .nets import affine


def assigned(z: Tensor) -> Tensor:
    z = z.clone()
    z[z < 0] = 0
    return z


def in_place(z: Tensor) -> Tensor:
    z = z + 0
    z.mul_(z > 0)
    return z


RECTIFIERS: dict[str, Callable[[Tensor], Tensor]] = {
    "product": lambda z: z * (z > 0), "product, condition first": lambda z: (z > 0) * z,
    "product with floats": lambda z: z * (z > 0).to(z.dtype), "type_as": lambda z: z * torch.gt(z, 0).type_as(z),
    "where": lambda z: torch.where(z > 0, z, 0.0), "method": lambda z: z.where(z.ge(0), 0),
    "where by name": lambda z: torch.where(condition=z <= 0, input=torch.zeros_like(z), other=z),
    "masked_fill": lambda z: z.masked_fill(z < 0, 0), "masked_fill by name": lambda z: z.masked_fill(~(z > 0), value=0),
    "assigned": assigned, "in place": in_place,
}  # fmt: skip


class Net(nn.Module):
    """Two rectifiers between linear layers."""

    def __init__(self, relu: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.c, self.relu = affine(4, 8), affine(8, 8), affine(8, 3), relu

    def forward(self, x: Tensor) -> Tensor:
        return self.c(self.relu(self.b(self.relu(self.a(x)))))


@pytest.mark.parametrize("name", RECTIFIERS)
def test_a_rectifier_by_comparison_is_one_to_deeplift(name: str) -> None:
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    found = DeepLift(Net(RECTIFIERS[name])).attribute(x, b, target=1)
    torch.testing.assert_close(found, DeepLift(Net(torch.relu)).attribute(x, b, target=1))


@pytest.mark.parametrize("method", [GuidedBackprop, Deconvolution])
@pytest.mark.parametrize("name", RECTIFIERS)
def test_a_rectifier_by_comparison_is_one_to_guided_backpropagation(name: str, method: type[GuidedBackprop]) -> None:
    x = torch.randn(3, 4).double()
    found = method(Net(RECTIFIERS[name])).attribute(x, target=1)
    torch.testing.assert_close(found, method(Net(torch.relu)).attribute(x, target=1))


def of_another(z: Tensor) -> Tensor:
    mask = z > 0
    z = z + 0
    z.neg_()
    return z * mask


OTHERS: dict[str, Callable[[Tensor], Tensor]] = {
    "another bound": lambda z: z * (z > 0.1), "another value": lambda z: z * (z.flip(1) > 0),
    "another sign": lambda z: z * (z < 0), "another rest": lambda z: torch.where(z > 0, z, 1.0),
    "a constant": lambda z: z * torch.ones_like(z).bool(), "a value changed since": of_another,
    "of two": lambda z: torch.maximum(z, z.flip(1)),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_rectifier_is_none_to_guided_backpropagation(name: str) -> None:
    net, x = Net(OTHERS[name]), torch.randn(3, 4).double()
    with pytest.warns(AttributionWarning, match="met no ReLU"):
        found = GuidedBackprop(net).attribute(x, target=1)
    torch.testing.assert_close(found, Saliency(net).attribute(x, target=1, abs=False))


GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "threshold": lambda z: torch.where(z.flip(1) > 0.3, z.sin(), z.cos()),
    "between": lambda z: torch.where((z > -0.5) & ~(z >= 0.5), z, 0),
    "outside": lambda z: (z.lt(-0.5) | (z > 0.5)) * z, "of two": lambda z: torch.where(z > z.flip(1), z, z.flip(1)),
    "and where it is constant": lambda z: torch.where((z > 0) & torch.tensor([True, True, False, True]), z, -z),
    "of a part": lambda z: z * (z > 0)[:, 1:2], "turned": lambda z: (torch.where((z > 0).mT[..., None], z, -z)).sum(0),
    "another layout": lambda z: (z.mT * (z.mT > 0)).mT,
    "the largest": lambda z: z * (z >= z.amax(1, keepdim=True)), "mean": lambda z: z * (z > 0).double().mean(),
    "infinite elsewhere": lambda z: z.masked_fill(torch.tensor([False, True, True, False]), -torch.inf).softmax(1),
}  # fmt: skip


@pytest.mark.parametrize("name", GATES)
def test_deeplift_is_complete_through_comparisons(name: str) -> None:
    torch.manual_seed(1)
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()

    def net(x: Tensor) -> Tensor:
        return torch.cat([GATES[name](row[None]) for row in x.tanh() * 2]).sin().sum(1)

    _, delta = DeepLift(net).attribute(x, b, return_convergence_delta=True)
    assert delta.abs().max() < 1e-12
    assert DeepLift(net).attribute(x, x).abs().max() == 0


@pytest.mark.parametrize("method", [DeepLift, GuidedBackprop])
def test_a_condition_that_is_changed_in_place_is_not_what_it_was(method: type[GuidedBackprop]) -> None:
    scores = []

    def net(z: Tensor) -> Tensor:
        shown = z > 0
        shown[:, 0] = True
        scores.append((z * shown).sum(1))
        return scores[-1]

    x = torch.tensor([[-1.0, 2.0, -3.0]])
    found = method(net).attribute(x)
    assert found.tolist() == ([[-1, 2, 0]] if method is DeepLift else [[1, 1, 0]])
    assert scores[-1].tolist() == [1]


def test_conditions_without_gradients_are_left_alone() -> None:
    def net(z: Tensor) -> Tensor:
        with torch.inference_mode():
            count = int((z > 0).sum())
        return z.sum(1) * count

    assert DeepLift(net).attribute(torch.ones(1, 2), 0.5).tolist() == [[1, 1]]


def test_an_infinity_that_is_chosen_once_is_no_nan() -> None:
    found = DeepLift(lambda x: x.masked_fill(x < 0, -torch.inf).softmax(1)).attribute(
        torch.tensor([[1.0, 2.0, -1.0]]), torch.tensor([[1.0, -2.0, 1.0]]), target=0
    )
    assert found.isfinite().all()


@pytest.mark.parametrize("p", [2, 3])
def test_roots_of_what_stays_zero_are_no_nan(p: int) -> None:
    pool = nn.LPPool1d(p, 2)
    x, b = torch.tensor([[-1.0, -2, 3, 1]]), torch.tensor([[-2.0, -1, 1, 2]])
    _, delta = DeepLift(lambda x: pool(x.relu()[:, None]).sum((1, 2))).attribute(x, b, return_convergence_delta=True)
    assert delta.abs() < 1e-6
