"""How every method evaluates a model: in chunks that fit, watched, and stoppable."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError, NotPerExample

Part = TypeVar("Part")

ELEMENTS = {"cpu": 1 << 17}
MANY_ELEMENTS = 1 << 22
"""Input elements in one forward pass where nobody set a bound: on a CPU as many as its caches like (a photo of 224×224,
167 digits of 28×28), elsewhere enough to keep the device busy."""

ROWS = 1024
"""Rows in one forward pass where nobody set a bound, however small they are."""


class Cancelled(Exception):  # noqa: N818 - not an error: the caller asked for it
    """Raised within one forward pass of `cancelled()` returning true."""


@dataclass(frozen=True)
class Observer:
    """What the caller wants to know and to bound while a method runs."""

    progress: Callable[[int, int], object] | None = None
    cancelled: Callable[[], bool] | None = None
    max_batch: int | None = None


_NOBODY = Observer()
_observer: ContextVar[Observer] = ContextVar("attribution_core_observer", default=_NOBODY)


@contextmanager
def observe(
    progress: Callable[[int, int], object] | None = None,
    cancelled: Callable[[], bool] | None = None,
    max_batch: int | None = None,
) -> Iterator[None]:
    """Watch, stop and bound every method called inside, in this thread or task only.

    `progress(done, total)` counts path steps, perturbations, or 1 for single-pass methods. `cancelled()` is asked
    before every pass; once true, `Cancelled` is raised. No forward pass gets more than `max_batch` rows.
    What is None is inherited from an enclosing `observe`.
    """
    if max_batch is not None and (isinstance(max_batch, bool) or int(max_batch) < 1):
        raise AttributionError(f"observe(max_batch={max_batch!r}): the largest batch must be an integer ≥ 1.")
    outer = _observer.get()
    token = _observer.set(
        Observer(progress or outer.progress, cancelled or outer.cancelled, max_batch or outer.max_batch)
    )
    try:
        yield
    finally:
        _observer.reset(token)


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


def max_batch() -> int | None:
    """The bound on rows that the caller set by `observe`."""
    return _observer.get().max_batch


def rows_that_fit(inputs: tuple[Tensor, ...], asked: int | None = None) -> int:
    """Rows for one forward pass: what a method's argument asked for, or a default; never above `max_batch`."""
    batch = max(1, inputs[0].shape[0])
    width = sum(x.numel() for x in inputs) // batch
    elements = ELEMENTS.get(inputs[0].device.type, MANY_ELEMENTS)
    rows = asked or min(ROWS, max(1, elements // max(1, width)))
    return min(rows, max_batch() or rows)


def over(
    total: int, compute: Callable[[int, int], Part], batch: int, rows: int, *, told: bool = True
) -> Iterator[Part]:
    """Yield `compute(start, stop)` for consecutive chunks of 0…total, each of at most `rows` rows if one step fits.

    A step is a whole batch of `batch` rows. Where memory runs out the chunk is halved; where the output turns out not
    to grow with the batch, steps are taken one at a time.
    """
    size = max(1, min(total, rows // max(1, batch)))
    done = 0
    if told:
        report(0, total)
    while done < total:
        stop = min(done + size, total)
        try:
            part = compute(done, stop)
        except NotPerExample:
            if stop - done == 1:
                raise
            size = 1
            continue
        except RuntimeError as error:
            if stop - done == 1 or not _out_of_memory(error):
                raise
            size = (stop - done) // 2
            continue
        yield part
        done = stop
        if told:
            report(done, total)


def _out_of_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


@contextmanager
def undisturbed(forward: object, inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Leave inference mode, and restore random state and the buffers that training modules update in forward."""
    buffers = _updated_buffers(forward)
    with torch.inference_mode(False), same_randomness(inputs):
        kept = [(buffer, buffer.detach().clone()) for buffer in buffers]
        try:
            yield
        finally:
            with torch.no_grad():
                for buffer, value in kept:
                    buffer.copy_(value)


def same_randomness(inputs: tuple[Tensor, ...]) -> AbstractContextManager[None]:
    """Afterwards the random state is what it was before."""
    return torch.random.fork_rng(devices=sorted({x.get_device() for x in inputs if x.is_cuda}))


def _updated_buffers(forward: Any) -> list[Tensor]:
    if not isinstance(forward, nn.Module):
        return []
    return [b for module in forward.modules() if module.training for b in module.buffers(recurse=False)]
