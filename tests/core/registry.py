"""How every public class is built and called: the one list that tests over all classes are made from.

A class that is missing here makes each of those tests fail and say so; none is skipped.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

import attribution_core
from attribution_core import (
    Attribution,
    DataLoaderAttribution,
    FeatureAblation,
    GradientAttribution,
    LayerAttribution,
    LimeBase,
    NeuronAttribution,
    NoiseTunnel,
    Saliency,
)
from attribution_core.methods.linear import LinearRegression

Options = dict[str, Any]
Model = nn.Module | Callable[..., Any]


@dataclass(frozen=True)
class Recipe:
    """How a class is built around a model and a layer, and called on a batch (B, …)."""

    build: Callable[[Model, nn.Module | None], Any]
    options: Callable[[Tensor], Options]
    given: Callable[[Tensor], Any] = lambda x: x
    """What `attribute` takes in the place of the batch."""


def groups(x: Tensor) -> Tensor:
    """A mask (1, …) of six features of neighbours, or as many as there are values."""
    values = x[:1].numel()
    return (torch.arange(values) * min(6, values) // values).reshape(x[:1].shape)


def neuron(x: Tensor) -> Any:
    """A neuron of a linear layer, or some neurons of the maps of a convolution."""
    return 1 if x.dim() == 2 else (slice(0, 3), slice(0, 2), slice(0, 2))


def window(x: Tensor) -> tuple[int, ...]:
    """Two neighbours, or three by three pixels of all channels."""
    return (2,) if x.dim() == 2 else (x.shape[1], 3, 3)


def target(x: Tensor) -> Options:
    return {"target": 1}


def target_and(**more: Any) -> Callable[[Tensor], Options]:
    return lambda x: {"target": 1, **more}


def grouped(**more: Any) -> Callable[[Tensor], Options]:
    return lambda x: {"target": 1, "feature_mask": groups(x), **more}


def neuron_and(**more: Any) -> Callable[[Tensor], Options]:
    return lambda x: {"neuron_selector": neuron(x), **more}


def occluding(x: Tensor) -> Options:
    return {"target": 1, "sliding_window_shapes": window(x), "strides": window(x)}


def lime_base(model: Model, layer: nn.Module | None) -> LimeBase:
    """A line fitted to the model at rows near the batch, whose features are all values in order."""
    return LimeBase(
        model,
        LinearRegression(),
        similarity_func=lambda original, perturbed, sample, **_: torch.ones(()),
        perturb_func=lambda original, seed=None, **_: original + torch.randn_like(original) / 10,
        perturb_interpretable_space=False,
        from_interp_rep_transform=None,
        to_interp_rep_transform=lambda sample, original, **_: sample.flatten()[None, :2],
    )


SEEDED, DRAWN, STEPS = {"seed": 1}, {"baselines": 0.5}, {"n_steps": 8}
NOISY: Options = {"seed": 1, "stdevs": 0.1}
OF_INPUTS: dict[str, Callable[[Tensor], Options]] = {
    "Saliency": target, "InputXGradient": target, "GuidedBackprop": target, "Deconvolution": target,
    "IntegratedGradients": target_and(**STEPS), "DeepLift": target, "LRP": target, "GuidedGradCam": target,
    "FeatureAblation": grouped(), "FeaturePermutation": grouped(**SEEDED), "Occlusion": occluding,
    "ShapleyValues": grouped(), "ShapleyValueSampling": grouped(**SEEDED, n_samples=2),
    "KernelShap": grouped(**SEEDED, n_samples=6), "Lime": grouped(**SEEDED, n_samples=6),
    "GradientShap": target_and(**NOISY, **DRAWN), "DeepLiftShap": target_and(**DRAWN),
    "RISE": target_and(**SEEDED, n_masks=16, grid_size=3), "NoiseTunnel": target_and(**NOISY),
}  # fmt: skip
OF_LAYERS: dict[str, Callable[[Tensor], Options]] = {
    "InternalInfluence": target_and(**STEPS), "LayerActivation": lambda x: {}, "LayerCam": target,
    "LayerConductance": target_and(**STEPS), "LayerDeepLift": target, "LayerDeepLiftShap": target_and(**DRAWN),
    "LayerFeatureAblation": target, "LayerFeaturePermutation": target_and(**SEEDED), "LayerGradCam": target,
    "LayerGradCamPlusPlus": target, "LayerGradientShap": target_and(**NOISY, **DRAWN),
    "LayerGradientXActivation": target, "LayerIntegratedGradients": target_and(**STEPS), "LayerLRP": target,
    "LayerScoreCam": target,
}  # fmt: skip
OF_NEURONS: dict[str, Callable[[Tensor], Options]] = {
    "NeuronConductance": neuron_and(target=1, **STEPS), "NeuronDeconvolution": neuron_and(),
    "NeuronDeepLift": neuron_and(), "NeuronDeepLiftShap": neuron_and(**DRAWN), "NeuronFeatureAblation": neuron_and(),
    "NeuronGradient": neuron_and(), "NeuronGradientShap": neuron_and(**NOISY, **DRAWN),
    "NeuronGuidedBackprop": neuron_and(), "NeuronIntegratedGradients": neuron_and(**STEPS),
}  # fmt: skip
APART: dict[str, Callable[[Tensor], Options]] = {
    "AttentionRollout": lambda x: {}, "DataLoaderAttribution": lambda x: {"feature_mask": groups(x)},
    "LimeBase": target_and(**SEEDED, n_samples=6),
}  # fmt: skip
"""Of models with attention; of a whole data set; of functions of one's own, for one example."""
BUILT: dict[str, Callable[[Model, nn.Module | None], Any]] = {
    "DataLoaderAttribution": lambda model, layer: DataLoaderAttribution(FeatureAblation(model)),
    "LimeBase": lime_base,
    "NoiseTunnel": lambda model, layer: NoiseTunnel(Saliency(model)),
}
"""What is not built by `Class(model)` or, inside, `Class(model, layer)`."""


def build_as_usual(name: str) -> Callable[[Model, nn.Module | None], Any]:
    cls = getattr(attribution_core, name)
    inside = "layer" in inspect.signature(cls.__init__).parameters
    return lambda model, layer: cls(model, layer) if inside else cls(model)


OPTIONS = {**OF_INPUTS, **OF_LAYERS, **OF_NEURONS, **APART}
NAMES = [
    name
    for name in attribution_core.__all__
    if inspect.isclass(cls := getattr(attribution_core, name))
    if issubclass(cls, Attribution) and hasattr(cls, "attribute")
]
"""Every public class that attributes: tests are made from this, so that a new class is in all of them."""
USUAL = [name for name in NAMES if name not in APART]
"""Those that explain any net's batch."""
LAYERS = [name for name in USUAL if issubclass(getattr(attribution_core, name), LayerAttribution)]
NEURONS = [name for name in USUAL if issubclass(getattr(attribution_core, name), NeuronAttribution)]
PRIMARY = [name for name in USUAL if name not in {*LAYERS, *NEURONS}]
GRADIENT = [name for name in USUAL if issubclass(getattr(attribution_core, name), GradientAttribution)]
FLAT = [name for name in USUAL if name not in ("GuidedGradCam", "LayerScoreCam", "RISE")]
"""Those that explain rows of numbers (B, N) too."""
OF_ROWS = [name for name in PRIMARY if name in FLAT]
"""Methods of inputs that are rows of numbers (B, N)."""


def recipe(name: str) -> Recipe:
    """How the class of that name is built and called."""
    if name not in OPTIONS:
        raise AssertionError(f"{name} is public but has no recipe: say how it is called in {__name__}.")
    given = {"given": lambda x: [x]} if name == "DataLoaderAttribution" else {}
    return Recipe(BUILT.get(name) or build_as_usual(name), OPTIONS[name], **given)


def first_layer(model: Model) -> nn.Module | None:
    """Where methods of layers and neurons look if a test does not say: the first weights."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    return next((module for module in modules if isinstance(module, (nn.Linear, nn.Conv2d))), None)


def build(name: str, model: Model, layer: nn.Module | None = None) -> Any:
    """The method of that name around a model or, with `layer`, a function that calls it."""
    return recipe(name).build(model, layer or first_layer(model))


def takes(name: str, argument: str) -> bool:
    """Whether calls of that class may have that argument; those of NoiseTunnel go to the method inside."""
    parameters = inspect.signature(getattr(attribution_core, name).attribute).parameters
    return argument in parameters or (name == "NoiseTunnel" and argument in ("target", "additional_forward_args"))


def options(name: str, x: Tensor, **more: Any) -> Options:
    """Arguments that fit a batch, and `more` of them."""
    return {**recipe(name).options(x), **more}


def ask(name: str, model: Model, x: Tensor, layer: nn.Module | None = None, **more: Any) -> Any:
    """The answer of the class of that name to its usual arguments and `more` of them."""
    return build(name, model, layer).attribute(recipe(name).given(x), **options(name, x, **more))
