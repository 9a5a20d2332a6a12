"""Rules keep nothing of a pass once it is over: a circle through autograd's nodes is never collected."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from attribution_core import LRP, Attribution, Deconvolution, DeepLift, GuidedBackprop, LayerDeepLift


class Largest(nn.Module):
    """Takes the largest value of each row, in two ways."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.flatten(1).max(1).values, x.flatten(1).amax(1), x.flatten(1).sum(1)], 1)


class Attentive(nn.Module):
    """Attention and norms over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.0)
        self.out = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.encode(x[:, 0]).mean(1)).softmax(1)


class Recurrent(nn.Module):
    """An LSTM over the rows of an image."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(8, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.lstm(x[:, 0])[0][:, -1]


class Checkpointed(nn.Module):
    """Two layers that are computed again in the backward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Flatten(), nn.Linear(64, 8), nn.Sigmoid(), nn.Linear(8, 8), nn.ReLU())
        self.out = nn.Sequential(nn.Linear(8, 3), nn.Softmax(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(checkpoint(self.first, x, use_reentrant=False))


class Compared(nn.Module):
    """Rectifiers and gates written by comparisons, in place too, and what is divided by a value."""

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1) - 0.5
        open = x > 0
        x = torch.where(~open, -0.1 * x, x) * (x < 0.3)
        x.masked_fill_(x >= 0.4, 0)
        x[open] = 0.5
        return (x / x.norm(dim=1, keepdim=True)).logsumexp(1)[:, None] * open[:, :3]


def pooled() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.SiLU(),
        nn.Conv2d(4, 4, 3), nn.Sigmoid(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 3), nn.LogSoftmax(1),
    )  # fmt: skip


NETS = {
    "pooled": pooled,
    "largest": Largest,
    "attentive": Attentive,
    "recurrent": Recurrent,
    "checkpointed": Checkpointed,
    "compared": Compared,
}
METHODS: dict[str, Any] = {
    "DeepLift": DeepLift,
    "LayerDeepLift": lambda net: LayerDeepLift(net, next(iter(net.children()), net)),
    "LRP": LRP,
    "GuidedBackprop": GuidedBackprop,
    "Deconvolution": Deconvolution,
}


def tensors() -> int:
    gc.collect()
    return sum(issubclass(type(o), Tensor) for o in gc.get_objects())


def asked(method: Attribution, x: Tensor) -> None:
    try:
        method.attribute(x, target=1)
    except Exception:  # what a method refuses it must not keep either
        return


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("method", METHODS)
def test_nothing_of_a_pass_is_kept(method: str, net: str) -> None:
    made = METHODS[method](NETS[net]().eval())
    x = torch.rand(2, 1, 8, 8)
    asked(made, x)
    before = tensors()
    for _ in range(3):
        asked(made, x)
    assert tensors() == before


def multiplied_in_place(x: Tensor) -> Tensor:
    x = x + 1
    x.mul_(x > 1.5)
    x.mul_(x.sin())
    x.div_(x.square() + 1)
    return x.addcmul_(x, x).flatten(1)


def test_nothing_is_kept_of_what_multiplies_in_place() -> None:
    made, x = DeepLift(multiplied_in_place), torch.rand(2, 1, 8, 8)
    _, delta = made.attribute(x, target=1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-5
    before = tensors()
    made.attribute(x, target=1)
    assert tensors() == before
