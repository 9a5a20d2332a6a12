"""A question about one sample → attributions, what they sum to, and why not to trust them."""

from __future__ import annotations

import hashlib
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app.data.features import BaseFeature
from app.data.source import Example
from app.errors import InsightsError
from app.explain.methods import Method
from app.model.device import device_of
from app.model.outputs import Outputs
from app.numbers import Floats, finite
from app.schema import Argument, AttributionRequest, Baseline, ClassRef, Completeness, Contribution
from attribution_core.errors import AttributionWarning
from attribution_core.evaluation.observe import observe
from attribution_core.question.embeddings import embedded

DOUBTFUL = 0.05
"""Attributions that miss the change of the output by more than this share of it do not add up."""
NEGLIGIBLE = 1e-6
"""A difference of outputs that float32 cannot be trusted with."""


@dataclass(frozen=True, eq=False)
class InputExplanation:
    """The attribution of one input in the shape that is drawn, and its part of the whole."""

    values: Floats
    contribution: Contribution


@dataclass(frozen=True, eq=False)
class Explanation:
    """The answer to a question: one attribution for each input of the model."""

    target: ClassRef
    output: float | None
    seconds: float
    signed: bool
    completeness: Completeness | None
    warnings: list[str]
    inputs: list[InputExplanation]

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return sum(part.values.nbytes for part in self.inputs)


@dataclass(frozen=True, eq=False)
class Question:
    """A request with everything looked up and checked."""

    model: nn.Module
    method: Method
    arguments: dict[str, Argument]
    target: int
    baseline: Baseline


def identity(request: AttributionRequest, question: Question, salt: str) -> str:
    """The same id for the same question: defaults filled in, order of arguments irrelevant."""
    filled = {
        "arguments": dict(sorted(question.arguments.items())),
        "target": question.target,
        "baseline": question.baseline,
    }
    full = request.model_copy(update=filled)
    return hashlib.sha256(f"{salt}{full.model_dump_json()}".encode()).hexdigest()[:24]


def explain(
    question: Question,
    example: Example,
    features: list[BaseFeature],
    outputs: Outputs,
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> Explanation:
    """Answer the question; raises what the engine raises, and its `Cancelled` soon after `cancelled()` is true."""
    started = time.monotonic()
    case = _Case.of(question, example, features)
    target = outputs.target(question.target)
    with _engine_warnings() as said:
        attributions = _mean_over_baselines(question, case, target, progress, cancelled)
    output, reference = case.outputs(target, question.method.uses_baseline)
    completeness = (
        _completeness(attributions, output, reference) if question.method.complete(question.arguments) else None
    )
    return Explanation(
        target=ClassRef(index=question.target, name=outputs.name(question.target)),
        output=finite(output),
        seconds=time.monotonic() - started,
        signed=question.method.signed(question.arguments),
        completeness=completeness,
        warnings=[*said, *_doubts(question, attributions, output, reference, completeness)],
        inputs=_parts(attributions, features),
    )


@dataclass(frozen=True, eq=False)
class _Case:
    """One example as the engine takes it: tokens as embeddings, batches of one, on the model's device."""

    module: nn.Module
    inputs: tuple[Tensor, ...]
    baselines: list[tuple[Tensor, ...]]
    extra: tuple[Any, ...]

    @classmethod
    def of(cls, question: Question, example: Example, features: list[BaseFeature]) -> _Case:
        device = device_of(question.model)
        ready = [feature.transform(data) for feature, data in zip(features, example.inputs, strict=True)]
        options = [feature.baselines(data) for feature, data in zip(features, ready, strict=True)]
        inputs = tuple(data[None].to(device) for data in ready)
        baselines = [
            tuple(choice[min(k, len(choice) - 1)][None].to(device) for choice in options)
            for k in _chosen(question.baseline, max(map(len, options)))
        ]
        extra = tuple(x.to(device) if isinstance(x, Tensor) else x for x in example.extra)
        return cls._embedded(question.model, inputs, baselines, extra)

    @classmethod
    def _embedded(
        cls,
        model: nn.Module,
        inputs: tuple[Tensor, ...],
        baselines: list[tuple[Tensor, ...]],
        extra: tuple[Any, ...],
    ) -> _Case:
        if all(x.is_floating_point() for x in inputs):
            return cls(model, inputs, baselines, extra)
        lifted = embedded(model, inputs, extra)
        return cls(lifted.module, lifted.inputs, [lifted.embed_all(baseline) for baseline in baselines], extra)

    def outputs(self, target: Callable[[Any], Tensor], with_baseline: bool) -> tuple[float, float | None]:
        """The explained output of the example, and of its baselines on average."""
        with torch.no_grad():
            at = [
                float(target(self.module(*x, *self.extra))[0]) for x in (self.inputs, *self.baselines * with_baseline)
            ]
        return at[0], float(np.mean(at[1:])) if with_baseline else None


def _mean_over_baselines(
    question: Question,
    case: _Case,
    target: Callable[[Any], Tensor],
    progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> list[Tensor]:
    method, rest = question.method.build(case.module, question.arguments)
    rest |= _shapes(rest, case.inputs)
    rounds = len(case.baselines) if question.method.uses_baseline else 1
    sums: list[Tensor] = []
    for k in range(rounds):
        baselines = {"baselines": case.baselines[k]} if question.method.uses_baseline else {}
        with _observed(k, rounds, progress, cancelled):
            found = method.attribute(
                case.inputs, target=target, additional_forward_args=case.extra or None, **baselines, **rest
            )
        found = [attribution.detach()[0].double().cpu() for attribution in found]
        sums = [a + b for a, b in zip(sums, found, strict=True)] if sums else found
    return [total / rounds for total in sums]


def _observed(
    k: int, rounds: int, progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> AbstractContextManager[Any]:
    def report(done: int, total: int) -> None:
        progress(k * total + done, rounds * total)

    return observe(progress=report, cancelled=cancelled)


@contextmanager
def _engine_warnings() -> Iterator[list[str]]:
    """What the engine warns of meanwhile; warnings of others are passed on."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    for warning in caught:
        if issubclass(warning.category, AttributionWarning):
            said.append(str(warning.message))
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _chosen(baseline: Baseline, count: int) -> list[int]:
    if baseline == "mean":
        return list(range(count))
    if baseline >= count:
        raise InsightsError(
            f"there is no baseline {baseline}: the features have {count}",
            hint=f"choose 0 to {count - 1}, or 'mean' for the mean over all",
            status=422,
        )
    return [baseline]


def _shapes(arguments: dict[str, Any], inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """The engine's masks and windows for the sizes a person gave (None: chosen by the input's size)."""
    made: dict[str, Any] = {}
    if "patch" in arguments:
        patch = arguments.pop("patch")
        masks, first = [], 0
        for x in inputs:
            mask = patch_mask(x[0], patch) + first
            masks.append(mask[None])
            first = int(mask.max()) + 1
        made["feature_mask"] = tuple(masks)
    if "window" in arguments:
        window, stride = arguments.pop("window"), arguments.pop("stride", None)
        made["sliding_window_shapes"] = tuple(_window(x[0], window) for x in inputs)
        made["strides"] = tuple(_strides(x[0], window, stride) for x in inputs)
    return made


def patch_mask(x: Tensor, patch: int | None) -> Tensor:
    """Group numbers for an input: squares over all channels of an image, words of a text, single numbers of a row."""
    if x.dim() == 3:
        side = patch or max(1, round(min(x.shape[1:]) / 16))
        rows, cols = torch.arange(x.shape[1]) // side, torch.arange(x.shape[2]) // side
        return (rows[:, None] * (int(cols.max()) + 1) + cols).expand(x.shape).to(x.device)
    if x.dim() == 2:
        words = torch.arange(x.shape[0]) // (patch or 1)
        return words[:, None].expand(x.shape).to(x.device)
    return torch.arange(x.numel()).reshape(x.shape).to(x.device)


def _window(x: Tensor, window: int | None) -> tuple[int, ...]:
    if x.dim() == 3:
        sides = [min(window or max(2, side // 8), side) for side in x.shape[1:]]
        return (x.shape[0], *sides)
    return (min(window or 1, x.shape[0]), *x.shape[1:]) if x.dim() else ()


def _strides(x: Tensor, window: int | None, stride: int | None) -> tuple[int, ...]:
    shape = _window(x, window)
    if x.dim() == 3:
        return (x.shape[0], *(min(stride or max(1, side // 2), side) for side in shape[1:]))
    return (min(stride or max(1, shape[0] // 2), shape[0]), *shape[1:]) if x.dim() else ()


def _completeness(attributions: list[Tensor], output: float, reference: float | None) -> Completeness | None:
    total = sum(float(attribution.sum()) for attribution in attributions)
    if reference is None or not np.isfinite([total, output, reference]).all():
        return None
    change = output - reference
    absolute = sum(float(attribution.abs().sum()) for attribution in attributions)
    return Completeness(
        total=total,
        change=change,
        delta=total - change,
        adds_up=abs(total - change) <= DOUBTFUL * abs(change) + NEGLIGIBLE,
        cancellation=finite(absolute / abs(total)) if total else None,
    )


def _doubts(
    question: Question,
    attributions: list[Tensor],
    output: float,
    reference: float | None,
    completeness: Completeness | None,
) -> list[str]:
    doubts = []
    everything = torch.cat([attribution.reshape(-1) for attribution in attributions])
    bad = int((~torch.isfinite(everything)).sum())
    if bad:
        doubts.append(f"{bad:,} of {everything.numel():,} attribution values are not finite.")
    if not bad and not everything.any():
        doubts.append("Every attribution is zero: the output does not react to this input, or is saturated here.")
    if reference is not None and abs(output - reference) <= 1e-6 * max(1.0, abs(output)):
        doubts.append("The baseline gives the same output as the input: nothing to explain against it; try another.")
    elif completeness and not completeness.adds_up:
        share = abs(completeness.delta / completeness.change)
        advice = " Use more steps." if "n_steps" in question.arguments else ""
        doubts.append(f"The attributions miss the change of the output by {share:.0%}.{advice}")
    if question.model.training:
        doubts.append("The model is in training mode: dropout and batch norm make its answers change; call eval().")
    return doubts


def _parts(attributions: list[Tensor], features: list[BaseFeature]) -> list[InputExplanation]:
    absolute = [float(attribution.abs().sum()) for attribution in attributions]
    whole = sum(absolute)
    return [
        InputExplanation(
            values=feature.reduce(attribution),
            contribution=Contribution(
                total=finite(float(attribution.sum())), share=finite(part / whole) if whole else None
            ),
        )
        for attribution, feature, part in zip(attributions, features, absolute, strict=True)
    ]
