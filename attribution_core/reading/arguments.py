"""Arguments of every method: read and checked once, before the first forward pass."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import count
from typing import Any

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.types import Baseline, Baselines, Distribution, Inputs, Tensors


def as_inputs(inputs: Tensor | Tensors, differentiable: bool, device: torch.device | None = None) -> Tensors:
    """The inputs as a tuple, aligned along dimension 0, and floating point where gradients are needed; on a device."""
    tensors = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise AttributionError(f"inputs[{place}] is a {type(x).__name__}.", "Pass a tensor, or a tuple of tensors.")
        if x.dim() == 0:
            raise AttributionError(f"inputs[{place}] has no batch dimension.", "Add one: x[None].")
        if differentiable and not (x.is_floating_point() or is_ids(x)):
            raise AttributionError(
                f"inputs[{place}] is {x.dtype}; gradients need floating point.",
                "Use .float(), or a perturbation method.",
            )
    rows = [x.shape[0] for x in tensors]
    if not rows or rows.count(rows[0]) < len(rows):
        raise AttributionError(f"inputs have {rows} rows.", "Dimension 0 of every input counts the same examples.")
    return tuple([x if device is None or x.device == device else x.to(device) for x in tensors])


def is_ids(x: Tensor) -> bool:
    """Whether a tensor holds integers, such as token ids."""
    return not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool


def as_baselines(baselines: Baseline, inputs: Tensors) -> Tensors:
    """A baseline of each input's shape and dtype (expanded, not copied); None is zero."""
    return tuple(map(as_baseline, baseline_of_each(baselines, len(inputs)), inputs, count()))


def as_each_baseline(
    baselines: Baselines, inputs: Inputs, names: tuple[str, ...], tensors: Tensors, ids: bool
) -> tuple[tuple[Any, ...], ...]:
    """The baselines of which a mean is taken, each as `as_baselines` gives it; where there are ids, as they came."""
    made = baselines_for(baselines, inputs)
    if isinstance(made, list) and not made:
        raise AttributionError("baselines is an empty list.", "Pass one baseline or several.")
    found = []
    for one in made if isinstance(made, list) else [made]:
        ordered = in_order("baselines", one, names)
        found.append(baseline_of_each(ordered, len(tensors)) if ids else as_baselines(ordered, tensors))
    return tuple(found)


def baselines_for(baselines: Baselines | Distribution, inputs: Inputs) -> Any:
    """The baselines that a function makes, of the inputs or of nothing; others as they are."""
    if not callable(baselines):
        return baselines
    return baselines(inputs) if inspect.signature(baselines).parameters else baselines()


def in_order(name: str, value: Any, names: tuple[str, ...]) -> Any:
    """An argument with an entry for each input; if it is a dict by name, in the order of the inputs' `names`."""
    if not isinstance(value, Mapping):
        return value
    if not names:
        raise AttributionError(f"{name} is a dict, the inputs are not.", "Pass them alike.")
    if set(value) != set(names):
        raise AttributionError(f"{name} names {sorted(map(str, value))}.", f"The inputs are {sorted(names)}.")
    return tuple(value[key] for key in names)


def baseline_of_each(baselines: Baseline, number: int) -> tuple[Any, ...]:
    """The baselines of `number` inputs as a tuple, None where none is given; that of a single input may be bare."""
    given: Any = (baselines,) if number == 1 and not isinstance(baselines, (tuple, list)) else baselines
    given = (None,) * number if given is None or given == (None,) else given
    if not isinstance(given, (tuple, list)) or len(given) != number:
        entries = len(given) if isinstance(given, (tuple, list)) else 1
        raise AttributionError(f"baselines has {entries} entries for {number} inputs.", "Pass one for each input.")
    return tuple(given)


def as_baseline(baseline: Any, x: Tensor, place: int) -> Tensor:
    """A baseline of one input's shape and dtype; None is zero."""
    if baseline is None:
        return torch.zeros((), dtype=x.dtype, device=x.device).expand_as(x)
    if isinstance(baseline, (int, float)):
        return _whole(torch.tensor(baseline), x, place).to(x).expand_as(x)
    if not isinstance(baseline, Tensor):
        raise AttributionError(f"baselines[{place}] is a {type(baseline).__name__}, not a number or a tensor.")
    try:
        if baseline.dim() > x.dim():
            raise RuntimeError
        return _whole(baseline.detach(), x, place).to(x).expand_as(x)
    except RuntimeError as error:
        raise AttributionError(
            f"baselines[{place}] has shape {tuple(baseline.shape)}, its input {tuple(x.shape)}.",
            "Pass a number, a tensor of the input's shape, or one row to be used for all examples.",
        ) from error


def _whole(baseline: Tensor, x: Tensor, place: int) -> Tensor:
    if not x.is_floating_point() and baseline.is_floating_point() and bool((baseline % 1 != 0).any()):
        raise AttributionError(
            f"baselines[{place}] has fractions, its input is {x.dtype}.",
            "Pass whole numbers, or the input as .float().",
        )
    return baseline


def as_grad_kwargs(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further options of `torch.autograd.grad`, checked against its signature."""
    if not options:
        return {}
    given = dict(options)
    known = set(inspect.signature(torch.autograd.grad).parameters) - {"outputs", "inputs", "only_inputs"}
    if set(given) - known:
        raise AttributionError(
            f"grad_kwargs has {sorted(set(given) - known)}, unknown to torch.autograd.grad.", f"Known: {sorted(known)}."
        )
    return given


def as_extra(extra: object) -> tuple[object, ...]:
    """Additional forward arguments as a tuple."""
    if extra is None:
        return ()
    return extra if isinstance(extra, tuple) else (extra,)


def at_least(name: str, value: Any, least: int) -> int:
    """An integer argument that must not be smaller than `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise AttributionError(f"{name}={value!r}: expected an integer ≥ {least}.")
    return value


def as_tolerance(tolerance: float | None) -> float | None:
    """Read `tolerance`."""
    if tolerance is not None and not 0 < tolerance < 1:
        raise AttributionError(f"tolerance={tolerance!r}: expected a share between 0 and 1.")
    return tolerance


def as_rows(internal_batch_size: int | None) -> int | None:
    """The rows of one pass that a caller asked for."""
    return None if internal_batch_size is None else at_least("internal_batch_size", internal_batch_size, 1)


def as_copies(perturbations_per_eval: int, batch: int) -> int | None:
    """The rows of one pass that a caller asked for as copies of the batch; at 1 they are chosen by what fits."""
    copies = at_least("perturbations_per_eval", perturbations_per_eval, 1)
    return None if copies == 1 else copies * batch


def owned(value: Any) -> Any:
    """A tensor that autograd may use: those made in inference mode are copied."""
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value


def all_owned(values: tuple[Any, ...], detached: bool = False) -> tuple[Any, ...]:
    """The same of several values; `detached`: without the caller's graph."""
    found = []
    for value in values:
        tensor = isinstance(value, Tensor)
        mine = value.clone() if tensor and value.is_inference() else value
        found.append(mine.detach() if tensor and detached else mine)
    return tuple(found)
