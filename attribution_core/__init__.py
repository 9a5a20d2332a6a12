"""Attribution methods for PyTorch models, with Captum's names and signatures."""

from attribution_core.classes.primary import (
    Deconvolution,
    DeepLift,
    FeatureAblation,
    GuidedBackprop,
    InputXGradient,
    IntegratedGradients,
    Occlusion,
    Saliency,
)
from attribution_core.errors import AttributionError
from attribution_core.evaluate import Cancelled, observe
from attribution_core.question import Question
from attribution_core.site import Inputs, Layer
from attribution_core.target import Neuron, Output, Score

__all__ = [
    "AttributionError",
    "Cancelled",
    "Deconvolution",
    "DeepLift",
    "FeatureAblation",
    "GuidedBackprop",
    "InputXGradient",
    "Inputs",
    "IntegratedGradients",
    "Layer",
    "Neuron",
    "Occlusion",
    "Output",
    "Question",
    "Saliency",
    "Score",
    "observe",
]
