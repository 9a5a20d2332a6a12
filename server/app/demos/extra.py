"""The packages of the `[example]` extra, which the demos need and the library does not."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from app.errors import InsightsError


def extra(module: str) -> Any:
    """A module of the extra; where it is absent, an `InsightsError` that says how to install it."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise InsightsError(
            f"this demo needs the package {(error.name or module).partition('.')[0]!r}, which is not installed",
            hint='run `pip install "attribution-insights[example]"`',
        ) from None
