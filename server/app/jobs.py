"""Explanations under way: progress, cancellation, results kept a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from itertools import count
from threading import Event, Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

from app.errors import InsightsError
from app.schema import JobState
from app.worker import Worker

log = logging.getLogger(__name__)

Result = TypeVar("Result")

FORGOTTEN = 30.0
KEPT = 256 * 2**20


class Job(Generic[Result]):
    """One explanation under way: who waits for it, how far it is, what came of it."""

    def __init__(self, id: str, work: Callable[[Job[Result]], Result], cancelled: type[BaseException]) -> None:
        self.id, self.work, self._cancelled_error = id, work, cancelled
        self.state: JobState = "queued"
        self.done, self.total = 0, None
        self.result: Result | None = None
        self.error: Exception | None = None
        self.finished = Event()
        self.raised = 0
        self._started = self._ended = 0.0
        self._waiting: dict[str, float] = {}
        self._abandoned = False
        self._lock = Lock()

    done: int
    total: int | None

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
    def unwanted(self) -> bool:
        """Given up, or nobody waits: everyone left, or has not asked for `FORGOTTEN` seconds."""
        now = time.monotonic()
        with self._lock:
            return self._abandoned or all(now - seen > FORGOTTEN for seen in self._waiting.values())

    def report(self, done: int, total: int) -> None:
        """Note how far the work is."""
        self.done, self.total = done, total

    @property
    def elapsed(self) -> float:
        """Seconds of work so far."""
        return ((self._ended or time.monotonic()) - self._started) if self._started else 0.0

    @property
    def remaining(self) -> float | None:
        """Seconds to go, at the pace so far."""
        if self.state != "running" or not self.total or not self.done:
            return None
        return self.elapsed / self.done * (self.total - self.done)

    def run(self) -> None:
        """Do the work, whatever comes of it; start again if somebody came back while it was being cancelled."""
        self._started = time.monotonic()
        while not self.unwanted:
            self.state = "running"
            try:
                self.result = self.work(self)
                return self.end("done")
            except self._cancelled_error:
                continue
            except Exception as error:
                log.debug("explanation %s failed", self.id, exc_info=True)
                return self.end("failed", error)
        return self.end("cancelled")

    def end(self, state: JobState, error: Exception | None = None) -> None:
        """Note what came of it."""
        self._ended, self.error, self.state = time.monotonic(), error, state
        self.finished.set()


class Jobs(Generic[Result]):
    """All explanations: the same question is computed once, and kept while there is room."""

    def __init__(self, cancelled: type[BaseException], size: Callable[[Result], int]) -> None:
        self._cancelled = cancelled
        self._active: dict[str, Job[Result]] = {}
        self._ended: LRUCache[str, Job[Result]] = LRUCache(
            KEPT, getsizeof=lambda job: 1024 + (size(job.result) if job.result else 0)
        )
        self._closed = False
        self._raised = count(1)
        self._lock = Lock()

    def submit(
        self, id: str, work: Callable[[Job[Result]], Result], worker: Worker, client: str, first: bool = False
    ) -> Job[Result]:
        """The job for a question: the one there is, or a new one; failed and cancelled ones start again.

        `first` puts it before all that wait, for somebody looks at it.
        """
        with self._lock:
            if self._closed:
                raise InsightsError("the visualizer is closed", hint="make a new one")
            job = self._active.get(id) or self._ended.get(id)
            if job is None or job.state in ("failed", "cancelled"):
                job = self._active[id] = Job(id, work, self._cancelled)
                self._ended.pop(id, None)
                worker.put(lambda: self._run(job))
            job.seen_by(client)
            if first and job.state == "queued":
                job.raised = next(self._raised)
                worker.put(lambda: self._run(job), first=True)
            return job

    def _run(self, job: Job[Result]) -> None:
        if job.state != "queued":  # it stood in the queue twice
            return
        job.run()
        with self._lock:
            self._active.pop(job.id, None)
            if self._closed:
                return
            try:
                self._ended[job.id] = job
            except ValueError:  # larger than the whole cache
                job.result = None
                job.end(
                    "failed",
                    InsightsError("the explanation is too large to be kept", hint="use smaller inputs"),
                )
                self._ended[job.id] = job

    def get(self, id: str) -> Job[Result]:
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

    def ahead(self, job: Job[Result]) -> int:
        """How many jobs wait before this one."""
        if job.state != "queued":
            return 0
        with self._lock:
            wanted = [other for other in self._active.values() if other is job or not other.unwanted]
        line = sorted(wanted, key=lambda other: (other.state == "queued", -other.raised))
        return line.index(job) if job in line else 0

    def close(self) -> None:
        """Have what is under way stop at its next step, cancel what waits, and keep nothing."""
        with self._lock:
            self._closed = True
            for job in self._active.values():
                job.abandon()
                if job.state == "queued":  # its worker may never come to it
                    job.end("cancelled")
            self._active.clear()
            self._ended.clear()
