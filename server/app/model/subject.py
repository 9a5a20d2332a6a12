"""The one door to the user's code: a model with the features of its inputs, prepared for, predicted with, explained.

Nothing that a function of the user's is given is ever the stored example: each gets a copy of its own. The model is
called inside the engine's isolation, so that looking at it leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial

import torch
from torch import Tensor, nn

from app.data.example import Example
from app.data.features import BaseFeature, Shown
from app.errors import InsightsError, arrived
from app.model.case import Case, noted
from app.model.copies import Tensors
from app.model.device import device_of
from app.model.layers import Anatomy, look
from app.model.outputs import Outputs
from app.model.weights import Weights
from app.schema import Baseline, Task
from app.words import quoted
from attribution_core import Layer
from attribution_core.evaluation.isolation import submodules, undisturbed


@dataclass(frozen=True, eq=False)
class Prepared:
    """An example as a model takes it: inputs (transformed, without batch dimension), further arguments as they are."""

    inputs: Tensors
    extra: tuple[object, ...]

    @property
    def key(self) -> object:
        """Examples with the same key can share a forward pass."""
        plain = [id(x) for x in self.extra if not isinstance(x, Tensor)]
        tensors = [(x.shape, x.dtype) for x in self.inputs]
        return tensors, [x.shape for x in self.extra if isinstance(x, Tensor)], plain


class Subject:
    """A model, the features of its inputs, and how its outputs are read."""

    def __init__(self, name: str, model: nn.Module, features: Sequence[BaseFeature], outputs: Outputs) -> None:
        self.name, self.model, self.features, self.outputs = name, model, features, outputs
        self.task: Task | None = None  # this and the width are known once an example has been predicted
        self.width: int | None = None
        self.anatomy: Anatomy | None = None  # known once somebody has asked for the layers
        self._alone = False  # it answers wrongly for batches
        self._weights = Weights(model)
        self._predicted_with: set[str] = set()

    @property
    def device(self) -> torch.device:
        """Where the model lives now."""
        return device_of(self.model)

    @property
    def parameters(self) -> int:
        """How many numbers the model has learned."""
        return sum(parameter.numel() for parameter in self.model.parameters())

    def fingerprint(self) -> str:
        """The same for the same weights."""
        return self._weights.fingerprint()

    @property
    def changed(self) -> bool:
        """Whether its weights are no longer those that predicted."""
        return bool(self._predicted_with) and self._predicted_with != {self.fingerprint()}

    def prepare(self, example: Example) -> Prepared:
        """The model's input for an example."""
        pairs = zip(self.features, example.inputs, strict=True)
        return Prepared(tuple(feature.transform(data.clone()) for feature, data in pairs), example.extra)

    def predict(self, batch: Sequence[Prepared]) -> Tensor:
        """Scores (B, C) in float32 on the CPU, for examples with the same `key`."""
        device = self.device
        inputs = tuple(torch.stack(column).to(device) for column in zip(*(x.inputs for x in batch), strict=True))
        extra = tuple(_joined(column, device) for column in zip(*(x.extra for x in batch), strict=True))
        with undisturbed(submodules(self.model), inputs), torch.no_grad():
            task, scores = self.outputs.read(self._called(inputs, extra))
        self._check(scores, len(batch))
        self.task, self.width = task, scores.shape[1]
        self._predicted_with.add(self.fingerprint())
        return scores.cpu()

    def _check(self, scores: Tensor, batch: int) -> None:
        """Refuse outputs that are not one for each example, and those of another width than before."""
        if len(scores) != batch or (self._alone and batch > 1):
            self._alone = self._alone or batch == 1  # several rows for one example may be as many for several by chance
            raise InsightsError(
                f"the model gave {len(scores)} outputs for a batch of {batch}",
                hint="the first dimension of the output must count the examples",
            )
        if self.width is not None and scores.shape[1] != self.width:
            raise InsightsError(
                f"the model gave {scores.shape[1]} outputs for an example, and {self.width} before",
                hint="it must give the same ones for every example; a model with another head needs a new visualizer",
            )

    def _called(self, inputs: Tensors, extra: tuple[object, ...]) -> object:
        with noted(partial(self._called_with, inputs, extra)):
            return self.model(*inputs, *extra)

    def _called_with(self, inputs: Tensors, extra: tuple[object, ...]) -> str:
        """What the model was given, and what to do where that is not of the type of its weights."""
        said = f"The model {self.name} was called with {arrived([*inputs, *extra])}."
        weights = next((p.dtype for p in self.model.parameters() if p.is_floating_point()), None)
        takes_ids = any(isinstance(part, nn.Embedding) for part in self.model.modules())
        if weights is None or takes_ids or all(x.dtype == weights for x in inputs):
            return said
        name = str(weights).removeprefix("torch.")
        return f"{said} Its weights are {name}: try input_transforms=[lambda x: x.to({weights})]."

    def case(self, prepared: Prepared, baseline: Baseline | None, embedded: bool = True) -> Case:
        """The example for the engine to explain, tokens as vectors if `embedded`; `baseline` None: none is needed."""
        device = self.device
        inputs = tuple(data[None].to(device) for data in prepared.inputs)
        extra = tuple(x.to(device) if isinstance(x, Tensor) else x for x in prepared.extra)
        chosen = [] if baseline is None else self._baselines(prepared, baseline)
        baselines = [tuple(data[None].to(device) for data in each) for each in chosen]
        made = Case.of if embedded else Case
        return made(self.model, inputs, baselines, extra, partial(self._called_with, inputs, extra))

    def look(self, prepared: Prepared) -> Anatomy:
        """The model's layers, seen while it runs on an example."""
        case = self.case(prepared, None, embedded=False)
        with noted(case.note):
            self.anatomy = look(self.model, case.inputs, case.extra)
        return self.anatomy

    def layer(self, name: str) -> Layer:
        """A layer by its dotted name, with the number of its call or "sum" for all behind a colon."""
        modules = {path: module for path, module in self.model.named_modules() if path}
        if name in modules:
            return Layer(modules[name])
        path, _, call = name.rpartition(":")
        if path in modules and (call == "sum" or call.isdecimal()):
            return Layer(modules[path], call="sum" if call == "sum" else int(call))
        near = get_close_matches(name, modules, n=3, cutoff=0)
        raise InsightsError(
            f"the model {self.name} has no layer {quoted(name)}",
            hint=f"did you mean {', '.join(near)}?" if near else "it is a function, or has no modules inside",
            status=422,
        )

    def _baselines(self, prepared: Prepared, baseline: Baseline) -> list[Tensors]:
        """The baselines asked for; an input with fewer of them than others repeats its last."""
        pairs = zip(self.features, prepared.inputs, strict=True)
        options = [_own_baselines(feature, data) for feature, data in pairs]
        numbers = _chosen(baseline, max(map(len, options)))
        return [tuple(choice[min(k, len(choice) - 1)] for choice in options) for k in numbers]


def show(features: Sequence[BaseFeature], example: Example) -> list[Shown]:
    """What to draw of each input."""
    return [show_one(feature, data) for feature, data in zip(features, example.inputs, strict=True)]


def show_one(feature: BaseFeature, data: Tensor) -> Shown:
    """What to draw of an input."""
    with noted(lambda: f"The show() of feature {feature.name!r} was given {arrived([data])}."):
        shown: object = feature.show(data.clone())
    if not isinstance(shown, Shown):
        raise InsightsError(
            f"feature {feature.name!r} cannot be shown: its show() gave a {type(shown).__name__}",
            hint="expected a Picture, Words, Numbers or None, all of app.features",
        )
    return shown


def _own_baselines(feature: BaseFeature, data: Tensor) -> list[Tensor]:
    given: object = feature.baselines(data.clone())
    if not isinstance(given, list | tuple) or not given or not all(isinstance(x, Tensor) for x in given):
        raise InsightsError(
            f"the baselines() of feature {feature.name!r} gave {arrived([given])}", hint="expected a list of tensors"
        )
    return list(given)


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


def _joined(column: tuple[object, ...], device: torch.device) -> object:
    tensors = [x for x in column if isinstance(x, Tensor)]
    return torch.cat(tensors).to(device) if tensors else column[0]
