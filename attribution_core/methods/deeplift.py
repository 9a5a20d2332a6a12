"""DeepLIFT with the Rescale rule."""

from __future__ import annotations

from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

from attribution_core.evaluation.chunks import in_one_chunk
from attribution_core.evaluation.isolation import same_randomness
from attribution_core.methods.delta import change, measured_elsewhere, missed, multiplied, total
from attribution_core.methods.intercepted import intercepted, of_inputs_alone
from attribution_core.question.question import Question
from attribution_core.rules import Rescale
from attribution_core.types import Tensors

EPS = 1e-10
"""The smallest change of a value that a slope is computed from, if not given."""


class Compared(NamedTuple):
    """Multipliers at the site (targets, B, …), and scores (B, targets) and values of inputs and baselines."""

    multipliers: Tensors
    scores: Tensor
    baseline_scores: Tensor
    values: Tensors
    baseline_values: Tensors


def deeplift(question: Question, inputs: Tensors, baselines: Tensors, eps: float = EPS) -> Compared:
    """Δscore / Δvalue by the Rescale rule [shrikumar2017]; multiplied by Δvalue they sum to Δscore."""
    return in_one_chunk(lambda: compared(question, inputs, baselines, eps), inputs[0].shape[0])


def compared(question: Question, inputs: Tensors, baselines: Tensors, eps: float) -> Compared:
    """The two passes of DeepLIFT."""
    rule, question = Rescale(eps), of_inputs_alone(question)
    reference, slopes = rule.reference(), rule.slopes()
    with same_randomness(inputs) if question.draws else nullcontext():  # both passes must drop out the same
        before = intercepted(question, lambda: reference).read(baselines)
    after = intercepted(question, lambda: slopes).gradients(inputs)
    rule.finish()
    result = Compared(after.slopes, after.scores, before.scores, after.values, before.values)
    if rule.foreign and not _adds_up(result):
        raise rule.refusal(rule.foreign)
    return result


def _adds_up(result: Compared) -> bool:
    """Whether the contributions sum to the score's change but for rounding, as they do where all is linear."""
    parts = multiplied(result.multipliers, result.values, result.baseline_values)
    if {part.shape[1] for part in parts} != {len(result.scores)}:
        return False
    size = total(tuple([part.abs() for part in parts]))
    errors = missed(parts, result.scores - result.baseline_scores).abs()
    return bool((errors <= torch.finfo(result.scores.dtype).eps ** 0.5 * size).all())


def rise(question: Question, inputs: Tensors, baselines: Tensors, compared: Compared) -> Tensor:
    """The change of the score, (B, targets): of what was compared, or where it is measured elsewhere, there."""
    if measured_elsewhere(question, baselines, inputs):
        return change(question, baselines, inputs)
    return compared.scores - compared.baseline_scores
