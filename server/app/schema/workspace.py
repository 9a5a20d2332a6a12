"""What there is to explain, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schema.base import SCAN_ALL_BELOW, SCAN_STEP, Argument, FeatureKind, Order, Task, Text, Texts, Wire


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
