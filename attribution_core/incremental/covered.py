"""Tensors of which only a box is their own: everywhere else they are equal to a base."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.incremental.boxes import Boxes, Sizes

Function = Callable[..., Any]
Answer = Callable[..., object]
"""From a function of torch and its arguments to what it returns, or NotImplemented where it needs whole values."""
Registered = TypeVar("Registered", bound=Answer)

ANSWERS: dict[Function, Answer] = {}


def implements(functions: Sequence[Function]) -> Callable[[Registered], Registered]:
    """Let an answer be asked in place of functions of torch."""

    def register(answer: Registered) -> Registered:
        ANSWERS.update(dict.fromkeys(functions, answer))
        return answer

    return register


class Covered(Tensor):
    """k maps (k, channels, …) that equal `base` (1, channels, …) but for a `patch` (k, channels, …) each, in its box.

    An operation without an answer gets the whole values; from then on they are what the tensor holds, as operations in
    place may change them. Base and patch belong to this tensor alone.
    """

    base: Tensor
    patch: Tensor
    boxes: Boxes
    _whole: Tensor | None

    @staticmethod
    def __new__(cls, base: Tensor, patch: Tensor, boxes: Boxes) -> Covered:
        """A tensor of which torch knows shape, kind and device."""
        shape = (len(patch), *base.shape[1:])
        new = Tensor._make_wrapper_subclass(cls, shape, dtype=patch.dtype, device=patch.device)
        new.hold(base, patch, boxes)
        return new

    def hold(self, base: Tensor, patch: Tensor, boxes: Boxes) -> None:
        """Take other values, as an operation in place makes them."""
        self.base, self.patch, self.boxes, self._whole = base, patch, boxes, None

    def whole(self) -> Tensor:
        """All values, as a usual tensor."""
        if self._whole is None:
            self._whole = self.base.expand(len(self.patch), *self.base.shape[1:]).clone()
            for row, patch, start in zip(self._whole, self.patch, self.boxes.starts, strict=False):
                row[inside(start, self.boxes.size)] = patch
            del self.base, self.patch
        return self._whole

    def read(self, boxes: Boxes, before: Sizes, after: Sizes, fill: float) -> Tensor:
        """The values in other boxes, (k, channels, …), of maps that have `fill` before and after them."""
        values = self.patch.new_empty(*self.patch.shape[:2], *boxes.size)
        if not len(self.patch):
            return values
        padding = [side for pair in reversed(list(zip(before, after, strict=True))) for side in pair]
        base = F.pad(self.base, padding, value=fill)[0]
        for row, patch, start, own in zip(values, self.patch, boxes.starts, self.boxes.starts, strict=False):
            row.copy_(base[inside(start, boxes.size)])
            _paste(row, patch, tuple(o + b - s for o, b, s in zip(own, before, start, strict=True)))
        return values

    @classmethod
    def __torch_function__(
        cls, func: Function, types: object, args: Sequence[object] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        """The answer of an operation, or what torch makes of whole values."""
        kwargs = kwargs or {}
        if func in ASKING:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        if func in ANSWERS and _are_open((*args, *kwargs.values())):
            result = ANSWERS[func](func, *args, **kwargs)
            if result is not NotImplemented:
                return result
        return func(*_whole(tuple(args)), **_whole(kwargs))

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Function, types: object, args: Sequence[object] = (), kwargs: dict[str, object] | None = None
    ) -> object:
        """What compiled code asks for gets whole values."""
        return func(*_whole(tuple(args)), **_whole(kwargs or {}))


def inside(start: Sizes, size: Sizes) -> tuple[slice, ...]:
    """The index of a box in a map (channels, …)."""
    return slice(None), *(slice(first, first + n) for first, n in zip(start, size, strict=True))


def _paste(values: Tensor, patch: Tensor, start: Sizes) -> None:
    """Put a patch into values (channels, …) at a position that may be outside of them, as far as it is inside."""
    to, of = [slice(None)], [slice(None)]
    for first, n, size in zip(start, patch.shape[1:], values.shape[1:], strict=True):
        low, high = max(0, first), min(size, first + n)
        if high <= low:
            return
        to.append(slice(low, high))
        of.append(slice(low - first, high - first))
    values[tuple(to)] = patch[tuple(of)]


def _are_open(arguments: tuple[Any, ...]) -> bool:
    """Whether those of this kind among arguments have a base and a patch, and there are some."""
    values = (value for each in arguments for value in (each if type(each) in (tuple, list) else (each,)))
    own = [value for value in values if isinstance(value, Covered)]
    return bool(own) and all(value._whole is None for value in own)


def _whole(value: Any) -> Any:
    """The same with whole values as usual tensors, also inside tuples, lists and dicts; quicker than `tree_map`."""
    if isinstance(value, Covered):
        return value.whole()
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    return type(value)(map(_whole, value)) if type(value) in (tuple, list) else value


METHODS = """size dim ndimension numel nelement __len__ is_floating_point is_complex element_size get_device
    is_contiguous"""
PROPERTIES = """shape ndim dtype device layout requires_grad is_cuda is_sparse is_quantized is_nested is_meta grad_fn
    is_leaf"""
ASKING = frozenset([getattr(Tensor, name) for name in METHODS.split()]) | frozenset(
    [getattr(Tensor, name).__get__ for name in PROPERTIES.split()]
)
"""What is asked of a tensor besides its values."""
