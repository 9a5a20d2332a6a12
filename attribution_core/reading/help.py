"""`help()` of a method: every argument with its type or shape and its meaning, from the one table of arguments."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

from attribution_core.reading.arguments import ARGUMENTS

WIDTH = 110

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def documented(cls: type) -> None:
    """Write the arguments into the documentation of a class's constructor and of its `attribute`."""
    for name in ("__init__", "attribute", "compute_convergence_delta"):
        if name in vars(cls):
            with_arguments(vars(cls)[name])


def with_arguments(function: FunctionT) -> FunctionT:
    """The same function; its documentation ends with its arguments, in the order of its signature."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name != "self"]
    lines = [inspect.cleandoc(function.__doc__ or ""), "", "Args:", *map(_wrapped, parameters)]
    lines += ["", "Raises:", "    AttributionError: An argument is wrong; said before the model runs, where possible."]
    function.__doc__ = "\n".join(lines).lstrip()
    return function


def _wrapped(parameter: inspect.Parameter) -> str:
    lines = textwrap.TextWrapper(
        WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False, break_on_hyphens=False
    )
    return lines.fill(_described(parameter))


def _described(parameter: inspect.Parameter) -> str:
    argument = ARGUMENTS.get(parameter.name)
    if argument is None:  # of a class that is not ours
        return str(parameter)
    given = parameter.default is not inspect.Parameter.empty and parameter.default is not None
    default = f" Default: {_shown(parameter.default)}." if given else ""
    return f"{parameter.name} ({argument.shape}): {argument.meaning}{default}"


def _shown(default: object) -> str:
    return getattr(default, "__name__", None) or repr(default)
