"""What to explain: which single number per example is the score."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError
from attribution_core.taps import Tap

TargetLike = int | tuple[int, ...] | Tensor | Sequence[int] | Sequence[tuple[int, ...]] | Callable[..., Tensor] | None
"""What a user may pass as `target`: Captum's forms, or a function of the outputs."""


class Target(ABC):
    """Turns a run of the model into one score per row."""

    @abstractmethod
    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Run the model once over `copies` stacked batches and return the scores of all rows, shape (rows,)."""

    def examples(self, start: int, stop: int) -> Target:  # noqa: ARG002 - most targets are the same for all
        """The target of examples start…stop of a batch."""
        return self


@dataclass(frozen=True)
class Output(Target):
    """An element of the model's output: one row of indices for all examples, or a row for each; None: the only one."""

    index: tuple[tuple[int, ...], ...] | None = None

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:  # noqa: ARG002 - rows tell the copies
        """Select the element of each row; an output that is one number stays one number."""
        outputs = _as_tensor(run())
        rows = len(outputs) if outputs.dim() else 1
        chosen = self._chosen(outputs)
        if chosen.numel() != rows:
            raise wrong_target(f"{self} leaves {chosen.numel() // max(1, rows)} numbers per example", outputs)
        return chosen.reshape(rows)

    def examples(self, start: int, stop: int) -> Target:
        """The rows of these examples, if each has its own."""
        return self if self.index is None or len(self.index) == 1 else Output(self.index[start:stop])

    def _chosen(self, outputs: Tensor) -> Tensor:
        if self.index is None or (outputs.dim() == 1 and set(self.index) == {(0,)}):
            return outputs
        sizes = outputs.shape[1:]
        inside = all(len(row) <= len(sizes) and all(map(operator.lt, row, sizes)) for row in self.index)
        if not inside or len(outputs) % len(self.index):
            raise wrong_target(f"{self} does not select from it", outputs)
        if len(self.index) == 1:
            every: list[Any] = [slice(None), *self.index[0]]
            return outputs[tuple(every)]
        columns = torch.tensor(self.index, device=outputs.device).repeat(len(outputs) // len(self.index), 1)
        return outputs[(torch.arange(len(outputs), device=outputs.device), *columns.unbind(1))]

    def __str__(self) -> str:
        rows = [row[0] if len(row) == 1 else row for row in self.index or ()]
        return f"target={None if self.index is None else rows[0] if len(rows) == 1 else rows}"


@dataclass(frozen=True)
class Score(Target):
    """A function of the model's outputs for one batch, returning one score per example, shape (B,)."""

    function: Callable[..., Tensor]

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Apply the function to each stacked batch by itself, so that it may rely on the order of the examples."""
        outputs = run()
        split = copies > 1 and isinstance(outputs, Tensor) and outputs.dim() > 0 and len(outputs) % copies == 0
        parts = [self._one(part) for part in (outputs.chunk(copies) if split else (outputs,))]
        return torch.cat(parts) if split else parts[0]

    def _one(self, outputs: Any) -> Tensor:
        scores = self.function(outputs)
        if not isinstance(scores, Tensor) or scores.dim() > 2 or (scores.dim() == 2 and scores.shape[1] != 1):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise wrong_target(f"the target function returned {got}, not one score per example", outputs)
        return scores.reshape(-1)


@dataclass(frozen=True)
class Neuron(Target):
    """An element of what a layer computes (or receives), or a function of it."""

    layer: nn.Module
    selector: int | tuple[int | slice, ...] | Callable[..., Tensor]
    of_input: bool = False

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Run the model and read the neuron of every row; a slice of neurons is summed."""
        with Tap(self.layer, self.of_input) as tap:
            run()
        values = tap.only()
        if callable(self.selector):
            return Score(self.selector).scores(lambda: values[0] if len(values) == 1 else values, copies)
        index: list[Any] = [slice(None), *(self.selector if isinstance(self.selector, tuple) else (self.selector,))]
        try:
            return values[0][tuple(index)].reshape(len(values[0]), -1).sum(1)
        except IndexError as error:
            raise AttributionError(
                f"Neuron {self.selector} is not in the layer's values of shape {tuple(values[0].shape)}."
            ) from error


def _as_tensor(outputs: Any) -> Tensor:
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, (int, float)):
        return torch.tensor(float(outputs))
    raise AttributionError(
        f"The model returned a {type(outputs).__name__}; an index selects from a tensor only.",
        "Pass target=lambda outputs: … returning one score per example.",
    )


def wrong_target(what: str, outputs: Any) -> AttributionError:
    """Say what the output looks like, and three targets that would work."""
    if not isinstance(outputs, Tensor):
        return AttributionError(f"The model's output is a {type(outputs).__name__}; {what}.")
    sizes = outputs.shape[1:]
    last = tuple(n - 1 for n in sizes)
    if not sizes:
        examples = ["target=None", "target=0", "target=lambda outputs: outputs"]
    elif len(sizes) == 1:
        examples = [
            f"target={last[0]}",
            "target=[0, …] (an index for each example)",
            "target=lambda outputs: outputs[:, 0]",
        ]
    else:
        places = ", ".join("0" for _ in sizes)
        examples = [
            f"target={last}",
            f"target=[({places}), …] (a tuple for each example)",
            f"target=lambda outputs: outputs[:, {places}]",
        ]
    return AttributionError(
        f"The model's output has shape {tuple(outputs.shape)}; {what}.", f"Valid here: {'; '.join(examples)}."
    )


def as_target(target: TargetLike | Target, batch: int) -> Target:
    """Read a user's `target` for a batch of examples; what no output could satisfy is refused here."""
    if target is None or isinstance(target, Target):
        return target or Output()
    if isinstance(target, Tensor):
        return _from_tensor(target, batch)
    if callable(target):
        return Score(target)
    if isinstance(target, list):
        return _for_each(target, target, batch)
    return Output((_row(target, target),))


def _from_tensor(target: Tensor, batch: int) -> Target:
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise _refused(target, f"has dtype {target.dtype}, not integers")
    if target.numel() == 1:
        return Output((_row(target.item(), target),))
    if target.dim() != 1:
        raise _refused(target, f"has shape {tuple(target.shape)} for {batch} examples")
    return _for_each(target.tolist(), target, batch)


def _for_each(entries: list[Any], given: object, batch: int) -> Target:
    if len(entries) != batch or not entries:
        raise _refused(given, f"has {len(entries)} entries for {batch} examples")
    rows = tuple(_row(entry, given) for entry in entries)
    if len({len(row) for row in rows}) > 1:
        raise _refused(given, "has tuples of different lengths")
    return Output(rows)


def _row(entry: Any, given: object) -> tuple[int, ...]:
    entries = entry if isinstance(entry, tuple) else (entry,)
    try:
        if any(isinstance(part, bool) for part in entries):
            raise TypeError
        row = tuple(operator.index(part) for part in entries)
    except TypeError as error:
        raise _refused(given, "is not made of integers") from error
    if not row or min(row) < 0:
        raise _refused(given, "is negative or empty; indices count from 0")
    return row


def _refused(target: object, why: str) -> AttributionError:
    return AttributionError(
        f"target={target!r} {why}.",
        "Pass an int, a tuple (an index per output dimension), a list or 1-D integer tensor with an entry per example,"
        " or a function of the outputs.",
    )
