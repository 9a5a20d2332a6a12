"""Arguments of every method: read and checked once, before the first forward pass."""

from __future__ import annotations

import inspect
import math
from collections.abc import Mapping
from functools import lru_cache
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.reading.values import as_tensor, check_dense, check_values, is_integer, shown
from attribution_core.types import Baseline, Baselines, Distribution, Inputs, Single, Tensors

MOST = 2**31 - 1
"""The largest count of steps, samples or rows."""
LARGEST_SEED = 2**63 - 1


def as_inputs(inputs: Tensor | Tensors, differentiable: bool, device: torch.device | None = None) -> Tensors:
    """The inputs as a tuple, floating point where gradients are needed; on a device.

    Dimension 0 of the first counts the examples. Others may have another number of rows, if the model takes them so.
    """
    tensors = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    for place, x in enumerate(tensors):
        if not isinstance(x, Tensor):
            raise AttributionError(f"inputs[{place}] is a {type(x).__name__}.", "Pass a tensor, or a tuple of tensors.")
        if x.dim() == 0:
            raise AttributionError(f"inputs[{place}] has no batch dimension.", "Add one: x[None].")
        check = check_values if x.is_meta and device is not None and device.type != "meta" else check_dense
        check(f"inputs[{place}]", x)
        if x.is_complex():
            raise AttributionError(f"inputs[{place}] is {x.dtype}.", "Pass torch.view_as_real(x), and join it again.")
        if differentiable and not (x.is_floating_point() or is_ids(x)):
            raise AttributionError(
                f"inputs[{place}] is {x.dtype}; gradients need floating point.",
                "Use .float(), or a perturbation method.",
            )
    if not tensors:
        raise AttributionError("inputs has no tensors: there are no rows.", "Pass a tensor, or a tuple of tensors.")
    return tuple([x if device is None or x.device == device else x.to(device) for x in tensors])


def is_ids(x: Tensor) -> bool:
    """Whether a tensor holds integers, such as token ids."""
    return not x.is_floating_point() and not x.is_complex() and x.dtype != torch.bool


def as_baselines(baselines: Baseline, inputs: Tensors) -> Tensors:
    """A baseline of each input's shape and dtype (expanded, not copied); None is zero."""
    return tuple(map(as_baseline, baseline_of_each(baselines, inputs), inputs, count()))


def as_each_baseline(
    baselines: Baselines, inputs: Inputs, names: tuple[str, ...], tensors: Tensors, ids: bool
) -> tuple[tuple[Single, ...], ...]:
    """The baselines of which a mean is taken, each as `as_baselines` gives it; where there are ids, as they came."""
    made = baselines_for(baselines, inputs)
    if isinstance(made, list) and not made:
        raise AttributionError("baselines is an empty list.", "Pass one baseline or several.")
    found = []
    for one in made if isinstance(made, list) else [made]:
        ordered = in_order("baselines", one, names)
        found.append(baseline_of_each(ordered, tensors) if ids else as_baselines(ordered, tensors))
    return tuple(found)


def baselines_for(baselines: Baselines | Distribution, inputs: Inputs) -> object:
    """The baselines that a function makes, of the inputs or of nothing; others as they are."""
    if not callable(baselines):
        return baselines
    try:
        takes_inputs = bool(inspect.signature(baselines).parameters)
    except (TypeError, ValueError):  # of a function that is not written in Python
        takes_inputs = True
    return baselines(inputs) if takes_inputs else baselines()


def in_order(name: str, value: object, names: tuple[str, ...]) -> Any:
    """An argument with an entry for each input; if it is a dict by name, in the order of the inputs' `names`."""
    if not isinstance(value, Mapping):
        return value
    if not names:
        raise AttributionError(f"{name} is a dict, the inputs are not.", "Pass them alike.")
    if set(value) != set(names):
        raise AttributionError(f"{name} names {sorted(map(str, value))}.", f"The inputs are {sorted(names)}.")
    return tuple(value[key] for key in names)


def baseline_of_each(baselines: Baseline, inputs: Tensors) -> tuple[Single, ...]:
    """The baselines of inputs as a tuple, each None, a number or a tensor; that of a single input may be bare."""
    number = len(inputs)
    several = isinstance(baselines, (tuple, list))
    given: Any = baselines if several else (baselines,) * (1 if baselines is not None else number)
    if number > 1 and len(given) == 1 and given[0] is None:
        given = (None,) * number
    if len(given) != number:
        raise AttributionError(f"baselines has {len(given)} entries for {number} inputs.", "Pass one for each input.")
    read = tuple(as_value(f"baselines[{place}]", each) for place, each in enumerate(given))
    for place, (value, x) in enumerate(zip(read, inputs, strict=True)):
        if isinstance(value, Tensor) and value.is_complex():
            raise AttributionError(f"baselines[{place}] is {value.dtype}, its input {x.dtype}.", "Pass real numbers.")
        if isinstance(value, Tensor) and value.is_meta and not x.is_meta:
            check_values(f"baselines[{place}]", value)
    return read


def as_value(name: str, baseline: object) -> Single:
    """A baseline as None, a number or a tensor."""
    if isinstance(baseline, Tensor):
        check_dense(name, baseline)
        return baseline
    if isinstance(baseline, np.generic):
        baseline = baseline.item()
    if isinstance(baseline, float) and not math.isfinite(baseline):
        raise AttributionError(f"{name} is {baseline}.", "Pass a finite number, or a tensor.")
    if baseline is None or isinstance(baseline, (bool, int, float)):
        return baseline
    if isinstance(baseline, np.ndarray):
        return as_tensor(name, baseline)
    raise AttributionError(f"{name} is a {type(baseline).__name__}, not a number or a tensor.")


def as_baseline(baseline: Single, x: Tensor, place: int) -> Tensor:
    """A baseline of one input's shape, and of its dtype unless that is of integers and the baseline has fractions.

    The baseline is one that `baseline_of_each` has read; None is zero.
    """
    if baseline is None:
        return torch.zeros((), dtype=x.dtype, device=x.device).expand_as(x)
    if not isinstance(baseline, Tensor):
        return torch.tensor(baseline, dtype=_dtype_of(baseline, x, place), device=x.device).expand_as(x)
    whole = x.is_floating_point() or not baseline.is_floating_point() or not bool((baseline % 1 != 0).any())
    try:
        if baseline.dim() > x.dim():
            raise RuntimeError
        return baseline.detach().to(x.device, x.dtype if whole else baseline.dtype).expand_as(x)
    except RuntimeError as error:
        raise AttributionError(
            f"baselines[{place}] has shape {tuple(baseline.shape)}, its input {tuple(x.shape)}.",
            "Pass a number, a tensor of the input's shape, or one row to be used for all examples.",
        ) from error


def _dtype_of(baseline: float, x: Tensor, place: int) -> torch.dtype:
    """The dtype in which a baseline takes the place of an input's values."""
    whole = x.is_floating_point() or baseline % 1 == 0
    dtype = x.dtype if whole else torch.get_default_dtype()
    if dtype == torch.bool and baseline not in (0, 1):
        dtype = torch.int64
    limits = (0, 1) if dtype == torch.bool else _limits(dtype)
    if not limits[0] <= baseline <= limits[1]:
        raise AttributionError(
            f"baselines[{place}]={shown(baseline)} is beyond what {dtype} can hold.", "Pass a smaller one."
        )
    return dtype


@lru_cache
def _limits(dtype: torch.dtype) -> tuple[float, float]:
    info = torch.finfo(dtype) if dtype.is_floating_point else torch.iinfo(dtype)
    return info.min, info.max


def as_grad_kwargs(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Further options of `torch.autograd.grad`, checked against its signature."""
    if not options:
        return {}
    given = dict(options)
    known = set(inspect.signature(torch.autograd.grad).parameters) - {"outputs", "inputs", "only_inputs"}
    if set(given) - known:
        raise AttributionError(
            f"grad_kwargs has {sorted(map(str, set(given) - known))}, unknown to torch.autograd.grad.",
            f"Known: {sorted(known)}.",
        )
    for name in set(given) - {"grad_outputs"}:
        if not isinstance(given[name], bool | None):
            raise AttributionError(f"grad_kwargs has {name}={shown(given[name])}: expected True or False.")
    return given


def as_extra(extra: object) -> tuple[object, ...]:
    """Additional forward arguments as a tuple."""
    if extra is None:
        return ()
    return extra if isinstance(extra, tuple) else (extra,)


def at_least(name: str, value: object, least: int, most: int = MOST) -> int:
    """An integer argument that must not be smaller than `least`."""
    if not is_integer(value) or value < least:
        raise AttributionError(f"{name}={shown(value)}: expected an integer ≥ {least}.")
    if value > most:
        raise AttributionError(f"{name}={shown(value)} is too large: expected an integer from {least} to {most}.")
    return int(value)


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
