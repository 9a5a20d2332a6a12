"""DeepLIFT through u / v: by definition, complete, and of the size of the change where one of the two v is tiny."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core import DeepLift


def test_by_definition() -> None:
    u, v, a, b = (1 + torch.rand(2, 3).double() for _ in range(4))
    found = DeepLift(lambda u, v: (u / v).sum(1)).attribute((u, v), (a, b))
    mean = (v + b) / 2
    torch.testing.assert_close(found, ((u - a) / mean, -(u / v + a / b) / 2 * (v - b) / mean))


def test_between_the_signs_it_is_a_product_with_the_reciprocal() -> None:
    u, v, a, b = (torch.tensor([[value]]).double() for value in (1.0, 2.0, 3.0, -2.0))
    found = DeepLift(lambda u, v: (u / v).sum(1)).attribute((u, v), (a, b))
    torch.testing.assert_close(found, DeepLift(lambda u, v: (u * v.reciprocal()).sum(1)).attribute((u, v), (a, b)))
    assert found[0] + found[1] == u / v - a / b


WEIGHTS = torch.linspace(-1, 1.5, 8)
NORMALISED: dict[str, Callable[[Tensor], Tensor]] = {
    "layer norm": lambda x: F.layer_norm(x, (8,)), "rms norm": lambda x: F.rms_norm(x, (8,)),
    "normalize": lambda x: F.normalize(x, dim=1), "group norm": lambda x: F.group_norm(x, 2),
    "instance norm": lambda x: F.instance_norm(x[:, None])[:, 0], "in place": lambda x: x.clone().div_(x.norm() + 1e-9),
    "cosine": lambda x: F.cosine_similarity(x, WEIGHTS.flip(0), dim=1)[:, None],
    "softmax by hand": lambda x: (60 + x).exp() / (60 + x).exp().sum(1, keepdim=True),
}  # fmt: skip


@pytest.mark.parametrize("name", NORMALISED)
def test_norms_of_nearly_nothing_do_not_explode(name: str) -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 8)
    method = DeepLift(lambda x: (NORMALISED[name](x) * WEIGHTS).sum(1))
    found, delta = method.attribute(x, x * 1e-6, return_convergence_delta=True)
    assert found.abs().max() < 5
    assert delta.abs() < 1e-5
