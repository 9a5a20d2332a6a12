"""Methods that remove features and look at the score."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_chunks, in_one_chunk, rows_that_fit
from attribution_core.incremental.saving import incremental_passes, windows_of_a_pass
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
    Passes are incremental where that pays: see `attribution_core.incremental`.
    """
    batch = len(inputs[0])
    whole = in_one_chunk(lambda: plain_scores(question, inputs), batch, reported=False)
    windows = 0
    if len(whole) == batch and not callable(baselines):
        windows = windows_of_a_pass(question, inputs, features, rows)

    def part(start: int, stop: int) -> Tensor:
        copies = stop - start
        instead = baselines(start, stop) if callable(baselines) else baselines
        hidden = features.hidden(start, stop)
        if windows:
            passes = incremental_passes(question, inputs[0], instead[0], hidden[0])
            scores = torch.stack([plain_scores(own, changed) for own, changed in passes], 1)
        else:
            without = tuple(
                torch.where(where, b, x).expand(copies, *x.shape).flatten(0, 1)
                for where, x, b in zip(hidden, inputs, instead, strict=True)
            )
            scores = plain_scores(question.repeated(copies, disposable=True), without)
        return whole - scores.reshape(copies, *whole.shape)

    fit = windows or (batch if len(whole) != batch else rows_that_fit(inputs, rows))
    parts = in_chunks(features.count, part, 1 if windows else batch, fit)
    falls = [whole.new_zeros(0, *whole.shape), *parts]
    return for_each_target(features.spread, torch.cat(falls))


def for_each_target(spread: Callable[[Tensor], Tensors], scores: Tensor) -> Tensors:
    """Attributions (targets, B, …) from scores of features, (features, B, targets), spread target by target."""
    return tuple(torch.stack(column) for column in zip(*map(spread, scores.unbind(2)), strict=True))
