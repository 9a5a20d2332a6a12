"""Reading and replacing what a layer computes: the only forward hooks of the engine."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any

from torch import Tensor, nn

from attribution_core.errors import AttributionError

Values = tuple[Tensor, ...]


class Tap:
    """Reads the tensors that leave (or enter) a layer while it is open; with `replacement`, puts those in their place.

    Only calls from the thread that opened the tap are seen. The hook is removed when the tap closes.
    """

    def __init__(self, layer: nn.Module, of_input: bool = False, replacement: Values | None = None) -> None:
        self.layer = layer
        self.of_input = of_input
        self.replacement = replacement
        self.calls: list[Values] = []

    def __enter__(self) -> Tap:
        self._thread = threading.get_ident()
        if self.of_input:
            self._handle = self.layer.register_forward_pre_hook(lambda _, arguments: self._pass_on(arguments))
        else:
            self._handle = self.layer.register_forward_hook(lambda _, __, result: self._pass_on(result))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.remove()

    def only(self) -> Values:
        """The values of the layer's single call."""
        if len(self.calls) != 1:
            times = "was not called" if not self.calls else f"was called {len(self.calls)} times"
            raise AttributionError(
                f"Layer {type(self.layer).__name__} {times} in this forward pass.",
                "Choose a layer that the model calls exactly once for these inputs.",
            )
        return self.calls[0]

    def _pass_on(self, value: Any) -> Any:
        if threading.get_ident() != self._thread:
            return None
        values = (value,) if isinstance(value, Tensor) else value
        if not isinstance(values, tuple) or not all(isinstance(v, Tensor) for v in values):
            raise AttributionError(f"Layer {type(self.layer).__name__} passes on {type(value).__name__}, not tensors.")
        values = self.replacement or tuple(map(_differentiable, values))
        self.calls.append(values)
        fed = tuple(v.clone() for v in values)  # a following in-place operation must not overwrite what was read
        return fed[0] if isinstance(value, Tensor) else fed


def _differentiable(value: Tensor) -> Tensor:
    return value if value.requires_grad or not value.is_floating_point() else value.detach().requires_grad_()
