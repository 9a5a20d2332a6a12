"""Isolation: a model's buffers, and the process's random and inference state, are afterwards what they were before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext

import torch
from torch import Tensor, nn


@contextmanager
def undisturbed(modules: Iterable[nn.Module], inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Leave inference mode, and restore random state and the buffers that training modules update in forward."""
    buffers = [b for m in modules if m.training for b in m._buffers.values() if b is not None]
    usual = torch.inference_mode(False) if torch.is_inference_mode_enabled() else nullcontext()
    with usual, same_randomness(inputs):
        kept = [(buffer, buffer.detach().clone()) for buffer in buffers]
        try:
            yield
        finally:
            if kept:
                _restore(kept)


def _restore(kept: list[tuple[Tensor, Tensor]]) -> None:
    with torch.no_grad():
        for buffer, value in kept:
            buffer.copy_(value)


@contextmanager
def same_randomness(inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Afterwards the random state is what it was before."""
    devices = {x.get_device() for x in inputs if x.is_cuda}
    generators = [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices)]
    states = [generator.get_state() for generator in generators]
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def submodules(forward: object) -> list[nn.Module]:
    """A model and all modules below it, none of a function; quicker than `modules()`, which also names them."""
    found: dict[nn.Module, None] = {forward: None} if isinstance(forward, nn.Module) else {}
    waiting = list(found)
    while waiting:
        for below in waiting.pop()._modules.values():
            if below is not None and below not in found:
                found[below] = None
                waiting.append(below)
    return list(found)
