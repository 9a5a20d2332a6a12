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
    assert doubts(finding(1.0)) == []  # what is told once, as numbers


@pytest.mark.parametrize(("absolute", "cancels"), [(1.0, False), (19.9, False), (63.0, True)])
def test_attributions_that_cancel_are_said_to(absolute: float, cancels: bool) -> None:
    complete = completeness(1.0, absolute, finding(1.0))
    assert complete is not None
    assert complete.cancellation == absolute
    assert complete.cancels is cancels


@pytest.mark.parametrize(("absolute", "cancels"), [(5.0, True), (0.0, False)])
def test_a_sum_of_zero_cancels_without_a_ratio(absolute: float, cancels: bool) -> None:
    complete = completeness(0.0, absolute, finding(1.0))
    assert complete is not None
    assert complete.cancellation is None
    assert complete.cancels is cancels


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
    said = doubts(finding(1.0, float("nan")))
    assert said == ["The output at the baseline is nan; try another baseline."]
