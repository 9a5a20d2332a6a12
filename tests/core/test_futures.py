"""Models that answer with a Future of their outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import captum.attr
import pytest
import torch
from torch import Tensor, nn
from torch.futures import Future

import attribution_core
from attribution_core import AttributionError

WAITING = {"FeatureAblation", "FeaturePermutation", "LayerFeaturePermutation", "ShapleyValues", "ShapleyValueSampling"}
X = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
LAYER = nn.Linear(4, 4)


class Later(nn.Module):
    """Answers when it is told to."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.answer = LAYER, answer
        self.waiting: list[tuple[Future[Tensor], Tensor]] = []

    def forward(self, x: Tensor) -> Future[Tensor]:
        self.waiting.append((Future(), self.answer(self.layer(x)).detach()))
        return self.waiting[-1][0]

    def go_on(self) -> None:
        for answer, output in reversed(self.waiting):
            answer.set_result(output)


ANSWERS: dict[str, Callable[[Tensor], Tensor]] = {
    "a number": lambda y: y.sin().sum(1), "classes": lambda y: y.sin(), "one for all": lambda y: y.sin().sum(),
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("name", sorted(WAITING))
def test_the_same_as_of_a_model_that_answers_at_once(name: str, answer: str) -> None:
    options: dict[str, Any] = {} if name == "ShapleyValues" or name == "FeatureAblation" else {"seed": 3}

    def asked(model: Any) -> Any:
        layer = (LAYER,) if name.startswith("Layer") else ()
        return getattr(attribution_core, name)(model, *layer)

    later = Later(ANSWERS[answer])
    found = asked(later).attribute_future(X, **options)
    assert not found.done()
    later.go_on()

    class Now(Later):
        def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
            return self.answer(self.layer(x))

    torch.testing.assert_close(found.wait(), asked(Now(ANSWERS[answer])).attribute(X, **options))


@pytest.mark.parametrize("options", [{"target": 1}, {"target": "pred"}, {"targets": [0, "pred", [1, 2, 0]]}])
def test_targets(options: dict[str, Any]) -> None:
    later = Later(ANSWERS["classes"])
    found = attribution_core.FeatureAblation(later).attribute_future(X, 0.5, **options)
    later.go_on()
    now = attribution_core.FeatureAblation(lambda x: ANSWERS["classes"](LAYER(x)))
    torch.testing.assert_close(found.wait(), now.attribute(X, 0.5, **options))


def test_numbers_of_captum() -> None:
    each = []
    for package in (attribution_core, captum.attr):
        later = Later(ANSWERS["classes"])
        found = package.FeatureAblation(later).attribute_future(X, target=2)
        later.go_on()
        each.append(found.wait())
    torch.testing.assert_close(*each)


def test_what_fails_is_told_to_whoever_waits() -> None:
    later = Later(ANSWERS["classes"])
    found = attribution_core.FeatureAblation(later).attribute_future(X, target=7)
    later.go_on()
    with pytest.raises(AttributionError, match="target=7 does not select"):
        found.wait()
    later = Later(ANSWERS["classes"])
    found = attribution_core.FeatureAblation(later).attribute_future(X, target=1)
    for answer, _ in later.waiting:
        answer.set_exception(KeyError("no connection"))
    with pytest.raises(KeyError, match="no connection"):
        found.wait()


def test_a_model_that_answers_at_once_is_refused() -> None:
    with pytest.raises(AttributionError, match="returned a Tensor, not a Future"):
        attribution_core.FeatureAblation(lambda x: x.sum(1)).attribute_future(X)


@pytest.mark.parametrize("name", ["Occlusion", "KernelShap", "Lime", "IntegratedGradients", "NoiseTunnel"])
def test_other_methods_cannot_wait(name: str) -> None:
    method = getattr(attribution_core, name)
    method = method(attribution_core.Saliency(LAYER)) if name == "NoiseTunnel" else method(LAYER)
    with pytest.raises(NotImplementedError):
        method.attribute_future()
