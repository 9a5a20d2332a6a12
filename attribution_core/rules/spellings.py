"""The ways to write an operation: every callable of torch that computes it, in place or not."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.rules import operations as ops
from attribution_core.rules.autograd import TORCH_NN

Function = Callable[..., Any]
"""A function of torch, or one that stands in for it."""

Arguments = tuple[Any, ...]
Options = dict[str, Any]

HOMES = (torch, Tensor, F, torch.special, TORCH_NN)


class Spelling(NamedTuple):
    """The operation that a callable computes, and how the callable is read.

    `out_of_place` is the callable to use instead of one that works in place, `signature` that of one with an `inplace`
    argument, and `leading` the names of the first arguments that callers may also give by name.
    """

    name: str
    out_of_place: Function | None
    signature: inspect.Signature | None
    leading: tuple[str, ...]


@lru_cache
def spellings(names: frozenset[str]) -> dict[Function, Spelling]:
    """Every callable of torch that computes one of the named operations."""
    known: dict[Function, Spelling] = {}
    for name, home in itertools.product(sorted(names), HOMES):
        plain = getattr(home, name, None)
        for spelling in (name, f"{name}_with_indices", f"__{name}__", f"__r{name}__"):
            _add(known, getattr(home, spelling, None), name, None)
        _add(known, getattr(home, f"{name}_", None), name, plain or getattr(torch, name, None))
    return known


def _add(known: dict[Function, Spelling], function: Function | None, name: str, out_of_place: Function | None) -> None:
    if function is not None:
        known[function] = Spelling(name, out_of_place, _with_inplace(function), ops.LEADING.get(name, ("input",)))


def _with_inplace(function: Function) -> inspect.Signature | None:
    signature = inspect.signature(function, follow_wrapped=False) if inspect.isfunction(function) else None
    return signature if signature is not None and "inplace" in signature.parameters else None


READ = frozenset(getattr(Tensor, name).__get__ for name in ops.PROPERTIES | ops.QUERIED) | {
    getattr(Tensor, name) for name in ops.QUERIES
}
"""Properties and methods of tensors that only ask, or move values."""
