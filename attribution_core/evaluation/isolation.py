"""Isolation: a model's buffers, and the process's random and inference state, are afterwards what they were before."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from types import FunctionType, MethodType, TracebackType
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import _DropoutNd

from attribution_core.evaluation.modes import in_their_modes
from attribution_core.evaluation.observe import observing
from attribution_core.reading.arguments import LARGEST_SEED, at_least

MOST_KEPT = 1 << 26
"""Bytes of a buffer above which a module in evaluation mode is trusted not to change it: quantized weights are buffers
too, and too large to copy."""

DRAWING = (_DropoutNd, nn.RReLU, nn.FractionalMaxPool2d, nn.FractionalMaxPool3d)
"""Layers of torch that draw random numbers in training mode, as do those with a positive `dropout`."""

ALREADY = nullcontext()
"""Where nothing has to be done."""


class Tidy:
    """Around `undisturbed`, for Ctrl-C: it may come between any two lines, also while something is being put back.

    Then all of it is put back here. Where Ctrl-C comes in this place, the rest is in order already.
    """

    def __init__(self, modules: list[nn.Module]) -> None:
        self.modules = modules
        self.kept: list[_Kept] = []
        self._gradients = torch.is_grad_enabled()
        self._modes = torch._C._len_torch_function_stack()
        self._observer = observing()

    def __enter__(self) -> Tidy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or issubclass(kind, Exception):
            return
        while torch._C._len_torch_function_stack() > self._modes:
            torch._C._pop_torch_function_stack()
        torch.set_grad_enabled(self._gradients)
        self._observer()
        _restore(self.kept)
        for module in self.modules:
            _unhook(module)


class Hooking:
    """What hangs hooks on modules, its methods, while it is open in one thread."""

    _thread: int | None = None


def _unhook(module: nn.Module) -> None:
    """Remove this thread's hooks."""
    besides = (module._forward_hooks_with_kwargs, module._forward_hooks_always_called)
    for hooks, others in (
        (module._forward_hooks, besides),
        (module._forward_pre_hooks, (module._forward_pre_hooks_with_kwargs,)),
    ):
        for place, hook in list(hooks.items()):
            owner = getattr(getattr(hook, "func", hook), "__self__", None)
            if isinstance(owner, Hooking) and owner._thread == threading.get_ident():
                for each in (hooks, *others):
                    each.pop(place, None)


@contextmanager
def undisturbed(modules: list[nn.Module], inputs: tuple[Tensor, ...], tidy: Tidy | None = None) -> Iterator[bool]:
    """Leave inference mode; afterwards, also after an error, buffers are what they were, and so is the global random
    state where a module in training mode may draw from it, which is what comes out.

    With `tidy` it is a method that runs: what the model's modes change is warned of.
    """
    draws = may_draw(modules)
    usual = torch.inference_mode(False) if torch.is_inference_mode_enabled() else ALREADY
    told = ALREADY if tidy is None else in_their_modes(modules)
    with usual, told, same_randomness(inputs) if draws else ALREADY:
        kept = [buffer for module in modules if module._buffers for buffer in _kept(module)]
        if tidy is not None:
            tidy.kept = kept
        try:
            yield draws
        finally:
            if kept:
                _restore(kept)


class _Kept(NamedTuple):
    module: nn.Module
    name: str
    buffer: Tensor
    value: Tensor


def _kept(module: nn.Module) -> list[_Kept]:
    """The buffers that a module may change: all in training mode, in evaluation mode those of classes not torch's."""
    if not module.training and _of_torch(module):
        return []
    return [
        _Kept(module, name, buffer, buffer.detach().clone())
        for name, buffer in module._buffers.items()
        if buffer is not None and (module.training or _size(buffer) <= MOST_KEPT) and not buffer.is_inference()
    ]


def _size(buffer: Tensor) -> int:
    return buffer.numel() * buffer.element_size()


def _restore(kept: list[_Kept]) -> None:
    with torch.no_grad():
        for module, name, buffer, value in kept:
            module._buffers[name] = buffer  # the model may have put another tensor in its place
            buffer.copy_(value)


def may_draw(modules: Iterable[nn.Module]) -> bool:
    """Whether a module in training mode may draw random numbers: dropout, and any class that is not torch's."""
    return any(map(_draws, [module for module in modules if module.training]))


def _draws(module: nn.Module) -> bool:
    return not _of_torch(module) or isinstance(module, DRAWING) or bool(getattr(module, "dropout", False))


def _of_torch(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.")


@contextmanager
def same_randomness(inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Afterwards the global random state is what it was before, but for the seeds that `drawn_seed` took meanwhile.

    The state belongs to the whole process: what another thread draws meanwhile it draws again. To be used only where
    something inside may draw.
    """
    devices = {x.get_device() for x in inputs if x.is_cuda}
    generators = [torch.default_generator, *(torch.cuda.default_generators[device] for device in devices)]
    states = [generator.get_state() for generator in generators]
    drawn = _seeds.drawn
    try:
        yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
        for _ in range(_seeds.drawn - drawn):
            _next_seed()


@contextmanager
def seeded(seed: int | None, inputs: tuple[Tensor, ...]) -> Iterator[None]:
    """Inside, the global random state starts from a seed, if there is one: for the caller's functions that draw."""
    if seed is None:
        yield
        return
    with same_randomness(inputs):
        torch.default_generator.manual_seed(at_least("seed", seed, 0, LARGEST_SEED))
        for device in {x.get_device() for x in inputs if x.is_cuda}:
            torch.cuda.default_generators[device].manual_seed(seed)
        yield


class _Seeds(threading.local):
    drawn = 0


_seeds = _Seeds()


def drawn_seed() -> int:
    """A seed from the global random state, which it advances: the only way in which the engine does so itself."""
    _seeds.drawn += 1
    return _next_seed()


def _next_seed() -> int:
    return int(torch.randint(1 << 48, ()))


def submodules(forward: object) -> list[nn.Module]:
    """A model and all modules below it, or those that a function is bound to or refers to; quicker than `modules()`,
    which also names them."""
    reached = [forward] if isinstance(forward, nn.Module) else _models(forward)
    seen = set(reached)
    for module in reached:
        for below in module._modules.values():
            if below is not None and below not in seen:
                seen.add(below)
                reached.append(below)
    return reached


def _models(forward: object) -> list[nn.Module]:
    """The modules that a function reaches by its names, and through methods, partials and functions of its file."""
    models: dict[nn.Module, None] = {}
    waiting, seen = [forward], {id(forward)}
    while waiting:
        value = waiting.pop()
        if isinstance(value, nn.Module):
            models[value] = None
            continue
        fresh = [other for other in _referred(value) if id(other) not in seen]
        seen.update(map(id, fresh))
        waiting += fresh
    return list(models)


def _referred(value: object) -> list[object]:
    """The modules and functions that a function refers to; of the object of a method, those among its attributes."""
    if isinstance(value, MethodType):
        return [value.__self__, value.__func__]
    if isinstance(value, partial):
        return _functions([value.func, *value.args, *value.keywords.values()])
    if isinstance(value, FunctionType):
        named = [value.__globals__.get(name) for name in value.__code__.co_names]
        beside = [v for v in named if not isinstance(v, FunctionType) or v.__globals__ is value.__globals__]
        return _functions([*beside, *_closed_over(value), *(value.__defaults__ or ())])
    return _functions(vars(value).values()) if hasattr(value, "__dict__") and not isinstance(value, type) else []


def _closed_over(function: FunctionType) -> Iterator[object]:
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # a variable that has no value yet
            yield cell.cell_contents


def _functions(values: Iterable[object]) -> list[object]:
    return [v for v in values if isinstance(v, (nn.Module, FunctionType, MethodType, partial))]
