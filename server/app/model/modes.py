"""Whether a model answers as in training."""

from __future__ import annotations

from types import FunctionType

from torch import nn

from attribution_core.evaluation.isolation import submodules

SETTERS = {"__init__", "train", "eval"}


def in_training(model: nn.Module) -> bool:
    """Whether the model, or a part whose answer depends on its mode, is in training mode.

    What only wraps others has no mode to speak of: a module of torch (`DataParallel`, what `torch.export` gives), or
    one whose children are all in evaluation mode.
    """
    children = list(model.children())
    wraps = children and not any(child.training for child in children)
    own = not (wraps or type(model).__module__.startswith("torch."))
    return (own and model.training) or any(part.training and _reacts(part) for part in submodules(model))


def _reacts(module: nn.Module) -> bool:
    """Whether its own code asks `self.training`, and is no dropout of nothing."""
    if any(isinstance(rate, int | float) and rate == 0 for rate in map(vars(module).get, ("p", "dropout"))):
        return False
    kind = getattr(nn, getattr(module, "original_name", ""), type(module))  # scripted modules hide theirs
    classes = kind.__mro__[: kind.__mro__.index(nn.Module)] if issubclass(kind, nn.Module) else ()
    methods = (value for each in classes for name, value in vars(each).items() if name not in SETTERS)
    return any("training" in method.__code__.co_names for method in methods if isinstance(method, FunctionType))
