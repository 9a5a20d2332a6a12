"""Rules for the rectifier: guided backpropagation and deconvolution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from attribution_core.rules.intercept import Call, Interception, replaced


class Guided(Interception):
    """Rectifiers whose gradient is rectified before it passes, unless `paused`."""

    def __init__(self) -> None:
        super().__init__({"relu"})
        self._paused = False

    def answer(self, call: Call) -> Tensor:
        """The rectifier itself, its backward pass prepared."""
        result: Tensor = torch.relu_(call.x) if call.in_place else call.pure(call.x)
        if result.grad_fn is not None:
            result.grad_fn.register_prehook(self._rectified)
        return result

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Inside, backward passes are the usual ones."""
        self._paused = True
        try:
            yield
        finally:
            self._paused = False

    def _rectified(self, gradients: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        return None if self._paused else (gradients[0].clamp(min=0),)


class _Deconvolution(Interception):
    def answer(self, call: Call) -> Tensor:
        """The rectifier, with a rectifier for its gradient."""
        return replaced(lambda x: (x.clamp(min=0), lambda gradient: gradient.clamp(min=0)), call.x)


def guided() -> Guided:
    """Pass on only positive gradients, and only where the rectifier was open [springenberg2015]."""
    return Guided()


def deconvolution() -> Interception:
    """Pass on only positive gradients, wherever the rectifier was open or not [zeiler2014]."""
    return _Deconvolution({"relu"})
