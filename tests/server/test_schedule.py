import threading
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress

import pytest

from app.errors import InsightsError
from app.model.schedule import PAUSED, Device, Priority, Task

from ..waiting import wait_until


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device("test")
    yield device
    device.close()


def put(device: Device, run: Callable[[], object], priority: Priority = Priority.ASKED) -> Task:
    task = Task(run, priority)
    device.put(task)
    return task


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
    monkeypatch.setattr("app.model.schedule.monotonic", lambda: clock.now)
    return clock


def waiting(device: Device, priority: Priority) -> bool:
    return any(task.priority is priority for task in device._queue)


def test_explanations_and_background_work_get_the_same_time(
    device: Device, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model.schedule.PREPARING", 10.0)
    gate, last = threading.Event(), threading.Event()

    def explain() -> None:
        wait_until(lambda: waiting(device, Priority.BACKGROUND))
        clock.busy("explain", 40.0)

    def scan() -> None:
        for _ in range(12):
            portion = device.background(lambda: clock.busy("scan", 10.0))
            gate.set()
            portion.result(5)

    put(device, lambda: gate.wait(5))
    for _ in range(3):
        put(device, explain)
    put(device, last.set)
    threading.Thread(target=scan).start()
    assert last.wait(10)
    assert clock.order == 3 * ["explain", "scan", "scan", "scan", "scan"]


def test_short_explanations_get_as_much_time_as_a_long_portion(device: Device, clock: Clock) -> None:
    gate, last = threading.Event(), threading.Event()
    put(device, lambda: gate.wait(5))
    for _ in range(2):
        device.background(lambda: clock.busy("scan", 4.0))
    for _ in range(10):
        put(device, lambda: clock.busy("explain", 1.0))
    put(device, last.set)
    gate.set()
    assert last.wait(5)
    assert clock.order == ["explain", "scan", *4 * ["explain"], "scan", *5 * ["explain"]]


def test_nothing_is_owed_for_time_that_no_background_work_waited(device: Device, clock: Clock) -> None:
    gate, last = threading.Event(), threading.Event()
    put(device, lambda: clock.busy("long", 60.0))
    put(device, lambda: gate.wait(5))
    wait_until(lambda: "long" in clock.order)
    put(device, lambda: clock.busy("short", 0.0))
    device.background(lambda: clock.busy("scan", 0.5))
    device.background(last.set)
    gate.set()
    assert last.wait(5)
    assert clock.order == ["long", "short", "scan"]


def test_explanations_go_on_where_background_work_does_not(
    device: Device, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last portion came: what is still owed to it is forgotten after a moment."""
    monkeypatch.setattr("app.model.schedule.PREPARING", 0.01)
    gate, last = threading.Event(), threading.Event()
    put(device, lambda: gate.wait(5) and clock.busy("long", 60.0))
    device.background(lambda: clock.busy("scan", 0.5))
    put(device, last.set)
    gate.set()
    assert last.wait(5)
    assert clock.order == ["long", "scan"]


def test_what_is_selected_goes_before_everything(device: Device) -> None:
    order: list[str] = []
    gate, last = threading.Event(), threading.Event()
    put(device, lambda: gate.wait(5))
    put(device, lambda: order.append("asked"))
    device.background(lambda: order.append("background"))
    put(device, lambda: order.append("selected"), Priority.SELECTED)
    later = put(device, lambda: order.append("selected later"))
    device.prioritise(later, Priority.SELECTED)
    put(device, last.set)
    gate.set()
    assert last.wait(5)
    assert order[:2] == ["selected", "selected later"]
    assert sorted(order[2:]) == ["asked", "background"]


class Steps:
    """A task that pauses at each of its steps, and says where it runs."""

    def __init__(self, device: Device, order: list[str], name: str, gates: dict[int, Callable[[], object]]) -> None:
        self.task = Task(self.run)
        self.device, self.order, self.name, self.gates = device, order, name, gates
        self.ended = threading.Event()

    def run(self) -> None:
        thread = threading.current_thread()
        for step in range(3):
            self.gates.get(step, lambda: None)()
            self.device.pause(self.task)
            assert threading.current_thread() is thread
            self.order.append(f"{self.name} {step}")
        self.ended.set()


def test_a_long_task_is_paused_for_what_is_selected_and_goes_on_from_there(device: Device) -> None:
    order: list[str] = []
    threads: set[threading.Thread] = set()

    def select() -> None:
        put(device, lambda: threads.add(threading.current_thread()) or order.append("selected"), Priority.SELECTED)
        put(device, lambda: order.append("asked"))

    long = Steps(device, order, "long", {1: select})
    device.put(long.task)
    assert long.ended.wait(5)
    device.background(lambda: None).result(5)
    assert order == ["long 0", "selected", "long 1", "long 2", "asked"]
    assert threads.isdisjoint({device._thread})


def test_a_long_explanation_shares_its_time_with_background_work(device: Device, clock: Clock) -> None:
    long = Steps(device, clock.order, "long", {})
    gates = {0: lambda: device.background(lambda: clock.busy("scan", 2.0)), 2: lambda: clock.busy("step", 1.0)}
    long.gates = gates
    device.put(long.task)
    assert long.ended.wait(5)
    assert clock.order == ["long 0", "long 1", "step", "scan", "long 2"]


def test_a_paused_task_waits_for_all_the_background_work_that_time_is_owed_to(
    device: Device, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.model.schedule.PREPARING", 10.0)

    def scan() -> None:
        with suppress(CancelledError):  # the device may be closed before the last
            for _ in range(4):
                device.background(lambda: clock.busy("scan", 1.0)).result(5)

    def long_step() -> None:
        wait_until(lambda: waiting(device, Priority.BACKGROUND))
        clock.busy("step", 3.0)

    long = Steps(device, clock.order, "long", {1: long_step})
    put(device, lambda: threading.Thread(target=scan).start() or device.put(long.task))
    assert long.ended.wait(5)
    assert clock.order[:6] == ["long 0", "step", "scan", "scan", "scan", "long 1"]


def test_what_is_selected_is_not_paused(device: Device) -> None:
    order: list[str] = []

    def crowd() -> None:
        device.background(lambda: order.append("background"))
        put(device, lambda: order.append("selected in another tab"), Priority.SELECTED)

    one = Steps(device, order, "selected", {1: crowd})
    one.task.priority = Priority.SELECTED
    device.put(one.task)
    assert one.ended.wait(5)
    device.background(lambda: None).result(5)
    assert order == ["selected 0", "selected 1", "selected 2", "selected in another tab", "background"]


def selecting(device: Device, clock: Clock, left: int, last: threading.Event) -> None:
    """Somebody looks at one thing after the other, each before the last one is done."""

    def run() -> None:
        clock.busy("selected", 1.0)
        if left:
            selecting(device, clock, left - 1, last)
        else:
            last.set()

    put(device, run, Priority.SELECTED)


def test_what_waits_gets_its_share_of_a_device_on_which_something_is_always_selected(
    device: Device, clock: Clock
) -> None:
    gate, last = threading.Event(), threading.Event()
    put(device, lambda: gate.wait(5))
    for _ in range(2):
        put(device, lambda: clock.busy("asked", 0.5))
    selecting(device, clock, 30, last)
    gate.set()
    assert last.wait(5)
    assert clock.order.index("asked") == 5
    assert clock.order.count("asked") == 2
    assert clock.order[-1] == "selected"


def test_a_paused_task_ends_though_something_is_always_selected(device: Device, clock: Clock) -> None:
    last = threading.Event()
    long = Steps(device, clock.order, "long", {0: lambda: selecting(device, clock, 30, last)})
    long.gates |= {1: lambda: clock.busy("step", 0.2), 2: lambda: clock.busy("step", 0.2)}
    device.put(long.task)
    assert last.wait(5)
    assert long.ended.wait(5)
    assert clock.order.index("long 0") == 5
    assert "long 2" in clock.order[:15]


def test_only_so_many_tasks_are_paused_at_once(device: Device) -> None:
    order: list[str] = []

    def select_next(number: int) -> Steps:
        def select() -> None:
            device.prioritise(steps.task, Priority.ASKED)
            if number < PAUSED + 1:
                following = select_next(number + 1)
                following.task.priority = Priority.SELECTED
                device.put(following.task)

        steps = Steps(device, order, str(number), {1: select})
        return steps

    first = select_next(0)
    device.put(first.task)
    assert first.ended.wait(5)
    device.background(lambda: None).result(5)
    ended = [name for name in order if name.endswith(" 2")]
    assert ended == ["4 2", "5 2", "3 2", "2 2", "1 2", "0 2"]


def test_background_work_gives_its_error_back(device: Device) -> None:
    with pytest.raises(ZeroDivisionError):
        device.background(lambda: 1 / 0).result(5)


def leave() -> None:
    raise SystemExit(1)


def test_a_task_that_ends_the_program_does_not_end_the_thread(device: Device, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InsightsError, match=r"raised SystemExit\(1\), which ends a program"):
        device.background(leave).result(5)
    put(device, leave)
    assert device.background(lambda: "alive").result(5) == "alive"
    assert "a task of test failed" in caplog.text


def test_closing_drops_what_waits(device: Device) -> None:
    ran: list[str] = []
    gate, running = threading.Event(), threading.Event()
    put(device, lambda: running.set() or gate.wait(5))
    put(device, lambda: ran.append("after"))
    promised = device.background(lambda: ran.append("in the background"))
    assert running.wait(5)
    closing = threading.Thread(target=device.close)
    closing.start()
    with pytest.raises(CancelledError):
        promised.result(5)
    gate.set()
    closing.join(5)
    assert ran == []
    with pytest.raises(CancelledError):
        device.background(lambda: None).result(5)
