"""Features replaced by those of other examples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.methods.ablation import ablation
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question
from attribution_core.reading.masks import Groups
from attribution_core.types import Tensors

Permute = Callable[[Tensor, Tensor], Tensor]


def permutation(
    question: Question, inputs: Tensors, features: Groups, draws: Draws, custom: Permute | None, rows: int | None
) -> Tensors:
    """score(x) − score(x with a feature shuffled among the examples), for every feature [fisher2019].

    No example keeps its own value. A feature that lies in several inputs is shuffled alike in all of them.
    `custom(x, mask)` shuffles otherwise.
    """
    batch = len(inputs[0])
    if batch < 2 and custom is None:
        targets = plain_scores(question, inputs).shape[1]
        return tuple(x.new_zeros(targets, *x.shape, dtype=torch.promote_types(x.dtype, torch.float32)) for x in inputs)

    def shuffled(start: int, stop: int) -> Tensors:
        if custom is not None:
            return _own_way(custom, inputs, features.hidden(start, stop))
        orders = {rows: _orders(rows, start, stop, draws) for rows in {len(x) for x in inputs}}
        return tuple(x[orders[len(x)]] for x in inputs)

    return ablation(question, inputs, shuffled, features, rows)


def _orders(rows: int, start: int, stop: int, draws: Draws) -> Tensor:
    return torch.stack([_order(rows, place, draws) for place in range(start, stop)])


def _order(batch: int, place: int, draws: Draws) -> Tensor:
    """A random cycle through all examples: each gets another's value, any other's with the same chance."""
    cycle = torch.randperm(batch, generator=draws.at(place), device=draws.device)
    return torch.empty_like(cycle).scatter_(0, cycle, cycle.roll(1))


def _own_way(custom: Permute, inputs: Tensors, hidden: Tensors) -> Tensors:
    permuted = tuple(
        torch.stack([custom(x.clone(), mask) if mask.any() else x for mask in masks])
        for x, masks in zip(inputs, hidden, strict=True)
    )
    for place, (changed, x) in enumerate(zip(permuted, inputs, strict=True)):
        if changed.shape[1:] != x.shape:
            raise AttributionError(
                f"perm_func returned shape {tuple(changed.shape[1:])} for inputs[{place}] of {tuple(x.shape)}.",
                "It must keep the shape.",
            )
    return permuted
