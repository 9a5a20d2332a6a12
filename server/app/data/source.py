"""The user's data as numbered examples: read lazily, readable again, bounded in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeGuard

import torch
from cachetools import LRUCache
from torch import Tensor
from torch.utils.data import DataLoader

from app.data.batch import Batch
from app.errors import InsightsError, as_error

MEMORY = 256 * 2**20  # bytes of examples: a thousand photos, or all of a small data set


@dataclass(frozen=True, eq=False)
class Example:
    """One example without batch dimension; `extra` are further arguments of the forward, tensors as batches of one."""

    inputs: tuple[Tensor, ...]
    label: int | None
    extra: tuple[object, ...] = ()

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        tensors = (*self.inputs, *(x for x in self.extra if isinstance(x, Tensor)))
        return 512 + sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class MapStyle(Protocol):
    """A dataset whose items have numbers."""

    def __len__(self) -> int:
        """How many there are."""

    def __getitem__(self, index: int, /) -> object:
        """One of them."""


class Source(Protocol):
    """Numbered examples."""

    @property
    def size(self) -> int | None:
        """How many there are, where the data tells."""

    def read(self, count: int) -> list[Example | Exception] | None:
        """The next examples in order, an exception in the place of one that failed; None at the end of the data.

        They are `count` at most where single examples can be read, else those of one batch.
        """

    def example(self, index: int) -> Example:
        """An example that has been read."""

    def close(self) -> None:
        """Free what is held."""


def open_source(dataset: object, inputs: int) -> Source:
    """A source over an iterable of `Batch`, a `DataLoader` or a map-style dataset, for models with `inputs` inputs."""
    if _is_map_style(dataset):
        return MapSource(dataset, inputs)
    if isinstance(dataset, Iterable):
        return StreamSource(dataset, inputs)
    raise InsightsError(
        f"dataset cannot be read: it is a {type(dataset).__name__}",
        hint="expected an iterable of app.Batch, a torch DataLoader, or a dataset with __getitem__ and __len__",
    )


class MapSource:
    """Examples of a map-style dataset, read again when they are needed again."""

    def __init__(self, dataset: MapStyle, inputs: int) -> None:
        self.dataset, self.inputs, self.size = dataset, inputs, len(dataset)
        self._next = 0
        self._lock = Lock()  # for what is in memory, never held while the dataset is read
        self._reading = Lock()  # datasets are not made for several threads
        self._recent: LRUCache[int, Example] = LRUCache(MEMORY, getsizeof=lambda example: example.bytes)

    def read(self, count: int) -> list[Example | Exception] | None:
        """The next examples; one that fails is an exception in its place."""
        if self._next >= self.size:
            return None
        numbers = range(self._next, min(self._next + count, self.size))
        self._next = numbers.stop
        return [self._attempt(index) for index in numbers]

    def _attempt(self, index: int) -> Example | Exception:
        try:
            return self.example(index)
        except Exception as error:
            return error

    def example(self, index: int) -> Example:
        """An example, from memory or from the dataset."""
        if (kept := self._in_memory(index)) is not None:
            return kept
        with self._reading:
            if (kept := self._in_memory(index)) is not None:
                return kept
            example = unbatched(self._item(index), self.inputs)
            with self._lock:
                if example.bytes <= self._recent.maxsize:
                    self._recent[index] = example
            return example

    def _in_memory(self, index: int) -> Example | None:
        with self._lock:
            return self._recent.get(index)

    def _item(self, index: int) -> object:
        try:
            return self.dataset[index]
        except Exception:
            raise
        except BaseException as error:
            raise as_error(error) from None

    def close(self) -> None:
        """Forget what was read."""
        with self._lock:
            self._recent.clear()


class StreamSource:
    """Examples of what can be read only once: kept in memory and, beyond `MEMORY` bytes, in temporary files."""

    def __init__(self, dataset: Iterable[object], inputs: int) -> None:
        self.dataset, self.inputs, self.size = dataset, inputs, _announced_length(dataset)
        self._iterator: Iterator[object] | None = None
        self._lock = Lock()
        self._kept: dict[int, Example | Path] = {}
        self._held = 0
        self._oldest = 0
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def read(self, count: int) -> list[Example | Exception] | None:  # noqa: ARG002  # a batch is as large as it is
        """The next batch's examples, however many; an error of the iterable itself is raised."""
        if self._iterator is None:
            self._iterator = iter(self.dataset)
        item = self._next(self._iterator)
        if item is None:
            return None
        examples = split(item, self.inputs)
        with self._lock:
            for example in examples:
                self._kept[len(self._kept)] = example
                self._held += example.bytes
            while self._held > MEMORY and self._oldest < len(self._kept) - 1:
                self._spill(self._oldest)
                self._oldest += 1
        return list(examples)

    @staticmethod
    def _next(iterator: Iterator[object]) -> object:
        try:
            return next(iterator, None)
        except RuntimeError as error:
            if isinstance(error.__cause__, StopIteration):
                return None  # a generator of `while True: yield Batch(*next(loader))` ends so (PEP 479)
            raise

    def _spill(self, index: int) -> None:
        example = self._kept[index]
        if isinstance(example, Path):
            return
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="attribution-insights-")
        path = Path(self._folder.name) / f"{index}.pt"
        torch.save((example.inputs, example.label, example.extra), path)
        self._held -= example.bytes
        self._kept[index] = path

    def example(self, index: int) -> Example:
        """An example that has been read, from memory or from its file."""
        with self._lock:
            kept = self._kept[index]
        # Written by this process a moment ago; additional arguments may be of any type that pickles.
        return Example(*torch.load(kept, weights_only=False)) if isinstance(kept, Path) else kept

    def close(self) -> None:
        """Delete the temporary files."""
        with self._lock:
            self._kept.clear()
            if self._folder:
                self._folder.cleanup()


def split(item: object, inputs: int) -> list[Example]:
    """The examples of one batch: a `Batch`, a tensor, (inputs, labels), or the inputs and labels side by side."""
    values: object
    given: object
    extra: object = None
    if isinstance(item, Batch):
        values, given, extra = item.inputs, item.labels, item.additional_args
    else:
        values, given = _inputs_and_label(item, inputs)
    tensors = _tensors(values, inputs)
    sizes = {tensor.shape[0] if tensor.dim() else 0 for tensor in tensors}
    if len(sizes) != 1:
        shapes = ", ".join(str(tuple(tensor.shape)) for tensor in tensors)
        raise InsightsError(
            f"the inputs of a batch do not have one batch size: shapes {shapes}",
            hint="the first dimension of every input counts the examples",
        )
    size = sizes.pop()
    labels = _labels(given, size)
    extras = () if extra is None else tuple(extra) if isinstance(extra, tuple | list) else (extra,)
    return [
        Example(tuple(x[i].detach().clone() for x in tensors), labels[i], _cut(extras, i, size)) for i in range(size)
    ]


def _cut(extras: tuple[object, ...], i: int, size: int) -> tuple[object, ...]:
    """One example's further arguments: tensors with a batch dimension as a batch of one, others as they are."""
    return tuple(
        x[i : i + 1].detach().clone() if isinstance(x, Tensor) and x.dim() and len(x) == size else x for x in extras
    )


def unbatched(item: object, inputs: int) -> Example:
    """The example of one item of a map-style dataset."""
    if isinstance(item, Batch):
        return split(item, inputs)[0]
    values, label = _inputs_and_label(item, inputs)
    tensors = tuple(x.detach().clone() for x in _tensors(values, inputs))  # the dataset may fill one buffer again
    return Example(tensors, _labels(None if label is None else torch.as_tensor(label)[None], 1)[0])


def _inputs_and_label(item: object, inputs: int) -> tuple[object, object]:
    if isinstance(item, tuple | list):
        if len(item) == 2 and isinstance(item[0], tuple | list):
            return tuple(item[0]), item[1]
        if len(item) == inputs + 1:
            return tuple(item[:-1]), item[-1]
        if len(item) == inputs:
            return tuple(item), None
    elif item is not None and not isinstance(item, dict | str):
        return (item,), None
    length = f" of {len(item)}" if isinstance(item, tuple | list | dict) else ""
    raise InsightsError(
        f"an item of the dataset cannot be read: a {type(item).__name__}{length}, for a model with {inputs} input(s)",
        hint="yield app.Batch(inputs=..., labels=...), or (inputs, label)",
    )


def _tensors(values: object, inputs: int) -> tuple[Tensor, ...]:
    tensors = tuple(torch.as_tensor(value) for value in (values if isinstance(values, tuple | list) else (values,)))
    if len(tensors) != inputs:
        raise InsightsError(
            f"the dataset gives {len(tensors)} input(s), but {inputs} feature(s) are declared",
            hint="give one feature for each input of the model, in order; EmptyFeature() for one that is not shown",
        )
    return tensors


def _labels(labels: object, size: int) -> list[int | None]:
    if labels is None:
        return [None] * size
    tensor = torch.as_tensor(labels)
    if tensor.dim() == 2 and tensor.shape[1] > 1 and bool(((tensor != 0).sum(1) == 1).all()):
        tensor = tensor.argmax(1)  # one-hot
    if tensor.numel() != size:
        raise InsightsError(
            f"labels of shape {tuple(tensor.shape)} do not fit a batch of {size}",
            hint="expected one class index for each example, shape (batch,)",
        )
    return [int(label) if label == int(label) and label >= 0 else None for label in tensor.reshape(-1).tolist()]


def _is_map_style(dataset: object) -> TypeGuard[MapStyle]:
    if isinstance(dataset, DataLoader | dict | str) or not (
        hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    ):
        return False
    return not (isinstance(dataset, list | tuple) and dataset and isinstance(dataset[0], Batch))


def _announced_length(dataset: object) -> int | None:
    if isinstance(dataset, DataLoader):
        try:
            return len(dataset.sampler)  # type: ignore[arg-type]  # an iterable dataset's sampler has no length
        except TypeError:
            return None
    if isinstance(dataset, list | tuple):
        return sum(len(batch.inputs if isinstance(batch.inputs, Tensor) else batch.inputs[0]) for batch in dataset)
    return None
