"""Fashion-MNIST: torchvision's 10,000 test images and a net whose weights ship with the package."""

from __future__ import annotations

from argparse import Namespace
from functools import partial
from pathlib import Path

import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import FashionMNIST
from torchvision.transforms.functional import to_tensor

from app.demos.baselines import black
from app.demos.demo import Workspace
from app.demos.nets import conv_net, load
from app.demos.torchvision_data import fetched
from app.features import ImageFeature
from app.paths import WEIGHTS

WEIGHTS_FILE = WEIGHTS / "fashion_mnist.safetensors"


def data(root: Path, train: bool) -> FashionMNIST:
    """Images (1, 28, 28) in [0, 1] with their labels; downloaded into `root` where they are missing."""
    return fetched(
        lambda: FashionMNIST(root, train=train, transform=to_tensor, download=True),
        "Fashion-MNIST",
        "put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz and "
        "t10k-labels-idx1-ubyte.gz from https://github.com/zalandoresearch/fashion-mnist into "
        f"{root / 'FashionMNIST' / 'raw'}",
    )


def images_and_labels(root: Path, train: bool) -> tuple[Tensor, Tensor]:
    """All images (N, 1, 28, 28) in [0, 1] and labels (N) at once."""
    part = data(root, train)
    return part.data[:, None].float() / 255, part.targets


def untrained() -> nn.Module:
    """The net: 60,874 parameters, images (B, 1, 28, 28) in [0, 1] to logits (B, 10)."""
    return conv_net(channels=1, size=28, widths=(16, 32, 64), hidden=64, classes=10)


def build(options: Namespace) -> Workspace:
    """The test images, the net's mistakes first."""
    images = data(options.data_root, train=False)
    return {
        "models": [load(untrained(), WEIGHTS_FILE).to(options.device)],
        "model_names": ["Fashion net"],
        "classes": list(images.classes),
        "features": [ImageFeature("Garment", baseline_transforms=[black], input_transforms=[])],
        "dataset": images,
        "score_func": partial(F.softmax, dim=1),
        "use_label_for_attr": True,
        "title": "Fashion-MNIST",
        "default_order": "mistakes",
    }
