"""Rules for the rectifier: guided backpropagation and deconvolution."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.autograd.graph import Node

from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import warn
from attribution_core.rules.conditions import ASSIGNED
from attribution_core.rules.graph import HIDING, foreign_nodes, nodes_behind, operation
from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.rules.rectifiers import ATEN, NOTES, RECTIFIES, WRITTEN, rectified
from attribution_core.types import Tensors


@dataclass
class Signals:
    """How rectifiers pass the gradient on in one explanation: as usual while `paused`."""

    paused: bool = False

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


def _hooked(call: Call, attach: Callable[[Node], object]) -> object:
    """The operation itself, and what its backward pass shall do if it is a rectifier."""
    rectifier = rectified(call)
    if rectifier is None:
        return NotImplemented
    x = rectifier.args[0]
    # Of a view changed in place, torch writes a new history: copied into the view, the result keeps the node we hook.
    in_place = rectifier.in_place and rectifier.name == "relu" and not x._is_view()
    result: Tensor = torch.relu_(x) if in_place else rectifier.of(x.clone() if rectifier.in_place else x)
    if result.grad_fn is not None:
        attach(result.grad_fn)
        _kept_with(result.grad_fn)[SEEN] = True
    return result


def _guided(signals: Signals, call: Call) -> object:
    return _hooked(call, lambda node: node.register_prehook(signals.rectified))


def _deconvolved(signals: Signals, call: Call) -> object:
    return _hooked(call, lambda node: node.register_hook(lambda _, above: signals.rectified(above)))


SEEN = "attribution_core"
SMOOTH = {
    "celu": "celu", "elu": "elu", "gelu": "gelu", "hardswish": "hardswish", "leakyrelu": "leaky_relu", "mish": "mish",
    "prelukernel": "prelu", "rreluwithnoise": "rrelu", "silu": "silu", "softplus": "softplus",
}  # fmt: skip
"""Nodes of activations that are near to a rectifier, and names of those."""


def _checked(method: str, _: Signals, scores: Tensor) -> Tensor:
    """Say so where the scores depend on what the rule has not seen, or has nothing to say of."""
    nodes = nodes_behind(scores)
    foreign = foreign_nodes(nodes)
    for name in HIDING.keys() & set(foreign):
        raise AttributionError(f"{method} cannot see into {name}.", HIDING[name])
    relus = [node for node in nodes if operation(type(node)) == "relu"]
    seen = sum(map(_is_seen, relus))
    others = [*dict.fromkeys(SMOOTH[name] for name in map(operation, map(type, nodes)) if name in SMOOTH), *foreign]
    if seen < len(relus):
        warn(
            f"{method} saw {seen} of {len(relus)} ReLUs behind the score: none of another thread or scripted function."
        )
    if others:
        warn(f"{method} passes {', '.join(others)} on by the usual gradient: it speaks of rectifiers only.")
    elif not relus and not any(map(_is_seen, nodes)):
        warn(f"{method} met no ReLU, nor any other rectifier: this is the usual gradient.")
    return scores


def _is_seen(node: Node) -> bool:
    return SEEN in _kept_with(node)


def _kept_with(node: Node) -> dict[str, object]:
    return cast("dict[str, object]", node.metadata)


def _rule(method: str, answer: Callable[[Signals, Call], object]) -> Rule[Signals]:
    return Rule(
        dict.fromkeys([*RECTIFIES, *WRITTEN], answer) | NOTES,
        also=ATEN | ASSIGNED,
        keeps_checkpoints=False,
        finished=partial(_checked, method),
    )


GUIDED = _rule("GuidedBackprop", _guided)
DECONVOLVED = _rule("Deconvolution", _deconvolved)


def guided() -> Interception[Signals]:
    """Pass on only positive gradients, and only where the rectifier was open [springenberg2015]."""
    return Interception(GUIDED, Signals())


def deconvolution() -> Interception[Signals]:
    """Pass on only positive gradients, wherever the rectifier was open or not [zeiler2014]."""
    return Interception(DECONVOLVED, Signals())
