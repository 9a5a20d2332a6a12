"""What Captum 0.9 gets wrong and this engine gets right: DeepLIFT (items 1 to 4, and 9).

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    AttributionError,
    DeepLift,
)

from .nets import Rectifier, affine
from .peer import IS_09, of_captum

# 1


def test_01_deeplift_through_softmax_is_independent_of_the_batch_and_complete() -> None:
    net = nn.Sequential(affine(3, 4), nn.Tanh(), affine(4, 3), nn.Softmax(1))
    x, b = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    found = DeepLift(net).attribute(x, b, target=1)
    for row in range(5):
        alone = DeepLift(net).attribute(x[row : row + 1], b[row : row + 1], target=1)
        torch.testing.assert_close(alone, found[row : row + 1], rtol=0, atol=1e-12)
    torch.testing.assert_close(found.sum(1), (net(x) - net(b))[:, 1].detach(), rtol=0, atol=1e-12)
    if IS_09:
        whole, delta = of_captum("DeepLift", net, x, b, 1, return_convergence_delta=True)
        assert (whole[:1] - of_captum("DeepLift", net, x[:1], b[:1], 1)).abs().max() > 1e-4
        assert delta.abs().max() > 1e-3


# 2


def test_02_deeplift_through_max_pool_where_input_equals_baseline_inside_a_window() -> None:
    conv = nn.Conv1d(1, 1, 2, stride=2, bias=False)
    conv.weight.data.fill_(1.0)
    net = nn.Sequential(conv, nn.MaxPool1d(2), nn.Flatten())
    x = torch.tensor([[5.0, 5, 1, 0], [0, 1, 6, 4]])[:, None]
    b = torch.tensor([[0.0, 0, 0, 1], [0, 0, 5, 5]])[:, None]
    expected = torch.tensor([[4.5, 4.5, 0, 0], [0, 0, 1, -1]])[:, None]
    for rows in ([0, 1], [1, 0], [1], [0], [1, 1, 0]):
        found, delta = DeepLift(net).attribute(x[rows], b[rows], target=0, return_convergence_delta=True)
        torch.testing.assert_close(found, expected[rows])
        assert delta.tolist() == [0] * len(rows)
    if IS_09:
        assert of_captum("DeepLift", net, x, b, 0)[1, 0].tolist() == [0, 0, 0, 0]


# 3

NONLINEAR: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(2), "gelu": nn.GELU,
    "max pool": lambda: nn.MaxPool1d(2, stride=1, padding=1), "average pool": lambda: nn.AvgPool1d(2),
    "leaky": nn.LeakyReLU, "elu": nn.ELU, "silu": nn.SiLU, "softplus": nn.Softplus, "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish, "prelu": nn.PReLU,
}  # fmt: skip


@pytest.mark.parametrize("second", NONLINEAR)
@pytest.mark.parametrize("first", NONLINEAR)
def test_03_deeplift_through_adjacent_nonlinearities_in_every_ordered_pair(first: str, second: str) -> None:
    net = nn.Sequential(nn.Conv1d(1, 2, 2), NONLINEAR[first](), NONLINEAR[second](), nn.Flatten(), nn.LazyLinear(2))
    x, b = torch.randn(3, 1, 7), torch.randn(3, 1, 7)
    net(x)
    assert DeepLift(net).attribute(x, b, target=0, return_convergence_delta=True)[1].abs().max() < 1e-5
    exact = DeepLift(net.double()).attribute(x.double(), b.double(), target=0, return_convergence_delta=True)[1]
    assert exact.abs().max() < 1e-12
    if IS_09 and (first, second) in {("relu", "max pool"), ("max pool", "relu"), ("relu", "tanh")}:
        theirs = of_captum("DeepLift", net, x.double(), b.double(), 0, return_convergence_delta=True)[1]
        assert theirs.abs().max() > 1e-4


# 4

WRITTEN: dict[str, tuple[nn.Module, Callable[[Tensor], Tensor]]] = {
    "relu": (nn.ReLU(), F.relu), "relu method": (nn.ReLU(), lambda x: x.relu()), "gelu": (nn.GELU(), F.gelu),
    "silu": (nn.SiLU(), F.silu), "sigmoid": (nn.Sigmoid(), torch.sigmoid), "tanh": (nn.Tanh(), lambda x: x.tanh()),
    "elu": (nn.ELU(), F.elu), "leaky": (nn.LeakyReLU(), F.leaky_relu), "relu6": (nn.ReLU6(), F.relu6),
    "hardswish": (nn.Hardswish(), F.hardswish), "softplus": (nn.Softplus(), F.softplus), "mish": (nn.Mish(), F.mish),
    "clamp": (nn.Hardtanh(-1, 1), lambda x: x.clamp(-1, 1)), "softmax": (nn.Softmax(1), lambda x: x.softmax(1)),
    "max pool": (nn.MaxPool1d(2), lambda x: F.max_pool1d(x, 2)),
}  # fmt: skip


class Between(nn.Module):
    """Something between two linear layers."""

    def __init__(self, middle: Any) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.middle, self.last = affine(3, 6), middle, nn.LazyLinear(2).double()
        self(torch.zeros(1, 3).double())

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.middle(self.first(x)))


@pytest.mark.parametrize("name", ["DeepLift", "GuidedBackprop", "Deconvolution", "LRP"])
@pytest.mark.parametrize("written", WRITTEN)
def test_04_a_functional_activation_gives_the_attributions_of_the_module(written: str, name: str) -> None:
    module, function = WRITTEN[written]
    x = torch.randn(4, 3).double()
    expected = getattr(attribution_core, name)(Between(module)).attribute(x, target=1)
    found = getattr(attribution_core, name)(Between(function)).attribute(x, target=1)
    torch.testing.assert_close(found, expected)
    if name == "DeepLift":
        net = Between(function)
        torch.testing.assert_close(found.sum(1), (net(x) - net(x * 0))[:, 1].detach())
    if IS_09 and written == "relu" and name in ("DeepLift", "Deconvolution"):
        theirs = [of_captum(name, Between(middle), x, target=1) for middle in (module, function)]
        assert not torch.allclose(*theirs)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (Rectifier.apply, "Rectifier"), (torch.ops.aten.relu, "relu"), (lambda x: x.prod(1, keepdim=True), "prod"),
        (lambda x: torch.cdist(x[:, None], x[:, None])[:, 0], "cdist"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["DeepLift", "LRP"])
def test_04_an_unlisted_operation_is_refused_by_name(name: str, function: Any, named: str) -> None:
    with pytest.raises(AttributionError, match=named):
        getattr(attribution_core, name)(Between(function)).attribute(torch.randn(2, 3).double(), target=1)


# 9


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.GELU(), nn.Sigmoid(), nn.Tanh(), nn.Softmax(1), nn.PReLU()])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_09_deeplift_in_half_precision_near_its_baseline(activation: nn.Module, dtype: torch.dtype) -> None:
    net = nn.Sequential(nn.Linear(4, 4), activation, nn.Linear(4, 2))
    b = torch.randn(3, 4).to(dtype)
    x = (b.float() + 1e-3).to(dtype)
    exact = DeepLift(net).attribute(x.float(), b.float(), target=0)
    half = net.to(dtype)
    at, near = (DeepLift(half).attribute(point, b, target=0) for point in (b, x))
    at_baseline = of_captum("DeepLift", half, b, b, 0) if IS_09 and isinstance(activation, nn.Sigmoid) else None
    net.float()
    assert at.dtype == near.dtype == dtype
    assert at.abs().max() == 0
    assert near.isfinite().all()
    change = (x.float() - b.float()).abs().max().item()
    torch.testing.assert_close(near.float(), exact, rtol=0.1, atol=0.1 * change + 1e-6)
    if at_baseline is not None and dtype == torch.float16:
        assert at_baseline.isnan().all()
