"""What a caller asks of a method, read once: behind this file there is one form of everything."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules
from attribution_core.question.target import Target
from attribution_core.question.target_forms import as_targets
from attribution_core.reading.arguments import as_baselines, as_inputs, baseline_of_each, is_ids
from attribution_core.reading.forward import as_forward, device_of, moved
from attribution_core.types import Baselines, Distribution, Inputs, TargetLike, Tensors


class NoBaselines:
    """The baselines of a method that has none."""


@dataclass(frozen=True)
class Request:
    """A model, checked inputs on its device, targets and baselines.

    `names` are those of inputs given as a dict; `single` is true of one bare tensor, `several` of a list of targets.
    `baselines` are those of which the mean is taken, each a tuple with an entry for each input; empty where a method
    has none. For floating point inputs the entries are tensors of the inputs' shapes.
    """

    forward: Callable[..., Any]
    modules: list[nn.Module]
    inputs: Tensors
    names: tuple[str, ...]
    single: bool
    targets: tuple[Target, ...]
    several: bool
    baselines: tuple[tuple[Any, ...], ...]
    extra: tuple[Any, ...]

    @property
    def batch(self) -> int:
        """The number of examples."""
        return len(self.inputs[0])

    @property
    def ids(self) -> bool:
        """Whether some inputs are integers, such as token ids."""
        return any(map(is_ids, self.inputs))

    def in_order(self, name: str, value: Any) -> Any:
        """An argument with an entry for each input; if it is a dict by name, in the order of the inputs."""
        return _in_order(name, value, self.names)

    def packed(self, attributions: Tensors) -> Inputs:
        """Attributions in the form in which the inputs came."""
        if self.single:
            return attributions[0]
        return dict(zip(self.names, attributions, strict=True)) if self.names else tuple(attributions)


def read(
    model: Callable[..., Any],
    inputs: Inputs,
    target: TargetLike | Target,
    targets: Sequence[TargetLike | Target] | None,
    extra: Any,
    baselines: Baselines | NoBaselines,
    differentiable: bool,
) -> Request:
    """Check what was given and move it to the model's device; `differentiable`: gradients will be asked of inputs.

    Raises AttributionError before the model runs.
    """
    modules = submodules(model)
    device = device_of(modules)
    names = tuple(inputs) if isinstance(inputs, Mapping) else ()
    given = tuple(inputs.values()) if isinstance(inputs, Mapping) else inputs
    tensors = moved(as_inputs(given, differentiable), device)
    forward, further = as_forward(model, names, extra)
    return Request(
        forward,
        modules,
        tensors,
        names,
        isinstance(inputs, Tensor),
        as_targets(target, targets, len(tensors[0]), model),
        targets is not None,
        _each(baselines, inputs, names, tensors, differentiable and any(map(is_ids, tensors))),
        moved(further, device) if further else (),
    )


def _each(
    baselines: Baselines | NoBaselines, inputs: Inputs, names: tuple[str, ...], tensors: Tensors, embedded: bool
) -> tuple[tuple[Any, ...], ...]:
    if isinstance(baselines, NoBaselines):
        return ()
    made = baselines_for(baselines, inputs)
    if isinstance(made, list) and not made:
        raise AttributionError("baselines is an empty list.", "Pass one baseline or several.")
    each = made if isinstance(made, list) else [made]
    ordered = [baseline_of_each(_in_order("baselines", one, names), len(tensors)) for one in each]
    return tuple(ordered if embedded else [as_baselines(one, tensors) for one in ordered])


def baselines_for(baselines: Baselines | Distribution, inputs: Inputs) -> Any:
    """The baselines that a function makes, of the inputs or of nothing; others as they are."""
    if not callable(baselines):
        return baselines
    return baselines(inputs) if inspect.signature(baselines).parameters else baselines()


def _in_order(name: str, value: Any, names: tuple[str, ...]) -> Any:
    if not isinstance(value, Mapping):
        return value
    if not names:
        raise AttributionError(f"{name} is a dict, the inputs are not.", "Pass them alike.")
    if set(value) != set(names):
        raise AttributionError(f"{name} names {sorted(map(str, value))}.", f"The inputs are {sorted(names)}.")
    return tuple(value[key] for key in names)
