"""Why not to trust an explanation: whether it adds up, and sentences of warning."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from app.model.case import Finding
from app.numbers import finite
from app.schema import Completeness

DOUBTFUL = 0.05
"""Attributions that miss the change of the output by more than this share of it do not add up."""
NEGLIGIBLE = 1e-6
"""A difference of outputs that float32 cannot be trusted with."""
CANCELLING = 1 / DOUBTFUL
"""From this ratio of magnitudes to sum on, errors too small to be doubted are as large as the whole change."""


def completeness(total: float, absolute: float, finding: Finding) -> Completeness | None:
    """Whether attributions that sum to `total`, and in magnitude to `absolute`, make up the change of the output."""
    output, reference = finding.output, finding.reference
    if output is None or reference is None or not all(map(math.isfinite, (total, output, reference))):
        return None
    change = output - reference
    return Completeness(
        total=total,
        change=change,
        delta=total - change,
        adds_up=abs(total - change) <= DOUBTFUL * abs(change) + NEGLIGIBLE,
        cancellation=finite(absolute / abs(total)) if total else None,
        cancels=0 < absolute >= CANCELLING * abs(total),
    )


def doubts(
    attributions: list[Tensor],
    finding: Finding,
    in_training: bool,
) -> list[str]:
    """Sentences of warning, the gravest first, besides what `completeness` tells."""
    said = [*_not_finite(attributions, finding), *_unchanged(finding)]
    if in_training:
        said.append("The model is in training mode: dropout and batch norm make its answers change; call eval().")
    return said


def _not_finite(attributions: list[Tensor], finding: Finding) -> list[str]:
    everything = torch.cat([attribution.reshape(-1) for attribution in attributions])
    bad = int((~torch.isfinite(everything)).sum())
    said = []
    if finding.output is not None and not math.isfinite(finding.output):
        said.append(f"The explained output itself is {finding.output}: no attribution explains that.")
    if finding.reference is not None and not math.isfinite(finding.reference):
        said.append(f"The output at the baseline is {finding.reference}; try another baseline.")
    if bad:
        said.append(f"{bad:,} of {everything.numel():,} attribution values are not finite.")
    elif not everything.any():
        said.append("Every attribution is zero: the output does not react to this input, or is saturated here.")
    return said


def _unchanged(finding: Finding) -> list[str]:
    output, reference = finding.output, finding.reference
    if output is not None and reference is not None and abs(output - reference) <= NEGLIGIBLE * max(1.0, abs(output)):
        return ["The baseline gives the same output as the input: nothing to explain against it; try another."]
    return []
