"""Named choices of LRP rules for whole models."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.reading.values import shown
from attribution_core.rules.lrp import (
    AlphaBetaRule,
    BoxRule,
    EpsilonRule,
    FlatRule,
    PropagationRule,
    SignedGammaRule,
)

SMALL, EXACT = EpsilonRule(1e-6), EpsilonRule()


@dataclass(frozen=True)
class Composite:
    """Rules for convolutions, for linear layers, and for the first of either; all else by `others`.

    The rule for the first is one for the model's input: shifts and scales before that layer pass relevance on as it is.

    With `constant_attention` the weights of attention get no relevance, so that it is conserved [ali2022].
    Batch norms after a convolution or linear layer are merged into it, so that the rule sees both as one [pahde2023].
    """

    convolution: PropagationRule
    dense: PropagationRule
    first: PropagationRule | None = None
    others: PropagationRule = SMALL
    constant_attention: bool = False

    def rule(self, name: str) -> PropagationRule:
        """The rule for an operation that is not the first."""
        return self.convolution if name.startswith("conv") else self.dense


def epsilon(epsilon: float = 1e-6) -> Composite:
    """The epsilon rule everywhere [bach2015]."""
    return Composite(EpsilonRule(epsilon), EpsilonRule(epsilon))


def alpha2_beta1(first: PropagationRule | None = None) -> Composite:
    """α = 2, β = 1 for convolutions, epsilon for linear layers [bach2015, kohlbrenner2020]."""
    return Composite(AlphaBetaRule(2.0, 1.0), SMALL, first)


def epsilon_plus(first: PropagationRule | None = None) -> Composite:
    """Positive contributions only (α = 1, β = 0) for convolutions, epsilon for linear layers [kohlbrenner2020]."""
    return Composite(AlphaBetaRule(1.0, 0.0), SMALL, first)


def epsilon_gamma_box(
    low: float | Tensor | None = None, high: float | Tensor | None = None, gamma: float = 0.25
) -> Composite:
    """Box for the first layer, gamma for convolutions, epsilon for linear layers [montavon2019].

    `low` and `high` bound the model's input: where the model shifts, scales or pads it, so are they. None takes the
    least and largest value that the first layer receives of each example.
    """
    return Composite(SignedGammaRule(gamma), SMALL, BoxRule(low, high))


COMPOSITES: dict[str, Composite] = {
    "epsilon": epsilon(),
    "conservative-attention": Composite(EXACT, EXACT, others=EXACT, constant_attention=True),
    "alpha2-beta1": alpha2_beta1(),
    "alpha2-beta1-flat": alpha2_beta1(FlatRule()),
    "epsilon-plus": epsilon_plus(),
    "epsilon-plus-flat": epsilon_plus(FlatRule()),
    "epsilon-gamma-box": epsilon_gamma_box(),
}
"""Composites by the names of the literature."""


def as_composite(composite: str | Composite | None) -> Composite | None:
    """A composite, or the one of this name."""
    if composite is None or isinstance(composite, Composite):
        return composite
    if not isinstance(composite, str) or composite not in COMPOSITES:
        raise AttributionError(
            f"composite={shown(composite)} is unknown.", f"Choose one of {', '.join(COMPOSITES)}, or pass a Composite."
        )
    return COMPOSITES[composite]
