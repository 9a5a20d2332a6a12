"""Operations seen as they are called, however they are written.

`nn.ReLU()(x)`, `F.relu(x)`, `x.relu()`, `torch.relu_(x)` and `F.relu(x, inplace=True)` arrive here as one operation.
The interception belongs to a context and a thread; modules are not touched.
"""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules

Pull = Callable[[Tensor], Tensor | tuple[Tensor, ...]]
"""From the gradient of an operation's result to the gradient of its input, or of each of its inputs."""

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
    """An operation whose result and gradient come from `rule(*xs) -> (result, pull)`."""

    @staticmethod
    def forward(ctx: Any, rule: Callable[..., tuple[Tensor, Pull]], *xs: Tensor) -> Tensor:
        """The result."""
        result, ctx.pull = rule(*xs)
        return result

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """The rule's gradient."""
        pulled = ctx.pull(gradients[0])
        return None, *(pulled if isinstance(pulled, tuple) else (pulled,))


def replaced(rule: Callable[..., tuple[Tensor, Pull]], *xs: Tensor) -> Tensor:
    """Apply a rule to tensors within autograd."""
    return Replaced.apply(rule, *xs)  # type: ignore[no-any-return]


class Interception(TorchFunctionMode):
    """Hands each call of a known operation to `answer`, everything else to torch."""

    def __init__(self, names: Iterable[str]) -> None:
        super().__init__()
        self.known = spellings(frozenset(names))
        self._open = False

    def answer(self, call: Call) -> Any:
        """What the operation returns instead."""
        raise NotImplementedError

    def left(self, outputs: Any) -> None:
        """Look at what the model returned."""

    def watching(self) -> AbstractContextManager[object]:
        """While it is open, once however often it is entered."""
        return nullcontext() if self._open else self

    def __enter__(self) -> Interception:
        self._open = True
        return super().__enter__()  # type: ignore[no-any-return, no-untyped-call]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open = False
        super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        spelling = self.known.get(func)
        call = None if spelling is None else read(spelling, func, args, kwargs or {})
        if call is None:
            return func(*args, **(kwargs or {}))
        result = self.answer(call)
        return call.x.copy_(result) if call.in_place and result is not call.x else result


class Spelling(NamedTuple):
    """The operation that a callable computes, and where the callable works in place, the one that does not."""

    name: str
    instead: Callable[..., Any] | None = None


@lru_cache
def spellings(names: frozenset[str]) -> dict[Any, Spelling]:
    """Every callable of torch that computes one of the named operations, in place or not."""
    found: dict[Any, Spelling] = {}
    for name, home in itertools.product(sorted(names), HOMES):
        for spelling in (name, f"{name}_with_indices", f"__{name}__", f"__r{name}__"):
            found[getattr(home, spelling, None)] = Spelling(name)
        found[getattr(home, f"{name}_", None)] = Spelling(name, getattr(home, name, None) or getattr(torch, name, None))
    del found[None]
    return found


def direct(
    spelling: Spelling, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any], bool]:
    """The operation out of place, its arguments with the first one by position, and whether it was in place."""
    options = dict(kwargs)
    for keyword in ("input", "self"):
        if not args and keyword in options:
            args = (options.pop(keyword),)
    if options.get("out") is not None:
        raise AttributionError(
            f"{spelling.name}(out=…) cannot be explained by this method.", "Let the model use its result instead."
        )
    signature = _with_inplace(func)
    if signature is not None and len(args) == 1:
        return func, args, options, bool(options.pop("inplace", False))
    if signature is None or not args:
        return spelling.instead or func, args, options, spelling.instead is not None
    arguments = signature.bind(*args, **options).arguments
    in_place = bool(arguments.pop("inplace", False))
    return func, args[:1], dict(list(arguments.items())[1:]), in_place


def read(spelling: Spelling, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
    """The call in one form, or None where its first argument is no floating point tensor."""
    function, args, options, in_place = direct(spelling, func, args, kwargs)
    if not args or not isinstance(args[0], Tensor) or not args[0].is_floating_point():
        return None
    return Call(spelling.name, args[0], args[1:], options, function, in_place)


@contextmanager
def again(mode: TorchFunctionMode) -> Iterator[None]:
    """An interception inside its own answer."""
    TorchFunctionMode.__enter__(mode)  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        TorchFunctionMode.__exit__(mode, None, None, None)  # type: ignore[no-untyped-call]


def custom(value: Any) -> list[str]:
    """Autograd functions behind a result that are not ours: nobody sees what they compute."""
    found: dict[str, None] = {}
    seen: set[Any] = set()
    rest: list[Any] = [leaf.grad_fn for leaf in tree_flatten(value)[0] if isinstance(leaf, Tensor)]
    while rest:
        node = rest.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if isinstance(node, torch.autograd.function.BackwardCFunction) and type(node) is not Replaced._backward_cls:
            found[type(node).__name__.removesuffix("Backward")] = None
        rest += [following for following, _ in node.next_functions]
    return list(found)


@lru_cache
def _with_inplace(func: Any) -> inspect.Signature | None:
    signature = inspect.signature(func, follow_wrapped=False) if inspect.isfunction(func) else None
    return signature if signature is not None and "inplace" in signature.parameters else None


def refuse_compiled(model: object) -> None:
    """Scripted and compiled modules hide their operations: refuse them by name."""
    if not any(map(_hides_operations, submodules(model))):
        return
    for name, module in model.named_modules() if isinstance(model, nn.Module) else ():
        if _hides_operations(module):
            raise AttributionError(
                f"Module {name or 'model'!r} ({type(module).__name__}) hides its operations from this method.",
                "Pass the model as it was before scripting or compiling.",
            )


def _hides_operations(module: nn.Module) -> bool:
    return isinstance(module, torch.jit.ScriptModule) or type(module).__name__ == "OptimizedModule"


def is_parameter(value: object) -> bool:
    """Whether a value is a parameter of a module; quicker than asking the class, which asks back."""
    kind = type(value)
    if kind is nn.Parameter:
        return True
    return kind is not Tensor and issubclass(kind, Tensor) and isinstance(value, nn.Parameter)
