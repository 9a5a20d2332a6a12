"""Several people at one dashboard: nothing fails, nothing is lost, nothing stays behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import app.explain.jobs

from ..scripts import benchmark
from ..waiting import wait_until
from .conftest import Make

load = benchmark("load")
GROWTH = 300  # MB: torch's own for a dozen threads; what one explanation leaves behind is multiplied by hundreds


def test_ten_people_scroll_explain_cancel_and_leave(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a few seconds; `benchmarks/load.py` has fifty of them for minutes, and says how long they wait."""
    monkeypatch.setattr(app.explain.jobs, "FORGOTTEN", 2.0)
    monkeypatch.setattr(load, "GONE", 0.2)
    visualizer = make()
    address = visualizer.serve()
    load.load(address, 10, 1)
    before = resident()
    tally = load.load(address, 10, 4)
    assert (tally.errors, tally.lost) == ([], [])
    assert tally.explained > 10
    assert tally.cancelled + tally.vanished > 0
    assert resident() - before < GROWTH
    wait_until(lambda: not visualizer.service._jobs._active)  # those of people who left, and the long one


def resident() -> float:
    """Megabytes of this process, where the system tells."""
    return load.memory(os.getpid()) if Path("/proc/self/status").exists() else 0.0
