"""Operations seen as they are called, however they are written.

`nn.ReLU()(x)`, `F.relu(x)`, `x.relu()`, `torch.relu_(x)` and `F.relu(x, inplace=True)` arrive here as one operation.
The interception belongs to a context and a thread; modules are not touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from types import NoneType, TracebackType
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar, final

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.errors import AttributionError
from attribution_core.rules.autograd import checkpointing, followed_inside, kept, saving_hooks, tensors_in, transforms
from attribution_core.rules.flow import is_older
from attribution_core.rules.parts import Parts, python_body
from attribution_core.rules.spellings import Arguments, Function, Options, Spelling, spellings

State = TypeVar("State")


class Call(NamedTuple):
    """A call of an operation, which `function` computes out of place, and who saw it."""

    name: str
    function: Function
    args: Arguments
    kwargs: Options
    in_place: bool
    interception: Interception[object]

    def result(self) -> Any:
        """What the operation returns."""
        return self.function(*self.args, **self.kwargs)

    def of(self, x: Tensor) -> Any:
        """What it returns for another first argument."""
        return self.function(x, *self.args[1:], **self.kwargs)

    def with_arguments(self, places: tuple[int, ...], values: tuple[Tensor, ...]) -> Call:
        """The same call with other values at these places."""
        args = list(self.args)
        for place, value in zip(places, values, strict=True):
            args[place] = value
        return self._replace(args=tuple(args))

    def apart(self) -> Call:
        """The same call, of a copy where it writes its result: that must not keep a node which keeps it."""
        if not self.in_place:
            return self
        written, copy = self.args[0], self.args[0].clone()
        return self._replace(args=tuple([copy if arg is written else arg for arg in self.args]))

    def in_parts(self, parts: Parts) -> object:
        """What the parts that the operation is made of return, each of them intercepted in turn."""
        return self.interception.in_parts(parts, self.args, self.kwargs)


@dataclass(frozen=True)
class Rule(Generic[State]):
    """What becomes of a model's operations; what no slot speaks of is left to torch.

    `answers` returns something else for a call of a named operation, or NotImplemented where torch's own gradient is
    right, as it always is for `linear` callables, and for `weighted` ones, (x, weight, …), where the weight is a
    parameter. `parts` computes further callables from operations with an answer.
    `unknown` is told of all others that depend on the inputs. Callables in `aside` compute a named operation, but with
    their arguments in another order. `every_call` also sees what is computed without gradients. `keeps_checkpoints`
    keeps what checkpointed functions compute, `finished` sees the scores and may return them with another gradient.
    """

    answers: Mapping[str, Callable[[State, Call], object]]
    linear: frozenset[Function] = frozenset()
    weighted: frozenset[Function] = frozenset()
    parts: Mapping[Function, Parts] = field(default_factory=dict)
    unknown: Callable[[State, str], None] | None = None
    also: Mapping[Function, Spelling] = field(default_factory=dict)
    aside: frozenset[Function] = frozenset()
    every_call: bool = False
    keeps_checkpoints: bool = True
    finished: Callable[[State, Tensor], Tensor] = lambda _, scores: scores

    @cached_property
    def spelled(self) -> Mapping[Function, Spelling]:
        """Every callable that computes an operation with an answer."""
        known = spellings(frozenset(self.answers)) | dict(self.also)
        return {function: known[function] for function in known.keys() - self.aside - self.linear}


@final
class Interception(TorchFunctionMode, Generic[State]):
    """While it is open, a rule answers every call of an operation in this thread; `state` is of one explanation.

    To enter it again while it is open changes nothing. What was computed before the moment `since` counts as constant.
    """

    def __init__(self, rule: Rule[State], state: State, since: int = 0) -> None:
        super().__init__()
        self.rule = rule
        self.state = state
        self.since = since
        self._entered = 0
        self.is_over = False
        """Whether Ctrl-C has ended it."""

    def __enter__(self) -> Interception[State]:
        self._entered += 1
        if self._entered == 1:
            _forget_the_ended()
            super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered -= 1
        self.is_over = kind is not None and not issubclass(kind, Exception)
        if not self._entered and self._is_innermost():
            super().__exit__(kind, error, trace)  # type: ignore[no-untyped-call]

    def _is_innermost(self) -> bool:
        """False where Ctrl-C came: it is over already, or torch has put it aside for the call that was interrupted."""
        return _innermost() is self

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Options | None = None
    ) -> object:
        rule, kwargs = self.rule, kwargs or {}
        if self.is_over:  # torch put back what it had put aside
            return func(*args, **kwargs)
        if transforms() is not None:
            _refuse_transformed((args, kwargs))
            return func(*args, **kwargs)
        if not (rule.every_call or torch.is_grad_enabled()):
            return func(*args, **kwargs)
        if rule.keeps_checkpoints and saving_hooks(False) is not None and checkpointing():
            # A checkpoint computes again in the backward pass, when nothing is intercepted: other tensors than these.
            with kept():
                return self._answered(func, args, kwargs)
        return self._answered(func, args, kwargs)

    def _answered(self, func: Function, args: Arguments, kwargs: Options) -> object:
        rule = self.rule
        if func in rule.linear or (func in rule.weighted and len(args) > 1 and is_parameter(args[1])):
            return func(*_constants(args, self.since), **kwargs)
        spelling = rule.spelled.get(func)
        if spelling is None:
            return func(*args, **kwargs) if rule.unknown is None else self._unlisted(func, args, kwargs)
        call = read(spelling, func, args, kwargs, self)
        result = rule.answers[spelling.name](self.state, call)
        if result is NotImplemented:
            return func(*_constants(args, self.since), **_named_constants(kwargs, self.since))
        return call.args[0].copy_(result) if call.in_place and result is not call.args[0] else result

    def _unlisted(self, func: Function, args: Arguments, kwargs: Options) -> object:
        rule, args, kwargs = self.rule, _constants(args, self.since), _named_constants(kwargs, self.since)
        if not (rule.every_call or _followed((args, kwargs))):
            return func(*args, **kwargs)
        parts = rule.parts.get(func) or python_body(func)
        result = NotImplemented if parts is None else self.in_parts(parts, args, kwargs)
        if result is not NotImplemented:
            return result
        result = func(*args, **kwargs)
        if rule.unknown and torch.is_grad_enabled() and _followed(result) and _followed((args, kwargs)):
            rule.unknown(self.state, getattr(func, "__name__", str(func)))
        return result

    def in_parts(self, parts: Parts, args: Arguments, kwargs: Options) -> object:
        """What the parts return, each of them intercepted in turn."""
        with self._reentered():
            return parts(*args, **kwargs)

    @contextmanager
    def _reentered(self) -> Iterator[None]:
        """Torch closes a mode while it answers."""
        TorchFunctionMode.__enter__(self)  # type: ignore[no-untyped-call]
        try:
            yield
        finally:
            if self._is_innermost():
                TorchFunctionMode.__exit__(self, None, None, None)  # type: ignore[no-untyped-call]

    def finished(self, scores: Tensor) -> Tensor:
        """The scores of the pass, with the gradient that the rule begins with."""
        return self.rule.finished(self.state, scores)


def read(spelling: Spelling, func: Function, args: Arguments, kwargs: Options, interception: Interception[Any]) -> Call:
    """A call in one form: out of place, and what may depend on the input by position."""
    function, in_place = spelling.out_of_place or func, spelling.out_of_place is not None
    if kwargs:
        args, kwargs = _by_position(spelling.leading, args, kwargs)
    if spelling.signature is not None and args:
        if len(args) > 1:
            options = spelling.signature.bind(*args, **kwargs).arguments
            args, kwargs = args[:1], dict(list(options.items())[1:])
        in_place = bool(kwargs.pop("inplace", False))
    if kwargs.get("out") is not None:
        function = _refusing(spelling.name)
    return Call(spelling.name, function, args, kwargs, in_place, interception)


def _by_position(names: tuple[str, ...], args: Arguments, kwargs: Options) -> tuple[Arguments, Options]:
    kwargs = dict(kwargs)
    for name in names[len(args) :]:
        if name not in kwargs:
            break
        args = (*args, kwargs.pop(name))
    return args, kwargs


def _refusing(name: str) -> Function:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise AttributionError(
            f"{name}(out=…) cannot be explained by this method.", "Let the model use its result instead."
        )

    return refuse


def _followed(value: object) -> bool:
    """Whether anything in it depends on the inputs."""
    return any(tensor.requires_grad for tensor in tensors_in(value))


def refuse_compiled(model: object, modules: Iterable[nn.Module]) -> None:
    """Scripted, compiled and quantized ones among a model's modules hide their operations: refuse them by name."""
    if not any(map(hides_operations, set(map(type, modules)))):
        return
    for name, module in model.named_modules() if isinstance(model, nn.Module) else ():
        if hides_operations(type(module)):
            raise AttributionError(
                f"Module {name or 'model'!r} ({type(module).__name__}) hides its operations from this method.",
                "Pass the model as it was before scripting, compiling or quantizing.",
            )


def hides_operations(kind: type[nn.Module]) -> bool:
    """Whether a class of modules is scripted, compiled or quantized."""
    of_whole_numbers = kind.__module__.startswith(("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized"))
    return of_whole_numbers or issubclass(kind, torch.jit.ScriptModule) or kind.__name__ == "OptimizedModule"


def is_parameter(value: object) -> bool:
    """Whether a value is a parameter of a module; quicker than asking the class, which asks back."""
    kind = type(value)
    if kind is nn.Parameter:
        return True
    return kind is not Tensor and issubclass(kind, Tensor) and isinstance(value, nn.Parameter)


def constant(value: object, since: int = 0) -> object:
    """A weight without gradients, as what is followed is only what depends on the input; all else as it is.

    The model gets no leaves: one that requires gradients is a weight, whether or not it is a parameter.
    """
    if isinstance(value, Tensor):
        return value.detach() if value.requires_grad and is_older(value, since) else value
    return [constant(part, since) for part in value] if isinstance(value, list) else value


def _constants(args: Arguments, since: int) -> Arguments:
    return tuple([arg if type(arg) in CONSTANT else constant(arg, since) for arg in args])


CONSTANT = frozenset({int, float, bool, NoneType, str, torch.dtype})
"""Types of values that are returned as they are."""


def _named_constants(kwargs: Options, since: int) -> Options:
    return {name: constant(value, since) for name, value in kwargs.items()} if kwargs else kwargs


def _refuse_transformed(arguments: object) -> None:
    if any(followed_inside(value) for value in tensors_in(arguments)):
        raise AttributionError(
            "torch.func (vmap, grad, …) or torch.compile inside the model hides its operations from this method.",
            "Pass the model before compiling, let it compute the batch as a whole, or use IntegratedGradients.",
        )


def _innermost() -> object:
    depth = torch._C._len_torch_function_stack()
    return torch._C._get_function_stack_at(depth - 1) if depth else None


def _forget_the_ended() -> None:
    while isinstance(mode := _innermost(), Interception) and mode.is_over:
        torch._C._pop_torch_function_stack()
