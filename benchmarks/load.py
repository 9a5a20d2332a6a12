"""Many people at one dashboard over HTTP: scrolling, explaining, cancelling, closing their tab, beside a long job.

    python benchmarks/load.py                               50 clients for 10 minutes at the digits
    python benchmarks/load.py --clients 10 --seconds 20
    python benchmarks/load.py --address 'http://…/?token=…' at a dashboard that runs already

Prints errors, lost results, the server's memory before and after, and how long requests took that compute nothing.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

QUICK = ("Saliency", "InputXGradient", "IntegratedGradients", "DeepLift", "GuidedBackprop", "Occlusion", "LRP")
LONG = {"method": "KernelShap", "arguments": {"patch": 1, "n_samples": 20_000}}
COMPUTES = {"explain", "first"}  # by design they wait a moment for a result, or for the first samples
PAUSE = 0.3  # seconds between what one person does, on average
LOOK = 3  # samples that one person looks at, before scrolling on
GONE, CANCELLED = 0.05, 0.3  # how often a tab is closed amid explanations, or a tile left at once
SCROLLED = 2.0  # seconds after which a tile is left behind that has not been explained
HUNG = 60.0  # seconds until the explanation of the selected sample counts as lost


@dataclass
class Tally:
    """What one client, or all of them, met with."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    explained: int = 0
    cancelled: int = 0
    vanished: int = 0

    def add(self, other: Tally) -> None:
        """Take over what another met with."""
        for kind, seconds in other.seconds.items():
            self.seconds[kind] += seconds
        self.errors += other.errors
        self.lost += other.lost
        self.explained += other.explained
        self.cancelled += other.cancelled
        self.vanished += other.vanished

    @property
    def requests(self) -> int:
        return sum(map(len, self.seconds.values()))

    @property
    def idle(self) -> list[float]:
        """Seconds of the requests that compute nothing."""
        return [second for kind, seconds in self.seconds.items() if kind not in COMPUTES for second in seconds]


class Client:
    """A person with a tab: one connection, one name."""

    def __init__(self, address: str, seed: int) -> None:
        parts = urlsplit(address)
        self._connection = HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        token = parse_qs(parts.query).get("token", [""])[0]
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.chance, self.name, self.tally = random.Random(seed), f"load {seed}", Tally()

    def ask(self, kind: str, method: str, path: str, body: object = None, **query: object) -> Any:
        """The answer, JSON or bytes; anything but a success is an error of the server's."""
        address = f"/{path.lstrip('/')}" + (f"?{urlencode(query)}" if query else "")
        headers = self._headers | ({"Content-Type": "application/json"} if body is not None else {})
        started = time.perf_counter()
        self._connection.request(method, address, None if body is None else json.dumps(body), headers)
        response = self._connection.getresponse()
        data = response.read()
        self.tally.seconds[kind].append(time.perf_counter() - started)
        if response.status != 200:
            self.tally.errors.append(f"{method} {address}: {response.status} {data[:200]!r}")
            return None
        return json.loads(data) if response.headers.get_content_type() == "application/json" else data

    def live(self, until: float) -> None:
        """Open the page, and use it."""
        self.ask("static", "GET", "/")
        self.ask("first", "GET", "/api/workspace")
        cursor = ""
        while time.monotonic() < until:
            self.rest()
            page = self.ask("samples", "GET", "/api/samples", limit=24, order="mistakes", cursor=cursor)
            self.ask("summary", "GET", "/api/summary")
            if page is None:
                continue
            seen = self.chance.sample(page["samples"], min(LOOK, len(page["samples"])))
            for sample in seen:
                for shown in sample["inputs"]:
                    if "url" in shown:
                        self.ask("media", "GET", shown["url"])
            self.explain([sample["index"] for sample in seen])
            cursor = page["next_cursor"] or ""

    def rest(self, longest: float = 2 * PAUSE) -> None:
        time.sleep(self.chance.uniform(0, longest))

    def explain(self, samples: list[int]) -> None:
        """Look at one sample until it is explained, and at tiles beside it for a moment; now and then, be gone."""
        method = self.chance.choice(QUICK)
        questions = [{"sample": sample, "method": method} for sample in samples]
        selected, *tiles = [self.start(question, first=not place) for place, question in enumerate(questions)]
        if self.chance.random() < GONE:
            self.name, self.tally.vanished = f"{self.name}'", self.tally.vanished + 1
            return
        self.follow(questions[0], selected, HUNG)
        for question, job in zip(questions[1:], tiles, strict=True):
            if not self.follow(question, job, 0 if self.chance.random() < CANCELLED else SCROLLED):
                self.cancel(job)

    def start(self, question: dict[str, Any], first: bool = False) -> Any:
        """The job of a question."""
        return self.ask("explain", "POST", "/api/attributions", question, client=self.name, first=str(first).lower())

    def follow(self, question: dict[str, Any], job: Any, patience: float) -> bool:
        """Wait for a job and fetch its maps; False where it takes longer than one wants to wait.

        Asked for again, as the page does, where the server gave up: a client that was kept from asking seemed gone.
        """
        end = time.monotonic() + patience
        while job and job["state"] in ("queued", "running", "cancelled"):
            if time.monotonic() > end:
                self.tally.lost += [str(job)[:300]] if patience == HUNG else []
                return False
            self.rest(0.4)
            if job["state"] == "cancelled":
                job = self.start(question)
            else:
                job = self.ask("poll", "GET", f"/api/attributions/{job['id']}", client=self.name)
        if not job or job["state"] != "done":
            self.tally.lost.append(str(job)[:300])
            return True
        for part in job["attribution"]["inputs"]:
            for each in part.get("maps", ())[:2]:
                data = self.ask("map", "GET", each["url"])
                if data is None or len(data) != 2 * each["height"] * each["width"]:
                    self.tally.lost.append(f"map {each['url']}")
        self.tally.explained += 1
        return True

    def cancel(self, job: Any) -> None:
        """Wait no longer."""
        if job:
            self.ask("poll", "DELETE", f"/api/attributions/{job['id']}", client=self.name)
            self.tally.cancelled += 1

    def wait_long(self, stop: Event) -> None:
        """Keep a long job under way, as somebody does who waits for it in another tab."""
        sample, job = 0, None
        while not stop.is_set():
            job = self.start(LONG | {"sample": sample})
            while job and job["state"] in ("queued", "running") and not stop.wait(1):
                job = self.ask("poll", "GET", f"/api/attributions/{job['id']}", client=self.name)
            sample += 1
        self.cancel(job)

    def close(self) -> None:
        self._connection.close()


def load(address: str, clients: int, seconds: float, long: bool = True) -> Tally:
    """All of them at once; what they met with."""
    read_all(address)
    everybody = [Client(address, seed) for seed in range(clients)]
    watcher, stop, until = Client(address, -1), Event(), time.monotonic() + seconds
    threads = [Thread(target=_lives, args=(client, until)) for client in everybody]
    watching = Thread(target=watcher.wait_long, args=(stop,))
    for thread in [*threads, *([watching] if long else [])]:
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    if long:
        watching.join()
    total = Tally()
    for client in [*everybody, watcher]:
        total.add(client.tally)
        client.close()
    return total


def _lives(client: Client, until: float) -> None:
    try:
        client.live(until)
    except Exception as error:
        client.tally.errors.append(f"{type(error).__name__}: {error}")


def read_all(address: str) -> None:
    """Have the data read first, as far as the page does: its reading is no part of what is measured."""
    client = Client(address, -2)
    size = client.ask("first", "GET", "/api/summary", scan_to=2000)["progress"]["size"] or 2000
    while client.ask("first", "GET", "/api/summary", scan_to=size)["progress"]["scanning"]:
        time.sleep(0.2)
    client.close()


def memory(pid: int) -> float:
    """Resident megabytes of a process (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1024


@contextmanager
def served(demo: str) -> Iterator[tuple[str, int]]:
    """A demo in a process of its own: its address and its number."""
    command = [sys.executable, "-m", "app.example", demo, "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield next(found[0] for line in process.stdout if (found := re.findall(r"http://\S+", line))), process.pid
        finally:
            process.terminate()


def table(tally: Tally) -> str:
    """How long each kind of request took, in milliseconds."""
    rows = [f"{'':10}{'n':>8}{'p50':>7}{'p95':>7}{'p99':>7}{'max':>7}"]
    for kind, seconds in [*sorted(tally.seconds.items()), ("no work", tally.idle)]:
        steps = statistics.quantiles(seconds, n=100) if len(seconds) > 1 else seconds * 99
        found = [1000 * value for value in (steps[49], steps[94], steps[98], max(seconds))]
        rows.append(f"{kind:10}{len(seconds):8,}" + "".join(f"{value:7.0f}" for value in found))
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--demo", default="digits")
    parser.add_argument("--address")
    given = parser.parse_args()
    if given.address:
        tally = load(given.address, given.clients, given.seconds)
    else:
        with served(given.demo) as (address, pid):
            load(address, 2, 5)  # what is loaded at the first use
            before = memory(pid)
            tally = load(address, given.clients, given.seconds)
            print(f"memory {before:.0f} MB before, {memory(pid):.0f} MB after")
    print(f"{given.clients} clients, {given.seconds:g} s: {tally.requests:,} requests")
    print(f"{tally.explained:,} explained, {tally.cancelled:,} cancelled, {tally.vanished:,} left behind")
    print(f"{len(tally.errors)} errors, {len(tally.lost)} lost", *tally.errors[:10], *tally.lost[:10], sep="\n")
    print(table(tally))


if __name__ == "__main__":
    main()
