"""In which precision sums are taken."""

from __future__ import annotations

import torch


def accumulator(dtype: torch.dtype) -> torch.dtype:
    """The dtype to accumulate in: float32 for half precision, else itself."""
    return torch.float32 if dtype in (torch.float16, torch.bfloat16) else dtype
