"""A question about one sample → attributions in the shape that is drawn, and what they sum to."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from app.data.example import Example
from app.data.features import BaseFeature, Numbers, Words, kind_of
from app.errors import InsightsError, arrived
from app.explain.asked import Asked, prepared
from app.explain.doubts import completeness, doubts
from app.explain.layer import LayerFinding, layer_finding
from app.explain.question import Question
from app.explain.removal import Removal
from app.model.case import Finding, noted
from app.model.subject import show_one
from app.numbers import Floats, finite
from app.schema import Completeness, Contribution, FeatureKind, Unit
from attribution_core.methods.completeness import MISSING

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class InputExplanation:
    """The attribution of one input in the shape of what is shown, and its part of the whole.

    `values` sum to what the input contributes. `region` is what is drawn of an image in their place where a value
    stands for a patch or a window: (H, W), at each pixel the whole value.
    """

    kind: FeatureKind
    values: Floats
    region: Floats | None
    unit: Unit
    contribution: Contribution


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to a question: an attribution for each input of the model, or of a layer."""

    question: Question
    output: float | None
    seconds: float
    signed: bool
    completeness: Completeness | None
    warnings: list[str]
    inputs: list[InputExplanation]
    layer: LayerFinding | None

    @property
    def values(self) -> tuple[Tensor, ...]:
        """The attributions: of the layer's values, or of each input in the shape that is drawn."""
        return self.layer.values if self.layer else tuple(torch.from_numpy(part.values) for part in self.inputs)

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        drawn = sum(part.values.nbytes + (0 if part.region is None else part.region.nbytes) for part in self.inputs)
        return drawn + (self.layer.bytes if self.layer else 0)


def explain(
    question: Question, example: Example, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> Explanation:
    """Answer the question; raises what the engine raises, and its `Cancelled` soon after `cancelled()` is true."""
    started = time.monotonic()
    asked = prepared(question, example)
    finding = asked.answered(progress, cancelled)
    answer = _of_inputs if question.method.of_inputs else _of_layer
    found = answer(question, example, finding, asked)
    doubted = doubts(finding)
    return Explanation(
        question=question,
        output=finite(finding.output),
        seconds=time.monotonic() - started,
        signed=question.method.signed(question.arguments),
        completeness=found.completeness,
        warnings=[
            *([question.note] if question.note else []),
            *_besides(finding.warnings, found.completeness),
            *doubted,
        ],
        inputs=found.inputs,
        layer=found.layer,
    )


def _besides(warnings: list[str], completeness: Completeness | None) -> list[str]:
    """The engine's warnings but for that of sums, where these have a line of their own."""
    return [said for said in warnings if completeness is None or MISSING not in said]


class _Found(NamedTuple):
    inputs: list[InputExplanation]
    layer: LayerFinding | None
    completeness: Completeness | None


def _of_inputs(question: Question, example: Example, finding: Finding, asked: Asked) -> _Found:
    """What is drawn of attributions of the inputs."""
    attributions = asked.removed.divided(finding.attributions)
    inputs, absolute = _parts(question, example, finding, asked.removed)
    total = sum(float(attribution.sum()) for attribution in attributions)
    promised = question.method.complete(question.arguments)
    return _Found(inputs, None, completeness(total, absolute, finding) if promised else None)


def _of_layer(question: Question, example: Example, finding: Finding, asked: Asked) -> _Found:
    """What is drawn of attributions of a layer's values, or of tokens by attention."""
    features, name = question.subject.features, question.layer or ""
    layer = layer_finding(name, finding.attributions, question.context(asked.inputs), features)
    total = finite(sum(float(value.sum()) for value in finding.attributions))
    nothing = InputExplanation("empty", np.zeros(0, np.float32), None, "layer", Contribution(total=None, share=None))
    inputs = [nothing for _ in features]
    if layer.input is not None and layer.drawn is not None:
        kind = _kind_and_count(features[layer.input], example.inputs[layer.input])[0]
        values = layer.drawn[None] if layer.drawn.ndim == 2 else layer.drawn
        fits = kind == ("image" if values.ndim == 3 else "text")
        own = Contribution(total=total, share=None)
        inputs[layer.input] = replace(nothing, kind=kind, values=values, contribution=own) if fits else nothing
    return _Found(inputs, layer if question.site else None, None)


def _parts(
    question: Question, example: Example, finding: Finding, removed: Removal
) -> tuple[list[InputExplanation], float]:
    """Each input's part, and the sum of all magnitudes that are drawn."""
    features, raw = question.subject.features, finding.attributions
    whole = removed.divided(raw)
    drawn = [_drawn(*item) for item in zip(features, example.inputs, whole, strict=True)]
    absolute = sum(part.absolute for part in drawn)
    parts = [
        InputExplanation(
            kind=part.kind,
            values=part.values,
            region=_region(features[place], raw[place], part.kind, removed),
            unit=removed.unit_of(place) if part.kind == "image" else "pixel",
            contribution=Contribution(
                total=finite(float(whole[place].sum())), share=finite(part.absolute / absolute) if absolute else None
            ),
        )
        for place, part in enumerate(drawn)
    ]
    return parts, absolute


@dataclass(frozen=True, eq=False)
class _Drawn:
    """An attribution as its feature draws it, and the sum of the magnitudes that a person then sees."""

    kind: FeatureKind
    values: Floats
    absolute: float


def _drawn(feature: BaseFeature, data: Tensor, attribution: Tensor) -> _Drawn:
    """Numbers of one pixel, or of one token, are summed before they are compared with others."""
    kind, count = _kind_and_count(feature, data)
    values = _reduced(feature, attribution, kind, count)
    summed = values.sum(axis=0, dtype=np.float64) if kind == "image" else values
    if kind == "empty" and attribution.dim() > data.dim():  # a token's embedding
        summed = values.sum(axis=-1, dtype=np.float64)
    return _Drawn(kind, values, float(np.abs(summed.astype(np.float64)).sum()))


def _kind_and_count(feature: BaseFeature, data: Tensor) -> tuple[FeatureKind, int]:
    """How it is drawn, and of how many names, as `show` gives it; where that fails, as declared: its sample says so."""
    try:
        shown = show_one(feature, data)
    except Exception:
        return feature.kind, 0
    return kind_of(shown), len(shown.names) if isinstance(shown, Words | Numbers) else 0


def _reduced(feature: BaseFeature, attribution: Tensor, kind: FeatureKind, count: int = 0) -> Floats:
    """The feature's own reduction, in the shape of the view: (C, H, W) of an image, a row for `count` names."""
    values = _own(feature, attribution)
    if kind == "image" and values.ndim == 2:
        return values[None]
    if values.ndim == {"image": 3, "text": 1, "general": 1}.get(kind, values.ndim):
        return values
    if values.size == count:
        return values.reshape(-1)
    if kind in ("text", "general"):  # the first dimension counts them
        return np.asarray(values.reshape(len(values), -1).sum(axis=1), dtype=np.float32)
    raise InsightsError(
        f"feature {feature.name!r} is shown as an image, but its attribution has shape {values.shape}",
        hint="have its reduce() return (channels, height, width), or its show() something else than a Picture",
    )


def _own(feature: BaseFeature, attribution: Tensor) -> Floats:
    """The feature's own reduction, as numbers."""
    with noted(lambda: f"The reduce() of feature {feature.name!r} was given {arrived([attribution])}."):
        given: object = feature.reduce(attribution.clone())
    try:
        values = np.asarray(given)
        if np.issubdtype(values.dtype, np.number):
            return values.astype(np.float32)
    except Exception:
        log.debug("reduce() gave no numbers", exc_info=True)
    raise InsightsError(
        f"the reduce() of feature {feature.name!r} gave {arrived([given])}", hint="expected an array of numbers"
    )


def _region(feature: BaseFeature, values: Tensor, kind: FeatureKind, removed: Removal) -> Floats | None:
    """The value of each pixel's patch or windows; all channels of a pixel are of one."""
    if kind != "image" or removed.positions is None:
        return None
    return np.asarray(_reduced(feature, values, kind).mean(axis=0, dtype=np.float64), dtype=np.float32)
