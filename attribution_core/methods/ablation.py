"""Methods that remove features and look at the score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, in_one_chunk, rows_that_fit
from attribution_core.methods.delta import plain_scores
from attribution_core.question.question import Question, Tensors
from attribution_core.reading.masks import Features


def ablation(
    question: Question,
    inputs: Tensors,
    baselines: Tensors | Callable[[int, int], Tensors],
    features: Features,
    rows: int | None = None,
) -> Tensors:
    """score(x) − score(x with a feature replaced by the baseline), for every feature [zeiler2014].

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
        return whole - plain_scores(question.repeated(copies, disposable=True), without).reshape(copies, -1)

    fit = batch if whole.numel() != batch else rows_that_fit(inputs, rows)
    return features.spread(torch.cat(list(in_chunks(features.count, part, batch, fit))))
