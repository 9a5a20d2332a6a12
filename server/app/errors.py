"""The one exception for what a person can mend: a message, a hint and an HTTP status."""

from __future__ import annotations

from app.schema import ApiError


class InsightsError(Exception):
    """A refusal in words for a person: what was asked, why not, and what to try."""

    def __init__(self, message: str, *, hint: str = "", status: int = 400, type: str = "Refused") -> None:
        super().__init__(f"{message}. {hint}" if hint else message)
        self.message, self.hint, self.status, self.type = message, hint, status, type

    def wire(self) -> ApiError:
        """The error as it travels."""
        return ApiError(type=self.type, message=self.message, hint=self.hint)


def describe(error: BaseException) -> ApiError:
    """Any exception as it travels: its type and message, with its own hint where it carries one."""
    if isinstance(error, InsightsError):
        return error.wire()
    return ApiError(
        type=type(error).__name__,
        message=str(error).strip() or "no further detail",
        hint=str(getattr(error, "hint", "")),
    )
