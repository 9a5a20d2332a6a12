"""What a dataset yields: a batch of examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples to explain.

    inputs: one tensor (B, ...) per model input, before `input_transforms`.
    labels: true classes (B,), or None where they are not known.
    additional_args: further arguments of the model's forward; tensors (B, ...) are cut per example, others passed on.
    """

    inputs: Tensor | tuple[Tensor, ...]
    labels: Tensor | None = None
    additional_args: Any = None
