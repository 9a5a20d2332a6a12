"""Samples: which, what is shown of them, what the models predict, and counts over many."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from app.schema.base import ApiError, ClassRef, Order, Text, Texts, Whole, Wire

Outcome = Literal["all", "correct", "incorrect"]
CURSOR = 256
CHOSEN = 1000  # classes that a filter may name
Classes = Annotated[list[Whole], Field(max_length=CHOSEN)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class SamplePath(Wire):
    """Which sample."""

    sample: Whole


class MediaPath(SamplePath):
    """Which input of which sample."""

    feature: Whole


class SampleFilter(Wire):
    """Which samples: by the predictions of one model. Empty lists do not restrict."""

    model: Whole = 0
    predicted: Classes = []
    actual: Classes = []
    outcome: Outcome = "all"
    score_from: Finite | None = Field(None, description="the best score is at least this")
    score_below: Finite | None = Field(None, description="the best score is less than this")
    scan_to: Whole = Field(0, description="read at least this far into the data in the background")


class SampleQuery(SampleFilter):
    """A page of samples; `cursor` is the opaque `next_cursor` of the page before, empty for the first."""

    order: Order = "index"
    cursor: str = Field("", max_length=CURSOR)
    limit: int = Field(24, ge=1, le=200)


class Progress(Wire):
    """How much of the data has been seen: `size` is None where the data does not tell its length.

    Of the `failed` samples, which have an error, `unreadable` could not be read; the others could not be predicted.

    `workspace` counts the changes of what `GET /api/workspace` answers: see `Workspace.revision`.
    """

    workspace: int
    scanned: int
    size: int | None
    exhausted: bool
    scanning: bool
    labelled: int
    failed: int
    unreadable: int
    changed_models: Texts = Field(description="models whose weights are no longer those that predicted")
    error: ApiError | None


class ClassScore(ClassRef):
    """A class with its score (None: not finite)."""

    score: float | None


class Prediction(Wire):
    """What one model says of one sample: its best classes, best first, always including the true one."""

    model: int
    predicted: ClassRef | None
    classes: list[ClassScore]
    correct: bool | None
    residual: float | None = Field(description="of a regression: its output minus what is true")


class ImageInput(Wire):
    """An image to show; `note` says how it was made visible where that is not obvious (13 channels, say)."""

    kind: Literal["image"] = "image"
    name: Text
    url: str
    width: int
    height: int
    note: Text | None = None


class TextInput(Wire):
    """Words or word pieces to show."""

    kind: Literal["text"] = "text"
    name: Text
    tokens: Texts


class GeneralInput(Wire):
    """Named numbers to show."""

    kind: Literal["general"] = "general"
    name: Text
    categories: Texts
    values: list[float | None]


class EmptyInput(Wire):
    """An input that is not shown; its contribution still counts."""

    kind: Literal["empty"] = "empty"
    name: Text


SampleInput = Annotated[ImageInput | TextInput | GeneralInput | EmptyInput, Field(discriminator="kind")]


class Sample(Wire):
    """One example with every model's prediction; `error` is set where it could not be predicted or shown."""

    index: int
    label: ClassRef | None
    truth: float | None = Field(description="of a regression: what is true")
    predictions: list[Prediction]
    inputs: list[SampleInput]
    error: ApiError | None


class SamplePage(Wire):
    """Samples that match, how many match so far, and how far the data has been read."""

    samples: list[Sample]
    next_cursor: str | None
    matched: int
    progress: Progress


class ClassCount(ClassRef):
    """How often a class was predicted, and how often it is the label, among the samples scanned."""

    predicted: int
    actual: int


class ConfusionCell(Wire):
    """How many labelled samples of class `actual` were taken for class `predicted`."""

    actual: int
    predicted: int
    count: int


class Histogram(Wire):
    """Counts of the best score by equal bins over [low, high], by outcome."""

    low: float
    high: float
    correct: list[int]
    incorrect: list[int]
    unlabelled: list[int]


class Summary(Wire):
    """Counts over all samples scanned, whatever the filter, and those that match it."""

    matched: int
    correct: int
    incorrect: int
    unlabelled: int
    classes: list[ClassCount]
    confusion: list[ConfusionCell]
    scores: Histogram | None
    mean_absolute_error: float | None = Field(
        description="of a regression, over the samples of which the truth is known"
    )
    progress: Progress
