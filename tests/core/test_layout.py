"""Where the maps of a layer lie is proven by its modules and by shapes, said by the caller, or asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attribution_core import (
    AttributionError,
    GuidedGradCam,
    LayerCam,
    LayerGradCam,
    LayerGradCamPlusPlus,
    LayerScoreCam,
    observe,
)

torch.manual_seed(0)


class Function(nn.Module):
    """A function of its parts and the input."""

    def __init__(self, function: Callable[[Any, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            self.add_module(name, part)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self, x)


def cam(net: nn.Module, layer: nn.Module, x: Tensor, channels: int = 1) -> Tensor:
    """Grad-CAM as the paper has it, of a layer whose channels are there."""
    kept: list[Tensor] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    (slope,) = torch.autograd.grad(net(x)[:, 1].sum(), kept)
    handle.remove()
    value, slope = kept[0].movedim(channels, 1), slope.movedim(channels, 1)
    return (value * slope.mean(tuple(range(2, slope.dim())), keepdim=True)).sum(1, keepdim=True).detach()


def words(filters: int, padding: int) -> Function:
    """A net of convolutions over 32 words."""
    parts = {"embed": nn.Embedding(50, 16), "conv": nn.Conv1d(16, filters, 3, padding=padding), "relu": nn.ReLU()}
    return Function(
        lambda net, ids: net.last(net.relu(net.conv(net.embed(ids).transpose(1, 2))).amax(2)),
        **parts, last=nn.Linear(filters, 3),
    )  # fmt: skip


IDS = torch.randint(0, 50, (2, 32))


@pytest.mark.parametrize("padding", [0, 1])
@pytest.mark.parametrize("filters", [32, 20])
def test_convolutions_over_words(filters: int, padding: int) -> None:
    net = words(filters, padding)
    torch.testing.assert_close(LayerGradCam(net, net.conv).attribute(IDS, target=1), cam(net, net.conv, IDS))
    if filters == 20:
        torch.testing.assert_close(LayerGradCam(net, net.relu).attribute(IDS, target=1), cam(net, net.relu, IDS))
        return
    with pytest.raises(
        AttributionError, match=r"'tokens' \(B, tokens, channels\) or as 'channels_first' .* by layout="
    ):
        LayerGradCam(net, net.relu).attribute(IDS, target=1)
    for layout, channels in (("channels_first", 1), ("channels_last", 2)) + ((("tokens", 2),) if padding else ()):
        found = LayerGradCam(net, net.relu).attribute(IDS, target=1, layout=layout)
        torch.testing.assert_close(found, cam(net, net.relu, IDS, channels))


def pictures(conv: nn.Conv2d, *after: nn.Module) -> Function:
    parts = nn.Sequential(*after)
    return Function(
        lambda net, x: net.last(net.after(net.relu(net.conv(x))).flatten(1)),
        conv=conv, relu=nn.ReLU(), after=parts, last=nn.LazyLinear(3),
    )  # fmt: skip


def test_maps_of_pictures_that_can_be_read_in_two_ways() -> None:
    flat = pictures(nn.Conv2d(3, 16, 4, 4), nn.Flatten(2), nn.Conv1d(16, 16, 3, padding=1), nn.ReLU())
    sound = pictures(nn.Conv2d(3, 16, (2, 4), (2, 4)))
    square = pictures(nn.Conv2d(3, 8, 4, 4))
    x = torch.randn(2, 3, 32, 32)
    for net, layer in ((flat, flat.after[1]), (sound, sound.conv), (square, square.conv), (flat, flat.conv)):
        net(x)
        torch.testing.assert_close(LayerGradCam(net, layer).attribute(x, target=1), cam(net, layer, x))
    for net, layer in ((flat, flat.after[2]), (sound, sound.relu), (square, square.relu)):
        with pytest.raises(AttributionError, match="Say which by layout="):
            LayerGradCam(net, layer).attribute(x, target=1)
        found = LayerGradCam(net, layer).attribute(x, target=1, layout="channels_first")
        torch.testing.assert_close(found, cam(net, layer, x))
    torch.testing.assert_close(
        LayerGradCam(flat, flat.relu).attribute(x, target=1), cam(flat, flat.relu, x)
    )  # 16 maps of 8×8 can be read in one way only


class Patches(nn.Module):
    """A transformer over the patches of a picture, with other tokens before and after them."""

    def __init__(self, batch_first: bool = True, before: int = 0, after: int = 0) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.patch = nn.Conv2d(3, 16, 8, 8)
        self.layer, self.following = (nn.TransformerEncoderLayer(16, 2, 8, 0.0, batch_first=batch_first)
                                      for _ in range(2))  # fmt: skip
        self.last, self.batch_first = nn.Linear(16, 3), batch_first
        self.before, self.after = nn.Parameter(torch.randn(1, before, 16)), nn.Parameter(torch.randn(1, after, 16))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        patches = self.patch(x).flatten(2).transpose(1, 2)
        ends = [part.expand(len(x), -1, -1) for part in (self.before, self.after)]
        if self.before.shape[1] + self.after.shape[1]:
            patches = torch.cat([ends[0], torch.cat([patches, ends[1]], 1)], 1)
        tokens = patches if self.batch_first else patches.transpose(0, 1)
        return self.last(self.following(self.layer(tokens)).mean(int(self.batch_first)))


@pytest.mark.parametrize("method", [LayerGradCam, LayerCam, LayerScoreCam])
@pytest.mark.parametrize("batch", [1, 4])
def test_tokens_first_are_as_tokens_of_each_example(method: Any, batch: int) -> None:
    x, one, other = torch.randn(batch, 3, 32, 32), Patches(), Patches(False)
    expected = method(one, one.layer).attribute(x, target=1)
    assert expected.shape == (batch, 1, 4, 4)
    torch.testing.assert_close(method(other, other.layer).attribute(x, target=1), expected)


def test_as_many_examples_as_tokens() -> None:
    x, one, other = torch.randn(16, 3, 32, 32), Patches(), Patches(False)
    expected = LayerGradCam(one, one.layer).attribute(x, target=1)
    torch.testing.assert_close(LayerGradCam(other, other.layer).attribute(x, target=1), expected)
    for net, layout in ((one, "tokens"), (other, "tokens_first")):
        with pytest.raises(AttributionError, match=r"'tokens' .* or as 'tokens_first'"):
            LayerGradCam(net, net.layer.norm2).attribute(x, target=1)
        torch.testing.assert_close(LayerGradCam(net, net.layer.norm2).attribute(x, target=1, layout=layout), expected)


@pytest.mark.parametrize(("before", "after"), [(1, 0), (0, 1), (1, 1), (4, 0), (7, 0), (9, 0), (1, 4), (0, 9)])
@pytest.mark.parametrize("side", [32, 24])
def test_tokens_that_are_no_patches_are_dropped_wherever_they_are(side: int, before: int, after: int) -> None:
    net, x, grid = Patches(True, before, after), torch.randn(2, 3, side, side), side // 8
    if max(before, after) == grid * grid:
        with pytest.raises(AttributionError, match="are no maps, and no tokens"):
            LayerGradCam(net, net.layer).attribute(x, target=1)
        return
    found = LayerGradCam(net, net.layer).attribute(x, target=1, attr_dim_summation=False)
    assert found.shape == (2, 16, grid, grid)
    kept: list[Tensor] = []
    handle = net.layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    (slope,) = torch.autograd.grad(net(x)[:, 1].sum(), kept)
    handle.remove()
    value, slope = (part[:, before : before + grid * grid] for part in (kept[0], slope))
    expected = (value * slope.mean(1, keepdim=True)).transpose(1, 2).reshape(2, 16, grid, grid)
    torch.testing.assert_close(found, expected.detach())


def test_windows_and_unknown_layouts_are_refused() -> None:
    net = Function(
        lambda net, x: net.last(net.norm(net.conv(x).unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(
            -1, 16, 8)).reshape(len(x), -1)),
        conv=nn.Conv2d(3, 8, 4, 4), norm=nn.LayerNorm(8), last=nn.Linear(512, 3),
    )  # fmt: skip
    x = torch.randn(2, 3, 32, 32)
    with pytest.raises(AttributionError, match=r"shape \(8, 16, 8\) are no maps, and no tokens"):
        LayerGradCam(net, net.norm).attribute(x, target=1)
    for method in (LayerGradCam, LayerGradCamPlusPlus, LayerCam, LayerScoreCam, GuidedGradCam):
        with pytest.raises(AttributionError, match=r"layout='NHWC' is unknown\. Choose one of 'channels_first'"):
            method(net, net.conv).attribute(x, target=1, layout="NHWC")
        with observe(warned=lambda _: None):
            assert method(net, net.conv).attribute(x, target=1, layout="channels_first").shape[0] == 2
    with pytest.raises(AttributionError, match=r"layout='tokens' is for values \(B, tokens, channels\)"):
        LayerGradCam(net, net.conv).attribute(x, target=1, layout="tokens")
