import pytest
import torch
from torch import Tensor, nn

from app import Batch
from app.data.features import GeneralFeature
from app.explain.doubts import completeness, doubts
from app.model.case import Finding

from .conftest import Make, explained


def finding(output: float, reference: float | None = 0.0) -> Finding:
    return Finding([torch.ones(2)], output, reference, [])


@pytest.mark.parametrize(
    ("total", "adds_up"), [(1.0, True), (1.049, True), (0.951, True), (1.051, False), (0.949, False)]
)
def test_attributions_add_up_within_a_twentieth(total: float, adds_up: bool) -> None:
    complete = completeness(total, 2.0, finding(1.0))
    assert complete is not None
    assert complete.adds_up is adds_up
    said = doubts([torch.ones(2)], finding(1.0), complete, {"n_steps": 50}, in_training=False)
    assert said == ([] if adds_up else ["The attributions miss the change of the output by 5%. Use more steps."])


@pytest.mark.parametrize(
    ("absolute", "said"), [(19.9, []), (63.0, ["The attributions cancel: their absolute sum is 63 times the change."])]
)
def test_attributions_that_cancel_are_said_to(absolute: float, said: list[str]) -> None:
    complete = completeness(1.0, absolute, finding(1.0))
    assert complete is not None
    assert complete.cancellation == absolute
    assert doubts([torch.ones(2)], finding(1.0), complete, {}, in_training=False) == said


def test_a_sum_of_zero_has_no_cancellation() -> None:
    complete = completeness(0.0, 5.0, finding(1.0))
    assert complete is not None
    assert complete.cancellation is None


@pytest.mark.parametrize("output", [float("nan"), float("inf")])
def test_an_output_that_is_not_finite_is_doubted_whatever_its_gradient(make: Make, output: float) -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x.sum(1), x.sum(1) + output], 1)

    visualizer = make(
        models=[Broken().eval()],
        features=[GeneralFeature("x", ["a"])],
        dataset=[Batch(torch.ones(1, 1))],
        score_func=None,
    )
    answer = explained(visualizer, target=1)["attribution"]
    assert answer["output"] is None
    assert answer["warnings"] == [f"The explained output itself is {output}: no attribution explains that."]
    assert explained(visualizer, target=0)["attribution"]["warnings"] == []


def test_a_baseline_without_a_finite_output_is_doubted() -> None:
    said = doubts([torch.ones(2)], finding(1.0, float("nan")), None, {}, in_training=False)
    assert said == ["The output at the baseline is nan; try another baseline."]
