"""The arguments that a person may set, as a form: derived from the signatures of the engine's methods."""

from __future__ import annotations

import inspect
import re
import types
import typing
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from app.schema import Argument, Parameter
from attribution_core.reading.help import ARGUMENTS
from attribution_core.rules.composites import COMPOSITES

# Arguments that the app gives itself, and those for which it asks in simpler words.
GIVEN = {
    "self", "forward_func", "model", "inputs", "target", "baselines", "additional_forward_args", "eps",
    "internal_batch_size", "perturbations_per_eval", "return_convergence_delta", "show_progress",
    "custom_attribution_func", "grad_kwargs", "kwargs", "seed", "stdevs", "verbose", "return_input_shape",
    "interpretable_model", "similarity_func", "perturb_func", "targets", "layer", "device_ids",
    "attribute_to_layer_input", "memory_efficient",
}  # fmt: skip
AUTO = "Empty: chosen by the input's size."
SIMPLER = {
    "feature_mask": ("patch", "Patch size", f"Pixels per side, or words, that are one feature. {AUTO}"),
    "sliding_window_shapes": ("window", "Window", f"Pixels per side, or words, that are covered at once. {AUTO}"),
    "strides": ("stride", "Stride", "How far the window moves at a time. Empty: half a window."),
}
SMOOTH = "smooth"
SMOOTHED = (
    Literal["smoothgrad", "smoothgrad_sq", "vargrad"] | None,
    Field(None, title="Smooth", description=f"Of noisy copies of the input. {ARGUMENTS['nt_type'].meaning}"),
)
NOISE = {
    "smooth_samples": (
        int,
        Field(10, ge=1, le=1000, title="Noisy copies", description="More give a smoother map, and cost as much more."),
    ),
    "smooth_noise": (
        float,
        Field(0.15, ge=0, le=10, title="Noise", description="Standard deviation, as a share of the input's range."),
    ),
}
POSITIVE = {"smoothgrad_sq", "vargrad"}
LARGEST = 100_000  # pixels or words: beyond any picture's side
LIMITS = {
    "n_steps": (2, 2000), "n_samples": (1, 20_000), "tolerance": (0, 1), "n_masks": (1, 20_000), "grid_size": (1, 100),
    "probability": (0.01, 0.99), "token": (-100_000, 100_000),
}  # fmt: skip
MODES = Literal["nearest", "nearest-exact", "area", "bilinear", "bicubic"]
CHOICES: dict[str, object] = {"composite": Literal[tuple(COMPOSITES)] | None, "interpolate_mode": MODES}
DEFAULTS: dict[tuple[str, str], Argument] = {
    ("KernelShap", "n_samples"): 500,  # Captum's 25 cannot tell a picture's patches apart
    ("Lime", "n_samples"): 500,
    ("ShapleyValueSampling", "n_samples"): 5,
}

# Names that read better than what `in_words` makes of them.
TITLES = {
    "DeepLift": "DeepLIFT",
    "GradientShap": "Gradient SHAP",
    "GuidedGradCam": "Guided Grad-CAM",
    "InputXGradient": "Input × Gradient",
    "InternalInfluence": "Internal influence",
    "KernelShap": "Kernel SHAP",
    "LRP": "LRP",
    "LayerActivation": "Activation",
    "LayerCam": "Layer-CAM",
    "LayerConductance": "Conductance",
    "LayerDeepLift": "DeepLIFT of a layer",
    "LayerGradCam": "Grad-CAM",
    "LayerGradCamPlusPlus": "Grad-CAM++",
    "LayerGradientXActivation": "Gradient × Activation",
    "LayerIntegratedGradients": "Integrated Gradients of a layer",
    "LayerLRP": "LRP of a layer",
    "LayerScoreCam": "Score-CAM",
    "Lime": "LIME",
    "RISE": "RISE",
    "ShapleyValues": "Shapley values, exact",
    "ShapleyValueSampling": "Shapley value sampling",
    "abs": "Size without sign",
    "attr_dim_summation": "Add channels up",
    "composite": "Rules",
    "method": "Integration rule",
    "multiply_by_inputs": "Multiply by input − baseline",
    "interpolate_mode": "Stretching",
    "n_masks": "Masks",
    "n_samples": "Samples",
    "n_steps": "Steps",
    "relu_attributions": "Positive part only",
}


def form(name: str, engine: Any, smoothable: bool) -> type[BaseModel]:
    """The arguments of a method as a pydantic model: checks what arrives, fills in defaults."""
    fields: dict[str, Any] = {}  # as pydantic's create_model takes them
    for function in (engine.__init__, engine.attribute):
        hints = typing.get_type_hints(function)
        for argument, parameter in inspect.signature(function).parameters.items():
            if argument not in GIVEN:
                field_name, field = _field(name, argument, parameter, hints[argument])
                fields[field_name] = field
    if smoothable:
        fields |= {SMOOTH: SMOOTHED, **NOISE}
    made: type[BaseModel] = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    return made


def parameters(of: type[BaseModel]) -> list[Parameter]:
    """The fields of a form as they travel."""
    return [_parameter(*item) for item in of.model_json_schema()["properties"].items()] if of.model_fields else []


def of_output(text: str) -> str:
    """The engine's words, where a score is what is explained; in the app that is an output, and a score ranks."""
    return re.sub(r"(?<![\w-])([Tt]he|mean) score\b", r"\1 output", text)


def _field(method: str, name: str, parameter: inspect.Parameter, hint: object) -> tuple[str, tuple[object, object]]:
    if name in SIMPLER:
        simple, title, help = SIMPLER[name]
        return simple, (int | None, Field(None, ge=1, le=LARGEST, title=title, description=help))
    low, high = LIMITS.get(name, (None, None))
    description = ARGUMENTS[name].meaning if name in ARGUMENTS else ""
    default = DEFAULTS.get((method, name), parameter.default)
    return name, (
        CHOICES.get(name, _simple(hint)),
        Field(default, title=in_words(name), description=description, ge=low, le=high),
    )


def _simple(hint: object) -> object:
    """The type without what a form cannot ask for."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kept = [arg for arg in typing.get_args(hint) if arg in (bool, int, float, str, types.NoneType)]
        if not {int, float} & set(kept):  # a word in place of a number is for those who write code
            kept += [arg for arg in typing.get_args(hint) if typing.get_origin(arg) is Literal]
        return typing.Union[tuple(kept)]  # noqa: UP007  # built from a list
    return hint


def _parameter(name: str, schema: dict[str, Any]) -> Parameter:
    plain = next((s for s in schema.get("anyOf", []) if s.get("type") != "null"), schema)
    kind: Literal["integer", "number", "boolean", "choice"] = "choice" if "enum" in plain else plain["type"]
    return Parameter(
        name=name,
        title=schema["title"],
        help=of_output(schema.get("description", "")),
        kind=kind,
        default=schema.get("default"),
        minimum=plain.get("minimum"),
        maximum=plain.get("maximum"),
        options=[str(option) for option in plain.get("enum", [])],
        only_with=SMOOTH if name in NOISE else "window" if name == "stride" else None,
    )


def in_words(name: str) -> str:
    """`IntegratedGradients` → Integrated Gradients, `sliding_window` → Sliding window; or as `TITLES` has it."""
    if name in TITLES:
        return TITLES[name]
    spaced = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name)).replace("_", " ")
    return spaced[:1].upper() + spaced[1:]
