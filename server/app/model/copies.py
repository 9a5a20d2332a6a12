"""Copies of what the user gave, for the user's functions to do with as they like."""

from __future__ import annotations

from torch import Tensor

Tensors = tuple[Tensor, ...]


def copies(tensors: Tensors) -> Tensors:
    """A copy of each."""
    return tuple(x.clone() for x in tensors)


def copied(extra: tuple[object, ...]) -> tuple[object, ...]:
    """The same for further arguments; what is no tensor stays itself."""
    return tuple(x.clone() if isinstance(x, Tensor) else x for x in extra)
