"""Chunks: how many rows one forward pass gets, and smaller ones where memory runs out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from attribution_core.errors import NotPerExample
from attribution_core.evaluation.observe import is_stacked, max_batch, observe, report

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


def in_one_chunk(compute: Callable[[], Part], batch: int, *, reported: bool = True) -> Part:
    """A method of a single step: one batch, in slices if memory runs out."""
    return next(iter([*in_chunks(1, lambda start, stop: compute(), batch, batch, reported=reported)]))  # noqa: ARG005 - a single step


def in_chunks(
    total: int, compute: Callable[[int, int], Part], batch: int, rows: int, *, reported: bool = True
) -> Iterator[Part]:
    """Yield `compute(start, stop)` for consecutive chunks of 0…total, each of at most `rows` rows if one step fits.

    A step is a whole batch of `batch` rows. Where memory runs out the chunk is halved, and a chunk of one step is
    computed on ever smaller slices of the batch; where the output turns out not to grow with the batch, steps are
    taken one at a time.
    """
    size, bound = _evenly(total, rows // max(1, batch)), None
    done = 0
    if reported:
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
            if bound == 0 or is_stacked():
                raise
            continue
        yield part
        done = stop
        if reported:
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
