"""Composed operations written out in parts, for rules that know the parts.

Called inside an interception, the parts are intercepted in turn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.paths import wide


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """(x − mean) / √(variance + eps) · weight + bias over the last dimensions."""
    normal = _normal(input, tuple(range(-len(normalized_shape), 0)), eps)
    return _scaled(normal, weight, bias)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: Any,
) -> Tensor:
    """The same over groups of channels."""
    normal = _normal(input.reshape(len(input), num_groups, -1), (2,), eps).reshape(input.shape)
    return _scaled(normal, *(_channels(part, input) for part in (weight, bias)))


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """The same over each channel of each example, or with running statistics."""
    if use_input_stats:
        return group_norm(input, input.shape[1], weight, bias, eps)
    return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """The same over each channel of the batch."""
    if not training:
        return F.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    dims = tuple(dim for dim in range(input.dim()) if dim != 1)
    return _scaled(_normal(input, dims, eps), *(_channels(part, input) for part in (weight, bias)))


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / √(mean of squares + eps) · weight."""
    x = input.to(wide(input.dtype))
    size = x.square().mean(tuple(range(-len(normalized_shape), 0)), keepdim=True)
    least = torch.finfo(x.dtype).eps if eps is None else eps
    return _scaled((x * (size + least).rsqrt()).to(input.dtype), weight, None)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, **_: Any) -> Tensor:
    """x / max(‖x‖, eps) over a dimension."""
    powers = input.abs() if p == 1 else input.abs().pow(p)
    return input / powers.sum(dim, keepdim=True).clamp(min=eps**p).pow(1 / p)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ · scale + mask) v."""
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(attn_mask.logical_not(), -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    weights = scores.softmax(-1)
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


def dropout(input: Tensor, p: float = 0.5, training: bool = True, *_: Any, **__: Any) -> Tensor:
    """x times a mask, drawn as torch draws it."""
    return input * F.dropout(torch.ones_like(input), p) if training and p else input


def _normal(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    at = x.to(wide(x.dtype))
    centred = at - at.mean(dims, keepdim=True)
    return (centred * (centred.square().mean(dims, keepdim=True) + eps).rsqrt()).to(x.dtype)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def _channels(value: Tensor | None, x: Tensor) -> Tensor | None:
    return None if value is None else value.reshape(-1, *[1] * (x.dim() - 2))


PARTS: dict[Any, Callable[..., Any]] = {
    F.layer_norm: layer_norm,
    torch.layer_norm: layer_norm,
    F.group_norm: group_norm,
    torch.group_norm: group_norm,
    F.instance_norm: instance_norm,
    F.normalize: normalize,
    F.scaled_dot_product_attention: attention,
}
for _home in (F, torch):
    if hasattr(_home, "rms_norm"):  # torch 2.4 has both
        PARTS[_home.rms_norm] = rms_norm


@lru_cache
def body(function: Any) -> Callable[..., Any] | None:
    """A function of torch written in Python, without its own look-out for interceptions; None of any other."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("torch"):
        return None
    blind = {name: _nobody for name in function.__globals__ if name.startswith("has_torch_function")}
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **blind},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _nobody(*_: Any) -> bool:
    return False
