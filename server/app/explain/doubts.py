"""Why not to trust an explanation: whether it adds up, and sentences of warning besides those of the engine."""

from __future__ import annotations

import math

import torch

from app.model.case import Finding
from app.numbers import finite
from app.schema import Completeness
from attribution_core.methods.completeness import NEGLIGIBLE
from attribution_core.metrics import Completeness as Sums


def completeness(total: float, absolute: float, finding: Finding) -> Completeness | None:
    """Whether attributions that sum to `total`, and in magnitude to `absolute`, make up the change of the output."""
    output, reference = finding.output, finding.reference
    if output is None or reference is None or not all(map(math.isfinite, (total, output, reference))):
        return None
    numbers = (total, absolute, output - reference)
    sums = Sums(*(torch.tensor(number, dtype=torch.float64) for number in numbers))
    return Completeness(
        total=total,
        change=float(sums.change),
        delta=float(sums.delta),
        adds_up=bool(sums.adds_up),
        cancellation=finite(float(sums.cancellation)) if total else None,
        cancels=bool(sums.cancels),
    )


def doubts(finding: Finding) -> list[str]:
    """Sentences of warning, the gravest first, besides what `completeness` and the engine's own warnings tell."""
    return [*_not_finite(finding), *_unchanged(finding)]


def _not_finite(finding: Finding) -> list[str]:
    said = []
    if finding.output is not None and not math.isfinite(finding.output):
        said.append(f"The explained output itself is {finding.output}: no attribution explains that.")
    if finding.reference is not None and not math.isfinite(finding.reference):
        said.append(f"The output at the baseline is {finding.reference}; try another baseline.")
    return said


def _unchanged(finding: Finding) -> list[str]:
    output, reference = finding.output, finding.reference
    if output is not None and reference is not None and abs(output - reference) <= NEGLIGIBLE * max(1.0, abs(output)):
        return ["The baseline gives the same output as the input: nothing to explain against it; try another."]
    return []
