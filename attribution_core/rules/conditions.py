"""Conditions on values, noted beside the boolean tensors that they become: rectifiers and gates written by hand."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor

from attribution_core.rules.autograd import version
from attribution_core.rules.intercept import Call
from attribution_core.rules.spellings import Function, Spelling

Kind = TypeVar("Kind")

_NOTE = "_noted_by_attribution_core"


def note(condition: Tensor, meaning: object) -> Tensor:
    """Write beside a tensor, which is of this forward pass only, what it was computed from."""
    if not condition.is_inference():
        setattr(condition, _NOTE, (meaning, version(condition)))
    return condition


def noted(condition: object, kind: type[Kind]) -> Kind | None:
    """What of this kind was written there, None of anything else and of what was changed in place since."""
    if not isinstance(condition, Tensor):
        return None
    meaning, at = getattr(condition, _NOTE, (None, 0))
    return meaning if isinstance(meaning, kind) and version(condition) == at else None


class Choice(NamedTuple):
    """One value where a condition holds, the other elsewhere."""

    condition: Tensor
    one: object
    other: object


def choice(call: Call) -> Choice | None:
    """What a call of where, masked_fill or x[condition] = one chooses, None if it is called otherwise."""
    if len(call.args) != 3:
        return None
    first, second, third = call.args
    if call.name == "where":
        made = Choice(first, second, third) if is_condition(first) else Choice(second, first, third)
    else:
        made = Choice(second, third, first)
    if not is_condition(made.condition) or (call.name == "setitem" and not _alike(made)):
        return None
    return made


def is_condition(value: object) -> bool:
    """Whether a value is a boolean tensor."""
    return isinstance(value, Tensor) and value.dtype == torch.bool


def _alike(made: Choice) -> bool:
    """Whether each value of one is written to its own place of the other: not where several are picked first."""
    return made.condition.shape == getattr(made.other, "shape", None) and torch.as_tensor(made.one).dim() == 0


def _written(x: Tensor, place: Any, value: Any) -> Tensor:
    x = x.clone()
    x[place] = value
    return x


ASSIGNED: dict[Function, Spelling] = {Tensor.__setitem__: Spelling("setitem", _written, None, ("input",))}
"""x[condition] = value, as a function that returns what x is then."""
