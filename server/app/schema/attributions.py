"""Questions and explanations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from app.schema.base import ApiError, Arguments, Baseline, ClassRef, Text, Texts, Whole, Wire, Word

Unit = Literal["pixel", "patch", "window", "layer"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
Reduction = Annotated[str, Field(pattern=r"^(sum|magnitude|[0-9]{1,6})$")]
LayerName = Annotated[str, Field(max_length=300)]  # dotted; deep models nest a dozen modules
Neuron = Whole | Annotated[list[Whole], Field(min_length=1, max_length=8)]


class AttributionRequest(Wire):
    """One question in full: what is explained, by which method, and where it is attributed to.

    `target` is a class, or a function of the outputs by its name (see `Workspace.targets`); None: the label or the
    predicted class (see `Workspace.explains_label`). `against` another class, the difference of their raw outputs is
    explained. A `neuron` of `layer` is explained in place of an output: a channel by its number, summed over its
    positions, or one value by its place in the layer's shape.

    `layer` is a dotted name as in `GET /api/models/{model}/layers`; of a layer that runs several times in one pass,
    "encoder.0:1" is its second call and "encoder.0:sum" all of them. Methods with `MethodInfo.uses_layer` need it.

    `baseline` is a place in the features' baselines, or "mean": the mean of the attributions over all of them.
    """

    model_config = ConfigDict(strict=True)

    sample: Whole
    model: Whole = 0
    target: Whole | Word | None = None
    against: Whole | None = None
    layer: LayerName | None = None
    neuron: Neuron | None = None
    method: Word
    arguments: Arguments = {}
    baseline: Baseline = 0


class Price(Wire):
    """What a question costs: passes of one example through the model, and seconds from a measured pass of each kind.

    `at_least`: it depends on what the model answers, as a tolerance does.
    """

    forward: int
    backward: int
    seconds: float | None
    at_least: bool


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
    windows that cover it, on average; or a layer's positions, stretched over the input between their centres.
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


class TargetRef(Wire):
    """What is explained: a class by index and name; a function of the outputs, or a neuron, by its name alone."""

    index: int | None
    name: Text


class Channel(Wire):
    """A channel of a layer, or a unit of one without positions: its sum, and its map over the layer's own grid."""

    index: int
    total: float | None
    map: AttributionMap | None


class LayerAttribution(Wire):
    """Attribution of a layer's values, of shape `shape` without the batch dimension.

    Where the layer has positions that lie over an input, as a `grid` (height, width) of an image or a token each, their
    sums over channels are drawn at that input's place in `Attribution.inputs`; other inputs are `EmptyAttribution`s.
    `strongest` are those of its `channels` with the largest magnitudes, that first; none where there is only one.
    """

    name: Text
    shape: list[int]
    input: int | None
    grid: list[int] | None
    channels: int
    strongest: list[Channel]


class Attribution(Wire):
    """An explanation; `output` is the model's raw output for the target, `warnings` say why not to trust it.

    `explained` says in words what `output` is: "jaguar", "jaguar − cougar", "channel 12 of layer4".
    """

    sample: int
    model: int
    method: str
    target: TargetRef
    against: ClassRef | None
    explained: Text
    layer: LayerAttribution | None = Field(description="of a method that attributes to a layer")
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
