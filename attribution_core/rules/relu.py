"""Rules for the rectifier: guided backpropagation and deconvolution."""

from __future__ import annotations

from torch import Tensor

from attribution_core.rules.intercept import Call, Interception, Pull, replaced


class _Rectifier(Interception):
    def __init__(self, keep_mask: bool) -> None:
        super().__init__({"relu"})
        self.keep_mask = keep_mask

    def answer(self, call: Call) -> Tensor:
        """The rectifier with a rectified gradient."""

        def rule(x: Tensor) -> tuple[Tensor, Pull]:
            result = x.clamp(min=0)
            if not self.keep_mask:
                return result, lambda gradient: gradient.clamp(min=0)
            positive = x > 0
            return result, lambda gradient: gradient.clamp(min=0).masked_fill(~positive, 0)

        return replaced(rule, call.x)


def guided() -> Interception:
    """Pass on only positive gradients, and only where the rectifier was open [springenberg2015]."""
    return _Rectifier(keep_mask=True)


def deconvolution() -> Interception:
    """Pass on only positive gradients, wherever the rectifier was open or not [zeiler2014]."""
    return _Rectifier(keep_mask=False)
