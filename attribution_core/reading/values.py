"""What kinds of values arrive as arguments, and how an error message shows them."""

from __future__ import annotations

import reprlib
from typing import TypeGuard

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError


def shown(value: object) -> str:
    """A value in an error message, on one line: of arrays and tensors their dtype and shape."""
    if isinstance(value, Tensor):
        return f"a {str(value.dtype).removeprefix('torch.')} tensor {tuple(value.shape)}"
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array {value.shape}"
    return reprlib.repr(value)


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is a real number, of Python or NumPy."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def is_integer(value: object) -> TypeGuard[int]:
    """Whether a value is an integer, of Python or NumPy."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def ragged(tensors: tuple[Tensor, ...]) -> bool:
    """Whether tensors differ in their rows: such batches cannot be stacked or cut."""
    return len(tensors) > 1 and any(x.shape[0] != tensors[0].shape[0] for x in tensors)


def check_dense(name: str, x: Tensor) -> None:
    """Refuse a tensor whose numbers do not lie side by side in memory."""
    if x.layout != torch.strided or x.is_nested:
        kind = "nested" if x.is_nested else str(x.layout).removeprefix("torch.")
        raise AttributionError(f"{name} is a {kind} tensor.", "Pass a dense one, such as x.to_dense().")
    if x.is_quantized:
        raise AttributionError(f"{name} is a quantized tensor.", "Pass x.dequantize().")


def check_values(name: str, x: Tensor) -> None:
    """Refuse a tensor that is not dense, or that has a shape but no numbers."""
    check_dense(name, x)
    if x.is_meta:
        raise AttributionError(f"{name} is on the meta device, where tensors have no values.", "Pass its values.")


def as_tensor(name: str, value: np.ndarray | np.generic) -> Tensor:
    """A tensor of an array's numbers, in memory of its own."""
    try:
        return torch.from_numpy(np.array(value, order="C"))
    except TypeError as error:
        raise AttributionError(f"{name} is {shown(value)}.", "Pass an array of numbers, or a tensor.") from error
