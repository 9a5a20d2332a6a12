"""DeepLIFT's multipliers of u / v, which stay bounded where one of the two v is small: a norm of the baseline, say.

From the product rule for u = y v, Δu = v̄ Δy + ȳ Δv with mean values, follows Δy = (Δu − ȳ Δv) / v̄. As y = u · (1/v) it
would have the mean of 1/v in the place of 1 / v̄: as large as 1/v₀, in contributions that cancel.
"""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules.autograd import Pull, replaced
from attribution_core.rules.intercept import Call
from attribution_core.rules.products import Places, is_value
from attribution_core.types import Tensors


def terms(call: Call) -> Places:
    """Numerator and denominator, if both may depend on the input."""
    return (0, 1) if len(call.args) == 2 and all(map(is_value, call.args)) and not call.kwargs else ()


def divided(call: Call, places: Places, references: Tensors, eps: float) -> object:  # noqa: ARG001 - no small changes
    """The quotient, its change divided between both terms."""
    if not call.args[1].requires_grad:
        return call.result()
    result: Tensor = call.result()

    def rule(*now: Tensor) -> tuple[Tensor, Pull]:
        precise = accumulator(result.dtype)
        u, v, u0, v0 = (value.to(precise) for value in (*now, *references))
        mean = (v + v0) / 2
        alike = (v > 0) == (v0 > 0)  # between the signs is no mean to divide by
        of_u = torch.where(alike, 1 / mean, (1 / v + 1 / v0) / 2)
        of_v = torch.where(alike, (u / v + u0 / v0) / 2 / mean, (u + u0) / 2 / (v * v0))

        forms = [(value.shape, value.dtype) for value in now]

        def pull(gradient: Tensor) -> Tensors:
            g = gradient.to(precise)
            return tuple(
                (g * slope).sum_to_size(shape).to(dtype)
                for slope, (shape, dtype) in zip((of_u, -of_v), forms, strict=True)
            )

        return result, pull

    return replaced(rule, *call.args)
