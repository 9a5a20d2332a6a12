"""A group counts once: known linear models, whose every part is worth what it is worth, exactly."""

import argparse
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app import AttributionVisualizer, Batch
from app.data.features import EmptyFeature, GeneralFeature, ImageFeature, TextFeature
from app.demos import DEMOS

from .conftest import Make, explained

REMOVING = ["FeatureAblation", "Occlusion", "KernelShap", "ShapleyValueSampling"]
EXACT = {"rel": 1e-4, "abs": 1e-5}


class Reader(nn.Module):
    """The mean over words of a wide embedding: each word adds its part."""

    def __init__(self, width: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.head = nn.Embedding(50, width), nn.Linear(width, 2)
        self.eval()

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.words(ids).mean(1))


class Weighted(nn.Module):
    """Each number of the input counts with its weight."""

    def __init__(self, weights: Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        score = (x * self.weights).flatten(1).sum(1)
        return torch.stack([score, -score], 1)


class Both(nn.Module):
    """An image that is worth 3 and a row that is worth 3."""

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, image: Tensor, row: Tensor) -> Tensor:
        score = 3 * image.mean((1, 2, 3)) + row.sum(1)
        return torch.stack([score, -score], 1)


def over(make: Make, model: nn.Module, features: list[Any], *inputs: Tensor) -> AttributionVisualizer:
    return make(
        models=[model],
        classes=["a", "b"],
        features=features,
        dataset=[Batch(inputs, torch.zeros(len(inputs[0])).long())],
        score_func=None,
    )


def drawn(visualizer: AttributionVisualizer, attribution: Any) -> np.ndarray:
    """The first map of the first input as the browser gets it."""
    found = attribution["inputs"][0]["maps"][0]
    data = visualizer.app.test_client().get(f"/{found['url']}").data
    return np.frombuffer(data, "<f2").reshape(found["height"], found["width"]).astype(np.float64) * found["scale"]


@pytest.mark.parametrize("width", [1, 64])
@pytest.mark.parametrize("method", REMOVING)
def test_a_word_counts_once_however_wide_its_embedding(make: Make, width: int, method: str) -> None:
    net, ids = Reader(width), torch.tensor([[3, 14, 15, 9, 26]])
    visualizer = over(make, net, [TextFeature("t", [lambda x: x * 0])], ids)
    without = torch.where(torch.eye(5).bool(), 0, ids)
    drops = (net(ids)[0, 0] - net(without)[:, 0]).tolist()
    answer = explained(visualizer, method=method, target=0)["attribution"]
    assert answer["inputs"][0]["weights"] == pytest.approx(drops, **EXACT)
    assert answer["inputs"][0]["contribution"]["total"] == pytest.approx(sum(drops), **EXACT)
    assert visualizer.attributions(0, method=method, target=0)[0].tolist() == pytest.approx(drops, **EXACT)


def test_words_covered_together_share_what_they_are_worth(make: Make) -> None:
    visualizer = over(make, Weighted(torch.ones(3, 2)), [TextFeature("t")], torch.tensor([[[1.0, 1], [2, 2], [3, 3]]]))
    for method, arguments in (("FeatureAblation", {"patch": 2}), ("Occlusion", {"window": 2, "stride": 2})):
        assert visualizer.attributions(0, method=method, arguments=arguments)[0].tolist() == [3, 3, 6]


@pytest.mark.parametrize("method", REMOVING)
def test_a_patch_reads_what_it_is_worth_in_each_of_its_pixels(make: Make, method: str) -> None:
    """A quarter of a colour picture is worth 0.75."""
    visualizer = over(make, Weighted(torch.full((3, 8, 8), 1 / 64)), [ImageFeature("x")], torch.ones(1, 3, 8, 8))
    size = {"window": 4, "stride": 4} if method == "Occlusion" else {"patch": 4}
    answer = explained(visualizer, method=method, target=0, arguments=size)["attribution"]
    (found,) = answer["inputs"][0]["maps"]
    assert (found["reduction"], found["unit"]) == ("sum", "window" if method == "Occlusion" else "patch")
    assert drawn(visualizer, answer) == pytest.approx(0.75, abs=1e-3)
    assert found["maximum"] == pytest.approx(0.75, abs=1e-4)
    values = visualizer.attributions(0, method=method, target=0, arguments=size)[0]
    assert values.shape == (3, 8, 8)
    assert values.numpy() == pytest.approx(0.75 / (3 * 16), **EXACT)
    assert answer["inputs"][0]["contribution"]["total"] == pytest.approx(3, **EXACT)


def test_a_patch_that_is_cut_at_the_edge_looks_no_stronger(make: Make) -> None:
    groups = ImageFeature("x").groups(torch.zeros(1, 5, 5), 2)
    weights = 1 / torch.bincount(groups.reshape(-1))[groups]  # each patch is worth 1
    visualizer = over(make, Weighted(weights), [ImageFeature("x")], torch.ones(1, 1, 5, 5))
    answer = explained(visualizer, method="FeatureAblation", target=0, arguments={"patch": 2})["attribution"]
    assert drawn(visualizer, answer) == pytest.approx(1, abs=1e-3)
    values = visualizer.attributions(0, method="FeatureAblation", target=0, arguments={"patch": 2})[0]
    assert float(values.sum()) == pytest.approx(9, **EXACT)


@pytest.mark.parametrize(("window", "stride"), [(2, 1), (3, 2), (4, 3), (4, 4)])
def test_windows_that_overlap_and_stick_out_count_once(make: Make, window: int, stride: int) -> None:
    visualizer = over(make, Weighted(torch.ones(3, 7, 5)), [ImageFeature("x")], torch.ones(1, 3, 7, 5))
    size = {"window": window, "stride": stride}
    assert visualizer.attributions(0, method="Occlusion", target=0, arguments=size)[0].numpy() == pytest.approx(1)


def test_one_pixel_through_all_channels_is_a_pixel(make: Make) -> None:
    visualizer = over(make, Weighted(torch.ones(3, 4, 4)), [ImageFeature("x")], torch.ones(1, 3, 4, 4))
    answer = explained(visualizer, method="FeatureAblation", target=0, arguments={"patch": 1})["attribution"]
    assert [(m["reduction"], m["unit"]) for m in answer["inputs"][0]["maps"]] == [("sum", "pixel")]
    assert drawn(visualizer, answer) == pytest.approx(3, abs=1e-2)


@pytest.mark.parametrize("method", ["IntegratedGradients", *REMOVING])
def test_inputs_that_are_worth_the_same_have_the_same_share(make: Make, method: str) -> None:
    visualizer = over(
        make,
        Both(),
        [ImageFeature("x"), GeneralFeature("row", list("abc"))],
        torch.ones(1, 3, 16, 16),
        torch.ones(1, 3),
    )
    size = {"patch": 8} if method not in ("IntegratedGradients", "Occlusion") else {}
    answer = explained(visualizer, method=method, target=0, arguments=size)["attribution"]
    parts = [part["contribution"] for part in answer["inputs"]]
    assert [part["total"] for part in parts] == pytest.approx([3, 3], rel=1e-3)
    assert [part["share"] for part in parts] == pytest.approx([0.5, 0.5], rel=1e-3)
    assert answer["inputs"][1]["weights"] == pytest.approx([1, 1, 1], rel=1e-3)


def test_a_share_is_that_of_what_is_drawn(make: Make) -> None:
    """The channels of a pixel, and the numbers of a word, cancel before they are compared with other inputs."""

    class Opposed(nn.Module):
        def forward(self, image: Tensor, words: Tensor) -> Tensor:
            signs = torch.tensor([5.0, -4.0])
            score = (image * signs[:, None, None]).sum((1, 2, 3)) + (words * torch.tensor([10.0, -9, 0])).sum((1, 2))
            return torch.stack([score, -score], 1)

    features = [ImageFeature("three pixels worth 1"), TextFeature("one word worth 1")]
    visualizer = over(make, Opposed().eval(), features, torch.ones(1, 2, 1, 3), torch.ones(1, 1, 3))
    answer = explained(visualizer, method="InputXGradient", target=0)["attribution"]
    assert [part["contribution"]["share"] for part in answer["inputs"]] == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("method", ["KernelShap", "ShapleyValueSampling"])
def test_shapley_values_of_the_default_demo_add_up(make: Make, method: str) -> None:
    options = argparse.Namespace(device=torch.device("cpu"))
    visualizer = make(**DEMOS["digits"].build(options))
    answer = explained(visualizer, method=method)["attribution"]
    assert abs(answer["completeness"]["delta"]) <= 1e-4 * abs(answer["completeness"]["change"])
    assert answer["completeness"]["adds_up"]
    assert answer["warnings"] == []


def test_an_input_that_is_not_shown_is_removed_as_a_whole(make: Make) -> None:
    model = Weighted(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    visualizer = over(make, model, [EmptyFeature("hidden")], torch.ones(1, 2, 2))
    for method in REMOVING:
        total = explained(visualizer, method=method, target=0)["attribution"]["inputs"][0]["contribution"]["total"]
        assert total == pytest.approx(10, **EXACT)
