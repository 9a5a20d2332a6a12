"""DeepLIFT's Rescale rule: slopes between a reference and the input in place of gradients [shrikumar2017].

A first pass on the baselines keeps what every nonlinear operation receives. A second pass on the inputs meets the same
operations in the same order, and each passes its gradient on by Δresult / Δinput. All else is linear, made of parts
(division, norms, attention), or refused by name. Shapes inside the model do not matter, and nothing is stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.rules import operations as ops
from attribution_core.rules.conditions import ASSIGNED
from attribution_core.rules.graph import HIDING, bent_nodes, foreign_nodes, nodes_behind, unseen_nodes
from attribution_core.rules.graph import LINEAR as LINEAR_NODES
from attribution_core.rules.intercept import Call, Interception, Rule, is_parameter
from attribution_core.rules.parts import EXACT_PARTS
from attribution_core.rules.slopes import SLOPES, Slope
from attribution_core.rules.spellings import READ, Function, spellings
from attribution_core.types import Tensors


class Reference(NamedTuple):
    """What an operation received in the pass on the baselines."""

    name: str
    values: Tensors


@dataclass
class Rescale:
    """The two passes of one explanation; `eps` is the smallest change of a value that a slope is computed from.

    `foreign` are autograd functions behind the scores, which count as linear until the contributions do not add up.
    """

    eps: float
    references: list[Reference] = field(default_factory=list)
    compared: int = 0
    unknown: dict[str, None] = field(default_factory=dict)
    foreign: list[str] = field(default_factory=list)

    def reference(self) -> Interception[Rescale]:
        """The first pass: keep what the operations receive."""
        return Interception(REFERENCE, self)

    def slopes(self) -> Interception[Rescale]:
        """The second pass: pass gradients on by slopes."""
        return Interception(COMPARED, self)

    def keep(self, name: str, values: Tensors) -> None:
        """Copies of what an operation received."""
        self.references.append(Reference(name, tuple(value.detach().clone() for value in values)))

    def recalled(self, name: str, values: Tensors) -> Tensors:
        """What the same operation received in the first pass."""
        if self.compared == len(self.references):
            raise _other_way(f"it also calls {name}")
        kept, references = self.references[self.compared]
        self.compared += 1
        if kept != name or _shapes(values) != _shapes(references):
            raise _other_way(f"{name} on {_shapes(values)} follows where {kept} on {_shapes(references)} did")
        return references

    def finish(self) -> None:
        """All that was kept must have been met."""
        if self.compared != len(self.references):
            raise _other_way("it ended earlier")

    def refuse(self, name: str) -> None:
        """Remember an operation without a rule."""
        self.unknown[name] = None

    def checked(self, scores: Tensor) -> Tensor:
        """The scores, if every operation behind them has a rule."""
        nodes = nodes_behind(scores)
        self.foreign = foreign_nodes(nodes)
        self.unknown |= dict.fromkeys(HIDING.keys() & set(self.foreign))
        self.unknown = self.unknown or dict.fromkeys(unseen_nodes(nodes, LINEAR_NODES) or bent_nodes(nodes))
        if self.unknown:
            raise self.refusal(self.unknown)
        return scores

    def refusal(self, names: Iterable[str]) -> AttributionError:
        """What to raise because of operations without a rule."""
        return AttributionError(
            f"DeepLIFT has no rule for {', '.join(names)}.",
            "Let the model compute it otherwise, explain a layer after it, or use IntegratedGradients.",
        )


def _shapes(values: Tensors) -> list[tuple[int, ...]]:
    return [tuple(value.shape) for value in values]


def _kept(slope: Slope, passes: Rescale, call: Call) -> object:
    """On the baselines: the result as it is."""
    call = slope.form(call) if slope.form else call
    parts = slope.parts and slope.parts(call)
    if parts:
        return call.in_parts(parts)
    places = slope.places(call)
    if not places:
        return NotImplemented
    passes.keep(call.name, tuple(call.args[place] for place in places))
    return call.result()


def _compared(slope: Slope, passes: Rescale, call: Call) -> object:
    """On the inputs: the result, whose gradient is a multiplier."""
    call = slope.form(call) if slope.form else call
    parts = slope.parts and slope.parts(call)
    if parts:
        return call.apart().in_parts(parts)
    places = slope.places(call)
    if torch.is_grad_enabled() and _other_dependents(call, places) > (0 if places else slope.linear):
        passes.refuse(call.name)
    if not places:
        return NotImplemented
    values = tuple(call.args[place] for place in places)
    references = passes.recalled(call.name, values)
    if not torch.is_grad_enabled() or not any(value.requires_grad for value in values):
        return call.result()
    return slope.multiplied(call, places, references, passes.eps)


def _other_dependents(call: Call, places: tuple[int, ...]) -> int:
    """How many further arguments depend on the input."""
    count = sum(map(_dependents, call.kwargs.values())) if call.kwargs else 0
    for place, arg in enumerate(call.args):
        if place not in places:
            count += _dependents(arg)
    return count


def _dependents(arg: object) -> int:
    if isinstance(arg, Tensor):
        return arg.requires_grad and not is_parameter(arg)
    return sum(map(_dependents, arg)) if isinstance(arg, (list, tuple)) else 0


def _answers(
    answer: Callable[[Slope, Rescale, Call], object],
) -> dict[str, Callable[[Rescale, Call], object]]:
    return {name: partial(answer, slope) for slope in SLOPES for name in slope.operations}


def _other_way(what: str) -> AttributionError:
    """The two passes did not meet the same operations."""
    return AttributionError(
        f"The model computes in another way for the inputs than for the baselines: {what}.",
        "DeepLIFT compares the same operations on both; choose a baseline that takes the same branches.",
    )


SUMS = (ops.SUMS - ops.QUOTIENTS) | ops.TRANSFORMS | {"dropout"}
FOURIER = frozenset(getattr(torch.fft, name) for name in ops.FOURIER)
LINEAR = READ | FOURIER | frozenset(spellings((ops.MOVED - ops.CASTS - ops.CHOICES) | SUMS))
ASIDE: frozenset[Function] = frozenset({Tensor.__rdiv__, Tensor.__rmatmul__, torch.batch_norm})

WEIGHTED = frozenset(spellings(ops.WEIGHTED))

REFERENCE: Rule[Rescale] = Rule(
    _answers(_kept), LINEAR, WEIGHTED, EXACT_PARTS, Rescale.refuse, ASSIGNED, aside=ASIDE, every_call=True
)
COMPARED: Rule[Rescale] = replace(REFERENCE, answers=_answers(_compared), finished=Rescale.checked)
