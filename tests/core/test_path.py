"""Integrated gradients that go on until they are complete."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attribution_core import AttributionError, AttributionWarning, IntegratedGradients, observe
from attribution_core.methods.paths import quadrature


class Steep(nn.Module):
    """A score whose slope is all in one place for some examples: few steps miss it."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = 0

    def forward(self, x: Tensor) -> Tensor:
        self.rows += len(x)
        return (x[:, 0] * 40 - 13).sigmoid() * 3 + x.prod(1)


EASY, HARD = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([[1.0, 0.5]]).double()


@pytest.mark.parametrize("tolerance", [0.01, 1e-3])
@pytest.mark.parametrize("method", ["gausslegendre", "riemann_left", "riemann_trapezoid"])
def test_the_error_is_below_the_tolerance(tolerance: float, method: Any) -> None:
    model, x = Steep(), torch.cat([EASY, HARD])
    ask = IntegratedGradients(model)
    found, missed = ask.attribute(x, method=method, n_steps="auto", tolerance=tolerance, return_convergence_delta=True)
    change = model(x) - model(x * 0)
    assert (missed.abs() <= tolerance * change.abs() + 1e-12).all()
    torch.testing.assert_close(found.sum(1) - change, missed)
    _, before = ask.attribute(x, method=method, n_steps=8, return_convergence_delta=True)
    assert before[1].abs() > tolerance * change[1].abs()


def test_easy_examples_cost_little_and_none_depends_on_others() -> None:
    ask = IntegratedGradients(model := Steep())
    both = ask.attribute(torch.cat([EASY, HARD]), n_steps="auto", tolerance=1e-3)
    torch.testing.assert_close(both[:1], ask.attribute(EASY, n_steps="auto", tolerance=1e-3))
    torch.testing.assert_close(both[1:], ask.attribute(HARD, n_steps="auto", tolerance=1e-3))
    model.rows = 0
    ask.attribute(EASY, n_steps="auto")
    assert model.rows == 2 + 8
    ask.attribute(EASY, n_steps=3, tolerance=0.5)
    assert model.rows == 2 + 8 + 2 + 3


def test_slopes_alone_and_bounds() -> None:
    x = torch.cat([EASY, HARD])
    whole = IntegratedGradients(Steep()).attribute(x, n_steps="auto")
    alone = IntegratedGradients(Steep(), multiply_by_inputs=False).attribute(x, n_steps="auto")
    torch.testing.assert_close(alone * x, whole)
    with observe(max_batch=3):
        torch.testing.assert_close(IntegratedGradients(Steep()).attribute(x, n_steps="auto"), whole)


def test_what_cannot_be_reached_is_said() -> None:
    def stairs(x: Tensor) -> Tensor:
        return (x * 7).floor().sum(1) + 0 * x.sum(1)

    with pytest.warns(AttributionWarning, match="1 examples miss the tolerance of 0.01 after 2048 steps") as caught:
        IntegratedGradients(stairs).attribute(torch.tensor([[1.0, 2.0], [0.0, 0.0]]), n_steps="auto")
    assert caught[0].filename == __file__


def test_no_change_needs_no_error() -> None:
    said: list[str] = []
    with observe(warned=said.append):
        found = IntegratedGradients(lambda x: x.square().sum(1)).attribute(torch.zeros(1, 2), n_steps="auto")
    assert found.eq(0).all()
    assert not [message for message in said if "tolerance" in message]


@pytest.mark.parametrize("arguments", [{"n_steps": "many"}, {"tolerance": 0}, {"tolerance": 1.5}])
def test_wrong_arguments_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(AttributionError, match=next(iter(arguments))):
        IntegratedGradients(Steep()).attribute(EASY, **arguments)


def test_a_quadrature_that_is_changed_stays_changed_with_its_owner_only() -> None:
    for tensor in quadrature("riemann_left", 3):
        tensor.zero_()
    torch.testing.assert_close(quadrature("riemann_left", 3)[0], torch.tensor([0.0, 1 / 3, 2 / 3]).double())


@pytest.mark.parametrize(
    ("rule", "expected"), [("riemann_left", 0.0), ("riemann_right", 3.0), ("riemann_middle", 0.75)]
)
def test_one_step_takes_the_slope_at_its_end_or_middle(rule: Any, expected: float) -> None:
    """x³ from 0 to 1: the slope is 3x²."""
    found = IntegratedGradients(lambda x: x.pow(3).sum(1)).attribute(torch.ones(1, 1), n_steps=1, method=rule)
    assert float(found) == pytest.approx(expected)
