"""Your own net and data in the dashboard: `python examples/own_model.py`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from app import AttributionVisualizer, Batch
from app.features import ImageFeature

digits = load_digits()
images, labels = torch.tensor(digits.images).float()[:, None] / 16, torch.tensor(digits.target).long()
TRAINED_ON = 898


def normalize(images: Tensor) -> Tensor:
    return (images - 0.3) / 0.4


def trained_net(steps: int = 150) -> nn.Module:
    net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 8 * 8, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
    for _ in range(steps):
        loss = nn.functional.cross_entropy(net(normalize(images[:TRAINED_ON])), labels[:TRAINED_ON])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return net.eval()


def batches(size: int = 32) -> Iterator[Batch]:
    for start in range(TRAINED_ON, len(images), size):
        yield Batch(inputs=images[start : start + size], labels=labels[start : start + size])


def black(image: Tensor) -> Tensor:
    return normalize(torch.zeros_like(image))


def visualizer() -> AttributionVisualizer:
    return AttributionVisualizer(
        models=[trained_net()],
        score_func=lambda output: output.softmax(dim=1),
        classes=[str(digit) for digit in range(10)],
        features=[ImageFeature("Digit", baseline_transforms=[black], input_transforms=[normalize])],
        dataset=batches(),
    )


if __name__ == "__main__":
    visualizer().serve(blocking=True)
