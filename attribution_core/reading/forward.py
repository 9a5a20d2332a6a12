"""Any way of calling a model, as a function of tensors in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from attribution_core.errors import AttributionError
from attribution_core.reading.arguments import as_extra

Model = Callable[..., object]
"""A module, or any function of tensors."""
Value = TypeVar("Value")


class Named(nn.Module):
    """A model whose inputs or further arguments have names, as a function of tensors in order.

    Names that the model takes as keywords are passed as such; inputs are passed as one dict otherwise.
    """

    def __init__(self, model: Model, inputs: tuple[str, ...], further: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)
        self.inputs = inputs
        self.further = further

    def forward(self, *values: object) -> object:
        """The model's output for the inputs and the further arguments."""
        named = dict(zip(self.inputs, values, strict=False))
        rest = values[len(named) : len(values) - len(self.further)]
        options = dict(zip(self.further, values[len(values) - len(self.further) :], strict=True))
        if binds(self.model, *rest, **named, **options):
            return self.model(*rest, **named, **options)
        positional = (*((named,) if named else ()), *rest)
        if binds(self.model, *positional, **options):
            return self.model(*positional, **options)
        return self.model(*positional, options)


def as_forward(
    forward: Model, names: tuple[str, ...], extra: object, device: torch.device | None
) -> tuple[Model, tuple[object, ...]]:
    """The model as a function of (inputs, further arguments) in order, and those arguments on its device.

    `names` are those of the inputs if they have some.
    """
    further = extra if isinstance(extra, Mapping) else {}
    rest = tuple(further.values()) if isinstance(extra, Mapping) else as_extra(extra)
    called = Named(forward, names, tuple(map(str, further))) if names or further else forward
    return called, moved(rest, device)


def binds(function: Model, *arguments: object, **named: object) -> bool:
    """Whether a function can be called with these arguments."""
    try:
        inspect.signature(function.forward if isinstance(function, nn.Module) else function).bind(*arguments, **named)
    except (TypeError, ValueError):
        return False
    return True


def device_of(modules: Iterable[nn.Module]) -> torch.device | None:
    """The device of the modules' parameters, if they all are on one."""
    found = None
    for module in modules:
        for tensor in (*module._parameters.values(), *module._buffers.values()):
            if tensor is None or tensor.device == found:
                continue
            if found is not None:
                return None
            found = tensor.device
    return found


def moved(value: Value, device: torch.device | None) -> Value:
    """Tensors moved to a device, also inside tuples, lists and dicts."""
    if device is None:
        return value
    if isinstance(value, tuple) and all(isinstance(v, Tensor) and v.device == device for v in value):
        return value  # as it mostly is

    def there(leaf: object) -> object:
        if not isinstance(leaf, Tensor):
            return leaf
        if leaf.is_meta and device.type != "meta":
            raise AttributionError("additional_forward_args has a tensor on the meta device.", "Pass its values.")
        return leaf.to(device)

    tree: Value = tree_map(there, value)
    return tree
