"""Arguments with which every class of layers and neurons is called."""

from __future__ import annotations

from typing import Any

TARGET: dict[str, Any] = {"target": 1}
NEURON: dict[str, Any] = {"neuron_selector": 1}
INTERNAL: dict[str, dict[str, Any]] = {
    "LayerActivation": {}, "LayerCam": TARGET, "LayerConductance": TARGET, "LayerDeepLift": TARGET,
    "LayerDeepLiftShap": {**TARGET, "baselines": 0.5}, "LayerFeatureAblation": TARGET,
    "LayerFeaturePermutation": {**TARGET, "seed": 1}, "LayerGradCam": TARGET, "LayerGradCamPlusPlus": TARGET,
    "LayerGradientShap": {**TARGET, "baselines": 0.5, "seed": 1}, "LayerGradientXActivation": TARGET,
    "LayerIntegratedGradients": TARGET, "LayerLRP": TARGET, "InternalInfluence": TARGET, "NeuronGradient": NEURON,
    "NeuronConductance": {**NEURON, **TARGET}, "NeuronDeconvolution": NEURON, "NeuronDeepLift": NEURON,
    "NeuronDeepLiftShap": {**NEURON, "baselines": 0.5}, "NeuronFeatureAblation": NEURON,
    "NeuronGradientShap": {**NEURON, "baselines": 0.5, "seed": 1}, "NeuronGuidedBackprop": NEURON,
    "NeuronIntegratedGradients": NEURON,
}  # fmt: skip
