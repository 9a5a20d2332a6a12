"""Explanations under way: their ids, states and progress, who waits for them, and their results for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from threading import Event, Lock
from typing import Generic, Protocol, TypeVar

from cachetools import LRUCache

from app.errors import InsightsError, as_error, without_frames
from app.model.schedule import Device, Priority, Task
from app.schema import JobState
from attribution_core.evaluation.observe import Cancelled

log = logging.getLogger(__name__)

FORGOTTEN = 8.0  # seconds without a word from a client, who asks every second: its tab is closed
EACH = 100  # explanations that one client may wait for: a page asks for eight at a time
ALL = 500  # explanations under way; each that waits holds its example
GLANCE = 0.01  # seconds between looks at what else waits: a step may be much shorter
SOON = 1.0  # seconds to go in which a job is not worth a pause
KEPT = 256 * 2**20  # bytes of results: hundreds of explanations of photos
BESIDES = 1024  # bytes of a job besides its result
TABS = 64  # clients whose selection is remembered


class Result(Protocol):
    """What came of a job."""

    @property
    def bytes(self) -> int:
        """What it takes in memory."""


Found = TypeVar("Found", bound=Result)


class Job(Generic[Found]):
    """One explanation under way: who waits for it, how far it is, its result or its error."""

    def __init__(self, id: str, about: Hashable, work: Callable[[Job[Found]], Found], device: Device) -> None:
        self.id, self.about, self.device = id, about, device
        self.state: JobState = "queued"
        self.done = 0
        self.total: int | None = None
        self.result: Found | None = None
        self.error: Exception | None = None
        self.finished = Event()
        self.task = Task(lambda: None)
        self._work: Callable[[Job[Found]], Found] | None = work
        self._started = self._ended = self._paused = self._glanced = 0.0
        self._waiting: dict[str, float] = {}
        self._abandoned = self._told = False
        self._lock = Lock()

    def seen_by(self, client: str) -> None:
        """Note that a client waits for this."""
        with self._lock:
            self._waiting[client] = time.monotonic()

    def leave(self, client: str) -> None:
        """Note that a client no longer waits."""
        with self._lock:
            self._waiting.pop(client, None)

    def abandon(self) -> None:
        """Give up, whoever waits."""
        self._abandoned = True

    @property
    def waiting(self) -> list[str]:
        """The clients that wait, or have asked within the last `FORGOTTEN` seconds."""
        now = time.monotonic()
        with self._lock:
            return [client for client, seen in self._waiting.items() if now - seen <= FORGOTTEN]

    @property
    def unwanted(self) -> bool:
        """Given up, or nobody waits."""
        return self._abandoned or not self.waiting

    def stops(self) -> bool:
        """Asked by the work at each of its steps: whether to stop; what is more urgent is done before it answers."""
        if time.monotonic() - self._glanced >= GLANCE and (self.remaining is None or self.remaining > SOON):
            self._paused += self.device.pause(self.task)
            self._glanced = time.monotonic()
        self._told = self.unwanted
        return self._told

    def report(self, done: int, total: int) -> None:
        """Note how far the work is."""
        self.done, self.total = done, total

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return ((self._ended or time.monotonic()) - self._started - self._paused) if self._started else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds to go, at the pace so far."""
        if self.state != "running" or not self.total or not self.done:
            return None
        return self.elapsed / self.done * (self.total - self.done)

    def attempt(self) -> Found | Exception | None:
        """Do the work: its result, or its error; None where nobody wants it.

        It starts again if somebody came back while it was being cancelled.
        """
        self._started = time.monotonic()
        while (work := self._work) is not None and not self.unwanted:
            self.state = "running"
            try:
                return work(self)
            except BaseException as error:
                if isinstance(error, Cancelled) and self._told:
                    self.done, self.total = 0, None
                    continue
                log.debug("explanation %s failed", self.id, exc_info=True)
                return as_error(error)
        return None

    def end(self, found: Found | Exception | None) -> None:
        """Keep the result or the error, and let go of the example and of the error's frames."""
        self._ended, self._work = time.monotonic(), None
        if isinstance(found, Exception):
            self.error, self.state = without_frames(found), "failed"
        else:
            self.result, self.state = found, "cancelled" if found is None else "done"


class Jobs(Generic[Found]):
    """All explanations: the same question is computed once, and kept while there is room."""

    def __init__(self) -> None:
        self._active: dict[str, Job[Found]] = {}
        self._ended: LRUCache[str, Job[Found]] = LRUCache(KEPT, getsizeof=_size)
        self._selected: LRUCache[str, Hashable] = LRUCache(TABS)  # by client: what it looks at now
        self._closed = False
        self._lock = Lock()

    def submit(
        self,
        id: str,
        about: Hashable,
        work: Callable[[Job[Found]], Found],
        device: Device,
        client: str,
        selected: bool = False,
    ) -> Job[Found]:
        """The job for a question: the one there is, or a new one; failed and cancelled ones start again.

        about: what it explains. selected: that is what the client looks at from now on: see `select`.
        """
        with self._lock:
            if self._closed:
                raise InsightsError("the visualizer is closed", hint="make a new one")
            job = self._active.get(id) or self._ended.get(id)
            new = job is None or job.state in ("failed", "cancelled")
            if job is None or new:
                self._make_room(client)
                job = self._active[id] = Job(id, about, work, device)
                job.task = Task(lambda: self._run(id))
                self._ended.pop(id, None)
            job.seen_by(client)
            self._look(job, client, selected)
            if new:
                device.put(job.task)
            return job

    def _make_room(self, client: str) -> None:
        """Forget what waits for nobody, where the line is long; refuse one more where it still is."""
        if len(self._active) >= ALL:
            for job in [job for job in self._active.values() if job.state == "queued" and job.unwanted]:
                self._finish(job, None)
        mine = len(self._active) >= EACH and sum(client in job.waiting for job in self._active.values())
        if mine >= EACH or len(self._active) >= ALL:
            whose = f"this page waits for {mine}" if mine >= EACH else f"{len(self._active)} are under way"
            raise InsightsError(
                f"no more explanations can be asked for: {whose} already",
                hint="ask again when some of them have been answered",
                status=429,
                type="Too many requests",
            )

    def see(self, id: str, client: str, selected: bool = False) -> Job[Found]:
        """A job for which a client waits; `selected` as for `submit`."""
        job = self.get(id)
        with self._lock:
            job.seen_by(client)
            self._look(job, client, selected)
        return job

    def _look(self, job: Job[Found], client: str, selected: bool) -> None:
        """What a client looks at goes first; what nobody looks at any more goes with the rest."""
        changed = selected and self._selected.get(client) != job.about
        if changed:
            self._selected[client] = job.about
        for other in list(self._active.values()) if changed else [job]:
            looking = any(self._selected.get(client) == other.about for client in other.waiting)
            priority = Priority.SELECTED if looking else Priority.ASKED
            if other.task.priority is not priority:
                other.device.prioritise(other.task, priority)

    def _run(self, id: str) -> None:
        job = self._active.get(id)
        if job is None:
            return
        found = job.attempt()
        with self._lock:
            if self._closed:
                found = None
            if found is not None and not isinstance(found, Exception) and found.bytes > KEPT - BESIDES:
                found = InsightsError("the explanation is too large to be kept", hint="use smaller inputs")
            if self._closed or self._active.get(id) is job:  # else it was forgotten just as its turn came
                self._finish(job, found)

    def _finish(self, job: Job[Found], found: Found | Exception | None) -> None:
        """Keep what came of a job, and tell those who wait."""
        job.end(found)
        self._active.pop(job.id, None)
        if not self._closed:
            self._ended[job.id] = job
        job.finished.set()

    def get(self, id: str) -> Job[Found]:
        """A job by its id."""
        with self._lock:
            job = self._active.get(id) or self._ended.get(id)
        if job is None:
            raise InsightsError(
                f"there is no explanation {id!r}, or no longer",
                hint="ask for it again",
                status=404,
                type="Not found",
            )
        return job

    def ahead(self, job: Job[Found]) -> int:
        """How many jobs that somebody waits for come before this one."""
        if job.state != "queued":
            return 0
        with self._lock:
            line = [other for other in self._active.values() if other is job or not other.unwanted]
        line.sort(key=lambda other: (other.state == "queued", other.task.priority))
        return line.index(job) if job in line else 0

    def close(self) -> None:
        """Have what is under way stop at its next step, cancel what waits, and keep nothing."""
        with self._lock:
            self._closed = True
            for job in self._active.values():
                job.abandon()
                if job.state == "queued":  # its device may never come to it
                    job.end(None)
                    job.finished.set()
            self._active.clear()
            self._ended.clear()


def _size(job: Job[Found]) -> int:
    return BESIDES + (job.result.bytes if job.result else 0)
