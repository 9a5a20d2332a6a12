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


@dataclass(frozen=True)
class Output(Target):
    """An element of the model's output: one index for all examples, or a row of indices (B, n) per example."""

    index: tuple[int, ...] | Tensor | None = None

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:  # noqa: ARG002 - rows tell the copies
        """Select the element of each row; an output that is one number stays one number."""
        outputs = run()
        outputs = outputs if isinstance(outputs, Tensor) else self._number(outputs)
        if self.index is None:
            return self._alone(outputs, outputs)
        index = torch.tensor([self.index]) if isinstance(self.index, tuple) else self.index
        if outputs.dim() == 1 and index.shape[1] == 1 and not index.any():
            return outputs
        self._check(outputs, index)
        if isinstance(self.index, tuple):
            return self._alone(outputs[(slice(None), *self.index)], outputs)
        rows = torch.arange(len(outputs), device=outputs.device)
        tiled = index.to(outputs.device)[rows % len(index)]
        return self._alone(outputs[(rows, *tiled.unbind(1))], outputs)

    def _check(self, outputs: Tensor, index: Tensor) -> None:
        sizes = outputs.shape[1:]
        largest = index.amax(0).tolist()
        inside = len(largest) <= len(sizes) and all(i < n for i, n in zip(largest, sizes, strict=False))
        if not inside or (isinstance(self.index, Tensor) and len(outputs) % len(index)):
            raise wrong_target(f"target {self._text()} does not select from it", outputs)

    def _alone(self, chosen: Tensor, outputs: Tensor) -> Tensor:
        rows = len(outputs) if outputs.dim() else 1
        if chosen.numel() != rows:
            raise wrong_target(f"target {self._text()} leaves {chosen.numel() // max(1, rows)} numbers per example", outputs)
        return chosen.reshape(rows)

    def _number(self, outputs: Any) -> Tensor:
        if isinstance(outputs, (int, float)):
            return torch.tensor(float(outputs))
        raise AttributionError(
            f"The model returned a {type(outputs).__name__}; an index selects from a tensor only.",
            "Pass target=lambda outputs: … returning one score per example.",
        )

    def _text(self) -> str:
        if isinstance(self.index, Tensor):
            return str([row[0] if len(row) == 1 else tuple(row) for row in self.index.tolist()])
        return str(self.index[0] if self.index and len(self.index) == 1 else self.index)


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
        index = self.selector if isinstance(self.selector, tuple) else (self.selector,)
        try:
            return values[0][(slice(None), *index)].flatten(1 if len(index) else 0).reshape(len(values[0]), -1).sum(1)
        except IndexError as error:
            raise AttributionError(
                f"neuron_selector {self.selector} does not select from the layer's values {tuple(values[0].shape)}."
            ) from error


def wrong_target(what: str, outputs: Any) -> AttributionError:
    """Say what the output looks like, and three targets that would work."""
    if not isinstance(outputs, Tensor):
        return AttributionError(f"The model's output is a {type(outputs).__name__}; {what}.")
    sizes = outputs.shape[1:]
    last = tuple(n - 1 for n in sizes)
    if not sizes:
        examples = ["target=None", "target=0", "target=lambda outputs: outputs"]
    elif len(sizes) == 1:
        examples = [f"target={last[0]}", "target=[0, …] (an index for each example)", "target=lambda outputs: outputs[:, 0]"]
    else:
        places = ", ".join("0" for _ in sizes)
        examples = [f"target={last}", f"target=[({places}), …] (a tuple for each example)",
                    f"target=lambda outputs: outputs[:, {places}]"]
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
        if len(target) != batch:
            raise _refused(target, f"has {len(target)} entries for {batch} examples")
        rows = [_index(entry if isinstance(entry, tuple) else (entry,), target) for entry in target]
        if len({len(row) for row in rows}) > 1:
            raise _refused(target, "has tuples of different lengths")
        return Output(torch.tensor(rows).reshape(batch, -1))
    return Output(_index(target if isinstance(target, tuple) else (target,), target))


def _from_tensor(target: Tensor, batch: int) -> Target:
    if target.is_floating_point() or target.is_complex() or target.dtype == torch.bool:
        raise _refused(target, f"has dtype {target.dtype}, not integers")
    if target.numel() == 1:
        return Output(_index((target.item(),), target))
    if target.shape != (batch,):
        raise _refused(target, f"has shape {tuple(target.shape)} for {batch} examples")
    _index(tuple(target.tolist()), target)
    return Output(target.detach().reshape(batch, 1).long().clone())


def _index(entries: tuple[Any, ...], given: object) -> tuple[int, ...]:
    try:
        if any(isinstance(entry, bool) for entry in entries):
            raise TypeError
        index = tuple(operator.index(entry) for entry in entries)
    except TypeError as error:
        raise _refused(given, "is not made of integers") from error
    if any(entry < 0 for entry in index):
        raise _refused(given, "is negative; count classes from 0")
    return index


def _refused(target: object, why: str) -> AttributionError:
    return AttributionError(
        f"target={target!r} {why}.",
        "Pass an int, a tuple (one index per output dimension), a list or 1-D integer tensor with one entry per example,"
        " or a function of the outputs.",
    )
