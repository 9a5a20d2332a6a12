"""Methods that follow attention weights."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator


def attention_rollout(weights: tuple[Tensor, ...]) -> Tensor:
    """A_n ⋯ A_1 with A = ½ W + ½ I, W the mean over heads [abnar2020]; (B, heads, T, T) each → (B, T, T).

    Row i says how much of token i in the last layer comes from each input token; rows sum to 1.
    """
    shapes = {tuple(w.shape[2:]) for w in weights}
    if len(shapes) != 1:
        raise AttributionError(
            f"The model's attention weights have shapes {[tuple(w.shape) for w in weights]}."
            if weights
            else "The model computes no self-attention that can be seen.",
            "Attention rollout needs a transformer whose layers attend over the same tokens.",
        )
    means = [w.to(accumulator(w.dtype)).nan_to_num().mean(1) for w in weights]
    rollout = torch.eye(means[0].shape[-1], dtype=means[0].dtype, device=means[0].device).expand_as(means[0])
    for mean in means:
        step = (mean + torch.eye(mean.shape[-1], dtype=mean.dtype, device=mean.device)) / 2
        rollout = step / step.sum(-1, keepdim=True) @ rollout
    return rollout
