"""The contract over a real workspace: what each request answers."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import attribution_core
from app import Batch, InsightsError
from app.data.features import BaseFeature, EmptyFeature, GeneralFeature, ImageFeature, Numbers, Picture, TextFeature
from app.explain.explanation import explain
from app.explain.methods import OFFERED, Method
from app.model.schedule import Device, Priority, Task
from app.schema import AttributionRequest

from .conftest import Make, Net, batches, explained, get, listed, scanned


def test_the_workspace_names_everything(make: Make) -> None:
    answer = get(make(title="Colours"), "/api/workspace")
    assert answer["title"] == "Colours"
    assert answer["task"] == "classification"
    assert answer["named"] == 3
    net = {"name": "Net", "device": "cpu", "parameters": 127, "outputs": 3, "task": "classification"}
    assert answer["models"] == [net | {"default_layer": None}]
    assert [f["kind"] for f in answer["features"]] == ["image"]
    assert [m["name"] for m in answer["methods"]] == list(OFFERED)


def test_class_names_may_be_numbered_as_hugging_face_does(make: Make) -> None:
    answer = get(make(classes={1: "green", 0: "red", 2: "blue"}), "/api/workspace")
    assert answer["classes"] == ["red", "green", "blue"]


@pytest.mark.parametrize(
    ("classes", "names", "named"),
    [
        ({0: "cat", 2: "dog"}, ["cat", "class 1", "dog"], 2),
        ({1: "one", 3: "three"}, ["class 0", "one", "class 2", "three"], 2),
        ({"0": "cat", "2": "dog"}, ["cat", "class 1", "dog"], 2),
    ],
)
def test_classes_given_by_number_name_their_own_column(
    make: Make, classes: dict[int, str], names: list[str], named: int
) -> None:
    answer = get(make(classes=classes), "/api/workspace")
    assert (answer["classes"], answer["named"]) == (names, named)


@pytest.mark.parametrize("classes", ["cat", {"cat": 0}, {-1: "cat"}, {10**12: "cat"}])
def test_classes_that_cannot_be_read_are_refused(make: Make, classes: object) -> None:
    with pytest.raises(InsightsError, match="classes cannot be read"):
        make(classes=classes)


def test_outputs_without_a_name_are_numbered(make: Make) -> None:
    answer = get(make(classes=["red"]), "/api/workspace")
    assert (answer["classes"], answer["named"]) == (["red", "class 1", "class 2"], 1)


def test_a_workspace_that_came_before_the_first_prediction_is_known_to_be_old(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.web.service.FIRST_LOOK", 0.05)
    gate = threading.Event()

    class Late(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            gate.wait(5)
            return x.mean((1, 2, 3))

    visualizer = make(models=[Late().eval()], classes=[], score_func=None)
    early = get(visualizer, "/api/workspace")
    assert get(visualizer, "/api/summary")["progress"]["workspace"] == early["revision"]
    gate.set()
    progress = scanned(visualizer)
    late = get(visualizer, "/api/workspace")
    assert (late["task"], late["classes"], late["models"][0]["outputs"]) == ("regression", ["class 0"], 1)
    assert late["revision"] == progress["workspace"] > early["revision"]


def test_a_regression_says_how_far_it_is_off(make: Make) -> None:
    class Mean(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((1, 2, 3))

    images = torch.tensor([0.5, 1.0, 3.0]).expand(3, 2, 2, 3).permute(3, 0, 1, 2)
    labels = torch.tensor([0.75, -1.0, float("nan")])
    visualizer = make(
        models=[Mean()], classes=[], score_func=None, features=EmptyFeature(), dataset=[Batch(images, labels)]
    )
    page = listed(visualizer, order="mistakes", scan_to=3)
    assert page["progress"]["labelled"] == 2
    assert [(s["index"], s["truth"], s["predictions"][0]["residual"]) for s in page["samples"]] == [
        (1, -1.0, 2.0),
        (0, 0.75, -0.25),
        (2, None, None),
    ]
    assert get(visualizer, "/api/summary")["mean_absolute_error"] == 1.125


def test_every_method_describes_a_form(make: Make) -> None:
    methods = {m["name"]: m for m in get(make(), "/api/workspace")["methods"]}
    steps = next(p for p in methods["IntegratedGradients"]["parameters"] if p["name"] == "n_steps")
    assert (steps["kind"], steps["default"], steps["minimum"]) == ("integer", 50, 2)
    assert steps["title"] == "Steps"
    assert [methods[name]["title"] for name in ("DeepLift", "GuidedBackprop")] == ["DeepLIFT", "Guided Backprop"]
    rule = next(p for p in methods["IntegratedGradients"]["parameters"] if p["name"] == "method")
    assert rule["kind"] == "choice"
    assert "gausslegendre" in rule["options"]
    assert [p["name"] for p in methods["Occlusion"]["parameters"]] == ["window", "stride"]
    assert [p["name"] for p in methods["FeatureAblation"]["parameters"]] == ["patch"]
    assert all(m["summary"] for m in methods.values())
    assert all(p["help"] for m in methods.values() for p in m["parameters"])


def test_samples_come_with_predictions_and_say_how_far_reading_is(make: Make) -> None:
    page = listed(make(), limit=5, scan_to=100)
    assert [s["index"] for s in page["samples"]] == [0, 1, 2, 3, 4]
    first = page["samples"][0]["predictions"][0]
    assert first["predicted"]["index"] == first["classes"][0]["index"]
    assert sum(c["score"] for c in first["classes"]) == pytest.approx(1, abs=1e-5)
    rest = listed(page_of := make(), limit=200, scan_to=100)
    assert rest["matched"] == rest["progress"]["scanned"] == 12
    assert rest["progress"]["exhausted"]
    assert get(page_of, "/api/summary")["progress"]["size"] == 12


def test_pages_follow_each_other(make: Make) -> None:
    visualizer = make()
    first = listed(visualizer, limit=7, scan_to=100)
    second = listed(visualizer, limit=7, cursor=first["next_cursor"])
    assert [s["index"] for s in first["samples"] + second["samples"]] == list(range(12))
    assert second["next_cursor"] is None


def test_a_sample_is_found_by_its_number(make: Make) -> None:
    visualizer = make()
    assert get(visualizer, "/api/samples/9")["index"] == 9
    assert get(visualizer, "/api/samples/9") == listed(visualizer, limit=20)["samples"][9]
    assert visualizer.app.test_client().get("/api/samples/12").status_code == 404


def test_the_incorrect_are_incorrect(make: Make) -> None:
    page = listed(make(), outcome="incorrect", scan_to=100, limit=100)
    assert page["samples"]
    for sample in page["samples"]:
        assert sample["predictions"][0]["predicted"] != sample["label"]


def test_the_summary_adds_up(make: Make) -> None:
    visualizer = make()
    listed(visualizer, limit=100, scan_to=100)
    answer = get(visualizer, "/api/summary", outcome="correct")
    assert answer["correct"] + answer["incorrect"] == 12
    assert answer["matched"] == answer["correct"]
    assert sum(c["count"] for c in answer["confusion"]) == 12
    assert sum(c["predicted"] for c in answer["classes"]) == 12
    histogram = answer["scores"]
    assert sum(histogram["correct"]) == answer["correct"]
    assert sum(histogram["incorrect"]) == answer["incorrect"]


def test_an_image_is_an_image_file(make: Make) -> None:
    visualizer = make()
    url = listed(visualizer, limit=1)["samples"][0]["inputs"][0]["url"]
    client = visualizer.app.test_client()
    response = client.get(f"/{url}")
    assert response.mimetype == "image/png"
    again = client.get(f"/{url}", headers={"If-None-Match": response.headers["ETag"]})
    assert again.status_code == 304


OF_INPUTS = [name for name in OFFERED if Method(name).of_inputs and not Method(name).uses_layer]
UNITS = {"Occlusion": "window", "ShapleyValues": "patch"}
FEW = {"ShapleyValues": {"patch": 4}}  # of whose features all sets are looked at


@pytest.mark.parametrize("method", OF_INPUTS)
def test_every_method_explains(make: Make, method: str) -> None:
    visualizer = make()
    job = explained(visualizer, method=method, arguments=FEW.get(method, {}))
    assert job["state"] == "done", job["error"]
    found = job["attribution"]["inputs"][0]
    removing = issubclass(getattr(attribution_core, method), attribution_core.PerturbationAttribution)
    assert [m["reduction"] for m in found["maps"]] == ["sum", *([] if removing else ["magnitude", "0", "1", "2"])]
    assert {m["unit"] for m in found["maps"]} == {UNITS.get(method, "pixel")}
    data = visualizer.app.test_client().get(f"/{found['maps'][0]['url']}").data
    values = np.frombuffer(data, "<f2").astype(np.float64) * found["maps"][0]["scale"]
    assert values.shape == (64,)
    assert np.isfinite(values).all()
    if method not in UNITS:  # where each pixel shows the value of more than itself
        assert values.sum() == pytest.approx(found["contribution"]["total"], rel=5e-3, abs=1e-5)


def test_complete_methods_say_whether_they_add_up(make: Make) -> None:
    answer = explained(make(), method="IntegratedGradients", arguments={"n_steps": 200})["attribution"]["completeness"]
    assert answer["delta"] == pytest.approx(answer["total"] - answer["change"])
    assert abs(answer["delta"]) < 0.01 * abs(answer["change"])


def test_an_explanation_that_misses_the_change_says_so(make: Make) -> None:
    class Steep(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            total = x.sum((1, 2, 3))
            return torch.stack([torch.sigmoid(100 * (total - 30)), -total], 1)

    visualizer = make(models=[Steep().eval()], dataset=[Batch(torch.full((1, 3, 8, 8), 0.9))], classes=["a", "b"])
    answer = explained(visualizer, method="IntegratedGradients", arguments={"n_steps": 2}, target=0)["attribution"]
    assert answer["completeness"]["adds_up"] is False
    assert not any("change of the output" in warning for warning in answer["warnings"])  # told once


def test_a_gradient_that_is_zero_everywhere_is_said(make: Make) -> None:
    class Flat(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.relu(-x.abs().sum((2, 3)) - 1)

    answer = explained(make(models=[Flat().eval()]), method="Saliency")["attribution"]
    assert any("zero" in warning for warning in answer["warnings"])


def test_training_mode_is_said_and_left_alone(make: Make) -> None:
    net = nn.Sequential(Net(), nn.Dropout(0.1)).train()
    answer = explained(make(models=[net]))["attribution"]
    assert any("training mode, in which Dropout" in warning for warning in answer["warnings"])
    assert net.training


def test_another_class_gives_another_map(make: Make) -> None:
    visualizer = make()
    first, second = (explained(visualizer, method="InputXGradient", target=target)["attribution"] for target in (0, 1))
    assert (first["target"]["name"], second["target"]["name"]) == ("red", "green")
    assert first["inputs"][0]["maps"][0]["maximum"] != second["inputs"][0]["maps"][0]["maximum"]


def test_the_label_is_explained_where_it_is_known(make: Make) -> None:
    visualizer = make()
    label = listed(visualizer, limit=1)["samples"][0]["label"]
    assert explained(visualizer)["attribution"]["target"] == label
    predicted = make(use_label_for_attr=False)
    best = listed(predicted, limit=1)["samples"][0]["predictions"][0]["predicted"]
    assert explained(predicted)["attribution"]["target"] == best


def test_the_same_question_has_the_same_id(make: Make) -> None:
    visualizer = make()
    plain = explained(visualizer, method="IntegratedGradients")
    spelled = explained(visualizer, method="IntegratedGradients", arguments={"n_steps": 50})
    other = explained(visualizer, method="IntegratedGradients", arguments={"n_steps": 51})
    assert plain["id"] == spelled["id"] != other["id"]


def test_baselines_are_chosen_or_averaged(make: Make) -> None:
    visualizer = make(features=[ImageFeature("Photo", [lambda x: x * 0, lambda x: x * 0 + 1])], models=[Net()])
    totals = [
        explained(visualizer, method="IntegratedGradients", baseline=b)["attribution"]["completeness"]["total"]
        for b in (0, 1, "mean")
    ]
    assert totals[2] == pytest.approx((totals[0] + totals[1]) / 2, rel=1e-4)


@pytest.mark.parametrize(
    ("question", "status", "says"),
    [
        ({"method": "Magic"}, 422, "no method 'Magic'"),
        ({"method": "IntegratedGradients", "arguments": {"n_steps": 0}}, 422, "n_steps=0"),
        ({"method": "IntegratedGradients", "arguments": {"steps": 5}}, 422, "steps"),
        ({"method": "Saliency", "sample": 10**6}, 404, "no sample 1000000"),
        ({"method": "Saliency", "model": 4}, 404, "no model 4"),
        ({"method": "Saliency", "sample": -1}, 422, "sample"),
        ({"method": "Saliency", "extra": 1}, 422, "extra"),
        ({}, 422, "method"),
    ],
)
def test_wrong_questions_are_refused_in_words(make: Make, question: dict[str, object], status: int, says: str) -> None:
    response = make().app.test_client().post("/api/attributions", json={"sample": 0} | question)
    assert response.status_code == status
    assert set(response.get_json()) == {"type", "message", "hint"}
    assert says in response.get_json()["message"]


def test_a_baseline_that_does_not_exist_is_refused(make: Make) -> None:
    job = explained(make(), method="IntegratedGradients", baseline=3)
    assert job["state"] == "failed"
    assert "no baseline 3" in job["error"]["message"]


class TwoInputs(nn.Module):
    """An image, token ids and a row of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 6)
        self.see, self.read, self.count = nn.Linear(48, 3), nn.Linear(6, 3), nn.Linear(2, 3)
        self.eval()

    def forward(self, image: Tensor, ids: Tensor, row: Tensor, scale: Tensor, mode: str) -> Tensor:
        assert mode == "sum"
        text = self.read(self.words(ids).mean(1))
        return (self.see(image.flatten(1)) + text + self.count(row)) * scale


@pytest.fixture
def multimodal(make: Make) -> object:
    words = ["the", "red", "house", "here"]
    torch.manual_seed(1)
    inputs = (torch.rand(3, 3, 4, 4), torch.randint(1, 20, (3, 4)), torch.rand(3, 2))
    return make(
        models=[TwoInputs(), TwoInputs()],
        features=[
            ImageFeature("Picture", [lambda x: x * 0]),
            TextFeature("Question", [lambda x: x * 0], [], lambda ids: words),
            GeneralFeature("Facts", ["age", "fare"]),
        ],
        dataset=[Batch(inputs, torch.tensor([0, 1, 2]), (torch.ones(3, 1), "sum"))],
    )


@pytest.mark.parametrize("method", sorted({*OF_INPUTS} - {"RISE"}))  # it masks pictures
def test_several_inputs_and_models_are_explained(multimodal: object, method: str) -> None:
    for model in (0, 1):
        job = explained(multimodal, method=method, model=model, arguments=FEW.get(method, {}))
        assert job["state"] == "done", job["error"]
        image, text, general = job["attribution"]["inputs"]
        assert (image["kind"], len(text["weights"]), len(general["weights"])) == ("image", 4, 2)
        shares = [part["contribution"]["share"] for part in (image, text, general)]
        assert sum(shares) == pytest.approx(1, abs=1e-5)


def test_several_models_each_predict(multimodal: object) -> None:
    sample = listed(multimodal, limit=1)["samples"][0]
    assert [p["model"] for p in sample["predictions"]] == [0, 1]
    assert sample["inputs"][1]["tokens"] == ["the", "red", "house", "here"]
    assert sample["inputs"][2]["categories"] == ["age", "fare"]


def test_integrated_gradients_of_tokens_add_up(multimodal: object) -> None:
    answer = explained(multimodal, method="IntegratedGradients")["attribution"]["completeness"]
    assert answer["total"] == pytest.approx(answer["change"], rel=1e-3, abs=1e-4)


def test_a_feature_of_ones_own(make: Make) -> None:
    class Loudness(BaseFeature):
        kind = "general"

        def show(self, data: Tensor) -> object:
            return Numbers(["left", "right"], data.mean((1, 2))[:2].tolist())

        def reduce(self, attribution: Tensor) -> np.ndarray:
            return attribution.sum((1, 2))[:2].numpy()

    visualizer = make(features=[Loudness("Sound")])
    assert listed(visualizer, limit=1)["samples"][0]["inputs"][0]["categories"] == ["left", "right"]
    assert len(explained(visualizer)["attribution"]["inputs"][0]["weights"]) == 2


def test_an_input_that_is_not_shown_contributes(make: Make) -> None:
    answer = explained(make(features=[EmptyFeature("hidden")]))["attribution"]["inputs"][0]
    assert answer["kind"] == "empty"
    assert answer["contribution"]["share"] == pytest.approx(1)


def test_a_map_style_dataset_is_scanned_as_far_as_wanted(make: Make) -> None:
    visualizer = make(dataset=TensorDataset(torch.rand(500, 3, 8, 8), torch.zeros(500).long()))
    page = get(visualizer, "/api/samples", limit=3)
    progress = scanned(visualizer)
    assert progress["size"] == 500
    assert page["progress"]["scanned"] <= progress["scanned"] < 100


def test_a_plain_function_is_a_model(make: Make) -> None:
    visualizer = make(models=lambda x: x.mean((2, 3)))
    assert explained(visualizer, method="IntegratedGradients")["state"] == "done"


def test_wrong_setups_are_refused_at_once(make: Make) -> None:
    for changes, says in (
        ({"models": []}, "at least one model"),
        ({"features": ["Photo"]}, "'Photo' is no feature"),
        ({"default_order": "newest"}, "orders: index, mistakes, confident, uncertain"),
        ({"features": []}, "at least one"),
        ({"default_method": "Magic"}, "no method 'Magic'"),
        ({"dataset": 5}, "dataset cannot be read"),
        ({"model_names": ["a", "b"]}, "2 model_names were given for 1"),
    ):
        with pytest.raises(InsightsError, match=says):
            make(**changes)


def test_a_cancelled_explanation_can_be_asked_again(make: Make) -> None:
    class Slow(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            time.sleep(0.05)
            return x.mean((2, 3))

    visualizer = make(models=[Slow().eval()], dataset=batches(1, 1))
    listed(visualizer, limit=1)
    client = visualizer.app.test_client()
    question = {"sample": 0, "method": "FeatureAblation", "arguments": {"patch": 1}}
    with torch.inference_mode():
        job = client.post("/api/attributions?client=a", json=question).get_json()
    cancelled = client.delete(f"/api/attributions/{job['id']}?client=a")
    assert cancelled.status_code == 200
    again = explained(visualizer, **question)
    assert again["state"] == "done"


def test_what_is_selected_may_be_said_with_the_poll(make: Make) -> None:
    gate, entered = threading.Event(), threading.Event()

    class Held(Net):
        def forward(self, x: Tensor) -> Tensor:
            if torch.is_grad_enabled():
                entered.set()
                gate.wait(5)
            return super().forward(x)

    visualizer = make(models=[Held()])
    client = visualizer.app.test_client()
    scanned(visualizer)
    ask = [{"sample": n, "method": "Saliency"} for n in (0, 1, 2)]
    ids = [client.post("/api/attributions?client=a", json=question).get_json()["id"] for question in ask]
    assert entered.wait(5)
    assert client.get(f"/api/attributions/{ids[2]}?client=a").get_json()["ahead"] == 2
    assert client.get(f"/api/attributions/{ids[2]}?client=a&first=true").get_json()["ahead"] == 1
    assert client.get(f"/api/attributions/{ids[1]}?client=a").get_json()["ahead"] == 2
    gate.set()


@pytest.mark.parametrize("method", ["IntegratedGradients", "DeepLift", "GuidedBackprop", "LRP", "KernelShap"])
def test_an_explanation_that_is_paused_gives_the_same_bits(make: Make, method: str) -> None:
    """The engine's modes and hooks of the one are not seen by the other, which runs in its midst."""
    model = Net()
    torch.manual_seed(0)
    plain, visualizer = make(models=[model]), make(models=[model])
    get(plain, "/api/samples")
    scanned(plain)
    expected = [plain.attributions(n, method=method)[0] for n in (0, 1)]
    get(visualizer, "/api/samples")
    scanned(visualizer)
    service = visualizer.service
    within: list[Tensor] = []
    pause = Device.pause

    def interrupted(device: Device, task: Task) -> float:
        if not within:
            within.append(torch.empty(0))
            urgent = Task(lambda: within.append(direct(1)), Priority.SELECTED)
            device.put(urgent)
        return pause(device, task)

    def direct(sample: int) -> Tensor:
        request = AttributionRequest(sample=sample, method=method)
        question, setup = service._question(request), service.setup
        found = explain(question, setup.source.example(sample), lambda *_: None, lambda: False)
        return torch.from_numpy(found.inputs[0].values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Device, "pause", interrupted)
        found = service.answer(AttributionRequest(sample=0, method=method))
    assert torch.equal(torch.from_numpy(found.inputs[0].values), expected[0])
    assert torch.equal(within[1], expected[1])


def test_a_finished_explanation_is_encoded_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    visualizer = make()
    job = explained(visualizer)
    monkeypatch.setattr("app.web.present.encode_map", None)
    client = visualizer.app.test_client()
    assert client.get(f"/api/attributions/{job['id']}").get_json()["attribution"] == job["attribution"]
    for each in job["attribution"]["inputs"][0]["maps"]:
        assert len(client.get(f"/{each['url']}").data) == 128


def test_a_picture_is_rendered_once(make: Make) -> None:
    rendered: list[int] = []

    class Counted(ImageFeature):
        def show(self, data: Tensor) -> Picture:
            rendered.append(1)
            return super().show(data)

    visualizer = make(features=[Counted("Photo")])
    scanned(visualizer)
    page = listed(visualizer, limit=4)
    assert [sample["inputs"][0]["width"] for sample in page["samples"]] == 4 * [8]
    assert listed(visualizer, limit=4)["samples"] == page["samples"]
    client = visualizer.app.test_client()
    for sample in page["samples"]:
        assert client.get(f"/{sample['inputs'][0]['url']}").status_code == 200
    assert len(rendered) == 4


def test_pictures_are_kept_in_bounded_memory(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.gallery.RENDERED", 3 * 8 * 8 * 2)
    visualizer = make()
    listed(visualizer, limit=12, scan_to=100)
    gallery = visualizer.service._gallery
    assert gallery._rendered.currsize <= 3 * 8 * 8 * 2
    assert visualizer.app.test_client().get("/api/samples/0/media/0").status_code == 200
    visualizer.close()
    assert not gallery._rendered
    assert not gallery._described


def endless() -> Iterator[Batch]:
    while True:
        yield Batch(torch.rand(4, 3, 8, 8), torch.zeros(4).long())
