import gc
import threading
import time
import weakref
from asyncio import CancelledError
from collections.abc import Callable, Iterator

import pytest

import app.explain.jobs
from app.errors import InsightsError
from app.explain.jobs import Job, Jobs
from app.model.schedule import Device
from attribution_core.evaluation.observe import Cancelled

from ..waiting import wait_until


class Panic(BaseException):
    """As that of an extension written in Rust."""


class Text(str):
    """A result that takes a byte for each letter."""

    @property
    def bytes(self) -> int:
        return len(self)


Work = Callable[[Job[Text]], str]
Submit = Callable[..., Job[Text]]


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device("test")
    yield device
    device.close()


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs[Text]:
    monkeypatch.setattr(app.explain.jobs, "SOON", 0.05)
    return Jobs()


@pytest.fixture
def submit(jobs: Jobs[Text], device: Device) -> Submit:
    """Ask for a job by a name; it explains the sample of that name, where no other is given."""

    def ask(id: str, work: Work, client: str = "me", about: object = None, selected: bool = False) -> Job[Text]:
        return jobs.submit(id, about or id, lambda job: Text(work(job)), device, client, selected)

    return ask


def idle(device: Device) -> None:
    device.background(lambda: None).result(5)


def until_unwanted(job: Job[Text]) -> str:
    for step in range(2000):
        job.report(step, 2000)
        if job.stops():
            raise Cancelled
        time.sleep(0.005)
    raise AssertionError("nobody cancelled this")


def until_running(job: Job[Text]) -> None:
    wait_until(lambda: job.state == "running")


def test_the_same_question_is_computed_once(submit: Submit) -> None:
    calls: list[int] = []
    first = submit("a", lambda job: calls.append(1) or "answer")
    assert first.finished.wait(5)
    assert submit("a", lambda job: calls.append(2) or "again").result == "answer"
    assert calls == [1]


def test_a_failure_is_kept_and_a_new_request_tries_again(jobs: Jobs[Text], submit: Submit) -> None:
    def fail(job: Job[Text]) -> str:
        raise ValueError("no gradient")

    failed = submit("a", fail)
    assert failed.finished.wait(5)
    assert failed.state == "failed"
    assert str(jobs.get("a").error) == "no gradient"
    again = submit("a", lambda job: "fine")
    assert again.finished.wait(5)
    assert again.result == "fine"


@pytest.mark.parametrize("ending", [SystemExit(1), KeyboardInterrupt(), CancelledError(), Panic("of Rust")])
def test_what_would_end_the_program_fails_its_job_alone(submit: Submit, ending: BaseException) -> None:
    def leave(job: Job[Text]) -> str:
        raise ending

    failed = submit("a", leave)
    assert failed.finished.wait(5)
    assert failed.state == "failed"
    assert f"raised {ending!r}, which ends a program" in str(failed.error)
    after = submit("b", lambda job: "fine")
    assert after.finished.wait(5)
    assert after.result == "fine"


def test_a_model_that_calls_itself_cancelled_is_not_asked_again(submit: Submit) -> None:
    attempts = []

    def cancel(job: Job[Text]) -> str:
        attempts.append(job.stops())
        raise Cancelled("by the model")

    failed = submit("a", cancel)
    assert failed.finished.wait(5)
    assert (failed.state, attempts) == ("failed", [False])
    assert "by the model" in str(failed.error)


class Example:
    """What a job explains, large."""


@pytest.mark.parametrize("fails", [False, True])
def test_an_ended_job_holds_neither_its_example_nor_its_frames(jobs: Jobs[Text], submit: Submit, fails: bool) -> None:
    def asking(example: Example) -> Work:
        def work(job: Job[Text]) -> str:
            activations = example
            try:
                if fails:
                    raise KeyError(type(activations).__name__)
            except KeyError as error:
                raise ValueError("no gradient") from error
            return "fine"

        return work

    example = Example()
    held = weakref.ref(example)
    assert submit("a", asking(example)).finished.wait(5)
    del example
    gc.collect()
    assert held() is None
    error = jobs.get("a").error
    assert [type(e) for e in (error, error and error.__cause__)] == (
        [ValueError, KeyError] if fails else 2 * [type(None)]
    )


def test_cancelling_stops_the_work(submit: Submit) -> None:
    job = submit("a", until_unwanted)
    until_running(job)
    job.leave("me")
    assert job.finished.wait(5)
    assert job.state == "cancelled"


def test_one_tab_does_not_cancel_for_another(submit: Submit) -> None:
    job = submit("a", until_unwanted, "tab 1")
    submit("a", until_unwanted, "tab 2")
    job.leave("tab 1")
    assert not job.finished.wait(0.1)
    job.leave("tab 2")
    assert job.finished.wait(5)


def test_a_job_that_nobody_asks_about_is_given_up(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.explain.jobs, "FORGOTTEN", 0.1)
    job = submit("a", until_unwanted, "closed tab")
    assert job.finished.wait(5)
    assert job.state == "cancelled"


def test_one_client_cannot_ask_for_more_than_its_part(submit: Submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.explain.jobs, "EACH", 3)
    gate = threading.Event()
    until_running(submit("running", lambda job: str(gate.wait(5))))
    for name in "ab":
        submit(name, lambda job: "x")
    with pytest.raises(InsightsError, match="this page waits for 3 already") as refused:
        submit("c", lambda job: "x")
    assert refused.value.status == 429
    assert submit("a", lambda job: "x").state == "queued"  # one of its own, asked for again
    other = submit("c", lambda job: "x", "another")
    gate.set()
    assert other.finished.wait(5)
    assert submit("d", lambda job: "x").finished.wait(5)


def test_what_nobody_waits_for_makes_room(submit: Submit, device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.explain.jobs, "ALL", 3)
    gate, ran = threading.Event(), list[str]()
    until_running(submit("running", lambda job: str(gate.wait(5))))
    left, stays = (submit(name, lambda job, name=name: ran.append(name) or name) for name in "ab")
    with pytest.raises(InsightsError, match="3 are under way already"):
        submit("c", lambda job: "x")
    left.leave("me")
    new = submit("c", lambda job: "x")
    assert (left.state, left.finished.is_set(), stays.state) == ("cancelled", True, "queued")
    gate.set()
    assert new.finished.wait(5)
    idle(device)
    assert ran == ["b"]


def test_a_job_waiting_says_how_many_are_ahead(jobs: Jobs[Text], submit: Submit) -> None:
    gate = threading.Event()
    running = submit("a", lambda job: str(gate.wait(5)))
    waiting = [submit(name, lambda job: "x") for name in "bc"]
    until_running(running)
    assert [jobs.ahead(job) for job in (running, *waiting)] == [0, 1, 2]
    waiting[0].leave("me")
    assert jobs.ahead(waiting[1]) == 1
    gate.set()
    assert waiting[-1].finished.wait(5)


def test_what_is_selected_goes_first_and_is_computed_once(jobs: Jobs[Text], submit: Submit, device: Device) -> None:
    gate, order = threading.Event(), list[str]()

    def ask(name: str, about: int, selected: bool = False) -> Job[Text]:
        return submit(name, lambda job: order.append(name) or name, "me", about, selected)

    until_running(submit("running", lambda job: str(gate.wait(5))))
    a, b, c = ask("a", 1), ask("b", 2), ask("c", 3)
    assert ask("c", 3, selected=True) is c
    d = ask("d", 3)
    assert [jobs.ahead(job) for job in (a, b, c, d)] == [3, 4, 1, 2]
    assert jobs.see("b", "me", selected=True) is b
    assert [jobs.ahead(job) for job in (a, b, c, d)] == [2, 1, 3, 4]
    gate.set()
    assert d.finished.wait(5)
    idle(device)
    assert order == ["b", "a", "c", "d"]


def counting(steps: int, ended: list[str], name: str, starts: list[str] | None = None) -> Work:
    def work(job: Job[Text]) -> str:
        if starts is not None:
            starts.append(name)
        for step in range(steps):
            job.report(step, steps)
            if job.stops():
                raise Cancelled
            time.sleep(0.005)
        ended.append(name)
        return name

    return work


def test_a_long_job_is_paused_for_what_is_selected_and_goes_on_after_it(submit: Submit) -> None:
    ended: list[str] = []
    starts: list[str] = []
    long = submit("long", counting(60, ended, "long", starts))
    until_running(long)
    after = submit("next", counting(1, ended, "next"))
    selected = submit("selected", counting(1, ended, "selected"), selected=True)
    assert selected.finished.wait(5)
    assert after.finished.wait(10)
    assert ended == ["selected", "long", "next"]
    assert starts == ["long"]


def test_the_time_of_a_pause_is_not_the_time_of_the_job(submit: Submit) -> None:
    def slow(job: Job[Text]) -> str:
        time.sleep(0.5)
        return "slow"

    def long(job: Job[Text]) -> str:
        submit("selected", slow, selected=True)
        job.stops()
        return "long"

    job = submit("long", long)
    assert job.finished.wait(5)
    assert job._paused >= 0.5
    assert job.elapsed == pytest.approx(job._ended - job._started - job._paused)


def test_what_another_tab_looks_at_does_not_give_way(submit: Submit) -> None:
    ended: list[str] = []
    long = submit("long", counting(60, ended, "long"), "tab 1", selected=True)
    until_running(long)
    other = submit("other", counting(1, ended, "other"), "tab 2", selected=True)
    assert other.finished.wait(5)
    assert ended == ["long", "other"]


def test_what_is_no_longer_selected_gives_way(submit: Submit) -> None:
    ended: list[str] = []
    long = submit("long", counting(60, ended, "long"), selected=True)
    until_running(long)
    other = submit("other", counting(1, ended, "other"), selected=True)
    assert other.finished.wait(5)
    assert long.finished.wait(10)
    assert ended == ["other", "long"]


def test_a_paused_job_is_cancelled_by_closing(jobs: Jobs[Text], submit: Submit) -> None:
    long = submit("long", counting(60, [], "long"))
    until_running(long)
    gate = threading.Event()
    until_running(submit("selected", lambda job: str(gate.wait(5)), selected=True))
    jobs.close()
    gate.set()
    assert long.finished.wait(5)
    assert long.state == "cancelled"


def test_remaining_time_follows_the_pace(device: Device) -> None:
    job: Job[Text] = Job("a", 0, lambda job: Text(), device)
    job.state, job._started = "running", time.monotonic() - 10
    job.report(25, 100)
    assert job.remaining == pytest.approx(30, abs=1)


def test_old_results_make_room(monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    monkeypatch.setattr(app.explain.jobs, "KEPT", 5000)
    jobs: Jobs[Text] = Jobs()
    for name in "abc":
        assert jobs.submit(name, 0, lambda job: Text("x" * 1500), device, "me").finished.wait(5)
    with pytest.raises(InsightsError, match="no longer"):
        jobs.get("a")
    assert jobs.get("c").state == "done"


def test_a_result_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch, device: Device) -> None:
    monkeypatch.setattr(app.explain.jobs, "KEPT", 2000)
    jobs: Jobs[Text] = Jobs()
    job = jobs.submit("a", 0, lambda job: Text("x" * 5000), device, "me")
    assert job.finished.wait(5)
    assert job.state == "failed"
    assert "too large" in str(jobs.get("a").error)


def test_closing_drops_what_is_finished_and_cancels_the_rest(jobs: Jobs[Text], submit: Submit) -> None:
    done = submit("done", lambda job: "x" * 1000)
    assert done.finished.wait(5)
    running = submit("running", until_unwanted)
    until_running(running)
    waiting = submit("waiting", lambda job: "never")
    kept = weakref.ref(done)
    jobs.close()
    running.seen_by("me")
    del done
    gc.collect()
    assert kept() is None
    for job in (running, waiting):
        assert job.finished.wait(5)
        assert job.state == "cancelled"
    with pytest.raises(InsightsError, match="no longer"):
        jobs.get("running")
    with pytest.raises(InsightsError, match="closed"):
        submit("done", lambda job: "again")


def test_a_result_that_comes_after_closing_is_not_kept(jobs: Jobs[Text], submit: Submit) -> None:
    gate = threading.Event()
    job = submit("a", lambda job: str(gate.wait(5)))
    until_running(job)
    jobs.close()
    gate.set()
    assert job.finished.wait(5)
    assert (job.state, job.result) == ("cancelled", None)
    with pytest.raises(InsightsError, match="no longer"):
        jobs.get("a")
