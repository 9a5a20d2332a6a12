"""Small real workspaces: a net, data and the app over them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app import AttributionVisualizer, Batch
from app.data.features import ImageFeature

from ..waiting import wait_until

Make = Callable[..., AttributionVisualizer]


class Net(nn.Module):
    """An image classifier that knows its classes: class k is the mean of the image's k-th column."""

    def __init__(self, channels: int = 3, classes: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3, padding=1)
        self.head = nn.Linear(4, classes)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def batches(count: int = 3, size: int = 4, channels: int = 3, labelled: bool = True) -> Iterator[Batch]:
    generator = torch.Generator().manual_seed(0)
    for _ in range(count):
        images = torch.rand(size, channels, 8, 8, generator=generator)
        labels = torch.randint(0, 3, (size,), generator=generator)
        yield Batch(images, labels if labelled else None)


def colours(**changes: Any) -> AttributionVisualizer:
    """A visualizer of twelve small images, to be closed."""
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "models": [Net()],
        "classes": ["red", "green", "blue"],
        "features": [ImageFeature("Photo", [lambda x: x * 0], [lambda x: x - 0.5])],
        "dataset": batches(),
        "score_func": lambda output: output.softmax(1),
    }
    return AttributionVisualizer(**(settings | changes))


@pytest.fixture
def make() -> Iterator[Make]:
    """Make visualizers that are closed after the test."""
    made: list[AttributionVisualizer] = []

    def build(**changes: Any) -> AttributionVisualizer:
        made.append(colours(**changes))
        return made[-1]

    yield build
    for visualizer in made:
        visualizer.close()


def get(visualizer: AttributionVisualizer, path: str, **query: Any) -> Any:
    """The JSON answer to a request that must succeed."""
    response = visualizer.app.test_client().get(path, query_string=query)
    assert response.status_code == 200, response.text
    return response.get_json()


def explained(visualizer: AttributionVisualizer, **question: Any) -> Any:
    """Ask for an explanation and follow it to its end."""
    client = visualizer.app.test_client()
    response = client.post("/api/attributions", json={"method": "Saliency", "sample": 0} | question)
    assert response.status_code == 200, response.text
    job = response.get_json()

    def ended() -> Any:
        now = client.get(f"/api/attributions/{job['id']}").get_json()
        return now if now["state"] not in ("queued", "running") else None

    return wait_until(ended)


def listed(visualizer: AttributionVisualizer, **query: Any) -> Any:
    """A page of samples, once all that it asks for has been read."""

    def page() -> Any:
        found = get(visualizer, "/api/samples", **query)
        return None if found["progress"]["scanning"] else found

    return wait_until(page)


def scanned(visualizer: AttributionVisualizer) -> Any:
    """How far the data is read, once no more of it is."""

    def progress() -> Any:
        found = get(visualizer, "/api/summary")["progress"]
        return None if found["scanning"] else found

    return wait_until(progress)
