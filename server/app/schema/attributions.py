"""Questions and explanations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.schema.base import ApiError, Arguments, Baseline, ClassRef, Text, Texts, Whole, Wire, Word

Unit = Literal["pixel", "patch", "window"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Reduction = Annotated[str, Field(pattern=r"^(sum|magnitude|[0-9]{1,4})$")]


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
