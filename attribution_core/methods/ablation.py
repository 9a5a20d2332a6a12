"""Methods that remove features and look at the score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, in_one_chunk, rows_that_fit
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question
from attribution_core.reading.masks import Features
from attribution_core.types import Tensors


def ablation(
    question: Question,
    inputs: Tensors,
    baselines: Tensors | Callable[[int, int], Tensors],
    features: Features,
    rows: int | None = None,
) -> Tensors:
    """score(x) − score(x with a feature replaced by the baseline), for every feature, (targets, B, …) [zeiler2014].

    Baselines may be given by a function of (start, stop), for features start…stop, of shape (stop − start, B, …).
    """
    batch = len(inputs[0])
    whole = in_one_chunk(lambda: plain_scores(question, inputs), batch, reported=False)

    def part(start: int, stop: int) -> Tensor:
        copies = stop - start
        instead = baselines(start, stop) if callable(baselines) else baselines
        without = tuple(
            torch.where(hidden, b, x).expand(copies, *x.shape).flatten(0, 1)
            for hidden, x, b in zip(features.hidden(start, stop), inputs, instead, strict=True)
        )
        return whole - plain_scores(question.repeated(copies, disposable=True), without).reshape(copies, *whole.shape)

    fit = batch if len(whole) != batch else rows_that_fit(inputs, rows)
    falls = [whole.new_zeros(0, *whole.shape), *in_chunks(features.count, part, batch, fit)]
    return for_each_target(features.spread, torch.cat(falls))


def for_each_target(spread: Callable[[Tensor], Tensors], scores: Tensor) -> Tensors:
    """Attributions (targets, B, …) from scores of features, (features, B, targets), spread target by target."""
    return tuple(torch.stack(column) for column in zip(*map(spread, scores.unbind(2)), strict=True))
