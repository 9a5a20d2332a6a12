"""Handwritten digits: scikit-learn's 1,797 images and a net whose weights ship with the package."""

from __future__ import annotations

from argparse import Namespace
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from app.demos.baselines import black
from app.demos.demo import Workspace
from app.demos.extra import extra
from app.demos.nets import conv_net, load
from app.features import ImageFeature
from app.paths import WEIGHTS

WEIGHTS_FILE = WEIGHTS / "digits.safetensors"
TRAINED_ON = 898
SIZE = 32


def images_and_labels() -> tuple[Tensor, Tensor]:
    """All digits as images (1797, 1, 32, 32) in [0, 1], enlarged from 8×8 bicubically, and their labels (1797)."""
    digits = extra("sklearn.datasets").load_digits()
    small = torch.from_numpy(digits.images).float()[:, None] / 16
    return F.interpolate(small, size=SIZE, mode="bicubic").clamp(0, 1), torch.from_numpy(digits.target).long()


def training_part() -> tuple[Tensor, Tensor]:
    """The first 898 digits; the data keeps the digits of a writer together, so the rest are mostly other hands."""
    images, labels = images_and_labels()
    return images[:TRAINED_ON], labels[:TRAINED_ON]


def held_out_part() -> tuple[Tensor, Tensor]:
    """The last 899 digits, which the net has never seen."""
    images, labels = images_and_labels()
    return images[TRAINED_ON:], labels[TRAINED_ON:]


def untrained() -> nn.Module:
    """The net: 12,122 parameters, images (B, 1, 32, 32) in [0, 1] to logits (B, 10)."""
    return conv_net(channels=1, size=SIZE, widths=(8, 16, 16), hidden=32, classes=10)


def build(options: Namespace) -> Workspace:
    """The held-out digits, the net's mistakes first."""
    return {
        "models": [load(untrained(), WEIGHTS_FILE).to(options.device)],
        "model_names": ["Digits net"],
        "classes": [str(digit) for digit in range(10)],
        "features": [ImageFeature("Digit", baseline_transforms=[black], input_transforms=[])],
        "dataset": TensorDataset(*held_out_part()),
        "score_func": partial(F.softmax, dim=1),
        "use_label_for_attr": True,
        "title": "Handwritten digits",
        "default_order": "mistakes",
    }
