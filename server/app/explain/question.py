"""A request with everything looked up and checked, so that what is wrong is said at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from app.errors import InsightsError, arrived, note
from app.explain.methods import Method, offered
from app.index.predictions import PredictionIndex
from app.model.case import Explained
from app.model.copies import Tensors
from app.model.layers import positions
from app.model.outputs import Outputs
from app.model.subject import Subject
from app.schema import Argument, AttributionRequest, Baseline, ClassRef, Neuron, TargetRef
from app.words import quoted
from attribution_core import Layer
from attribution_core import Neuron as EngineNeuron
from attribution_core.methods.layout import Context

NO_OUTPUT = "The label, class {label}, is none of the model's {width} outputs: the predicted class is explained."

Function = Callable[[object], Tensor]
"""Of the model's outputs for a batch, one number for each example (B,)."""


@dataclass(frozen=True, eq=False)
class Meant:
    """What is explained: a class, perhaps against another, a function of the outputs by its name, or a neuron.

    All are None of a method that explains no output.
    """

    index: int | None = None
    against: int | None = None
    function: str | None = None
    neuron: Neuron | None = None


@dataclass(frozen=True, eq=False)
class Question:
    """A request with everything looked up and checked; `note` says what is not as one would expect."""

    subject: Subject
    method: Method
    arguments: dict[str, Argument]
    meant: Meant
    layer: str | None
    site: Layer | None
    baseline: Baseline
    functions: Mapping[str, Function]
    note: str = ""

    @property
    def outputs(self) -> Outputs:
        """How the model's outputs are read."""
        return self.subject.outputs

    @property
    def target(self) -> TargetRef:
        """What is explained, as it travels."""
        meant = self.meant
        return TargetRef(index=meant.index, name=self.words if meant.index is None else self.outputs.name(meant.index))

    @property
    def against(self) -> ClassRef | None:
        """The class that it is explained against."""
        other = self.meant.against
        return None if other is None else ClassRef(index=other, name=self.outputs.name(other))

    @property
    def words(self) -> str:
        """What is explained, in words."""
        meant = self.meant
        if meant.function is not None:
            return meant.function
        if meant.neuron is not None:
            place = meant.neuron if isinstance(meant.neuron, int) else tuple(meant.neuron)
            return f"{'channel' if isinstance(place, int) else 'neuron'} {place} of {self.layer}"
        if meant.index is None:
            return f"values of {self.layer}" if self.layer else "attention"
        name = self.outputs.name(meant.index)
        return name if meant.against is None else f"{name} − {self.outputs.name(meant.against)}"

    def context(self, inputs: Tensors) -> Context:
        """What is known of the values at the layer, or of the maps that the method gives."""
        anatomy, module = self.subject.anatomy, self.site or Layer(self.subject.model)
        layout = "channels_first" if self.method.gives_maps else None
        return Context(inputs, module, layout, anatomy.patches if anatomy else {})

    def explained(self, inputs: Tensors) -> Explained | None:
        """The same for the engine, of inputs (1, …) as the model takes them."""
        meant = self.meant
        if meant.function is not None:
            return _checked(meant.function, self.functions[meant.function])
        if meant.neuron is not None and self.site is not None:
            selector = _selector(meant.neuron, self.context(inputs), self.words)
            return EngineNeuron(self.site.module, selector, call=self.site.call)
        if meant.index is None:
            return None
        chosen = self.outputs.target(meant.index)
        if meant.against is None:
            return chosen
        other = self.outputs.target(meant.against)
        return lambda output: chosen(output) - other(output)


def identity(request: AttributionRequest, question: Question, salt: str) -> str:
    """The same id for the same question of the same weights: defaults filled in, order of arguments irrelevant."""
    meant = question.meant
    filled = {
        "arguments": dict(sorted(question.arguments.items())),
        "target": meant.index if meant.function is None else meant.function,
        "against": meant.against,
        "baseline": question.baseline,
    }
    full = request.model_copy(update=filled).model_dump_json()
    return hashlib.sha256(f"{salt}{question.subject.fingerprint()}{question.note}{full}".encode()).hexdigest()[:24]


def place_of(request: AttributionRequest, method: Method, subject: Subject) -> Layer | None:
    """The layer that is asked about; refuses one that the method cannot use, and none where it needs one."""
    if request.neuron is not None:
        if method.uses_layer or not method.uses_target:
            hint = "choose a method that attributes to the inputs, such as IntegratedGradients"
            raise InsightsError(f"{method.name} cannot explain a neuron", hint=hint, status=422)
        if request.layer is None or request.target is not None or request.against is not None:
            said = "without a layer" if request.layer is None else "and a class at once"
            hint = "a neuron of a layer is explained in the place of a class"
            raise InsightsError(f"a neuron is asked for {said}", hint=hint, status=422)
    elif method.uses_layer != (request.layer is not None):
        said = "needs a layer" if method.uses_layer else f"attributes to the inputs, not to {quoted(request.layer)}"
        known = subject.anatomy.suggested if method.uses_layer and subject.anatomy else []
        hint = f"people look first at {', '.join(layer.name for layer in known)}" if known else ""
        fallback = "give a layer by its dotted name" if method.uses_layer else "choose one whose name begins with Layer"
        raise InsightsError(f"{method.name} {said}", hint=hint or fallback, status=422)
    return None if request.layer is None else subject.layer(request.layer)


def check_classes(meant: Meant, subject: Subject) -> None:
    """Refuse classes that the model does not have, and one against itself."""
    width = subject.width and max(subject.width, 2 if subject.task == "binary" else 1)
    for given in (meant.index, meant.against):
        if width is not None and given is not None and given >= width:
            raise InsightsError(
                f"class {given} cannot be explained: the model {subject.name} has {width} outputs",
                hint=f"valid classes are 0 to {width - 1}",
                status=422,
            )
    if meant.against is not None and meant.against == meant.index:
        raise InsightsError(
            f"{subject.outputs.name(meant.against)} cannot be explained against itself",
            hint="choose two different classes",
            status=422,
        )


def check_function(name: str, functions: Mapping[str, Function]) -> str:
    """Refuse the name of a function that was not given."""
    if name in functions:
        return name
    known = ", ".join(functions) or 'none are given: AttributionVisualizer(..., targets={"margin": f})'
    raise InsightsError(
        f"there is no target {quoted(name)}", hint=f"targets: a class by its number, or {known}", status=422
    )


def _checked(name: str, function: Function) -> Function:
    """The function, with a word on what it was given where it fails."""

    def called(output: object) -> Tensor:
        try:
            return function(output)
        except Exception as error:
            note(error, f"The target {name!r} was given {arrived([output])}.")
            raise

    return called


def _selector(neuron: Neuron, context: Context, words: str) -> tuple[int, ...] | Callable[[Tensor], Tensor]:
    """A place in the layer's values, or the sum of a channel over its positions."""
    if not isinstance(neuron, int):
        return tuple(neuron)

    def channel(values: Tensor | Tensors) -> Tensor:
        value = values if isinstance(values, Tensor) else values[0]
        read = positions(value, context)
        maps = value if read is None else read
        if neuron >= maps.shape[1]:
            hint = f"valid channels are 0 to {maps.shape[1] - 1}"
            raise InsightsError(f"there is no {words}, which has {maps.shape[1]}", hint=hint)
        return maps[:, neuron].flatten(1).sum(1) if maps.dim() > 2 else maps[:, neuron]

    return channel


class Questions:
    """Reads requests, with what is known of the samples: their labels and predictions."""

    def __init__(self, index: PredictionIndex, explains_label: bool, functions: Mapping[str, Function]) -> None:
        self._index, self._explains_label, self._functions = index, explains_label, functions
        self._methods = offered()

    def read(self, request: AttributionRequest, subject: Subject) -> Question:
        """The question of a sample that has been read; `InsightsError` for anything that does not fit."""
        if request.method not in self._methods:
            hint = f"methods: {', '.join(self._methods)}"
            raise InsightsError(f"there is no method {request.method!r}", hint=hint, status=422)
        method = self._methods[request.method]
        site = place_of(request, method, subject)
        meant, note = self._meant(request, method, subject)
        check_classes(meant, subject)
        return Question(
            subject=subject,
            method=method,
            arguments=method.check(request.arguments),
            meant=meant,
            layer=request.layer,
            site=site,
            baseline=request.baseline if method.uses_baseline else 0,
            functions=self._functions,
            note=note,
        )

    def _meant(self, request: AttributionRequest, method: Method, subject: Subject) -> tuple[Meant, str]:
        """What is asked for, or else the label where labels are explained, or else the predicted class, and why."""
        if request.neuron is not None:
            return Meant(neuron=request.neuron), ""
        if not method.uses_target:
            return Meant(), ""
        if isinstance(request.target, str):
            if request.against is not None:
                hint = "give the number of a class as target, or leave `against` out"
                raise InsightsError("a function of the outputs has no other class to go against", hint=hint, status=422)
            return Meant(function=check_function(request.target, self._functions)), ""
        if request.target is not None:
            return Meant(request.target, request.against), ""
        index, note = self._usual(request, subject)
        return Meant(index, request.against), note

    def _usual(self, request: AttributionRequest, subject: Subject) -> tuple[int, str]:
        row = next(r for r in self._index.predictions([request.sample])[request.sample] if r.model == request.model)
        predicted = row.predicted if row.predicted is not None else (row.classes or [0])[0]
        label, width = row.label if self._explains_label else None, subject.width
        if label is None or (width is not None and label >= width):
            return predicted, "" if label is None else NO_OUTPUT.format(label=label, width=width)
        return label, ""
