"""What the app knows, in the shapes of the wire."""

from __future__ import annotations

from dataclasses import dataclass

from app.data.features import BaseFeature, Numbers, Picture, Shown, Words
from app.errors import describe
from app.explain.explanation import Explanation, InputExplanation
from app.explain.jobs import Job
from app.explain.layer import LayerFinding
from app.index.predictions import BINS, Counts, Row
from app.model.outputs import Outputs
from app.model.subject import Subject
from app.numbers import Floats, finite, finites
from app.schema import (
    ApiError,
    Attribution,
    AttributionMap,
    AttributionRequest,
    Channel,
    ClassCount,
    ClassRef,
    ClassScore,
    ConfusionCell,
    EmptyAttribution,
    EmptyInput,
    GeneralAttribution,
    GeneralInput,
    Histogram,
    ImageAttribution,
    ImageInput,
    InputAttribution,
    LayerAttribution,
    ModelInfo,
    Prediction,
    Progress,
    Sample,
    SampleInput,
    Summary,
    TextAttribution,
    TextInput,
    Unit,
)
from app.schema import Job as WireJob
from app.web.encode import EncodedMap, encode_map, reduce_channels
from app.web.encode import reductions as ways


@dataclass(frozen=True, eq=False)
class Answer:
    """A finished explanation: itself, as it travels, and its maps by input and reduction."""

    explanation: Explanation
    attribution: Attribution
    maps: dict[tuple[int, str], bytes]

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        return self.explanation.bytes + sum(map(len, self.maps.values()))


def model_info(subject: Subject) -> ModelInfo:
    """A model by name, place and size; outputs and task as far as they are known."""
    return ModelInfo(
        name=subject.name,
        device=str(subject.device),
        parameters=subject.parameters,
        default_layer=subject.anatomy.best if subject.anatomy else None,
        outputs=subject.width,
        task=subject.task,
    )


def sample(number: int, inputs: list[SampleInput] | Exception, rows: list[Row], outputs: Outputs) -> Sample:
    """One example with every model's prediction; what could not be read, shown or predicted is said in `error`."""
    failed = next((row.error for row in rows if row.error), None)
    error = ApiError.model_validate_json(failed) if failed else None
    if isinstance(inputs, Exception):
        error, inputs = error or describe(inputs), []
    label = rows[0].label if rows else None
    return Sample(
        index=number,
        label=None if label is None else class_ref(outputs, label),
        truth=next((row.truth for row in rows if row.truth is not None), None),
        predictions=[_prediction(row, outputs) for row in rows],
        inputs=inputs,
        error=error,
    )


def class_ref(outputs: Outputs, index: int) -> ClassRef:
    """A class by index and name."""
    return ClassRef(index=index, name=outputs.name(index))


def _prediction(row: Row, outputs: Outputs) -> Prediction:
    return Prediction(
        model=row.model,
        predicted=None if row.predicted is None else class_ref(outputs, row.predicted),
        classes=[
            ClassScore(index=i, name=outputs.name(i), score=score)
            for i, score in zip(row.classes, row.scores, strict=True)
        ],
        correct=row.correct,
        residual=row.residual,
    )


def sample_input(name: str, shown: Shown, url: str) -> SampleInput:
    """An input as it is drawn, a picture at its address."""
    match shown:
        case Picture(pixels=pixels, note=note):
            height, width = pixels.shape[:2]
            return ImageInput(name=name, url=url, width=width, height=height, note=note)
        case Words(tokens=tokens):
            return TextInput(name=name, tokens=tokens)
        case Numbers(categories=categories, values=values):
            return GeneralInput(name=name, categories=categories, values=finites(values))
        case None:
            return EmptyInput(name=name)


def summary(counts: Counts, outputs: Outputs, progress: Progress) -> Summary:
    """Counts, with a row for every class that has a name or was seen."""
    seen = sorted({*range(outputs.classes), *counts.predicted, *counts.actual})
    return Summary(
        matched=counts.matched,
        correct=counts.correct,
        incorrect=counts.incorrect,
        unlabelled=counts.unlabelled,
        classes=[
            ClassCount(
                index=i,
                name=outputs.name(i),
                predicted=counts.predicted.get(i, 0),
                actual=counts.actual.get(i, 0),
            )
            for i in seen
        ],
        confusion=[ConfusionCell(actual=a, predicted=p, count=n) for a, p, n in counts.confusion],
        scores=_histogram(counts),
        mean_absolute_error=counts.error,
        progress=progress,
    )


def _histogram(counts: Counts) -> Histogram | None:
    if not counts.scores:
        return None
    bins: dict[bool | None, list[int]] = {outcome: [0] * BINS for outcome in (True, False, None)}
    for place, outcome, count in counts.scores:
        bins[outcome][place] += count
    return Histogram(low=counts.low, high=counts.high, correct=bins[True], incorrect=bins[False], unlabelled=bins[None])


def job(job: Job[Answer], ahead: int) -> WireJob:
    """How far an explanation is, and the explanation once it is done."""
    return WireJob(
        id=job.id,
        state=job.state,
        done=job.done,
        total=job.total,
        elapsed=job.elapsed,
        remaining=job.remaining,
        ahead=ahead,
        attribution=job.result.attribution if job.result else None,
        error=describe(job.error) if job.error else None,
    )


def answer(id: str, request: AttributionRequest, explanation: Explanation, features: list[BaseFeature]) -> Answer:
    """An explanation in the shapes of the wire, its maps encoded once."""
    maps = {
        (i, reduction): encode_map(map_of(part, reduction))
        for i, part in enumerate(explanation.inputs)
        if part.kind == "image"
        for reduction in reductions(part)
    }
    layer, question = explanation.layer, explanation.question
    channels = _channel_maps(layer) if layer else {}
    attribution = Attribution(
        sample=request.sample,
        model=request.model,
        method=request.method,
        target=question.target,
        against=question.against,
        explained=question.words,
        layer=_layer(id, layer, channels) if layer else None,
        output=explanation.output,
        seconds=explanation.seconds,
        signed=explanation.signed,
        completeness=explanation.completeness,
        warnings=explanation.warnings,
        inputs=[
            _attributed(
                feature.name,
                part,
                [_map(id, i, way, part.unit, found) for (place, way), found in maps.items() if place == i],
            )
            for i, (feature, part) in enumerate(zip(features, explanation.inputs, strict=True))
        ],
    )
    return Answer(explanation, attribution, {place: found.data for place, found in (maps | channels).items()})


def _channel_maps(found: LayerFinding) -> dict[tuple[int, str], EncodedMap]:
    return {
        (found.input or 0, str(each.index)): encode_map(each.map) for each in found.strongest if each.map is not None
    }


def _layer(id: str, found: LayerFinding, maps: dict[tuple[int, str], EncodedMap]) -> LayerAttribution:
    places = {each.index: (found.input or 0, str(each.index)) for each in found.strongest}
    return LayerAttribution(
        name=found.name,
        shape=list(found.values[0].shape),
        input=found.input,
        grid=found.grid,
        channels=found.channels,
        strongest=[
            Channel(
                index=each.index,
                total=finite(each.total),
                map=_map(id, *place, "layer", maps[place]) if (place := places[each.index]) in maps else None,
            )
            for each in found.strongest
        ],
    )


def _attributed(name: str, part: InputExplanation, maps: list[AttributionMap]) -> InputAttribution:
    match part.kind:
        case "image":
            return ImageAttribution(name=name, contribution=part.contribution, maps=maps)
        case "text":
            return TextAttribution(name=name, contribution=part.contribution, weights=finites(part.values))
        case "general":
            return GeneralAttribution(name=name, contribution=part.contribution, weights=finites(part.values))
        case "empty":
            return EmptyAttribution(name=name, contribution=part.contribution)


def _map(id: str, place: int, reduction: str, unit: Unit, found: EncodedMap) -> AttributionMap:
    return AttributionMap(
        reduction=reduction,
        unit=unit,
        url=f"api/attributions/{id}/maps/{place}/{reduction}",
        height=found.height,
        width=found.width,
        scale=found.scale,
        minimum=found.minimum,
        maximum=found.maximum,
        nonfinite=found.nonfinite,
    )


def reductions(part: InputExplanation) -> list[str]:
    """The maps there are of an image; a patch or window has one value for all channels."""
    return ways(len(part.values)) if part.region is None else ["sum"]


def map_of(part: InputExplanation, reduction: str) -> Floats:
    """One map (H, W) of an image's attribution."""
    return reduce_channels(part.values, reduction) if part.region is None else part.region
