"""Reading on in the background: examples from the source, predictions of every model, rows into the index."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from concurrent.futures import CancelledError
from functools import partial
from itertools import groupby
from threading import Condition, Thread

import torch
from torch import Tensor

from app.data.example import Example
from app.data.source import Source
from app.errors import InsightsError, as_error, describe, refused
from app.index.predictions import BEST, PredictionIndex, Row
from app.model.schedule import Device
from app.model.subject import Prepared, Subject
from app.numbers import finite
from app.schema import SCAN_ALL_BELOW, ApiError, Progress

log = logging.getLogger(__name__)

PORTION = 0.2  # seconds: an explanation that is asked for meanwhile starts without a delay that is felt
MOST = 512  # samples in a portion: more make prediction and indexing no faster
AHEAD = SCAN_ALL_BELOW  # samples that one request has read at most, beyond those seen: data may have no end

Ready = tuple[int, Example, Prepared]


class Scanner:
    """A thread that reads as far as somebody wants to see, and predicts what it reads."""

    def __init__(
        self,
        source: Source,
        index: PredictionIndex,
        subjects: Sequence[tuple[Subject, Device]],
    ) -> None:
        self._source, self._index, self._subjects = source, index, subjects
        self._changed = Condition()
        self._wanted = self._scanned = self._labelled = self._failed = self._unreadable = self._revision = 0
        self._known: object = None
        self._exhausted = self._closed = False
        self._error: ApiError | None = None
        self._reading = self._portion = 1  # samples at a time, from one: the first is on the screen at once
        self._thread = Thread(target=self._loop, name="attribution-insights scan", daemon=True)

    def want(self, count: int) -> None:
        """Have `count` samples read in the background; the first `AHEAD`, where that is out of `reach`.

        So a page that asks for very many, again and again, has no more read than at first: somebody has to ask for it.
        """
        with self._changed:
            self._wanted = max(self._wanted, count if count <= self._scanned + AHEAD else AHEAD)
            if self._thread.ident is None and not self._closed:
                self._thread.start()
            self._changed.notify_all()

    @property
    def reach(self) -> int:
        """How many samples a request can have read: to the end of the data, or `AHEAD` beyond those seen."""
        with self._changed:
            ahead, size = self._scanned + AHEAD, self._source.size
            return self._scanned if self._over else ahead if size is None else min(ahead, size)

    def wait(self, count: int, timeout: float) -> None:
        """Wait until `count` samples have been read, nothing is left to read, or `timeout` seconds have passed."""
        with self._changed:
            self._changed.wait_for(lambda: self._scanned >= count or self._over, timeout)

    def wait_for_news(self, since: int, timeout: float) -> None:
        """Wait until more than `since` samples have been read, or reading has stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._scanned > since or self._idle, timeout)

    @property
    def _ended(self) -> bool:
        return self._exhausted or self._scanned == self._source.size

    @property
    def _over(self) -> bool:
        return self._ended or self._closed

    @property
    def _idle(self) -> bool:
        return self._over or self._scanned >= self._wanted

    @property
    def progress(self) -> Progress:
        """How far reading is."""
        changed = [subject.name for subject, _ in self._subjects if subject.changed]
        with self._changed:
            return Progress(
                workspace=self._revision,
                scanned=self._scanned,
                size=self._scanned if self._exhausted else self._source.size,
                exhausted=self._ended,
                scanning=not self._idle,
                labelled=self._labelled,
                failed=self._failed,
                unreadable=self._unreadable,
                changed_models=changed,
                error=self._error,
            )

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._scanned < self._wanted)
                if self._over:
                    return
                count = min(self._reading, self._wanted - self._scanned)
            try:
                if (examples := self._read(count)) is not None:
                    self._take(examples)
                    continue
            except CancelledError:
                return  # the device is closed
            except BaseException as error:
                log.debug("reading the dataset failed", exc_info=True)
                self._error = describe(as_error(error))
            with self._changed:
                self._exhausted = True
                self._changed.notify_all()

    def _read(self, count: int) -> list[Example | Exception] | None:
        started = time.monotonic()
        try:
            examples = self._source.read(count)
        except CancelledError as error:
            raise refused(error) from None  # a dataset's own: no device is closed
        self._reading = _next_portion(count, time.monotonic() - started)
        return examples

    def _take(self, examples: list[Example | Exception]) -> None:
        """Predict in portions that keep a device busy for `PORTION` seconds, so that explanations never wait long."""
        while examples and not self._closed:
            portion, examples = examples[: self._portion], examples[self._portion :]
            rows: list[Row] = []
            started, busy = self._scanned, 0.0
            for number, (subject, device) in enumerate(self._subjects):
                found, seconds = device.background(partial(self._timed, subject, number, portion)).result()
                rows += found
                busy = max(busy, seconds)
            self._portion = _next_portion(len(portion), busy)
            self._index.add(rows)
            with self._changed:
                self._scanned = started + len(portion)
                self._labelled += sum(self._has_truth(e) for e in portion)
                self._failed += len({row.sample for row in rows if row.error})
                self._unreadable += sum(isinstance(e, Exception) for e in portion)
                self._learn([(subject.task, subject.width) for subject, _ in self._subjects])
                self._changed.notify_all()

    def _has_truth(self, example: Example | Exception) -> bool:
        """Whether it says what is true: a class, or any number where all models are regressions."""
        if isinstance(example, Exception):
            return False
        regression = all(subject.task == "regression" for subject, _ in self._subjects)
        return (example.truth if regression else example.label) is not None

    def learnt(self) -> None:
        """Note that something else is known of the models now."""
        with self._changed:
            self._revision += 1

    def _learn(self, known: object) -> None:
        """Count the changes of what the predictions tell of the models."""
        self._revision += known != self._known
        self._known = known

    def _timed(self, subject: Subject, number: int, examples: list[Example | Exception]) -> tuple[list[Row], float]:
        started = time.monotonic()
        return self._predict(subject, number, examples), time.monotonic() - started

    def _predict(self, subject: Subject, number: int, examples: list[Example | Exception]) -> list[Row]:
        ready: list[Ready] = []
        rows: list[Row] = []
        for sample, example in enumerate(examples, start=self._scanned):
            try:
                if isinstance(example, Exception):
                    raise example
                ready.append((sample, example, subject.prepare(example)))
            except BaseException as error:
                rows.append(_failure(sample, number, example, as_error(error)))
        for _, group in groupby(ready, key=lambda item: item[2].key):
            rows += _forward(subject, number, list(group))
        return rows

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)


def _next_portion(size: int, seconds: float) -> int:
    """How many samples take `PORTION` seconds, where so many took so long; at most twice as many."""
    return max(1, min(MOST, 2 * size, int(PORTION / max(seconds, 1e-4) * size)))


def _forward(subject: Subject, number: int, group: list[Ready]) -> list[Row]:
    """Predict a group at once; where that fails, one by one, so that one bad sample spoils no other."""
    try:
        scores = subject.predict([prepared for _, _, prepared in group])
        return [
            _row(sample, number, example, row, subject) for (sample, example, _), row in zip(group, scores, strict=True)
        ]
    except BaseException as error:
        if len(group) == 1:
            return [_failure(group[0][0], number, group[0][1], as_error(error))]
    return [row for item in group for row in _forward(subject, number, [item])]


def _row(sample: int, model: int, example: Example, scores: Tensor, subject: Subject) -> Row:
    if subject.task == "regression":
        value = finite(float(scores[0]))
        failed = None if value is not None else _nothing(scores, subject)
        return Row(sample, model, None, None, None, [0], [value], failed, example.truth)
    label = example.label
    order = torch.where(scores.isnan(), -torch.inf, scores).argsort(descending=True, stable=True)
    best: list[int] = order[:BEST].tolist()
    if label is not None and label < len(scores) and label not in best:
        best.append(label)
    predicted = best[0] if bool(scores[best[0]].isfinite()) else None
    correct = None if label is None or predicted is None else predicted == label
    values = [finite(float(scores[i])) for i in best]
    error = _nothing(scores[best], subject) if predicted is None else None
    return Row(sample, model, label, predicted, correct, best, values, error)


def _nothing(scores: Tensor, subject: Subject) -> str:
    """Why nothing is predicted."""
    seen = ", ".join(f"{score:g}" for score in scores[:3].tolist()) + (", …" if len(scores) > 3 else "")
    error = InsightsError(
        f"the model {subject.name} predicts nothing: its best scores are {seen}",
        hint="look for inputs or weights that are not finite, a division by zero, a logarithm of zero; "
        "float16 overflows early",
    )
    return error.wire().model_dump_json()


def _failure(sample: int, model: int, example: Example | Exception, error: Exception) -> Row:
    label = example.label if isinstance(example, Example) else None
    return Row(sample, model, label, None, None, [], [], describe(error).model_dump_json())
