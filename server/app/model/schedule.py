"""Who uses a device next: a thread and one queue for each, the same for explanations and for predictions."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import IntEnum
from queue import SimpleQueue
from threading import Condition, Event, Thread
from time import monotonic
from typing import TypeVar

from app.errors import as_error

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

PREPARING = 1.0  # seconds that a device waits for the next predictions where it is their turn: reading takes a moment
FAVOUR = 5.0  # seconds by which what is selected may be ahead of all else that waits
SHARE = 0.1  # of the time for what waits, where what is selected never ends
GRACE = 1.0  # seconds that closing waits for the task in hand: a pass through a model cannot be stopped
PAUSED = 4  # tasks that wait in their middle, each with its memory; more of them go on to their end


class Priority(IntEnum):
    """What a task is for; `ASKED` and `BACKGROUND` get the same time where both wait."""

    SELECTED = 0  # the sample that somebody looks at
    ASKED = 1  # another explanation
    BACKGROUND = 2  # predictions of what is read


@dataclass(eq=False)
class Task:
    """A piece of work for one device.

    run: called once, on a thread of the device's; it must not raise.
    dropped: called where it never will be.
    """

    run: Callable[[], object]
    priority: Priority = Priority.ASKED
    dropped: Callable[[], object] = lambda: None


class Device:
    """A thread that does one thing at a time on one device, what is selected first.

    Background work that waits gets as much time as explanations, so that neither waits for the other to end. A long
    task that calls `pause` at its steps lets what is more urgent go before the rest of it.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._queue: list[Task] = []
        self._running: list[Task] = []  # the last one runs, those before it are paused
        self._reliefs: list[_Relief] = []
        self._changed = Condition()
        self._closed = False
        self._owed = 0.0  # seconds by which explanations are ahead of background work, where both wait
        self._favoured = 0.0  # seconds by which what is selected is ahead, less what it has let the others have since
        self._since = 0.0  # until when the time has been charged
        self._thread = Thread(target=self._loop, name=f"attribution-insights {name}", daemon=True)

    def put(self, task: Task) -> None:
        """Have a task run in its turn."""
        with self._changed:
            if self._closed:
                task.dropped()
                return
            self._queue.append(task)
            if self._thread.ident is None:
                self._thread.start()
            self._changed.notify_all()

    def prioritise(self, task: Task, priority: Priority) -> None:
        """Change how urgent a task is, also while it waits, runs or is paused."""
        with self._changed:
            task.priority = priority
            self._changed.notify_all()

    def background(self, call: Callable[[], Answer]) -> Future[Answer]:
        """Call in turn with the explanations; the future is cancelled where the device is closed before."""
        future: Future[Answer] = Future()
        self.put(Task(lambda: _fulfil(future, call), Priority.BACKGROUND, future.cancel))
        return future

    def pause(self, task: Task) -> float:
        """Let what is more urgent than a running task go first; how many seconds that took.

        It runs on another thread: the engine's modes, and torch's, belong to the thread of the task that is paused.
        """
        started = monotonic()
        with self._changed:
            depth = len(self._running)
            urgent = self._take(task) if self._running[-1:] == [task] and depth <= PAUSED else None
        if urgent is None:
            return 0.0
        if len(self._reliefs) < depth:
            self._reliefs.append(_Relief(f"attribution-insights {self._name} relief"))
        self._reliefs[depth - 1].call(lambda: self._run(urgent, above=task))
        return monotonic() - started

    def _loop(self) -> None:
        while self._wait():
            self._run(None, above=None)

    def _wait(self) -> bool:
        """Wait for something to do; False once closed."""
        with self._changed:
            self._wait_for_background()
            self._changed.wait_for(lambda: self._closed or self._queue)
            return not self._closed

    def _wait_for_background(self) -> None:
        """Wait a moment for its next portion, where time is owed to it: reading that one is a part of its work."""
        if self._owed <= 0:
            return
        started = monotonic()
        came = self._changed.wait_for(
            lambda: self._closed or any(task.priority is not Priority.ASKED for task in self._queue),
            min(self._owed, PREPARING),
        )
        self._since = monotonic()
        self._owed = max(0.0, self._owed - (self._since - started)) if came else 0.0

    def _run(self, task: Task | None, above: Task | None) -> None:
        """Run a task or else the most urgent one; then, where a task is paused, all that are more urgent than it."""
        while task := task or self._take(above):
            try:
                task.run()
            except BaseException:
                log.exception("a task of %s failed", self._name)  # a thread that ends would leave all others waiting
            with self._changed:
                self._charge()
                self._running.remove(task)
                if above is None:
                    return
                if task.priority is Priority.BACKGROUND:
                    self._wait_for_background()
            task = None

    def _take(self, above: Task | None = None) -> Task | None:
        """The most urgent task, which from now on is the one that runs; None where no other is as urgent as `above`."""
        with self._changed:
            self._charge()
            best = min(self._queue, key=self._rank, default=None)
            if best is None or (above is not None and not self._goes_before(best, above)):
                return None
            self._queue.remove(best)
            self._running.append(best)
            return best

    def _goes_before(self, task: Task, above: Task) -> bool:
        return above.priority is not Priority.SELECTED and self._rank(task) < self._rank(above)

    def _rank(self, task: Task) -> int:
        """The lower, the sooner: by priority, and by whose turn it is."""
        if task.priority is Priority.SELECTED:
            return 0 if self._favoured < FAVOUR else 3
        return 1 if (task.priority is Priority.BACKGROUND) == (self._owed > 0) else 2

    def _charge(self) -> None:
        """Count the time since the last call for whoever had it, where the others waited; else what is owed lapses."""
        now = monotonic()
        took, self._since = now - self._since, now
        if not self._running:
            return
        *paused, running = self._running
        if running.priority is not Priority.SELECTED:
            self._favoured = max(0.0, self._favoured - took / SHARE)
        elif any(task.priority is not Priority.SELECTED for task in (*self._queue, *paused)):
            self._favoured += took
        in_background = running.priority is Priority.BACKGROUND
        waits = any((task.priority is Priority.BACKGROUND) != in_background for task in (*self._queue, *paused))
        if in_background:
            self._owed = self._owed - took if waits else max(0.0, self._owed - took)
        else:
            self._owed = self._owed + took if waits else min(0.0, self._owed + took)

    def close(self) -> None:
        """Stop after the task in hand; what waits is dropped."""
        with self._changed:
            self._closed = True
            waiting, self._queue = self._queue, []
            self._changed.notify_all()
        for task in waiting:
            task.dropped()
        if self._thread.ident is not None:
            self._thread.join(timeout=GRACE)
        for relief in self._reliefs:
            relief.end()


class _Relief:
    """A thread that works while another waits for it."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[tuple[Callable[[], None], Event] | None] = SimpleQueue()
        Thread(target=self._loop, name=name, daemon=True).start()

    def _loop(self) -> None:
        while (item := self._calls.get()) is not None:
            call, done = item
            call()
            done.set()
            del item, call

    def call(self, call: Callable[[], None]) -> None:
        done = Event()
        self._calls.put((call, done))
        done.wait()

    def end(self) -> None:
        self._calls.put(None)


def _fulfil(future: Future[Answer], call: Callable[[], Answer]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:
        future.set_exception(as_error(error))
