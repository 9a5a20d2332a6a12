"""What is promised of the tests themselves."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
CLOCK = re.compile(r"\b(?:monotonic|perf_counter|process_time|time\.time)\(\)")
FILES = [path for path in sorted(HERE.rglob("*.py")) if path != Path(__file__)]


def sleeps(text: str) -> Iterator[float]:
    """Seconds of every sleep that is written out, also inside code that is passed to a kernel."""
    yield from (float(found) for found in re.findall(r"\bsleep\((\d+\.?\d*)\)", text))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_test_sleeps_longer_than_a_second(path: Path) -> None:
    assert max(sleeps(path.read_text()), default=0) <= 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_test_asserts_a_time(path: Path) -> None:
    found = [ast.unparse(node) for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assert)]
    assert [text for text in found if CLOCK.search(text)] == []
