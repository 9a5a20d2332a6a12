import threading
import time
from collections.abc import Iterator

import pytest

from app.model.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


class Clock:
    """Time that passes only where a task says so."""

    def __init__(self) -> None:
        self.now = 100.0
        self.order: list[str] = []

    def busy(self, name: str, seconds: float) -> None:
        self.order.append(name)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.model.worker.monotonic", lambda: clock.now)
    return clock


def test_explanations_and_background_work_get_the_same_time(
    worker: Worker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model.worker.PREPARING", 10.0)
    gate, last = threading.Event(), threading.Event()

    def explain() -> None:
        while not worker._background:
            time.sleep(0.001)
        clock.busy("explain", 40.0)

    def scan() -> None:
        for _ in range(12):
            portion = worker.background(lambda: clock.busy("scan", 10.0))
            gate.set()
            portion.result(5)

    worker.put(lambda: bool(gate.wait(5)))
    for _ in range(3):
        worker.put(explain)
    worker.put(last.set)
    threading.Thread(target=scan).start()
    assert last.wait(10)
    assert clock.order == 3 * ["explain", "scan", "scan", "scan", "scan"]


def test_nothing_is_owed_for_time_that_no_background_work_waited(worker: Worker, clock: Clock) -> None:
    gate, last = threading.Event(), threading.Event()
    worker.put(lambda: clock.busy("long", 60.0))
    worker.put(lambda: bool(gate.wait(5)))
    while "long" not in clock.order:
        time.sleep(0.001)
    worker.put(lambda: clock.busy("short", 0.0))
    worker.background(lambda: clock.busy("scan", 0.5))
    worker.background(last.set)
    gate.set()
    assert last.wait(5)
    assert clock.order == ["long", "short", "scan"]


def test_explanations_go_on_where_background_work_does_not(
    worker: Worker, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last portion came: what is still owed to it is forgotten after a moment."""
    monkeypatch.setattr("app.model.worker.PREPARING", 0.01)
    gate, last = threading.Event(), threading.Event()
    worker.put(lambda: gate.wait(5) and clock.busy("long", 60.0))
    worker.background(lambda: clock.busy("scan", 0.5))
    worker.put(last.set)
    gate.set()
    assert last.wait(5)
    assert clock.order == ["long", "scan"]


def test_what_is_looked_at_goes_before_everything(worker: Worker) -> None:
    order: list[str] = []
    gate, last = threading.Event(), threading.Event()
    worker.put(lambda: bool(gate.wait(5)))
    worker.put(lambda: order.append("asked"))
    worker.background(lambda: order.append("background"))
    worker.put(lambda: order.append("looked at"), first=True)
    worker.put(last.set)
    gate.set()
    assert last.wait(5)
    assert order[0] == "looked at"
    assert sorted(order[1:]) == ["asked", "background"]


def test_background_work_gives_its_error_back(worker: Worker) -> None:
    with pytest.raises(ZeroDivisionError):
        worker.background(lambda: 1 / 0).result(5)


def test_closing_leaves_what_waits(worker: Worker) -> None:
    ran: list[str] = []
    gate, running = threading.Event(), threading.Event()
    worker.put(lambda: running.set() or bool(gate.wait(5)))
    worker.put(lambda: ran.append("after"))
    assert running.wait(5)
    closing = threading.Thread(target=worker.close)
    closing.start()
    time.sleep(0.05)
    gate.set()
    closing.join(5)
    assert ran == []
