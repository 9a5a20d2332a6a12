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
from attribution_core.interpretable import (
    InterpretableEmbeddingBase,
    InterpretableInput,
    ProductBaselines,
    TextTemplateInput,
    TextTokenInput,
    TokenReferenceBase,
    configure_interpretable_embedding_layer,
    remove_interpretable_embedding_layer,
)
from attribution_core.loader import DataLoaderAttribution
from attribution_core.question import Question
from attribution_core.site import Inputs, Layer
from attribution_core.summary import (
    MSE,
    ClassSummarizer,
    CommonStats,
    Count,
    Max,
    Mean,
    Min,
    StdDev,
    Sum,
    Summarizer,
    SummarizerSingleTensor,
    Var,
)
from attribution_core.target import Neuron, Output, Score

__all__ = [
    "MSE",
    "AttributionError",
    "Cancelled",
    "ClassSummarizer",
    "CommonStats",
    "Count",
    "DataLoaderAttribution",
    "Deconvolution",
    "DeepLift",
    "FeatureAblation",
    "GuidedBackprop",
    "InputXGradient",
    "Inputs",
    "IntegratedGradients",
    "InterpretableEmbeddingBase",
    "InterpretableInput",
    "Layer",
    "Max",
    "Mean",
    "Min",
    "Neuron",
    "Occlusion",
    "Output",
    "ProductBaselines",
    "Question",
    "Saliency",
    "Score",
    "StdDev",
    "Sum",
    "Summarizer",
    "SummarizerSingleTensor",
    "TextTemplateInput",
    "TextTokenInput",
    "TokenReferenceBase",
    "Var",
    "configure_interpretable_embedding_layer",
    "observe",
    "remove_interpretable_embedding_layer",
]
