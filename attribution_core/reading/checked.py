"""Arguments that are what `help()` says of them, checked before anything else is done with them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TypeVar

import numpy as np
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.reading.arguments import LARGEST_SEED, as_value, at_least
from attribution_core.reading.help import ARGUMENTS
from attribution_core.reading.values import check_values, is_number, shown

Result = TypeVar("Result")
Check = Callable[[str, object], object]
"""From an argument's name and value; raises AttributionError where it is wrong."""


def flag(name: str, value: object) -> None:
    """True or False, also as 1 or 0."""
    if value is True or value is False:
        return
    if not (isinstance(value, (int, np.bool_)) and value in (0, 1)):
        raise AttributionError(f"{name}={shown(value)}: expected True or False.")


def function(name: str, value: object) -> None:
    """Something that can be called, or nothing."""
    if value is not None and not callable(value):
        raise AttributionError(f"{name}={shown(value)}: expected a function, or None.")


def share(name: str, value: object) -> None:
    """A number between 0 and 1, or nothing."""
    if value is not None and not (is_number(value) and 0 < value < 1):
        raise AttributionError(f"{name}={shown(value)}: expected a number between 0 and 1.")


def size(name: str, value: object) -> None:
    """A finite number that is not negative."""
    if not (is_number(value) and 0 <= value < math.inf):
        raise AttributionError(f"{name}={shown(value)}: expected a finite number ≥ 0.")


def text(name: str, value: object) -> None:
    """A word."""
    if not isinstance(value, str):
        raise AttributionError(f"{name}={shown(value)}: expected a str.")


def token(name: str, value: object) -> None:
    """A place, or nothing."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
        raise AttributionError(f"{name}={shown(value)}: expected an integer, or None.")


def devices(name: str, value: object) -> None:
    """One device at most: a model that is replicated over several hides its layers."""
    if value is None:
        return
    if not isinstance(value, (list, tuple)) or not all(isinstance(n, int) and not isinstance(n, bool) for n in value):
        raise AttributionError(f"{name}={shown(value)}: expected a list of device numbers, or None.")
    if len(value) > 1:
        raise AttributionError(
            f"{name}={value}: a model spread over devices by DataParallel hides its layers.",
            "Pass the model as it was before, model.module.",
        )


def options(name: str, value: object) -> None:
    """Keywords with their values, or nothing."""
    if value is not None and not isinstance(value, Mapping):
        raise AttributionError(f"{name}={shown(value)}: expected a dict, or None.")


def seed(name: str, value: object) -> None:
    """A number to start from, or nothing."""
    if value is not None:
        at_least(name, value, 0, LARGEST_SEED)


def sizes(name: str, value: object) -> None:
    """A finite number that is not negative, for all inputs or for each."""
    for each in _entries(value):
        size(name, each)


def masks(name: str, value: object) -> None:
    """A tensor of numbers for each input or each tensor of a layer, or nothing."""
    for each in _entries(value):
        if isinstance(each, (tuple, list)):
            masks(name, each)
        elif isinstance(each, Tensor):
            check_values(name, each)
        elif each is not None and not isinstance(each, np.ndarray):
            raise AttributionError(f"{name} has {shown(each)}, not a tensor of integers.")


def replacements(name: str, value: object) -> None:
    """A number or a tensor for each tensor of a layer, or nothing."""
    for each in _entries(value):
        if isinstance(each, (tuple, list)):
            replacements(name, each)
        else:
            as_value(name, each)


def _entries(value: object) -> Iterable[object]:
    """What is given for each input, or the one that is for all."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, (tuple, list)) else (value,)


CHECKS: dict[str, Check] = {
    "bool": flag,
    "function": function,
    "float between 0 and 1": share,
    "float ≥ 0": size,
    "str": text,
    '"sets" or "orders"': text,
    "int": token,
    "list of ints": devices,
    "dict": options,
    "int ≥ 0": seed,
    "float ≥ 0, for each input": sizes,
    "integers that broadcast to each input": masks,
    "integers that broadcast to the layer's values; a list for a list of layers": masks,
    "number or tensor, for each tensor of the layer; a list for a list of layers": replacements,
}
"""By what `help()` says that an argument is; the others are read where they are used."""


def checked(method: Callable[..., Result]) -> Callable[..., Result]:
    """The same method; what its arguments are said to be is checked first."""
    names = tuple(inspect.signature(method).parameters)[1:]
    shapes = {name: ARGUMENTS[name].shape for name in names if name in ARGUMENTS}
    checks = {name: CHECKS[shape] for name, shape in shapes.items() if shape in CHECKS}
    if not checks:
        return method
    first = min(map(names.index, checks))

    @wraps(method)
    def call(self: object, /, *given: object, **named: object) -> Result:
        if len(given) > first:
            for name, value in zip(names, given, strict=False):
                if name in checks:
                    checks[name](name, value)
        for name, value in named.items():
            if name in checks:
                checks[name](name, value)
        return method(self, *given, **named)

    return call


def check_arguments(cls: type) -> None:
    """Check the arguments of a class's constructor and of its `attribute`, wherever they are called."""
    for name in ("__init__", "attribute"):
        if name in vars(cls):
            setattr(cls, name, checked(vars(cls)[name]))
