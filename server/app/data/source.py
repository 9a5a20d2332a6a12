"""The user's data as numbered examples: read lazily, readable again, bounded in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from threading import Lock
from types import FunctionType
from typing import Protocol, TypeGuard

from cachetools import LRUCache
from torch import Tensor
from torch.utils.data import DataLoader

from app.data.batch import Batch
from app.data.example import Example
from app.data.items import split, unbatched
from app.data.spill import Spill, Spilled
from app.errors import InsightsError, arrived, as_error, describe, note, raised_anew, without_frames
from app.words import text

MEMORY = 256 * 2**20  # bytes of examples: a thousand photos, or all of a small data set
END = object()


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


def open_source(dataset: object, inputs: int, limit: int | None = None) -> Source:
    """A source over an iterable of `Batch`, a `DataLoader` or a map-style dataset, for models with `inputs` inputs.

    It gives `limit` examples at most.
    """
    if _is_map_style(dataset):
        return MapSource(dataset, inputs, limit)
    if isinstance(dataset, Iterable) and not isinstance(dataset, type | Mapping | str | bytes):
        return StreamSource(dataset, inputs, limit)
    raise InsightsError(
        f"dataset cannot be read: {arrived([dataset])}",
        hint=f"call it first: {dataset.__name__}(...)"
        if isinstance(dataset, type | FunctionType)
        else "expected an iterable of app.Batch, a torch DataLoader, or a dataset with __getitem__ and __len__",
    )


class MapSource:
    """Examples of a map-style dataset, read again when they are needed again."""

    def __init__(self, dataset: MapStyle, inputs: int, limit: int | None = None) -> None:
        self.dataset, self.inputs, self.size = dataset, inputs, _length(dataset)
        if limit is not None:
            self.size = min(self.size, limit)
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
        except Exception as error:
            kind = type(self.dataset).__name__
            note(error, f"Item {index} of the dataset ({kind}) could not be read: dataset[{index}] raised this.")
            raise
        except BaseException as error:
            raise as_error(error) from None

    def close(self) -> None:
        """Forget what was read."""
        with self._lock:
            self._recent.clear()


class StreamSource:
    """Examples of what can be read only once: kept in memory and, beyond `MEMORY` bytes, in a temporary file."""

    def __init__(self, dataset: Iterable[object], inputs: int, limit: int | None = None) -> None:
        self.dataset, self.inputs, self.size, self.limit = dataset, inputs, _announced_length(dataset), limit
        if self.size is not None and limit is not None:
            self.size = min(self.size, limit)
        self._iterator: Iterator[object] | None = None
        self._lock = Lock()
        self._kept: list[Example | Spilled | Exception] = []
        self._held = 0
        self._oldest = 0
        self._spill = Spill()

    def read(self, count: int) -> list[Example | Exception] | None:  # noqa: ARG002  # a batch is as large as it is
        """The next batch's examples, however many, or what is wrong with it; an error of the iterable is raised."""
        left = None if self.limit is None else self.limit - len(self._kept)
        item = END if left == 0 else self._next()
        if item is END:
            return None
        examples = self._split(item)[:left]
        with self._lock:
            for example in examples:
                self._kept.append(example)
                self._held += example.bytes if isinstance(example, Example) else 0
            while self._held > MEMORY and self._oldest < len(self._kept) - 1:
                self._put_away(self._oldest)
                self._oldest += 1
        return examples

    def _next(self) -> object:
        try:
            if self._iterator is None:
                self._iterator = iter(self.dataset)
            return next(self._iterator, END)
        except Exception as error:
            if isinstance(error, RuntimeError) and isinstance(error.__cause__, StopIteration):
                return END  # a generator of `while True: yield Batch(*next(loader))` ends so (PEP 479)
            if isinstance(self.dataset, DataLoader) and self._iterator and "exited unexpectedly" not in text(error):
                note(error, "A batch of the DataLoader could not be read; it goes on with the next.")
                return error
            note(error, f"Reading the dataset failed after {len(self._kept):,} samples, which stay.")
            if isinstance(self.dataset, DataLoader):
                note(error, "Try num_workers=0, which shows what ended the worker.")
            raise

    def _split(self, item: object) -> list[Example | Exception]:
        """The examples of what the dataset gave; what cannot be read is one that failed, and reading goes on."""
        try:
            return [without_frames(item)] if isinstance(item, Exception) else split(item, self.inputs)
        except Exception as error:
            return [without_frames(error)]

    def _put_away(self, index: int) -> None:
        example = self._kept[index]
        if isinstance(example, Example):
            self._kept[index] = self._spill.put(example)
            self._held -= example.bytes

    def example(self, index: int) -> Example:
        """An example that has been read, from memory or from the file; raises what was wrong with it."""
        with self._lock:
            if index >= len(self._kept):
                raise InsightsError("this example is no longer here", hint="the visualizer is closed; make a new one")
            kept = self._kept[index]
        if isinstance(kept, Exception):
            raise raised_anew(kept)
        return kept.read() if isinstance(kept, Spilled) else kept

    def close(self) -> None:
        """Forget what was read, and let go of the dataset: a loader's workers end then."""
        with self._lock:
            self._kept.clear()
            self._iterator = None
            self._spill.close()


def _is_map_style(dataset: object) -> TypeGuard[MapStyle]:
    if isinstance(dataset, DataLoader | dict | str | bytes | type) or not (
        hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__")
    ):
        return False
    return not (isinstance(dataset, list | tuple) and any(isinstance(item, Batch) for item in dataset))


def _length(dataset: MapStyle) -> int:
    try:
        return len(dataset)
    except BaseException as error:
        raise InsightsError(
            f"the length of the dataset ({type(dataset).__name__}) cannot be read: {describe(as_error(error)).message}",
            hint="__len__ must return how many items there are; give iter(dataset) where nobody knows",
        ) from error


def _announced_length(dataset: object) -> int | None:
    try:
        if isinstance(dataset, DataLoader):
            return len(dataset.sampler)  # type: ignore[arg-type]  # an iterable dataset's sampler has no length
        if isinstance(dataset, list | tuple):
            return sum(len(batch.inputs if isinstance(batch.inputs, Tensor) else batch.inputs[0]) for batch in dataset)
    except Exception:
        return None  # what is wrong is said where it is read
    return None
