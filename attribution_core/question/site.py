"""What to attribute to: the model's inputs, or the values at one layer or several."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass

from torch import nn

from attribution_core.errors import AttributionError
from attribution_core.question.attention import Attentions
from attribution_core.question.joins import Joins
from attribution_core.question.taps import Tap, WhichCall
from attribution_core.types import Tensors


@dataclass(frozen=True)
class Inputs:
    """The tensors given to the model."""

    def recorded(self, inputs: Tensors) -> AbstractContextManager[Callable[[], Tensors]]:
        """While the model runs on `inputs`; the values are the inputs themselves."""
        return nullcontext(lambda: inputs)


@dataclass(frozen=True)
class Layer:
    """The tensors that leave a module (or enter it).

    `call` chooses among the calls of a module that runs several times in one pass: the number of one, counted from 0,
    or "sum" for the attributions of all, added up.
    """

    module: nn.Module
    of_input: bool = False
    call: WhichCall = None

    def __post_init__(self) -> None:
        if not isinstance(self.module, nn.Module):
            raise AttributionError(
                f"layer is a {type(self.module).__name__}.", "Pass a module of the model, or Layer(module, call=…)."
            )
        whole = isinstance(self.call, int) and not isinstance(self.call, bool) and self.call >= 0
        if not (whole or self.call in (None, "sum")):
            raise AttributionError(f"Layer(call={self.call!r}): expected an integer ≥ 0, 'sum' or None.")

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:  # noqa: ARG002
        """While the model runs; the values are known afterwards."""
        with Tap(self.module, self.of_input, self.call) as tap:
            yield tap.kept

    def replaced(self, values: Tensors) -> Tap:
        """While the model runs, the layer passes on these values instead of its own."""
        return Tap(self.module, self.of_input, self.call, values)

    def joined(self, attributions: Tensors) -> Tensors:
        """Attributions to the layer's values, those of several calls added up if so asked."""
        if self.call != "sum" or len(attributions) == 1:
            return attributions
        if len({a.shape for a in attributions}) > 1:
            raise AttributionError(
                f"Layer(call='sum'): the calls of {type(self.module).__name__} pass on different shapes, "
                f"{[tuple(a.shape) for a in attributions]}.",
                "Choose one of them by its number.",
            )
        return (sum(attributions[1:], attributions[0]),)


class Layers:
    """The values at several layers, one after the other; each pass that reads them notes how many each layer has."""

    def __init__(self, parts: tuple[Layer, ...], sizes: tuple[int, ...] | None = None) -> None:
        self.parts = parts
        self._sizes = sizes

    @contextmanager
    def recorded(self, inputs: Tensors) -> Iterator[Callable[[], Tensors]]:
        """While the model runs; the values are known afterwards."""
        with ExitStack() as stack:
            read = [stack.enter_context(part.recorded(inputs)) for part in self.parts]
            yield lambda: self._noted([values() for values in read])

    def _noted(self, each: list[Tensors]) -> Tensors:
        self._sizes = tuple(map(len, each))
        return tuple(value for values in each for value in values)

    @contextmanager
    def replaced(self, values: Tensors) -> Iterator[None]:
        """While the model runs, the layers pass on these values instead of their own."""
        with ExitStack() as stack:
            for part, own in zip(self.parts, self.divided(values), strict=True):
                stack.enter_context(part.replaced(own))
            yield

    def divided(self, values: Tensors) -> list[Tensors]:
        """The values of each layer by itself."""
        if self._sizes is None:
            raise AttributionError("How many values each layer has is not known yet.", "Ask Question.values first.")
        rest = iter(values)
        return [tuple(next(rest) for _ in range(size)) for size in self._sizes]


Site = Inputs | Layer | Layers | Attentions | Joins
