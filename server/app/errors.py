"""The one exception for what a person can mend: a message, a hint and an HTTP status."""

from __future__ import annotations

from collections.abc import Sequence

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
