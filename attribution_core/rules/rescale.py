"""DeepLIFT's Rescale rule: slopes between a reference and the input in place of gradients [shrikumar2017].

A first run of the model on the baselines notes what every nonlinear operation receives. A second run on the inputs
meets the same operations in the same order, and each passes its gradient on by Δresult / Δinput. Of two values that
both depend on the input, the product is divided evenly: Δ(uv) = ūΔv + v̄Δu with mean values; this is exact, as is all
that is made of such parts: division, norms, attention. Shapes inside the model do not matter, and nothing is stacked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.rules import operations as ops
from attribution_core.rules.compared import Comparison, other_way
from attribution_core.rules.intercept import Call, Pull, replaced
from attribution_core.rules.products import Product, shared

Noted = list[tuple[str, tuple[Tensor, ...]]]


class Rescale:
    """The two runs of one explanation; `eps` is the smallest change of a value that a slope is computed from."""

    def __init__(self, eps: float) -> None:
        self.eps = eps
        self.noted: Noted = []

    def reference(self) -> Comparison:
        """Note what the operations receive."""
        self.noted.clear()
        return _Note(self.noted)

    def slopes(self) -> _Slopes:
        """Pass gradients on by slopes."""
        return _Slopes(self.noted, self.eps)


class _Note(Comparison):
    def __init__(self, noted: Noted) -> None:
        super().__init__()
        self.noted = noted

    def nonlinear(self, call: Call) -> Any:
        """Compute as usual, and note what arrived."""
        self.noted.append((call.name, (call.x.detach().clone(),)))
        return call.pure(call.x)

    def product(self, product: Product) -> Any:
        """The same for both factors."""
        self.noted.append((product.name, tuple(factor.detach().clone() for factor in product.factors)))
        return product.of(*product.factors)


class _Slopes(Comparison):
    def __init__(self, noted: Noted, eps: float) -> None:
        super().__init__()
        self.noted = noted
        self.eps = eps
        self.seen = 0

    def nonlinear(self, call: Call) -> Any:
        """Compute as usual, with the slope as gradient."""
        (reference,) = self._references(call.name, call.x)
        if not (call.x.requires_grad and torch.is_grad_enabled()):
            return call.pure(call.x)
        if call.name in ops.POOLED:
            return _pooled(call, reference, self.eps)
        if call.name in ops.LARGEST:
            return _largest(call, reference, self.eps)
        if call.name in ops.NORMALISED:
            return _normalised(call, reference, self.eps)
        rule = _rectified if call.name == "relu" else _elementwise
        return replaced(lambda x: rule(call, x, reference, self.eps), call.x)

    def product(self, product: Product) -> Any:
        """Compute as usual, with the mean of the other factor as gradient."""
        references = self._references(product.name, *product.factors)
        if not torch.is_grad_enabled() or not all(factor.requires_grad for factor in product.factors):
            return product.of(*product.factors)
        return replaced(lambda *factors: shared(product, factors, references), *product.factors)

    def finish(self) -> None:
        """All that was noted must have been met, and nothing unknown."""
        if self.unknown:
            raise AttributionError(
                f"DeepLIFT has no rule for {', '.join(self.unknown)}.",
                "Let the model compute it otherwise, explain a layer after it, or use IntegratedGradients.",
            )
        if self.seen != len(self.noted):
            raise other_way("it ended earlier")

    def _references(self, name: str, *values: Tensor) -> tuple[Tensor, ...]:
        if self.seen == len(self.noted):
            raise other_way(f"it also calls {name}")
        noted, references = self.noted[self.seen]
        self.seen += 1
        shapes, before = ([tuple(value.shape) for value in each] for each in (values, references))
        if noted != name or shapes != before:
            raise other_way(f"{name} on {shapes} follows where {noted} on {before} did")
        return references


def _far(x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Where the change is large enough for a quotient, and the change (1 elsewhere).

    Below √ulp of the values the gradient is nearer to the slope than a quotient of rounded differences.
    """
    change = x - reference
    rounding = torch.finfo(x.dtype).eps ** 0.5 * torch.maximum(x.abs(), reference.abs())
    far = change.abs() > rounding.clamp(min=eps)
    return far, torch.where(far, change, 1)


def _rectified(call: Call, x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Pull]:  # noqa: ARG001
    """Of the rectifier, the quotient is exact however small the change is."""
    result, precise = x.clamp(min=0), accumulator(x.dtype)
    if x.dtype != precise:
        x, reference = x.to(precise), reference.to(precise)
    change = x - reference
    rise = x.clamp(min=0) - reference.clamp(min=0)
    slope = torch.where(change.abs() > eps, rise / change, x > 0)
    return result, lambda g: (g * slope).to(g.dtype)


EXACT: dict[str, Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]] = {
    "square": lambda x, before, y, y_before: x + before,  # noqa: ARG005
    "sqrt": lambda x, before, y, y_before: 1 / (y + y_before),  # noqa: ARG005
    "rsqrt": lambda x, before, y, y_before: -((y * y_before) ** 2) / (y + y_before),  # noqa: ARG005
    "reciprocal": lambda x, before, y, y_before: -y * y_before,  # noqa: ARG005
}
"""Slopes Δy / Δx that need no quotient of differences."""


def _elementwise(call: Call, x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Pull]:
    precise = accumulator(x.dtype)
    at, base = x.to(precise), reference.to(precise)
    pure = _in(call, precise)
    if call.name in EXACT:
        result = pure(at)
        exact = EXACT[call.name](at, base, result, pure(base))
        return result.to(x.dtype), lambda g: (g.to(precise) * exact).to(g.dtype)
    with torch.enable_grad():
        leaf = at.detach().requires_grad_()
        after = pure(leaf)
        (gradient,) = torch.autograd.grad(after, leaf, torch.ones_like(after))
    far, change = _far(at, base, eps)
    rise = after.detach() - pure(base)
    slope = torch.where(far & rise.isfinite(), rise / change, gradient)
    return after.detach().to(x.dtype), lambda g: (g.to(precise) * slope).to(g.dtype)


def _in(call: Call, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    """The operation on another precision, its parameters (those of prelu) too."""

    def same(value: Any) -> Any:
        return value.detach().to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value

    arguments, options = tuple(map(same, call.arguments)), {k: same(v) for k, v in call.options.items()}
    return lambda x: call.function(x, *arguments, **options)


def _normalised(call: Call, reference: Tensor, eps: float) -> Tensor:
    """softmax = exp(x) · 1/Σexp(x): slopes of exp and 1/s, and the product rule Δ(uv) = ūΔv + v̄Δu with mean values.

    The contributions of an example sum to the change of its own result; no other example is looked at.
    """
    dim = call.arguments[0] if call.arguments else call.options.get("dim")
    dtypes = (value for value in (*call.arguments, *call.options.values()) if isinstance(value, torch.dtype))
    if not isinstance(dim, int):
        raise AttributionError(f"{call.name} without dim= cannot be explained.", "Give the dimension it runs over.")
    x = call.x.to(next(dtypes, call.x.dtype))
    if call.name == "softmin":
        x, reference = -x, -reference
    rule = _log_softmax if call.name == "log_softmax" else _softmax
    return replaced(lambda value: rule(value, reference.to(value.dtype), dim, eps), x)


def _exponentials(x: Tensor, reference: Tensor, dim: int, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    top = torch.maximum(x, reference).amax(dim, keepdim=True)
    now, before = (x - top).exp(), (reference - top).exp()
    far, change = _far(x, reference, eps)
    return now, before, torch.where(far, (now - before) / change, now)


def _softmax(x: Tensor, reference: Tensor, dim: int, eps: float) -> tuple[Tensor, Pull]:
    precise = accumulator(x.dtype)
    now, before, slope = _exponentials(x.to(precise), reference.to(precise), dim, eps)
    total, total_before = now.sum(dim, keepdim=True), before.sum(dim, keepdim=True)
    share = (1 / total + 1 / total_before) / 2
    size = (now + before) / 2 / (total * total_before)

    def pull(gradient: Tensor) -> Tensor:
        g = gradient.to(precise)
        return (slope * (g * share - (g * size).sum(dim, keepdim=True))).to(gradient.dtype)

    return (now / total).to(x.dtype), pull


def _log_softmax(x: Tensor, reference: Tensor, dim: int, eps: float) -> tuple[Tensor, Pull]:
    precise = accumulator(x.dtype)
    now, before, slope = _exponentials(x.to(precise), reference.to(precise), dim, eps)
    total, total_before = now.sum(dim, keepdim=True), before.sum(dim, keepdim=True)
    far, change = _far(total, total_before, 0)
    log_slope = torch.where(far, (total.log() - total_before.log()) / change, 1 / total)

    def pull(gradient: Tensor) -> Tensor:
        g = gradient.to(precise)
        return (g - g.sum(dim, keepdim=True) * slope * log_slope).to(gradient.dtype)

    return F.log_softmax(x, dim), pull


def _pooled(call: Call, reference: Tensor, eps: float) -> Any:
    dims = int(call.name[-2])
    pool = getattr(F, call.name)
    asked = bool(call.options.get("return_indices", False))
    options = {k: v for k, v in call.options.items() if k != "return_indices"}

    def winners(x: Tensor) -> tuple[Tensor, Tensor]:
        best, places = pool(x, *call.arguments, **options, return_indices=True)
        return best, places

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        best, places = winners(x)
        best_before, places_before = winners(reference)
        pull = _winner_slopes(
            (x.flatten(-dims), best.flatten(-dims), places.flatten(-dims)),
            (reference.flatten(-dims), best_before.flatten(-dims), places_before.flatten(-dims)),
            -1,
            eps,
        )
        return best, lambda g: pull(g.flatten(-dims)).reshape(x.shape)

    result = replaced(rule, call.x)
    return (result, winners(call.x.detach())[1]) if asked else result


def _largest(call: Call, reference: Tensor, eps: float) -> Any:
    dim = call.arguments[0] if call.arguments else call.options["dim"]
    keep = bool(call.arguments[1] if len(call.arguments) > 1 else call.options.get("keepdim", False))

    def rule(x: Tensor) -> tuple[Tensor, Pull]:
        best, places = x.max(dim, keepdim=True)
        return best, _winner_slopes((x, best, places), (reference, *reference.max(dim, keepdim=True)), dim, eps)

    result = replaced(rule, call.x)
    result = result if keep else result.squeeze(dim)
    if call.name == "amax":
        return result
    found = call.pure(call.x.detach())
    return type(found)((result, found.indices))


def _winner_slopes(
    now: tuple[Tensor, Tensor, Tensor], before: tuple[Tensor, Tensor, Tensor], dim: int, eps: float
) -> Callable[[Tensor], Tensor]:
    """A rise of the maximum is owed to the position that wins now, a fall to the one that won before."""
    x, best, places = now
    reference, best_before, places_before = before
    precise = accumulator(x.dtype)
    far, change = _far(x.to(precise), reference.to(precise), eps)
    rise = best.to(precise) - best_before.to(precise)
    here, there = far.gather(dim, places), far.gather(dim, places_before)
    up = torch.where(here, rise.clamp(min=0) / change.gather(dim, places), 1)
    down = torch.where(there, rise.clamp(max=0) / change.gather(dim, places_before), 0)

    def pull(gradient: Tensor) -> Tensor:
        g = gradient.to(precise)
        spread = torch.zeros(x.shape, dtype=precise, device=x.device)
        return spread.scatter_add_(dim, places, g * up).scatter_add_(dim, places_before, g * down).to(gradient.dtype)

    return pull
