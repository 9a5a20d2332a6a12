"""The one door to the user's code: a model with the features of its inputs, prepared for, predicted with, explained.

Nothing that a function of the user's is given is ever the stored example: each gets a copy of its own. The model is
called inside the engine's isolation, so that looking at it leaves it as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FunctionType

import numpy as np
import torch
from torch import Tensor, nn

from app.data.features import BaseFeature, Shown
from app.data.source import Example
from app.errors import InsightsError, arrived
from app.model.device import device_of
from app.model.outputs import Outputs
from app.model.weights import Weights
from app.schema import Baseline, Task
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.evaluation.observe import observe
from attribution_core.question.embeddings import embedded

Tensors = tuple[Tensor, ...]
Target = Callable[[object], Tensor]
Ask = Callable[[nn.Module, Tensors, Tensors, Target, tuple[object, ...]], Sequence[Tensor]]
"""Attributions (1, …) of a module's inputs (1, …) against baselines, for a target and with further arguments."""

SETTERS = {"__init__", "train", "eval"}


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


@dataclass(frozen=True)
class Watcher:
    """Who is told how far an explanation is, and asked whether to go on."""

    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]


@dataclass(frozen=True, eq=False)
class Finding:
    """Attributions of one example's inputs in float64, the explained output there and at the baseline (on average)."""

    attributions: list[Tensor]
    output: float
    reference: float | None
    warnings: list[str]


class Subject:
    """A model, the features of its inputs, and how its outputs are read."""

    def __init__(self, name: str, model: nn.Module, features: Sequence[BaseFeature], outputs: Outputs) -> None:
        self.name, self.model, self.features, self.outputs = name, model, features, outputs
        self.task: Task | None = None  # this and the width are known once an example has been predicted
        self.width: int | None = None
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
            task, scores = self.outputs.read(_called(self.model, inputs, extra))
        if len(scores) != len(batch):
            raise InsightsError(
                f"the model gave {len(scores)} outputs for a batch of {len(batch)}",
                hint="the first dimension of the output must count the examples",
            )
        self.task, self.width = task, scores.shape[1]
        self._predicted_with.add(self.fingerprint())
        return scores.cpu()

    def explain(
        self, prepared: Prepared, ask: Ask, target: Target, baseline: Baseline | None, watcher: Watcher
    ) -> Finding:
        """Ask the engine; `baseline` None: the method needs none. Raises what it raises, `Cancelled` when told to."""
        case = _Case.of(self, prepared, baseline)
        said: list[str] = []
        sums: list[Tensor] = []
        for k, reference in enumerate(case.references):
            with observe(_share(watcher.progress, k, len(case.references)), watcher.cancelled, warned=said.append):
                found = ask(case.module, _copies(case.inputs), _copies(reference), target, _copied(case.extra))
            parts = [attribution.detach()[0].double().cpu() for attribution in found]
            sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
        at_baselines = [] if baseline is None else [case.output(target, reference) for reference in case.references]
        return Finding(
            attributions=[total / len(case.references) for total in sums],
            output=case.output(target, case.inputs),
            reference=float(np.mean(at_baselines)) if at_baselines else None,
            warnings=list(dict.fromkeys(said)),
        )

    @property
    def in_training(self) -> bool:
        """Whether the model, or a part whose answer depends on its mode, is in training mode."""
        model, children = self.model, list(self.model.children())
        wraps = children and not any(child.training for child in children)
        own = not (wraps or type(model).__module__.startswith("torch."))
        reacting = (module.training for module in submodules(model) if _reacts_to_mode(module))
        return (own and model.training) or any(reacting)


@dataclass(frozen=True, eq=False)
class _Case:
    """One example as the engine takes it: tokens as embeddings, batches of one, on the model's device."""

    module: nn.Module
    inputs: Tensors
    references: list[Tensors]
    extra: tuple[object, ...]

    @classmethod
    def of(cls, subject: Subject, prepared: Prepared, baseline: Baseline | None) -> _Case:
        device = subject.device
        inputs = tuple(data[None].to(device) for data in _copies(prepared.inputs))
        extra = tuple(x.to(device) if isinstance(x, Tensor) else x for x in _copied(prepared.extra))
        references = [inputs]
        if baseline is not None:
            references = [
                tuple(data[None].to(device) for data in chosen)
                for chosen in _baselines(subject.features, prepared, baseline)
            ]
        if all(x.is_floating_point() for x in inputs):
            return cls(subject.model, inputs, references, extra)
        lifted = embedded(subject.model, inputs, extra)
        return cls(lifted.module, lifted.inputs, [lifted.embed_all(reference) for reference in references], extra)

    def output(self, target: Target, at: Tensors) -> float:
        """The explained output for other inputs."""
        with undisturbed(submodules(self.module), at), torch.no_grad():
            return float(target(self.module(*_copies(at), *_copied(self.extra)))[0])


def show(features: Sequence[BaseFeature], example: Example) -> list[Shown]:
    """What to draw of each input."""
    return [show_one(feature, data) for feature, data in zip(features, example.inputs, strict=True)]


def show_one(feature: BaseFeature, data: Tensor) -> Shown:
    """What to draw of an input."""
    shown: object = feature.show(data.clone())
    if not isinstance(shown, Shown):
        raise InsightsError(
            f"feature {feature.name!r} cannot be shown: its show() gave a {type(shown).__name__}",
            hint="expected a Picture, Words, Numbers or None, all of app.features",
        )
    return shown


def _baselines(features: Sequence[BaseFeature], prepared: Prepared, baseline: Baseline) -> list[Tensors]:
    """The baselines asked for; an input with fewer of them than others repeats its last."""
    options = [feature.baselines(data.clone()) for feature, data in zip(features, prepared.inputs, strict=True)]
    return [
        tuple(choice[min(k, len(choice) - 1)] for choice in options) for k in _chosen(baseline, max(map(len, options)))
    ]


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


def _copies(tensors: Tensors) -> Tensors:
    return tuple(x.clone() for x in tensors)


def _copied(extra: tuple[object, ...]) -> tuple[object, ...]:
    return tuple(x.clone() if isinstance(x, Tensor) else x for x in extra)


def _joined(column: tuple[object, ...], device: torch.device) -> object:
    tensors = [x for x in column if isinstance(x, Tensor)]
    return torch.cat(tensors).to(device) if tensors else column[0]


def _share(progress: Callable[[int, int], None], k: int, rounds: int) -> Callable[[int, int], None]:
    return lambda done, total: progress(k * total + done, rounds * total)


def _called(model: nn.Module, inputs: Tensors, extra: tuple[object, ...]) -> object:
    try:
        return model(*inputs, *extra)
    except Exception as error:
        error.add_note(f"The model was called with {arrived([*inputs, *extra])}.")
        raise


def _reacts_to_mode(module: nn.Module) -> bool:
    """Whether its own code asks `self.training`, and is no dropout of nothing."""
    if any(isinstance(rate, int | float) and rate == 0 for rate in map(vars(module).get, ("p", "dropout"))):
        return False
    kind = getattr(nn, getattr(module, "original_name", ""), type(module))  # scripted modules hide theirs
    classes = kind.__mro__[: kind.__mro__.index(nn.Module)] if issubclass(kind, nn.Module) else ()
    methods = (value for each in classes for name, value in vars(each).items() if name not in SETTERS)
    return any("training" in method.__code__.co_names for method in methods if isinstance(method, FunctionType))
