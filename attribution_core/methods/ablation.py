"""Methods that remove features and look at the score."""

from __future__ import annotations

import torch
from torch import Tensor

from attribution_core.evaluate import over, rows_that_fit
from attribution_core.masks import Features
from attribution_core.question import Question, Tensors


def ablation(
    question: Question, inputs: Tensors, baselines: Tensors, features: Features, rows: int | None = None
) -> Tensors:
    """score(x) − score(x with a feature replaced by the baseline), for every feature [zeiler2014]."""
    whole = _scores(question, tuple(x.clone() for x in inputs))
    batch = len(inputs[0])

    def part(start: int, stop: int) -> Tensor:
        copies = stop - start
        without = tuple(
            torch.where(hidden, b, x).expand(copies, *x.shape).flatten(0, 1)
            for hidden, x, b in zip(features.hidden(start, stop), inputs, baselines, strict=True)
        )
        return whole - _scores(question.repeated(copies), without).reshape(copies, -1)

    fit = batch if whole.numel() != batch else rows_that_fit(inputs, rows)
    return features.spread(torch.cat(list(over(features.count, part, batch, fit))))


def _scores(question: Question, inputs: Tensors) -> Tensor:
    """Floating point scores of inputs that the model may overwrite."""
    with torch.no_grad():
        scores = question.scores(inputs)
    return scores if scores.is_floating_point() else scores.to(torch.get_default_dtype())
