"""Whether a model's weights are still those that predicted: a fingerprint that costs little."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn

SAMPLED = 16
"""Numbers that are looked at in each tensor: a change through `.data` leaves no other trace."""


class Weights:
    """Notices when a model's parameters or buffers change.

    The quick look takes the place and version of each parameter and some of its numbers. Only where that differs are
    all numbers summed, so that moving or loading the same weights again is no change.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._seen: object = None
        self._sums = ""

    def fingerprint(self) -> str:
        """The same for the same numbers."""
        seen = self._look()
        if seen != self._seen:
            self._sums = _digest(_sums(self._model))
            self._seen = seen
        return self._sums

    def _look(self) -> object:
        """Buffers have no version here: isolation restores those of a model in training mode, and so counts it up."""
        places = [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in _numbers(self._model.parameters())]
        return places, _digest(_samples(tensor) for tensor in _numbers(_tensors(self._model)))


def _tensors(model: nn.Module) -> Iterator[Tensor]:
    yield from model.parameters()
    yield from model.buffers()


def _numbers(tensors: Iterator[Tensor]) -> Iterator[Tensor]:
    """Those that hold plain numbers: none that a lazy layer has yet to make, none without memory."""
    for tensor in tensors:
        without = nn.parameter.is_lazy(tensor) or tensor.is_meta or tensor.is_quantized
        if not without and tensor.layout == torch.strided:
            yield tensor.detach()


def _samples(x: Tensor) -> Tensor:
    flat = x.flatten() if x.is_contiguous() else x[:SAMPLED].flatten() if x.dim() else x.reshape(1)
    return flat[:: max(1, len(flat) // SAMPLED)].to(_wide(x))


def _sums(model: nn.Module) -> Iterator[Tensor]:
    for x in _numbers(_tensors(model)):
        yield x.sum(dtype=_wide(x))
        if x.is_floating_point() or x.is_complex():
            yield torch.linalg.vector_norm(x, dtype=_wide(x))
        yield _samples(x)


def _wide(x: Tensor) -> torch.dtype:
    if x.is_complex():
        return torch.complex128
    return torch.float32 if x.device.type == "mps" else torch.float64


def _digest(parts: Iterator[Tensor]) -> str:
    """One transfer from the device for all parts."""
    found = [part.reshape(-1) for part in parts]
    numbers = [torch.view_as_real(part).reshape(-1) if part.is_complex() else part for part in found]
    joined = torch.cat([part.to(numbers[0]) for part in numbers]) if numbers else torch.zeros(0)
    return hashlib.sha256(joined.cpu().numpy().tobytes()).hexdigest()[:16]
