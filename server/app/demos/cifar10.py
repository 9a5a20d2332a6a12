"""CIFAR-10: torchvision's 10,000 test images and a net that is trained on the first start."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn
from torchvision.datasets import CIFAR10
from torchvision.transforms.functional import normalize, to_tensor

from app.demos.baselines import black_before
from app.demos.blur import blurred
from app.demos.demo import Workspace
from app.demos.nets import conv_net, load, save
from app.demos.torchvision_data import fetched
from app.demos.training import fit, jitter, seeded
from app.features import ImageFeature

SECONDS = 50


def data(root: Path, train: bool) -> CIFAR10:
    """Images (3, 32, 32) in [0, 1] with their labels; downloaded into `root` where they are missing."""
    return fetched(
        lambda: CIFAR10(root, train=train, transform=to_tensor, download=True),
        "CIFAR-10",
        f"put cifar-10-python.tar.gz from https://www.cs.toronto.edu/~kriz/cifar.html into {root}",
    )


def normalise(images: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], as the net was trained."""
    normal: Tensor = normalize(images, [0.5] * 3, [0.5] * 3)
    return normal


def untrained() -> nn.Module:
    """The net: 122,954 parameters, normalised images (B, 3, 32, 32) to logits (B, 10)."""
    return conv_net(channels=3, size=32, widths=(16, 32, 64), hidden=96, classes=10)


def trained(root: Path, device: torch.device) -> nn.Module:
    """The net with the weights kept beside the data; trained now, in under a minute, where there are none."""
    path = root / "cifar10-net.safetensors"
    if path.exists():
        return load(untrained(), path).to(device)
    part = data(root, train=True)
    images, labels = torch.from_numpy(part.data).permute(0, 3, 1, 2), torch.tensor(part.targets)
    net = fit(seeded(untrained, 0).to(device), images, labels, epochs=20, seconds=SECONDS, prepare=_prepare)
    save(net.cpu(), path, f"python -m app.example cifar10, torch {torch.__version__}")
    return net.to(device)


def _prepare(images: Tensor, generator: Generator) -> Tensor:
    changed = normalise(jitter(images.float() / 255, generator, shift=0.06, flip=True))
    return changed.contiguous(memory_format=torch.channels_last)  # convolutions on a CPU are half again as fast


def build(options: Namespace) -> Workspace:
    """The test images, the net's mistakes first."""
    images = data(options.data_root, train=False)
    return {
        "models": [trained(options.data_root, options.device)],
        "model_names": ["CIFAR-10 net"],
        "classes": list(images.classes),
        "features": [
            ImageFeature("Photo", baseline_transforms=[black_before(normalise), blurred], input_transforms=[normalise])
        ],
        "dataset": images,
        "score_func": partial(F.softmax, dim=1),
        "use_label_for_attr": True,
        "title": "CIFAR-10",
        "default_order": "mistakes",
    }
