"""DeepLIFT's multipliers m = Δresult / Δvalue of every operation that is not linear [shrikumar2017].

A slot says which operations it is for, of which arguments the pass on the baselines keeps a copy, and how the pass on
the inputs returns the result with a multiplier in the place of its gradient. The chain rule for multipliers (eq. 3 of
the paper) is then the backward pass of autograd. The Rescale rule is their section 3.5.2.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules import steps
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.intercept import Call
from attribution_core.rules.parts import Parts, batch_norm, largest, magnitude, quotient
from attribution_core.rules.products import Places, factors, is_value, product
from attribution_core.rules.quotients import divided, terms
from attribution_core.rules.softmax import normalised
from attribution_core.types import Tensors


def value(call: Call) -> Places:
    """The first argument, if it is a floating point tensor."""
    return (0,) if isinstance(call.args[0], Tensor) and call.args[0].is_floating_point() else ()


def nothing(call: Call) -> Places:  # noqa: ARG001
    """No argument is compared."""
    return ()


def unused(call: Call, places: Places, references: Tensors, eps: float) -> object:  # noqa: ARG001
    """Of operations that are linear or made of parts, there is nothing to multiply."""
    return call.result()


@dataclass(frozen=True)
class Slope:
    """How DeepLIFT treats some operations.

    `places` says which arguments are compared, none of a call that is linear; `multiplied` returns the result whose
    gradient is a multiplier, from the call, those places, the references there and the smallest change that counts.
    `parts` are what a call is made of, where it is; `form` writes it otherwise before all else. A call without places
    is linear in so many arguments at once as `linear` says.
    """

    operations: frozenset[str]
    places: Callable[[Call], Places] = nothing
    multiplied: Callable[[Call, Places, Tensors, float], object] = unused
    parts: Callable[[Call], Parts | None] | None = None
    form: Callable[[Call], Call] | None = None
    linear: float = 0


def _far(x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Where the change is large enough for a quotient, and the change (1 elsewhere).

    A quotient of differences carries a rounding error of about ulp·|x| / |Δx|, the gradient in its place an error of
    about |Δx| of its own. Both are equal at √ulp·|x|; below, the gradient is nearer to the slope.
    """
    change = x - reference
    rounding = torch.finfo(x.dtype).eps ** 0.5 * torch.maximum(x.abs(), reference.abs())
    far = change.abs() > rounding.clamp(min=eps)
    return far, torch.where(far, change, 1)


def _rectified(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001
    """Of the rectifier, the quotient is exact however small the change is: no bound but eps, against 0/0."""

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        (reference,), result, precise = references, x.clamp(min=0), accumulator(x.dtype)
        after = result
        if x.dtype != precise:
            x, reference, after = x.to(precise), reference.to(precise), result.to(precise)
        change = x - reference
        rise = after - reference.clamp(min=0)
        slope = torch.where(change.abs() > eps, rise / change, x > 0)
        return result, lambda g: (g * slope).to(g.dtype)

    return replaced(rule, call.args[0])


EXACT: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "square": lambda x, before, y, y_before: x + before,  # noqa: ARG005
    "sqrt": lambda x, before, y, y_before: 1 / (y + y_before),  # noqa: ARG005
    "rsqrt": lambda x, before, y, y_before: -((y * y_before) ** 2) / (y + y_before),  # noqa: ARG005
    "reciprocal": lambda x, before, y, y_before: -y * y_before,  # noqa: ARG005
}
"""Slopes Δy / Δx that need no quotient of differences."""


def _elementwise(call: Call, places: Places, references: Tensors, eps: float) -> Tensor:  # noqa: ARG001
    """Δy / Δx of each value, and the gradient where the change is too small for that (Rescale, section 3.5.2)."""
    rule = _exact if call.name in EXACT else _quotient_of_changes
    return replaced(lambda x: rule(call, x, references[0], eps), call.args[0])


def _exact(call: Call, x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Pull]:  # noqa: ARG001
    precise = accumulator(x.dtype)
    at, base, function = x.to(precise), reference.to(precise), _in(call, precise)
    result = function(at)
    slope = _finite(EXACT[call.name](at, base, result, function(base)), at, base)
    return result.to(x.dtype), lambda g: (g.to(precise) * slope).to(g.dtype)


def _quotient_of_changes(call: Call, x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Pull]:
    precise = accumulator(x.dtype)
    at, base, function = x.to(precise), reference.to(precise), _in(call, precise)
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        after = function(leaf)
        (gradient,) = torch.autograd.grad(after, leaf, torch.ones_like(after))
    far, change = _far(at, base, eps)
    rise = after.detach() - function(base)
    slope = _finite(torch.where(far & rise.isfinite(), rise / change, gradient), at, base)
    return after.detach().to(x.dtype), lambda g: (g.to(precise) * slope).to(g.dtype)


def _finite(slope: Tensor, x: Tensor, reference: Tensor) -> Tensor:
    """0 where nothing changes and the gradient is infinite, as that of a root at 0."""
    return torch.where((x == reference) & ~slope.isfinite(), 0, slope)


def _in(call: Call, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """The operation on another precision, its parameters (those of prelu) too."""

    def same(value: object) -> object:
        return value.detach().to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    own = call._replace(args=tuple(map(same, call.args)), kwargs={k: same(v) for k, v in call.kwargs.items()})
    return own.of


def _of_complex(call: Call) -> Parts | None:
    """The absolute value of complex numbers."""
    x = call.args[0]
    return magnitude if call.name in {"abs", "absolute"} and isinstance(x, Tensor) and x.is_complex() else None


def _pooled(call: Call, places: Places, references: Tensors, eps: float) -> object:  # noqa: ARG001
    dims, pool = ops.POOLED_DIMENSIONS[call.name], getattr(F, call.name)
    options = {k: v for k, v in call.kwargs.items() if k != "return_indices"}

    def winners(x: Tensor) -> tuple[Tensor, Tensor]:
        best, places = pool(x, *call.args[1:], **options, return_indices=True)
        return best, places

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        now, before = (x, *winners(x)), (references[0], *winners(references[0]))
        flat_now, flat_before = ([part.flatten(-dims) for part in parts] for parts in (now, before))
        pull = _winner_slopes(Winners(*flat_now), Winners(*flat_before), -1, eps)
        return now[1], lambda g: pull(g.flatten(-dims)).reshape(x.shape)

    result = replaced(rule, call.args[0])
    return (result, winners(call.args[0].detach())[1]) if call.kwargs.get("return_indices") else result


def _largest(call: Call, places: Places, references: Tensors, eps: float) -> object:  # noqa: ARG001
    dim, keep = _dimension(call), (*call.args[2:], call.kwargs.get("keepdim", False))[0]

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        now, before = x.max(dim, keepdim=True), references[0].max(dim, keepdim=True)
        return now[0], _winner_slopes(Winners(x, *now), Winners(references[0], *before), dim, eps)

    result = replaced(rule, call.args[0])
    result = result if keep else result.squeeze(dim)
    if call.name == "amax":
        return result
    pooled = call.of(call.args[0].detach())
    return type(pooled)((result, pooled.indices))


@dataclass(frozen=True)
class Winners:
    """Values, the largest of them, and where those are."""

    values: Tensor
    best: Tensor
    places: Tensor


def _winner_slopes(now: Winners, before: Winners, dim: int, eps: float) -> Callable[[Tensor], Tensor]:
    """A rise of the maximum is owed to the position that wins now, a fall to the one that won before.

    The one that wins now rose at least as much as the maximum, the other fell at least as much: multipliers in [0, 1].
    """
    precise, won, winning = accumulator(now.values.dtype), before.places, now.places
    far, change = _far(now.values.to(precise), before.values.to(precise), eps)
    rise = now.best.to(precise) - before.best.to(precise)
    up = torch.where(far.gather(dim, winning), rise.clamp(min=0) / change.gather(dim, winning), 1)
    down = torch.where(far.gather(dim, won), rise.clamp(max=0) / change.gather(dim, won), 0)

    # Keeps nothing of `now.best`: that is the operation's result, whose node would then hold itself, for good.
    def pull(gradient: Tensor) -> Tensor:
        g = gradient.to(precise)
        spread = torch.zeros(change.shape, dtype=precise, device=change.device)
        spread.scatter_add_(dim, winning, g * up).scatter_add_(dim, won, g * down)
        return spread.to(gradient.dtype)

    return pull


def _dimension(call: Call) -> Any:
    """The one dimension that `max` runs over, or what stands in its place."""
    return call.args[1] if len(call.args) > 1 else call.kwargs.get("dim")


def _unless_of_one_dimension(call: Call) -> Parts | None:
    """`max` over everything, over several dimensions, or of two tensors."""
    one = isinstance(_dimension(call), int) and not isinstance(_dimension(call), bool)
    return None if one else largest


def _multiplied(call: Call, places: Places, references: Tensors, eps: float) -> object:
    """A product of two values, which is linear if one of them does not depend on the input."""
    if not all(call.args[place].requires_grad for place in places):
        return call.result()
    if (
        call.in_place
    ):  # the product keeps its factors, and the result that is written into one must not keep the product
        call = call._replace(args=(call.args[0].clone(), *call.args[1:]))
    return product(call, places, references, eps)


def _by_a_value(call: Call) -> Parts | None:
    """Division of a constant by a value that may depend on the input."""
    by_value = len(call.args) > 1 and is_value(call.args[1]) and not call.kwargs
    return quotient if by_value and not is_value(call.args[0]) else None


def _in_training(call: Call) -> Parts | None:
    """Batch norm that takes the statistics of the batch, and not the running ones."""
    return batch_norm if (*call.args[5:], call.kwargs.get("training", False))[0] else None


SLOPES = (
    Slope(frozenset({"relu"}), value, _rectified),
    Slope(ops.ELEMENTWISE - {"relu"}, value, _elementwise, parts=_of_complex),
    Slope(ops.NORMALISED | {"logsumexp"}, value, normalised),
    Slope(ops.POOLED, value, _pooled),
    Slope(ops.LARGEST, value, _largest, parts=_unless_of_one_dimension),
    Slope(ops.PRODUCTS | ops.WEIGHTED, factors, _multiplied, parts=steps.by_condition, linear=1),
    Slope(ops.QUOTIENTS, terms, divided, parts=_by_a_value, linear=1),
    Slope(frozenset({"batch_norm"}), parts=_in_training, linear=1),
    Slope(ops.COMPARISONS, steps.compared, steps.stepped, form=steps.as_step, linear=math.inf),
    Slope(ops.CHOICES, steps.compared, steps.chosen, form=steps.as_choice, linear=math.inf),
    Slope(ops.NEGATIONS, parts=steps.negated, linear=1),
    Slope(ops.CONJUNCTIONS | ops.DISJUNCTIONS, parts=steps.combined),
    Slope(ops.CASTS, parts=steps.cast, linear=math.inf),
)
"""Everything that is neither linear nor refused."""
