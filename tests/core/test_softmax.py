"""DeepLIFT through softmax, log-softmax and logsumexp: by definition, complete, and blind to a common offset."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import DeepLift

NORMALISED: dict[str, Callable[[Tensor], Tensor]] = {
    "softmax": lambda z: z.softmax(1)[:, 0], "module": lambda z: nn.Softmax(1)(z)[:, 0],
    "special": lambda z: torch.special.softmax(z, 1)[:, 0], "softmin": lambda z: F.softmin(-z, 1)[:, 0],
    "log-softmax": lambda z: F.log_softmax(z, -1)[:, 0], "special log": lambda z: torch.special.log_softmax(z, 1)[:, 0],
    "logsumexp": lambda z: z[:, 0] - z.logsumexp(1), "kept": lambda z: (z - torch.logsumexp(z, 1, True))[:, 0],
    "several dimensions": lambda z: z[:, 0] - z[:, None].logsumexp(dim=(1, -1)),
    "two": lambda z: z[:, 0] - torch.logaddexp(z[:, 0], z[:, 1]),
    "exponentials": lambda z: (z - torch.special.logsumexp(z, 1, keepdim=True)).exp()[:, 0],
    "attention": lambda z: F.scaled_dot_product_attention(z.new_ones(1, 1, 1), z[..., None], WEIGHT)[:, 0, 0],
}  # fmt: skip
WEIGHT = torch.tensor([[1.0], [-1.0]])


def offset_by(common: float) -> nn.Linear:
    """Two logits that an input of `common` raises by about itself, the second one by a little less."""
    net = nn.Linear(2, 2, bias=False)
    net.weight.data = torch.tensor([[1.0, 0.1 / common], [1.0, -0.15 / common]])
    return net


@pytest.mark.parametrize("name", NORMALISED)
@pytest.mark.parametrize("common", [1, 10, 200])
def test_an_offset_common_to_all_logits_contributes_nothing(name: str, common: float) -> None:
    net, x = offset_by(common), torch.full((1, 2), float(common))
    found, delta = DeepLift(lambda x: NORMALISED[name](net(x))).attribute(x, return_convergence_delta=True)
    alone = DeepLift(lambda x: NORMALISED[name](x * torch.tensor([0.1, -0.15]))).attribute(torch.ones(1, 2))
    assert found[:, 0].abs() < 1e-4
    torch.testing.assert_close(found[:, 1], alone.sum(1), rtol=0, atol=1e-4)
    assert delta.abs() < 2e-5


@pytest.mark.parametrize("value", [5.0, 10.0, 100.0, 200.0])
def test_contributions_through_softmax_are_of_the_size_of_the_change(value: float) -> None:
    net = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Softmax(1))
    net[0].weight.data = torch.tensor([[1.0, 1.0], [1.1, 0.95]])
    x = torch.full((1, 2), value)
    found, delta = DeepLift(net).attribute(x, target=0, return_convergence_delta=True)
    change = (net(x) - net(0 * x))[:, 0].detach()
    torch.testing.assert_close(found, torch.stack([2 * change, -change], 1), rtol=1e-4, atol=0)
    assert delta.abs() < 1e-5


def test_softmax_is_the_exponential_of_log_softmax() -> None:
    """Its multipliers m_i (δ_ij − m_j / Σm) with m the logarithmic means of the probabilities."""
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    b[0, 1] = x[0, 1]
    p, q = x.softmax(1), b.softmax(1)
    m = (p - q) / (p.log() - q.log())
    expected = torch.diag_embed(m) - m[:, :, None] * m[:, None] / m.sum(1)[:, None, None]
    for target in range(4):
        found = DeepLift(nn.Softmax(1), multiply_by_inputs=False).attribute(x, b, target=target)
        torch.testing.assert_close(found, expected[:, target])


def test_attention_to_large_values_is_complete() -> None:
    torch.manual_seed(0)
    attention, x = nn.MultiheadAttention(8, 2, batch_first=True).eval(), 10 * torch.randn(2, 6, 8)
    found, delta = DeepLift(lambda x: attention(x, x, x)[0].sum((1, 2))).attribute(x, return_convergence_delta=True)
    assert found.abs().max() < 100
    assert delta.abs().max() < 1e-4


def test_what_is_masked_in_one_or_in_both_is_finite() -> None:
    x, b = torch.tensor([[1.0, -torch.inf, 2.0]]), torch.tensor([[0.0, -torch.inf, -torch.inf]])
    for function in (lambda x: x.softmax(1)[:, 0], lambda x: x.logsumexp(1)):
        found = DeepLift(function, multiply_by_inputs=False).attribute(x, b)
        assert found.isfinite().all()
        assert found[0, 1] == 0
