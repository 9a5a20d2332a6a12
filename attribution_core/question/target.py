"""What to explain: which single number per example is the score."""

from __future__ import annotations

import operator
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.errors import AttributionError
from attribution_core.question.taps import Tap, WhichCall

TargetLike = (
    int
    | str
    | tuple[int, ...]
    | Tensor
    | Sequence[int]
    | Sequence[str]
    | Sequence[tuple[int, ...]]
    | Callable[..., Tensor]
    | None
)
"""What a user may pass as `target`: Captum's forms, a label, "pred" for the predicted class, or a function."""

Selector = int | tuple[int | slice, ...] | Callable[..., Tensor]
"""Which neuron of a layer: its index, an index or slice for each dimension, or a function of the layer's values."""

_labels: ContextVar[tuple[str, ...] | None] = ContextVar("attribution_core_labels", default=None)


@contextmanager
def labelled(names: Sequence[str]) -> Iterator[None]:
    """Inside, `target` may be one of these names, which stand for the classes 0, 1, …

    Hugging Face models bring theirs along (`model.config.id2label`).
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
        raise AttributionError(f"labelled({names!r}): expected a list of different names, one for each class.")
    token = _labels.set(tuple(names))
    try:
        yield
    finally:
        _labels.reset(token)


def names_of(forward: object) -> tuple[str, ...]:
    """The names of a model's classes: those of an enclosing `labelled`, or those in its configuration."""
    known = _labels.get()
    if known is not None:
        return known
    found = getattr(getattr(forward, "config", None), "id2label", None)
    return tuple(map(str, found.values())) if isinstance(found, Mapping) else ()


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

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Select the element of each row; an output that is one number stays one number."""
        outputs = as_tensor(run())
        rows = outputs.shape[0] if outputs.dim() else 1
        chosen = self._chosen(outputs, copies)
        if chosen.numel() != rows:
            raise wrong_target(f"{self} leaves {chosen.numel() // max(1, rows)} numbers per example", outputs, copies)
        return chosen if chosen.dim() == 1 else chosen.reshape(rows)

    def examples(self, start: int, stop: int) -> Target:
        """The rows of these examples, if each has its own."""
        return self if self.index is None or len(self.index) == 1 else Output(self.index[start:stop])

    def _chosen(self, outputs: Tensor, copies: int) -> Tensor:
        if self.index is None or (outputs.dim() == 1 and set(self.index) == {(0,)}):
            return outputs
        sizes = outputs.shape[1:]
        inside = all(len(row) <= len(sizes) and all(map(operator.lt, row, sizes)) for row in self.index)
        if not inside or outputs.shape[0] % len(self.index):
            raise wrong_target(f"{self} does not select from it", outputs, copies)
        if len(self.index) == 1:
            for place in self.index[0]:
                outputs = outputs.select(1, place)
            return outputs
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
        batches = _batches(outputs, copies)
        parts = [self._one(part) for part in batches]
        return torch.cat(parts) if len(parts) > 1 else parts[0]

    def _one(self, outputs: Any) -> Tensor:
        scores = self.function(outputs)
        if not isinstance(scores, Tensor) or scores.dim() > 2 or (scores.dim() == 2 and scores.shape[1] != 1):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise wrong_target(f"the target function returned {got}, not one score per example", outputs)
        return scores.reshape(-1)


@dataclass(frozen=True)
class Predicted(Target):
    """The class with the highest score, as a number: what "pred" stands for on the original inputs."""

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """The index of the largest output of each row."""
        outputs = as_tensor(run())
        if outputs.dim() != 2:
            raise wrong_target("target='pred' needs one score per class, (B, classes)", outputs, copies)
        return outputs.argmax(1)


@dataclass(frozen=True)
class Copied(Target):
    """A target of a batch that, to a method, are `count` stacked copies of another."""

    target: Target
    count: int

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
        """Each copy by itself."""
        return self.target.scores(run, copies * self.count)


@dataclass(frozen=True)
class Neuron(Target):
    """An element of what a layer computes (or receives), or a function of it."""

    layer: nn.Module
    selector: Selector
    of_input: bool = False
    call: WhichCall = None

    def __post_init__(self) -> None:
        parts = self.selector if isinstance(self.selector, tuple) else (self.selector,)
        numbers = [part for part in parts if not isinstance(part, slice)]
        if callable(self.selector):
            return
        if not parts or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in numbers):
            raise AttributionError(
                f"neuron_selector={self.selector!r}: expected integers ≥ 0 and slices, one for each dimension.",
                "Or a function of the layer's values that returns one number per example.",
            )

    def scores(self, run: Callable[[], Any], copies: int) -> Tensor:
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
        inside = all(isinstance(i, slice) or i < n for i, n in zip(index, sizes, strict=False))
        if len(values) > 1 or len(index) != len(sizes) or not inside:
            raise self._not_there(values)
        every: list[Any] = [slice(None), *index]
        found = value[tuple(every)]
        return found if found.dim() == 1 else found.reshape(len(found), -1).sum(1)

    def _not_there(self, values: tuple[Tensor, ...]) -> AttributionError:
        shapes = [tuple(value.shape) for value in values]
        last: Any = tuple(n - 1 for n in shapes[0][1:])
        examples = [] if len(values) > 1 else [f"{last[0] if len(last) == 1 else last}"]
        examples += ["a function of the layer's values, returning one number per example"]
        return AttributionError(
            f"neuron_selector={self.selector!r} does not select from the layer's values, of shape "
            f"{', '.join(map(str, shapes))}.",
            f"Valid here: {'; '.join(examples)}.",
        )


def as_tensor(outputs: Any) -> Tensor:
    """The tensor that an index selects from: the output itself, or of several named ones the logits or the only one."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, (int, float)):
        return torch.tensor(float(outputs))
    named = _named(outputs)
    if len(named) == 1 or isinstance(named.get("logits"), Tensor):
        return named.get("logits", next(iter(named.values())))
    raise AttributionError(
        f"The model returned a {type(outputs).__name__}"
        f"{f' with {_listed(named)}' if named else ''}; an index selects from one tensor.",
        "Pass target=lambda outputs: … returning one score per example"
        + (f", such as outputs[{next(iter(named))!r}][:, 0]." if named else "."),
    )


def _named(outputs: Any) -> dict[Any, Tensor]:
    if isinstance(outputs, (tuple, list)):
        return {place: value for place, value in enumerate(outputs) if isinstance(value, Tensor)}
    if not isinstance(outputs, Mapping):
        return {}
    return {name: value for name, value in outputs.items() if isinstance(value, Tensor)}


def _listed(named: dict[Any, Tensor]) -> str:
    return ", ".join(f"{name} {tuple(value.shape)}" for name, value in named.items())


def _batches(outputs: Any, copies: int) -> list[Any]:
    """What the model would have returned for each of the stacked batches."""
    leaves, form = tree_flatten(outputs)
    rows = {len(leaf) for leaf in leaves if isinstance(leaf, Tensor) and leaf.dim()}
    if copies == 1 or not rows or max(rows) % copies:
        return [outputs]

    def part(leaf: Any, copy: int) -> Any:
        grows = isinstance(leaf, Tensor) and leaf.dim() and len(leaf) == max(rows)
        return leaf.chunk(copies)[copy] if grows else leaf

    return [tree_unflatten([part(leaf, copy) for leaf in leaves], form) for copy in range(copies)]


def wrong_target(what: str, outputs: Any, copies: int = 1) -> AttributionError:
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


def as_target(target: TargetLike | Target, batch: int, forward: object = None) -> Target:
    """Read a user's `target` for a batch of examples; what no output of `forward` could satisfy is refused here."""
    if isinstance(target, int):
        return Output((_row(target, target),))
    if target is None or isinstance(target, Target):
        return target or Output()
    if isinstance(target, str):
        return _labelled(target, names_of(forward))
    if isinstance(target, list) and target and all(isinstance(entry, str) for entry in target):
        names = names_of(forward)
        return _for_each([_numbered(str(entry), names) for entry in target], target, batch)
    if isinstance(target, Tensor):
        return _from_tensor(target, batch)
    if callable(target):
        return Score(target)
    if isinstance(target, list):
        return _for_each(target, target, batch)
    return Output((_row(target, target),))


def _labelled(target: str, names: Sequence[str]) -> Target:
    return Predicted() if target == "pred" and "pred" not in names else Output(((_numbered(target, names),),))


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


def _numbered(name: str, names: Sequence[str]) -> int:
    if name in names:
        return list(names).index(name)
    shown = [*names[:8], *(["…"] if len(names) > 8 else [])]
    raise AttributionError(
        f"target={name!r} is no {'label of this model' if names else 'known label'}.",
        f'Known here: {", ".join(shown)}; or "pred", or an index.'
        if names
        else 'Name the classes by `with labelled(["cat", "dog"]):`, or pass "pred" or an index.',
    )


def _refused(target: object, why: str) -> AttributionError:
    return AttributionError(
        f"target={target!r} {why}.",
        'Pass an int, a label, "pred", a tuple (an index per output dimension), a list or 1-D integer tensor with an '
        "entry per example, or a function of the outputs.",
    )
