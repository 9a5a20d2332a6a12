"""Methods that follow attention weights."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.types import Tensors

SAME_TOKENS = "Attention rollout needs a transformer whose layers attend over the same tokens, one after the other."


def attention_rollout(weights: Tensors) -> Tensor:
    """A_n ⋯ A_1 with A = ½ W + ½ I, W the mean over heads [abnar2020]; (B, heads, T, T) each → (B, T, T).

    Row i says how much of token i in the last layer comes from each input token; rows sum to 1.
    """
    means = [w.to(accumulator(w.dtype)).nan_to_num().mean(1) for w in weights]
    rollout = torch.eye(means[0].shape[-1], dtype=means[0].dtype, device=means[0].device).expand_as(means[0])
    for mean in means:
        step = (mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)) / 2
        rollout = step / step.sum(-1, keepdim=True) @ rollout
    return rollout


def of_one_stack(weights: Tensors, batch: int) -> Tensors:
    """The weights (B, heads, T, T) of layers that each mix what the one before passes on; all else is refused."""
    if not weights:
        raise AttributionError("The model computes no self-attention that can be seen.", SAME_TOKENS)
    each = tuple(_by_head(w, batch) for w in weights)
    shapes = [tuple(w.shape) for w in each]
    for shape in shapes:
        if shape[-1] != shape[-2]:
            raise AttributionError(
                f"Attention weights of shape {shape}: {shape[-2]} tokens attend over {shape[-1]} others.", SAME_TOKENS
            )
        if shape[0] != batch:
            raise AttributionError(
                f"Attention weights of shape {shape} for {batch} examples: the model attends within windows.",
                SAME_TOKENS,
            )
    if len({shape[2:] for shape in shapes}) != 1:
        raise AttributionError(f"The model's attention weights have shapes {shapes}.", SAME_TOKENS)
    if len({is_causal(w) for w in each}) != 1:
        raise AttributionError(
            "Some attentions of the model are causal and others are not, as in an encoder and a decoder.", SAME_TOKENS
        )
    return each


def is_causal(weights: Tensor) -> bool:
    """Whether no token attends to a later one."""
    return weights.shape[-1] > 1 and not bool(weights.triu(1).any())


def _by_head(weights: Tensor, batch: int) -> Tensor:
    """Weights (B · heads, T, T) as (B, heads, T, T); one that holds for all examples, as often as there are some."""
    if weights.dim() == 3 and batch and len(weights) % batch == 0:
        weights = weights.reshape(batch, -1, *weights.shape[1:])
    return weights.expand(batch, *weights.shape[1:]) if len(weights) == 1 else weights
