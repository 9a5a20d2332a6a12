"""Waiting for what other threads and processes do: until it is so, and never by the clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def wait_until(ask: Callable[[], Found], hung: float = 60, every: float = 0.01) -> Found:
    """The first answer that is true; an error where after `hung` seconds it looks as if none would ever come."""
    end = time.monotonic() + hung
    while not (found := ask()):
        if time.monotonic() > end:
            raise TimeoutError(f"Still {found!r} after {hung} s.")
        time.sleep(every)
    return found
