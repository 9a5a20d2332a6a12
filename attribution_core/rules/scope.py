"""Which modules of a model are running, told by forward hooks that neither read nor change values."""

from __future__ import annotations

import threading
from functools import partial
from types import TracebackType
from typing import TypeVar

from torch import nn
from torch.utils.hooks import RemovableHandle

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import Hooking

Kind = TypeVar("Kind")


class Scope(Hooking):
    """The running modules of a model, outermost first, in the thread that opened it."""

    def __init__(self, model: object) -> None:
        self.model = model
        self.running: list[tuple[str, nn.Module]] = []
        self._handles: list[RemovableHandle] = []

    def __enter__(self) -> Scope:
        self._thread = threading.get_ident()
        for name, module in self.model.named_modules() if isinstance(self.model, nn.Module) else ():
            self._handles.append(module.register_forward_pre_hook(partial(self._entering, name)))
            self._handles.append(module.register_forward_hook(self._leaving, always_call=True))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for handle in self._handles:
            handle.remove()

    def attribute(self, name: str, kind: type[Kind]) -> Kind | None:
        """The attribute of this name of the innermost running module that has one; never written, only read."""
        for path, module in reversed(self.running):
            value = vars(module).get(name)
            if isinstance(value, kind):
                return value
            if value is not None:
                raise AttributionError(
                    f"{path or 'model'}.{name} is a {type(value).__name__}, not a {kind.__name__}.",
                    f"Set a {kind.__name__} of attribution_core.rules, or None.",
                )
        return None

    def __str__(self) -> str:
        path, module = self.running[-1] if self.running else ("", self.model)
        return f"{path or 'model'!r} ({type(module).__name__})"

    def _entering(self, name: str, module: nn.Module, _: object) -> None:
        if threading.get_ident() == self._thread:
            self.running.append((name, module))

    def _leaving(self, *_: object) -> None:
        if threading.get_ident() == self._thread and self.running:
            self.running.pop()
