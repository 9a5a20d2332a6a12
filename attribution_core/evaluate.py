"""How every method evaluates a model: in chunks that fit, watched, and stoppable."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError, NotPerExample

Part = TypeVar("Part")

ELEMENTS = {"cpu": 262_144}
MANY_ELEMENTS = 1 << 22
"""Input elements in one forward pass where nobody set a bound: on a CPU as many as its caches like
(334 digits of 28×28, 64 sentences of 64 tokens), elsewhere enough to keep the device busy."""

OF_AN_ID = 64
"""Elements that a token id counts for: the model looks up an embedding at once."""

BYTES = 4096
"""Memory that is thought to go with an input element: what a deep net keeps of it for the backward pass."""

FEWEST = 6
"""Rows in one forward pass, however large, if memory allows: one photo leaves a net's kernels half idle."""

ROWS = 1024
"""Rows in one forward pass where nobody set a bound, however small they are."""


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
    copied: bool = False
    passes: Passes | None = None


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
    given = {"progress": progress, "cancelled": cancelled, "max_batch": max_batch}
    with _observing(**{name: value for name, value in given.items() if value is not None}):
        yield


@contextmanager
def _observing(**changes: Any) -> Iterator[None]:
    token = _observer.set(replace(_observer.get(), **changes))
    try:
        yield
    finally:
        _observer.reset(token)


def quietly(copied: bool) -> AbstractContextManager[None]:
    """For a method that asks another one: inside, nothing is reported.

    `copied`: what the other takes for a batch are stacked copies of one, so that it must give a score for each row.
    """
    return _observing(progress=None, copied=copied)


def copied() -> bool:
    """Whether a batch given now consists of stacked copies."""
    return _observer.get().copied


def counting(passes: Passes) -> AbstractContextManager[None]:
    """Inside, passes through models are counted in place of being made: see `attribution_core.cost`."""
    return _observing(passes=passes, progress=None)


def counting_forward(rows: int) -> bool:
    """Count a forward pass of so many rows, if any; whether passes are being counted."""
    passes = _observer.get().passes
    if passes is not None and rows:
        passes.forward += 1
        passes.forward_rows += rows
    return passes is not None


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


def max_batch() -> int | None:
    """The bound on rows that the caller set by `observe`."""
    return _observer.get().max_batch


def rows_that_fit(inputs: tuple[Tensor, ...], asked: int | None = None) -> int:
    """Rows for one forward pass: what a method's argument asked for, or a default; never above `max_batch`."""
    rows = asked or _default_rows(inputs)
    return min(rows, max_batch() or rows)


def _default_rows(inputs: tuple[Tensor, ...]) -> int:
    device = inputs[0].device
    width = max(1, sum(map(_elements, inputs)) // max(1, inputs[0].shape[0]))
    affordable = 1 << max(0, (free_memory(device) // BYTES).bit_length() - 1)  # in coarse steps: chunks seldom change
    liked = max(FEWEST, ELEMENTS.get(device.type, MANY_ELEMENTS) // width)
    return min(ROWS, liked, max(1, affordable // width))


def _elements(x: Tensor) -> int:
    ids = not x.is_floating_point() and x.dim() == 2 and x.dtype in (torch.int32, torch.int64)
    return x.numel() * OF_AN_ID if ids else x.numel()


def free_memory(device: torch.device) -> int:
    """Bytes that could be allocated now; as good as unlimited where that is not known."""
    if device.type == "cuda":
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + unused)
    try:
        untouched = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return untouched if untouched > 1 << 30 else _available()
    except (AttributeError, OSError, ValueError):
        return sys.maxsize


def _available() -> int:
    """Free memory of a Linux system, its file cache included."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))


def once(compute: Callable[[], Part], batch: int, *, told: bool = True) -> Part:
    """A method of a single step: one batch, in slices if memory runs out."""
    return next(iter([*over(1, lambda start, stop: compute(), batch, batch, told=told)]))  # noqa: ARG005 - a single step


def over(
    total: int, compute: Callable[[int, int], Part], batch: int, rows: int, *, told: bool = True
) -> Iterator[Part]:
    """Yield `compute(start, stop)` for consecutive chunks of 0…total, each of at most `rows` rows if one step fits.

    A step is a whole batch of `batch` rows. Where memory runs out the chunk is halved, and a chunk of one step is
    computed on ever smaller slices of the batch; where the output turns out not to grow with the batch, steps are
    taken one at a time.
    """
    size, bound = _evenly(total, rows // max(1, batch)), None
    done = 0
    if told:
        report(0, total)
    while done < total:
        stop = min(done + size, total)
        try:
            with nullcontext() if bound is None else observe(max_batch=bound):
                part = compute(done, stop)
        except NotPerExample:
            if stop - done == 1:
                raise
            size = 1
            continue
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
            if stop - done > 1:
                size = (stop - done) // 2
                continue
            bound = min(batch, bound or batch, max_batch() or batch) // 2
            if bound == 0 or copied():
                raise
            continue
        yield part
        done = stop
        if told:
            report(done, total)


def _evenly(total: int, most: int) -> int:
    """The size of chunks, at most `most`, of which all are about as large."""
    chunks = -(-total // max(1, most))
    return -(-total // max(1, chunks))


def _out_of_memory(error: RuntimeError) -> bool:
    if isinstance(error, torch.cuda.OutOfMemoryError):
        torch.cuda.empty_cache()
        return True
    return "can't allocate memory" in str(error) or "not enough memory" in str(error)


@contextmanager
def undisturbed(modules: Iterable[nn.Module], inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Leave inference mode, and restore random state and the buffers that training modules update in forward."""
    buffers = [b for m in modules if m.training for b in m._buffers.values() if b is not None]
    usual = torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext()
    with usual, same_randomness(inputs):
        kept = [(buffer, buffer.detach().clone()) for buffer in buffers]
        try:
            yield
        finally:
            if kept:
                _restore(kept)


def _restore(kept: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for buffer, value in kept:
            buffer.copy_(value)


@contextmanager
def same_randomness(inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Afterwards the random state is what it was before."""
    devices = {x.get_device() for x in inputs if x.is_cuda}
    generators = [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices)]
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def submodules(forward: object) -> list[nn.Module]:
    """A model and all modules below it, none of a function; quicker than `modules()`, which also names them."""
    found: dict[nn.Module, None] = {forward: None} if isinstance(forward, nn.Module) else {}
    waiting = list(found)
    while waiting:
        for below in waiting.pop()._modules.values():
            if below is not None and below not in found:
                found[below] = None
                waiting.append(below)
    return list(found)
