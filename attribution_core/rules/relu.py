"""Rules for the rectifier: guided backpropagation and deconvolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.autograd.graph import Node

from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import warn
from attribution_core.rules.graph import CHECKPOINT, nodes_behind
from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.rules.spellings import Function, Spelling
from attribution_core.types import Tensors

aten = torch.ops.aten


@dataclass
class Signals:
    """How rectifiers pass the gradient on in one explanation: as usual while `paused`; `met` counts them."""

    paused: bool = False
    met: int = 0

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Inside, backward passes are the usual ones."""
        self.paused = True
        try:
            yield
        finally:
            self.paused = False

    def rectified(self, gradients: Tensors) -> Tensors | None:
        """Only what is positive of the gradient of a result."""
        return None if self.paused or gradients[0] is None else (gradients[0].clamp(min=0),)


def _hooked(call: Call, attach: Callable[[Node], object], signals: Signals) -> object:
    """The operation itself, and what its backward pass shall do if it is a rectifier."""
    x = call.args[0]
    if not (isinstance(x, Tensor) and x.is_floating_point() and RECTIFIES[call.name](call)):
        return NotImplemented
    # Of a view changed in place, torch writes a new history: copied into the view, the result keeps the node we hook.
    in_place = call.in_place and call.name == "relu" and not x._is_view()
    result: Tensor = torch.relu_(x) if in_place else call.of(x.clone() if call.in_place else x)
    if result.grad_fn is not None:
        attach(result.grad_fn)
        signals.met += 1
    return result


def _bounds(call: Call) -> tuple[object, object]:
    """Lower and upper bound of a call of clamp."""
    low, high = (*call.args[1:], None, None)[:2]
    return call.kwargs.get("min", low), call.kwargs.get("max", high)


RECTIFIES: dict[str, Callable[[Call], bool]] = {
    "relu": lambda call: True,  # noqa: ARG005
    "clamp_min": lambda call: _bounds(call)[0] == 0,
    "clamp": lambda call: _bounds(call) == (0, None),
    "clip": lambda call: _bounds(call) == (0, None),
}
"""Operations that are rectifiers for some arguments."""

ATEN: dict[Function, Spelling] = {
    function: Spelling("relu", torch.relu if function in (aten.relu_, aten.relu_.default) else None, None, ("self",))
    for function in (aten.relu, aten.relu.default, aten.relu_, aten.relu_.default)
}
"""How exported models call it."""


def _guided(signals: Signals, call: Call) -> object:
    return _hooked(call, lambda node: node.register_prehook(signals.rectified), signals)


def _deconvolved(signals: Signals, call: Call) -> object:
    return _hooked(call, lambda node: node.register_hook(lambda _, above: signals.rectified(above)), signals)


def _checked(method: str, signals: Signals, scores: Tensor) -> Tensor:
    """Say so where the scores depend on rectifiers that the rule has not seen."""
    names = [type(node).__name__ for node in nodes_behind(scores)]
    relus = names.count("ReluBackward0")
    if CHECKPOINT in names:
        raise AttributionError(f"{method} cannot see into {CHECKPOINT}.", "Use checkpoint(…, use_reentrant=False).")
    if relus > signals.met:
        warn(f"{method} saw {signals.met} of {relus} ReLUs behind the score, none of another thread.")
    elif not signals.met and ("MaximumBackward0" in names or "WhereBackward0" in names):
        warn(f"{method} met no ReLU: this is the usual gradient. Rectifiers written by maximum or where are not seen.")
    return scores


GUIDED = Rule(
    dict.fromkeys(RECTIFIES, _guided), also=ATEN, keeps_checkpoints=False, finished=partial(_checked, "GuidedBackprop")
)
DECONVOLVED = Rule(
    dict.fromkeys(RECTIFIES, _deconvolved),
    also=ATEN,
    keeps_checkpoints=False,
    finished=partial(_checked, "Deconvolution"),
)


def guided() -> Interception[Signals]:
    """Pass on only positive gradients, and only where the rectifier was open [springenberg2015]."""
    return Interception(GUIDED, Signals())


def deconvolution() -> Interception[Signals]:
    """Pass on only positive gradients, wherever the rectifier was open or not [zeiler2014]."""
    return Interception(DECONVOLVED, Signals())
