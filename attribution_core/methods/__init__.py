"""Methods: pure functions of a question."""

from attribution_core.methods.ablation import ablation
from attribution_core.methods.deeplift import deeplift
from attribution_core.methods.gradient import input_x_gradient, modified, saliency
from attribution_core.methods.path import integrated_gradients

__all__ = ["ablation", "deeplift", "input_x_gradient", "integrated_gradients", "modified", "saliency"]
