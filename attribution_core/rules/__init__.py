"""Rules: context managers that change how the score's gradient passes through some operations."""

from attribution_core.rules.composites import Composite
from attribution_core.rules.lrp import (
    Alpha1_Beta0_Rule,
    AlphaBetaRule,
    BoxRule,
    EpsilonRule,
    FlatRule,
    GammaRule,
    IdentityRule,
    PropagationRule,
    SignedGammaRule,
)
from attribution_core.rules.relu import deconvolution, guided
from attribution_core.rules.rescale import Rescale

__all__ = [
    "Alpha1_Beta0_Rule",
    "AlphaBetaRule",
    "BoxRule",
    "Composite",
    "EpsilonRule",
    "FlatRule",
    "GammaRule",
    "IdentityRule",
    "PropagationRule",
    "Rescale",
    "SignedGammaRule",
    "deconvolution",
    "guided",
]
