"""Attention weights, however a model computes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.rules.parts import attention_weights
from attribution_core.types import Tensors


@dataclass(frozen=True)
class Attentions:
    """The weights of every self-attention of a model, in order, each (B, heads, tokens, tokens).

    Seen are `scaled_dot_product_attention`, `nn.MultiheadAttention`, and softmax over scores of that shape.
    """

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:  # noqa: ARG002
        """While the model runs; the weights are known afterwards."""
        weights_seen: list[Tensor] = []
        with Interception(WEIGHTS, weights_seen):
            yield lambda: tuple(weights_seen)


def _noted(weights_seen: list[Tensor], weights: Tensor) -> None:
    if weights.dim() == 4 and weights.shape[2] == weights.shape[3]:
        weights_seen.append(weights.detach())


def _of_softmax(weights_seen: list[Tensor], call: Call) -> object:
    """Those over the last dimension."""
    result: Tensor = call.result()
    if (*call.args[1:], call.kwargs.get("dim"))[0] in (-1, result.dim() - 1):
        _noted(weights_seen, result)
    return result


def _of_products(weights_seen: list[Tensor], call: Call) -> object:
    """The weights that `scaled_dot_product_attention` multiplies its values by."""
    result = call.result()
    with torch.no_grad():
        _noted(weights_seen, attention_weights(*call.args, **call.kwargs))
    return result


def _of_module(weights_seen: list[Tensor], call: Call) -> object:
    """The weights that `nn.MultiheadAttention` would return if it were asked for them, of each head."""
    result = call.result()
    bound = SIGNATURE.bind(*call.args, **call.kwargs)
    bound.arguments.update(need_weights=True, average_attn_weights=False, training=False)
    with torch.no_grad():
        _, weights = F.multi_head_attention_forward(*bound.args, **bound.kwargs)
    _noted(weights_seen, weights)  # type: ignore[arg-type]
    return result


SIGNATURE = inspect.signature(F.multi_head_attention_forward, follow_wrapped=False)
WEIGHTS: Rule[list[Tensor]] = Rule(
    {
        "softmax": _of_softmax,
        "scaled_dot_product_attention": _of_products,
        "multi_head_attention_forward": _of_module,
    },
    every_call=True,
    keeps_checkpoints=False,
)
"""Everything is computed as usual; attention weights are noted."""
