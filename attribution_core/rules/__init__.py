"""Rules: context managers that change how the score's gradient passes through some operations."""

from attribution_core.rules.relu import deconvolution, guided
from attribution_core.rules.rescale import Rescale

__all__ = ["Rescale", "deconvolution", "guided"]
