"""Attention weights, however a model computes them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from attribution_core.types import Tensors


@dataclass(frozen=True)
class Attentions:
    """The weights of every self-attention of a model, in order, each (B, heads, tokens, tokens).

    Seen are `scaled_dot_product_attention`, `nn.MultiheadAttention`, and softmax over scores of that shape.
    """

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:  # noqa: ARG002
        """While the model runs; the weights are known afterwards."""
        with _Watch() as watch:
            yield lambda: tuple(watch.found)


class _Watch(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Tensor] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        result = func(*args, **options)
        with torch.no_grad():
            if func is F.scaled_dot_product_attention:
                self._note(_of_products(*args, **options))
            elif func is F.multi_head_attention_forward:
                self._note(_of_module(*args, **options))
            elif func in (F.softmax, torch.softmax, Tensor.softmax) and _over_last(result, args[1:], options):
                self._note(result)
        return result

    def _note(self, weights: Tensor) -> None:
        if weights.dim() == 4 and weights.shape[2] == weights.shape[3]:
            self.found.append(weights.detach())


def _over_last(result: Tensor, arguments: tuple[Any, ...], options: dict[str, Any]) -> bool:
    dim = arguments[0] if arguments else options.get("dim")
    return dim in (-1, result.dim() - 1)


def _of_products(
    query: Tensor,
    key: Tensor,
    value: Tensor,  # noqa: ARG001 - as torch.nn.functional.scaled_dot_product_attention
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,  # noqa: ARG001
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """softmax(q kᵀ · scale + mask)."""
    if enable_gqa:
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], -3)
    scores = query @ key.transpose(-2, -1) * (scale or 1 / math.sqrt(query.shape[-1]))
    if is_causal:
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        scores = scores.masked_fill(~attn_mask, -torch.inf)
    elif attn_mask is not None:
        scores = scores + attn_mask
    return scores.softmax(-1)


def _of_module(*args: Any, **options: Any) -> Tensor:
    """The weights that `nn.MultiheadAttention` would return if it were asked for them, of each head."""
    signature = inspect.signature(F.multi_head_attention_forward, follow_wrapped=False)
    call = signature.bind(*args, **options)
    call.arguments.update(need_weights=True, average_attn_weights=False, training=False)
    return F.multi_head_attention_forward(*call.args, **call.kwargs)[1]  # type: ignore[return-value]
