"""DeepLIFT with the Rescale rule."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from attribution_core.evaluate import over, same_randomness
from attribution_core.question import Question, Tensors
from attribution_core.rules import Rescale


class Compared(NamedTuple):
    """Multipliers at the site, and the score of input and baseline for each example."""

    multipliers: Tensors
    scores: Tensor
    baseline_scores: Tensor


def deeplift(question: Question, inputs: Tensors, baselines: Tensors, eps: float = 1e-10) -> Compared:
    """Δscore / Δvalue by the Rescale rule [shrikumar2017]; multiplied by Δvalue they sum to Δscore."""

    def once(start: int, stop: int) -> Compared:  # noqa: ARG001 - a single step
        rule = Rescale(eps)
        with torch.no_grad(), same_randomness(inputs), rule.reference():
            before = question.scores(tuple(b.clone() for b in baselines))
        with rule.slopes():
            found = question.gradients(inputs)
        return Compared(found.slopes, found.scores, before)

    return next(iter([*over(1, once, 1, 1)]))
