"""DeepLIFT through comparisons: 1 where they hold and 0 elsewhere, a step with slopes Δstep / Δvalue like any function.

Torch hands booleans on, which have no gradient: the step is noted beside them, and takes their place where values are
multiplied by them or chosen by them. So z · (z > 0) and where(z > 0, z, 0) have the multipliers of relu(z).
"""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.conditions import choice, is_condition, note, noted
from attribution_core.rules.intercept import Call, constant
from attribution_core.rules.parts import Parts
from attribution_core.rules.products import Places
from attribution_core.types import Tensors

STEP, CHOICE = "comparison", "choice"
"""Names of the calls below, in place of those that the model made."""


def as_step(call: Call) -> Call:
    """A comparison of floating point tensors, as a function of their difference."""
    if len(call.args) != 2 or not any(isinstance(arg, Tensor) and arg.is_floating_point() for arg in call.args):
        return call
    one, other = map(constant, call.args)
    result: Tensor = call.result()
    difference: Tensor = one - other  # type: ignore[operator]
    step = result.to(difference.dtype)
    return call._replace(name=STEP, function=lambda *_: note(result, step), args=(difference, step))


def _step(condition: object) -> Tensor | None:
    """What is noted beside a condition, or the same view of what is noted beside the one that it is a view of."""
    if not isinstance(condition, Tensor) or not is_condition(condition):
        return None
    whole = condition._base
    step = noted(condition, Tensor) if whole is None else noted(whole, Tensor)
    if step is None or whole is None:
        return step
    if step.stride() != whole.stride():
        return None
    return step.as_strided(condition.size(), condition.stride(), condition.storage_offset())


def as_choice(call: Call) -> Call:
    """where and its like, as a function of a step and both values."""
    made = choice(call)
    step = made and _step(made.condition)
    if made is None or step is None:
        return call
    result: Tensor = call.result()
    values = [torch.as_tensor(value, dtype=result.dtype, device=result.device) for value in (made.one, made.other)]
    return call._replace(name=CHOICE, function=lambda *_: result, args=(step, *values))


def compared(call: Call) -> Places:
    """All arguments of such a call."""
    return tuple(range(len(call.args))) if call.name in {STEP, CHOICE} else ()


def stepped(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001 - a jump is exact
    """The boolean, and beside it the step, whose gradient is a multiplier."""
    difference, step = call.args
    before, step_before = references

    def rule(difference: Tensor) -> tuple[Tensor, Pull]:
        precise = accumulator(difference.dtype)
        rise = (step - step_before).to(precise)
        slope = torch.where(rise == 0, 0, rise / (difference.to(precise) - before.to(precise)))
        return step, lambda g: (g.to(precise) * slope).to(g.dtype)

    return note(call.result(), replaced(rule, difference))


def chosen(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001 - nothing is divided
    """Δ(s u + (1 − s) v) = s̄ Δu + (1 − s̄) Δv + (ū − v̄) Δs with means, as of products, also beside infinities."""
    result: Tensor = call.result()

    def rule(*now: Tensor) -> tuple[Tensor, Pull]:
        precise = accumulator(result.dtype)
        step, one, other = ((a.to(precise) + b.to(precise)) / 2 for a, b in zip(now, references, strict=True))
        gap = one - other
        gap = torch.where((step == 0.5) & gap.isfinite(), gap, 0)

        forms = [(value.shape, value.dtype) for value in now]

        def pull(gradient: Tensor) -> Tensors:
            g = gradient.to(precise)
            return tuple(
                (g * slope).sum_to_size(shape).to(dtype)
                for slope, (shape, dtype) in zip((gap, step, 1 - step), forms, strict=True)
            )

        return result, pull

    return replaced(rule, *call.args)


def negated(call: Call) -> Parts | None:
    """Of a condition that is noted, the opposite with its own step."""
    step = _step(call.args[0])
    if step is None:
        return None
    result: Tensor = call.result()
    return lambda *_: note(result, 1 - step)


def combined(call: Call) -> Parts | None:
    """Of two conditions joined by "and" or "or", at least one of which is noted, the step of both."""
    steps = [_step(arg) for arg in call.args]
    known = next((step for step in steps if step is not None), None)
    if len(steps) != 2 or known is None:
        return None
    result: Tensor = call.result()
    given = zip(steps, call.args, strict=True)
    one, other = (torch.as_tensor(arg).to(known) if step is None else step for step, arg in given)
    either = call.name in ops.DISJUNCTIONS
    return lambda *_: note(result, one + other - one * other if either else one * other)


def cast(call: Call) -> Parts | None:
    """Of a condition that is noted, the step as numbers."""
    step = _step(call.args[0])
    return None if step is None else lambda _, *args, **kwargs: call.function(step, *args, **kwargs)


def by_condition(call: Call) -> Parts | None:
    """A product of a value and a condition that is noted, as that of the value and the step."""
    steps = [_step(arg) for arg in call.args]
    if (
        len(steps) != 2
        or (steps[0] is None) == (steps[1] is None)
        or not torch.result_type(*call.args).is_floating_point
    ):
        return None
    return lambda *args: torch.mul(*(arg if step is None else step for arg, step in zip(args, steps, strict=True)))
