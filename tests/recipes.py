"""Following a recipe of CONTRIBUTING.md on a copy of the repository."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
Edit = Callable[[str], str]
Steps = dict[str, Edit]
"""What to do to each file of a copy; a new file is made from nothing."""


def copy_to(root: Path, *parts: str) -> Path:
    """The parts of this repository that a recipe is about."""
    for part in parts:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "static"))
        else:
            (root / part).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / part, root / part)
    return root


def follow(root: Path, steps: Steps) -> None:
    for path, edit in steps.items():
        before = (root / path).read_text() if (root / path).exists() else ""
        after = edit(before)
        assert after != before, f"{path}: nothing was changed"
        (root / path).write_text(after)


def replaced(old: str, new: str) -> Edit:
    """Put something in the place of what is there exactly once."""

    def edit(text: str) -> str:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        return text.replace(old, new)

    return edit


def before(mark: str, new: str) -> Edit:
    return replaced(mark, new + mark)


def after(mark: str, new: str) -> Edit:
    return replaced(mark, mark + new)


def both(*edits: Edit) -> Edit:
    def edit(text: str) -> str:
        for each in edits:
            text = each(text)
        return text

    return edit


def named_in(heading: str) -> list[str]:
    """The files that a recipe names, and folders in which it leaves the choice of a file."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    section = text.split(f"### {heading}\n")[1].split("\n#")[0]
    return [name for name in re.findall(r"`([\w./…-]+)`", section) if "/" in name]


def ran(root: Path, *command: str) -> str:
    """What a command of the copy says, be it good or bad."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(root), str(root / "server")))}
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command, cwd=root, env=environment, text=True, check=False, **both).stdout


def failures(root: Path, select: str, *files: str) -> set[str]:
    """The tests of the copy that fail, without their parameters."""
    said = ran(root, sys.executable, "-m", "pytest", "-q", "-k", select, "-p", "no:cacheprovider", *files)
    assert " passed" in said, said
    return set(re.findall(r"^(?:FAILED|ERROR) \S+::(\w+)", said, re.MULTILINE))
