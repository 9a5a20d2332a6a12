"""Perturbed copies of a batch: drawn by the user's function block by block, checked, evaluated in chunks."""

from __future__ import annotations

import functools
import inspect
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.chunks import in_chunks, rows_that_fit
from attribution_core.evaluation.isolation import seeded
from attribution_core.evaluation.observe import report
from attribution_core.reading.arguments import at_least
from attribution_core.types import Baseline, Tensors

DRAWN = 1 << 24
"""Most input elements that are perturbed in one call of a perturbation function (unless one batch has more)."""

Block = tuple[Tensors, ...]
"""Perturbed copies of a batch, tensors (B, copies, …): disturbed inputs, for infidelity after the disturbances."""
Perturb = Callable[..., object]
"""A user's function from inputs to perturbed ones, which are checked when it returns."""


class PerturbedCopies:
    """The perturbed copies of a batch, drawn block by block."""

    def __init__(
        self, xs: Tensors, single: bool, samples: int, draw: Callable[..., Block], baselines: Baseline = None
    ) -> None:
        self.xs, self.single, self.samples, self.draw, self.baselines = xs, single, samples, draw, baselines
        self.block = max(1, min(samples, DRAWN // max(1, sum(x.numel() for x in xs))))

    def evaluated(self, part: Callable[[Block, int, int], Tensor], rows: int | None) -> Iterator[Tensor]:
        """`part(block, start, stop)` over all copies, in chunks that fit."""
        batch = len(self.xs[0])
        if batch == 0:
            raise AttributionError("The inputs have no rows.", "Pass at least one example.")
        report(0, self.samples)
        for first in range(0, self.samples, self.block):
            count = min(self.block, self.samples - first)
            compute = functools.partial(part, self._drawn(count))
            chunks = in_chunks(count, compute, batch, rows_that_fit(self.xs, rows), reported=False)
            for done, chunk in _counted(chunks, first):
                yield chunk
                report(done, self.samples)

    def _drawn(self, count: int) -> Block:
        repeated = tuple(x.repeat_interleave(count, 0) for x in self.xs)
        arguments = () if self.baselines is None else (repeated_rows(self.baselines, len(self.xs[0]), count),)
        block = self.draw(repeated[0].clone() if self.single else tuple(x.clone() for x in repeated), *arguments)
        for tensors in block:
            check_alike("perturb_func returned", tensors, repeated)
        return tuple(tuple(x.detach().reshape(-1, count, *x.shape[1:]) for x in tensors) for tensors in block)


def _counted(chunks: Iterator[Tensor], done: int) -> Iterator[tuple[int, Tensor]]:
    for chunk in chunks:
        done += chunk.shape[-2]
        yield done, chunk


def repeated_rows(value: object, batch: int, copies: int) -> object:
    """Each example's row repeated, in a tensor or list, or in each entry of a tuple; anything else as it is."""
    if isinstance(value, tuple):
        return tuple(repeated_rows(entry, batch, copies) if isinstance(entry, Tensor) else entry for entry in value)
    if isinstance(value, list) and len(value) == batch:
        return [entry for entry in value for _ in range(copies)]
    if isinstance(value, Tensor) and value.dim() and len(value) == batch:
        return value.repeat_interleave(copies, 0)
    return value


def as_tensors(value: object) -> Tensors:
    """What a user's function returned: a tensor or several, as a tuple."""
    entries = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for entry in entries:
        if not isinstance(entry, Tensor):
            raise AttributionError(f"Expected a tensor or a tuple of tensors, not a {type(entry).__name__}.")
    return entries


def check_alike(what: str, actual: Tensors, expected: Tensors) -> None:
    """Refuse tensors of other shapes than expected."""
    if [x.shape for x in actual] != [x.shape for x in expected]:
        raise AttributionError(
            f"{what} shapes {[tuple(x.shape) for x in actual]}, not {[tuple(x.shape) for x in expected]}.",
            "Each input comes with its rows repeated; return tensors of the shapes that arrive.",
        )


def as_counts(samples: int, rows: int | None) -> tuple[int, int | None]:
    """Read `n_perturb_samples` and `max_examples_per_batch`."""
    return (
        at_least("n_perturb_samples", samples, 1),
        None if rows is None else at_least("max_examples_per_batch", rows, 1),
    )


def check_callable(name: str, value: object) -> None:
    """Refuse an argument that is not a function."""
    if not callable(value):
        raise AttributionError(f"{name} is a {type(value).__name__}, which cannot be called.")


def takes(function: Callable[..., object], count: int) -> bool:
    """Whether `count` positional arguments may be passed."""
    try:
        inspect.signature(function).bind(*[None] * count)
    except (TypeError, ValueError):
        return False
    return True


@contextmanager
def seeded_functions(seed: int | None, xs: Tensors) -> Iterator[None]:
    """Torch, numpy and random start from `seed`, and are restored."""
    if seed is None:
        yield
        return
    kept = np.random.get_state(), random.getstate()
    try:
        with seeded(seed, xs):
            np.random.seed(seed % (1 << 32))
            random.seed(seed)
            yield
    finally:
        np.random.set_state(kept[0])
        random.setstate(kept[1])
