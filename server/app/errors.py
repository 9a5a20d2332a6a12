"""The one exception for what a person can mend: a message, a hint and an HTTP status."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from threading import current_thread, main_thread

import numpy as np
import torch
from torch import Tensor

from app.schema import ApiError
from app.words import quoted, text

TRACED = re.compile(
    r"Caught .+? in (?P<where>.+?)\.\n(?:Original )?Traceback .*^(?P<said>\S.*)", re.DOTALL | re.MULTILINE
)
"""How torch tells what was raised on another thread or in another process: with all of its traceback."""


class InsightsError(Exception):
    """A refusal in words for a person: what was asked, why not, and what to try."""

    def __init__(self, message: str, *, hint: str = "", status: int = 400, type: str = "Refused") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message, self.hint, self.status, self.type = message, hint, status, type

    def wire(self) -> ApiError:
        """The error as it travels."""
        return ApiError(type=self.type, message=self.message, hint=self.hint)


def arrived(values: Sequence[object]) -> str:
    """What was given, for an error: "float32 (8, 3, 32, 32), a str"."""
    return ", ".join(map(_arrived, values))


def _arrived(value: object) -> str:
    if isinstance(value, Tensor | np.ndarray):
        dtype = str(value.dtype).removeprefix("torch.")
        if isinstance(value, np.ndarray):
            return f"numpy {dtype} {value.shape}"
        if value.is_nested:
            return f"nested {dtype}"
        layout = "" if value.layout == torch.strided else f"{str(value.layout).removeprefix('torch.')} "
        return f"{'meta ' if value.is_meta else layout}{dtype} {tuple(value.shape)}"
    if value is None:
        return "None"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    length = f" of {len(value)}" if isinstance(value, tuple | list | dict) else ""
    return f"{'an' if name[0] in 'AEIOaeio' else 'a'} {name}{length}"


def describe(error: BaseException) -> ApiError:
    """Any exception as it travels: its type and message, with its own hint or the notes it carries."""
    if isinstance(error, InsightsError):
        return error.wire()
    own, hint = getattr(error, "message", None), getattr(error, "hint", None)
    message = own if isinstance(own, str) else _said(error)
    notes = " ".join(map(text, getattr(error, "__notes__", None) or ()))
    return ApiError(
        type=type(error).__name__,
        message=message.strip() or "no further detail",
        hint=hint if isinstance(hint, str) and hint else notes or "serve(debug=True) logs where it happened",
    )


def _said(error: BaseException) -> str:
    """Its words, without the traceback that torch puts around those of another thread or process."""
    said = text(error)
    found = TRACED.match(said)
    return f"{found['said'].strip()}, in {found['where']}" if found else said


def note(error: BaseException, sentence: str) -> None:
    """Add a sentence to an error, once: the same one may be raised again and again."""
    if sentence not in (getattr(error, "__notes__", None) or ()):
        error.add_note(sentence)


def refused(error: BaseException) -> InsightsError:
    """The same as a refusal: what a person's own code raises is no fault of the server's."""
    if isinstance(error, InsightsError):
        return error
    told = describe(as_error(error))
    return InsightsError(told.message, hint=told.hint, type=told.type)


def as_error(error: BaseException) -> Exception:
    """The same, or an error in words for what is no `Exception`: it would end a thread that others need.

    Ctrl-C itself is raised on: Python tells it to the main thread alone.
    """
    if isinstance(error, Exception):
        return error
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error
    return InsightsError(
        f"this code raised {quoted(error)}, which ends a program; here it ended this piece of work alone",
        hint="raise an ordinary exception in its place",
        type=type(error).__name__,
    )


def without_frames(error: Exception) -> Exception:
    """The same error without the frames it came through, and those of its causes: they hold all their variables."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        current = waiting.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            current.__traceback__ = None
            waiting += [current.__cause__, current.__context__]
    return error


def raised_anew(error: Exception) -> Exception:
    """A copy to raise, so that the frames it goes through do not hang on the original."""
    try:
        return copy.copy(error)
    except Exception:
        return error  # its constructor takes other arguments than it kept
