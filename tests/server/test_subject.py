"""One door to the user's code: what is looked at stays as it was, whatever the user's functions do."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from app import AttributionVisualizer, Batch
from app.data.features import BaseFeature, GeneralFeature, ImageFeature, Numbers, Picture, Words
from app.model.outputs import Outputs
from app.model.subject import Subject
from app.model.weights import Weights

from .conftest import Make, Net, batches, explained, get, listed


def subject(model: nn.Module) -> Subject:
    return Subject("net", model, [GeneralFeature("x", list("abc"))], Outputs({}, None))


def over(make: Make, model: nn.Module | list[nn.Module], data: Any = None, **options: Any) -> AttributionVisualizer:
    return make(
        models=model,
        classes=["a", "b"],
        features=[GeneralFeature("x", list("abc"), **options)],
        dataset=data or [Batch(torch.full((1, 3), 5.0))],
        score_func=None,
    )


class Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([x.sum(1), -x.sum(1)], 1)


class InPlace(nn.Module):
    """Changes what it is given, further arguments too."""

    def forward(self, x: Tensor, *extra: Tensor) -> Tensor:
        x -= 1
        for each in extra:
            each.add_(1)
        score = x.sum(1) + sum(each.sum(1) for each in extra)
        return torch.stack([score, -score], 1)


# ── looking changes nothing ──────────────────────────────────────────────────────────────────────────────────────────


def test_batch_norm_in_training_mode_is_not_moved_by_looking(make: Make) -> None:
    net = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2)).train()
    before = copy.deepcopy(net.state_dict())
    visualizer = over(make, net, [Batch(torch.rand(8, 3) + 5)])
    listed(visualizer, scan_to=100)
    explained(visualizer, method="IntegratedGradients")
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.parametrize("extra", [None, (torch.ones(1, 2),)])
def test_a_model_that_works_in_place_changes_no_sample(make: Make, extra: Any) -> None:
    visualizer = over(make, InPlace().eval(), [Batch(torch.full((1, 3), 5.0), None, extra)])
    expected = 12 + (0 if extra is None else 4)
    for method in ("Saliency", "InputXGradient", "FeatureAblation", "IntegratedGradients"):
        answer = explained(visualizer, method=method, target=0)["attribution"]
        assert answer["output"] == expected
        assert (answer["completeness"] or {"change": 15})["change"] == 15
        assert get(visualizer, "/api/samples/0")["inputs"][0]["values"] == [5, 5, 5]
    assert get(visualizer, "/api/samples/0")["predictions"][0]["classes"][0]["score"] == expected


def test_two_models_see_the_same_input_whatever_a_transform_does(make: Make) -> None:
    visualizer = over(make, [Sum().eval(), Sum().eval()], input_transforms=[lambda x: x.sub_(1)])
    sample = get(visualizer, "/api/samples/0")
    assert [p["classes"][0]["score"] for p in sample["predictions"]] == [12, 12]
    assert [explained(visualizer, target=0, model=m)["attribution"]["output"] for m in (0, 1, 0)] == [12, 12, 12]
    assert get(visualizer, "/api/samples/0")["inputs"][0]["values"] == [5, 5, 5]


@pytest.mark.parametrize("role", ["input_transforms", "baseline_transforms", "visualization_transform"])
@pytest.mark.parametrize("map_style", [True, False])
def test_functions_that_work_in_place_change_neither_sample_nor_data_set(
    make: Make, role: str, map_style: bool
) -> None:
    data = torch.full((2, 3), 5.0)
    dataset: Any = TensorDataset(data, torch.zeros(2).long()) if map_style else [Batch(data, torch.zeros(2).long())]
    visualizer = over(make, Sum().eval(), dataset, **{role: lambda x: x.div_(2)})
    expected = 7.5 if role == "input_transforms" else 15
    for steps in (10, 11):
        sample = get(visualizer, "/api/samples/0")
        assert sample["inputs"][0]["values"] == [2.5 if role == "visualization_transform" else 5] * 3
        answer = explained(visualizer, method="IntegratedGradients", target=0, arguments={"n_steps": steps})
        assert answer["attribution"]["output"] == expected
        change = expected / 2 if role == "baseline_transforms" else expected
        assert answer["attribution"]["completeness"]["change"] == pytest.approx(change)
    assert bool((data == 5).all())


def test_baselines_that_work_in_place_do_not_see_each_other(make: Make) -> None:
    visualizer = over(make, Sum().eval(), baseline_transforms=[lambda x: x.zero_(), lambda x: x.div_(5)])
    changes = [
        explained(visualizer, method="IntegratedGradients", target=0, baseline=k)["attribution"]["completeness"][
            "change"
        ]
        for k in (0, 1)
    ]
    assert changes == pytest.approx([15, 12])


def test_baselines_of_ones_own_that_work_in_place_change_no_input(make: Make) -> None:
    class Own(GeneralFeature):
        def baselines(self, transformed: Tensor) -> list[Tensor]:
            return [transformed.zero_()]

    visualizer = make(models=Sum().eval(), features=Own("x", ["a"]), dataset=[Batch(torch.ones(1, 3))], score_func=None)
    answer = explained(visualizer, method="IntegratedGradients", target=0)["attribution"]
    assert (answer["output"], answer["completeness"]["change"]) == (3, 3)


def test_a_view_of_ones_own_that_works_in_place_changes_no_sample(make: Make) -> None:
    class Own(BaseFeature):
        def show(self, data: Tensor) -> Numbers:
            return Numbers(list("abc"), data.mul_(2).tolist())

    visualizer = make(models=Sum().eval(), features=Own("x"), dataset=[Batch(torch.ones(1, 3))], score_func=None)
    for _ in range(2):
        assert get(visualizer, "/api/samples/0")["inputs"][0]["values"] == [2, 2, 2]
    assert explained(visualizer, target=0)["attribution"]["output"] == 3


# ── weights that change ──────────────────────────────────────────────────────────────────────────────────────────────


def test_weights_that_change_get_new_answers_and_are_said(make: Make) -> None:
    net = nn.Linear(3, 2).eval()
    visualizer = over(make, net)
    listed(visualizer, scan_to=100)
    before = visualizer.attributions(0, method="Saliency", target=0)[0]
    assert get(visualizer, "/api/summary")["progress"]["changed_models"] == []
    net.weight.data.mul_(8)  # and back without rounding
    assert torch.allclose(visualizer.attributions(0, method="Saliency", target=0)[0], 8 * before)
    assert get(visualizer, "/api/summary")["progress"]["changed_models"] == ["Linear"]
    net.weight.data.div_(8)
    assert torch.allclose(visualizer.attributions(0, method="Saliency", target=0)[0], before)
    assert listed(visualizer)["progress"]["changed_models"] == []


@pytest.mark.parametrize(
    ("change", "noticed"),
    [
        (lambda net: net[0].weight.data.mul_(1.001), True),
        (lambda net: torch.optim.SGD(net.parameters(), 0.1).step(), True),
        (lambda net: net[1].running_mean.add_(1), True),
        (lambda net: nn.init.zeros_(net[0].bias), True),
        (lambda net: net[0].weight.detach().view(-1)[7].add_(1), True),
        (lambda net: net.load_state_dict(copy.deepcopy(net.state_dict())), False),
        (lambda net: net(torch.rand(4, 30)), False),
        (lambda net: net.train().eval(), False),
    ],
)
def test_changed_weights_are_noticed_and_others_not(change: Callable[[nn.Module], object], noticed: bool) -> None:
    net = nn.Sequential(nn.Linear(30, 40), nn.BatchNorm1d(40)).eval()
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    weights = Weights(net)
    before = weights.fingerprint()
    change(net)
    assert (weights.fingerprint() != before) is noticed


def test_weights_without_numbers_have_a_fingerprint() -> None:
    odd = [nn.LazyLinear(3), nn.Linear(3, 3, device="meta"), nn.Identity(), nn.Linear(3, 3, dtype=torch.complex64)]
    assert len({Weights(net).fingerprint() for net in odd}) == 2
    with torch.inference_mode():
        net = nn.Linear(3, 3)
    assert Weights(net).fingerprint()


# ── tasks and labels ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("order", [1, -1])
def test_each_model_has_its_own_task(make: Make, order: int) -> None:
    models = [nn.Linear(3, 4).eval(), nn.Linear(3, 1).eval()][::order]
    visualizer = make(
        models=models,
        classes=[],
        features=[GeneralFeature("x", list("abc"))],
        dataset=[Batch(torch.rand(4, 3), torch.tensor([0, 1, 2, 3]))],
        score_func=None,
    )
    listed(visualizer, scan_to=100)
    workspace = get(visualizer, "/api/workspace")
    assert workspace["task"] == "classification"
    assert [m["task"] for m in workspace["models"]] == ["classification", "regression"][::order]
    labels = [p["correct"] for p in get(visualizer, "/api/samples/0")["predictions"]]
    assert [label is None for label in labels] == [False, True][::order]


def test_a_label_beyond_the_outputs_explains_the_predicted_class_and_says_so(make: Make) -> None:
    visualizer = make(dataset=[Batch(torch.rand(2, 3, 8, 8), torch.tensor([1, 12]))])
    listed(visualizer, scan_to=100)
    answer = explained(visualizer, sample=1)["attribution"]
    predicted = get(visualizer, "/api/samples/1")["predictions"][0]["predicted"]
    said = "The label, class 12, is none of the model's 3 outputs: the predicted class is explained."
    assert answer["target"] == predicted
    assert said in answer["warnings"]
    assert said not in explained(visualizer, sample=1, target=predicted["index"])["attribution"]["warnings"]
    assert listed(visualizer, actual=12)["matched"] == 1


def test_samples_that_could_not_be_read_are_told_from_those_that_could_not_be_predicted(make: Make) -> None:
    class Holes:
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> tuple[Tensor, int]:
            if index == 1:
                raise OSError("gone")
            return torch.rand(3, 8, 8 if index else 9), 0

    class Picky(Net):
        def forward(self, x: Tensor) -> Tensor:
            if x.shape[-1] != 8:
                raise ValueError("no")
            return super().forward(x)

    progress = listed(make(models=[Picky()], dataset=Holes()), scan_to=100)["progress"]
    assert (progress["failed"], progress["unreadable"]) == (2, 1)


# ── what show() gives decides ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("shown", "kind"),
    [(Words(list("abcd")), "text"), (Numbers(list("abcd"), [1.0] * 4), "general"), (None, "empty")],
)
@pytest.mark.parametrize("declared", ["general", "image", "empty"])
def test_what_is_shown_decides_how_the_attribution_is_drawn(make: Make, shown: Any, kind: str, declared: Any) -> None:
    class Mine(BaseFeature):
        def show(self, data: Tensor) -> Any:
            return shown

    Mine.kind = declared
    visualizer = make(models=Sum().eval(), features=Mine("x"), dataset=[Batch(torch.ones(1, 4))], score_func=None)
    (attributed,) = explained(visualizer, method="InputXGradient", target=0)["attribution"]["inputs"]
    assert (get(visualizer, "/api/samples/0")["inputs"][0]["kind"], attributed["kind"]) == (kind, kind)
    assert attributed.get("weights", [1] * 4) == [1] * 4


def test_a_picture_whose_attribution_is_no_map_is_refused_in_words(make: Make) -> None:
    class Plot(BaseFeature):
        def show(self, data: Tensor) -> Picture:
            return Picture(torch.zeros(4, 4, 3, dtype=torch.uint8).numpy())

    visualizer = make(models=Sum().eval(), features=Plot("x"), dataset=[Batch(torch.ones(1, 4))], score_func=None)
    job = explained(visualizer, target=0)
    assert (job["state"], job["error"]["type"]) == ("failed", "Refused")
    assert job["error"]["message"] == "feature 'x' is shown as an image, but its attribution has shape (4,)"


def test_a_series_in_a_row_of_its_own_keeps_its_steps(make: Make) -> None:
    class Series(BaseFeature):
        def show(self, data: Tensor) -> Numbers:
            return Numbers([f"step {i}" for i in range(60)], data.reshape(-1).tolist())

    class Rising(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            score = (x[:, 0] * torch.arange(60.0)).sum(1)
            return torch.stack([score, -score], 1)

    visualizer = make(
        models=Rising().eval(), features=Series("ECG"), dataset=[Batch(torch.ones(1, 1, 60))], score_func=None
    )
    for method in ("FeatureAblation", "Occlusion", "InputXGradient"):
        assert visualizer.attributions(0, method=method, target=0)[0].tolist() == pytest.approx(list(range(60)))
    fives = visualizer.attributions(0, method="Occlusion", target=0, arguments={"window": 5, "stride": 5})[0]
    assert fives.tolist() == pytest.approx([5 * (i // 5) + 2 for i in range(60)])


def test_what_cannot_be_shown_is_said(make: Make) -> None:
    class Mine(BaseFeature):
        def show(self, data: Tensor) -> Any:
            return ["a", "b"]

    visualizer = make(models=Sum().eval(), features=Mine("x"), dataset=[Batch(torch.ones(1, 2))], score_func=None)
    said = get(visualizer, "/api/samples/0")["error"]["message"]
    assert said == "feature 'x' cannot be shown: its show() gave a list"


def test_a_view_that_fails_does_not_hide_the_numbers(make: Make) -> None:
    visualizer = make(features=[ImageFeature("x", visualization_transform=lambda x: 1 / 0)], dataset=batches(1))
    assert get(visualizer, "/api/samples/0")["error"]["type"] == "ZeroDivisionError"
    assert explained(visualizer)["attribution"]["inputs"][0]["kind"] == "image"
