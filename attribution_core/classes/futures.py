"""Attributions of models that answer later: with a `torch.futures.Future` of their outputs."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor
from torch.futures import Future

from attribution_core.classes.layer import LayerAttribution
from attribution_core.classes.outputs import Form, Outputs
from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import Tidy, drawn_seed
from attribution_core.evaluation.observe import observe, one_by_one


class Waiting(Protocol):
    """A method that can ask its model for all outputs before it needs any of them."""

    forward_func: Callable[..., object]
    attribute: Callable[..., Any]
    of_outputs: ClassVar[Form | None]


class _Calls:
    """Asks a model everything at once, and answers with zeros meanwhile: what is asked next depends on no answer."""

    def __init__(self, forward: Callable[..., object]) -> None:
        self.forward = forward
        self.answers: list[Future[object]] = []

    def __call__(self, *arguments: object) -> Tensor:
        self.answers.append(_asked(self.forward, arguments))
        rows = next(value for value in arguments if isinstance(value, Tensor))
        return torch.zeros(len(rows), 1, device=rows.device)


class _Replay:
    """Answers the same calls with what the model has answered, and asks it for what comes after.

    `looked_into`: the model runs once more, since the values of a layer are read.
    """

    def __init__(self, forward: Callable[..., object], outputs: list[object], looked_into: bool) -> None:
        self.forward = forward
        self.outputs = iter(outputs)
        self.looked_into = looked_into

    def __call__(self, *arguments: object) -> object:
        if self.looked_into:
            self.looked_into = False
            _asked(self.forward, arguments)
        answer = next(self.outputs, self)
        return _asked(self.forward, arguments).wait() if answer is self else answer


def _asked(forward: Callable[..., object], arguments: tuple[object, ...]) -> Future[object]:
    answer = forward(*arguments)
    if not isinstance(answer, Future):
        raise AttributionError(f"The model returned a {type(answer).__name__}, not a Future.", "Use attribute.")
    return answer


def attributed_later(method: Waiting, args: tuple[object, ...], kwargs: dict[str, object]) -> Future[object]:
    """What `method.attribute` gives, of a model that is asked for all its outputs before any of them is there."""
    given = inspect.signature(method.attribute).bind(*args, **kwargs).arguments
    if "seed" in inspect.signature(method.attribute).parameters and given.get("seed") is None:
        given["seed"] = drawn_seed()
    asked = [given.get("target"), *(given.get("targets") or ())]
    calls = _Calls(method.forward_func)
    with Tidy([]), observe(progress=_nobody, warned=_nobody), one_by_one():
        probing = given | {"target": "pred" if any(map(_is_prediction, asked)) else None, "targets": None}
        _with(method, calls).attribute(**probing)
    found, context = Future[object](devices=_devices()), copy_context()

    def finish(_: object) -> None:
        try:
            outputs = [answer.value() for answer in calls.answers]
            found.set_result(context.run(_answer, method, given, outputs))
        except Exception as error:
            found.set_exception(error)

    torch.futures.collect_all(calls.answers).add_done_callback(finish)
    return found


def _answer(method: Waiting, given: dict[str, object], outputs: list[object]) -> object:
    replay = _Replay(method.forward_func, outputs, isinstance(method, LayerAttribution))
    replaying = _with(method, replay)
    chosen = given.get("target") is not None or given.get("targets") is not None
    found = Outputs(_rows(given["inputs"]))
    with Tidy([]), one_by_one():
        if chosen or method.of_outputs is None or not found.are_several(outputs[0]):
            return replaying.attribute(**given)
        return found.joined(replaying.attribute(**given, targets=found.targets()), method.of_outputs)


def _rows(inputs: Any) -> int:
    several = inputs.values() if isinstance(inputs, Mapping) else inputs
    return len(inputs if isinstance(inputs, Tensor) else next(iter(several)))


def _with(method: Waiting, forward: Callable[..., Any]) -> Waiting:
    other = copy.copy(method)
    other.forward_func = forward
    return other


def _devices() -> list[int | str | torch.device]:
    """All those of which a future must know."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return [torch.device("cuda", place) for place in range(count)]


def _nobody(*_: object) -> None:
    pass


def _is_prediction(target: object) -> bool:
    return isinstance(target, str) and target == "pred"
