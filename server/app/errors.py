"""The one exception for what a person can mend: a message, a hint and an HTTP status."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from threading import current_thread, main_thread

from torch import Tensor

from app.schema import ApiError


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
    return ", ".join(
        f"{str(x.dtype).removeprefix('torch.')} {tuple(x.shape)}" if isinstance(x, Tensor) else f"a {type(x).__name__}"
        for x in values
    )


def describe(error: BaseException) -> ApiError:
    """Any exception as it travels: its type and message, with its own hint or the notes it carries."""
    if isinstance(error, InsightsError):
        return error.wire()
    own = getattr(error, "message", None)
    return ApiError(
        type=type(error).__name__,
        message=(own if isinstance(own, str) else str(error)).strip() or "no further detail",
        hint=str(getattr(error, "hint", "")) or " ".join(getattr(error, "__notes__", ())),
    )


def as_error(error: BaseException) -> Exception:
    """The same, or an error in words for what is no `Exception`: it would end a thread that others need.

    Ctrl-C itself is raised on: Python tells it to the main thread alone.
    """
    if isinstance(error, Exception):
        return error
    if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
        raise error
    return InsightsError(
        f"this code raised {error!r}, which ends a program; here it ended this piece of work alone",
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
