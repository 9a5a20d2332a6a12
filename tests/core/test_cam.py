"""Class activation maps: values that follow from the papers, and tokens put on their grid."""

from __future__ import annotations

import math
import warnings
from typing import Any

import captum.attr
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from attribution_core import (
    AttentionRollout,
    AttributionError,
    GuidedGradCam,
    LayerActivation,
    LayerCam,
    LayerGradCam,
    LayerGradCamPlusPlus,
    LayerScoreCam,
    observe,
)
from attribution_core.methods.layout import on_grid
from attribution_core.question.attention import Attentions

pytestmark = pytest.mark.filterwarnings("ignore:The model is in training mode")

torch.manual_seed(0)
IMAGES = torch.randn(2, 3, 32, 32)


class Pooled(nn.Module):
    """score = Σ_c w_c · mean of map c: the net for which class activation maps were made."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self.weights = torch.tensor(weights).double()

    def forward(self, x: Tensor) -> Tensor:
        return (self.maps(x).mean((2, 3)) * self.weights).sum(1, keepdim=True)


MAPS = torch.rand(2, 3, 4, 5).double()
WEIGHTS = [2.0, -1.0, 0.5]


def test_grad_cam_is_the_class_activation_map_of_a_pooled_net() -> None:
    net = Pooled(WEIGHTS)
    found = LayerGradCam(net, net.maps).attribute(MAPS, target=0)
    torch.testing.assert_close(found, (MAPS * net.weights.reshape(3, 1, 1)).sum(1, keepdim=True) / 20)


def test_grad_cam_plus_plus_of_a_pooled_net() -> None:
    """A constant gradient g = w/N gives α = 1 / (2 + g ΣA) at each of N positions, so weight N·relu(g) / (2 + g ΣA)."""
    net = Pooled(WEIGHTS)
    g = net.weights / 20
    weights = 20 * g.relu() / (2 + g * MAPS.sum((2, 3)))
    expected = (weights[:, :, None, None] * MAPS).sum(1, keepdim=True).relu()
    torch.testing.assert_close(LayerGradCamPlusPlus(net, net.maps).attribute(MAPS, target=0), expected)


def test_layer_cam_weights_each_position_by_its_positive_gradient() -> None:
    class Squares(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.maps = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            values = self.maps(x)
            return (values**3 / 3 - values / 4).sum((1, 2, 3))

    net = Squares()
    expected = ((MAPS.square() - 0.25).relu() * MAPS).sum(1, keepdim=True)
    torch.testing.assert_close(LayerCam(net, net.maps).attribute(MAPS), expected)


def test_score_cam_weights_maps_by_the_score_of_what_they_show() -> None:
    conv, images = nn.Conv2d(3, 4, 2, stride=2).double(), IMAGES[:, :, :6, :6].double()
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(36, 2).double())
    maps = net[:2](images)
    expected = torch.zeros(2, 1, 3, 3).double()
    for row in range(2):
        rises = []
        for channel in range(4):
            shown = F.interpolate(maps[row : row + 1, channel : channel + 1], (6, 6), mode="bilinear")
            spread = shown.max() - shown.min()
            shown = (shown - shown.min()) / spread if spread > 0 else torch.zeros_like(shown)
            rises.append((net(images[row : row + 1] * shown) - net(torch.zeros(1, 3, 6, 6).double()))[0, 1])
        weights = torch.stack(rises).softmax(0)
        expected[row, 0] = sum(w * m for w, m in zip(weights, maps[row], strict=True)).relu()
    for bound in (None, 3):
        with observe(max_batch=bound):
            found = LayerScoreCam(net, net[1]).attribute(images, target=1)
        torch.testing.assert_close(found, expected.detach())
    with pytest.raises(AttributionError, match="masks one input"):
        LayerScoreCam(lambda a, b: net(a), net[1]).attribute((images, images), target=1)


def test_score_cam_of_one_number_for_the_batch_weighs_maps_alike_in_all_examples() -> None:
    net = Pooled(WEIGHTS)

    class Whole(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return net(x).sum()

    found = LayerScoreCam(Whole(), net.maps).attribute(MAPS)
    low, high = MAPS.amin((2, 3), keepdim=True), MAPS.amax((2, 3), keepdim=True)
    masks = (MAPS - low) / (high - low)
    scores = torch.stack([net(MAPS * masks[:, channel : channel + 1]).sum() for channel in range(3)])
    weights = (scores - net(MAPS * 0).sum()).softmax(0)
    torch.testing.assert_close(found, (weights.reshape(3, 1, 1) * MAPS).sum(1, keepdim=True).relu().detach())


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("of_input", [False, True])
def test_guided_grad_cam_is_captums_and_the_product_of_its_parts(mode: str, of_input: bool) -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3))
    x = IMAGES[:, :, :8, :8].double()
    net.double()
    call: dict[str, Any] = {"target": [0, 2], "interpolate_mode": mode, "attribute_to_layer_input": of_input}
    ours = GuidedGradCam(net, net[2]).attribute(x, **call)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = captum.attr.GuidedGradCam(net, net[2]).attribute(x, **call)
    torch.testing.assert_close(ours, theirs.detach())
    (several,) = GuidedGradCam(net, net[2]).attribute((x,), **call)
    torch.testing.assert_close(several, ours)
    with pytest.raises(AttributionError, match="cannot be stretched"):
        GuidedGradCam(nn.Sequential(*net), net[4]).attribute(x, target=0)


def vision_transformer() -> nn.Module:
    return torchvision.models.VisionTransformer(
        image_size=32, patch_size=8, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=12, num_classes=3
    ).eval()


CAMS = [LayerGradCam, LayerGradCamPlusPlus, LayerCam, LayerScoreCam]


@pytest.mark.parametrize("method", CAMS)
def test_tokens_become_a_grid_without_the_class_token(method: Any) -> None:
    net = vision_transformer()
    layer = net.get_submodule("encoder.layers")[-1].ln_1
    assert LayerActivation(net, layer).attribute(IMAGES).shape == (2, 17, 8)
    assert method(net, layer).attribute(IMAGES, target=1).shape == (2, 1, 4, 4)


def test_grad_cam_of_tokens_by_hand() -> None:
    net = vision_transformer()
    layer = net.get_submodule("encoder.layers")[-1].ln_1
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    (slope,) = torch.autograd.grad(net(IMAGES)[:, 2].sum(), kept)
    handle.remove()
    weights = slope[:, 1:].mean(1, keepdim=True)
    expected = (weights * kept[0][:, 1:]).sum(2).reshape(2, 1, 4, 4)
    torch.testing.assert_close(LayerGradCam(net, layer).attribute(IMAGES, target=2), expected.detach())
    summed = LayerGradCam(net, layer).attribute(IMAGES, target=2, attr_dim_summation=False)
    assert summed.shape == (2, 8, 4, 4)


def test_channels_that_come_last_go_first() -> None:
    net = torchvision.models.SwinTransformer(
        patch_size=[4, 4], embed_dim=8, depths=[1, 1], num_heads=[1, 2], window_size=[4, 4], num_classes=3
    ).eval()
    layer = net.features[-1]
    assert LayerActivation(net, layer).attribute(IMAGES).shape == (2, 4, 4, 16)
    assert LayerGradCam(net, layer).attribute(IMAGES, target=0).shape == (2, 1, 4, 4)


@pytest.mark.parametrize(
    ("count", "size", "grid"),
    [(197, (224, 224), (14, 14)), (196, (224, 224), (14, 14)), (201, (224, 224), (14, 14)), (198, (224, 224), (14, 14)),
     (50, (224, 224), (7, 7)), (9, (32, 64), (2, 4)), (129, (128, 256), (8, 16)), (17, (32, 32), (4, 4))],
)  # fmt: skip
def test_grids(count: int, size: tuple[int, int], grid: tuple[int, int]) -> None:
    tokens = torch.arange(count).reshape(1, count, 1).expand(2, count, 3)
    found = on_grid(tokens, size)
    assert found.shape == (2, 3, *grid)
    assert found[0, 0].flatten().tolist() == list(range(count - math.prod(grid), count))


@pytest.mark.parametrize("count", [8, 3, 30, 1])
def test_no_grid_is_an_error_never_a_silent_strip(count: int) -> None:
    with pytest.raises(AttributionError, match="no grid of patches"):
        on_grid(torch.zeros(1, count, 5), (224, 224))


def test_text_tokens_become_one_row_of_weights() -> None:
    net = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 6), nn.Flatten(), nn.Linear(30, 2))
    found = LayerGradCam(net, net[1]).attribute(torch.tensor([[1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]), target=0)
    assert found.shape == (2, 1, 5)


class Attends(nn.Module):
    """Two layers of attention whose weights are given."""

    def __init__(self, weights: list[Tensor]) -> None:
        super().__init__()
        self.weights = weights

    def forward(self, x: Tensor) -> Tensor:
        for weight in self.weights:
            x = weight.log().expand(len(x), -1, -1, -1).softmax(-1).mean(1) @ x
        return x.sum((1, 2))


def test_rollout_of_two_known_layers() -> None:
    """Heads [[1,0],[0,1]] and [[0,1],[1,0]] mean ½ everywhere; with the residual each layer is [[¾,¼],[¼,¾]]."""
    heads = torch.stack([torch.eye(2), 1 - torch.eye(2)])
    net = Attends([heads.clamp(min=1e-30), heads.clamp(min=1e-30)])
    found = AttentionRollout(net).attribute(torch.randn(3, 2, 5))
    torch.testing.assert_close(found, torch.tensor([[10 / 16, 6 / 16]]).expand(3, 2))
    last = AttentionRollout(net).attribute(torch.randn(3, 2, 5), token=-1)
    torch.testing.assert_close(last, found.flip(1))
    torch.testing.assert_close(
        AttentionRollout(net).attribute(torch.randn(1, 2, 5), token=None), torch.full((1, 2), 0.5)
    )


def test_rollout_sees_attention_however_it_is_computed() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()
    net = nn.Sequential(nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Flatten(), nn.Linear(40, 2))
    x = torch.randn(3, 5, 8)
    found = AttentionRollout(net).attribute(x)
    rollout = torch.eye(5).expand(3, 5, 5)
    for block in net[0].layers:
        _, weights = block.self_attn(x, x, x, need_weights=True)
        rollout = (weights + torch.eye(5)) / 2 @ rollout
        x = block(x)
    torch.testing.assert_close(found, rollout[:, 0].detach(), rtol=1e-4, atol=1e-6)


def test_rollout_of_images_is_a_map_and_the_output_stays() -> None:
    net = vision_transformer()
    before = net(IMAGES)
    found = AttentionRollout(net).attribute(IMAGES)
    assert found.shape == (2, 1, 4, 4)
    assert (found > 0).all() and (found.sum((1, 2, 3)) < 1).all()
    assert torch.equal(net(IMAGES), before)


def test_rollout_refuses_what_has_no_such_attention() -> None:
    with pytest.raises(AttributionError, match="no self-attention"):
        AttentionRollout(nn.Linear(3, 2)).attribute(torch.randn(1, 3))
    with pytest.raises(AttributionError, match="token=17: the model has 17"):
        AttentionRollout(vision_transformer()).attribute(IMAGES, token=17)


class Attending(nn.Module):
    """Attention of some tokens over others, written by hand; `kind` says which."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        kind, keys = self.kind, x[:, ::2] if self.kind == "reduced" else x
        if kind == "windows":
            x = keys = x.reshape(-1, 2, x.shape[-1])
        scores = (x @ keys.transpose(1, 2))[:, None]
        if kind == "bound":
            return (scores * scores.softmax(-1)).sum((1, 2, 3))
        hidden = torch.ones(scores.shape[-2:]).triu(1).bool()
        causal = scores.masked_fill(hidden, -torch.inf) if kind in ("causal", "decoder") else scores
        summed = causal.softmax(-1) @ keys[:, None]
        if kind == "decoder":
            summed = scores.softmax(-1) @ summed
        return summed.flatten(1).sum(1).reshape(-1, 2 if kind == "windows" else 1).sum(1)


@pytest.mark.parametrize(("kind", "said"), [
    ("reduced", r"\(3, 1, 4, 2\): 4 tokens attend over 2 others"), ("windows", r"\(6, 1, 2, 2\) for 3 examples"),
    ("decoder", "Some attentions of the model are causal"), ("causal", "token=0: the model's attention is causal"),
    ("bound", "no self-attention"),
])  # fmt: skip
def test_rollout_refuses_attention_that_is_not_of_one_stack(kind: str, said: str) -> None:
    x = torch.randn(3, 4, 5)
    with pytest.raises(AttributionError, match=said):
        AttentionRollout(Attending(kind)).attribute(x)
    assert AttentionRollout(Attending("own")).attribute(x).shape == (3, 4)
    assert AttentionRollout(Attending("causal")).attribute(x, token=-1).shape == (3, 4)


def test_rollout_refuses_attention_over_another_sequence() -> None:
    net = nn.Transformer(8, 2, 1, 1, 8, batch_first=True).eval()

    class Both(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return net(x, x).sum((1, 2))

    with pytest.raises(AttributionError, match="from one sequence to another"):
        AttentionRollout(Both()).attribute(torch.randn(2, 3, 8))


def test_rollout_of_heads_that_lie_in_the_batch() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True).eval()

    class ByHand(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            q, k, v = F.linear(x, layer.self_attn.in_proj_weight, layer.self_attn.in_proj_bias).chunk(3, -1)
            q, k, v = (p.unflatten(-1, (2, 4)).transpose(1, 2).flatten(0, 1) for p in (q, k, v))
            return torch.bmm((q @ k.mT / 2).softmax(-1), v).unflatten(0, (-1, 2)).sum((1, 2, 3))

    class Module(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return layer.self_attn(x, x, x)[0].sum((1, 2))

    x = torch.randn(3, 5, 8)
    torch.testing.assert_close(AttentionRollout(ByHand()).attribute(x), AttentionRollout(Module()).attribute(x))


def test_grad_cam_plus_plus_warns_once_of_maps_of_both_signs() -> None:
    """α = g² / (2g² + g³ΣA) leaves [0, ½] where g ΣA is negative."""
    net = Pooled(WEIGHTS)
    signed = MAPS - torch.tensor([20.0, 0, 0]).reshape(3, 1, 1)
    said: list[str] = []
    with observe(warned=said.append):
        LayerGradCamPlusPlus(net, net.maps).attribute(MAPS, target=0)
        LayerCam(net, net.maps).attribute(signed, target=0)
        assert not [message for message in said if "Grad-CAM++" in message]
        LayerGradCamPlusPlus(net, [net.maps]).attribute(signed, targets=[0, 0])
    (only,) = [message for message in said if "Grad-CAM++" in message]
    assert "made for maps that are never negative" in only


@pytest.mark.parametrize("mask", [None, "causal", "boolean", "added", "grouped"])
def test_attention_weights_give_back_the_output(mask: str | None) -> None:
    q, k, v = (torch.randn(2, 4, 5, 3) for _ in range(3))
    hidden = torch.rand(2, 1, 5, 5) < 0.3
    hidden[..., 0] = False
    options: dict[str, Any] = {
        "causal": {"is_causal": True},
        "boolean": {"attn_mask": ~hidden},
        "added": {"attn_mask": hidden * -5.0, "scale": 0.3},
        "grouped": {"enable_gqa": True},
    }.get(mask or "", {})
    if mask == "grouped":
        k, v = k[:, :2], v[:, :2]
    with Attentions().recorded(()) as weights:
        output = F.scaled_dot_product_attention(q, k, v, **options)
    (found,) = weights()
    values = v.repeat_interleave(2, 1) if mask == "grouped" else v
    torch.testing.assert_close(found @ values, output, rtol=1e-4, atol=1e-5)


def test_layer_cam_shows_only_what_speaks_for_the_score() -> None:
    """Where a layer's values are negative, so would be their weighted sum."""
    net = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False), nn.Flatten(), nn.Linear(8, 1))
    for weights in net.parameters():
        nn.init.constant_(weights, 0.5)
    x = torch.tensor([[[[-1.0, 2.0], [3.0, -4.0]]]])
    found = LayerCam(net, net[0]).attribute(x)
    torch.testing.assert_close(found, torch.tensor([[[[0.0, 1.0], [1.5, 0.0]]]]))
