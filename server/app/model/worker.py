"""A thread for each device: what somebody looks at first, then explanations and background work by turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Condition, Thread
from time import monotonic
from typing import Any

PREPARING = 1.0

Run = Callable[[], None]


class Worker:
    """A thread that does one thing at a time on one device.

    Background work that waits gets as much time as explanations, so that neither waits for the other to end. The time
    until its next portion comes, up to `PREPARING` seconds, is its own.
    """

    def __init__(self, name: str) -> None:
        self._looked_at: deque[Run] = deque()
        self._asked: deque[Run] = deque()
        self._background: deque[Run] = deque()
        self._changed = Condition()
        self._closed = False
        self._owed = 0.0  # seconds that explanations had while background work waited
        self._thread = Thread(target=self._loop, name=f"attribution-insights {name}", daemon=True)

    def put(self, run: Run, first: bool = False) -> None:
        """Have `run` called on the worker's thread, before everything else if `first`; it must not raise."""
        with self._changed:
            self._looked_at.appendleft(run) if first else self._asked.append(run)
            self._wake()

    def background(self, call: Callable[[], Any]) -> Future[Any]:
        """Call in turn with the explanations."""
        future: Future[Any] = Future()
        with self._changed:
            self._background.append(lambda: _fulfil(future, call))
            self._wake()
        return future

    def _wake(self) -> None:
        if self._thread.ident is None and not self._closed:
            self._thread.start()
        self._changed.notify_all()

    def _loop(self) -> None:
        while queue := self._next():
            run, background = queue.popleft(), queue is self._background
            started = monotonic()
            run()
            took = monotonic() - started
            if background:
                self._owed = max(0.0, self._owed - took)
            else:
                self._owed = self._owed + took if self._background else 0.0

    def _next(self) -> deque[Run] | None:
        """The queue whose turn it is; None once closed."""
        with self._changed:
            if self._owed:
                self._wait_for_background()
            self._changed.wait_for(lambda: self._closed or self._looked_at or self._asked or self._background)
            if self._closed:
                return None
            turns = [self._background, self._asked] if self._owed else [self._asked, self._background]
            return next(queue for queue in (self._looked_at, *turns) if queue)

    def _wait_for_background(self) -> None:
        started = monotonic()
        came = self._changed.wait_for(
            lambda: self._closed or self._looked_at or self._background, min(self._owed, PREPARING)
        )
        self._owed = max(0.0, self._owed - (monotonic() - started)) if came else 0.0

    def close(self) -> None:
        """Stop after the task in hand."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout=5)


def _fulfil(future: Future[Any], call: Callable[[], Any]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(error)
