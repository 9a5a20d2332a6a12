"""One example of the user's data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Example:
    """One example without batch dimension; `extra` are further arguments of the forward, tensors as batches of one."""

    inputs: tuple[Tensor, ...]
    label: int | None
    extra: tuple[object, ...] = ()

    @property
    def bytes(self) -> int:
        """What it takes in memory."""
        tensors = (*self.inputs, *(x for x in self.extra if isinstance(x, Tensor)))
        return 512 + sum(tensor.numel() * tensor.element_size() for tensor in tensors)
