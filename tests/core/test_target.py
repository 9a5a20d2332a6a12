from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from attribution_core import AttributionError, Neuron, Saliency
from attribution_core.question.target_forms import as_target

OUTPUTS = torch.arange(24.0).reshape(2, 3, 4)
FLAT = torch.arange(6.0).reshape(2, 3)


@pytest.mark.parametrize(
    ("target", "outputs", "expected"),
    [
        (1, FLAT, [1, 4]),
        (np.int64(1), FLAT, [1, 4]),
        ((1,), FLAT, [1, 4]),
        ([2, 0], FLAT, [2, 3]),
        (torch.tensor([2, 0]), FLAT, [2, 3]),
        (torch.tensor(2), FLAT, [2, 5]),
        ([(2,), (0,)], FLAT, [2, 3]),
        ((1, 2), OUTPUTS, [6, 18]),
        ([(0, 0), (2, 3)], OUTPUTS, [0, 23]),
        (None, FLAT[:, :1], [0, 3]),
        (None, FLAT[:, 0], [0, 3]),
        (0, FLAT[:, 0], [0, 3]),
        (0, FLAT[:, :1], [0, 3]),
        (0, FLAT[:, :, None], [0, 3]),
        (lambda o: o.sum(1), FLAT, [3, 12]),
        (lambda o: o[:, :1], FLAT, [0, 3]),
    ],
)
def test_forms(target: Any, outputs: torch.Tensor, expected: list[float]) -> None:
    assert as_target(target, 2).scores(lambda: outputs, 1).tolist() == expected


def test_stacked_batches_repeat_the_targets() -> None:
    stack = torch.cat([FLAT, FLAT + 10])
    assert as_target([2, 0], 2).scores(lambda: stack, 2).tolist() == [2, 3, 12, 13]


def test_a_function_sees_one_batch_in_its_order() -> None:
    labels = torch.tensor([2, 0])
    stack = torch.cat([FLAT, FLAT + 10])
    found = as_target(lambda o: o[torch.arange(2), labels], 2).scores(lambda: stack, 2)
    assert found.tolist() == [2, 3, 12, 13]


@pytest.mark.parametrize(
    "target",
    [
        [0],
        [0, 1, 2],
        torch.tensor([0, 1, 2]),
        torch.tensor([0.0, 1.0]),
        torch.zeros(2, 1).long(),
        1.5,
        True,
        "dog",
        [(0,), (0, 1)],
        (),
        [0, "a"],
    ],
)
def test_refused_before_the_model_runs(target: Any) -> None:
    def never(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("the model ran")

    with pytest.raises(AttributionError, match="target="):
        Saliency(never).attribute(torch.randn(2, 3), target=target)


@pytest.mark.parametrize(
    ("target", "shape", "examples"),
    [
        (3, (2, 3), ["target=2", "target=[0, …]", "target=lambda outputs: outputs[:, 0]"]),
        (None, (2, 3), ["target=2"]),
        ((0, 4), (2, 3, 4), ["target=(2, 3)", "target=[(0, 0), …]", "target=lambda outputs: outputs[:, 0, 0]"]),
        (1, (2, 3, 4), ["target=(2, 3)"]),
        (1, (2,), ["target=None", "target=0"]),
        (lambda o: o, (2, 3), ["target=2"]),
    ],
)
def test_a_wrong_target_shows_what_would_work(target: Any, shape: tuple[int, ...], examples: list[str]) -> None:
    with pytest.raises(AttributionError) as error:
        as_target(target, 2).scores(lambda: torch.zeros(shape), 1)
    assert str(shape) in error.value.message
    assert all(example in error.value.hint for example in examples)


@pytest.mark.parametrize(
    ("selector", "expected"),
    [(1, lambda h: h[:, 1]), ((slice(0, 2),), lambda h: h[:, :2].sum(1)), (lambda h: h.square().sum(1),) * 2],
)
def test_neuron(selector: Any, expected: Any) -> None:
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(2, 3)
    with torch.no_grad():
        torch.testing.assert_close(Neuron(net[1], selector).scores(lambda: net(x), 1), expected(net[:2](x)))
        torch.testing.assert_close(
            Neuron(net[1], selector, of_input=True).scores(lambda: net(x), 1), expected(net[:1](x))
        )
