"""Attribution methods for PyTorch models, with Captum's names and signatures."""

from attribution_core import visualization
from attribution_core.classes.ablation import (
    FeatureAblation,
    FeaturePermutation,
    LayerFeatureAblation,
    LayerFeaturePermutation,
    NeuronFeatureAblation,
    Occlusion,
)
from attribution_core.classes.attention import AttentionRollout
from attribution_core.classes.base import Attribution, GradientAttribution
from attribution_core.classes.cam import (
    GuidedGradCam,
    LayerCam,
    LayerGradCam,
    LayerGradCamPlusPlus,
    LayerScoreCam,
)
from attribution_core.classes.conductance import InternalInfluence, LayerConductance, NeuronConductance
from attribution_core.classes.deeplift import (
    DeepLift,
    DeepLiftShap,
    LayerDeepLift,
    LayerDeepLiftShap,
    NeuronDeepLift,
    NeuronDeepLiftShap,
)
from attribution_core.classes.gradient import (
    Deconvolution,
    GuidedBackprop,
    InputXGradient,
    LayerActivation,
    LayerGradientXActivation,
    NeuronDeconvolution,
    NeuronGradient,
    NeuronGuidedBackprop,
    Saliency,
)
from attribution_core.classes.gradient_shap import GradientShap, LayerGradientShap, NeuronGradientShap
from attribution_core.classes.image_input import ImageMaskInput
from attribution_core.classes.interpretable import (
    InterpretableEmbeddingBase,
    InterpretableInput,
    ProductBaselines,
    TextTemplateInput,
    TextTokenInput,
    TokenReferenceBase,
    configure_interpretable_embedding_layer,
    remove_interpretable_embedding_layer,
)
from attribution_core.classes.layer import LayerAttribution
from attribution_core.classes.loader import DataLoaderAttribution
from attribution_core.classes.lrp import LRP, LayerLRP
from attribution_core.classes.neuron import NeuronAttribution
from attribution_core.classes.noise import NoiseTunnel
from attribution_core.classes.path import IntegratedGradients, LayerIntegratedGradients, NeuronIntegratedGradients
from attribution_core.classes.perturbation import PerturbationAttribution
from attribution_core.classes.rise import RISE
from attribution_core.classes.shapley import KernelShap, ShapleyValues, ShapleyValueSampling
from attribution_core.classes.surrogate import Lime, LimeBase
from attribution_core.cost import cost
from attribution_core.errors import AttributionError, AttributionWarning
from attribution_core.evaluation.observe import Cancelled, observe
from attribution_core.question.question import Question
from attribution_core.question.site import Inputs, Layer
from attribution_core.question.target import Neuron, Output, Score
from attribution_core.question.target_forms import labelled
from attribution_core.summary import (
    MSE,
    ClassSummarizer,
    CommonStats,
    Count,
    Max,
    Mean,
    Min,
    StatValue,
    StdDev,
    Sum,
    Summarizer,
    SummarizerSingleTensor,
    Var,
)

__all__ = [
    "LRP",
    "MSE",
    "RISE",
    "AttentionRollout",
    "Attribution",
    "AttributionError",
    "AttributionWarning",
    "Cancelled",
    "ClassSummarizer",
    "CommonStats",
    "Count",
    "DataLoaderAttribution",
    "Deconvolution",
    "DeepLift",
    "DeepLiftShap",
    "FeatureAblation",
    "FeaturePermutation",
    "GradientAttribution",
    "GradientShap",
    "GuidedBackprop",
    "GuidedGradCam",
    "ImageMaskInput",
    "InputXGradient",
    "Inputs",
    "IntegratedGradients",
    "InternalInfluence",
    "InterpretableEmbeddingBase",
    "InterpretableInput",
    "KernelShap",
    "Layer",
    "LayerActivation",
    "LayerAttribution",
    "LayerCam",
    "LayerConductance",
    "LayerDeepLift",
    "LayerDeepLiftShap",
    "LayerFeatureAblation",
    "LayerFeaturePermutation",
    "LayerGradCam",
    "LayerGradCamPlusPlus",
    "LayerGradientShap",
    "LayerGradientXActivation",
    "LayerIntegratedGradients",
    "LayerLRP",
    "LayerScoreCam",
    "Lime",
    "LimeBase",
    "Max",
    "Mean",
    "Min",
    "Neuron",
    "NeuronAttribution",
    "NeuronConductance",
    "NeuronDeconvolution",
    "NeuronDeepLift",
    "NeuronDeepLiftShap",
    "NeuronFeatureAblation",
    "NeuronGradient",
    "NeuronGradientShap",
    "NeuronGuidedBackprop",
    "NeuronIntegratedGradients",
    "NoiseTunnel",
    "Occlusion",
    "Output",
    "PerturbationAttribution",
    "ProductBaselines",
    "Question",
    "Saliency",
    "Score",
    "ShapleyValueSampling",
    "ShapleyValues",
    "StatValue",
    "StdDev",
    "Sum",
    "Summarizer",
    "SummarizerSingleTensor",
    "TextTemplateInput",
    "TextTokenInput",
    "TokenReferenceBase",
    "Var",
    "configure_interpretable_embedding_layer",
    "cost",
    "labelled",
    "observe",
    "remove_interpretable_embedding_layer",
    "visualization",
]
