"""A model's layers: what they pass on, which are suggested, and what is drawn of attributions there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from torch import Tensor, nn
from transformers import BertConfig, BertForSequenceClassification, ViTConfig, ViTForImageClassification

from app import AttributionVisualizer, Batch
from app.data.features import GeneralFeature, ImageFeature, TextFeature
from app.model.layers import look
from attribution_core import LayerGradCam

from .conftest import Make, Net, explained, get, listed


class Twice(nn.Module):
    """Calls one layer two times, and another never."""

    def __init__(self) -> None:
        super().__init__()
        self.again, self.head, self.never = nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(1, 1)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.again(torch.relu(self.again(x))))


def tokens(make: Make) -> AttributionVisualizer:
    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    bert = BertForSequenceClassification(BertConfig(vocab_size=30, max_position_embeddings=16, **sizes)).eval()
    ids = torch.randint(1, 30, (2, 5))
    feature = TextFeature("Words", None, None, lambda ids: [f"w{i}" for i in ids[0].tolist()])
    return make(models=[bert], features=[feature], dataset=[Batch(ids, torch.tensor([0, 1]))], classes=["no", "yes"])


def transformer() -> ViTForImageClassification:
    sizes = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16}
    torch.manual_seed(0)
    return ViTForImageClassification(ViTConfig(image_size=16, patch_size=4, num_labels=3, **sizes)).eval()


def test_the_tree_is_told_in_order_with_shapes_calls_and_parameters(make: Make) -> None:
    layers = get(make(), "/api/models/0/layers")["layers"]
    conv = {"name": "conv", "type": "Conv2d", "parameters": 112, "shape": [4, 8, 8], "layout": "grid", "grid": [8, 8]}
    head = {"name": "head", "type": "Linear", "parameters": 15, "shape": [3], "layout": "units", "grid": None}
    assert layers == [conv | {"calls": 1}, head | {"calls": 1}]
    assert make().app.test_client().get("/api/models/7/layers").status_code == 404


def test_a_look_counts_calls_and_leaves_nothing_behind() -> None:
    model, x = Twice(), torch.randn(1, 4)
    calls = {layer.name: layer.calls for layer in look(model, (x,), ()).layers}
    assert calls == {"again": 2, "head": 1, "never": 0}
    assert not any(module._forward_hooks for module in model.modules())
    assert all(p.grad is None for p in model.parameters())
    assert not x.requires_grad


def test_a_model_without_gradients_is_looked_at_all_the_same() -> None:
    class Detached(Net):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x).detach()

    anatomy = look(Detached(), (torch.rand(1, 3, 8, 8),), ())
    assert anatomy.no_gradient == "its outputs have no gradient"
    assert [layer.shape for layer in anatomy.layers] == [[4, 8, 8], [3]]


def swin() -> nn.Module:
    return torchvision.models.SwinTransformer([4, 4], 8, [1, 1], [1, 1], [2, 2], num_classes=3)


@pytest.mark.parametrize(
    ("build", "side", "best", "grid"),
    [
        (lambda: torchvision.models.squeezenet1_1(num_classes=3), 64, "features", [3, 3]),
        (transformer, 16, "vit.layers.0", [4, 4]),
        (swin, 64, "features.3", [8, 8]),
    ],
    ids=["convolutions", "vit", "swin"],
)
def test_the_last_block_whose_positions_matter_comes_first(build: Any, side: int, best: str, grid: list[int]) -> None:
    torch.manual_seed(0)
    model = build().eval()
    anatomy = look(model, (torch.rand(1, 3, side, side),), ())
    assert anatomy.suggested[0].model_dump() == {"name": best, "reason": "last block"}
    found = anatomy.layer(best)
    assert found is not None
    assert (found.layout, found.grid) == ("grid", grid)


def test_grad_cam_travels_as_a_map_over_the_picture_and_as_a_tensor_for_python(make: Make) -> None:
    net = torchvision.models.squeezenet1_1(num_classes=3).eval()
    images = torch.rand(2, 3, 32, 48)
    visualizer = make(models=[net], dataset=[Batch(images)], features=[ImageFeature("Photo")])
    answer = explained(visualizer, method="LayerGradCam", layer="features", target=2)["attribution"]
    (drawn,) = answer["inputs"][0]["maps"]
    layer = answer["layer"]
    assert (drawn["unit"], drawn["height"], drawn["width"]) == ("layer", 32, 48)
    assert (layer["grid"], layer["input"]) == ([1, 2], 0)
    (raw,) = visualizer.attributions(0, method="LayerGradCam", layer="features", target=2)
    expected = LayerGradCam(net, net.features).attribute(images[:1], target=2)
    assert torch.allclose(raw, expected[0], atol=1e-6)
    data = np.frombuffer(visualizer.app.test_client().get(f"/{drawn['url']}").data, "<f2").reshape(32, 48)
    wide = torch.nn.functional.interpolate(expected, (32, 48), mode="bilinear")[0, 0]
    assert np.allclose(data * drawn["scale"], wide.detach().numpy(), atol=2e-3 * drawn["scale"])


def test_channels_travel_strongest_first_each_with_its_own_map(make: Make) -> None:
    visualizer = make()
    layer = explained(visualizer, method="LayerActivation", layer="conv")["attribution"]["layer"]
    (raw,) = visualizer.attributions(0, method="LayerActivation", layer="conv")
    assert (layer["shape"], layer["channels"]) == ([4, 8, 8], 4)
    assert [c["index"] for c in layer["strongest"]] == raw.abs().sum((1, 2)).argsort(descending=True).tolist()
    first = layer["strongest"][0]
    assert first["total"] == pytest.approx(float(raw[first["index"]].sum()), rel=1e-5)
    data = np.frombuffer(visualizer.app.test_client().get(f"/{first['map']['url']}").data, "<f2").reshape(8, 8)
    assert np.allclose(data * first["map"]["scale"], raw[first["index"]].numpy(), atol=2e-3 * first["map"]["scale"])


@pytest.mark.parametrize("method", ["LayerGradCam", "LayerIntegratedGradients", "LayerGradientXActivation"])
def test_tokens_of_a_layer_are_weighed(make: Make, method: str) -> None:
    answer = explained(tokens(make), method=method, layer="bert.encoder.layer.0", target=1)["attribution"]
    (words,) = answer["inputs"]
    assert (words["kind"], len(words["weights"])) == ("text", 5)
    assert any(words["weights"])
    assert sum(words["weights"]) == pytest.approx(words["contribution"]["total"], rel=1e-4, abs=1e-6)


def test_words_are_embedded_where_the_first_table_is(make: Make) -> None:
    visualizer = tokens(make)
    suggested = get(visualizer, "/api/models/0/layers")["suggested"]
    assert suggested == [
        {"name": "bert.encoder.layer.0", "reason": "last block"},
        {"name": "bert.embeddings.word_embeddings", "reason": "embedding"},
    ]
    assert get(visualizer, "/api/workspace")["models"][0]["default_layer"] == "bert.encoder.layer.0"


def test_a_net_without_positions_is_looked_at_before_its_output() -> None:
    net = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    assert [each.model_dump() for each in look(net, (torch.randn(1, 4),), ()).suggested] == [
        {"name": "2", "reason": "last layer"}
    ]


def test_units_without_positions_are_named_numbers(make: Make) -> None:
    answer = explained(tokens(make), method="LayerConductance", layer="bert.pooler.dense", target=1)["attribution"]
    assert [part["kind"] for part in answer["inputs"]] == ["empty"]
    assert (answer["layer"]["input"], answer["layer"]["channels"], len(answer["layer"]["strongest"])) == (None, 8, 8)
    assert {unit["map"] for unit in answer["layer"]["strongest"]} == {None}


def test_attention_is_rolled_out_over_patches_and_over_words(make: Make) -> None:
    vit = make(models=[transformer()], dataset=[Batch(torch.rand(1, 3, 16, 16))], features=[ImageFeature("Photo")])
    answer = explained(vit, method="AttentionRollout")["attribution"]
    (drawn,) = answer["inputs"][0]["maps"]
    assert (answer["explained"], answer["output"], answer["layer"]) == ("attention", None, None)
    assert (drawn["height"], drawn["width"], drawn["minimum"] > 0, answer["signed"]) == (16, 16, True, False)
    (words,) = explained(tokens(make), method="AttentionRollout")["attribution"]["inputs"]
    assert sum(words["weights"]) == pytest.approx(1, abs=1e-5)


def test_a_layer_is_named_with_its_call(make: Make) -> None:
    table = GeneralFeature("Row", list("abcd"))
    visualizer = make(models=[Twice()], features=[table], dataset=[Batch(torch.randn(2, 4))], classes=["a", "b"])

    def refused(**question: Any) -> Any:
        answer = visualizer.app.test_client().post("/api/attributions", json={"sample": 0} | question)
        return answer.status_code, " ".join(answer.get_json().values())

    ask = {"method": "LayerActivation"}
    one, other = (visualizer.attributions(0, layer=f"again:{call}", **ask)[0] for call in (0, 1))
    assert not torch.equal(one, other)
    assert "called 2 times" in explained(visualizer, layer="again", **ask)["error"]["message"]
    assert "call=2 is not among them" in explained(visualizer, layer="again:2", **ask)["error"]["message"]
    assert "was not called" in explained(visualizer, layer="never", **ask)["error"]["message"]
    status, said = refused(layer="agan", **ask)
    assert (status, "has no layer 'agan'" in said, "did you mean again" in said) == (422, True, True)
    status, said = refused(**ask)
    assert (status, "needs a layer" in said) == (422, True)
    status, said = refused(method="Saliency", layer="again:0")
    assert (status, "attributes to the inputs" in said) == (422, True)
    listed(visualizer)
