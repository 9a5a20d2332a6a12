"""Operations seen as they are called, however they are written.

`nn.ReLU()(x)`, `F.relu(x)`, `x.relu()`, `torch.relu_(x)` and `F.relu(x, inplace=True)` arrive here as one operation.
The interception belongs to a context and a thread; modules are not touched.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.errors import AttributionError

Pull = Callable[[Tensor], Tensor]
"""From the gradient of an operation's result to the gradient of its input."""

HOMES = (torch, Tensor, F, torch.special, torch._C._nn)


@dataclass(frozen=True)
class Call:
    """An operation on one tensor: `pure(x)` computes it out of place."""

    name: str
    x: Tensor
    arguments: tuple[Any, ...]
    options: dict[str, Any]
    function: Callable[..., Any]
    in_place: bool

    def pure(self, x: Tensor) -> Any:
        """The operation's result for another value, nothing changed in place."""
        return self.function(x, *self.arguments, **self.options)


class Replaced(torch.autograd.Function):
    """An operation whose result and gradient come from `rule(x) -> (result, pull)`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, rule: Callable[[Tensor], tuple[Tensor, Pull]]) -> Tensor:
        """The result."""
        result, ctx.pull = rule(x)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """The rule's gradient."""
        return ctx.pull(gradients[0]), None


def replaced(x: Tensor, rule: Callable[[Tensor], tuple[Tensor, Pull]]) -> Tensor:
    """Apply a rule to a tensor within autograd."""
    return Replaced.apply(x, rule)  # type: ignore[no-any-return]


class Interception(TorchFunctionMode):
    """Hands each call of a known operation to `answer`, everything else to torch."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.known = spellings(frozenset(names))

    def answer(self, call: Call) -> Any:
        """What the operation returns instead."""
        raise NotImplementedError

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = self.known.get(func)
        call = None if name is None else read(name, func, args, kwargs or {})
        if call is None:
            return func(*args, **(kwargs or {}))
        result = self.answer(call)
        return call.x.copy_(result) if call.in_place else result


@lru_cache
def spellings(names: frozenset[str]) -> dict[Any, str]:
    """Every callable of torch that computes one of the named operations, in place or not."""
    found: dict[Any, str] = {}
    for name in names:
        for home in HOMES:
            for spelling in (name, name + "_", f"{name}_with_indices"):
                function = getattr(home, spelling, None)
                if callable(function):
                    found[function] = name
    return found


def read(name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """The call in one form, or None where its first argument is no floating point tensor."""
    options = dict(kwargs)
    for keyword in ("input", "self"):
        if not args and keyword in options:
            args = (options.pop(keyword),)
    if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return None
    if options.get("out") is not None:
        raise AttributionError(
            f"{name}(out=…) cannot be explained by this method.", "Let the model use its result instead."
        )
    in_place, rest = False, args[1:]
    signature = _with_inplace(func)
    if signature is not None:
        bound = signature.bind(*args, **options)
        in_place = bool(bound.arguments.pop("inplace", False))
        rest, options = (), dict(list(bound.arguments.items())[1:])
    elif func.__name__.endswith("_"):
        in_place, func = True, getattr(torch, func.__name__[:-1], None) or getattr(Tensor, func.__name__[:-1])
    return Call(name, args[0], rest, options, func, in_place)


@lru_cache
def _with_inplace(func: Any) -> inspect.Signature | None:
    signature = inspect.signature(func) if inspect.isfunction(func) else None
    return signature if signature is not None and "inplace" in signature.parameters else None


def refuse_compiled(model: object) -> None:
    """Scripted and compiled modules hide their operations: refuse them by name."""
    if not isinstance(model, nn.Module):
        return
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule) or type(module).__name__ == "OptimizedModule":
            raise AttributionError(
                f"Module {name or 'model'!r} ({type(module).__name__}) hides its operations from this method.",
                "Pass the model as it was before scripting or compiling.",
            )
