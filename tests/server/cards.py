"""What a person reads on a sample's card, and whether the model is as it was."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch
from torch import nn

from app import AttributionVisualizer

from .conftest import explained, get, listed

FINE = "fine"


def card(visualizer: AttributionVisualizer, sample: int = 0) -> str:
    """The sentence and the hint on a card, or `FINE`."""
    return said(get(visualizer, f"/api/samples/{sample}")["error"])


def said(error: Any) -> str:
    """An error as it is read; every one has a sentence and says what to try."""
    return FINE if error is None else f"{error['message']} | {error['hint']}"


def asked(visualizer: AttributionVisualizer, sample: int = 0, **question: Any) -> str:
    """The same of an explanation."""
    return said(explained(visualizer, sample=sample, **question)["error"])


def read(visualizer: AttributionVisualizer) -> Any:
    """All of the data is read; the progress."""
    return listed(visualizer, scan_to=100, limit=100)["progress"]


def state_of(model: Any) -> list[Any]:
    """All that must be the same before and after: weights and buffers to the bit, modes, hooks, gradients."""
    if not isinstance(model, nn.Module):
        return []
    return [
        [(name, _bits(value)) for name, value in model.state_dict().items()],
        [(name, p.requires_grad, None if p.grad is None else _bits(p.grad)) for name, p in model.named_parameters()],
        [(name, part.training, _hooks(part), sorted(vars(part))) for name, part in model.named_modules()],
    ]


def _bits(value: Any) -> Any:
    if not isinstance(value, torch.Tensor):  # packed weights of a quantised layer
        return [_bits(each) for each in value] if isinstance(value, tuple) else str(value)
    if value.is_meta:
        return tuple(value.shape)
    if value.is_quantized:
        return value.int_repr().numpy().tobytes()
    return value.detach().contiguous().view(torch.uint8).numpy().tobytes() if value.dim() else value.item()


def _hooks(module: nn.Module) -> int:
    return sum(len(found) for name, found in vars(module).items() if name.endswith("_hooks"))


def randomness() -> tuple[bytes, Any, bytes]:
    """The state of every global generator."""
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), np.random.get_state()[1].tobytes()
