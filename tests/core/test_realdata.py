"""Published values and real photos; CONTRIBUTING.md says where the data comes from."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from attribution_core import DeepLift, GuidedBackprop, IntegratedGradients, Occlusion
from attribution_core.question.embeddings import embedded

DATA = Path(os.environ.get("ATTRIBUTION_INSIGHTS_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = [
    pytest.mark.realdata,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="no real data beside the repository and ATTRIBUTION_INSIGHTS_DATA is not set"
    ),
]
PUBLISHED = [-0.454, -0.119, -0.056, 0.175, 0.154, -0.359, 0.086, -0.001, -0.082, 0.062, 0.021, -0.159]


def titanic() -> tuple[Tensor, Tensor]:
    """The passengers' columns in the published order, and whether they survived."""
    with (DATA / "titanic" / "titanic3.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["survived"]]

    def numbers(name: str) -> list[float]:
        values = np.array([float(row[name] or "nan") for row in rows])
        return list(np.where(np.isnan(values), np.nanmean(values), values))

    def flags(name: str, values: str) -> list[list[float]]:
        return [[float(row[name] == value) for row in rows] for value in values.split()]

    columns = [numbers("age"), numbers("sibsp"), numbers("parch"), numbers("fare"), *flags("sex", "female male"),
               *flags("embarked", "C Q S"), *flags("pclass", "1 2 3")]  # fmt: skip
    return torch.tensor(columns).T.float().contiguous(), torch.tensor([int(row["survived"]) for row in rows])


def test_published_integrated_gradients_of_the_titanic_net() -> None:
    features, survived = titanic()
    chosen = np.random.RandomState(131254).choice(len(features), int(0.7 * len(features)), replace=False)
    test = np.setdiff1d(np.arange(len(features)), chosen)
    weights = torch.load(DATA / "titanic" / "titanic_model.pt", weights_only=True)
    net = nn.Sequential(nn.Linear(12, 12), nn.Sigmoid(), nn.Linear(12, 8), nn.Sigmoid(), nn.Linear(8, 2), nn.Softmax(1))
    places = {"linear1": "0", "linear2": "2", "linear3": "4"}
    net.load_state_dict({f"{places[k.split('.')[0]]}.{k.split('.')[1]}": v for k, v in weights.items()})
    with torch.no_grad():
        right = (net(features[test]).argmax(1) == survived[test]).double().mean()
    assert float(right) == pytest.approx(0.81679, abs=1e-5)
    found, delta = IntegratedGradients(net).attribute(features[test], target=1, return_convergence_delta=True)
    assert [round(value, 3) for value in found.mean(0).tolist()] == pytest.approx(PUBLISHED, abs=1.1e-3)
    assert delta.abs().max() < 0.05
    assert DeepLift(net).attribute(features[test], target=1, return_convergence_delta=True)[1].abs().max() < 1e-5


def photo(name: str) -> Tensor:
    image = pytest.importorskip("PIL.Image")
    transforms = pytest.importorskip("torchvision.transforms")
    steps = [transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
             transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]  # fmt: skip
    path = next((DATA / "imagenet" / "photos").glob(f"*{name}*"))
    found: Tensor = transforms.Compose(steps)(image.open(path).convert("RGB"))[None]
    return found


@pytest.mark.parametrize("architecture", ["squeezenet1_0", "mobilenet_v2"])
def test_real_nets_on_a_real_photo(architecture: str) -> None:
    models = pytest.importorskip("torchvision.models")
    net = getattr(models, architecture)().eval()
    net.load_state_dict(torch.load(next((DATA / "imagenet" / "weights").glob(f"{architecture}*")), weights_only=True))
    x = photo("orange")
    with torch.no_grad():
        best = int(net(x).argmax())
        change = (net(x) - net(x * 0))[0, best]
    found, delta = DeepLift(net).attribute(x, target=best, return_convergence_delta=True)
    assert float(delta) == pytest.approx(0, abs=1e-3 * float(change.abs()))
    assert float(found.sum()) == pytest.approx(float(change), rel=1e-3)
    guided = GuidedBackprop(net).attribute(x, target=best)
    assert guided.shape == x.shape
    assert guided.abs().max() > 0
    if architecture == "squeezenet1_0":
        hidden = Occlusion(net).attribute(x, (3, 112, 112), (3, 112, 112), target=best)
        assert hidden[0, 0].unique().numel() == 4


def test_a_sentence_through_its_embedding() -> None:
    weights = torch.load(DATA / "text_sentiment" / "avg_embedding_imdb.pth", weights_only=True)
    vocabulary = json.loads((DATA / "text_sentiment" / "vocab.json").read_text())

    class Sentiment(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(10000, 16)
            self.dense, self.dense_1 = nn.Linear(16, 16), nn.Linear(16, 2)

        def forward(self, ids: Tensor) -> Tensor:
            return self.dense_1(torch.relu(self.dense(self.embedding(ids).mean(1))))

    net = Sentiment().eval()
    net.load_state_dict(weights)
    words = ["a", "wonderful", "and", "moving", "film"]
    ids = torch.tensor([[1, *(vocabulary.get(word, 2) for word in words)]])
    ids = torch.nn.functional.pad(ids, (0, 256 - ids.shape[1]))
    found = embedded(net, ids)
    assert torch.equal(found.module(*found.inputs), net(ids))
    whole, delta = IntegratedGradients(found.module).attribute(
        found.inputs, found.embed_all((torch.zeros_like(ids),)), target=1, return_convergence_delta=True
    )
    assert delta.abs().max() < 0.02
    by_word = dict(zip(words, whole[0][0, 1:].sum(-1).tolist(), strict=False))
    assert max(by_word, key=by_word.__getitem__) == "wonderful"
    assert whole[0][0, 1 + len(words) :].abs().max() == 0
