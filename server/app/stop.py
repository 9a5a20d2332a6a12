"""How a program that serves ends: Ctrl-C, SIGTERM, and a pass through a model that nothing can stop."""

from __future__ import annotations

import os
import signal
import sys
from threading import Event, Thread, current_thread, enumerate, main_thread
from types import FrameType
from typing import NoReturn

OURS = "attribution-insights"
"""How the names of our threads begin."""

TERMINATED = 128 + signal.SIGTERM
INTERRUPTED = 128 + signal.SIGINT
UNDER_WAY = "a pass of the model is under way, and cannot be stopped: waiting for its end; Ctrl-C again ends at once"


def until_stopped() -> int:
    """Wait for Ctrl-C or SIGTERM; the exit status that means: 0 or 143.

    A handler of SIGTERM that the caller has set stays, as all do on another thread than the main one.
    """
    own = current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    try:
        if own:
            signal.signal(signal.SIGTERM, _terminate)
        Event().wait()
    except KeyboardInterrupt:
        return 0
    except _Terminated:
        return TERMINATED
    finally:
        if own:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise AssertionError("nothing sets this event")


class _Terminated(BaseException):
    """SIGTERM, where Ctrl-C would be a KeyboardInterrupt."""


def _terminate(number: int, frame: FrameType | None) -> NoReturn:  # noqa: ARG001
    raise _Terminated


def unfinished() -> list[Thread]:
    """Our threads that are still there after everything was closed: they are inside a model, or data."""
    return [thread for thread in enumerate() if thread.name.startswith(OURS)]


def wait_for_the_rest() -> None:
    """Wait for the pass under way: an interpreter that ends amid it may crash. Ctrl-C ends the program at once."""
    try:
        if unfinished():
            print(UNDER_WAY, file=sys.stderr, flush=True)  # noqa: T201  # to whoever has pressed Ctrl-C
        for thread in unfinished():
            thread.join()
    except KeyboardInterrupt:
        leave(INTERRUPTED)


def leave(status: int) -> NoReturn:
    """End the program, at once where a pass is under way: the interpreter would take away what it works with."""
    if unfinished():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)
