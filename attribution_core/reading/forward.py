"""Any way of calling a model, as a function of tensors in order."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from attribution_core.reading.arguments import as_extra


class Named(nn.Module):
    """A model whose inputs or further arguments have names, as a function of tensors in order.

    Names that the model takes as keywords are given so; inputs are one dict otherwise.
    """

    def __init__(self, model: Callable[..., Any], inputs: tuple[str, ...], further: tuple[str, ...]) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)
        self.inputs = inputs
        self.further = further

    def forward(self, *values: Any) -> Any:
        """The model's output for the inputs and the further arguments."""
        named = dict(zip(self.inputs, values, strict=False))
        rest = values[len(named) : len(values) - len(self.further)]
        more = dict(zip(self.further, values[len(values) - len(self.further) :], strict=True))
        if binds(self.model, *rest, **named, **more):
            return self.model(*rest, **named, **more)
        ahead = (*((named,) if named else ()), *rest)
        return self.model(*ahead, **more) if binds(self.model, *ahead, **more) else self.model(*ahead, more)


def as_forward(
    forward: Callable[..., Any], names: tuple[str, ...], extra: Any
) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The model as a function of (inputs, further arguments) in order, and those arguments as a tuple."""
    further = extra if isinstance(extra, Mapping) else {}
    if not names and not further:
        return forward, () if isinstance(extra, Mapping) else as_extra(extra)
    rest = tuple(further.values()) if further else as_extra(extra)
    return Named(forward, names, tuple(map(str, further))), rest


def binds(function: Callable[..., Any], *arguments: Any, **named: Any) -> bool:
    """Whether a function can be called so."""
    try:
        inspect.signature(function.forward if isinstance(function, nn.Module) else function).bind(*arguments, **named)
    except (TypeError, ValueError):
        return False
    return True


def device_of(modules: Iterable[nn.Module]) -> torch.device | None:
    """The device of the modules' parameters, if they all are on one."""
    found = set()
    for module in modules:
        found |= {tensor.device for tensor in module._parameters.values() if tensor is not None}
        if module._buffers:
            found |= {tensor.device for tensor in module._buffers.values() if tensor is not None}
    return found.pop() if len(found) == 1 else None


def moved(value: Any, device: torch.device | None) -> Any:
    """Tensors moved to a device, also inside tuples, lists and dicts."""
    if device is None or (type(value) is tuple and all(isinstance(v, Tensor) and v.device == device for v in value)):
        return value
    return tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, value)
