import gc
import threading
import time
import weakref
from collections.abc import Callable

import pytest

import app.explain.jobs
from app.errors import InsightsError
from app.explain.jobs import Job, Jobs
from app.model.worker import Worker


class StoppedError(Exception):
    """The engine's word for being cancelled."""


@pytest.fixture
def worker() -> Worker:
    return Worker("test")


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> Jobs[str]:
    monkeypatch.setattr(app.explain.jobs, "SOON", 0.05)
    return Jobs(StoppedError, len)


def until_unwanted(job: Job[str]) -> str:
    for step in range(2000):
        job.report(step, 2000)
        if job.unwanted:
            raise StoppedError
        time.sleep(0.005)
    raise AssertionError("nobody cancelled this")


def until_running(job: Job[str]) -> None:
    while job.state != "running":
        time.sleep(0.005)


def test_the_same_question_is_computed_once(jobs: Jobs[str], worker: Worker) -> None:
    calls: list[int] = []
    first = jobs.submit("a", lambda job: calls.append(1) or "answer", worker, "me")
    assert first.finished.wait(5)
    assert jobs.submit("a", lambda job: calls.append(2) or "again", worker, "me").result == "answer"
    assert calls == [1]


def test_a_failure_is_kept_and_a_new_request_tries_again(jobs: Jobs[str], worker: Worker) -> None:
    def fail(job: Job[str]) -> str:
        raise ValueError("no gradient")

    failed = jobs.submit("a", fail, worker, "me")
    assert failed.finished.wait(5)
    time.sleep(0.05)
    assert failed.state == "failed"
    assert str(jobs.get("a").error) == "no gradient"
    again = jobs.submit("a", lambda job: "fine", worker, "me")
    assert again.finished.wait(5)
    assert again.result == "fine"


def test_cancelling_stops_the_work(jobs: Jobs[str], worker: Worker) -> None:
    job = jobs.submit("a", until_unwanted, worker, "me")
    until_running(job)
    job.leave("me")
    assert job.finished.wait(5)
    assert job.state == "cancelled"


def test_one_tab_does_not_cancel_for_another(jobs: Jobs[str], worker: Worker) -> None:
    job = jobs.submit("a", until_unwanted, worker, "tab 1")
    jobs.submit("a", until_unwanted, worker, "tab 2")
    job.leave("tab 1")
    assert not job.finished.wait(0.1)
    job.leave("tab 2")
    assert job.finished.wait(5)


def test_a_job_that_nobody_asks_about_is_given_up(
    jobs: Jobs[str], worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.explain.jobs, "FORGOTTEN", 0.1)
    job = jobs.submit("a", until_unwanted, worker, "closed tab")
    assert job.finished.wait(5)
    assert job.state == "cancelled"


def test_a_job_waiting_says_how_many_are_ahead(jobs: Jobs[str], worker: Worker) -> None:
    gate = threading.Event()
    running = jobs.submit("a", lambda job: str(gate.wait(5)), worker, "me")
    waiting = [jobs.submit(name, lambda job: "x", worker, "me") for name in "bc"]
    until_running(running)
    assert [jobs.ahead(job) for job in (running, *waiting)] == [0, 1, 2]
    waiting[0].leave("me")
    assert jobs.ahead(waiting[1]) == 1
    gate.set()
    assert waiting[-1].finished.wait(5)


def test_what_is_looked_at_goes_first_and_is_computed_once(jobs: Jobs[str], worker: Worker) -> None:
    gate, order = threading.Event(), list[str]()

    def ask(name: str, looked_at: int | None = None) -> Job[str]:
        return jobs.submit(name, lambda job: order.append(name) or name, worker, "me", looked_at)

    until_running(jobs.submit("running", lambda job: str(gate.wait(5)), worker, "me"))
    a, b, c = ask("a"), ask("b"), ask("c")
    assert ask("c", looked_at=3) is c
    d = ask("d", looked_at=3)
    assert [jobs.ahead(job) for job in (a, b, c, d)] == [3, 4, 1, 2]
    ask("b", looked_at=2)
    assert [jobs.ahead(job) for job in (a, b, c, d)] == [2, 1, 3, 4]
    gate.set()
    assert d.finished.wait(5)
    worker.background(lambda: None).result(5)
    assert order == ["b", "a", "c", "d"]


def counting(steps: int, ended: list[str], name: str) -> Callable[[Job[str]], str]:
    def work(job: Job[str]) -> str:
        for step in range(steps):
            job.report(step, steps)
            if job.stops:
                raise StoppedError
            time.sleep(0.005)
        ended.append(name)
        return name

    return work


def test_a_long_job_gives_way_to_what_is_looked_at_and_is_done_after_it(jobs: Jobs[str], worker: Worker) -> None:
    ended: list[str] = []
    long = jobs.submit("long", counting(60, ended, "long"), worker, "me")
    until_running(long)
    after = jobs.submit("next", counting(1, ended, "next"), worker, "me")
    looked_at = jobs.submit("looked at", counting(1, ended, "looked at"), worker, "me", 1)
    assert looked_at.finished.wait(1)
    assert after.finished.wait(10)
    assert ended == ["looked at", "long", "next"]


def test_what_another_tab_looks_at_does_not_give_way(jobs: Jobs[str], worker: Worker) -> None:
    ended: list[str] = []
    long = jobs.submit("long", counting(60, ended, "long"), worker, "tab 1", 1)
    until_running(long)
    other = jobs.submit("other", counting(1, ended, "other"), worker, "tab 2", 2)
    assert other.finished.wait(5)
    assert ended == ["long", "other"]


def test_what_is_no_longer_looked_at_gives_way(jobs: Jobs[str], worker: Worker) -> None:
    ended: list[str] = []
    long = jobs.submit("long", counting(60, ended, "long"), worker, "me", 1)
    until_running(long)
    other = jobs.submit("other", counting(1, ended, "other"), worker, "me", 2)
    assert other.finished.wait(1)
    assert long.finished.wait(10)
    assert ended == ["other", "long"]


def test_a_job_that_gave_way_is_cancelled_by_closing(jobs: Jobs[str], worker: Worker) -> None:
    long = jobs.submit("long", counting(60, [], "long"), worker, "me")
    until_running(long)
    gate = threading.Event()
    until_running(jobs.submit("looked at", lambda job: str(gate.wait(5)), worker, "me", 1))
    jobs.close()
    gate.set()
    assert long.finished.wait(5)
    assert long.state == "cancelled"


def test_remaining_time_follows_the_pace() -> None:
    job: Job[str] = Job("a", lambda job: "", Worker("test"), StoppedError)
    job.state, job._started = "running", time.monotonic() - 10
    job.report(25, 100)
    assert job.remaining == pytest.approx(30, abs=1)


def test_old_results_make_room(monkeypatch: pytest.MonkeyPatch, worker: Worker) -> None:
    monkeypatch.setattr(app.explain.jobs, "KEPT", 5000)
    jobs: Jobs[str] = Jobs(StoppedError, len)
    for name in "abc":
        assert jobs.submit(name, lambda job: "x" * 1500, worker, "me").finished.wait(5)
        time.sleep(0.02)
    with pytest.raises(InsightsError, match="no longer"):
        jobs.get("a")
    assert jobs.get("c").state == "done"


def test_a_result_that_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch, worker: Worker) -> None:
    monkeypatch.setattr(app.explain.jobs, "KEPT", 2000)
    jobs: Jobs[str] = Jobs(StoppedError, len)
    job = jobs.submit("a", lambda job: "x" * 5000, worker, "me")
    deadline = time.monotonic() + 5
    while job.state != "failed" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "too large" in str(jobs.get("a").error)


def test_closing_drops_what_is_finished_and_cancels_the_rest(jobs: Jobs[str], worker: Worker) -> None:
    done = jobs.submit("done", lambda job: "x" * 1000, worker, "me")
    assert done.finished.wait(5)
    running = jobs.submit("running", until_unwanted, worker, "me")
    until_running(running)
    waiting = jobs.submit("waiting", lambda job: "never", worker, "me")
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
        jobs.submit("done", lambda job: "again", worker, "me")
    worker.close()


def test_a_result_that_comes_after_closing_is_not_kept(jobs: Jobs[str], worker: Worker) -> None:
    gate = threading.Event()
    job = jobs.submit("a", lambda job: str(gate.wait(5)), worker, "me")
    until_running(job)
    jobs.close()
    gate.set()
    worker.background(lambda: None).result(5)
    assert job.result == "True"
    with pytest.raises(InsightsError, match="no longer"):
        jobs.get("a")
