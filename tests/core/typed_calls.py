"""Calls as the documentation shows them, with the types that a user's type checker must find; checked, never run."""

from __future__ import annotations

from typing import Any, assert_type

import torch
from torch import Tensor, nn

from attribution_core import (
    LRP,
    DeepLift,
    DeepLiftShap,
    FeatureAblation,
    FeaturePermutation,
    GradientShap,
    IntegratedGradients,
    KernelShap,
    LayerConductance,
    LayerGradCam,
    LayerIntegratedGradients,
    Lime,
    NeuronConductance,
    NeuronGradient,
    NoiseTunnel,
    Occlusion,
    Saliency,
    ShapleyValueSampling,
)

Pair = tuple[Tensor, ...]
Named = dict[str, Tensor]

model = nn.Linear(3, 2)
x, zero = torch.rand(4, 3), torch.zeros(1, 3)
method = IntegratedGradients(model)

# attributions have the form of the inputs
assert_type(Saliency(model).attribute(x, target=1), Tensor)
assert_type(Saliency(model).attribute(inputs=x, target="pred"), Tensor)
assert_type(Saliency(model).attribute((x, x), [0, 1, 0, 1]), Pair)
assert_type(Saliency(model).attribute({"left": x, "right": x}, lambda outputs: outputs[:, 0]), Named)
assert_type(FeatureAblation(model).attribute({"left": x}, {"left": 0}, feature_mask={"left": x.long()}), Named)
assert_type(NeuronGradient(model, model).attribute((x, x), 1), Pair)

# a list for several targets
assert_type(method.attribute(x, targets=[0, "cat", torch.tensor([0, 1, 1, 0])]), list[Tensor])
assert_type(KernelShap(model).attribute((x, x), targets=[0, 1], n_samples=20, seed=1), list[Pair])
assert_type(NeuronConductance(model, model).attribute(x, 1, targets=[0, 1]), list[Tensor])
assert_type(method.attribute(x, target=1, targets=None), Tensor)

# baselines: numbers, tensors, one for each input, by name, several, made by a function
for baselines in (0, 0.5, zero, None):
    assert_type(method.attribute(x, baselines, target=0), Tensor)
assert_type(method.attribute((x, x), (zero, 0.0), target=0), Pair)
assert_type(method.attribute({"left": x}, {"left": zero}, target=0), Named)
assert_type(method.attribute(x, [zero, torch.ones(1, 3)], target=0), Tensor)
assert_type(method.attribute(x, [0, zero], target=0), Tensor)
assert_type(method.attribute(x, lambda inputs: inputs.mean(0, keepdim=True), target=0), Tensor)
assert_type(DeepLiftShap(model).attribute(x, lambda: torch.rand(5, 3), target=0), Tensor)
assert_type(GradientShap(model).attribute((x, x), (zero, zero), target=0, stdevs=(0.1, 0.2)), Pair)

# deltas
assert_type(method.attribute(x, target=0, return_convergence_delta=True), tuple[Tensor, Tensor])
assert_type(method.attribute((x, x), target=0, return_convergence_delta=True), tuple[Pair, Tensor])
assert_type(method.attribute(x, targets=[0, 1], return_convergence_delta=True), list[tuple[Tensor, Tensor]])
assert_type(DeepLift(model).attribute({"x": x}, target=0, return_convergence_delta=True), tuple[Named, Tensor])
assert_type(
    LRP(model).attribute(x, target=0, return_convergence_delta=True, composite="epsilon"), tuple[Tensor, Tensor]
)
attributions, delta = method.attribute(x, 0, 1, None, 50, "gausslegendre", None, True)  # by position: no type says so

# further arguments of the model: one, several, by name
for more in (None, zero, (zero, True), {"scale": zero}):
    assert_type(method.attribute(x, target=0, additional_forward_args=more), Tensor)

# layers: a tensor, or what the layers and their number make of it
assert_type(LayerGradCam(model, model).attribute(x, target=1, layout="tokens"), Tensor | Any)
assert_type(LayerConductance(model, [model, model]).attribute({"x": x}, targets=[0, 1]), list[Tensor | Any])
LayerGradCam.interpolate(LayerGradCam(model, model).attribute(x, target=1), (8, 8), "bilinear").relu()
layers, deltas = LayerIntegratedGradients(model, model).attribute(x, target=1, return_convergence_delta=True)

# windows, masks, samples
assert_type(Occlusion(model).attribute(x, (2,), 1, target=0), Tensor)
assert_type(Occlusion(model).attribute((x, x), ((2,), (1,)), ((1,), 1), target=0), Pair)
assert_type(FeaturePermutation(model).attribute(x, 0, feature_mask=x.long()), Tensor)
assert_type(Lime(model).attribute(x, 0, 1, n_samples=50, return_input_shape=False), Tensor)
assert_type(ShapleyValueSampling(model).attribute(x, target=0, estimator="orders"), Tensor)
NoiseTunnel(Saliency(model)).attribute(x, nt_type="smoothgrad_sq", nt_samples=3, target=1)
