from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from attribution_core import AttributionError, Layer, Neuron, Question, observe
from attribution_core.methods import integrated_gradients
from attribution_core.methods.paths import quadrature, straight
from attribution_core.question.site import Inputs, Layers
from attribution_core.question.taps import Tap
from attribution_core.question.target_forms import as_target

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(3, 4), nn.SiLU(), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()
X = torch.randn(5, 3).double()
ONE = as_target(1, 5)


def test_gradients_at_inputs_by_finite_differences() -> None:
    found = Question(NET, (ONE,)).gradients((X,))
    for column in range(3):
        step = torch.zeros(3).double()
        step[column] = 1e-6
        numeric = (NET(X + step) - NET(X - step))[:, 1] / 2e-6
        torch.testing.assert_close(found.slopes[0][0, :, column], numeric.detach(), rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(found.scores, NET(X)[:, [1]].detach())


@pytest.mark.parametrize("of_input", [False, True])
def test_gradients_at_a_layer(of_input: bool) -> None:
    """The in-place layer after the site must not spoil the values that were read."""
    layer, before = (NET[2], NET[:2]) if of_input else (NET[1], NET[:2])
    found = Question(NET, (ONE,), Layer(layer, of_input)).gradients((X,))
    hidden = before(X).detach().requires_grad_()
    (expected,) = torch.autograd.grad(NET[3](hidden.relu())[:, 1].sum(), hidden)
    torch.testing.assert_close(found.values[0], hidden.detach())
    torch.testing.assert_close(found.slopes[0][0], expected)
    assert torch.equal(Question(NET, (ONE,), Layer(layer, of_input)).values((X,))[0], hidden.detach())


def test_lifted_asks_the_same_of_the_layers_values() -> None:
    question = Question(NET, (ONE,), Layer(NET[0]))
    values = question.values((X,))
    lifted = question.lifted((X,))
    torch.testing.assert_close(lifted.scores(values), NET(X)[:, [1]])
    stack = tuple(v.repeat(3, 1) for v in values)
    torch.testing.assert_close(lifted.repeated(3).scores(stack), NET(X)[:, [1]].repeat(3, 1))
    zero = tuple(torch.zeros_like(v) for v in values)
    found = integrated_gradients(lifted, values, zero, quadrature("gausslegendre", 30))
    change = NET(X)[:, 1] - NET[1:](zero[0])[:, 1]
    torch.testing.assert_close(found[0][0].sum(1), change.detach(), rtol=1e-3, atol=1e-3)


def test_neurons_are_targets_of_the_same_methods() -> None:
    found = Question(NET, (Neuron(NET[0], 2),)).gradients((X,))
    torch.testing.assert_close(found.slopes[0][0], NET[0].weight[2].detach().expand(5, 3))


def test_extra_arguments_with_a_row_per_example_are_stacked() -> None:
    weight, table = torch.arange(5.0), torch.randn(3, 3)
    seen: list[tuple[int, ...]] = []

    def forward(x: Tensor, weight: Tensor, table: Tensor, word: str) -> Tensor:
        seen.append((len(weight), len(table)))
        return x.sum(1) * weight

    question = Question(forward, extra=(weight, table, "same"))
    scores = question.repeated(2).scores((torch.ones(10, 3),))
    assert scores[:, 0].tolist() == [0, 3, 6, 9, 12] * 2
    assert seen == [(10, 3)]


def test_stacked_order_is_copy_after_copy() -> None:
    x, b = torch.tensor([[1.0], [10.0]]), torch.zeros(2, 1)
    assert straight((x,), (b,), torch.tensor([0.0, 0.5, 1.0]))[0].flatten().tolist() == [0, 0, 0.5, 5, 1, 10]


@pytest.mark.parametrize(
    ("rule", "positions", "weights"),
    [
        ("riemann_left", [0, 1 / 4, 2 / 4, 3 / 4], [1 / 4] * 4),
        ("riemann_right", [1 / 4, 2 / 4, 3 / 4, 1], [1 / 4] * 4),
        ("riemann_middle", [1 / 8, 3 / 8, 5 / 8, 7 / 8], [1 / 4] * 4),
        ("riemann_trapezoid", [0, 1 / 3, 2 / 3, 1], [1 / 6, 1 / 3, 1 / 3, 1 / 6]),
    ],
)
def test_riemann_sums_of_four_points(rule: Any, positions: list[float], weights: list[float]) -> None:
    found = quadrature(rule, 4)
    assert found[0].tolist() == pytest.approx(positions)
    assert found[1].tolist() == pytest.approx(weights)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_gauss_legendre_is_exact_for_polynomials_up_to_twice_its_points(steps: int) -> None:
    positions, weights = quadrature("gausslegendre", steps)
    for degree in range(2 * steps):
        assert float((weights * positions**degree).sum()) == pytest.approx(1 / (degree + 1))
    assert float((weights * positions ** (2 * steps)).sum()) != pytest.approx(1 / (2 * steps + 1), rel=1e-9)


@pytest.mark.parametrize("rule", ["riemann_left", "riemann_right", "riemann_middle", "riemann_trapezoid"])
def test_one_point_of_a_riemann_sum(rule: Any) -> None:
    positions, weights = quadrature(rule, 1)
    where = {"riemann_left": 0.0, "riemann_right": 1.0}.get(rule, 0.5)
    assert (positions.tolist(), weights.tolist()) == ([where], [1.0])


def test_integrated_gradients_against_the_definition() -> None:
    baseline = torch.randn(5, 3).double()
    total = torch.zeros(5, 3).double()
    for step in range(40):
        point = (baseline + (step + 0.5) / 40 * (X - baseline)).requires_grad_()
        (slope,) = torch.autograd.grad(NET(point)[:, 1].sum(), point)
        total += slope / 40
    found = integrated_gradients(Question(NET, (ONE,)), (X,), (baseline,), quadrature("riemann_middle", 40))
    torch.testing.assert_close(found[0][0], total * (X - baseline))


def test_a_tap_sees_its_own_thread_only_and_leaves() -> None:
    with Tap(NET[0]) as tap:
        other = threading.Thread(target=lambda: NET(X))
        other.start()
        other.join()
        assert tap.calls == []
        with pytest.raises(AttributionError, match="was not called"):
            tap.kept()
        NET[:1](X)
        NET[:1](X)
        with pytest.raises(AttributionError, match="was called 2 times"):
            tap.kept()
    assert not NET[0]._forward_hooks


def test_a_layer_that_passes_on_no_tensors_is_named() -> None:
    class Words(nn.Module):
        def forward(self, x: Tensor) -> dict[str, str]:
            return {"x": "y"}

    words = Words()
    with pytest.raises(AttributionError, match="Words passes on dict"):
        Question(lambda x: x.sum(1) * len(words(x)), site=Layer(words)).values((X,))


class Skip(nn.Module):
    """A layer whose result is multiplied by its input, which is prepared in place, as are the further arguments."""

    def __init__(self, inplace: bool) -> None:
        super().__init__()
        self.inplace = inplace
        self.fc = nn.Linear(3, 3).double()
        self.fc.load_state_dict({k: v[:3] for k, v in NET[0].state_dict().items()})

    def forward(self, x: Tensor, scale: Tensor, more: dict[str, Tensor]) -> Tensor:
        if self.inplace:
            x += 1
            scale *= 2
            more["shift"].add_(1)
            more["left"] = x
        else:
            x, scale, more = x + 1, scale * 2, {"shift": more["shift"] + 1}
        return (self.fc(x) * x * scale[:, None] + more["shift"]).sum(1, keepdim=True)


def bounded(question: Question, inputs: tuple[Tensor, ...]) -> Any:
    with observe(max_batch=2):
        return question.gradients(inputs)


ASKED: dict[str, Callable[[Question, tuple[Tensor, ...]], Any]] = {
    "scores": lambda question, x: question.scores(x),
    "stacked scores": lambda question, x: question.repeated(2).scores(tuple(v.repeat(2, 1) for v in x)),
    "values": lambda question, x: question.values(x),
    "read": lambda question, x: question.read(x),
    "gradients": lambda question, x: question.gradients(x),
    "two sites": lambda question, x: question.gradients_also_at(Inputs(), x, nullcontext),
    "lifted": lambda question, x: question.lifted(x).gradients(tuple(torch.ones_like(v) for v in question.values(x))),
    "parts": bounded,
}


@pytest.mark.parametrize("layer", [False, True])
@pytest.mark.parametrize("ask", ASKED)
def test_a_model_that_works_in_place_changes_neither_data_nor_numbers(ask: str, layer: bool) -> None:
    x, scale, shift = X.clone(), torch.arange(5.0).double(), torch.zeros(5, 1).double()
    found = []
    for inplace in (False, True):
        model, extra = Skip(inplace), (scale, {"shift": shift})
        site = Layer(model.fc) if layer else Inputs()
        found.append(ASKED[ask](Question(model, site=site, extra=extra), (x,)))
        assert extra[1].keys() == {"shift"}
    torch.testing.assert_close(found[1], found[0])
    assert torch.equal(x, X)
    assert torch.equal(scale, torch.arange(5.0).double())
    assert not shift.any()


def test_what_is_made_for_one_pass_is_not_copied_again() -> None:
    seen: list[int] = []
    question = Question(lambda x: seen.append(x.data_ptr()) or x.sum(1))
    points = (X.repeat(2, 1),)
    question.repeated(2, disposable=True).scores(points)
    question.repeated(2).scores(points)
    question.repeated(2, disposable=True).gradients(points)  # a leaf of autograd refuses operations in place
    assert [address == points[0].data_ptr() for address in seen] == [True, False, False]


def test_values_of_layers_are_divided_only_once_they_were_read() -> None:
    site = Layers((Layer(NET[0]), Layer(NET[1])))
    question = Question(NET, (ONE,), site)
    with pytest.raises(AttributionError, match=r"Question\.values first"):
        site.divided((X, X))
    hidden = NET[0](X).detach()
    torch.testing.assert_close(site.divided(question.values((X,))), [(hidden,), (NET[1](hidden),)])
