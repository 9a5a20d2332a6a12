"""Every shape of the wire: requests and answers as pydantic models.

The OpenAPI document, and from it the TypeScript types of the front end, are generated from this module. Numbers that
could be NaN or infinite in memory are `None` here. Addresses (`url`) are relative to the page, so that the dashboard
works under any prefix.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

FeatureKind = Literal["image", "text", "general", "empty"]
Task = Literal["classification", "binary", "regression"]
Unit = Literal["pixel", "patch", "window"]
Outcome = Literal["all", "correct", "incorrect"]
Order = Literal["index", "mistakes", "confident", "uncertain"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Reduction = Annotated[str, Field(pattern=r"^(sum|magnitude|[0-9]+)$")]
Argument = bool | int | float | str | None
Baseline = Annotated[int, Field(ge=0)] | Literal["mean"]


class Wire(BaseModel):
    """Base of all wire models: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)


class ApiError(Wire):
    """What went wrong, in words for a person, and what to try."""

    type: str
    message: str
    hint: str


class ClassRef(Wire):
    """A class by its index in the model's output and its name."""

    index: int
    name: str


# ── workspace ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ModelInfo(Wire):
    """A model of the workspace; requests name it by its place in the list."""

    name: str
    device: str
    parameters: int
    outputs: int | None = Field(description="how many classes it scores; unknown before its first prediction")
    task: Task | None = Field(description="what it does; unknown before its first prediction")


class FeatureInfo(Wire):
    """An input of the models, and the names of the baselines it can be compared with."""

    name: str
    kind: FeatureKind
    baselines: list[str]


class Parameter(Wire):
    """One argument of an attribution method, derived from its signature: enough to draw a form field."""

    name: str
    title: str
    help: str
    kind: Literal["integer", "number", "boolean", "choice"]
    default: Argument
    minimum: float | None = None
    maximum: float | None = None
    options: list[str] = []


class MethodInfo(Wire):
    """An attribution method; `complete` says that its attributions should sum to the change of the output.

    `caveat` is a sentence on why not to trust it in general, or empty.
    """

    name: str
    title: str
    summary: str
    caveat: str
    complete: bool
    uses_baseline: bool
    parameters: list[Parameter]


class Workspace(Wire):
    """What the dashboard shows; `task`, `classes` and models' outputs are known once every model has predicted.

    `task` is classification where any model classifies, regression where all give a number.
    """

    title: str
    version: str
    task: Task
    classes: list[str] = Field(description="a name for every output, also where the user gave fewer")
    named: int = Field(description="how many names the user gave")
    models: list[ModelInfo]
    features: list[FeatureInfo]
    methods: list[MethodInfo]
    default_method: str
    default_order: Order
    explains_label: bool = Field(description="explain the true class where it is known, else the predicted one")


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class SampleFilter(Wire):
    """Which samples: by the predictions of one model. Empty lists do not restrict."""

    model: int = Field(0, ge=0)
    predicted: list[int] = []
    actual: list[int] = []
    outcome: Outcome = "all"
    scan_to: int | None = Field(None, ge=0, description="read at least this far into the data in the background")


class SampleQuery(SampleFilter):
    """A page of samples; `cursor` is the opaque `next_cursor` of the page before."""

    order: Order = "index"
    cursor: str | None = None
    limit: int = Field(24, ge=1, le=200)


class Progress(Wire):
    """How much of the data has been seen: `size` is None where the data does not tell its length.

    Of the `failed` samples, which have an error, `unreadable` could not be read; the others could not be predicted.
    """

    scanned: int
    size: int | None
    exhausted: bool
    scanning: bool
    labelled: int
    failed: int
    unreadable: int
    changed_models: list[str] = Field(description="models whose weights are no longer those that predicted")
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


class ImageInput(Wire):
    """An image to show; `note` says how it was made visible where that is not obvious (13 channels, say)."""

    kind: Literal["image"] = "image"
    name: str
    url: str
    width: int
    height: int
    note: str | None = None


class TextInput(Wire):
    """Words or word pieces to show."""

    kind: Literal["text"] = "text"
    name: str
    tokens: list[str]


class GeneralInput(Wire):
    """Named numbers to show."""

    kind: Literal["general"] = "general"
    name: str
    categories: list[str]
    values: list[float | None]


class EmptyInput(Wire):
    """An input that is not shown; its contribution still counts."""

    kind: Literal["empty"] = "empty"
    name: str


SampleInput = Annotated[ImageInput | TextInput | GeneralInput | EmptyInput, Field(discriminator="kind")]


class Sample(Wire):
    """One example with every model's prediction; `error` is set where it could not be predicted or shown."""

    index: int
    label: ClassRef | None
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
    """Counts of the best score by equal bins over [low, high]; unlabelled samples are in neither."""

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
    progress: Progress


# ── attributions ─────────────────────────────────────────────────────────────────────────────────────────────────────


class AttributionRequest(Wire):
    """One question in full. `target` None: the label or the predicted class (see `Workspace.explains_label`).

    `baseline` is a place in the features' baselines, or "mean": the mean of the attributions over all of them.
    """

    sample: int = Field(ge=0)
    model: int = Field(0, ge=0)
    target: int | None = Field(None, ge=0)
    method: str
    arguments: dict[str, Argument] = {}
    baseline: Baseline = 0


class Contribution(Wire):
    """An input's part of the explanation: the signed sum, and its share of the absolute total."""

    total: float | None
    share: float | None


class AttributionMap(Wire):
    """A raw signed map: `height`·`width` little-endian float16 at `url`, to be multiplied by `scale`.

    `reduction` says how channels became one number: their signed `sum`, their `magnitude` (root of the sum of
    squares), or the one channel of that number. Non-finite values are NaN in the bytes and not in `minimum`, `maximum`.
    `unit` says what a value is the attribution of: its pixel, or the whole patch that the pixel belongs to, or the
    windows that cover it, on average.
    """

    reduction: Reduction
    unit: Unit
    url: str
    height: int
    width: int
    scale: float
    minimum: float
    maximum: float
    nonfinite: int


class ImageAttribution(Wire):
    """Attribution of an image: one map for each reduction of the channels, `sum` first."""

    kind: Literal["image"] = "image"
    name: str
    contribution: Contribution
    maps: list[AttributionMap]


class TextAttribution(Wire):
    """Attribution of each token."""

    kind: Literal["text"] = "text"
    name: str
    contribution: Contribution
    weights: list[float | None]


class GeneralAttribution(Wire):
    """Attribution of each named number."""

    kind: Literal["general"] = "general"
    name: str
    contribution: Contribution
    weights: list[float | None]


class EmptyAttribution(Wire):
    """Attribution of an input that is not shown."""

    kind: Literal["empty"] = "empty"
    name: str
    contribution: Contribution


InputAttribution = Annotated[
    ImageAttribution | TextAttribution | GeneralAttribution | EmptyAttribution, Field(discriminator="kind")
]


class Completeness(Wire):
    """Whether the attributions add up: their sum, the change of the output from the baseline, and the difference.

    `cancellation` is the sum of their magnitudes over the magnitude of their sum: 1 where none cancels another.
    """

    total: float
    change: float
    delta: float
    adds_up: bool = Field(description="the difference is small beside the change")
    cancellation: float | None = Field(description="unknown where the attributions sum to zero")


class Attribution(Wire):
    """An explanation; `output` is the model's raw output for the target, `warnings` say why not to trust it."""

    sample: int
    model: int
    method: str
    target: ClassRef
    output: float | None
    seconds: float
    signed: bool = Field(description="whether this method, with these arguments, can give negative values")
    completeness: Completeness | None
    warnings: list[str]
    inputs: list[InputAttribution]


class Job(Wire):
    """The state of an explanation: `done` of `total` steps (None: not known yet), seconds so far and to go."""

    id: str
    state: JobState
    done: int
    total: int | None
    elapsed: float
    remaining: float | None
    ahead: int = Field(0, description="jobs that will run before this one")
    attribution: Attribution | None
    error: ApiError | None
