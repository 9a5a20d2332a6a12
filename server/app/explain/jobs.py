"""Explanations under way: progress, cancellation, results kept a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from threading import Event, Lock
from typing import Generic, TypeVar

from cachetools import LRUCache

from app.errors import InsightsError
from app.model.worker import Worker
from app.schema import JobState

log = logging.getLogger(__name__)

Result = TypeVar("Result")

FORGOTTEN = 30.0
SOON = 1.0
KEPT = 256 * 2**20
TABS = 64


class Job(Generic[Result]):
    """One explanation under way: who waits for it, how far it is, what came of it."""

    def __init__(
        self, id: str, work: Callable[[Job[Result]], Result], worker: Worker, cancelled: type[BaseException]
    ) -> None:
        self.id, self.work, self.worker, self._cancelled_error = id, work, worker, cancelled
        self.state: JobState = "queued"
        self.done, self.total = 0, None
        self.result: Result | None = None
        self.error: Exception | None = None
        self.finished = Event()
        self.looked_at: dict[str, Hashable] = {}  # as what each client looks at it
        self._started = self._ended = 0.0
        self._waiting: dict[str, float] = {}
        self._abandoned = self._gives_way = False
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

    def give_way(self) -> None:
        """Stop at the next step and wait again, unless it ends within `SOON` seconds."""
        self._gives_way = self.remaining is None or self.remaining > SOON

    @property
    def stops(self) -> bool:
        """Asked to stop, for good or for another."""
        return self._gives_way or self.unwanted

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
        """Do the work, whatever comes of it; start again if somebody came back while it was being cancelled.

        It is queued again where it gave way.
        """
        self._started, self._gives_way = time.monotonic(), False
        while not self.unwanted:
            self.state = "running"
            try:
                self.result = self.work(self)
                return self.end("done")
            except self._cancelled_error:
                if self._gives_way and not self._abandoned:
                    self.state, self.done, self.total, self._started = "queued", 0, None, 0.0
                    return None
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
        self._looking: LRUCache[str, Hashable] = LRUCache(TABS)  # what each client looks at now
        self._closed = False
        self._lock = Lock()

    def submit(
        self,
        id: str,
        work: Callable[[Job[Result]], Result],
        worker: Worker,
        client: str,
        looked_at: Hashable | None = None,
    ) -> Job[Result]:
        """The job for a question: the one there is, or a new one; failed and cancelled ones start again.

        `looked_at` is what the client looks at from now on, as a part of which it asks: such jobs go first, and what
        nobody looks at gives way to them.
        """
        with self._lock:
            if self._closed:
                raise InsightsError("the visualizer is closed", hint="make a new one")
            job = self._active.get(id) or self._ended.get(id)
            if job is None or job.state in ("failed", "cancelled"):
                job = self._active[id] = Job(id, work, worker, self._cancelled)
                self._ended.pop(id, None)
                worker.put(lambda: self._run_next(worker))
            job.seen_by(client)
            if looked_at is not None:
                self._look(job, client, looked_at)
            return job

    def _look(self, job: Job[Result], client: str, looked_at: Hashable) -> None:
        self._looking[client] = job.looked_at[client] = looked_at
        if job.state != "queued":
            return
        job.worker.put(lambda: self._run_next(job.worker), first=True)  # one turn more than jobs: the last finds none
        for other in self._active.values():
            if other.worker is job.worker and other.state == "running" and not self._is_looked_at(other):
                other.give_way()

    def _is_looked_at(self, job: Job[Result]) -> bool:
        return any(self._looking.get(client) == what for client, what in job.looked_at.items())

    def _line(self) -> list[Job[Result]]:
        """What is under way in its order: what runs, what is looked at, the rest as it came."""
        return sorted(self._active.values(), key=lambda job: (job.state == "queued", not self._is_looked_at(job)))

    def _run_next(self, worker: Worker) -> None:
        with self._lock:
            job = next((job for job in self._line() if job.worker is worker and job.state == "queued"), None)
        if job is None:
            return
        job.run()
        if job.state == "queued":  # it gave way
            worker.put(lambda: self._run_next(worker))
        else:
            self._keep(job)

    def _keep(self, job: Job[Result]) -> None:
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
        """How many jobs that somebody waits for come before this one."""
        if job.state != "queued":
            return 0
        with self._lock:
            line = [other for other in self._line() if other is job or not other.unwanted]
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
