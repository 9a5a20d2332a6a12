"""What to attribute to: the model's inputs, or the values at a layer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import Tensor, nn

from attribution_core.taps import Tap


@dataclass(frozen=True)
class Inputs:
    """The tensors given to the model."""

    @contextmanager
    def watched(self, inputs: tuple[Tensor, ...]) -> Iterator[Callable[[], tuple[Tensor, ...]]]:
        """While the model runs on `inputs`; the values are the inputs themselves."""
        yield lambda: inputs


@dataclass(frozen=True)
class Layer:
    """The tensors that leave a module (or enter it)."""

    module: nn.Module
    of_input: bool = False

    @contextmanager
    def watched(self, inputs: tuple[Tensor, ...]) -> Iterator[Callable[[], tuple[Tensor, ...]]]:  # noqa: ARG002
        """While the model runs; the values are known afterwards."""
        with Tap(self.module, self.of_input) as tap:
            yield tap.only

    def replaced(self, values: tuple[Tensor, ...]) -> Tap:
        """While the model runs, the layer passes on these values instead of its own."""
        return Tap(self.module, self.of_input, values)


Site = Inputs | Layer
