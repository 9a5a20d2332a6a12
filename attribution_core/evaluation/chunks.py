"""Chunks: how many rows one forward pass gets, and smaller ones where memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from enum import Enum, auto
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

from attribution_core.errors import NotPerExample
from attribution_core.evaluation.failure import out_of_memory
from attribution_core.evaluation.observe import are_apart, is_stacked, max_batch, observe, report
from attribution_core.reading.values import ragged

Part = TypeVar("Part")

ELEMENTS = {"cpu": 262_144}

MANY_ELEMENTS = 1 << 22
"""Input elements in one forward pass where nobody set a bound: on a CPU as many as its caches like
(334 digits of 28×28, 64 sentences of 64 tokens), elsewhere enough to keep the device busy."""

OF_AN_ID = 64
"""Elements that a token id counts for: the model looks up an embedding at once."""

FEWEST = 6
"""Rows in one forward pass, however large, if memory allows: one photo leaves a net's kernels half idle."""

ROWS = 1024
"""Rows in one forward pass where nobody set a bound, however small they are."""

UNBOUND = nullcontext()


def rows_that_fit(inputs: tuple[Tensor, ...], asked: int | None = None) -> int:
    """Rows for one forward pass: what a method's argument asked for, or a default; never above `max_batch`.

    Where inputs differ in their rows, so that they cannot be stacked, or where the examples of a batch depend on each
    other, one step is taken at a time.

    The default follows from shapes and the kind of device alone, so that the same call adds up the same numbers in the
    same order: the same seed gives the same bits, however much memory is free.
    """
    if are_apart() or ragged(inputs):
        return 1
    rows = asked or _default_rows(inputs)
    return min(rows, max_batch() or rows)


def _default_rows(inputs: tuple[Tensor, ...]) -> int:
    width = max(1, sum(map(_elements, inputs)) // max(1, inputs[0].shape[0]))
    return min(ROWS, max(FEWEST, ELEMENTS.get(inputs[0].device.type, MANY_ELEMENTS) // width))


def _elements(x: Tensor) -> int:
    ids = not x.is_floating_point() and x.dim() == 2 and x.dtype in (torch.int32, torch.int64)
    return x.numel() * OF_AN_ID if ids else x.numel()


def in_one_chunk(compute: Callable[[], Part], batch: int, *, reported: bool = True) -> Part:
    """A method of a single step: one batch, in slices if memory runs out."""
    bound = None
    if reported:
        report(0, 1)
    while isinstance(result := _attempted(compute, batch, bound), _Failure):
        bound = _smaller(batch, bound)
    if reported:
        report(1, 1)
    return result


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
        single = stop - done == 1
        result = _attempted(partial(compute, done, stop), batch, bound, single)
        if result is _Failure.NOT_PER_EXAMPLE:
            size = 1
        elif result is _Failure.OUT_OF_MEMORY:
            size, bound = (size, _smaller(batch, bound)) if single else ((stop - done) // 2, bound)
        else:
            yield result
            done = stop
            if reported:
                report(done, total)


def _smaller(batch: int, bound: int | None) -> int:
    """The rows of a slice of a batch that did not fit; 0 if there is none."""
    return 0 if is_stacked() else min(batch, bound or batch, max_batch() or batch) // 2


class _Failure(Enum):
    """Why a chunk must be smaller."""

    OUT_OF_MEMORY = auto()
    NOT_PER_EXAMPLE = auto()


def _attempted(compute: Callable[[], Part], batch: int, bound: int | None, single: bool = True) -> Part | _Failure:
    """A chunk, or why a smaller one is to be tried: then the error, which holds on to what was computed, is gone.

    `single`: the chunk has one step only; the error is raised where no smaller slice of its batch can be tried.
    """
    try:
        with UNBOUND if bound is None else observe(max_batch=bound):
            return compute()
    except NotPerExample:
        if single:
            raise
        return _Failure.NOT_PER_EXAMPLE
    except RuntimeError as error:
        if not out_of_memory(error) or (single and not _smaller(batch, bound)):
            raise
    _free()
    return _Failure.OUT_OF_MEMORY


def _free() -> None:
    """Give back what the failed pass had allocated; its error is gone."""
    gc.collect(1)  # tensors in circles of references, which the failed pass has just made
    torch.cuda.empty_cache()


def _evenly(total: int, most: int) -> int:
    """The size of chunks, at most `most`, of which all are about as large."""
    chunks = -(-total // max(1, most))
    return -(-total // max(1, chunks))
