"""DeepLIFT through products and what is made of them: complete, or refused by name."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import captum.attr
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import orthogonal
from torchvision import models
from torchvision.models.convnext import CNBlockConfig

from attribution_core import AttributionError, DeepLift

from .nets import Rectifier

torch.manual_seed(0)
RECURRENT = {
    "lstm": nn.LSTM(6, 3, 2, bidirectional=True, batch_first=True, proj_size=2),
    "gru": nn.GRU(6, 3, 2, batch_first=True), "rnn": nn.RNN(6, 3, nonlinearity="relu", bias=False, batch_first=True),
}  # fmt: skip
ENCODER = nn.TransformerEncoderLayer(6, 2, 8, batch_first=True).eval()
ATTENTION = nn.MultiheadAttention(6, 2, batch_first=True).eval()
MASK = torch.ones(4, 4).triu(1).bool()
ORTHOGONAL = orthogonal(nn.Linear(6, 6))
PARTS: dict[str, Callable[[Tensor], Tensor]] = {
    "product": lambda x: x * x.sin(), "square": lambda x: x * x, "in place": lambda x: (x + 0).mul_(x.cos()),
    "gate": lambda x: x * torch.sigmoid(x.flip(1)), "broadcast": lambda x: x * x.mean((1, 2), keepdim=True).tanh(),
    "matmul": lambda x: x @ x.mT, "bmm": lambda x: torch.bmm(x, x.transpose(1, 2)),
    "einsum": lambda x: torch.einsum("bij,bkj->bik", x, x.sin()), "own weights": lambda x: F.linear(x[0], x[0])[None],
    "baddbmm": lambda x: torch.baddbmm(x[:, :, :4], x, x.mT, beta=2), "glu": nn.GLU(),
    "addcmul": lambda x: torch.addcmul(x, x.sin(), x.cos(), value=0.5),
    "quotient": lambda x: x / (1 + x.flip(1).square()), "number over": lambda x: 2 / (x.square() + 1),
    "quotient in place": lambda x: x.clone().div_(x.square() + 1), "power": lambda x: 2**x,
    "layer norm": nn.LayerNorm(6), "group norm": nn.GroupNorm(2, 4), "instance norm": nn.InstanceNorm1d(4),
    "rms norm": nn.RMSNorm(6), "normalize": lambda x: F.normalize(x, dim=-1), "norm": lambda x: x.norm(dim=-1),
    "1-norm": lambda x: torch.linalg.vector_norm(x, 1, dim=-1), "deviation": lambda x: x.std(1),
    "variance": lambda x: x.var((1, 2), correction=0)[:, None],
    "cosine": lambda x: F.cosine_similarity(x, x.flip(1), -1),
    "maximum": lambda x: torch.maximum(x, x.flip(1)), "minimum": lambda x: torch.min(x, x.flip(1)),
    "max of two": lambda x: torch.max(x, x.flip(1)), "least": lambda x: x.min(1).values, "amin": lambda x: x.amin(1),
    "amin of some": lambda x: x.amin((1, 2))[:, None],
    "global max": lambda x: x.amax((1, 2))[:, None], "kept": lambda x: x.amax((1, 2), keepdim=True),
    "logsumexp": lambda x: x.logsumexp(1), "steps": lambda x: (3 * x).round(),
    "constant weights": lambda x: ORTHOGONAL(x).relu(), "buffer": lambda x: x * torch.arange(6.0).double(),
    "attention": lambda x: F.scaled_dot_product_attention(x, x.sin(), x.cos(), is_causal=True),
    "attention mask": lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=MASK.double()),
    "attention module": lambda x: ATTENTION(x, x, x, attn_mask=MASK)[0],
    "attention without weights": lambda x: ATTENTION(x, x.flip(1), x, need_weights=False)[0],
    "transformer": ENCODER,
} | {name: lambda x, m=module: m(x)[0] for name, module in RECURRENT.items()}  # fmt: skip


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_complete(name: str) -> None:
    torch.manual_seed(1)
    for module in (ENCODER, ATTENTION, ORTHOGONAL, *RECURRENT.values()):
        module.double()
    part = PARTS[name].double() if isinstance(PARTS[name], nn.Module) else PARTS[name]  # type: ignore[union-attr]
    rows = 1 if name == "own weights" else 3

    def net(x: Tensor) -> Tensor:
        return part(x.tanh() * 2).flatten(1).sin().sum(1)

    x, b = torch.randn(rows, 4, 6).double(), torch.randn(rows, 4, 6).double()
    x[-1, 0] = b[-1, 0]
    found, delta = DeepLift(net).attribute(x, b, return_convergence_delta=True)
    assert delta.abs().max() < 1e-12
    torch.testing.assert_close(found.flatten(1).sum(1), net(x).detach() - net(b).detach())
    torch.testing.assert_close(found[-1:], DeepLift(net).attribute(x[-1:], b[-1:]))
    assert DeepLift(net).attribute(x, x).abs().max() == 0


def test_a_product_is_divided_by_mean_values() -> None:
    u, v, a, b = (torch.randn(2, 3).double() for _ in range(4))
    found = DeepLift(lambda u, v: (u * v).sum(1)).attribute((u, v), (a, b))
    torch.testing.assert_close(found, ((v + b) / 2 * (u - a), (u + a) / 2 * (v - b)))


SWIN = {"patch_size": [2, 2], "embed_dim": 8, "depths": [1, 1], "num_heads": [2, 4], "window_size": [4, 4]}
FAMILIES: dict[str, Callable[[], nn.Module]] = {
    "vit": lambda: models.VisionTransformer(16, 8, 2, 2, 8, 16, num_classes=3),
    "swin": lambda: models.SwinTransformer(**SWIN, num_classes=3),
    "convnext": lambda: models.ConvNeXt([CNBlockConfig(8, 8, 1), CNBlockConfig(8, None, 1)], num_classes=3),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_vision_transformers_are_complete(name: str) -> None:
    torch.manual_seed(0)
    model = FAMILIES[name]().eval()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    x, b = torch.randn(2, 3, 16, 16), torch.randn(2, 3, 16, 16)
    found, delta = DeepLift(model).attribute(x, b, target=1, return_convergence_delta=True)
    assert found.isfinite().all()
    assert delta.abs().max() < 1e-4 * found.abs().sum()
    single = DeepLift(model.double()).attribute(x.double(), b.double(), target=1, return_convergence_delta=True)[1]
    assert single.abs().max() < 1e-10


def test_layer_norm_where_captum_is_incomplete() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.ReLU(), nn.Linear(5, 2)).double()
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.attr.DeepLift(net).attribute(x, b, target=0, return_convergence_delta=True)[1]
    assert theirs.abs().max() > 1e-3
    assert DeepLift(net).attribute(x, b, target=0, return_convergence_delta=True)[1].abs().max() < 1e-12


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda x: x.sort(1).values, "sort"), (lambda x: x.prod(1), "prod"), (lambda x: torch.cdist(x, x), "cdist"),
        (lambda x: Rectifier.apply(x - 0.5) * 2, "Rectifier"), (torch.ops.aten.relu, "relu"),
        (lambda x: torch.pow(x.abs(), x), "pow"), (lambda x: torch.einsum("bij,bij,bij->bi", x, x, x), "einsum"),
    ],
)  # fmt: skip
def test_an_unlisted_operation_never_passes_for_linear(function: Callable[[Tensor], Tensor], named: str) -> None:
    with pytest.raises(AttributionError, match=f"DeepLIFT has no rule for {named}"):
        DeepLift(lambda x: function(x).flatten(1).sum(1)).attribute(torch.rand(2, 3, 3))


class Doubled(torch.autograd.Function):
    """Twice its input."""

    @staticmethod
    def forward(_: object, x: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * x

    @staticmethod
    def backward(_: object, gradient: Tensor) -> Tensor:  # type: ignore[override]
        return 2 * gradient


class Rounded(Doubled):
    """Steps, with a gradient of 1: a straight-through estimator."""

    @staticmethod
    def forward(_: object, x: Tensor) -> Tensor:  # type: ignore[override]
        return x.round()


def test_an_autograd_function_that_is_linear_needs_no_rule() -> None:
    first, x, b = nn.Linear(4, 3).double(), torch.randn(3, 4).double(), torch.randn(3, 4).double()
    expected = DeepLift(lambda x: (2 * first(x)).tanh()).attribute(x, b, target=1)
    found = DeepLift(lambda x: Doubled.apply(first(x)).tanh()).attribute(x, b, target=1)
    torch.testing.assert_close(found, expected)
    with pytest.raises(AttributionError, match="DeepLIFT has no rule for Rounded"):
        DeepLift(lambda x: Rounded.apply(first(x))).attribute(x, b, target=1)


FREQUENCIES = torch.linspace(1, 0, 4).double()
TRANSFORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "filter": lambda x: torch.fft.irfft(torch.fft.rfft(x) * FREQUENCIES, n=6), "part": lambda x: torch.fft.fft2(x).imag,
    "amplitudes": lambda x: torch.fft.rfftn(x, dim=(1, 2)).abs(), "shift": lambda x: torch.fft.fftshift(x, 2).sin(),
    "spectrogram": lambda x: torch.stft(x[:, 0], 4, window=torch.ones(4).double(), return_complex=True).abs(),
    "rotation": lambda x: torch.view_as_real(torch.view_as_complex(x.view(-1, 4, 3, 2)) * torch.tensor(1 + 2j)),
    "trapezoid": lambda x: torch.trapezoid(x.exp(), dx=0.1), "area": lambda x: torch.cumulative_trapezoid(x.square()),
}  # fmt: skip


@pytest.mark.parametrize("name", TRANSFORMS)
def test_transforms_are_linear(name: str) -> None:
    def net(x: Tensor) -> Tensor:
        return TRANSFORMS[name](x).flatten(1).tanh().sum(1)

    x, b = torch.randn(3, 4, 6).double(), torch.randn(3, 4, 6).double()
    assert DeepLift(net).attribute(x, b, return_convergence_delta=True)[1].abs().max() < 1e-12


def test_a_product_of_complex_values_is_refused() -> None:
    def power(x: Tensor) -> Tensor:
        amplitudes = torch.fft.rfft(x)
        return (amplitudes * amplitudes.conj()).real.sum(1)

    with pytest.raises(AttributionError, match="DeepLIFT has no rule for mul"):
        DeepLift(power).attribute(torch.randn(2, 4))


def test_operations_on_constants_need_no_rule() -> None:
    w = torch.rand(3, 3)
    net = nn.Linear(3, 3)

    def model(x: Tensor) -> Tensor:
        order = torch.cdist(w, w).sort(1).values.prod(1) + net.weight.prod() + torch.linalg.det(net.weight)
        return (x * order).sum(1)

    _, delta = DeepLift(model).attribute(torch.rand(2, 3), return_convergence_delta=True)
    assert delta.abs().max() < 1e-6


def test_a_score_may_be_nonlinear() -> None:
    x, b = torch.randn(3, 4).double(), torch.randn(3, 4).double()
    method = DeepLift(nn.Linear(4, 3).double())
    _, delta = method.attribute(x, b, target=lambda o: o.softmax(1)[:, 0] * o[:, 1], return_convergence_delta=True)
    assert delta.abs().max() < 1e-12
    several = method.attribute(x, b, targets=[lambda o: o.exp().sum(1), 1])
    torch.testing.assert_close(several[0], method.attribute(x, b, target=lambda o: o.exp().sum(1)))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 6), nn.GLU(), nn.Linear(3, 2))
    x, b = torch.randn(3, 6).to(dtype), torch.randn(3, 6).to(dtype)
    exact = DeepLift(net).attribute(x.float(), b.float(), target=0)
    found = DeepLift(net.to(dtype)).attribute(x, b, target=0)
    assert (found.float() - exact).abs().max() < (0.1 if dtype == torch.bfloat16 else 0.02) * exact.abs().max()


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_written_out_are_the_same(name: str) -> None:
    module, x = RECURRENT[name].double(), torch.randn(3, 4, 6).double()
    expected = module(x)[0].flatten(1).sum(1) - module(x * 0.5)[0].flatten(1).sum(1)
    found = DeepLift(lambda x: module(x)[0].flatten(1).sum(1)).attribute(x, x * 0.5)
    torch.testing.assert_close(found.sum((1, 2)), expected.detach())


@pytest.mark.parametrize("name", RECURRENT)
def test_packed_sequences_are_refused_by_name(name: str) -> None:
    module = RECURRENT[name].double()

    def net(x: Tensor) -> Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([4, 3]), batch_first=True)
        return module(packed)[0].data.sum()[None].expand(2)  # type: ignore[no-any-return]

    with pytest.raises(AttributionError, match=r"DeepLIFT has no rule for _pack_padded_sequence, (lstm|gru|rnn)"):
        DeepLift(net).attribute(torch.randn(2, 4, 6).double())
