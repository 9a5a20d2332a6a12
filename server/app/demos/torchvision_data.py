"""Where torchvision's data sets are kept, and what to say when they are not there."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from app.errors import InsightsError

T = TypeVar("T")


def default_root() -> Path:
    """The user's cache folder, or `attribution-insights` in `XDG_CACHE_HOME` where that is set."""
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "attribution-insights"


def add_data_root(parser: ArgumentParser) -> None:
    """Let the user say where the data is, or goes."""
    parser.add_argument(
        "--data-root",
        type=Path,
        default=default_root(),
        metavar="FOLDER",
        help="where the data is, or is downloaded to (default: %(default)s)",
    )


def fetched(read: Callable[[], T], name: str, files: str) -> T:
    """Read a torchvision data set that downloads itself; where it cannot, say which `files` to put where."""
    try:
        return read()
    except PermissionError as error:
        raise InsightsError(
            f"{name} cannot be unpacked: {error.filename or error} cannot be written",
            hint="copy the files to a folder of your own, and name it with --data-root",
        ) from None
    except (OSError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip("<>").removeprefix("urlopen error ")
        raise InsightsError(f"{name} is not here and cannot be downloaded ({reason})", hint=files) from None
