"""LRP's propagation rules: how an operation divides the relevance of its result among the values it received.

Users set them on modules (`module.rule = EpsilonRule()`) or choose a composite; nothing is ever written there by us.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.rules.linear_maps import LinearMap, same
from attribution_core.types import Tensors


class PropagationRule(ABC):
    """How the relevance of an operation's result becomes relevance of its values."""

    without_weights: ClassVar[bool] = False
    """Whether it also applies to operations without weights, such as pooling and addition."""

    as_computed: ClassVar[bool] = False
    """Whether it needs no other values and weights than the operation's own."""

    @abstractmethod
    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The relevance of each value of the linear, from that of its result."""


def stabilised(z: Tensor, epsilon: float) -> Tensor:
    """Away from zero by epsilon, in the direction of its sign."""
    return z + torch.copysign(z.new_tensor(epsilon), z)


def divided(linear: LinearMap, parts: Sequence[tuple[Tensors, Tensor]], relevance: Tensor, epsilon: float) -> Tensors:
    """Relevance in proportion to what each value adds to the sum of the parts' results."""
    whole = sum((z.detach() for _, z in parts[1:]), parts[0][1].detach())
    share = relevance.to(whole.dtype) / stabilised(whole, epsilon)
    total: Tensors | None = None
    # z is linear in each value alone: x · ∂z/∂x is what x adds to z. Of n factors each adds all of z, and gets an n-th.
    for leaves, z in parts:
        slopes = torch.autograd.grad(z, leaves, share)
        pulled = tuple(
            leaf.detach() * slope / count for leaf, slope, count in zip(leaves, slopes, linear.shares, strict=True)
        )
        total = pulled if total is None else tuple(map(torch.add, total, pulled))
    return total or ()


def undivided(parts: Sequence[tuple[Tensors, Tensor]], relevance: Tensor) -> Tensor:
    """The relevance of each row that the parts, adding up to exactly nothing, cannot divide."""
    whole = sum((z.detach() for _, z in parts[1:]), parts[0][1].detach())
    return torch.where(whole == 0, relevance.to(whole.dtype), 0).flatten(1).sum(1)


@dataclass(frozen=True)
class EpsilonRule(PropagationRule):
    """In proportion to the contributions to z = Σ x·w + b; epsilon absorbs that of weak results [bach2015, eq. 58]."""

    without_weights: ClassVar[bool] = True
    as_computed: ClassVar[bool] = True
    epsilon: float = 1e-9

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """x · Σ w R / (z ± ε)."""
        return divided(linear, [linear.as_computed()], relevance, self.epsilon)


@dataclass(frozen=True)
class GammaRule(PropagationRule):
    """Prefers positive contributions: weights w + γ·max(w, 0) [montavon2019]."""

    gamma: float = 0.25
    set_bias_to_zero: bool = False

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The epsilon rule with other weights."""
        weights = linear.weighted(lambda w: w + self.gamma * w.clamp(min=0), None if self.set_bias_to_zero else same)
        return divided(linear, [linear.computed(linear.precise, weights)], relevance, EPSILON)


@dataclass(frozen=True)
class Alpha1_Beta0_Rule(PropagationRule):  # noqa: N801 - Captum's name
    """Positive weights only [bach2015], for values that are not negative; Captum's form of α = 1, β = 0."""

    set_bias_to_zero: bool = False

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The epsilon rule with weights max(w, 0)."""
        weights = linear.weighted(_positive, None if self.set_bias_to_zero else same)
        return divided(linear, [linear.computed(linear.precise, weights)], relevance, EPSILON)


@dataclass(frozen=True)
class IdentityRule(PropagationRule):
    """Each value gets the relevance of the result at its own place."""

    without_weights: ClassVar[bool] = True
    epsilon: float = 1e-9

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The relevance as it is."""
        if len(linear.values) > 1 or linear.values[0].shape != relevance.shape:
            raise AttributionError(
                f"IdentityRule: {linear.name} turns {[tuple(v.shape) for v in linear.values]} into "
                f"{tuple(relevance.shape)}.",
                "Use it where one value becomes one of the same shape, or choose EpsilonRule.",
            )
        return (relevance,)


@dataclass(frozen=True)
class AlphaBetaRule(PropagationRule):
    """Positive contributions α times, negative ones β times, α − β = 1; values of either sign [bach2015, eq. 60]."""

    alpha: float = 2.0
    beta: float = 1.0

    def __post_init__(self) -> None:
        if self.alpha < 1 or abs(self.alpha - self.beta - 1) > 1e-6:
            raise AttributionError(
                f"AlphaBetaRule(alpha={self.alpha}, beta={self.beta}): expected α ≥ 1 and α − β = 1.",
                "For example alpha=2, beta=1.",
            )

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """α times by positive, less β times by negative contributions."""
        up, down = tuple(map(_positive, linear.precise)), tuple(map(_negative, linear.precise))

        def signed(one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor]) -> tuple[Tensors, Tensor]:
            parts = [linear.computed(up, linear.weighted(one, one)), linear.computed(down, linear.weighted(other))]
            return divided(linear, parts, relevance, EPSILON), undivided(parts, relevance)

        positive, linear.lost = signed(_positive, _negative)
        supporting, linear.lost = tuple(self.alpha * r for r in positive), self.alpha * linear.lost
        if not self.beta:
            return supporting
        negative, kept = signed(_negative, _positive)
        linear.lost = linear.lost - self.beta * kept
        return tuple(r - self.beta * s for r, s in zip(supporting, negative, strict=True))


@dataclass(frozen=True)
class SignedGammaRule(PropagationRule):
    """Prefers contributions of the result's own sign; values of either sign, and never a vanishing sum [andeol2023]."""

    gamma: float = 0.25

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The gamma rule, mirrored for negative results."""
        up, down = tuple(map(_positive, linear.precise)), tuple(map(_negative, linear.precise))
        positive = linear.as_computed()[1].detach() >= 0

        def signed(one: Callable[[Tensor], Tensor], other: Callable[[Tensor], Tensor], where: Tensor) -> Tensors:
            parts = [
                linear.computed(up, linear.weighted(self._more(one), self._more(one))),
                linear.computed(down, linear.weighted(self._more(other))),
            ]
            return divided(linear, parts, relevance * where, EPSILON)

        both = signed(_positive, _negative, positive), signed(_negative, _positive, ~positive)
        return tuple(map(torch.add, *both))

    def _more(self, part: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        return lambda w: w + self.gamma * part(w)


@dataclass(frozen=True)
class BoxRule(PropagationRule):
    """For inputs with bounds, such as pixels: contributions counted from low and high (z^B) [montavon2017].

    Bounds are numbers or tensors that broadcast over the values; None is the least or largest value of each example.
    """

    low: float | Tensor | None = None
    high: float | Tensor | None = None

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """(x·w − low·w⁺ − high·w⁻) R / Σ of the same."""
        lows = tuple(-_bound(self.low, x, x.amin) for x in linear.precise)
        highs = tuple(-_bound(self.high, x, x.amax) for x in linear.precise)
        parts = [
            linear.computed(linear.precise, linear.weighted(same)),
            linear.computed(lows, linear.weighted(_positive)),
            linear.computed(highs, linear.weighted(_negative)),
        ]
        return divided(linear, parts, relevance, EPSILON)


@dataclass(frozen=True)
class FlatRule(PropagationRule):
    """Every value that a result was computed from gets the same [lapuschkin2019]."""

    def relevance(self, linear: LinearMap, relevance: Tensor) -> Tensors:
        """The epsilon rule with ones for values and weights."""
        ones = tuple(map(torch.ones_like, linear.precise))
        return divided(linear, [linear.computed(ones, linear.weighted(torch.ones_like))], relevance, EPSILON)


EPSILON = EpsilonRule().epsilon
"""Against 0/0 alone: next to results of the size of one, 1e-9 is below what float32 resolves."""


def _positive(value: Tensor) -> Tensor:
    return value.clamp(min=0)


def _negative(value: Tensor) -> Tensor:
    return value.clamp(max=0)


def _bound(bound: float | Tensor | None, x: Tensor, extreme: Callable[..., Tensor]) -> Tensor:
    if bound is None:
        return extreme(tuple(range(1, x.dim())), keepdim=True).expand_as(x)
    return torch.as_tensor(bound, dtype=x.dtype, device=x.device).expand_as(x)
