"""Errors of the engine: what was asked, what arrived, what to try."""

from __future__ import annotations


class AttributionError(ValueError, AssertionError):
    """An attribution could not be computed; `message` says what is wrong and `hint` what to try.

    An AssertionError as well: that is what callers of Captum catch.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} {hint}".strip())
        self.message = message
        self.hint = hint


class AttributionWarning(UserWarning):
    """An attribution was computed, but not exactly as asked, or with a caveat."""


class NotPerExample(AttributionError):  # noqa: N818 - a signal from Question to evaluation, seldom seen by users
    """The forward function returned another number of scores than its batch has rows."""


class SeveralOutputs(AttributionError):  # noqa: N818 - as NotPerExample
    """The forward function returned several numbers for an example, and no target chooses one."""


class ModelError(AttributionError, RuntimeError):
    """Torch could not run the model on what it was given; the cause is torch's own error."""


def require_matplotlib(what: str = "Pictures need") -> None:
    """Raise AttributionError, saying what to install, where matplotlib is missing."""
    try:
        import matplotlib  # noqa: F401, PLC0415 - only pictures need it
    except ImportError as missing:
        raise AttributionError(
            f"{what} matplotlib, which is not installed.", 'pip install "attribution-insights[plots]"'
        ) from missing
