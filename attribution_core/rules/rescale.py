"""DeepLIFT's Rescale rule: slopes between a reference and the input in place of gradients [shrikumar2017].

A first run of the model on the baselines, inside `reference()`, notes what every nonlinear operation receives. A second
run on the inputs, inside `slopes()`, meets the same operations in the same order, and each passes its gradient on by
Δresult / Δinput. Shapes inside the model do not matter, and nothing is stacked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.paths import wide
from attribution_core.rules.intercept import Call, Interception, Pull, replaced

ACTIVATIONS = """relu relu6 elu selu celu leaky_relu prelu hardtanh hardswish hardsigmoid gelu silu mish softplus
    softsign rrelu sigmoid expit special_expit logsigmoid log_sigmoid tanh erf hardshrink softshrink tanhshrink
    threshold clamp clip clamp_min clamp_max"""
FUNCTIONS = """exp expm1 log log1p log2 log10 sqrt rsqrt square pow reciprocal abs absolute sin cos tan asin acos atan
    arctan sinh cosh asinh acosh atanh exp2"""
ELEMENTWISE = frozenset(f"{ACTIVATIONS} {FUNCTIONS}".split())
NORMALISED = frozenset({"softmax", "log_softmax", "softmin"})
POOLED = frozenset(f"{kind}max_pool{n}d" for kind in ("", "adaptive_") for n in (1, 2, 3))
LARGEST = frozenset({"max", "amax"})


class Rescale:
    """The two runs of one explanation; `eps` is the smallest change of a value that a slope is computed from."""

    def __init__(self, eps: float) -> None:
        self.eps = eps
        self.noted: list[tuple[str, Tensor]] = []

    def reference(self) -> Interception:
        """Note what the operations receive."""
        self.noted.clear()
        return _Note(self.noted)

    @contextmanager
    def slopes(self) -> Iterator[None]:
        """Pass gradients on by slopes."""
        with _Slopes(self.noted, self.eps) as run:
            yield
        if run.seen != len(self.noted):
            raise _other_way("it ended earlier")


class _Nonlinear(Interception):
    def __init__(self, noted: list[tuple[str, Tensor]]) -> None:
        super().__init__(ELEMENTWISE | NORMALISED | POOLED | LARGEST)
        self.noted = noted

    def answer(self, call: Call) -> Any:
        """Nonlinear functions of one tensor are ours; whatever else goes by their names is not."""
        return self.nonlinear(call) if _of_one_tensor(call) else call.pure(call.x)

    def nonlinear(self, call: Call) -> Any:
        """What the operation returns."""
        raise NotImplementedError


class _Note(_Nonlinear):
    def nonlinear(self, call: Call) -> Any:
        """Compute as usual, and note what arrived."""
        self.noted.append((call.name, call.x.detach().clone()))
        return call.pure(call.x)


class _Slopes(_Nonlinear):
    def __init__(self, noted: list[tuple[str, Tensor]], eps: float) -> None:
        super().__init__(noted)
        self.eps = eps
        self.seen = 0

    def nonlinear(self, call: Call) -> Any:
        """Compute as usual, with the slope as gradient."""
        reference = self._reference(call)
        if not (call.x.requires_grad and torch.is_grad_enabled()):
            return call.pure(call.x)
        if call.name in POOLED:
            return _pooled(call, reference, self.eps)
        if call.name in LARGEST:
            return _largest(call, reference, self.eps)
        if call.name in NORMALISED:
            return _normalised(call, reference, self.eps)
        return replaced(lambda x: _elementwise(call, x, reference, self.eps), call.x)

    def _reference(self, call: Call) -> Tensor:
        if self.seen == len(self.noted):
            raise _other_way(f"it also calls {call.name}")
        name, reference = self.noted[self.seen]
        self.seen += 1
        if (name, reference.shape) != (call.name, call.x.shape):
            raise _other_way(
                f"{call.name} on {tuple(call.x.shape)} follows where {name} on {tuple(reference.shape)} did"
            )
        return reference


def _of_one_tensor(call: Call) -> bool:
    """False for `max` over everything or of two tensors, and for exponents and bounds that are tensors."""
    if call.name in LARGEST:
        dims = call.arguments[:1] or (call.options.get("dim"),)
        return isinstance(dims[0], int) and not isinstance(dims[0], bool)
    others = (*call.arguments, *call.options.values())
    return call.name == "prelu" or not any(isinstance(other, Tensor) for other in others)


def _other_way(what: str) -> AttributionError:
    return AttributionError(
        f"The model computes in another way for the inputs than for the baselines: {what}.",
        "DeepLIFT compares the same operations on both; choose a baseline that takes the same branches.",
    )


def _far(x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Where the change is large enough for a quotient, and the change (1 elsewhere).

    Below √ulp of the values the gradient is nearer to the slope than a quotient of rounded differences.
    """
    change = x - reference
    rounding = torch.finfo(x.dtype).eps ** 0.5 * torch.maximum(x.abs(), reference.abs())
    far = change.abs() > rounding.clamp(min=eps)
    return far, torch.where(far, change, 1)


def _elementwise(call: Call, x: Tensor, reference: Tensor, eps: float) -> tuple[Tensor, Pull]:
    precise = wide(x.dtype)
    at, base = x.to(precise), reference.to(precise)
    pure = _in(call, precise)
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
    precise = wide(x.dtype)
    now, before, slope = _exponentials(x.to(precise), reference.to(precise), dim, eps)
    total, total_before = now.sum(dim, keepdim=True), before.sum(dim, keepdim=True)
    share = (1 / total + 1 / total_before) / 2
    size = (now + before) / 2 / (total * total_before)

    def pull(gradient: Tensor) -> Tensor:
        g = gradient.to(precise)
        return (slope * (g * share - (g * size).sum(dim, keepdim=True))).to(gradient.dtype)

    return (now / total).to(x.dtype), pull


def _log_softmax(x: Tensor, reference: Tensor, dim: int, eps: float) -> tuple[Tensor, Pull]:
    precise = wide(x.dtype)
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
    precise = wide(x.dtype)
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
