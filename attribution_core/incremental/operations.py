"""What operations make of tensors that differ from a base in a box: the same of base and patch, in boxes of their own.

Convolutions and pools widen the box by their receptive field; functions of each value by itself keep it; sums and
concatenations take one around all. Each answer returns NotImplemented where it needs whole values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeGuard

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.incremental.boxes import Sizes, Slide, union
from attribution_core.incremental.covered import Covered, Function, implements
from attribution_core.rules.operations import ELEMENTWISE
from attribution_core.rules.spellings import spellings

MOST = 0.7
"""Share of a map that a box may cover: beyond, whole values are as quick."""

SUMS_AND_PRODUCTS = """add add_ __add__ __radd__ __iadd__ sub sub_ __sub__ __rsub__ __isub__ rsub subtract mul mul_
    __mul__ __rmul__ __imul__ multiply div div_ __truediv__ __rtruediv__ __itruediv__ divide true_divide maximum
    minimum"""
BINARY = [
    getattr(home, name)
    for home, name in itertools.product((torch, Tensor), SUMS_AND_PRODUCTS.split())
    if hasattr(home, name)
]
"""Functions of two values at the same place."""

DROPOUTS = [F.dropout, F.dropout1d, F.dropout2d, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout]


@implements([F.conv1d, F.conv2d, F.conv3d])
def _convolution(
    func: Function,
    input: object,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: int | Sizes = 1,
    padding: int | Sizes | str = 0,
    dilation: int | Sizes = 1,
    groups: int = 1,
) -> object:
    dims = weight.dim() - 2
    if isinstance(padding, str) or not _is_map(input, dims) or isinstance(weight, Covered):
        return NotImplemented
    steps = _each(stride, dims)
    slide = Slide(tuple(weight.shape[2:]), steps, _each(padding, dims), _each(dilation, dims))
    return _slid(
        input,
        slide,
        lambda base: func(base, weight, bias, stride, padding, dilation, groups),
        lambda values: func(values, weight, bias, stride, 0, dilation, groups),
    )


@implements([F.max_pool1d, F.max_pool2d, F.max_pool3d, torch.max_pool1d, torch.max_pool2d, torch.max_pool3d])
def _max_pool(
    func: Function,
    input: object,
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    dilation: int | Sizes = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> object:
    dims = _dimensions(func)
    if return_indices or not _is_map(input, dims):
        return NotImplemented
    steps = kernel_size if stride is None else stride
    kernel, each_step, pads, gaps = (_each(value, dims) for value in (kernel_size, steps, padding, dilation))
    return _slid(
        input,
        Slide(kernel, each_step, pads, gaps, ceil_mode),
        lambda base: func(base, kernel_size, steps, padding, dilation, ceil_mode),
        lambda values: func(values, kernel_size, steps, 0, dilation),
        fill=float("-inf"),
    )


@implements([F.avg_pool1d, F.avg_pool2d, F.avg_pool3d])
def _average_pool(
    func: Function,
    input: object,
    kernel_size: int | Sizes,
    stride: int | Sizes | None = None,
    padding: int | Sizes = 0,
    ceil_mode: bool = False,
    *others: object,
    **named: object,
) -> object:
    dims = _dimensions(func)
    steps = kernel_size if stride is None else stride
    if not _is_map(input, dims) or any(_each(padding, dims)) or ceil_mode:
        return NotImplemented

    def pooled(values: Tensor) -> Any:
        return func(values, kernel_size, steps, padding, ceil_mode, *others, **named)

    slide = Slide(_each(kernel_size, dims), _each(steps, dims), (0,) * dims, (1,) * dims)
    return _slid(input, slide, pooled, pooled)


@implements(list(spellings((ELEMENTWISE | {"clone"}) - {"rrelu"})))
def _of_each_value(func: Function, input: object, *others: object, **named: object) -> Any:
    further = (*others, *named.values())
    weights = func in PRELU and len(further) == 1
    if not isinstance(input, Covered) or (not weights and any(isinstance(value, Tensor) for value in further)):
        return NotImplemented
    return _alike(input, lambda values: func(values, *others, **named))


PRELU = frozenset(spellings(frozenset({"prelu"})))
"""Whose further argument is a weight for each channel."""


@implements([F.batch_norm])
def _batch_norm(
    func: Function,
    input: object,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    *others: float,
    **named: float,
) -> Any:
    if training or running_mean is None or not isinstance(input, Covered):
        return NotImplemented
    return _alike(
        input, lambda values: func(values, running_mean, running_var, weight, bias, training, *others, **named)
    )


@implements(DROPOUTS)
def _dropout(
    func: Function,  # noqa: ARG001
    input: object,
    p: float = 0.5,  # noqa: ARG001
    training: bool = True,
    inplace: bool = False,  # noqa: ARG001
) -> object:
    return NotImplemented if training else input


@implements(BINARY)
def _of_two(func: Function, input: object, other: object, **named: object) -> object:
    operands = [input, other]
    maps = [value for value in operands if isinstance(value, Covered)]
    if any(isinstance(value, Tensor) for value in named.values()):
        return NotImplemented
    if not all(value is maps[0] or _fits(value, maps[0]) for value in operands):
        return NotImplemented
    return _together(maps, operands, lambda values: func(*values, **named))


@implements([torch.cat, torch.concat, torch.concatenate])
def _concatenated(func: Function, tensors: Sequence[Tensor], dim: int = 0, **named: object) -> object:
    maps = [value for value in tensors if isinstance(value, Covered)]
    alike = len(maps) == len(tensors) and len({value.shape[2:] for value in maps}) == 1
    if named or not alike or dim not in (1, 1 - tensors[0].dim()):
        return NotImplemented
    return _together(maps, maps, lambda values: func(values, 1))


def _slid(
    x: Covered,
    slide: Slide,
    usual: Callable[[Tensor], Tensor],
    unpadded: Callable[[Tensor], Tensor],
    fill: float = 0.0,
) -> object:
    """`usual` of the base, and `unpadded` of the values that changed outputs depend on."""
    sizes = tuple(x.shape[2:])
    boxes = slide.touched(x.boxes, sizes)
    if boxes.share(slide.outputs(sizes)) > MOST:
        return NotImplemented
    values = x.read(slide.needed(boxes), slide.padding, slide.after(sizes), fill)
    return Covered(usual(x.base), unpadded(values), boxes)


def _alike(x: Covered, function: Callable[[Tensor], Tensor]) -> object:
    """A function of each value of base and patch."""
    base, patch = function(x.base), function(x.patch)
    return x if patch is x.patch else Covered(base, patch, x.boxes)


def _together(
    maps: Sequence[Covered], operands: Sequence[object], function: Callable[[list[object]], Tensor]
) -> object:
    """A function of several operands at the same place, in boxes around those of all."""
    sizes = tuple(maps[0].shape[2:])
    boxes = union([each.boxes for each in maps], sizes)
    if boxes.share(sizes) > MOST:
        return NotImplemented
    none = (0,) * len(sizes)

    def there(value: object) -> object:
        if not isinstance(value, Covered):
            return value
        return value.patch if value.boxes == boxes else value.read(boxes, none, none, 0.0)

    patch = function([there(value) for value in operands])
    base = function([value.base if isinstance(value, Covered) else value for value in operands])
    first = operands[0]
    if isinstance(first, Covered) and base is first.base:  # in place
        first.hold(base, patch, boxes)
        return first
    return Covered(base, patch, boxes)


def _fits(value: object, x: Covered) -> bool:
    """Whether a value stands beside a map: another one of the same size, or the same numbers all over each channel."""
    if not isinstance(value, Tensor):
        return True
    if isinstance(value, Covered):
        return value.shape[2:] == x.shape[2:]
    dims = x.dim() - 2
    everywhere = value.dim() <= dims + 1 or (value.dim() == dims + 2 and value.shape[0] == 1)
    return everywhere and all(n == 1 for n in value.shape[max(0, value.dim() - dims) :])


def _is_map(value: object, dims: int) -> TypeGuard[Covered]:
    """Whether it has a batch, channels and so many spatial dimensions."""
    return isinstance(value, Covered) and value.dim() == dims + 2


def _dimensions(func: Function) -> int:
    """Of a function of torch that has them in its name."""
    return int(func.__name__[-2])


def _each(value: int | Sequence[int], dims: int) -> Sizes:
    if isinstance(value, int):
        return (value,) * dims
    return tuple(value) * (dims if len(value) == 1 else 1)
