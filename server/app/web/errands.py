"""Reading and drawing on threads of their own: whoever asks waits for the user's code for a moment only.

They are daemons, which the executors of the standard library are not: one that never comes back does not keep the
program from ending.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TypeVar, cast

from app.errors import InsightsError, raised_anew, refused

HANDS = 4  # threads: so many calls may never come back before all others have to wait
NOT_YET = "Not yet"

Given = TypeVar("Given")


class Errands:
    """Calls under way by what they are for: one that is there already is waited for, and not made again."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._under_way: dict[Hashable, tuple[Future[object], float]] = {}
        self._lock = Lock()
        self._threads: list[Thread] = []

    def begin(self, key: Hashable, call: Callable[[], object]) -> None:
        """Have a call made, unless it is under way."""
        with self._lock:
            self._begun(key, call)

    def result(self, key: Hashable, call: Callable[[], Given], patience: float | None, what: str) -> Given:
        """What a call gives, or raises; an `InsightsError` of type `NOT_YET` `patience` seconds after it was begun."""
        with self._lock:
            future, started = self._begun(key, call)
        left = None if patience is None else max(0.0, started + patience - time.monotonic())
        try:
            return cast(Given, future.result(left))
        except TimeoutError:
            if not future.done():
                raise _not_yet(what, time.monotonic() - started) from None
            raise
        except Exception as error:
            raise raised_anew(error) from None

    def _begun(self, key: Hashable, call: Callable[[], object]) -> tuple[Future[object], float]:
        if key in self._under_way:
            return self._under_way[key]
        future: Future[object] = Future()
        self._under_way[key] = future, time.monotonic()
        self._waiting.put(lambda: self._fulfil(key, future, call))
        if len(self._threads) < HANDS:
            self._threads.append(Thread(target=self._work, name="attribution-insights reading", daemon=True))
            self._threads[-1].start()
        return self._under_way[key]

    def _work(self) -> None:
        while (task := self._waiting.get()) is not None:
            task()
            del task

    def _fulfil(self, key: Hashable, future: Future[object], call: Callable[[], object]) -> None:
        try:
            result, error = call(), None
        except BaseException as raised:
            result, error = None, refused(raised)
        with self._lock:
            del self._under_way[key]
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def close(self) -> None:
        """Have the threads end, those that come back."""
        with self._lock:
            for _ in self._threads:
                self._waiting.put(None)


def _not_yet(what: str, seconds: float) -> InsightsError:
    return InsightsError(
        f"{what} is still being read and drawn, for {seconds:.0f} s so far",
        hint="look again in a moment; where this never ends, the dataset or a visualization_transform never comes back",
        status=503,
        type=NOT_YET,
    )
