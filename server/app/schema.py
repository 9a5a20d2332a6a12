"""Every shape of the wire: requests and answers as pydantic models.

The OpenAPI document, and from it the TypeScript types of the front end, are generated from this module. Numbers that
could be NaN or infinite in memory are `None` here. Addresses (`url`) are relative to the page, so that the dashboard
works under any prefix.
"""

from __future__ import annotations

import re
from operator import index
from typing import Annotated, Any, Literal, TypeVar, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, RootModel

FeatureKind = Literal["image", "text", "general", "empty"]
Task = Literal["classification", "binary", "regression"]
Unit = Literal["pixel", "patch", "window"]
Outcome = Literal["all", "correct", "incorrect"]
Order = Literal["index", "mistakes", "confident", "uncertain"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Reduction = Annotated[str, Field(pattern=r"^(sum|magnitude|[0-9]{1,4})$")]
EXACT = 2**53 - 1  # the largest whole number that JavaScript has; databases have it too
WORD = 100  # characters of a name that a request may give
CURSOR = 256
CHOSEN = 1000  # classes that a filter may name
ARGUMENTS = 50
Whole = Annotated[int, Field(ge=0, le=EXACT)]
Word = Annotated[str, Field(max_length=WORD)]
Argument = (
    bool | Annotated[int, Field(ge=-EXACT, le=EXACT)] | Annotated[float, Field(allow_inf_nan=False)] | Word | None
)
Arguments = Annotated[dict[Word, Argument], Field(max_length=ARGUMENTS)]
Classes = Annotated[list[Whole], Field(max_length=CHOSEN)]
SCAN_STEP = 2000  # seconds for a small net, and enough mistakes to look at
SCAN_ALL_BELOW = 10_000  # a usual test set: counts over all of it are worth the wait
Baseline = Whole | Literal["mean"]
LONGEST = 4000  # characters of an error's message: more say no more

Written = TypeVar("Written")

_UNREADABLE = re.compile("[\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
"""What no JSON can carry (halves of a character), and what makes text read in another order than it is written."""


def readable(text: Written) -> Written:
    """The text with � for what nobody can read."""
    return cast(Written, _UNREADABLE.sub("\N{REPLACEMENT CHARACTER}", text)) if isinstance(text, str) else text


def _all_readable(texts: object) -> object:
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        return texts
    return [readable(text) for text in texts] if _UNREADABLE.search("".join(texts)) else texts


def _cut(text: object) -> object:
    if not isinstance(text, str) or len(text) <= LONGEST:
        return text
    kept = LONGEST - 100  # so that what has been cut is not cut again
    return f"{text[:kept]}… ({len(text) - kept:,} characters more)"


Text = Annotated[str, BeforeValidator(readable)]
Texts = Annotated[list[str], BeforeValidator(_all_readable)]
Cut = Annotated[Text, BeforeValidator(_cut)]


class Wire(BaseModel):
    """Base of all wire models: immutable, and unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_serialization_defaults_required=True)

    @classmethod
    def model_json_schema(cls, *args: Any, **kwargs: Any) -> dict[str, object]:
        """As pydantic makes it, once: flask-openapi3 asks for it in every request, of which it took a third."""
        if args or kwargs:
            return super().model_json_schema(*args, **kwargs)
        if cls not in _MADE:
            _MADE[cls] = super().model_json_schema()
        return _MADE[cls]


_MADE: dict[type[Wire], dict[str, object]] = {}


class ApiError(Wire):
    """What went wrong, in words for a person, and what to try."""

    type: Cut
    message: Cut
    hint: Cut


class ClassRef(Wire):
    """A class by its index in the model's output and its name."""

    index: int
    name: Text


# ── workspace ────────────────────────────────────────────────────────────────────────────────────────────────────────


class ModelInfo(Wire):
    """A model of the workspace; requests name it by its place in the list."""

    name: Text
    device: Text
    parameters: int
    outputs: int | None = Field(description="how many classes it scores; unknown before its first prediction")
    task: Task | None = Field(description="what it does; unknown before its first prediction")


class FeatureInfo(Wire):
    """An input of the models, and the names of the baselines it can be compared with."""

    name: Text
    kind: FeatureKind
    baselines: Texts


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

    It is to be fetched again when an answer's `Progress.workspace` differs from `revision`.
    """

    revision: int = Field(description="the `Progress.workspace` that this answers for")
    title: Text
    version: str
    task: Task
    classes: Texts = Field(description="a name for every output, also where the user gave fewer")
    named: int = Field(description="how many names the user gave")
    models: list[ModelInfo]
    features: list[FeatureInfo]
    methods: list[MethodInfo]
    default_method: str
    default_order: Order
    explains_label: bool = Field(description="explain the true class where it is known, else the predicted one")
    scan_step: int = Field(
        SCAN_STEP, description="how many samples are looked through at first, and at each further step"
    )
    scan_all_below: int = Field(SCAN_ALL_BELOW, description="data of known size up to this is read whole")


# ── samples ──────────────────────────────────────────────────────────────────────────────────────────────────────────


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
    progress: Progress


# ── attributions ─────────────────────────────────────────────────────────────────────────────────────────────────────


class AttributionRequest(Wire):
    """One question in full. `target` None: the label or the predicted class (see `Workspace.explains_label`).

    `baseline` is a place in the features' baselines, or "mean": the mean of the attributions over all of them.
    """

    model_config = ConfigDict(strict=True)

    sample: Whole
    model: Whole = 0
    target: Whole | None = None
    method: Word
    arguments: Arguments = {}
    baseline: Baseline = 0


class JobPath(Wire):
    """Which explanation."""

    job: Word


class MapPath(JobPath):
    """Which map of which input of an explanation."""

    feature: Whole
    reduction: Reduction


class Client(Wire):
    """Who asks: an explanation is cancelled only when nobody waits for it any more."""

    client: str = Field("", max_length=64)


class Asking(Client):
    """Who asks, and whether for the sample that is selected: its explanations are computed first."""

    first: bool = False


class Contribution(Wire):
    """An input's part of the explanation: the signed sum, and its share of the magnitudes that are drawn.

    Channels of a pixel and numbers of a token's embedding are summed before their magnitude is taken.
    """

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
    name: Text
    contribution: Contribution
    maps: list[AttributionMap]


class TextAttribution(Wire):
    """Attribution of each token."""

    kind: Literal["text"] = "text"
    name: Text
    contribution: Contribution
    weights: list[float | None]


class GeneralAttribution(Wire):
    """Attribution of each named number."""

    kind: Literal["general"] = "general"
    name: Text
    contribution: Contribution
    weights: list[float | None]


class EmptyAttribution(Wire):
    """Attribution of an input that is not shown."""

    kind: Literal["empty"] = "empty"
    name: Text
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
    cancels: bool = Field(description="magnitudes are so large beside their sum that no single part can be trusted")


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
    warnings: Texts
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


# ── notebook ─────────────────────────────────────────────────────────────────────────────────────────────────────────


class Selection(Wire):
    """What is on the screen: the samples in view, and the question asked of the selected one."""

    samples: list[int] = []
    sample: int | None = None
    model: int = 0
    target: int | None = None
    method: str | None = None
    arguments: dict[str, Argument] = {}
    baseline: Baseline = 0

    def request(self, sample: int, method: str) -> AttributionRequest:
        """The question as it is asked of a sample in view; a chosen class counts for the selected sample alone."""
        return AttributionRequest(
            sample=index(sample),
            model=self.model,
            target=self.target if sample == self.sample else None,
            method=self.method or method,
            arguments=self.arguments,
            baseline=self.baseline,
        )


class WidgetPing(Wire):
    """Is anybody there? Answered by a `WidgetPong`."""

    type: Literal["ping"] = "ping"


class WidgetSeen(Wire):
    """All that is on the screen has been explained: the time to renew the saved picture."""

    type: Literal["seen"] = "seen"


class WidgetRequest(Wire):
    """A request of this contract, its body in the message's first buffer."""

    type: Literal["request"] = "request"
    id: str
    method: str
    path: str
    headers: dict[str, str] = {}


class WidgetAbort(Wire):
    """Nobody waits for the answer to this request any more."""

    type: Literal["abort"] = "abort"
    id: str


class WidgetPong(Wire):
    """Somebody is there."""

    type: Literal["pong"] = "pong"


class WidgetResponse(Wire):
    """The answer to a request, its body in the message's first buffer."""

    type: Literal["response"] = "response"
    id: str
    status: int
    headers: dict[str, str]


class ToKernel(
    RootModel[Annotated[WidgetPing | WidgetSeen | WidgetRequest | WidgetAbort, Field(discriminator="type")]]
):
    """What a widget sends."""


class FromKernel(RootModel[Annotated[WidgetPong | WidgetResponse, Field(discriminator="type")]]):
    """What a widget is sent."""


NOTEBOOK = (Selection, ToKernel, FromKernel)  # travel as traits and messages: no request of the document names them
