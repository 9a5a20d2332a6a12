"""What to explain: which single number per example is the score."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.errors import AttributionError, SeveralOutputs
from attribution_core.question.taps import Tap, WhichCall
from attribution_core.reading.values import as_tensor as from_array
from attribution_core.reading.values import check_dense, is_integer, is_number, shown
from attribution_core.types import Selector


class Target(ABC):
    """Turns a run of the model into one score per row."""

    @abstractmethod
    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """Run the model once over `copies` stacked batches and return the scores of all rows, shape (rows,)."""

    def examples(self, start: int, stop: int) -> Target:  # noqa: ARG002 - most targets are the same for all
        """The target of examples start…stop of a batch."""
        return self

    def repeated(self, copies: int) -> Target:  # noqa: ARG002 - most targets look at each row by itself
        """The target of a batch that is made of `copies` stacked batches."""
        return self


_ONLY = {(0,), (-1,)}
"""The class of outputs (B,)."""


def _within(index: int, size: int) -> bool:
    return -size <= index < size


@dataclass(frozen=True)
class Output(Target):
    """An element of the model's output: one row of indices for all examples, or a row for each; None: the only one.

    Negative indices count from the end.

    `batches`: of how many stacked batches that is made which a method takes for one.
    """

    index: tuple[tuple[int, ...], ...] | None = None
    batches: int = 1

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """Select the element of each row; an output that is one number stays one number."""
        outputs, copies = as_tensor(run()), copies * self.batches
        shape = outputs.shape  # asked once: where a rule is applied, it sees every such question
        rows = shape[0] if shape else 1
        chosen, left = self._chosen(outputs, shape, copies)
        if math.prod(left) != rows:
            error = wrong_target(
                f"{self} leaves {math.prod(left) // max(1, rows)} numbers per example", outputs, copies
            )
            raise SeveralOutputs(error.message, error.hint)
        return chosen if len(left) == 1 else chosen.reshape(rows)

    def examples(self, start: int, stop: int) -> Target:
        """The rows of these examples, if each has its own."""
        return self if self.index is None or len(self.index) == 1 else replace(self, index=self.index[start:stop])

    def repeated(self, copies: int) -> Target:
        """The same element of each of the stacked batches."""
        return replace(self, batches=self.batches * copies)

    def _chosen(self, outputs: Tensor, shape: torch.Size, copies: int) -> tuple[Tensor, tuple[int, ...]]:
        """The elements of outputs of a shape, and the shape of what is chosen."""
        if not self.index or (len(shape) == 1 and set(self.index) <= _ONLY):
            return outputs, shape
        sizes = shape[1:]
        inside = all(len(row) <= len(sizes) and all(map(_within, row, sizes)) for row in self.index)
        if not inside or shape[0] % len(self.index):
            raise wrong_target(f"{self} does not select from it", outputs, copies)
        left = (shape[0], *sizes[len(self.index[0]) :])
        if len(self.index) == 1:
            for place in self.index[0]:
                outputs = outputs.select(1, place)
            return outputs, left
        columns = torch.tensor(self.index, device=outputs.device).repeat(shape[0] // len(self.index), 1)
        return outputs[(torch.arange(shape[0], device=outputs.device), *columns.unbind(1))], left

    def __str__(self) -> str:
        rows = [row[0] if len(row) == 1 else row for row in self.index or ()]
        return f"target={None if self.index is None else rows[0] if len(rows) == 1 else rows}"


@dataclass(frozen=True)
class Score(Target):
    """A function of the model's outputs for one batch, returning one score per example, shape (B,).

    What is taken for a batch may itself be made of several `batches`, stacked: the function sees them one by one.
    """

    function: Callable[..., Tensor]
    batches: int = 1

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """Apply the function to each stacked batch by itself, so that it may rely on the order of the examples."""
        outputs = run()
        parts = [self._one(part) for part in _batches(outputs, copies * self.batches)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def repeated(self, copies: int) -> Target:
        """The function of each of the stacked batches."""
        return replace(self, batches=self.batches * copies)

    def _one(self, outputs: object) -> Tensor:
        scores = self.function(outputs)
        if not isinstance(scores, Tensor) or scores.dim() > 2 or (scores.dim() == 2 and scores.shape[1] != 1):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise wrong_target(f"the target function returned {got}, not one score per example", outputs)
        check_real(scores)
        return scores.reshape(-1)


@dataclass(frozen=True)
class Predicted(Target):
    """The class with the highest score, as a number: what "pred" stands for on the original inputs."""

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """The index of the largest output of each row."""
        outputs = as_tensor(run())
        if outputs.dim() != 2:
            raise wrong_target("target='pred' needs one score per class, (B, classes)", outputs, copies)
        return outputs.argmax(1)


@dataclass(frozen=True)
class Neuron(Target):
    """An element of what a layer computes (or receives), or a function of it."""

    layer: nn.Module
    selector: Selector
    of_input: bool = False
    call: WhichCall = None

    def __post_init__(self) -> None:
        parts: tuple[object, ...] = self.selector if isinstance(self.selector, tuple) else (self.selector,)
        numbers = [part for part in parts if not isinstance(part, slice)]
        if callable(self.selector):
            return
        if not parts or not all(is_integer(n) and int(n) >= 0 for n in numbers):
            raise AttributionError(
                f"neuron_selector={shown(self.selector)}: expected integers ≥ 0 and slices, one for each dimension.",
                "Or a function of the layer's values that returns one number per example.",
            )

    def scores(self, run: Callable[[], object], copies: int) -> Tensor:
        """Run the model and read the neuron of every row; a slice of neurons, or of calls, is summed."""
        with Tap(self.layer, self.of_input, self.call) as tap:
            run()
        values = tap.kept()
        if self.call == "sum":
            return torch.stack([self.chosen((value,), copies) for value in values]).sum(0)
        return self.chosen(values, copies)

    def chosen(self, values: tuple[Tensor, ...], copies: int) -> Tensor:
        """The neuron of every row of the layer's values, or of their gradients."""
        if callable(self.selector):
            return Score(self.selector).scores(lambda: values[0] if len(values) == 1 else values, copies)
        index = self.selector if isinstance(self.selector, tuple) else (self.selector,)
        value, sizes = values[0], values[0].shape[1:]
        inside = len(index) <= len(sizes) and all(
            isinstance(i, slice) or i < n for i, n in zip(index, sizes, strict=False)
        )
        if len(values) > 1 or not inside or math.prod(sizes[len(index) :]) != 1:
            raise self._not_there(values)
        chosen = value[(slice(None), *index)]
        return chosen if chosen.dim() == 1 else chosen.flatten(1).sum(1)

    def _not_there(self, values: tuple[Tensor, ...]) -> AttributionError:
        shapes = [tuple(value.shape) for value in values]
        last = tuple(n - 1 for n in shapes[0][1:])
        examples = [] if len(values) > 1 else [f"{last[0] if len(last) == 1 else last}"]
        examples += ["a function of the layer's values, returning one number per example"]
        return AttributionError(
            f"neuron_selector={self.selector!r} does not select from the layer's values, of shape "
            f"{', '.join(map(str, shapes))}.",
            f"Valid here: {'; '.join(examples)}.",
        )


def as_tensor(outputs: object) -> Tensor:
    """The tensor that an index selects from: the output itself, or of several named ones the logits or the only one."""
    if isinstance(outputs, Tensor):
        check_real(outputs)
        return outputs
    if is_number(outputs):
        return torch.tensor(outputs, dtype=torch.float64)
    if isinstance(outputs, np.ndarray):
        return from_array("The model's output", outputs)
    named = _named(outputs)
    if len(named) == 1 or isinstance(named.get("logits"), Tensor):
        return named.get("logits", next(iter(named.values())))
    raise AttributionError(
        f"The model returned a {type(outputs).__name__}"
        f"{f' with {_listed(named)}' if named else ''}; an index selects from one tensor.",
        "Pass target=lambda outputs: … returning one score per example"
        + (f", such as outputs[{next(iter(named))!r}][:, 0]." if named else "."),
    )


def check_real(scores: Tensor) -> None:
    """Refuse numbers that have no order."""
    check_dense("The model's output", scores)
    if scores.is_complex():
        raise AttributionError(
            f"The model's output is {scores.dtype}; scores are real numbers.",
            "Pass target=lambda outputs: outputs.abs()[:, 0], or another function of them.",
        )


def _named(outputs: object) -> dict[object, Tensor]:
    if isinstance(outputs, (tuple, list)):
        return {place: value for place, value in enumerate(outputs) if isinstance(value, Tensor)}
    if not isinstance(outputs, Mapping):
        return {}
    return {name: value for name, value in outputs.items() if isinstance(value, Tensor)}


def _listed(named: dict[object, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in named.items())


def _batches(outputs: object, copies: int) -> list[object]:
    """What the model would have returned for each of the stacked batches."""
    leaves, form = tree_flatten(outputs)
    rows = {len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.dim()}
    if copies == 1 or not rows or max(rows) % copies:
        return [outputs]

    def part(leaf: object, copy: int) -> object:
        if isinstance(leaf, Tensor) and leaf.dim() and len(leaf) == max(rows):
            return leaf.chunk(copies)[copy]
        return leaf

    return [tree_unflatten([part(leaf, copy) for leaf in leaves], form) for copy in range(copies)]


def wrong_target(what: str, outputs: object, copies: int = 1) -> AttributionError:
    """Say what the output of one batch looks like, and three targets that would work."""
    if not isinstance(outputs, Tensor):
        shapes = _listed(_named(outputs))
        return AttributionError(
            f"The model's output is a {type(outputs).__name__}{f' with {shapes}' if shapes else ''}; {what}."
        )
    sizes = outputs.shape[1:]
    shape = (outputs.shape[0] // copies, *sizes) if outputs.dim() else ()
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
    return AttributionError(f"The model's output has shape {shape}; {what}.", f"Valid here: {'; '.join(examples)}.")
