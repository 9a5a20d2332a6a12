"""LRP follows where values come from: the same function gives the same relevance, however its values are handed on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from attribution_core import LRP, AttributionError, LayerLRP, observe
from attribution_core.rules import EpsilonRule, FlatRule
from attribution_core.rules.composites import epsilon_gamma_box

from .nets import affine

PICTURES = torch.randn(2, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()


class Function(nn.Module):
    """A function of its parts and the inputs."""

    def __init__(self, function: Callable[..., Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)
        self.double().eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(self, *inputs)


def weights(outputs: int, inputs: int) -> nn.Linear:
    """A linear layer without bias, which would absorb relevance."""
    return nn.Linear(inputs, outputs, bias=False)


def normed(between: Callable[[Tensor], Tensor] = lambda x: x, norm: type[nn.Module] = nn.BatchNorm2d) -> Function:
    """The same net, whatever moves values between its second convolution and the norm."""
    torch.manual_seed(1)
    parts = {"first": nn.Conv2d(3, 4, 3, padding=1), "conv": nn.Conv2d(4, 5, 3), "last": nn.Linear(80, 2)}
    one = norm(5)
    nn.init.normal_(one.running_mean), nn.init.uniform_(one.running_var, 0.5, 2)  # type: ignore[arg-type]
    nn.init.normal_(one.weight), nn.init.normal_(one.bias)  # type: ignore[arg-type]

    def forward(net: nn.Module, x: Tensor) -> Tensor:
        hidden = net.conv(net.first(x).relu())  # type: ignore[operator]
        return net.last(net.norm(between(hidden)).relu().flatten(1))  # type: ignore[operator, no-any-return]

    return Function(forward, norm=one, relu=nn.ReLU(), **parts)


BETWEEN: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": nn.Dropout2d().eval(),
    "clone": torch.clone,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last),
    "there and back": lambda x: x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("composite", ["epsilon-plus", "alpha2-beta1", "epsilon-gamma-box"])
@pytest.mark.parametrize("name", [*BETWEEN, "view"])
def test_a_norm_is_merged_however_it_gets_what_the_convolution_computed(name: str, composite: str) -> None:
    net = normed(lambda x: x.flatten(2), nn.BatchNorm1d) if name == "view" else normed(BETWEEN[name])
    torch.testing.assert_close(
        LRP(net).attribute(PICTURES, 1, composite=composite), LRP(normed()).attribute(PICTURES, 1, composite=composite)
    )


def test_a_norm_over_other_channels_or_of_a_value_used_twice_is_not_merged(capsys: pytest.CaptureFixture[str]) -> None:
    turned = normed(lambda x: x.new_zeros(5, 4, 4)[None] + x)
    parts = {"conv": nn.Conv2d(3, 4, 3), "norm": nn.BatchNorm2d(4), "last": nn.Linear(64, 2)}
    twice = Function(lambda net, x: net.last((net.norm(h := net.conv(x)) + h).flatten(1)), **parts)
    square = Function(lambda net, x: net.last(net.norm(net.conv(x).transpose(1, 2)).flatten(1)), **parts)
    for net in (normed(), turned, twice, square):
        LRP(net).attribute(PICTURES, 1, composite="epsilon-plus", verbose=True)
        merged = "Merged batch_norm in 'norm' (BatchNorm2d) into conv2d" in capsys.readouterr().out
        assert merged == (net not in (turned, twice, square))


def test_a_rule_on_the_norm_itself_keeps_it_apart() -> None:
    net = normed()
    merged = LRP(net).attribute(PICTURES, 1, composite="epsilon-plus")
    net.norm.rule = EpsilonRule()  # type: ignore[assignment]
    assert (LRP(net).attribute(PICTURES, 1, composite="epsilon-plus") - merged).abs().max() > 1e-3


def test_the_rule_of_a_convolution_holds_when_a_norm_is_merged_into_it(capsys: pytest.CaptureFixture[str]) -> None:
    net = normed()
    net.conv.rule = FlatRule()  # type: ignore[assignment]
    LRP(net).attribute(PICTURES, 1, composite="epsilon-plus", verbose=True)
    said = capsys.readouterr().out
    assert "Applied FlatRule() on conv2d in 'conv'" in said
    assert "Merged batch_norm in 'norm' (BatchNorm2d) into conv2d" in said


@pytest.mark.parametrize("composite", [None, "epsilon-plus", "epsilon-gamma-box"])
def test_several_layers_are_explained_as_each_by_itself(composite: str | None) -> None:
    net = normed()
    layers = [net.first, net.conv, net.norm]
    together = LayerLRP(net, layers).attribute(PICTURES, 1, composite=composite)  # type: ignore[arg-type]
    for layer, found in zip(layers, together, strict=True):
        alone = LayerLRP(net, layer).attribute(PICTURES, 1, composite=composite)  # type: ignore[arg-type]
        torch.testing.assert_close(found, alone)


@pytest.mark.parametrize("overwrite", [
    lambda h, g: h.relu_() + g, lambda h, g: h.zero_() + g, lambda h, g: h.mul_(g) * 1,
])  # fmt: skip
def test_what_is_overwritten_after_it_was_read_is_refused(overwrite: Callable[[Tensor, Tensor], Tensor]) -> None:
    parts = {"one": affine(3, 3), "two": affine(3, 3), "last": affine(3, 2)}
    net = Function(lambda net, x: net.last(overwrite(h := net.one(x), net.two(h))), **parts)
    net.requires_grad_(False)
    with pytest.raises(AttributionError, match="What linear received was overwritten in place"):
        LRP(net).attribute(torch.ones(2, 3).double(), 1)


def test_a_product_in_place_is_as_out_of_place() -> None:
    one, two = affine(3, 3), affine(3, 3)
    x = torch.randn(2, 3).double()
    expected = LRP(Function(lambda net, x: one(x) * two(x))).attribute(x, 1)
    torch.testing.assert_close(LRP(Function(lambda net, x: one(x).mul_(two(x)))).attribute(x, 1), expected)


def test_weights_are_constants_though_they_are_no_parameters() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    x = torch.randn(3, 4).double()
    expected = LRP(net).attribute(x, 1)
    (v, b), (w, c) = ([p.detach().clone().requires_grad_() for p in layer.parameters()] for layer in (net[0], net[2]))
    torch.testing.assert_close(LRP(lambda x: (x @ v.T + b).relu() @ w.T + c).attribute(x, 1), expected)  # type: ignore
    adapted = {name: p.detach().clone().requires_grad_() * 1 for name, p in net.named_parameters()}
    torch.testing.assert_close(LRP(lambda x: functional_call(net, adapted, x)).attribute(x, 1), expected)  # type: ignore


def test_weights_that_depend_on_the_input_share_with_what_they_weigh() -> None:
    """Of a product of two values each gets half, of one with itself both halves."""
    x = torch.randn(2, 3)
    found = LRP(lambda x: (x * (x * 2 + 0)).sum(1)).attribute(x)  # type: ignore[arg-type]
    torch.testing.assert_close(found, 2 * x * x)


GATES: dict[str, Callable[[Tensor], Tensor]] = {
    "before": lambda z: z[:, :, None, None].sigmoid(),
    "view": lambda z: z.sigmoid().view(2, 4, 1, 1).expand(2, 4, 4, 4),
    "index": lambda z: z.sigmoid()[:, :, None, None],
    "chunk": lambda z: torch.cat([z, z], 1).sigmoid().chunk(2, 1)[1][..., None, None],
    "in place": lambda z: (z * 1).sigmoid_()[..., None, None],
    "stack": lambda z: torch.stack(z.sigmoid().unbind(1), 1)[..., None, None],
    "negated": lambda z: 1 - (-z).sigmoid()[..., None, None],
}


@pytest.mark.parametrize("name", GATES)
def test_a_gate_is_a_gate_wherever_it_is_moved(name: str) -> None:
    """Squeeze and excitation: the signal takes all the relevance [arras2017]."""
    torch.manual_seed(2)
    conv, up, last = nn.Conv2d(3, 4, 3, bias=False).double(), weights(4, 4).double(), weights(2, 4).double()

    def net(x: Tensor, gate: Callable[[Tensor], Tensor]) -> Tensor:
        hidden = conv(x)
        return last((hidden * gate(up(hidden.mean((2, 3))))).mean((2, 3)))  # type: ignore[no-any-return]

    def constant(z: Tensor) -> Tensor:
        return z.detach().sigmoid()[:, :, None, None]

    expected = LRP(lambda x: net(x, constant)).attribute(PICTURES, 1)  # type: ignore[arg-type]
    torch.testing.assert_close(LRP(lambda x: net(x, GATES[name])).attribute(PICTURES, 1), expected)  # type: ignore


def test_highways_and_overwritten_gates() -> None:
    one, two, gate = (weights(4, 4).double() for _ in range(3))
    x = torch.randn(2, 4).double()

    def highway(x: Tensor) -> Tensor:
        g = gate(x).sigmoid()
        return ((1 - g) * one(x) + g * two(x)).sum(1)  # type: ignore[no-any-return]

    _, delta = LRP(highway).attribute(x, return_convergence_delta=True)  # type: ignore[arg-type]
    assert delta.abs().max() < 1e-7

    def overwritten(x: Tensor) -> Tensor:
        g = gate(x).sigmoid()
        g *= one(x)
        return (g * two(x)).sum(1)  # type: ignore[no-any-return]

    def apart(x: Tensor) -> Tensor:
        return (gate(x).sigmoid() * one(x) * two(x)).sum(1)  # type: ignore[no-any-return]

    torch.testing.assert_close(LRP(overwritten).attribute(x), LRP(apart).attribute(x))  # type: ignore[arg-type]


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "std": lambda h: torch.cat([h.mean(1), h.std(1)], 1),
    "var": lambda h: torch.cat([h.mean(1), h.var(1, unbiased=False)], 1),
    "norm": lambda h: torch.cat([h.mean(1), h.norm(dim=1)], 1),
    "largest": lambda h: torch.cat([h.mean(1), torch.linalg.vector_norm(h, torch.inf, 1)], 1),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_deviations_are_values_where_they_divide_nothing(name: str) -> None:
    """Statistics pooling, as of nets that recognise speakers."""
    torch.manual_seed(3)
    one, last, x = weights(5, 4).double(), weights(2, 10).double(), torch.randn(3, 6, 4).double()
    _, delta = LRP(lambda x: last(STATISTICS[name](one(x)))).attribute(x, 1, None, True)  # type: ignore[arg-type]
    assert delta.abs().max() < 1e-6


DIVIDING: dict[str, Callable[[Tensor], Tensor]] = {
    "quotient": lambda h: h / (h.std(1, keepdim=True) + 1e-3),
    "reciprocal": lambda h: h * (1 / (h.std(1, keepdim=True) + 1e-3)),
    "power": lambda h: h * (h.std(1, keepdim=True) + 1e-3) ** -1,
}


@pytest.mark.parametrize("name", DIVIDING)
def test_deviations_are_constants_for_what_they_divide(name: str) -> None:
    x = torch.randn(2, 4).double()
    found = LRP(lambda x: DIVIDING[name](x).sum(1)).attribute(x)  # type: ignore[arg-type]
    torch.testing.assert_close(found, DIVIDING[name](x))


MEAN, SCALE = (
    torch.tensor([0.5, 0.4, 0.3]).double().view(3, 1, 1),
    torch.tensor([0.2, 0.25, 0.3]).double().view(3, 1, 1),
)
NORMALISED: dict[str, Callable[[Tensor], Tensor]] = {
    "sub, div": lambda x: (x - MEAN) / SCALE,
    "negative": lambda x: (MEAN - x) / SCALE,
    "batch norm": lambda x: nn.functional.batch_norm(x, MEAN.flatten(), SCALE.flatten() ** 2, eps=0.0),
    "padded": lambda x: nn.functional.pad((x - MEAN) / SCALE, (1, 1, 1, 1)),
}


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 6, 6)), (None, None)])
@pytest.mark.parametrize("name", NORMALISED)
def test_the_box_of_a_model_that_normalises_its_input(name: str, bounds: tuple[float | Tensor | None, ...]) -> None:
    """Its bounds are those of the model's input, and what it normalises loses no relevance to the mean."""
    torch.manual_seed(4)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2)).double()
    x = torch.rand(2, 3, 6, 6).double()
    inside = NORMALISED[name](x)
    net(inside)
    ends = [None if end is None else NORMALISED[name](end * torch.ones(1, 3, 6, 6).double()) for end in bounds]
    known = [end for end in ends if end is not None]
    low, high = (torch.minimum(*known), torch.maximum(*known)) if known else (None, None)
    expected = LRP(net).attribute(inside, 1, composite=epsilon_gamma_box(low, high))
    expected = expected[..., 1:-1, 1:-1] if name == "padded" else expected
    found = LRP(lambda x: net(NORMALISED[name](x))).attribute(  # type: ignore[arg-type]
        x, 1, composite=epsilon_gamma_box(*bounds)
    )
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("prepare", [lambda x: x.tanh(), lambda x: x.flip(1)])
def test_a_box_whose_bounds_the_model_does_not_carry_along_is_refused(prepare: Callable[[Tensor], Tensor]) -> None:
    conv, x = nn.Conv2d(3, 4, 3).double(), torch.rand(2, 3, 6, 6).double()
    bounds = epsilon_gamma_box(torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    with pytest.raises(AttributionError, match=r"BoxRule\(low, high\) bounds the model's input, but conv2d in"):
        LRP(lambda x: conv(prepare(x)).flatten(1)).attribute(x, 1, composite=bounds)  # type: ignore[arg-type]
    free = LRP(lambda x: conv(prepare(x)).flatten(1)).attribute(x, 1, composite="epsilon-gamma-box")  # type: ignore
    assert free.isfinite().all()


def test_relevance_that_alpha_beta_finds_no_contributions_for_is_told_of_once() -> None:
    """Weights that are all positive leave the negative part of α2β1 empty: each layer doubles the score."""
    net = nn.Sequential(nn.Conv2d(1, 2, 2, bias=False), nn.ReLU(), nn.Conv2d(2, 2, 2, bias=False), nn.Flatten())
    for layer in (net[0], net[2]):
        nn.init.constant_(layer.weight, 0.5)  # type: ignore[arg-type]
    x, said = torch.rand(3, 1, 4, 4), []
    with observe(warned=said.append):
        found = LRP(net).attribute(x, targets=[0, 1], composite="alpha2-beta1")
        LRP(net).attribute(x, 0, composite="epsilon-plus")
        LayerLRP(net, net[2]).attribute(x, 0, composite="alpha2-beta1")
    torch.testing.assert_close(found[0].sum((1, 2, 3)), 4 * net(x)[:, 0].detach())
    (only,) = said
    assert only.startswith("LRP: relevance of 3 times the score was lost, or made up")
