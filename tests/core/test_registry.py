"""Every public class is on the one list that the tests over all classes are made from, and can be called as it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import attribution_core

from . import test_replicas
from .registry import FLAT, NAMES, OPTIONS, USUAL, ask, recipe


class Pictures(nn.Module):
    """Three classes of pictures (B, 2, 6, 6)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.relu, self.out = nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Linear(48, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.relu(self.conv(x)).flatten(1))


class Words(nn.Module):
    """Two classes of sequences (B, T, 4), one layer of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.attention, self.out = nn.MultiheadAttention(4, 2, batch_first=True), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.attention(x, x, x)[0].mean(1))


def test_every_public_class_has_a_recipe_and_every_recipe_a_class() -> None:
    assert sorted(OPTIONS) == sorted(NAMES)


def test_a_class_without_a_recipe_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPTIONS, "Saliency")
    with pytest.raises(AssertionError, match="Saliency is public but has no recipe"):
        recipe("Saliency")
    assert "Saliency" in attribution_core.__all__


REPLICAS = {**test_replicas.OF_INPUTS, **test_replicas.LAYERS, **test_replicas.NEURONS}
REPLICAS_ELSEWHERE = {
    "test_cam.py": ["AttentionRollout", "GuidedGradCam", "LayerCam", "LayerGradCam", "LayerGradCamPlusPlus",
                    "LayerScoreCam"],
    "test_internal_sampled.py": ["LayerDeepLiftShap", "LayerFeaturePermutation", "LayerGradientShap",
                                 "NeuronDeepLiftShap", "NeuronGradientShap"],
    "test_loader.py": ["DataLoaderAttribution"],
    "test_masks.py": ["Occlusion"],
    "test_noise.py": ["DeepLiftShap", "GradientShap", "NoiseTunnel"],
    "test_permutation.py": ["FeaturePermutation", "RISE"],
    "test_shapley.py": ["KernelShap", "ShapleyValueSampling", "ShapleyValues"],
    "test_surrogate.py": ["Lime", "LimeBase"],
}  # fmt: skip


def test_every_class_is_compared_with_a_slow_replica() -> None:
    elsewhere = [name for names in REPLICAS_ELSEWHERE.values() for name in names]
    assert sorted([*REPLICAS, *elsewhere]) == sorted(NAMES)
    for file, names in REPLICAS_ELSEWHERE.items():
        text = (Path(__file__).parent / file).read_text()
        assert [name for name in names if name not in text] == []


@pytest.mark.filterwarnings("ignore:Lime's penalty")
@pytest.mark.parametrize("name", USUAL)
def test_of_pictures(name: str) -> None:
    found = ask(name, Pictures(), torch.randn(2, 2, 6, 6))
    assert len(found) == 2
    assert found.isfinite().all()


@pytest.mark.filterwarnings("ignore:Lime's penalty")
@pytest.mark.parametrize("name", FLAT)
def test_of_rows(name: str) -> None:
    found = ask(name, nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), torch.randn(2, 4))
    assert len(found) == 2
    assert found.isfinite().all()


@pytest.mark.parametrize(
    ("name", "net", "x", "shape"),
    [
        ("AttentionRollout", Words(), torch.randn(2, 5, 4), (2, 5)),
        ("DataLoaderAttribution", nn.Linear(4, 3), torch.randn(2, 4), (6, 4)),
        ("LimeBase", nn.Linear(4, 3), torch.randn(1, 4), (1, 2)),
    ],
)
def test_of_its_own_kind(name: str, net: nn.Module, x: Tensor, shape: tuple[int, ...]) -> None:
    found = ask(name, net, x)
    assert found.shape == shape
    assert found.isfinite().all()
