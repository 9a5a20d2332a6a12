"""The attribution methods on offer, and the arguments a person may set, derived from their signatures."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from torch import nn

import attribution_core
from app.errors import InsightsError
from app.explain.catalogue import CATALOGUE, Entry
from app.explain.papers import papers
from app.model.case import Target
from app.model.copies import Tensors
from app.schema import Argument, MethodInfo, Parameter
from attribution_core.reading.help import ARGUMENTS
from attribution_core.rules.composites import COMPOSITES

OFFERED = tuple(CATALOGUE)
EFFICIENT = {"KernelShap", "ShapleyValueSampling"}
"""Methods that add up by construction, without a convergence delta in their signature."""

# Arguments that the app gives itself, and those for which it asks in simpler words.
GIVEN = {
    "self", "forward_func", "model", "inputs", "target", "baselines", "additional_forward_args", "eps",
    "internal_batch_size", "perturbations_per_eval", "return_convergence_delta", "show_progress",
    "custom_attribution_func", "grad_kwargs", "kwargs", "seed", "stdevs", "verbose", "return_input_shape",
    "interpretable_model", "similarity_func", "perturb_func", "targets",
}  # fmt: skip
AUTO = "Empty: chosen by the input's size."
SIMPLER = {
    "feature_mask": ("patch", "Patch size", f"Pixels per side, or words, that are one feature. {AUTO}"),
    "sliding_window_shapes": ("window", "Window", f"Pixels per side, or words, that are covered at once. {AUTO}"),
    "strides": ("stride", "Stride", "How far the window moves at a time. Empty: half a window."),
}
LARGEST = 100_000  # pixels or words: beyond any picture's side
LIMITS = {"n_steps": (2, 2000), "n_samples": (1, 20_000), "tolerance": (0, 1)}
CHOICES: dict[str, object] = {"composite": Literal[tuple(COMPOSITES)] | None}
DEFAULTS: dict[tuple[str, str], Argument] = {
    ("KernelShap", "n_samples"): 500,  # Captum's 25 cannot tell a picture's patches apart
    ("Lime", "n_samples"): 500,
    ("ShapleyValueSampling", "n_samples"): 5,
}

# Names that read better than what `_words` makes of them.
TITLES = {
    "DeepLift": "DeepLIFT",
    "GradientShap": "Gradient SHAP",
    "InputXGradient": "Input × Gradient",
    "KernelShap": "Kernel SHAP",
    "LRP": "LRP",
    "Lime": "LIME",
    "abs": "Size without sign",
    "composite": "Rules",
    "method": "Integration rule",
    "multiply_by_inputs": "Multiply by input − baseline",
    "n_samples": "Samples",
    "n_steps": "Steps",
}


@dataclass(frozen=True)
class Method:
    """An attribution method of the engine by its name."""

    name: str

    @property
    def engine(self) -> Any:
        """The engine's class."""
        return getattr(attribution_core, self.name)

    @property
    def entry(self) -> Entry:
        """What is said of it."""
        return CATALOGUE[self.name]

    @property
    def uses_baseline(self) -> bool:
        """Whether it compares the input with a baseline."""
        return "baselines" in inspect.signature(self.engine.attribute).parameters

    def complete(self, arguments: dict[str, Argument]) -> bool:
        """Whether the attributions should sum to the change of the output from the baseline."""
        promised = "return_convergence_delta" in inspect.signature(self.engine.attribute).parameters
        return self.name in EFFICIENT or (promised and bool(arguments.get("multiply_by_inputs", True)))

    def signed(self, arguments: dict[str, Argument]) -> bool:
        """Whether it can give negative attributions."""
        return not arguments.get("abs", False)

    def ask(
        self,
        arguments: Mapping[str, object],
        module: nn.Module,
        inputs: Tensors,
        baselines: Tensors,
        target: Target,
        extra: tuple[object, ...],
    ) -> Tensors:
        """The attributions of inputs (B, …) of a module."""
        mine = inspect.signature(self.engine).parameters
        rest = {name: value for name, value in arguments.items() if name not in mine}
        if "seed" in inspect.signature(self.engine.attribute).parameters:
            rest["seed"] = 0  # the same question has the same answer
        if self.uses_baseline:
            rest["baselines"] = baselines
        method = self.engine(module, **{name: arguments[name] for name in arguments if name in mine})
        found: Tensors = method.attribute(inputs, target=target, additional_forward_args=extra or None, **rest)
        return found

    @cached_property
    def form(self) -> type[BaseModel]:
        """The arguments as a pydantic model: checks what arrives, fills in defaults."""
        fields: dict[str, Any] = {}  # as pydantic's create_model takes them
        for function in (self.engine.__init__, self.engine.attribute):
            hints = typing.get_type_hints(function)
            for name, parameter in inspect.signature(function).parameters.items():
                if name not in GIVEN:
                    field_name, field = _field(self.name, name, parameter, hints[name])
                    fields[field_name] = field
        made: type[BaseModel] = create_model(self.name, __config__=ConfigDict(extra="forbid"), **fields)
        return made

    def check(self, arguments: dict[str, Argument]) -> dict[str, Argument]:
        """All arguments with defaults filled in; `InsightsError` names the first that does not fit."""
        try:
            checked: dict[str, Argument] = self.form(**arguments).model_dump()
            return checked
        except ValidationError as error:
            first = error.errors()[0]
            known = ", ".join(self.form.model_fields) or "none"
            raise InsightsError(
                f"{self.name}: argument {'.'.join(map(str, first['loc']))}={first['input']!r}: {first['msg']}",
                hint=f"its arguments are: {known}",
                status=422,
            ) from error

    @cached_property
    def info(self) -> MethodInfo:
        """The method as it travels."""
        return MethodInfo(
            name=self.name,
            title=_words(self.name),
            group=self.entry.group,
            place="inputs",
            summary=_of_output((inspect.getdoc(self.engine) or "").split("\n\n")[0].replace("\n", " ")),
            promise=self.entry.promise,
            caveat=self.entry.caveat,
            paper=papers().get(self.engine.citation),
            complete=self.complete({}),
            uses_baseline=self.uses_baseline,
            uses_target=True,
            uses_layer=False,
            parameters=[_parameter(*item) for item in self.form.model_json_schema()["properties"].items()]
            if self.form.model_fields
            else [],
        )


def _of_output(text: str) -> str:
    """The engine's words, where a score is what is explained; in the app that is an output, and a score ranks."""
    return text.replace("the score", "the output")


def offered() -> dict[str, Method]:
    """Every method on offer by its name, in the order in which they are offered."""
    return {name: Method(name) for name in OFFERED}


def _field(method: str, name: str, parameter: inspect.Parameter, hint: object) -> tuple[str, tuple[object, object]]:
    if name in SIMPLER:
        simple, title, help = SIMPLER[name]
        return simple, (int | None, Field(None, ge=1, le=LARGEST, title=title, description=help))
    low, high = LIMITS.get(name, (None, None))
    description = ARGUMENTS[name].meaning if name in ARGUMENTS else ""
    default = DEFAULTS.get((method, name), parameter.default)
    return name, (
        CHOICES.get(name, _simple(hint)),
        Field(default, title=_words(name), description=description, ge=low, le=high),
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
        help=_of_output(schema.get("description", "")),
        kind=kind,
        default=schema.get("default"),
        minimum=plain.get("minimum"),
        maximum=plain.get("maximum"),
        options=[str(option) for option in plain.get("enum", [])],
    )


def _words(name: str) -> str:
    """`IntegratedGradients` → Integrated Gradients, `sliding_window` → Sliding window; or as `TITLES` has it."""
    if name in TITLES:
        return TITLES[name]
    spaced = "".join(f" {c}" if c.isupper() and i else c for i, c in enumerate(name)).replace("_", " ")
    return spaced[:1].upper() + spaced[1:]
