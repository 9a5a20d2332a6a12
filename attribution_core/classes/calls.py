"""What every method's `attribute` takes besides Captum's arguments.

- `inputs` as a dict of tensors: given to the model by name; attributions come back as such a dict.
- `baselines` as a function of the inputs, or as a list of baselines: then the mean of the attributions.
- `targets` as a list: one result for each, from one forward pass where the method allows it.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.errors import AttributionError, NotPerExample
from attribution_core.question.question import stacked
from attribution_core.question.target import Copied
from attribution_core.reading.arguments import as_inputs

Attribute = Callable[..., Any]

PLAIN = frozenset((torch.Tensor, tuple, int, bool, float, str, type(None), Copied))
"""What needs none of this."""


def flexible(attribute: Attribute) -> Attribute:
    """`attribute`, taking inputs by name, several baselines and several targets."""
    signature = inspect.signature(attribute)
    own_baselines = "baselines" in signature.parameters
    own_baselines = own_baselines and signature.parameters["baselines"].default is inspect.Parameter.empty

    passes_on = "target" not in signature.parameters and "kwargs" in signature.parameters

    @wraps(attribute)
    def asked(self: Any, *args: Any, **options: Any) -> Any:
        if "targets" not in options and PLAIN.issuperset(map(type, (*args, *options.values()))):
            return attribute(self, *args, **options)
        targets = options.pop("targets", None)
        bound = signature.bind(self, *args, **options)
        given = bound.arguments
        if isinstance(given.get("inputs"), Mapping):
            return _by_name(asked, bound, targets)
        baselines = given.get("baselines")
        if not own_baselines and (callable(baselines) or isinstance(baselines, list)):
            return _over_baselines(asked, bound, targets)
        if targets is not None:
            _check(targets)
            return (
                attribute(*bound.args, **bound.kwargs, targets=targets)
                if passes_on
                else _of_targets(asked, bound, targets)
            )
        return attribute(*bound.args, **bound.kwargs)

    return asked


def _by_name(attribute: Attribute, bound: inspect.BoundArguments, targets: Any) -> Any:
    given = bound.arguments
    names = tuple(given["inputs"])
    method = given["self"] = copy.copy(given["self"])
    method._names = names
    for key, value in given.items():
        if isinstance(value, Mapping) and key not in ("additional_forward_args", "kwargs", "grad_kwargs"):
            if set(value) != set(names):
                raise AttributionError(f"{key} names {sorted(map(str, value))}.", f"The inputs are {sorted(names)}.")
            given[key] = tuple(value[name] for name in names)
    found = attribute(*bound.args, **bound.kwargs, **_asked(targets))
    return _renamed(found, names) if method.of_inputs else found


def _renamed(found: Any, names: tuple[str, ...]) -> Any:
    if isinstance(found, list):
        return [_renamed(part, names) for part in found]
    if isinstance(found[0], tuple):
        return (_renamed(found[0], names), *found[1:])
    return dict(zip(names, found, strict=True))


def _over_baselines(attribute: Attribute, bound: inspect.BoundArguments, targets: Any) -> Any:
    given = bound.arguments
    baselines = given["baselines"]
    if callable(baselines):
        takes_inputs = bool(inspect.signature(baselines).parameters)
        baselines = baselines(given["inputs"]) if takes_inputs else baselines()
    if not isinstance(baselines, list):
        baselines = [baselines]
    if not baselines:
        raise AttributionError("baselines is an empty list.", "Pass one baseline or several.")
    found = []
    for baseline in baselines:
        given["baselines"] = baseline
        found.append(attribute(*bound.args, **bound.kwargs, **_asked(targets)))
    return found[0] if len(found) == 1 else _mean(found)


def _mean(found: list[Any]) -> Any:
    columns = zip(*(tree_flatten(each)[0] for each in found), strict=True)
    return tree_unflatten([torch.stack(column).mean(0) for column in columns], tree_flatten(found[0])[1])


def _asked(targets: Any) -> dict[str, Any]:
    return {} if targets is None else {"targets": targets}


def _check(targets: Any) -> None:
    if not isinstance(targets, (list, tuple)) or not targets:
        raise AttributionError(f"targets={targets!r}: expected a list of targets, each as `target` takes them.")


def _of_targets(attribute: Attribute, bound: inspect.BoundArguments, targets: Any) -> list[Any]:
    method, parameters = bound.arguments["self"], bound.signature.parameters
    if "target" not in parameters or bound.arguments.get("target") is not None:
        raise AttributionError(f"{type(method).__name__}.attribute takes targets in place of `target` only.")
    if method.shares_targets and "seed" not in parameters:
        try:
            return _shared(attribute, bound, tuple(targets))
        except NotPerExample:  # one number for the whole batch: nothing to stack
            pass
    bound.arguments["self"] = method
    results = []
    for target in targets:
        bound.arguments["target"] = target
        results.append(attribute(*bound.args, **bound.kwargs))
    return results


def _shared(attribute: Attribute, bound: inspect.BoundArguments, targets: tuple[Any, ...]) -> list[Any]:
    """Hand the method a batch that holds the examples once for each target (see `Shared`)."""
    call = inspect.BoundArguments(bound.signature, copy.copy(bound.arguments))
    given = call.arguments
    rows = len(as_inputs(given["inputs"], differentiable=False)[0])
    method = given["self"] = copy.copy(given["self"])
    method._targets = targets
    for key in set(given) - {"self", "additional_forward_args", "grad_kwargs"}:
        given[key] = stacked(given[key], rows, len(targets))
    leaves, form = tree_flatten(attribute(*call.args, **call.kwargs))
    return [
        tree_unflatten(list(part), form) for part in zip(*(leaf.chunk(len(targets)) for leaf in leaves), strict=True)
    ]
