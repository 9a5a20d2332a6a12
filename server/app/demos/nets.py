"""The small convolutional nets of the demos, and their weights as safetensors files."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from app.demos.extra import extra
from app.errors import InsightsError


def conv_net(channels: int, size: int, widths: tuple[int, ...], hidden: int, classes: int) -> nn.Sequential:
    """A plain net: one 3×3 convolution, ReLU and halving max-pool per width, then two linear layers.

    Takes (B, channels, size, size), gives logits (B, classes). Every ReLU is a module of its own, as the
    attribution rules that replace a module's backward pass need.
    """
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for place, (before, width) in enumerate(zip((channels, *widths), widths, strict=False), start=1):
        layers[f"conv{place}"] = nn.Conv2d(before, width, kernel_size=3, padding=1)
        layers[f"relu{place}"] = nn.ReLU()
        layers[f"pool{place}"] = nn.MaxPool2d(2)
    side = size // 2 ** len(widths)
    layers["flatten"] = nn.Flatten()
    layers["hidden"] = nn.Linear(widths[-1] * side * side, hidden)
    layers["relu"] = nn.ReLU()
    layers["output"] = nn.Linear(hidden, classes)
    return nn.Sequential(layers)


def load(net: nn.Module, path: Path) -> nn.Module:
    """Fill a net with the weights of a safetensors file, and put it in eval mode."""
    safetensors = extra("safetensors.torch")
    try:
        net.load_state_dict(safetensors.load_file(path))
    except (extra("safetensors").SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InsightsError(
            f"{path} does not hold the weights of this demo's net: {reason}",
            hint="delete the file to have it made again",
        ) from None
    return net.eval()


def save(net: nn.Module, path: Path, made_by: str) -> None:
    """Write a net's weights as a safetensors file that says what made it; never leaves half a file."""
    data: bytes = extra("safetensors.torch").save(net.state_dict(), metadata={"made_by": made_by})
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_bytes(data)
    unfinished.replace(path)


@torch.no_grad()
def accuracy(net: nn.Module, images: Tensor, labels: Tensor) -> float:
    """The share of images (N, C, H, W) whose largest output is at their label (N)."""
    device = next(net.parameters()).device
    chunks = zip(torch.split(images, 500), torch.split(labels, 500), strict=True)
    hits = sum(int((net(some.to(device)).argmax(1).cpu() == truth).sum()) for some, truth in chunks)
    return hits / len(labels)
