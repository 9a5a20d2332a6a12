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

from attribution_core.evaluation.precision import accumulator
from attribution_core.rules.recurrent import RECURRENT

Parts = Callable[..., Any]
"""A function of the arguments of one of torch's that computes the same by operations of its own."""

Dims = int | tuple[int, ...] | None


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: object,
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
    *_: object,
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
    running_mean: Tensor | None,  # noqa: ARG001 - by position
    running_var: Tensor | None,  # noqa: ARG001
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,  # noqa: ARG001
    momentum: float = 0.1,  # noqa: ARG001
    eps: float = 1e-5,
) -> Tensor:
    """The same over each channel of the batch; with running statistics it is linear, and not made of parts."""
    dims = tuple(dim for dim in range(input.dim()) if dim != 1)
    return _scaled(_normal(input, dims, eps), *(_channels(part, input) for part in (weight, bias)))


def rms_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None = None, eps: float | None = None
) -> Tensor:
    """x / √(mean of squares + eps) · weight."""
    x = input.to(accumulator(input.dtype))
    size = x.square().mean(tuple(range(-len(normalized_shape), 0)), keepdim=True)
    least = torch.finfo(x.dtype).eps if eps is None else eps
    return _scaled((x / (size + least).sqrt()).to(input.dtype), weight, None)


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, **_: object) -> Tensor:
    """x / max(‖x‖, eps) over a dimension."""
    powers = input.abs() if p == 1 else input.abs().pow(p)
    return input / powers.sum(dim, keepdim=True).clamp(min=eps**p).pow(1 / p)


def attention_weights(
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001 - by position
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ · scale + mask), with the arguments of scaled_dot_product_attention."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (1 / math.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=query.device).tril()
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(attn_mask.logical_not(), -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1)


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
    weights = attention_weights(query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)
    if enable_gqa:
        value = value.repeat_interleave(query.shape[-3] // value.shape[-3], -3)
    return (F.dropout(weights, dropout_p) if dropout_p else weights) @ value


def dropout(input: Tensor, p: float = 0.5, training: bool = True, *_: object, **__: object) -> Tensor:
    """x times a mask, drawn as torch draws it."""
    return input * F.dropout(torch.ones_like(input), p) if training and p else input


def magnitude(input: Tensor) -> Tensor:
    """√(real² + imaginary²)."""
    return (input.real.square() + input.imag.square()).sqrt()


def quotient(one: Tensor, other: Tensor) -> Tensor:
    """x / y."""
    return one * other.reciprocal()


def maximum(input: Tensor, other: Tensor) -> Tensor:
    """max(x, y)."""
    return other + (input - other).relu()


def minimum(input: Tensor, other: Tensor) -> Tensor:
    """min(x, y)."""
    return input - (input - other).relu()


def largest(input: Tensor, dim: Dims | Tensor = None, keepdim: bool = False, other: Tensor | None = None) -> Tensor:
    """The largest value over several dimensions or over all, or of two tensors."""
    if isinstance(dim, Tensor):
        return maximum(input, dim)
    if other is not None:
        return maximum(input, other)
    every = tuple(d % input.dim() for d in _dimensions(input, None if dim == () else dim))
    last = input.movedim(every, tuple(range(-len(every), 0))).flatten(-len(every))
    best: Tensor = last.max(-1).values
    for d in sorted(every) if keepdim else ():
        best = best.unsqueeze(d)
    return best


def smallest(
    input: Tensor, dim: int | Tensor | None = None, keepdim: bool = False, other: Tensor | None = None
) -> Tensor | torch.return_types.max:
    """`min` over one dimension or all, or of two tensors."""
    if isinstance(dim, Tensor):
        return minimum(input, dim)
    if other is not None:
        return minimum(input, other)
    if dim is None:
        return -(-input).max()
    largest_negative = (-input).max(dim, keepdim=keepdim)
    return type(largest_negative)((-largest_negative.values, largest_negative.indices))


def least(input: Tensor, dim: Dims = None, keepdim: bool = False) -> Tensor:
    """`amin` over one dimension, several or all."""
    return -(-input).amax(() if dim is None else dim, keepdim)


def variance(
    input: Tensor, dim: Dims | bool = None, unbiased: bool = True, keepdim: bool = False, correction: float | None = 1
) -> Tensor:
    """The mean square of what is left without the mean."""
    if isinstance(dim, bool):
        return variance(input, None, dim)
    dims, x = _dimensions(input, dim), input.to(accumulator(input.dtype))
    squares = (x - x.mean(dims, keepdim=True)).square()
    lost = (1 if correction is None else correction) if unbiased else 0
    total = squares.sum(dims, keepdim=keepdim)
    return (total / max(0, math.prod(input.shape[d] for d in dims) - lost)).to(input.dtype)


def deviation(
    input: Tensor, dim: Dims | bool = None, unbiased: bool = True, keepdim: bool = False, correction: float | None = 1
) -> Tensor:
    """The root of the variance."""
    x = input.to(accumulator(input.dtype))
    return variance(x, dim, unbiased, keepdim, correction).sqrt().to(input.dtype)


def vector_norm(
    x: Tensor, ord: float = 2, dim: Dims = None, keepdim: bool = False, *, dtype: torch.dtype | None = None
) -> Tensor:
    """(Σ |x|^p)^(1/p), with p = ∞ the largest |x|."""
    if ord == math.inf:
        return x.abs().amax(_dimensions(x, dim), keepdim)
    powers = x.abs() if ord == 1 else x.square() if ord == 2 else x.abs().pow(ord)
    total = powers.sum(_dimensions(x, dim), keepdim=keepdim, dtype=dtype)
    return total if ord == 1 else total.sqrt() if ord == 2 else total.pow(1 / ord)


def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    dtype: torch.dtype | None = None,
    **_: object,
) -> Tensor:
    """The same, with the arguments of torch.norm."""
    return vector_norm(input, 2 if p in (None, "fro") else float(p), dim, keepdim, dtype=dtype)


def _dimensions(x: Tensor, dim: Dims) -> tuple[int, ...]:
    """The dimensions meant, where None means all."""
    return tuple(range(x.dim())) if dim is None else (dim,) if isinstance(dim, int) else tuple(dim)


def addition(name: str) -> Parts:
    """addmm and its like: beta · b + alpha · x y."""

    def added(
        input: Tensor, one: Tensor, other: Tensor, *, beta: float = 1, alpha: float = 1, value: float = 1
    ) -> Tensor:
        product = one * other if name == "addcmul" else one @ other
        return input * beta + product * (alpha * value)

    return added


def lerp(input: Tensor, end: Tensor, weight: Tensor | float) -> Tensor:
    """(1 − w) x + w y."""
    return input * (1 - weight) + end * weight


def logaddexp(input: Tensor, other: Tensor) -> Tensor:
    """log(exp(x) + exp(y))."""
    return other - F.logsigmoid(other - input)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The product of the normalised values."""
    x1, x2 = torch.broadcast_tensors(x1, x2)  # type: ignore[no-untyped-call]
    return (normalize(x1, dim=dim, eps=eps) * normalize(x2, dim=dim, eps=eps)).sum(dim)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """One half times the sigmoid of the other."""
    one, other = input.chunk(2, dim)
    return one * other.sigmoid()


def _normal(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    at = x.to(accumulator(x.dtype))
    centred = at - at.mean(dims, keepdim=True)
    return (centred / (centred.square().mean(dims, keepdim=True) + eps).sqrt()).to(x.dtype)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    scaled = x if weight is None else x * weight
    return scaled if bias is None else scaled + bias


def _channels(value: Tensor | None, x: Tensor) -> Tensor | None:
    return None if value is None else value.reshape(-1, *[1] * (x.dim() - 2))


PARTS: dict[Parts, Parts] = {
    F.layer_norm: layer_norm,
    torch.layer_norm: layer_norm,
    F.group_norm: group_norm,
    torch.group_norm: group_norm,
    F.rms_norm: rms_norm,
    torch.rms_norm: rms_norm,
    F.instance_norm: instance_norm,
    F.normalize: normalize,
    F.scaled_dot_product_attention: attention,
    torch.lerp: lerp,
    Tensor.lerp: lerp,
    **RECURRENT,
}


def _in_place(parts: Parts) -> Parts:
    """The same, written into the first argument."""

    def written(input: Tensor, *args: object, **kwargs: object) -> Tensor:
        before = input.clone()  # what a node keeps must not be what keeps the node
        args = tuple([before if arg is input else arg for arg in args])
        return input.copy_(parts(before, *args, **kwargs))

    return written


_NAMED: dict[str, Parts] = {
    **{name: addition(name) for name in ("addmm", "baddbmm", "addmv", "addcmul")},
    "amin": least,
    "cosine_similarity": cosine_similarity,
    "fmax": maximum,
    "fmin": minimum,
    "glu": glu,
    "logaddexp": logaddexp,
    "maximum": maximum,
    "min": smallest,
    "minimum": minimum,
    "norm": norm,
    "std": deviation,
    "var": variance,
}
EXACT_PARTS: dict[Parts, Parts] = PARTS | {
    getattr(home, name): parts for name, parts in _NAMED.items() for home in (torch, Tensor, F) if hasattr(home, name)
}
EXACT_PARTS[torch.linalg.vector_norm] = vector_norm
EXACT_PARTS |= {
    getattr(Tensor, f"{name}_"): _in_place(parts)
    for name, parts in (_NAMED | {"lerp": lerp}).items()
    if hasattr(Tensor, f"{name}_")
}
"""Further operations made of parts, for rules that are exact for each of them."""


@lru_cache
def python_body(function: object) -> Parts | None:
    """A function of torch written in Python, without its own look-out for interceptions; None of any other."""
    if not isinstance(function, FunctionType) or not function.__module__.startswith("torch"):
        return None
    names = set(function.__code__.co_names) & set(function.__globals__)
    blind = {name: _nobody for name in names if name.startswith("has_torch_function")}
    if not blind:
        return None
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, **blind},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _nobody(*_: object) -> bool:
    return False
