"""Which methods work on a model, what they cost, where they were published, and which is shown first."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torchvision
from torch import Tensor, nn
from transformers import ViTConfig, ViTForImageClassification

from app import Batch
from app.data.features import GeneralFeature, ImageFeature
from app.explain.papers import papers

from ..waiting import wait_until
from .conftest import Make, Net, explained, get


def offers(visualizer: Any) -> dict[str, Any]:
    return {offer["method"]: offer for offer in get(visualizer, "/api/models/0/methods")["methods"]}


class Counting(Net):
    """Counts the examples that run through it."""

    rows = 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        return super().forward(x)


def test_what_a_method_does_and_promises_is_told(make: Make) -> None:
    methods = {each["name"]: each for each in get(make(), "/api/workspace")["methods"]}
    cam = methods["LayerGradCam"]
    assert (cam["title"], cam["group"], cam["place"]) == ("Grad-CAM", "quick look", "layer")
    assert (cam["uses_layer"], cam["uses_target"], cam["uses_baseline"]) == (True, True, False)
    assert cam["paper"]["authors"] == "Selvaraju et al."
    assert cam["paper"]["url"] == "https://arxiv.org/abs/1610.02391"
    assert (methods["GuidedGradCam"]["place"], methods["GuidedGradCam"]["uses_layer"]) == ("inputs", True)
    assert methods["AttentionRollout"]["uses_target"] is False
    assert all(each["promise"].endswith(".") and each["paper"] for each in methods.values())
    noise = [p for p in methods["Saliency"]["parameters"] if p["name"].startswith("smooth")]
    assert [(p["name"], p["default"], p["only_with"]) for p in noise] == [
        ("smooth", None, None),
        ("smooth_samples", 10, "smooth"),
        ("smooth_noise", 0.15, "smooth"),
    ]


def test_papers_are_named_by_families() -> None:
    found = papers()
    assert found["sundararajan2017"].authors == "Sundararajan, Taly and Yan"
    assert found["shapley1953"].authors == "Shapley"
    assert (found["bach2015"].year, found["bach2015"].url) == (2015, None)


def test_what_cannot_work_is_said_with_the_reason(make: Make) -> None:
    offered = offers(make())
    assert offered["LayerGradCam"]["layer"] == "conv"
    assert "No attention" in offered["AttentionRollout"]["unavailable"]
    assert "64 features need 2^64 passes" in offered["ShapleyValues"]["unavailable"]
    table = make(
        models=[nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))],
        features=[GeneralFeature("Row", list("abcd"))],
        dataset=[Batch(torch.randn(2, 4))],
    )
    unavailable = {name for name, offer in offers(table).items() if offer["unavailable"]}
    assert unavailable == {
        "LayerGradCam", "LayerGradCamPlusPlus", "LayerCam", "LayerScoreCam", "GuidedGradCam", "RISE",
        "AttentionRollout",
    }  # fmt: skip
    detached = make(models=[lambda x: x.detach().mean((2, 3))], score_func=None)
    said = offers(detached)
    assert "no gradient" in said["IntegratedGradients"]["unavailable"]
    assert "no module inside" in said["LayerActivation"]["unavailable"]
    assert said["Occlusion"]["unavailable"] is None


ASKED: list[dict[str, Any]] = [
    {"method": "Saliency"},
    {"method": "Saliency", "arguments": {"smooth": "smoothgrad", "smooth_samples": 4}},
    {"method": "IntegratedGradients", "arguments": {"n_steps": 7}},
    {"method": "Occlusion", "arguments": {"window": 4, "stride": 4}},
    {"method": "KernelShap", "arguments": {"patch": 4, "n_samples": 9}},
    {"method": "ShapleyValues", "arguments": {"patch": 4}},
    {"method": "RISE", "arguments": {"n_masks": 5}},
    {"method": "LayerGradCam", "layer": "conv"},
    {"method": "LayerActivation", "layer": "conv"},
    {"method": "LayerScoreCam", "layer": "conv"},
    {"method": "LayerConductance", "layer": "conv", "arguments": {"n_steps": 6}},
    {"method": "LayerIntegratedGradients", "layer": "conv", "arguments": {"n_steps": 6}},
    {"method": "InternalInfluence", "layer": "conv", "arguments": {"n_steps": 6}},
    {"method": "LayerDeepLift", "layer": "conv"},
    {"method": "LayerLRP", "layer": "conv"},
    {"method": "GuidedGradCam", "layer": "conv"},
]


@pytest.mark.parametrize("question", ASKED, ids=lambda question: f"{question['method']}")
def test_the_price_is_what_is_paid(make: Make, question: dict[str, Any]) -> None:
    net = Counting()
    visualizer = make(models=[net], dataset=[Batch(torch.rand(1, 3, 8, 8))], default_method="Saliency")
    client = visualizer.app.test_client()
    price = client.post("/api/price", json={"sample": 0} | question)
    assert price.status_code == 200, price.text
    before = net.rows
    assert explained(visualizer, **question)["state"] == "done"
    assert net.rows - before == price.get_json()["forward"]
    assert price.get_json()["seconds"] > 0


def test_a_price_that_depends_on_the_answers_says_so(make: Make) -> None:
    body = {"sample": 0, "method": "IntegratedGradients", "arguments": {"tolerance": 0.01}}
    answer = make().app.test_client().post("/api/price", json=body).get_json()
    assert answer["at_least"] is True


def first_shown(visualizer: Any) -> tuple[str, str, str | None]:
    def known() -> Any:
        workspace = get(visualizer, "/api/workspace")
        return workspace if workspace["default_reason"] else None

    workspace = wait_until(known)
    return workspace["default_method"], workspace["default_reason"], workspace["models"][0]["default_layer"]


def test_photographs_open_with_grad_cam_of_the_last_block(make: Make) -> None:
    photos = Batch(torch.rand(1, 3, 96, 96))
    net = torchvision.models.squeezenet1_1(num_classes=3).eval()
    visualizer = make(models=[net], dataset=[photos], features=[ImageFeature("Photo")])
    method, reason, layer = first_shown(visualizer)
    assert (method, layer) == ("LayerGradCam", "features")
    assert "a coarse map of features" in reason
    assert [x.shape for x in visualizer.attributions(0)] == [(1, 5, 5)]
    small = make(models=[net], dataset=[Batch(torch.rand(1, 3, 95, 96))], features=[ImageFeature("Photo")])
    assert first_shown(small)[0] == "IntegratedGradients"
    mixed = make(models=[net, lambda x: x.mean((2, 3))], dataset=[photos], features=[ImageFeature("Photo")])
    assert first_shown(mixed)[0] == "IntegratedGradients"


def test_a_transformer_of_photographs_opens_with_grad_cam_too(make: Make) -> None:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    net = ViTForImageClassification(ViTConfig(image_size=96, patch_size=16, num_labels=3, **sizes)).eval()
    visualizer = make(models=[net], dataset=[Batch(torch.rand(1, 3, 96, 96))], features=[ImageFeature("Photo")])
    assert first_shown(visualizer)[::2] == ("LayerGradCam", "vit.layers.0")
    answer = explained(visualizer, method="LayerGradCam", layer="vit.layers.0")["attribution"]
    assert answer["layer"]["grid"] == [6, 6]
    assert answer["inputs"][0]["maps"][0]["minimum"] < answer["inputs"][0]["maps"][0]["maximum"]


def test_a_narrow_table_opens_with_exact_shapley_values(make: Make) -> None:
    for columns, method in ((10, "ShapleyValues"), (11, "IntegratedGradients")):
        table = make(
            models=[nn.Linear(columns, 3)],
            features=[GeneralFeature("Row", [f"c{i}" for i in range(columns)])],
            dataset=[Batch(torch.randn(2, columns))],
        )
        assert first_shown(table)[0] == method
    assert table.attributions(0)[0].shape == (11,)


def test_what_the_user_chose_is_shown_first_without_a_reason(make: Make) -> None:
    workspace = get(make(default_method="LayerGradCam"), "/api/workspace")
    assert (workspace["default_method"], workspace["default_reason"]) == ("LayerGradCam", "")
    assert workspace["models"][0]["default_layer"] == "conv"
