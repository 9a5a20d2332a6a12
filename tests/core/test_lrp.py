"""LRP: its rules against the papers' formulas, conservation, any spelling, and refusals by name."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from attribution_core import LRP, AttributionError, LayerLRP, observe
from attribution_core.rules import (
    Alpha1_Beta0_Rule,
    AlphaBetaRule,
    BoxRule,
    Composite,
    EpsilonRule,
    FlatRule,
    GammaRule,
    IdentityRule,
    PropagationRule,
    SignedGammaRule,
)
from attribution_core.rules.composites import COMPOSITES, epsilon_gamma_box

from .nets import Rectifier, affine

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")


def free_of_bias(model: nn.Module) -> nn.Module:
    """In double precision, without what absorbs relevance."""
    for name, parameter in model.named_parameters():
        if "bias" in name:
            parameter.data.zero_()
    return model.double().eval()


def by_hand(rule: str, x: list[float], w: list[float], b: float, relevance: float) -> list[float]:
    """What one neuron z = Σ xw + b hands to each of its inputs, as the papers write it."""
    terms = [xi * wi for xi, wi in zip(x, w, strict=True)]
    z = sum(terms) + b
    up, down = [max(t, 0) for t in terms], [min(t, 0) for t in terms]
    shares: dict[str, Callable[[], list[float]]] = {
        "epsilon": lambda: [t / (z + (0.1 if z >= 0 else -0.1)) for t in terms],
        "gamma": lambda: _shares([t + 0.5 * xi * max(wi, 0) for t, xi, wi in zip(terms, x, w, strict=True)], b),
        "positive": lambda: _shares([xi * max(wi, 0) for xi, wi in zip(x, w, strict=True)], b),
        "alpha-beta": lambda: [
            2 * u - v
            for u, v in zip(_shares(up, max(b, 0)), _shares(down, min(b, 0)), strict=True)
        ],
        "signed gamma": lambda: _shares(
            [t + 0.5 * s for t, s in zip(terms, up if z >= 0 else down, strict=True)],
            b + 0.5 * (max(b, 0) if z >= 0 else min(b, 0)),
        ),
        "box": lambda: _shares(
            [t + 2 * max(wi, 0) - 3 * min(wi, 0) for t, wi in zip(terms, w, strict=True)], 0
        ),
        "flat": lambda: [1 / len(x) for _ in x],
    }  # fmt: skip
    return [share * relevance for share in shares[rule]()]


def _shares(terms: list[float], bias: float) -> list[float]:
    whole = sum(terms) + bias
    return [t / whole if whole else 0.0 for t in terms]


RULES: dict[str, PropagationRule] = {
    "epsilon": EpsilonRule(0.1), "gamma": GammaRule(0.5), "positive": Alpha1_Beta0_Rule(),
    "alpha-beta": AlphaBetaRule(2, 1), "signed gamma": SignedGammaRule(0.5), "box": BoxRule(-2, 3), "flat": FlatRule(),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("kind", ["linear", "conv1d", "conv2d", "conv3d"])
def test_rules_follow_their_formulas(name: str, kind: str) -> None:
    """Two neurons over three inputs: a linear layer, or a convolution as wide as its input."""
    torch.manual_seed(5)
    dims = {"linear": 0, "conv1d": 1, "conv2d": 2, "conv3d": 3}[kind]
    first: nn.Module = affine(3, 2)
    if dims:
        first = getattr(nn, f"Conv{dims}d")(1, 2, (*[1] * (dims - 1), 3)).double()
    last = affine(2, 1)
    first.rule = RULES[name]  # type: ignore[assignment]
    x = torch.randn(4, 3).double()
    z = x @ first.weight.reshape(2, 3).T + first.bias  # type: ignore[operator, union-attr]
    relevance = z * last.weight  # of the score z·v + c, the share z·v goes to each neuron
    expected = torch.zeros(4, 3).double()
    for row in range(4):
        for neuron in range(2):
            weights, bias = first.weight.reshape(2, 3)[neuron].tolist(), first.bias[neuron].item()  # type: ignore
            parts = by_hand(name, x[row].tolist(), weights, bias, relevance[row, neuron].item())
            expected[row] += torch.tensor(parts).double()
    shaped = x.reshape(4, *[1] * dims, 3)
    net = nn.Sequential(first, nn.Flatten(), last)
    with observe(warned=lambda _: None):  # of a neuron without negative contributions
        found = LRP(net).attribute(shaped).reshape(4, 3)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-7)
    assert vars(first)["rule"] is RULES[name]


def test_identity_and_wrong_shapes() -> None:
    square, tall = affine(3, 3), affine(3, 4)
    net = nn.Sequential(square, tall, affine(4, 2))
    expected = LayerLRP(net, square).attribute(torch.ones(1, 3).double(), target=1)
    square.rule = IdentityRule()  # type: ignore[assignment]
    torch.testing.assert_close(LRP(net).attribute(torch.ones(1, 3).double(), target=1), expected)
    tall.rule = IdentityRule()  # type: ignore[assignment]
    with pytest.raises(AttributionError, match="IdentityRule: linear"):
        LRP(net).attribute(torch.ones(1, 3).double(), target=1)


def test_a_sum_is_split_in_proportion() -> None:
    x, y = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, -1.0]])
    found = LRP(_Function(lambda a, b: (a + b).sum(1))).attribute((x, y))
    torch.testing.assert_close(found, (x, y))


class _Function(nn.Module):
    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def _in_place(x: Tensor) -> Tensor:
    x.relu_()
    return x


def _inline(x: Tensor) -> Tensor:
    activation = nn.ReLU()
    return activation(x)


SPELLINGS: dict[str, Callable[[Tensor], Tensor]] = {
    "module": nn.ReLU(), "inplace": nn.ReLU(inplace=True), "inline": _inline, "F.relu": F.relu,
    "F.relu inplace": lambda x: F.relu(x, inplace=True), "method": lambda x: x.relu(), "method in place": _in_place,
    "torch": torch.relu, "clamp": lambda x: x.clamp(min=0), "clamp_min": lambda x: x.clamp_min(0),
}  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_every_spelling_of_an_activation_is_the_same(spelling: str) -> None:
    torch.manual_seed(1)
    one, two, three = affine(4, 6), affine(6, 6), affine(6, 3)

    def net(relu: Callable[[Tensor], Tensor]) -> nn.Module:
        def forward(x: Tensor) -> Tensor:
            hidden = relu(one(x))
            return three(relu(two(hidden)) + hidden)

        return _Function(forward)

    x = torch.randn(5, 4).double()
    torch.testing.assert_close(
        LRP(net(SPELLINGS[spelling])).attribute(x, 1), LRP(net(torch.relu)).attribute(x, 1), rtol=1e-9, atol=1e-9
    )


ACTIVATIONS = [nn.GELU(), nn.SiLU(), nn.ELU(), nn.LeakyReLU(), nn.PReLU(), nn.Hardswish(), nn.Sigmoid(), nn.ReLU6()]
SHAPES: dict[str, nn.Module] = {
    "conv transpose": nn.Sequential(nn.ConvTranspose2d(2, 3, 2), nn.Flatten(), nn.LazyLinear(2)),
    "max pool": nn.Sequential(nn.Conv2d(2, 3, 2), nn.MaxPool2d(2), nn.Flatten(), nn.LazyLinear(2)),
    "average pool": nn.Sequential(nn.AvgPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LazyLinear(2)),
    "group norm": nn.Sequential(nn.GroupNorm(1, 2), nn.Flatten(), nn.LazyLinear(2)),
    "layer norm": nn.Sequential(nn.Flatten(), nn.LayerNorm(32), nn.LazyLinear(2)),
    "instance norm": nn.Sequential(nn.InstanceNorm2d(2, affine=True), nn.Flatten(), nn.LazyLinear(2)),
    "batch norm": nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.LazyLinear(2)),
    "dropout": nn.Sequential(nn.Dropout(), nn.Identity(), nn.Flatten(), nn.LazyLinear(2)),
    "upsample": nn.Sequential(nn.Upsample(scale_factor=2), nn.ZeroPad2d(1), nn.Flatten(), nn.LazyLinear(2)),
    "movement": _Function(lambda x: x.permute(0, 2, 3, 1).flip(1).roll(1, 2).flatten(1).cumsum(1)[:, ::8]),
    "scaled": _Function(lambda x: (x / 3 * 2 - x.mean((1, 2, 3), keepdim=True)).flatten(1)),
    "einsum": _Function(lambda x: torch.einsum("nchw,cwk->nk", x, torch.ones(2, 4, 3).double())),
    "rms": _Function(lambda x: (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)).flatten(1)),
    "normalised": _Function(lambda x: F.normalize(x.flatten(1))),
    "1d": nn.Sequential(nn.Flatten(2), nn.Conv1d(2, 3, 3), nn.AvgPool1d(2), nn.Flatten(), nn.LazyLinear(2)),
    "3d": _Function(lambda x: F.max_pool3d(F.conv3d(x[:, :, None], torch.ones(1, 2, 1, 2, 2).double()), 1).flatten(1)),
} | {type(a).__name__: nn.Sequential(nn.Flatten(), nn.LazyLinear(5), a, nn.Linear(5, 2)) for a in ACTIVATIONS}


@pytest.mark.parametrize("name", SHAPES)
def test_operations_conserve_relevance(name: str) -> None:
    torch.manual_seed(2)
    x = torch.randn(3, 2, 4, 4).double()
    model = SHAPES[name].double().eval()
    model(x)
    relevance, delta = LRP(free_of_bias(model)).attribute(x, 1, return_convergence_delta=True)
    assert delta.abs().max() < 1e-6
    torch.testing.assert_close(LRP(model).attribute(x[1:2], 1), relevance[1:2])


def test_attention_follows_its_formulas() -> None:
    """Softmax R = x(R − sΣR), products half and half [achtibat2024], written out for one head."""
    q, k, v = (torch.randn(1, n, 2).double() for n in (1, 3, 3))
    scores = q @ k.mT
    s = scores.softmax(-1)
    out = s @ v
    relevance = out
    to_weights = s * ((relevance / out) @ v.mT) / 2
    to_values = v * (s.mT @ (relevance / out)) / 2
    to_scores = scores * (to_weights - s * to_weights.sum(-1, keepdim=True))
    ratio = to_scores / scores
    expected = (q * (ratio @ k) / 2, k * (ratio.mT @ q) / 2, to_values)
    net = _Function(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, scale=1.0).sum((1, 2)))
    torch.testing.assert_close(LRP(net).attribute((q, k, v)), expected)
    plain = _Function(lambda q, k, v: ((q @ k.transpose(1, 2)).softmax(-1) @ v).sum((1, 2)))
    torch.testing.assert_close(LRP(plain).attribute((q, k, v)), expected)


@pytest.mark.parametrize("masked", [False, True])
def test_attention_modules_are_seen_in_their_parts(masked: bool) -> None:
    attention = free_of_bias(nn.MultiheadAttention(8, 2, batch_first=True))
    mask = torch.ones(3, 3).triu(1).bool() if masked else None
    x = torch.randn(2, 3, 8).double()
    found = [
        LRP(
            _Function(lambda x, w=weights: attention(x, x, x, attn_mask=mask, need_weights=w)[0].sum((1, 2)))
        ).attribute(x)
        for weights in (False, True)
    ]
    torch.testing.assert_close(*found)
    model = _Function(lambda x: attention(x, x, x, attn_mask=mask)[0].sum((1, 2)))
    _, delta = LRP(model).attribute(x, composite="conservative-attention", return_convergence_delta=True)
    assert delta.abs().max() < 1e-4


def test_a_gate_is_a_constant_beside_its_signal() -> None:
    x = torch.randn(2, 3)
    gated = LRP(_Function(lambda x: (x * torch.sigmoid(x.flip(1))).sum(1))).attribute(x)
    torch.testing.assert_close(gated, x * torch.sigmoid(x.flip(1)))
    product = LRP(_Function(lambda a, b: (a * b).sum(1))).attribute((x, x + 1))
    torch.testing.assert_close(product[0], product[1])


def test_composites_choose_by_kind_and_place_and_modules_go_first(capsys: pytest.CaptureFixture[str]) -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.ReLU(), nn.Conv2d(2, 2, 2), nn.Flatten(), nn.LazyLinear(2)).eval()
    x = torch.randn(1, 1, 5, 5)
    net(x)
    LRP(net).attribute(x, 0, composite="epsilon-gamma-box", verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("(")[0].split()[-1] for line in lines] == ["BoxRule", "SignedGammaRule", "EpsilonRule"]
    assert lines[0].endswith("on conv2d in '0' (Conv2d)")
    net[2].rule = FlatRule()  # type: ignore[assignment]
    LRP(net).attribute(x, 0, composite=Composite(EpsilonRule(), EpsilonRule()), verbose=True)
    assert "Applied FlatRule() on conv2d in '2'" in capsys.readouterr().out


def test_a_composite_merges_batch_norms() -> None:
    conv, norm, last = nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Linear(27, 2)
    norm.running_mean.normal_(), norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    nn.init.normal_(norm.weight)
    merged = torch.nn.utils.fuse_conv_bn_eval(conv.eval(), norm.eval())
    x = torch.randn(2, 2, 4, 4).double()
    both = [nn.Sequential(*m, nn.ReLU(), nn.Flatten(), last).double().eval() for m in ([conv, norm], [merged])]
    for composite in COMPOSITES:
        found = [LRP(net).attribute(x, 1, composite=composite) for net in both]
        torch.testing.assert_close(*found, rtol=1e-5, atol=1e-7)


def test_bounds_of_the_box() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.LazyLinear(1)).double()
    x = torch.rand(2, 1, 3, 3).double()
    net(x)
    low, high = x.amin((1, 2, 3), keepdim=True), x.amax((1, 2, 3), keepdim=True)
    named = LRP(net).attribute(x, composite="epsilon-gamma-box")
    torch.testing.assert_close(named, LRP(net).attribute(x, composite=epsilon_gamma_box(low, high)))


def test_what_has_no_rule_is_named_with_all_others_before_anything_flows() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn, self.out = nn.LSTM(3, 3, batch_first=True), nn.Linear(3, 2)

        def forward(self, x: Tensor) -> Tensor:
            return torch.log_softmax(self.out(self.rnn(x)[0].sin().sum(1)), 1)

    with pytest.raises(AttributionError, match=r"sin in 'model' \(Odd\), log_softmax in"):
        LRP(Odd()).attribute(torch.randn(2, 4, 3), 0)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: Rectifier.apply(x).sum(1), "Rectifier"), (lambda x: (2**x).sum(1), "pow"),
        (lambda x: (2 / x).sum(1), "reciprocal"), (lambda x: torch.ops.aten.relu(x).sum(1), "relu"),
        (lambda x: x.exp_().sum(1), "exp_"), (lambda x: torch.div(2.0 * torch.ones(3), x).sum(1), "div"),
    ],
)  # fmt: skip
def test_whatever_hides_is_refused(function: Callable[[Tensor], Tensor], named: str) -> None:
    with pytest.raises(AttributionError, match=f"no rule for {named}"):
        LRP(_Function(function)).attribute(torch.rand(2, 3) + 1)


def test_wrong_rules_and_composites_are_refused() -> None:
    net = nn.Sequential(nn.Linear(2, 2))
    with pytest.raises(AttributionError, match=r"composite='zplus' is unknown\. Choose one of epsilon"):
        LRP(net).attribute(torch.ones(1, 2), 0, composite="zplus")
    with pytest.raises(AttributionError, match="α − β = 1"):
        AlphaBetaRule(2, 2)
    net[0].rule = "epsilon"  # type: ignore[assignment]
    with pytest.raises(AttributionError, match=r"0.rule is a str, not a PropagationRule"):
        LRP(net).attribute(torch.ones(1, 2), 0)


def test_a_value_overwritten_after_its_use_is_refused() -> None:
    w = torch.randn(2, 3, 1)

    def net(x: Tensor) -> Tensor:
        hidden = x * 1
        out = F.conv1d(hidden, w)
        hidden.mul_(0)
        return out.sum((1, 2))

    net_module = _Function(net)
    with pytest.raises((AttributionError, RuntimeError), match=r"in ?place"):
        LRP(net_module).attribute(torch.randn(1, 3, 4), composite="epsilon-plus")


def test_in_place_sums_and_reused_values() -> None:
    def net(x: Tensor) -> Tensor:
        a, b = x * 2, x * 3
        total = a + b
        a.relu_()
        total += a
        total[:, 0] = 0
        return total.sum(1)

    x = torch.tensor([[1.0, -1.0, 2.0]])
    torch.testing.assert_close(LRP(_Function(net)).attribute(x), torch.tensor([[0.0, -5.0, 14.0]]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("composite", [None, "epsilon-plus", "epsilon-gamma-box"])
def test_half_precision(dtype: torch.dtype, composite: str | None) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 2), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(27, 2)).eval()
    x = torch.rand(2, 1, 4, 4).to(dtype)
    exact = LRP(net).attribute(x.float(), 1, composite=composite)
    found = LRP(net.to(dtype)).attribute(x, 1, composite=composite)
    assert found.dtype == dtype
    assert (found.float() - exact).abs().max() < (0.1 if dtype == torch.bfloat16 else 0.02) * exact.abs().max()


def test_zeros_everywhere_are_finite() -> None:
    net = nn.Sequential(nn.Linear(3, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    for composite in (None, *COMPOSITES):
        found = LRP(net).attribute(torch.zeros(2, 3), 1, composite=composite)
        assert found.isfinite().all()


def test_masked_attention_is_finite() -> None:
    mask = torch.tensor([0.0, -torch.inf, 0.0])
    found = LRP(_Function(lambda x: ((x + mask).softmax(1) * x).sum(1))).attribute(torch.randn(2, 3))
    assert found.isfinite().all()


def test_token_embeddings_and_a_list_of_layers() -> None:
    class Words(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.out = nn.Embedding(9, 4), nn.Linear(4, 2, bias=False)

        def forward(self, ids: Tensor) -> Tensor:
            return self.out(self.embed(ids).mean(1))

    model, ids = Words(), torch.tensor([[1, 2, 3], [4, 5, 6]])
    (words, mean), deltas = LayerLRP(model, [model.embed, model.out]).attribute(ids, 1, return_convergence_delta=True)
    assert words.shape == (2, 3, 4) and mean.shape == (2, 2)
    torch.testing.assert_close(words.sum((1, 2)), model(ids)[:, 1].detach(), rtol=1e-4, atol=1e-5)
    assert max(delta.abs().max() for delta in deltas) < 1e-5


def test_training_mode_leaves_everything_as_it_was() -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.ReLU(), nn.Linear(6, 2)).double().train()
    x = torch.randn(5, 4).double()
    before, state = {k: v.clone() for k, v in net.state_dict().items()}, torch.get_rng_state()
    LRP(net).attribute(x, 0)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in net.modules())


def test_examples_are_independent_of_the_bound_on_the_batch() -> None:
    model = nn.Sequential(affine(4, 6), nn.ReLU(), affine(6, 5), nn.Tanh(), affine(5, 3))
    x = torch.randn(5, 4).double()
    expected = LRP(model).attribute(x, [0, 1, 2, 0, 1], composite="epsilon-gamma-box")
    with observe(max_batch=2):
        torch.testing.assert_close(LRP(model).attribute(x, [0, 1, 2, 0, 1], composite="epsilon-gamma-box"), expected)
    several = LRP(model).attribute(x, targets=[0, 1])
    torch.testing.assert_close(several[1], LRP(model).attribute(x, 1))


def test_constants_take_no_part_in_products() -> None:
    scale = nn.Parameter(torch.tensor([2.0, 3.0]))
    extra = torch.tensor([[1.0, 4.0]], requires_grad=True)
    x = torch.tensor([[1.0, -2.0]])
    found = LRP(_Function(lambda x, e: (x * (scale * 2) * e).sum(1))).attribute(x, additional_forward_args=extra)
    torch.testing.assert_close(found, torch.tensor([[4.0, -48.0]]))
