"""DeepLIFT: the Rescale rule against its definition, completeness, and what Captum 0.9 gets wrong."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import AttributionError, DeepLift

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

torch.manual_seed(0)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": nn.ReLU(), "inplace": nn.ReLU(inplace=True), "relu6": nn.ReLU6(), "elu": nn.ELU(), "selu": nn.SELU(),
    "leaky": nn.LeakyReLU(0.3), "prelu": nn.PReLU(4), "hardswish": nn.Hardswish(), "gelu": nn.GELU(),
    "gelu tanh": nn.GELU("tanh"), "silu": nn.SiLU(), "mish": nn.Mish(), "softplus": nn.Softplus(2.0),
    "sigmoid": nn.Sigmoid(), "tanh": nn.Tanh(), "hardtanh": nn.Hardtanh(), "softsign": nn.Softsign(),
    "logsigmoid": nn.LogSigmoid(), "hardsigmoid": nn.Hardsigmoid(), "exp": torch.exp, "square": lambda x: x**2,
    "threshold": nn.Threshold(0.1, -0.2), "rrelu": nn.RReLU().eval(), "celu": nn.CELU(), "abs": abs,
    "hardshrink": nn.Hardshrink(), "softshrink": nn.Softshrink(), "tanhshrink": nn.Tanhshrink(),
    "clamp": lambda x: x.clamp(-0.5, 0.5), "softmax": nn.Softmax(1), "log softmax": nn.LogSoftmax(1),
    "softmin": nn.Softmin(1), "method softmax": lambda x: x.softmax(-1),
}  # fmt: skip


def affine(inputs: int, outputs: int) -> nn.Linear:
    return nn.Linear(inputs, outputs).double()


def test_multiplier_of_one_nonlinearity_is_its_slope() -> None:
    x, b = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([[-1.0, -3.0, 0.5]])
    net = nn.Tanh()
    found = DeepLift(net, multiply_by_inputs=False).attribute(x, b, target=lambda o: o.sum(1))
    slopes = (x.tanh() - b.tanh()) / (x - b)
    slopes[0, 2] = 1 - 0.5 * 0 - torch.tensor(0.5).tanh() ** 2
    torch.testing.assert_close(found, slopes)


def test_by_hand_through_two_layers() -> None:
    """m = Wᵀ diag(Δh/Δz) v: the chain rule for multipliers, equation 3 of the paper, written out."""
    first, last = affine(3, 4), affine(4, 1)
    x, b = torch.randn(2, 3).double(), torch.randn(2, 3).double()
    z, z0 = first(x), first(b)
    slopes = (z.relu() - z0.relu()) / (z - z0)
    expected = (slopes * last.weight) @ first.weight * (x - b)
    torch.testing.assert_close(DeepLift(nn.Sequential(first, nn.ReLU(), last)).attribute(x, b), expected.detach())


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_complete_and_independent_of_the_batch(name: str) -> None:
    first, last = affine(3, 4), affine(4, 2)
    activation = ACTIVATIONS[name]
    if isinstance(activation, nn.Module):
        activation.double()

    def net(x: Tensor) -> Tensor:
        return last(activation(first(x)))

    x, b = torch.randn(5, 3).double(), torch.randn(5, 3).double()
    x[3] = b[3]
    method = DeepLift(net)
    found, delta = method.attribute(x, b, target=1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-12
    change = (net(x) - net(b))[:, 1].detach()
    torch.testing.assert_close(found.sum(1), change)
    assert found[3].abs().max() == 0
    for row in range(5):
        torch.testing.assert_close(found[row : row + 1], method.attribute(x[row : row + 1], b[row : row + 1], target=1))


POOLS = {
    "1d": (F.max_pool1d, F.adaptive_max_pool1d, 1), "2d": (F.max_pool2d, F.adaptive_max_pool2d, 2),
    "3d": (F.max_pool3d, F.adaptive_max_pool3d, 3),
}  # fmt: skip


@pytest.mark.parametrize("kind", POOLS)
@pytest.mark.parametrize("adaptive", [False, True])
def test_max_pools_are_complete_with_overlap_and_ties(kind: str, adaptive: bool) -> None:
    pool, adapted, dims = POOLS[kind]
    x = torch.randint(0, 4, (3, 2, *[5] * dims)).double()
    b = torch.randint(0, 4, (3, 2, *[5] * dims)).double()

    def net(x: Tensor) -> Tensor:
        found = adapted(x, 3) if adaptive else pool(x, 3, stride=2, padding=1)
        return (found.flatten(1) * torch.arange(1.0, found[0].numel() + 1)).sum(1)

    found, delta = DeepLift(net).attribute(x, b, return_convergence_delta=True)
    assert delta.abs().max() < 1e-9
    torch.testing.assert_close(found[1:2], DeepLift(net).attribute(x[1:2], b[1:2]))


@pytest.mark.parametrize(
    "largest",
    [lambda x: x.max(1).values, lambda x: x.max(1, keepdim=True)[0][:, 0], lambda x: x.amax(1),
     lambda x: x.amax(dim=-1), lambda x: torch.max(x, 1)[0],
     lambda x: F.max_pool1d(x[:, None], 4, return_indices=True)[0].flatten()],
)  # fmt: skip
def test_the_largest_of_a_dimension(largest: Callable[[Tensor], Tensor]) -> None:
    x, b = torch.tensor([[1.0, 5, 2, 0]]), torch.tensor([[2.0, 0, 3, 4]])
    torch.testing.assert_close(DeepLift(largest).attribute(x, b), torch.tensor([[0.0, 1, 0, 0]]))
    torch.testing.assert_close(DeepLift(largest).attribute(b, x), torch.tensor([[0.0, -1, 0, 0]]))


def test_softmax_of_masked_logits_is_finite() -> None:
    mask = torch.tensor([0.0, -torch.inf, 0.0])
    x, b = torch.randn(2, 3), torch.randn(2, 3)
    found, delta = DeepLift(lambda x: (x + mask).softmax(1)).attribute(x, b, target=0, return_convergence_delta=True)
    assert found.isfinite().all()
    assert found[:, 1].abs().max() == 0
    assert delta.abs().max() < 1e-6


def test_float32_quotients_near_the_baseline_do_not_explode() -> None:
    x = torch.full((1, 1), 3.0)
    slope = DeepLift(torch.sigmoid, multiply_by_inputs=False).attribute(x + 1e-6, x)
    torch.testing.assert_close(slope, torch.sigmoid(x) * (1 - torch.sigmoid(x)), rtol=1e-4, atol=0)


def test_one_module_used_twice_and_batch_in_any_dimension() -> None:
    relu, one, two = nn.ReLU(), affine(3, 3), affine(3, 1)

    def net(x: Tensor) -> Tensor:
        sequence_first = x.transpose(0, 1)
        return two(relu(one(relu(sequence_first)))).sum(0)

    x, b = torch.randn(4, 5, 3).double(), torch.randn(4, 5, 3).double()
    found, delta = DeepLift(net).attribute(x, b, return_convergence_delta=True)
    assert delta.abs().max() < 1e-12
    torch.testing.assert_close(found[:1], DeepLift(net).attribute(x[:1], b[:1]))


def test_dropout_is_the_same_on_input_and_baseline() -> None:
    net = nn.Sequential(affine(3, 50), nn.Dropout(0.5), nn.ReLU(), affine(50, 1)).train()
    x = torch.randn(2, 3).double()
    assert DeepLift(net).attribute(x, x, return_convergence_delta=True)[1].abs().max() == 0


def test_another_way_through_the_model_is_refused() -> None:
    def net(x: Tensor) -> Tensor:
        return (x.relu() if x.sum() > 0 else x.relu().tanh()).sum(1)

    with pytest.raises(AttributionError, match="another way"):
        DeepLift(net).attribute(torch.ones(1, 3), -1)
    with pytest.raises(AttributionError, match="another way"):
        DeepLift(net).attribute(-torch.ones(1, 3), 1)


def test_custom_attributions_with_wrong_arguments_are_refused() -> None:
    with pytest.raises(AttributionError, match="custom_attribution_func takes 4"):
        DeepLift(nn.Tanh()).attribute(torch.ones(1, 1), custom_attribution_func=lambda a, b, c, d: a)
