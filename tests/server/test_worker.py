import threading
import time
from collections.abc import Iterator

import pytest

from app.worker import Worker


@pytest.fixture
def worker() -> Iterator[Worker]:
    worker = Worker("test")
    yield worker
    worker.close()


def test_explanations_and_background_work_get_the_same_time(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    now, order, gate, last = [100.0], list[str](), threading.Event(), threading.Event()
    monkeypatch.setattr("app.worker.monotonic", lambda: now[0])
    monkeypatch.setattr("app.worker.GRACE", 5.0)

    def busy(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    def scan() -> None:
        for _ in range(12):
            portion = worker.background(lambda: busy("scan", 0.0625))
            gate.set()
            portion.result(5)

    worker.put(lambda: bool(gate.wait(5)))
    for _ in range(3):
        worker.put(lambda: busy("explain", 0.25))
    worker.put(last.set)
    threading.Thread(target=scan).start()
    assert last.wait(10)
    assert order == 3 * ["explain", "scan", "scan", "scan", "scan"]


def test_background_work_makes_up_no_more_than_a_second(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    now, order, last = [100.0], list[str](), threading.Event()
    monkeypatch.setattr("app.worker.monotonic", lambda: now[0])

    def busy(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    gate = threading.Event()
    worker.put(lambda: bool(gate.wait(5)))
    worker.put(lambda: busy("long", 60.0))
    worker.put(lambda: busy("short", 0.0))
    for _ in range(4):
        worker.background(lambda: busy("scan", 0.5))
    worker.background(last.set)
    gate.set()
    assert last.wait(5)
    assert order == ["long", "scan", "scan", "short", "scan", "scan"]


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
