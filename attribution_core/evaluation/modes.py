"""What a model's modes do to its explanation: chance, examples that depend on each other, two ways to one output."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import lru_cache
from types import FunctionType

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.overrides import TorchFunctionMode

from attribution_core.evaluation.observe import once, one_by_one, warn

SETTERS = {"__init__", "train", "eval"}
TWO_WAYS = (nn.MultiheadAttention, nn.TransformerEncoder, nn.TransformerEncoderLayer)
ALREADY = nullcontext()


def reacts(module: nn.Module) -> bool:
    """Whether a module's answer depends on its mode: its own code asks `training`, and is no dropout of nothing."""
    own = vars(module)
    rates = own.get("p"), own.get("dropout"), own.get("track_running_stats")
    if any(isinstance(rate, int | float) and rate == 0 for rate in rates):
        return False
    hidden = getattr(module, "original_name", "")  # scripted modules hide their class
    kind: type = getattr(nn, hidden, type(module))
    return _asks(kind)


@lru_cache(maxsize=4096)
def _asks(kind: type) -> bool:
    if kind in (nn.TransformerEncoder, nn.TransformerEncoderLayer):
        return False  # only whether to go the shorter way
    classes = kind.__mro__[: kind.__mro__.index(nn.Module)] if issubclass(kind, nn.Module) else ()
    methods = (value for each in classes for name, value in vars(each).items() if name not in SETTERS)
    return any("training" in method.__code__.co_names for method in methods if isinstance(method, FunctionType))


def _mixes(module: nn.Module) -> bool:
    """Whether a module makes the examples of a batch depend on each other."""
    return isinstance(module, _BatchNorm) and (module.training or module.running_mean is None)


def in_their_modes(modules: list[nn.Module]) -> AbstractContextManager[None]:
    """While a model runs: say what its modes change, and do not stack batches where their examples would mix."""
    restless = {type(module).__name__ for module in modules if module.training and reacts(module)}
    mixing = {type(module).__name__ for module in modules if _mixes(module)}
    return _told(sorted(restless), sorted(mixing)) if restless or mixing else ALREADY


@contextmanager
def _told(restless: list[str], mixing: list[str]) -> Iterator[None]:
    said = f"The model is in training mode, in which {', '.join(restless)} gives other answers." if restless else ""
    if mixing:
        said += (
            f" {', '.join(mixing)} makes the examples of a batch depend on each other: each is explained in its batch."
        )
    with once(), one_by_one() if mixing else ALREADY:
        warn(f"{said.strip()}{' Call eval().' if restless else ''}")
        yield


class _Plain(TorchFunctionMode):
    """Changes nothing; while it is open, torch does not take its own shorter way through transformers."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        return func(*args, **kwargs or {})


def one_way(modules: list[nn.Module]) -> AbstractContextManager[object]:
    """While a gradient is explained: transformers go the way that has gradients in the other passes as well.

    Without gradients torch computes transformers in evaluation mode by another function, which leaves zeros in the
    place of padding.
    """
    return _Plain() if any(issubclass(kind, TWO_WAYS) for kind in set(map(type, modules))) else ALREADY
