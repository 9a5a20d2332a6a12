"""Reading and replacing the values that enter or leave a layer, with a forward hook."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_unflatten

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import Hooking
from attribution_core.rules.autograd import replaced

Values = tuple[Tensor, ...]
Output = TypeVar("Output")
WhichCall = int | Literal["sum"] | None
"""Of a layer that runs several times in one pass: the call's number, all of them, or None: there must be only one."""


class Tap(Hooking):
    """Reads the tensors that leave (or enter) a layer while it is open; with `replacement`, puts those in their place.

    Tensors are found inside tuples, lists, dicts and ModelOutputs; of a layer's arguments, the positional ones are
    searched, or the keywords if those hold none. Calls from other threads than the one that opened the tap pass it by.
    The hook is removed when the tap closes.
    """

    def __init__(
        self, layer: nn.Module, of_input: bool = False, call: WhichCall = None, replacement: Values | None = None
    ) -> None:
        self.layer = layer
        self.of_input = of_input
        self.call = call
        self.replacement = None if replacement is None else iter(replacement)
        self.calls: list[Values] = []

    def __enter__(self) -> Tap:
        self._thread = threading.get_ident()
        if self.of_input:
            self._handle = self.layer.register_forward_pre_hook(self._before, with_kwargs=True)
        else:
            self._handle = self.layer.register_forward_hook(self._after)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._handle.remove()

    def _before(self, _: nn.Module, arguments: tuple[object, ...], named: dict[str, object]) -> Any:
        return self._arguments(arguments, named)

    def _after(self, _: nn.Module, __: object, result: object) -> object:
        return self._pass_on(result)

    def kept(self) -> Values:
        """The values of the chosen call, or of all calls one after the other."""
        times = len(self.calls)
        if not times or (self.call is None and times > 1) or (isinstance(self.call, int) and self.call >= times):
            raise AttributionError(
                f"Layer {type(self.layer).__name__} was {f'called {times} times' if times else 'not called'} "
                f"in this forward pass{'' if self.call is None else f'; call={self.call!r} is not among them'}.",
                _choices(times),
            )
        if self.call == "sum":
            return tuple(value for values in self.calls for value in values)
        return self.calls[self.call or 0]

    def _arguments(
        self, arguments: tuple[object, ...], named: dict[str, object]
    ) -> tuple[tuple[object, ...], dict[str, object]]:
        if any(isinstance(leaf, Tensor) for leaf in tree_flatten(arguments)[0]):
            return self._pass_on(arguments), named
        return arguments, self._pass_on(named)

    def _pass_on(self, value: Output) -> Output:
        if threading.get_ident() != self._thread:
            return value
        leaves, structure = tree_flatten(value)
        places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        if not places:
            raise AttributionError(f"Layer {type(self.layer).__name__} passes on {type(value).__name__}, not tensors.")
        values = self._values(tuple(leaves[place] for place in places))
        self.calls.append(values)
        read = self.replacement is None
        for place, tensor in zip(places, values, strict=True):
            leaves[place] = tensor.clone() if read else tensor  # operations in place must not overwrite what was read
        passed_on: Output = tree_unflatten(leaves, structure)
        return passed_on

    def _values(self, computed: Values) -> Values:
        """What is passed on in place of the values that the layer computed."""
        if self.replacement is None:
            return tuple(map(_differentiable, computed))
        if isinstance(self.call, int) and self.call != len(self.calls):
            return computed
        return tuple(next(self.replacement, value) for value in computed)


def _choices(times: int) -> str:
    if times == 0:
        return "Choose a layer that the model calls for these inputs."
    if times == 1:
        return "Leave `call` out, or choose call=0."
    return f"Choose one as Layer(module, call=0) … Layer(module, call={times - 1}), or all: Layer(module, call='sum')."


def _differentiable(value: Tensor) -> Tensor:
    if not torch.is_grad_enabled() or not value.is_floating_point() or value.requires_grad:
        return value
    # No leaf: rules take those for weights.
    return replaced(lambda leaf: (leaf.view_as(leaf), lambda gradient: gradient), value.detach().requires_grad_())
