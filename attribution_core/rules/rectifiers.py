"""Which calls rectify a value, by whatever name, and which do so by hand: z · (z > 0), maximum(z, 0), …"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from weakref import ref

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import version
from attribution_core.rules.conditions import choice, note, noted
from attribution_core.rules.intercept import Call
from attribution_core.rules.spellings import Function, Spelling


def rectified(call: Call) -> Call | None:
    """The call, or one of relu in its place, if it rectifies a value; its first argument is that value."""
    if call.name in RECTIFIES:
        x = call.args[0]
        floats = isinstance(x, Tensor) and x.is_floating_point()
        return call if floats and RECTIFIES[call.name](call) else None
    value = WRITTEN[call.name](call)
    if value is None:
        return None
    return call._replace(name="relu", function=torch.relu, args=(value,), kwargs={}, in_place=False)


def _option(call: Call, place: int, name: str, default: object = None) -> object:
    return call.args[place] if len(call.args) > place else call.kwargs.get(name, default)


def _clamps(call: Call) -> bool:
    """At 0 from below, and from above at nothing or at something positive."""
    high = _option(call, 2, "max")
    return _is_zero(_option(call, 1, "min")) and (high is None or (isinstance(high, int | float) and high > 0))


RECTIFIES: dict[str, Callable[[Call], bool]] = {
    "relu": lambda call: True,  # noqa: ARG005
    "relu6": lambda call: True,  # noqa: ARG005
    "hardtanh": lambda call: _is_zero(_option(call, 1, "min_val", -1)),
    "threshold": lambda call: _is_zero(_option(call, 1, "threshold")) and _is_zero(_option(call, 2, "value")),
    "clamp_min": lambda call: _is_zero(_option(call, 1, "min")),
    "clamp": _clamps,
    "clip": _clamps,
}
"""Operations that are rectifiers for some arguments."""


def _of_aten(name: str, plain: Function) -> dict[Function, Spelling]:
    """How exported models call an operation, in place too."""
    known: dict[Function, Spelling] = {}
    for packet, out_of_place in ((getattr(torch.ops.aten, name), None), (getattr(torch.ops.aten, f"{name}_"), plain)):
        known |= dict.fromkeys((packet, packet.default), Spelling(name, out_of_place, None, ("self",)))
    return known


ATEN = (
    _of_aten("relu", torch.relu)
    | _of_aten("relu6", F.relu6)
    | _of_aten("hardtanh", F.hardtanh)
    | _of_aten("threshold", torch.threshold)
    | _of_aten("clamp_min", torch.clamp_min)
    | _of_aten("clamp", torch.clamp)
)


class Sign(NamedTuple):
    """Of a condition: that it holds where `value`, as it was at a version, is positive, or that it holds elsewhere."""

    value: ref[Tensor]
    version: int
    positive: bool

    def is_of(self, value: object) -> bool:
        """Whether it is about this value, and that is still the same."""
        return isinstance(value, Tensor) and value is self.value() and version(value) == self.version


def _noting(make: Callable[[Call], Sign | None]) -> Callable[[object, Call], object]:
    def answer(_: object, call: Call) -> object:
        sign = make(call)
        return NotImplemented if sign is None else note(call.result(), sign)

    return answer


def _sign(call: Call) -> Sign | None:
    """Of a comparison of a value with 0."""
    for turned, (value, bound) in enumerate((call.args, call.args[::-1]) if len(call.args) == 2 else ()):
        if isinstance(value, Tensor) and value.requires_grad and _is_zero(bound):
            return Sign(ref(value), version(value), (call.name in ops.ABOVE) != bool(turned))
    return None


def _opposite(call: Call) -> Sign | None:
    sign = noted(call.args[0], Sign)
    return sign and sign._replace(positive=not sign.positive)


NOTES: dict[str, Callable[[object, Call], object]] = {
    **dict.fromkeys(ops.COMPARISONS, _noting(_sign)),
    **dict.fromkeys(ops.NEGATIONS, _noting(_opposite)),
    **dict.fromkeys(ops.CASTS, _noting(lambda call: noted(call.args[0], Sign))),
}
"""What becomes of conditions until a value is multiplied by them or chosen by them."""


def _of_product(call: Call) -> Tensor | None:
    """z · (z > 0)."""
    for value, condition in (call.args, call.args[::-1]) if len(call.args) == 2 else ():
        sign = noted(condition, Sign)
        if sign is not None and sign.positive and sign.is_of(value):
            return value  # type: ignore[no-any-return]
    return None


def _of_choice(call: Call) -> Tensor | None:
    """where(z > 0, z, 0)."""
    made = choice(call)
    sign = made and noted(made.condition, Sign)
    if made is None or sign is None:
        return None
    value, other = (made.one, made.other) if sign.positive else (made.other, made.one)
    return value if sign.is_of(value) and _is_zero(other) else None  # type: ignore[return-value]


def _of_larger(call: Call) -> Tensor | None:
    """maximum(z, 0)."""
    for value, other in (call.args, call.args[::-1]) if len(call.args) == 2 else ():
        if isinstance(value, Tensor) and value.requires_grad and isinstance(other, Tensor) and _is_zero(other):
            return value
    return None


def _is_zero(value: object) -> bool:
    if isinstance(value, Tensor):
        return not value.requires_grad and not value.any()
    return isinstance(value, int | float) and value == 0


WRITTEN: dict[str, Callable[[Call], Tensor | None]] = {
    **dict.fromkeys(("mul", "multiply"), _of_product),
    **dict.fromkeys(ops.CHOICES, _of_choice),
    **dict.fromkeys(("maximum", "fmax", "max"), _of_larger),
}
"""The value that a call of these rectifies, if it does."""
