"""One example of the user's data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Example:
    """One example without batch dimension; `extra` are further arguments of the forward, tensors as batches of one.

    `truth` is what is true of it, a class index or a regression's value; None where that is not known.
    """

    inputs: tuple[Tensor, ...]
    truth: float | None
    extra: tuple[object, ...] = ()

    @property
    def label(self) -> int | None:
        """Its true class; None where the truth is no class index."""
        return int(self.truth) if self.truth is not None and self.truth >= 0 and self.truth.is_integer() else None

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        tensors = (*self.inputs, *(x for x in self.extra if isinstance(x, Tensor)))
        return 512 + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
