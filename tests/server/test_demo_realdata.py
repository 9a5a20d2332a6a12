"""The demos and the example scripts on real data; see CONTRIBUTING.md for where it is."""

from __future__ import annotations

import gzip
import json
import os
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.demos import DEMOS, fashion_mnist
from app.demos.nets import accuracy, load
from attribution_core import IntegratedGradients

from .conftest import explained
from .test_demo_examples import example

pytestmark = pytest.mark.realdata
REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("ATTRIBUTION_INSIGHTS_DATA") or REPOSITORY.parent / "shared" / "data")


def data(*parts: str) -> Path:
    path = DATA.joinpath(*parts)
    if not path.exists():
        pytest.skip(f"{path} is not here; set ATTRIBUTION_INSIGHTS_DATA to the folder that holds {parts[0]}/")
    return path


def items(dataset: Any) -> Iterator[Any]:
    return map(dataset.__getitem__, range(len(dataset)))


def recognised(workspace: dict[str, Any]) -> float:
    """The share of a workspace's labelled images that its model recognises."""
    (net,), (feature,) = workspace["models"], workspace["features"]
    with torch.no_grad():
        hits = [
            int(net(feature.transform(image)[None]).argmax()) == label for image, label in items(workspace["dataset"])
        ]
    return sum(hits) / len(hits)


def test_fashion_mnist_net_reaches_its_accuracy() -> None:
    raw = data("fashion_mnist", "FashionMNIST", "raw")
    pixels, truth = (
        np.frombuffer(gzip.decompress((raw / name).read_bytes()), np.uint8, offset=skip)
        for name, skip in (("t10k-images-idx3-ubyte.gz", 16), ("t10k-labels-idx1-ubyte.gz", 8))
    )
    images = torch.tensor(pixels.reshape(-1, 1, 28, 28)) / 255
    net = load(fashion_mnist.untrained(), fashion_mnist.WEIGHTS_FILE)
    assert accuracy(net, images, torch.tensor(truth)) == pytest.approx(0.9219, abs=0.001)


@pytest.mark.parametrize(
    ("model", "file", "accuracy"),
    [("mobilenet_v2", "mobilenet_v2_tf_dequantised", 0.72), ("squeezenet1_0", "squeezenet1_0_deepcompression", 0.56)],
)
@pytest.mark.parametrize("names", [True, False], ids=["names from JSON", "torchvision's names"])
def test_imagenet_photos_are_recognised(model: str, file: str, accuracy: float, names: bool) -> None:
    labels = [data("imagenet", "labels.csv"), *[data("imagenet", "imagenet_class_index.json")] * names]
    options = {"model": model, "weights": data("imagenet", "weights", f"{file}.pth"), "device": torch.device("cpu")}
    workspace = DEMOS["folder"].build(Namespace(path=data("imagenet", "photos"), labels=labels, **options))
    assert all(label is not None for label in workspace["dataset"].labels)
    assert recognised(workspace) == pytest.approx(accuracy, abs=0.011)


def test_sentiment_example() -> None:
    script = example("sentiment")
    vocabulary = json.loads(data("text_sentiment", "vocab.json").read_text())
    sentences, net = script.Sentences(data("sst2", "test.tsv"), vocabulary), script.MeanOfWords().eval()
    net.load_state_dict(torch.load(data("text_sentiment", "avg_embedding_imdb.pth"), weights_only=True))
    ids = sentences[0][0]
    with torch.no_grad():
        assert torch.allclose(net(F.pad(ids, (0, 256 - len(ids)))[None]), net(ids[None]), atol=1e-5)
        hits = [int(net(ids[None]).argmax()) == label for ids, label in items(sentences)]
    assert np.mean(hits) == pytest.approx(0.756, abs=0.001)


def test_titanic_example_gives_the_published_numbers() -> None:
    script = example("titanic")
    people, survived = script.passengers(data("titanic", "titanic3.csv"))
    net = script.SurvivalNet().eval()
    net.load_state_dict(torch.load(data("titanic", "titanic_model.pt"), weights_only=True))
    rows = script.held_out(len(people))
    hits = net(people[rows]).argmax(1) == survived[rows]
    assert hits.double().mean().item() == pytest.approx(0.81679, abs=1e-5)
    mean: Tensor = IntegratedGradients(net).attribute(people[rows], target=1, n_steps=50).mean(0)
    published = [-0.454, -0.119, -0.056, 0.175, 0.154, -0.359, 0.086, -0.001, -0.082, 0.062, 0.021, -0.159]
    assert mean.tolist() == pytest.approx(published, abs=6e-4)


def test_an_explanation_of_a_passenger_whose_parts_cancel_says_so() -> None:
    """Age −10.3, fare +6.7 and female +4.6, for a probability that changes by −0.36."""
    script = example("titanic")
    visualizer = script.visualizer(data("titanic", "titanic3.csv"), data("titanic", "titanic_model.pt"))
    try:
        answer, calm = (
            explained(visualizer, sample=161, method=method)["attribution"]
            for method in ("IntegratedGradients", "ShapleyValueSampling")
        )
    finally:
        visualizer.close()
    assert answer["completeness"]["adds_up"] and answer["completeness"]["cancels"]
    assert answer["completeness"]["cancellation"] == pytest.approx(63, abs=1)
    assert calm["completeness"]["adds_up"] and not calm["completeness"]["cancels"]
    assert answer["warnings"] == calm["warnings"] == []  # the screen words it from the numbers, once
