"""What torch says when a model cannot be run, in our words: which operation, what arrived, what was expected."""

from __future__ import annotations

import dis
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError, ModelError
from attribution_core.reading.values import shown

TORCH = str(Path(torch.__file__).parent)
OURS = str(Path(__file__).parents[1])
LONGEST = 300
"""Letters of torch's message that are shown."""

_OF_TORCH = (RuntimeError, TypeError, IndexError, ValueError, AssertionError)


def run(model: Callable[..., object], arguments: tuple[object, ...]) -> object:
    """The model's output; where torch cannot run it, a ModelError. What the model raises itself is passed on."""
    try:
        return model(*arguments)
    except _OF_TORCH as error:
        if not _by_torch(error) or out_of_memory(error):
            raise
        raise _explained(error, model, arguments) from error


def out_of_memory(error: BaseException) -> bool:
    """Whether memory has run out."""
    says = str(error)
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(
        words in says for words in ("can't allocate memory", "not enough memory", "out of memory")
    )


def without_gradient(error: RuntimeError) -> Exception:
    """What to raise where a gradient could not be computed: a ModelError, or what the caller's own code raised."""
    if not _by_torch(error) or out_of_memory(error):
        return error
    return ModelError(
        f"Torch could not compute the gradient: {_said(error)}",
        "Use a perturbation method, or leave grad_kwargs out if you passed some.",
    )


def _by_torch(error: Exception) -> bool:
    """Whether torch raised it, rather than a `raise` in the caller's own code."""
    if isinstance(error, AttributionError) or error.__traceback__ is None:
        return False
    last = _innermost(error.__traceback__)
    file = last.tb_frame.f_code.co_filename
    if file.startswith(TORCH):
        return True
    return not _raises(last) and (isinstance(error, RuntimeError) or file.startswith(OURS))


def _innermost(trace: TracebackType) -> TracebackType:
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace


def _raises(trace: TracebackType) -> bool:
    """Whether the frame raised the error by a statement of Python."""
    operation = trace.tb_frame.f_code.co_code[trace.tb_lasti]
    return dis.opname[operation] in ("RAISE_VARARGS", "RERAISE")


def _explained(error: Exception, model: Callable[..., object], arguments: tuple[object, ...]) -> ModelError:
    """Which operation of the model could not be run, on what, and what its weights would take."""
    layer = _layer(error.__traceback__)
    what = "The model" if layer is None else f"{_named(layer)} in the model"
    arrived = ", ".join(map(shown, arguments))
    expected = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    other = [x for x in arguments if isinstance(x, Tensor) and x.is_floating_point() and x.dtype != _dtype(expected, x)]
    hint = "Pass what the model takes: calling it alone gives the same error."
    if other:
        hint = f"Its weights are {str(_dtype(expected, other[0])).removeprefix('torch.')}: pass inputs of that dtype."
    return ModelError(f"{what} could not be run; the model was called with {arrived}: {_said(error)}", hint)


def _dtype(weight: Tensor | None, x: Tensor) -> torch.dtype:
    return weight.dtype if weight is not None and weight.is_floating_point() else x.dtype


def _layer(trace: TracebackType | None) -> nn.Module | None:
    """The innermost module that was running."""
    found = None
    while trace is not None:
        running = trace.tb_frame.f_locals.get("self")
        found = running if isinstance(running, nn.Module) else found
        trace = trace.tb_next
    return found


def _named(layer: nn.Module) -> str:
    return repr(layer) if not layer._modules else type(layer).__name__


def _said(error: Exception) -> str:
    says = " ".join(str(error).split())
    return says if len(says) <= LONGEST else f"{says[:LONGEST]}…"
