"""Reading on in the background: examples from the source, predictions of every model, rows into the index."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from functools import partial
from itertools import groupby
from threading import Condition, Thread
from typing import Any

import torch
from torch import Tensor, nn

from app.data.features import BaseFeature
from app.data.source import Example, Source
from app.errors import InsightsError, arrived, describe
from app.index.predictions import BEST, PredictionIndex, Row
from app.model.device import device_of
from app.model.outputs import Outputs
from app.model.worker import Worker
from app.numbers import finite
from app.schema import ApiError, Progress, Task

log = logging.getLogger(__name__)

PORTION = 0.2


class Scanner:
    """A thread that reads as far as somebody wants to see, and predicts what it reads."""

    def __init__(
        self,
        source: Source,
        index: PredictionIndex,
        models: Sequence[tuple[nn.Module, Worker]],
        features: list[BaseFeature],
        outputs: Outputs,
    ) -> None:
        self._source, self._index, self._models = source, index, models
        self._features, self._outputs = features, outputs
        self._changed = Condition()
        self._wanted = self._scanned = self._labelled = self._failed = self._unreadable = self._revision = 0
        self._known: object = None
        self._exhausted = self._closed = False
        self._error: ApiError | None = None
        self._portion = 4
        self.tasks: dict[int, Task] = {}  # of each model, once one example has been predicted
        self.outputs: dict[int, int] = {}
        self._thread = Thread(target=self._loop, name="attribution-insights scan", daemon=True)

    def want(self, count: int) -> None:
        """Have at least `count` samples read, in the background."""
        with self._changed:
            self._wanted = max(self._wanted, count)
            if self._thread.ident is None and not self._closed:
                self._thread.start()
            self._changed.notify_all()

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
                changed_models=[],
                error=self._error,
            )

    def _loop(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._over or self._scanned < self._wanted)
                if self._over:
                    return
            try:
                examples = self._source.read()
                if examples is not None:
                    self._take(examples)
                    continue
            except Exception as error:
                log.debug("reading the dataset failed", exc_info=True)
                self._error = describe(error)
            with self._changed:
                self._exhausted = True
                self._changed.notify_all()

    def _take(self, examples: list[Example | Exception]) -> None:
        """Predict in portions that keep a device busy for `PORTION` seconds, so that explanations never wait long."""
        while examples and not self._closed:
            portion, examples = examples[: self._portion], examples[self._portion :]
            rows: list[Row] = []
            started, busy = self._scanned, 0.0
            for number, (model, worker) in enumerate(self._models):
                found, seconds = worker.background(partial(self._timed, model, number, portion)).result()
                rows += found
                busy = max(busy, seconds)
            self._portion = max(1, min(2 * self._portion, int(PORTION / max(busy, 1e-4) * len(portion))))
            self._index.add(rows)
            with self._changed:
                self._scanned = started + len(portion)
                self._labelled += sum(isinstance(e, Example) and e.label is not None for e in portion)
                self._failed += len({row.sample for row in rows if row.error})
                self._unreadable += sum(isinstance(e, Exception) for e in portion)
                self._learn((*self.tasks.items(), *self.outputs.items()))
                self._changed.notify_all()

    def _learn(self, known: object) -> None:
        """Count the changes of what the predictions tell of the models."""
        self._revision += known != self._known
        self._known = known

    def _timed(self, model: nn.Module, number: int, examples: list[Example | Exception]) -> tuple[list[Row], float]:
        started = time.monotonic()
        return self._predict(model, number, examples), time.monotonic() - started

    def _predict(self, model: nn.Module, number: int, examples: list[Example | Exception]) -> list[Row]:
        ready: list[tuple[int, Example, tuple[Tensor, ...]]] = []
        rows: list[Row] = []
        for sample, example in enumerate(examples, start=self._scanned):
            try:
                if isinstance(example, Exception):
                    raise example
                inputs = tuple(f.transform(x) for f, x in zip(self._features, example.inputs, strict=True))
                ready.append((sample, example, inputs))
            except Exception as error:
                rows.append(_failure(sample, number, example, error))
        for _, group in groupby(ready, key=lambda item: _stackable(item[1], item[2])):
            rows += self._forward(model, number, list(group))
        return rows

    def _forward(
        self, model: nn.Module, number: int, group: list[tuple[int, Example, tuple[Tensor, ...]]]
    ) -> list[Row]:
        """Predict a group at once; where that fails, one by one, so that one bad sample spoils no other."""
        try:
            scores = self._scores(model, number, group)
        except Exception as error:
            if len(group) == 1:
                return [_failure(group[0][0], number, group[0][1], error)]
            return [row for item in group for row in self._forward(model, number, [item])]
        return [
            self._row(sample, number, example, row) for (sample, example, _), row in zip(group, scores, strict=True)
        ]

    def _scores(self, model: nn.Module, number: int, group: list[tuple[int, Example, tuple[Tensor, ...]]]) -> Tensor:
        device = device_of(model)
        inputs = [torch.stack(column).to(device) for column in zip(*(item[2] for item in group), strict=True)]
        extra = _stacked([example.extra for _, example, _ in group], device)
        with torch.no_grad():
            output = _called(model, inputs, extra)
        self.tasks[number], scores = self._outputs.read(output)
        self.outputs[number] = scores.shape[1]
        if len(scores) != len(group):
            raise InsightsError(
                f"the model gave {len(scores)} outputs for a batch of {len(group)}",
                hint="the first dimension of the output must count the examples",
            )
        return scores.cpu()

    def _row(self, sample: int, model: int, example: Example, scores: Tensor) -> Row:
        if self.tasks[model] == "regression":
            return Row(sample, model, None, None, None, [0], [finite(float(scores[0]))])
        order = torch.where(scores.isnan(), -torch.inf, scores).argsort(descending=True, stable=True)
        best: list[int] = order[:BEST].tolist()
        label = example.label
        if label is not None and label < len(scores) and label not in best:
            best.append(label)
        predicted = best[0] if bool(scores[best[0]].isfinite()) else None
        correct = None if label is None else predicted == label
        return Row(sample, model, label, predicted, correct, best, [finite(float(scores[i])) for i in best])

    def close(self) -> None:
        """Stop reading."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=2)


def _called(model: nn.Module, inputs: list[Tensor], extra: list[Any]) -> Any:
    try:
        return model(*inputs, *extra)
    except Exception as error:
        error.add_note(f"The model was called with {arrived([*inputs, *extra])}.")
        raise


def _stackable(example: Example, inputs: tuple[Tensor, ...]) -> object:
    """Neighbours with the same key can share a forward pass."""
    plain = [id(x) for x in example.extra if not isinstance(x, Tensor)]
    return (
        [(x.shape, x.dtype) for x in inputs],
        [x.shape for x in example.extra if isinstance(x, Tensor)],
        plain,
    )


def _stacked(extras: list[tuple[Any, ...]], device: torch.device) -> list[Any]:
    columns = zip(*extras, strict=True)
    return [torch.cat(column).to(device) if isinstance(column[0], Tensor) else column[0] for column in columns]


def _failure(sample: int, model: int, example: Example | Exception, error: Exception) -> Row:
    label = example.label if isinstance(example, Example) else None
    return Row(sample, model, label, None, None, [], [], describe(error).model_dump_json())
