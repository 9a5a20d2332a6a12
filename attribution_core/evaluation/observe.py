"""What the caller sees and bounds of a running method: progress, warnings, cancellation, rows, passes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any

from attribution_core.errors import AttributionError, AttributionWarning


class Cancelled(Exception):  # noqa: N818 - not an error: the caller asked for it
    """Raised within one forward pass of `cancelled()` returning true."""


@dataclass
class Passes:
    """Passes through a model, and the rows of all of them together."""

    forward: int = 0
    forward_rows: int = 0
    backward: int = 0
    backward_rows: int = 0


@dataclass(frozen=True)
class Observer:
    """What the caller wants to know and to bound while a method runs."""

    progress: Callable[[int, int], object] | None = None
    cancelled: Callable[[], bool] | None = None
    max_batch: int | None = None
    warned: Callable[[str], object] | None = None
    stacked: bool = False
    asked_by_another: bool = False
    apart: bool = False
    said: set[str] | None = None
    passes: Passes | None = None


_NOBODY = Observer()

_observer: ContextVar[Observer] = ContextVar("attribution_core_observer", default=_NOBODY)


@contextmanager
def observe(
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    max_batch: int | None = None,
    warned: Callable[[str], object] | None = None,
) -> Iterator[None]:
    """Watch, stop and bound every method called inside, in this thread or task only.

    `progress(done, total)` counts path steps, perturbations, or 1 for single-pass methods. `cancelled()` is asked
    before every pass; once true, `Cancelled` is raised. No forward pass gets more than `max_batch` rows.
    `warned(message)` is told what would otherwise become an `AttributionWarning` of Python's `warnings`, whose filters
    belong to the whole process. What is None is inherited from an enclosing `observe`.
    """
    if max_batch is not None and (isinstance(max_batch, bool) or int(max_batch) < 1):
        raise AttributionError(f"observe(max_batch={max_batch!r}): the largest batch must be an integer ≥ 1.")
    given = {"progress": progress, "cancelled": cancelled, "max_batch": max_batch, "warned": warned}
    with _observing(**{name: value for name, value in given.items() if value is not None}):
        yield


@contextmanager
def _observing(**changes: Any) -> Iterator[None]:
    before = _observer.get()
    changed = replace(before, **changes)
    _observer.set(changed)
    try:
        yield
    finally:
        if _observer.get() is changed:  # else Ctrl-C has come, all was put back, and this is what was left to collect
            _observer.set(before)


def observing() -> Callable[[], object]:
    """What puts back who observes now, where Ctrl-C has come while that was changed."""
    observer = _observer.get()
    return lambda: _observer.set(observer)


def nested(stacked: bool) -> AbstractContextManager[None]:
    """For a method that asks another one: inside, nothing is reported.

    `stacked`: what the other takes for a batch are stacked copies of one, so that it must give a score for each row.
    """
    return _observing(progress=None, stacked=stacked, asked_by_another=True)


def is_nested() -> bool:
    """Whether another method asks, so that what is found is no answer yet."""
    return _observer.get().asked_by_another


def one_by_one() -> AbstractContextManager[None]:
    """Inside, batches are not stacked, since their examples would depend on those of others."""
    return _observing(apart=True)


def are_apart() -> bool:
    """Whether batches are not to be stacked."""
    return _observer.get().apart


@contextmanager
def once() -> Iterator[None]:
    """Inside, the same warning is given once."""
    if _observer.get().said is not None:
        yield
        return
    with _observing(said=set()):
        yield


@contextmanager
def portion(before: int, size: int, total: int) -> Iterator[None]:
    """Inside, what is done counts for its share of `size` of `total` steps, after the first `before`; not if 0."""
    progress = _observer.get().progress
    if progress is None:
        yield
        return
    if not size:
        with _observing(progress=None):
            yield
        return
    with _observing(progress=lambda done, of: progress(before + size * done // max(1, of), total)):
        yield


def is_stacked() -> bool:
    """Whether a batch given now consists of stacked copies."""
    return _observer.get().stacked


def counting(passes: Passes) -> AbstractContextManager[None]:
    """Inside, passes through models are counted in place of being made: see `attribution_core.cost`."""
    return _observing(passes=passes, progress=None)


def is_counting() -> bool:
    """Whether passes are counted in place of being made."""
    return _observer.get().passes is not None


def starting_forward(rows: int) -> None:
    """Stop here if the caller asked to, or count a forward pass of so many rows; called before each."""
    observer = _observer.get()
    if observer.cancelled is not None and observer.cancelled():
        raise Cancelled
    if observer.passes is not None:
        observer.passes.forward += 1
        observer.passes.forward_rows += rows


def counting_backward(rows: int) -> None:
    """Count a backward pass."""
    passes = _observer.get().passes
    if passes is not None:
        passes.backward += 1
        passes.backward_rows += rows


@contextmanager
def progress_bar(shown: bool, title: str) -> Iterator[None]:
    """Show a tqdm bar besides telling the caller's own `progress`."""
    if not shown:
        yield
        return
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - only show_progress needs it
    except ImportError as missing:
        raise AttributionError(
            "show_progress=True needs tqdm, which is not installed.", "pip install tqdm"
        ) from missing
    outer = _observer.get().progress
    with tqdm(desc=title) as bar:

        def both(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)
            if outer is not None:
                outer(done, total)

        with observe(progress=both):
            yield


def checkpoint() -> None:
    """Stop here if the caller asked to; called before every forward and backward pass."""
    cancelled = _observer.get().cancelled
    if cancelled is not None and cancelled():
        raise Cancelled


def report(done: int, total: int) -> None:
    """Tell the caller how far the method is."""
    progress = _observer.get().progress
    if progress is not None:
        progress(done, total)


def warn(message: str) -> None:
    """Tell the caller's `warned`, or else Python's `warnings`, as if the line that called this package had warned."""
    observer = _observer.get()
    if observer.passes is not None or (observer.said is not None and message in observer.said):
        return
    if observer.said is not None:
        observer.said.add(message)
    if observer.warned is not None:
        observer.warned(message)
        return
    warnings.warn(message, AttributionWarning, stacklevel=_frames_of_ours())


def _frames_of_ours() -> int:
    """How many frames lie between `warn`'s caller and the first one outside this package, for `stacklevel`."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] in _OURS:
        frame, level = frame.f_back, level + 1
    return level


_OURS = ("attribution_core", "contextlib")


def max_batch() -> int | None:
    """The bound on rows that the caller set by `observe`."""
    return _observer.get().max_batch
