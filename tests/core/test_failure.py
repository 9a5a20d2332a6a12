"""What torch cannot run or differentiate is said in our words; what the caller's own code raises is passed on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import AttributionError, DataLoaderAttribution, FeatureAblation, Saliency
from attribution_core.errors import ModelError
from attribution_core.evaluation.failure import out_of_memory

from .registry import OF_ROWS, ask

torch.manual_seed(0)
NET = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3))
X = torch.randn(2, 5)
BY_IDS = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2))


@pytest.mark.parametrize("name", OF_ROWS)
def test_inputs_that_are_too_wide(name: str) -> None:
    with pytest.raises(
        ModelError, match=r"^Linear\(in_features=5, .*called with a float32 tensor \(\d+, 7\): .*5x6"
    ) as told:
        ask(name, NET, torch.randn(2, 7))
    assert isinstance(told.value, AttributionError)
    assert isinstance(told.value.__cause__, RuntimeError)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Saliency(NET).attribute(X.double(), 0), "float64 tensor.*Its weights are float32: pass inputs"),
        (lambda: FeatureAblation(NET).attribute(X.long(), target=0), r"int64 tensor \(2, 5\): mat1"),
        (lambda: Saliency(NET).attribute((X, X), 0), "2 positional arguments but 3 were given"),
        (lambda: Saliency(BY_IDS).attribute(torch.tensor([[1, 9]]), 0), r"^Embedding\(5, 3\) .*out of range"),
        (lambda: Saliency(lambda x: x @ torch.ones(3)).attribute(X), "^The model could not be run.*size mismatch"),
        (lambda: DataLoaderAttribution(FeatureAblation(NET)).attribute([X[:, 1:]]), r"tensor \(2, 4\)"),
        (lambda: attribution_core.LayerGradCam(NET, NET[0]).attribute(X, 0, grad_kwargs={"grad_outputs": X}),
         "could not compute the gradient.*leave grad_kwargs out"),
    ],
)  # fmt: skip
def test_what_torch_cannot_run(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(ModelError, match=says):
        call()


def fails(error: Exception) -> Callable[[Tensor], Tensor]:
    def model(x: Tensor) -> Tensor:
        raise error

    return model


def stumbles(x: Tensor) -> Tensor:
    return x.nothing_of_the_kind


@pytest.mark.parametrize("error", [RuntimeError("mine"), ValueError("mine"), TypeError("mine"), KeyError("mine")])
def test_what_the_model_raises_itself_is_passed_on(error: Exception) -> None:
    with pytest.raises(type(error)) as told:
        Saliency(fails(error)).attribute(X)
    assert told.value is error


def test_what_the_models_own_code_gets_wrong_is_passed_on() -> None:
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        Saliency(stumbles).attribute(X)
    with pytest.raises(ZeroDivisionError):
        Saliency(lambda x: x.sum(1) * (1 // 0)).attribute(X)


def test_memory_that_runs_out_is_left_to_the_chunks() -> None:
    def hungry(x: Tensor) -> Tensor:
        if len(x) > 2:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return x.sum(1)

    torch.testing.assert_close(FeatureAblation(hungry).attribute(X), X)
    assert out_of_memory(RuntimeError("CUDA out of memory"))
