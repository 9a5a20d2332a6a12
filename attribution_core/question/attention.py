"""Attention weights, however a model computes them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.rules.autograd import tensors_in
from attribution_core.rules.intercept import Call, Interception, Rule
from attribution_core.rules.parts import attention_weights
from attribution_core.types import Tensors


@dataclass(frozen=True)
class Attentions:
    """The weights of every attention of a model, in order, each (B, heads, tokens, tokens) or (B · heads, …).

    Seen are `scaled_dot_product_attention`, `nn.MultiheadAttention`, and softmax over scores whose result is multiplied
    with values.
    """

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:  # noqa: ARG002
        """While the model runs; the weights are known afterwards."""
        seen = Seen()
        with Interception(WEIGHTS, seen):
            yield lambda: tuple(seen.weights)


@dataclass
class Seen:
    """The weights of attention so far, and what may become some: the last softmax."""

    weights: list[Tensor] = field(default_factory=list)
    candidate: Tensor | None = None


def _of_softmax(seen: Seen, call: Call) -> object:
    """Those over the last dimension may be weights."""
    result: Tensor = call.result()
    last = (*call.args[1:], call.kwargs.get("dim"))[0] in (-1, result.dim() - 1)
    seen.candidate = result.detach() if last and result.dim() in (3, 4) else None
    return result


def _of_matrices(seen: Seen, call: Call) -> object:
    """A softmax that sums values is attention."""
    result = call.result()
    if seen.candidate is not None:
        ends = sorted(seen.candidate.shape[-2:])
        if any(sorted(part.shape[-2:]) == ends for part in tensors_in(call.args)):
            seen.weights.append(seen.candidate)
            seen.candidate = None
    return result


def _of_products(seen: Seen, call: Call) -> object:
    """The weights that `scaled_dot_product_attention` multiplies its values by."""
    result = call.result()
    with torch.no_grad():
        seen.weights.append(attention_weights(*call.args, **call.kwargs).detach())
    return result


def _of_module(seen: Seen, call: Call) -> object:
    """The weights that `nn.MultiheadAttention` would return if it were asked for them, of each head."""
    result = call.result()
    bound = SIGNATURE.bind(*call.args, **call.kwargs)
    if bound.arguments["query"] is not bound.arguments["key"]:
        raise AttributionError(
            "nn.MultiheadAttention attends from one sequence to another.",
            "Attention rollout needs a transformer whose layers attend over the same tokens.",
        )
    bound.arguments.update(need_weights=True, average_attn_weights=False, training=False)
    with torch.no_grad():
        _, weights = F.multi_head_attention_forward(*bound.args, **bound.kwargs)
    seen.weights.append(weights.detach())  # type: ignore[union-attr]
    return result


SIGNATURE = inspect.signature(F.multi_head_attention_forward, follow_wrapped=False)
WEIGHTS: Rule[Seen] = Rule(
    {
        **dict.fromkeys(("matmul", "bmm", "einsum"), _of_matrices),
        "softmax": _of_softmax,
        "scaled_dot_product_attention": _of_products,
        "multi_head_attention_forward": _of_module,
    },
    every_call=True,
    keeps_checkpoints=False,
)
"""Everything is computed as usual; attention weights are noted."""
