"""The attribution methods on offer, and the arguments a person may set, derived from their signatures."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import BaseModel, ValidationError
from torch import nn

import attribution_core
from app.errors import InsightsError
from app.explain.catalogue import CATALOGUE, Entry
from app.explain.forms import NOISE, POSITIVE, SMOOTH, form, in_words, of_output, parameters
from app.explain.papers import papers
from app.model.copies import Tensors
from app.schema import Argument, MethodInfo
from attribution_core import GradientAttribution, Layer, LayerAttribution, NoiseTunnel, cost
from attribution_core.classes.base import Attribution
from attribution_core.evaluation.observe import Passes
from attribution_core.question.target import Target

OFFERED = tuple(CATALOGUE)
EFFICIENT = {"KernelShap", "ShapleyValueSampling", "ShapleyValues"}
"""Methods that add up by construction, without a convergence delta in their signature."""
MAPPING = {"LayerGradCam", "LayerGradCamPlusPlus", "LayerCam", "LayerScoreCam", "AttentionRollout"}


@dataclass(frozen=True)
class Call:
    """A method of the engine with its arguments, ready to be made, or to be priced."""

    method: Attribution
    inputs: Tensors
    arguments: dict[str, object]

    def made(self) -> Tensors:
        """The attributions (1, …): of each input, or of each tensor that the layer passes on."""
        found = self.method.attribute(self.inputs, **self.arguments)
        return found if isinstance(found, tuple) else (found,)

    def priced(self) -> Passes:
        """The passes it would make."""
        return cost(self.method, self.inputs, **self.arguments)


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
        return "baselines" in self._arguments

    @property
    def uses_target(self) -> bool:
        """Whether it explains an output."""
        return "target" in self._arguments

    @property
    def uses_layer(self) -> bool:
        """Whether it asks for a layer."""
        return "layer" in inspect.signature(self.engine).parameters

    @property
    def of_inputs(self) -> bool:
        """Whether its attributions have the shapes of the inputs."""
        return bool(self.engine.of_inputs)

    @property
    def gives_maps(self) -> bool:
        """Whether it gives maps (B, 1, positions…) itself, whatever the layout of the layer's values."""
        return self.name in MAPPING

    @property
    def smoothable(self) -> bool:
        """Whether it can be asked of noisy copies of the input: it follows gradients, and is not random already."""
        return issubclass(self.engine, GradientAttribution) and "seed" not in self._arguments

    @cached_property
    def _arguments(self) -> Mapping[str, inspect.Parameter]:
        return inspect.signature(self.engine.attribute).parameters

    def complete(self, arguments: dict[str, Argument]) -> bool:
        """Whether the attributions should sum to the change of the output from the baseline; at a layer nobody knows,
        as something may pass it by."""
        promised = "return_convergence_delta" in self._arguments and bool(arguments.get("multiply_by_inputs", True))
        return self.of_inputs and not arguments.get(SMOOTH) and (self.name in EFFICIENT or promised)

    def signed(self, arguments: dict[str, Argument]) -> bool:
        """Whether it can give negative attributions."""
        never = arguments.get("abs") or arguments.get("relu_attributions") or arguments.get(SMOOTH) in POSITIVE
        return self.entry.negative and not never

    def ask(
        self,
        arguments: Mapping[str, object],
        site: Layer | None,
        module: nn.Module,
        inputs: Tensors,
        baselines: Tensors,
        target: Target,
        extra: tuple[object, ...],
    ) -> Call:
        """The call for the attributions of inputs (B, …) of a module, or of one of its layers."""
        mine = inspect.signature(self.engine).parameters
        own = {name: value for name, value in arguments.items() if name not in (SMOOTH, *NOISE)}
        rest = {name: value for name, value in own.items() if name not in mine} | {
            "additional_forward_args": extra or None
        }
        if self.uses_target:
            rest["target"] = target
        if "seed" in self._arguments:
            rest["seed"] = 0  # the same question has the same answer
        if self.uses_baseline:
            rest["baselines"] = baselines
        places = {"layer": site} if self.uses_layer else {}
        method = self.engine(module, **places, **{name: own[name] for name in own if name in mine})
        if not arguments.get(SMOOTH):
            return Call(method, inputs, rest)
        noise = {"nt_type": arguments[SMOOTH], "nt_samples": arguments["smooth_samples"], "seed": 0}
        return Call(NoiseTunnel(method), inputs, rest | noise | {"stdevs": _deviations(inputs, arguments)})

    @cached_property
    def form(self) -> type[BaseModel]:
        """The arguments as a pydantic model."""
        return form(self.name, self.engine, self.smoothable)

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
            title=in_words(self.name),
            group=self.entry.group,
            place="layer" if issubclass(self.engine, LayerAttribution) else "inputs",
            summary=of_output((inspect.getdoc(self.engine) or "").split("\n\n")[0].replace("\n", " ")),
            promise=self.entry.promise,
            caveat=self.entry.caveat,
            paper=papers().get(self.engine.citation),
            complete=self.complete({}),
            uses_baseline=self.uses_baseline,
            uses_target=self.uses_target,
            uses_layer=self.uses_layer,
            parameters=parameters(self.form),
        )


def _deviations(inputs: Tensors, arguments: Mapping[str, object]) -> tuple[float, ...]:
    """The noise of each input, relative to its range."""
    if not all(x.is_floating_point() for x in inputs):
        raise InsightsError("noise cannot be added to token ids", hint="choose a method that attributes to the inputs")
    return tuple(float(arguments["smooth_noise"] * (x.max() - x.min())) for x in inputs)  # type: ignore[operator]


def offered() -> dict[str, Method]:
    """Every method on offer by its name, in the order in which they are offered."""
    return {name: Method(name) for name in OFFERED}
