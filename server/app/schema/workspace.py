"""What there is to explain, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schema.attributions import Price
from app.schema.base import SCAN_ALL_BELOW, SCAN_STEP, Argument, FeatureKind, Order, Task, Text, Texts, Whole, Wire

MethodGroup = Literal["quick look", "adds up", "by removing", "fair shares", "local model", "relevance", "attention"]
Place = Literal["inputs", "layer"]
Layout = Literal["grid", "tokens", "units"]


class ModelInfo(Wire):
    """A model of the workspace; requests name it by its place in the list.

    `default_layer` is where a method at a layer looks where nobody has chosen one: known once the model's layers have
    been looked at, and always where `Workspace.default_method` asks for it.
    """

    name: Text
    device: Text
    parameters: int
    default_layer: Text | None
    outputs: int | None = Field(description="how many classes it scores; unknown before its first prediction")
    task: Task | None = Field(description="what it does; unknown before its first prediction")


class FeatureInfo(Wire):
    """An input of the models, and the names of the baselines it can be compared with."""

    name: Text
    kind: FeatureKind
    baselines: Texts


class Parameter(Wire):
    """One argument of an attribution method, derived from its signature: enough to draw a form field.

    `only_with` is another argument: while that is None, this one has no effect.
    """

    name: str
    title: str
    help: str
    kind: Literal["integer", "number", "boolean", "choice"]
    default: Argument
    minimum: float | None = None
    maximum: float | None = None
    options: list[str] = []
    only_with: str | None = None


class Paper(Wire):
    """Where a method was published."""

    title: Text
    authors: Text
    year: int
    url: str | None


class MethodInfo(Wire):
    """An attribution method: `group` by what it does, `place` what it attributes to.

    `complete` says that its attributions should sum to the change of the output; `promise` says in a sentence what it
    guarantees, `caveat` why not to trust it in general, or nothing. Without `uses_target` it explains no output.
    """

    name: str
    title: str
    group: MethodGroup
    place: Place
    summary: str
    promise: str
    caveat: str
    paper: Paper | None
    complete: bool
    uses_baseline: bool
    uses_target: bool
    uses_layer: bool
    parameters: list[Parameter]


class ModelPath(Wire):
    """Which model."""

    model: Whole


class LayerInfo(Wire):
    """A module of a model, and what came out of it when the model was run on the first sample.

    `shape` is that of its first tensor, without the batch dimension; `calls` how often it ran. `layout` says where its
    values lie: over the picture as a `grid` (height, width), one at each token of a text, or nowhere.
    """

    name: Text
    type: Text
    parameters: int
    calls: int
    shape: list[int] | None
    layout: Layout | None
    grid: list[int] | None


class SuggestedLayer(Wire):
    """A layer that people look at first, and why."""

    name: Text
    reason: Text


class ModelLayers(Wire):
    """The module tree in order, parents before their children; the best suggestion first."""

    layers: list[LayerInfo]
    suggested: list[SuggestedLayer]


class MethodOffer(Wire):
    """A method on one model: why it cannot work, or else what it costs with its usual arguments, at `layer` if any."""

    method: str
    unavailable: Text | None
    layer: Text | None
    price: Price | None


class ModelMethods(Wire):
    """Every method of `Workspace.methods`, in that order, on one model and its first sample."""

    methods: list[MethodOffer]


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
    targets: Texts = Field(description="functions of the outputs that can be explained, by their names")
    default_method: str = Field(description="works on every model")
    default_reason: Text = Field(description="why, in a sentence; empty where the user chose it")
    default_order: Order
    explains_label: bool = Field(description="explain the true class where it is known, else the predicted one")
    scan_step: int = Field(
        SCAN_STEP, description="how many samples are looked through at first, and at each further step"
    )
    scan_all_below: int = Field(SCAN_ALL_BELOW, description="data of known size up to this is read whole")
