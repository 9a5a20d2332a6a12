"""What must never happen, one test each."""

import copy
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from app import Batch, InsightsError
from app.data.features import ImageFeature

from ..waiting import wait_until
from .conftest import Make, Net, batches, explained, get, listed, scanned
from .test_service import endless


def test_a_filter_that_matches_nothing_answers(make: Make) -> None:
    page = listed(make(), predicted=[77], scan_to=100)
    assert (page["samples"], page["matched"], page["progress"]["scanned"]) == ([], 0, 12)


def test_a_filter_that_matches_nothing_on_endless_data_answers(make: Make) -> None:
    visualizer = make(dataset=endless())
    page = get(visualizer, "/api/samples", predicted=[77], scan_to=200)
    assert page["samples"] == []
    assert page["progress"]["size"] is None
    assert 200 <= scanned(visualizer)["scanned"] < 240


def test_no_request_reads_further_than_its_reach(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.index.scan.AHEAD", 50)
    visualizer = make(dataset=endless())
    client = visualizer.app.test_client()
    before = scanned(visualizer)["scanned"]
    for path in ("/api/samples/1000000000", f"/api/samples/{before + 50}", "/api/samples/1000000000/media/0"):
        response = client.get(path)
        assert response.status_code == 404
        assert f"yet: {before} have been read" in response.get_json()["message"]
    assert client.post("/api/attributions", json={"sample": 10**15, "method": "Saliency"}).status_code == 404
    assert scanned(visualizer)["scanned"] == before
    get(visualizer, "/api/summary", scan_to=10**15)
    further = scanned(visualizer)["scanned"]
    assert before + 50 <= further < before + 54
    get(visualizer, "/api/summary", scan_to=10**15)  # as the page does that has it in its address, every half second
    get(visualizer, "/api/samples", scan_to=10**15)
    assert scanned(visualizer)["scanned"] == further
    assert get(visualizer, f"/api/samples/{further + 30}")["index"] == further + 30
    get(visualizer, "/api/summary", scan_to=further + 80)
    assert scanned(visualizer)["scanned"] >= further + 80


def test_a_sample_beyond_the_end_is_refused_without_reading(make: Make) -> None:
    visualizer = make(dataset=TensorDataset(torch.rand(500, 3, 8, 8), torch.zeros(500).long()))
    response = visualizer.app.test_client().get("/api/samples/500")
    assert "there is no sample 500: the data has 500, numbered from 0" in response.get_json()["message"]
    assert get(visualizer, "/api/summary")["progress"]["scanned"] == 0


def test_the_first_sample_is_shown_before_the_second_is_read(make: Make) -> None:
    gate = threading.Event()

    class Slow:
        def __len__(self) -> int:
            return 100

        def __getitem__(self, number: int) -> Tensor:
            if number:
                gate.wait(5)
            return torch.rand(3, 8, 8)

    visualizer = make(dataset=Slow())
    assert get(visualizer, "/api/samples/0")["index"] == 0
    page = get(visualizer, "/api/samples", limit=4)
    assert [sample["index"] for sample in page["samples"]] == [0]
    assert explained(visualizer)["state"] == "done"
    gate.set()
    assert scanned(visualizer)["scanned"] == 4


def test_unlabelled_data_answers(make: Make) -> None:
    visualizer = make(dataset=batches(labelled=False))
    page = listed(visualizer, scan_to=100)
    assert page["samples"][0]["label"] is None
    assert page["samples"][0]["predictions"][0]["correct"] is None
    assert listed(visualizer, outcome="incorrect")["samples"] == []
    assert get(visualizer, "/api/summary")["unlabelled"] == 12
    assert explained(visualizer)["state"] == "done"


@pytest.mark.parametrize("dataset", [[], iter(())])
def test_an_empty_dataset_answers(make: Make, dataset: Any) -> None:
    visualizer = make(dataset=dataset)
    assert get(visualizer, "/api/workspace")["task"] == "classification"
    page = listed(visualizer)
    assert (page["samples"], page["progress"]["exhausted"], page["progress"]["error"]) == ([], True, None)
    assert get(visualizer, "/api/summary")["scores"] is None


def test_a_dataset_that_blocks_answers(make: Make) -> None:
    gate = threading.Event()

    def blocking() -> Iterator[Batch]:
        yield from batches(1)
        gate.wait(30)

    visualizer = make(dataset=blocking())
    assert get(visualizer, "/api/samples/3")["index"] == 3
    page = get(visualizer, "/api/samples", scan_to=100)
    assert len(page["samples"]) == 4
    assert page["progress"]["scanning"]
    assert explained(visualizer)["state"] == "done"
    gate.set()


def test_a_drawing_that_never_ends_keeps_nobody_else_waiting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.service.FIRST_LOOK", 0.1)
    gate, data = threading.Event(), list(batches())

    def stuck(image: Tensor) -> Tensor:
        if torch.equal(image[0], data[0].inputs[1]):
            gate.wait(30)
        return image

    visualizer = make(dataset=data, features=[ImageFeature("Photo", visualization_transform=stuck)])
    get(visualizer, "/api/summary", scan_to=100)
    scanned(visualizer)
    for _ in range(3):  # as a page asks again and again: it waits for the same drawing
        samples = get(visualizer, "/api/samples")["samples"]
        assert [sample["error"] is None for sample in samples] == [True, False, *10 * [True]]
    assert samples[1]["error"]["type"] == "Not yet"
    assert "sample 1 is still being read and drawn" in get(visualizer, "/api/samples/1")["error"]["message"]
    assert visualizer.app.test_client().get("/api/samples/1/media/0").status_code == 503
    assert explained(visualizer, sample=2)["state"] == "done"
    gate.set()
    assert wait_until(lambda: get(visualizer, "/api/samples/1")["error"] is None)


def test_an_item_that_never_comes_again_keeps_nobody_waiting(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.web.service.FIRST_LOOK", 0.1)
    monkeypatch.setattr("app.data.source.MEMORY", 0)
    gate, read = threading.Event(), list[int]()

    class Twice:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, number: int) -> Tensor:
            read.append(number)
            if read.count(1) > 1:
                gate.wait(30)
            return torch.full((3, 8, 8), number / 4)

    visualizer = make(dataset=Twice())
    get(visualizer, "/api/summary", scan_to=4)
    scanned(visualizer)
    client = visualizer.app.test_client()
    question = {"sample": 1, "method": "Saliency"}
    assert {client.post("/api/attributions", json=question).status_code for _ in range(6)} == {503}
    assert len(get(visualizer, "/api/samples")["samples"]) == 4
    gate.set()
    wait_until(lambda: client.post("/api/attributions", json=question).status_code == 200)


def test_a_dataset_that_fails_says_so_and_keeps_what_it_gave(make: Make) -> None:
    def failing() -> Iterator[Batch]:
        yield from batches(1)
        raise OSError("disk on fire")

    page = listed(make(dataset=failing()), scan_to=100)
    assert len(page["samples"]) == 4
    assert page["progress"]["error"] == {
        "type": "OSError",
        "message": "disk on fire",
        "hint": "Reading the dataset failed after 4 samples, which stay.",
    }


def test_a_transform_that_fails_is_said_on_its_sample_only(make: Make) -> None:
    def picky(x: Tensor) -> Tensor:
        if x.sum() > 96:
            raise ValueError("too bright")
        return x

    visualizer = make(features=[ImageFeature("Photo", None, [picky])])
    page = listed(visualizer, scan_to=100, limit=100)
    failed = [s for s in page["samples"] if s["error"]]
    assert 0 < len(failed) < 12
    assert page["progress"]["failed"] == len(failed)
    assert all(s["error"]["message"] == "too bright" and s["inputs"] for s in failed)
    hint = "An input transform of feature 'Photo' was given float32 (3, 8, 8)."
    assert {s["error"]["hint"] for s in failed} == {hint}
    job = explained(visualizer, sample=failed[0]["index"])
    assert (job["state"], job["error"]["message"]) == ("failed", "too bright")


def test_a_model_that_fails_on_one_sample_spoils_no_other(make: Make) -> None:
    class Picky(Net):
        def forward(self, x: Tensor) -> Tensor:
            if bool((x.sum((1, 2, 3)) > 0.3).any()):
                raise RuntimeError("shapes cannot be multiplied")
            return super().forward(x)

    page = listed(make(models=[Picky()]), scan_to=100, limit=100)
    failed = [(s["error"]["message"], s["error"]["hint"]) for s in page["samples"] if s["error"]]
    assert 0 < len(failed) < 12
    assert set(failed) == {("shapes cannot be multiplied", "The model Picky was called with float32 (1, 3, 8, 8).")}


def leaves(*_: Any) -> Any:
    raise SystemExit(1)


def test_a_model_that_ends_the_program_fails_its_explanation_alone(make: Make) -> None:
    class Leaving(Net):
        bad = True

        def forward(self, x: Tensor) -> Tensor:
            if torch.is_grad_enabled() and self.bad:
                raise SystemExit(1)
            return super().forward(x)

    model = Leaving()
    visualizer = make(models=[model])
    failed = explained(visualizer)
    assert (failed["state"], failed["error"]["type"]) == ("failed", "SystemExit")
    assert "which ends a program" in failed["error"]["message"]
    with pytest.raises(InsightsError, match="which ends a program"):
        visualizer.attributions(1)
    model.bad = False
    assert explained(visualizer, sample=2)["state"] == "done"


@pytest.mark.parametrize(
    "changes",
    [
        {"models": leaves},
        {"features": [ImageFeature("Photo", None, [leaves])]},
        {"score_func": leaves},
    ],
    ids=["model", "transform", "score_func"],
)
def test_code_that_ends_the_program_while_scanning_fails_its_samples_alone(make: Make, changes: dict[str, Any]) -> None:
    visualizer = make(**changes)
    progress = listed(visualizer, scan_to=100)["progress"]
    assert (progress["scanned"], progress["failed"], progress["exhausted"]) == (12, 12, True)
    assert get(visualizer, "/api/samples/3")["error"]["type"] == "SystemExit"


def test_data_that_end_the_program_end_the_data(make: Make) -> None:
    def leaving() -> Iterator[Batch]:
        yield from batches(1)
        raise KeyboardInterrupt

    page = listed(make(dataset=leaving()), scan_to=100)
    assert (len(page["samples"]), page["progress"]["scanning"]) == (4, False)
    assert page["progress"]["error"]["type"] == "KeyboardInterrupt"


def test_an_item_that_ends_the_program_is_one_sample_that_cannot_be_read(make: Make) -> None:
    class Items:
        def __len__(self) -> int:
            return 5

        def __getitem__(self, number: int) -> tuple[Tensor, int]:
            if number == 2:
                raise SystemExit
            return torch.rand(3, 8, 8), 0

    visualizer = make(dataset=Items())
    page = listed(visualizer, scan_to=100)
    assert [s["index"] for s in page["samples"] if s["error"]] == [2]
    response = visualizer.app.test_client().get("/api/samples/2/media/0")
    assert (response.status_code, response.get_json()["type"]) == (400, "SystemExit")


def test_a_view_that_ends_the_program_is_said_on_its_sample(make: Make) -> None:
    class Leaving(ImageFeature):
        show = leaves

    sample = get(make(features=[Leaving("Photo")]), "/api/samples/0")
    assert (sample["inputs"], sample["error"]["type"]) == ([], "SystemExit")


def test_closing_ends_every_thread_also_amid_reading_and_a_long_explanation(make: Make) -> None:
    before = set(threading.enumerate())
    visualizer = make(dataset=endless())
    get(visualizer, "/api/samples", scan_to=5000)
    long = {"sample": 0, "method": "KernelShap", "arguments": {"n_samples": 5000}}
    assert visualizer.app.test_client().post("/api/attributions?client=a", json=long).status_code == 200
    visualizer.close()
    wait_until(lambda: not set(threading.enumerate()) - before)


def test_reading_goes_on_beside_a_long_explanation(make: Make) -> None:
    visualizer = make(dataset=endless())
    target = scanned(visualizer)["scanned"] + 40
    client = visualizer.app.test_client()
    long = {"sample": 0, "method": "KernelShap", "arguments": {"n_samples": 20000}}
    job = client.post("/api/attributions?client=a", json=long).get_json()

    def under_way() -> Any:
        now = client.get(f"/api/attributions/{job['id']}?client=a").get_json()
        assert now["state"] in ("queued", "running")
        return now

    def beside() -> Any:
        now = under_way()
        return now if get(visualizer, "/api/summary", scan_to=target)["progress"]["scanned"] >= target else None

    def selected() -> bool:
        question = {"sample": 1, "method": "Saliency"}
        done = client.post("/api/attributions?client=b&first=true", json=question).get_json()["state"] == "done"
        return bool(under_way()) and done

    done = wait_until(beside)["done"]
    wait_until(selected)
    assert under_way()["done"] >= done


def test_two_tabs_do_not_disturb_each_other(make: Make) -> None:
    visualizer = make()
    one, two = visualizer.app.test_client(), visualizer.app.test_client()
    listed(visualizer, scan_to=100)
    before = one.get("/api/samples?outcome=incorrect&scan_to=100").get_json()
    two.get("/api/samples?outcome=correct&order=confident&predicted=1")
    two.post("/api/attributions", json={"sample": 1, "method": "DeepLift", "target": 2})
    after = one.get("/api/samples?outcome=incorrect&scan_to=100").get_json()
    assert before["samples"] == after["samples"]


def test_two_visualizers_know_nothing_of_each_other(make: Make) -> None:
    first, second = make(title="one"), make(title="two", dataset=batches(1))
    addresses = [first.serve(), second.serve()]
    assert addresses[0] != addresses[1]
    assert get(first, "/api/workspace")["title"] == "one"
    assert listed(second, scan_to=100)["progress"]["scanned"] == 4
    first.close()
    assert get(second, "/api/workspace")["title"] == "two"


def test_a_model_is_never_changed(make: Make) -> None:
    net = Net()
    before = copy.deepcopy(net)
    visualizer = make(models=[net])
    for method in ("IntegratedGradients", "DeepLift", "GuidedBackprop", "Occlusion"):
        assert explained(visualizer, method=method)["state"] == "done"
    assert vars(net).keys() == vars(before).keys()
    assert net.state_dict().keys() == before.state_dict().keys()
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), before.parameters(), strict=True))
    assert all(p.grad is None and p.requires_grad for p in net.parameters())
    hooks = [m for m in net.modules() if m._forward_hooks or m._backward_hooks or m._forward_pre_hooks]
    assert not hooks
    assert net.training is before.training


def test_a_shared_default_is_never_changed(make: Make) -> None:
    visualizer = make()
    before = get(visualizer, "/api/workspace")
    explained(visualizer, method="Occlusion", arguments={"window": 3, "stride": 1})
    assert get(visualizer, "/api/workspace") == before
    assert get(make(), "/api/workspace") == before


def test_no_nan_reaches_the_json(make: Make) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.mean((1, 2, 3)), x.sum((1, 2, 3)) / 0, torch.sqrt(-x.abs().sum((1, 2, 3)))], 1)

    visualizer = make(models=[Broken().eval()], score_func=None)
    client = visualizer.app.test_client()
    listed(visualizer, scan_to=100)
    texts = [client.get("/api/samples?scan_to=100").text, client.get("/api/summary").text]
    for method in ("Saliency", "IntegratedGradients"):
        for target in (0, 1, 2):
            job = explained(visualizer, method=method, target=target)
            assert job["state"] == "done", job["error"]
            texts.append(client.get(f"/api/attributions/{job['id']}").text)
    for text in texts:
        json.loads(text, parse_constant=pytest.fail)
    assert any("not all finite" in text for text in texts)


@pytest.mark.parametrize("channels", [1, 2, 4, 13])
def test_any_number_of_channels_works(make: Make, channels: int) -> None:
    visualizer = make(models=[Net(channels)], dataset=batches(channels=channels))
    sample = listed(visualizer, limit=1)["samples"][0]
    assert sample["error"] is None
    assert visualizer.app.test_client().get(f"/{sample['inputs'][0]['url']}").status_code == 200
    for method in ("IntegratedGradients", "Occlusion", "FeatureAblation"):
        job = explained(visualizer, method=method)
        assert job["state"] == "done", job["error"]


@pytest.mark.parametrize("score_func", [None, torch.sigmoid])
@pytest.mark.parametrize("flat", [True, False])
def test_a_one_logit_model_works(make: Make, score_func: Any, flat: bool) -> None:
    class OneLogit(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            logit = (x**2).mean((1, 2, 3))
            return logit if flat else logit[:, None]

    visualizer = make(models=[OneLogit().eval()], classes=["no", "yes"], score_func=score_func)
    assert get(visualizer, "/api/workspace")["task"] == "binary"
    sample = listed(visualizer, limit=1)["samples"][0]
    assert sample["predictions"][0]["predicted"]["name"] == "yes"
    for method in ("IntegratedGradients", "FeatureAblation"):
        yes, no = (explained(visualizer, method=method, target=t)["attribution"] for t in (1, 0))
        assert yes["output"] == pytest.approx(-no["output"])
        totals = [answer["inputs"][0]["contribution"]["total"] for answer in (yes, no)]
        assert totals[0] == pytest.approx(-totals[1], rel=1e-4)


def test_no_score_func_works(make: Make) -> None:
    visualizer = make(score_func=None)
    assert listed(visualizer, limit=1)["samples"][0]["predictions"][0]["predicted"] is not None
    assert explained(visualizer)["state"] == "done"


def test_a_request_that_breaks_us_is_an_answer_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    visualizer = make()
    monkeypatch.setattr(visualizer.service, "summary", lambda query: 1 / 0)
    response = visualizer.app.test_client().get("/api/summary")
    assert response.status_code == 500
    error = response.get_json()
    assert (error["type"], error["message"]) == ("ZeroDivisionError", "division by zero")
    assert "Traceback" not in response.text


def test_addresses_that_do_not_exist_answer_in_the_same_shape(make: Make) -> None:
    client = make().app.test_client()
    for path in (
        "/api/nothing",
        "/api/samples/99999/media/0",
        "/api/attributions/none",
        "/api/attributions/x/maps/0/sum",
    ):
        response = client.get(path)
        assert response.status_code == 404
        assert set(response.get_json()) == {"type", "message", "hint"}
