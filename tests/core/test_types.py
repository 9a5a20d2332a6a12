"""What a user's type checker says of the documented calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CALLS = Path(__file__).parent / "typed_calls.py"
WRONG = {
    "a word for a tensor": 'Saliency(model).attribute("x", target=1)',
    "an unknown keyword": "Saliency(model).attribute(x, tarqet=1)",
    "an unknown quadrature": 'IntegratedGradients(model).attribute(x, method="simpson")',
    "a tensor for a number": "IntegratedGradients(model).attribute(x, n_steps=zero)",
}
HEAD = """
import torch
from attribution_core import IntegratedGradients, Saliency
model, x, zero = torch.nn.Linear(3, 2), torch.rand(4, 3), torch.zeros(1, 3)
"""


def checked(checker: list[str], *files: Path) -> str:
    """What the type checker says; empty if it has nothing against the files."""
    done = subprocess.run(
        [sys.executable, "-m", *checker, *map(str, files)], capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def mypy(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command, with a cache for all of this file, as torch takes its time."""
    return ["mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path_factory.mktemp("mypy"))]


def test_mypy_finds_the_types_of_every_documented_call(mypy: list[str]) -> None:
    assert not checked(mypy, CALLS)


def test_pyright_finds_the_types_of_every_documented_call() -> None:
    assert not checked(["pyright", "--pythonpath", sys.executable], CALLS)


def test_mypy_refuses_wrong_calls(mypy: list[str], tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(HEAD + "\n".join(WRONG.values()))
    said = checked(mypy, wrong)
    first = HEAD.count("\n") + 1
    lines = {int(line.split(":")[1]) for line in said.splitlines() if ": error: " in line}
    assert lines == {*range(first, first + len(WRONG))}, said
