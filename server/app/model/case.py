"""One example as the engine takes it, and what the engine finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from app.errors import note as add_note
from app.model.copies import Tensors, copied, copies
from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.evaluation.observe import Cancelled, observe
from attribution_core.question.embeddings import embedded
from attribution_core.question.target import Target
from attribution_core.question.target_forms import as_target

Explained = Callable[[object], Tensor] | Target
"""Which number is explained: a function of the outputs (B,), or a neuron."""
Ask = Callable[[nn.Module, Tensors, Tensors, Explained | None, tuple[object, ...]], Sequence[Tensor]]
"""Attributions (1, …) of a module's inputs (1, …) or of its layer, against baselines, with further arguments."""


@dataclass(frozen=True)
class Watcher:
    """Who is told how far an explanation is, and asked whether to stop."""

    progress: Callable[[int, int], None]
    cancelled: Callable[[], bool]

    def in_round(self, k: int, rounds: int) -> Callable[[int, int], None]:
        """Reports on one of several rounds, as a part of all."""
        return lambda done, total: self.progress(k * total + done, rounds * total)


@contextmanager
def noted(note: Callable[[], str]) -> Iterator[None]:
    """Adds a note to an error of the user's own code that has none; those of the engine have a hint."""
    try:
        yield
    except (AttributionError, Cancelled):
        raise
    except Exception as error:
        if not getattr(error, "__notes__", None):
            add_note(error, note())
        raise


@dataclass(frozen=True, eq=False)
class Finding:
    """Attributions of one example in float64, the explained output there and at the baseline (on average).

    output: None where no output is explained.
    """

    attributions: list[Tensor]
    output: float | None
    reference: float | None
    warnings: list[str]


@dataclass(frozen=True, eq=False)
class Case:
    """An example for the engine: batches of one on the model's device; baselines if needed."""

    module: nn.Module
    inputs: Tensors
    baselines: list[Tensors]
    extra: tuple[object, ...]
    note: Callable[[], str]
    """What the model is given, for errors of its own."""

    @classmethod
    def of(
        cls,
        model: nn.Module,
        inputs: Tensors,
        baselines: list[Tensors],
        extra: tuple[object, ...],
        note: Callable[[], str],
    ) -> Case:
        """A case of the model, or of the model as a function of embeddings where an input is of token ids."""
        if all(x.is_floating_point() for x in inputs):
            return cls(model, inputs, baselines, extra, note)
        with noted(note):
            lifted = embedded(model, inputs, extra)
            baselines = [lifted.embed_all(baseline) for baseline in baselines]
        return cls(lifted.module, lifted.inputs, baselines, extra, note)

    def explain(self, ask: Ask, target: Explained | None, watcher: Watcher) -> Finding:
        """Ask the engine, on average over the baselines; raises what it raises, `Cancelled` when told to stop."""
        with noted(self.note):
            return self._explain(ask, target, watcher)

    def _explain(self, ask: Ask, target: Explained | None, watcher: Watcher) -> Finding:
        said: list[str] = []
        sums: list[Tensor] = []
        rounds = self.baselines or [self.inputs]
        for k, baseline in enumerate(rounds):
            with observe(watcher.in_round(k, len(rounds)), watcher.cancelled, warned=said.append):
                found = ask(self.module, copies(self.inputs), copies(baseline), target, copied(self.extra))
            parts = [attribution.detach()[0].double().cpu() for attribution in found]
            sums = [a + b for a, b in zip(sums, parts, strict=True)] if sums else parts
        return Finding(
            attributions=[total / len(rounds) for total in sums],
            output=None if target is None else self.output(target, self.inputs),
            reference=self._reference(target),
            warnings=list(dict.fromkeys(said)),
        )

    def _reference(self, target: Explained | None) -> float | None:
        if target is None or not self.baselines:
            return None
        return float(np.mean([self.output(target, x) for x in self.baselines]))

    def output(self, target: Explained, at: Tensors) -> float:
        """The explained output for other inputs."""
        with undisturbed(submodules(self.module), at), torch.no_grad():
            return float(as_target(target, 1).scores(lambda: self.module(*copies(at), *copied(self.extra)), 1)[0])
