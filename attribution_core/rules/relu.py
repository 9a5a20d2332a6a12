"""Rules for the rectifier: guided backpropagation and deconvolution."""

from __future__ import annotations

from torch import Tensor

from attribution_core.rules.intercept import Call, Interception, replaced


class _Guided(Interception):
    def answer(self, call: Call) -> Tensor:
        """The rectifier, whose gradient is rectified before it passes."""
        result: Tensor = call.pure(call.x)
        if result.grad_fn is not None:
            result.grad_fn.register_prehook(lambda gradients: (gradients[0].clamp(min=0),))
        return result


class _Deconvolution(Interception):
    def answer(self, call: Call) -> Tensor:
        """The rectifier, with a rectifier for its gradient."""
        return replaced(lambda x: (x.clamp(min=0), lambda gradient: gradient.clamp(min=0)), call.x)


def guided() -> Interception:
    """Pass on only positive gradients, and only where the rectifier was open [springenberg2015]."""
    return _Guided({"relu"})


def deconvolution() -> Interception:
    """Pass on only positive gradients, wherever the rectifier was open or not [zeiler2014]."""
    return _Deconvolution({"relu"})
