"""What Captum 0.9 gets wrong and this engine gets right: LRP (item 10).

Where Captum's wrong answer is deterministic it is shown beside ours, for that version only.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import (
    LRP,
    LayerLRP,
)
from attribution_core.rules.composites import COMPOSITES

from .peer import IS_09, of_captum

# 10


class Skip(nn.Module):
    """f(x) + g(x), in either order, without biases, which would absorb relevance."""

    def __init__(self, swapped: bool) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.f = nn.Sequential(nn.Linear(4, 6, bias=False), nn.ReLU(), nn.Linear(6, 5, bias=False), nn.ReLU())
        self.g, self.joined = nn.Linear(4, 5, bias=False), nn.Identity()
        self.cat, self.out, self.swapped = nn.Linear(10, 5, bias=False), nn.Linear(5, 3, bias=False), swapped
        self.double()

    def forward(self, x: Tensor) -> Tensor:
        one, two = self.f(x), self.g(x)
        joined = self.joined(two + one if self.swapped else one + two)
        hidden = F.relu(self.cat(torch.cat([joined, joined.tanh()], 1)))
        hidden = joined + hidden if self.swapped else hidden + joined
        return self.out(hidden)


@pytest.mark.parametrize("composite", [None, *COMPOSITES])
def test_10_lrp_over_skip_connections_conserves_relevance_at_every_layer(composite: str | None) -> None:
    x, (net, swapped) = torch.randn(5, 4).double(), (Skip(False), Skip(True))
    score = net(x)[:, 2].detach()
    relevance, delta = LRP(net).attribute(x, 2, return_convergence_delta=True, composite=composite)
    close = {"rtol": 1e-4, "atol": 1e-4}
    torch.testing.assert_close(relevance.sum(1), score, **close)
    assert delta.abs().max() < 1e-4
    first, hidden, f, g, joined, cat = (
        found.sum(1)
        for found in LayerLRP(net, [net.f[0], net.f[2], net.f, net.g, net.joined, net.cat]).attribute(
            x, 2, composite=composite
        )
    )
    torch.testing.assert_close(joined, score, **close)
    torch.testing.assert_close(f + g, score, **close)
    torch.testing.assert_close(first, f, **close)
    torch.testing.assert_close(hidden, f, **close)
    assert (cat - score).abs().max() > 1e-4  # the other branch carries the rest
    torch.testing.assert_close(LRP(swapped).attribute(x, 2, composite=composite), relevance)


def test_10_captum_counts_relevance_once_for_each_branch() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f, self.g = (nn.Sequential(nn.Linear(4, 5, bias=False), nn.ReLU()) for _ in range(2))
            self.out = nn.Linear(5, 2, bias=False)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.f(x) + self.g(x))

    net, x = Sum(), torch.randn(3, 4)
    torch.testing.assert_close(LRP(net).attribute(x, 0).sum(1), net(x)[:, 0].detach())
    if IS_09:
        torch.testing.assert_close(of_captum("LRP", net, x, 0).sum(1).detach(), 2 * net(x)[:, 0].detach())
