"""What is explained: a class, one against another, a function of the outputs, a neuron; and what is refused at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from app.errors import InsightsError
from app.schema import AttributionRequest, Selection

from .conftest import Make, Net, batches, explained, get


def margin(outputs: Tensor) -> Tensor:
    return outputs[:, 0] - outputs[:, 2]


def raw_outputs(net: Net, sample: int) -> Tensor:
    images = torch.cat([batch.inputs for batch in batches()])
    return net(images[sample : sample + 1] - 0.5)[0].detach()


def test_a_class_against_another_is_the_difference_of_their_outputs(make: Make) -> None:
    net = Net()
    visualizer = make(models=[net], targets={"margin": margin})
    answer = explained(visualizer, target=0, against=2, sample=3)["attribution"]
    assert (answer["explained"], answer["target"]["index"], answer["against"]) == (
        "red − blue",
        0,
        {"index": 2, "name": "blue"},
    )
    outputs = raw_outputs(net, 3)
    assert answer["output"] == pytest.approx(float(outputs[0] - outputs[2]), rel=1e-5)
    one, other, both = (
        visualizer.attributions(3, method="InputXGradient", target=target, against=against)[0]
        for target, against in ((0, None), (2, None), (0, 2))
    )
    assert torch.allclose(both, one - other, atol=1e-6)
    (named,) = visualizer.attributions(3, method="InputXGradient", target="margin")
    assert torch.allclose(named, both, atol=1e-6)


def test_functions_of_the_outputs_are_listed_and_explained_by_their_names(make: Make) -> None:
    visualizer = make(targets={"margin": margin, "broken": lambda outputs: outputs.nothing})
    assert get(visualizer, "/api/workspace")["targets"] == ["margin", "broken"]
    answer = explained(visualizer, target="margin")["attribution"]
    assert (answer["target"], answer["explained"]) == ({"index": None, "name": "margin"}, "margin")
    assert "The target 'broken' was given" in explained(visualizer, target="broken")["error"]["hint"]


@pytest.mark.parametrize("targets", [{"": margin}, {"a": 3}, [margin], {"x" * 101: margin}])
def test_targets_that_are_no_functions_by_name_are_refused(make: Make, targets: Any) -> None:
    with pytest.raises(InsightsError, match="targets cannot be read"):
        make(targets=targets)


@pytest.mark.parametrize("neuron", [2, [2, 3, 5]])
def test_a_channel_and_a_neuron_are_explained_in_place_of_a_class(make: Make, neuron: Any) -> None:
    net = Net()
    visualizer = make(models=[net])
    answer = explained(visualizer, method="InputXGradient", layer="conv", neuron=neuron)["attribution"]
    images = torch.cat([batch.inputs for batch in batches()])
    x = (images[:1] - 0.5).requires_grad_()
    maps = net.conv(x)[0]
    value = maps[2].sum() if neuron == 2 else maps[2, 3, 5]
    (slope,) = torch.autograd.grad(value, x)
    assert answer["explained"] == ("channel 2 of conv" if neuron == 2 else "neuron (2, 3, 5) of conv")
    assert answer["output"] == pytest.approx(float(value.detach()), rel=1e-4)
    (found,) = visualizer.attributions(0, method="InputXGradient", layer="conv", neuron=neuron)
    assert torch.allclose(found, (slope * x)[0], atol=1e-5)


def test_a_channel_that_is_not_there_fails_with_those_that_are(make: Make) -> None:
    error = explained(make(), layer="conv", neuron=9)["error"]
    assert ("no channel 9 of conv" in error["message"], error["hint"]) == (True, "valid channels are 0 to 3")


@pytest.mark.parametrize(
    ("question", "says"),
    [
        ({"target": 9}, "class 9 cannot be explained"),
        ({"target": 0, "against": 9}, "class 9 cannot be explained"),
        ({"target": 1, "against": 1}, "green cannot be explained against itself"),
        ({"target": "nothing"}, "there is no target 'nothing'"),
        ({"target": "margin", "against": 1}, "no other class"),
        ({"neuron": 1}, "without a layer"),
        ({"neuron": 1, "layer": "conv", "target": 0}, "a class at once"),
        ({"neuron": 1, "layer": "conv", "method": "LayerGradCam"}, "cannot explain a neuron"),
        ({"neuron": [], "layer": "conv"}, "neuron"),
        ({"neuron": [0] * 9, "layer": "conv"}, "neuron"),
        ({"neuron": -1, "layer": "conv"}, "neuron"),
        ({"layer": "x" * 301}, "layer"),
        ({"layer": "conv:", "method": "LayerGradCam"}, "no layer 'conv:'"),
        ({"layer": "", "method": "LayerGradCam"}, "no layer ''"),
    ],
)
def test_what_does_not_fit_is_said_at_once(make: Make, question: dict[str, object], says: str) -> None:
    visualizer = make(targets={"margin": margin})
    get(visualizer, "/api/workspace")
    response = visualizer.app.test_client().post(
        "/api/attributions", json={"sample": 0, "method": "Saliency"} | question
    )
    assert (response.status_code, says in response.get_json()["message"]) == (422, True), response.text


def test_python_is_told_the_same(make: Make) -> None:
    visualizer = make()
    with pytest.raises(InsightsError, match="needs a layer"):
        visualizer.attributions(0, method="LayerGradCam")
    with pytest.raises(InsightsError, match="did you mean conv"):
        visualizer.attributions(0, method="LayerGradCam", layer="con")
    with pytest.raises(InsightsError, match="valid classes are 0 to 2"):
        visualizer.attributions(0, target=5)


def test_numbers_of_numpy_are_numbers(make: Make) -> None:
    visualizer, two = make(), np.int64(2)
    (found,) = visualizer.attributions(np.int64(0), method="InputXGradient", target=np.int64(0), against=two)
    (same,) = visualizer.attributions(0, method="InputXGradient", target=0, against=2)
    assert torch.equal(found, same)
    assert visualizer.attributions(0, method="InputXGradient", layer="conv", neuron=two)[0].shape == (3, 8, 8)


def test_a_selection_asks_about_its_layer_and_for_its_difference() -> None:
    chosen = Selection(samples=[1, 2], sample=1, target=0, against=2, layer="conv", method="LayerGradCam")
    assert chosen.request(1, "Saliency", None) == AttributionRequest(
        sample=1, target=0, against=2, layer="conv", method="LayerGradCam"
    )
    assert chosen.request(2, "Saliency", None).against is None
    assert Selection().request(1, "LayerGradCam", "conv").layer == "conv"


def test_other_questions_have_other_names(make: Make) -> None:
    visualizer = make(targets={"margin": margin})
    asked: list[dict[str, Any]] = [
        {"target": 0}, {"target": 0, "against": 2}, {"target": 0, "against": 1}, {"target": "margin"},
        {"layer": "conv", "neuron": 0}, {"layer": "conv", "neuron": [0, 0, 0]},
    ]  # fmt: skip
    assert len({explained(visualizer, **question)["id"] for question in asked}) == len(asked)


@pytest.mark.parametrize("kind", ["smoothgrad", "smoothgrad_sq", "vargrad"])
def test_a_gradient_method_is_smoothed(make: Make, kind: str) -> None:
    visualizer = make()
    arguments = {"abs": False, "smooth": kind, "smooth_samples": 3}
    first, again = (visualizer.attributions(0, method="Saliency", arguments=arguments)[0] for _ in range(2))
    (plain,) = visualizer.attributions(0, method="Saliency", arguments={"abs": False})
    assert torch.equal(first, again)
    assert not torch.equal(first, plain)
    answer = explained(visualizer, method="IntegratedGradients", arguments={"smooth": kind})["attribution"]
    assert (answer["signed"], answer["completeness"]) == (kind == "smoothgrad", None)
