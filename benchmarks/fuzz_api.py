"""Thousands of requests made from the OpenAPI document, good and bad: what is answered, and how soon?

    python benchmarks/fuzz_api.py --requests 20000         in this process
    python benchmarks/fuzz_api.py --requests 20000 --http  over HTTP

An answer is at fault that is a server error, that the document does not describe, that is refused in another shape than
`{type, message, hint}`. The requests are the same each time.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import requests
import schemathesis
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.generation import GenerationMode
from torch import nn

from app import AttributionVisualizer, Batch
from app.explain.methods import OFFERED, Method
from app.features import ImageFeature

SLOW = 5.0  # seconds
TOO_LONG = 431  # an address that the server does not read to its end; in this process none is
CHECKED = (
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
)
PLAIN = {"Accept-Encoding": "identity"}  # schemathesis reads what is not compressed
SAMPLES = 24


@dataclass
class Report:
    """What was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slow: int = 0
    slowest: float = 0.0
    slowest_of: str = ""

    @property
    def requests(self) -> int:
        return self.statuses.total()

    def take(self, case: schemathesis.Case, response: schemathesis.Response, seconds: float) -> None:
        """Count an answer, and note what is wrong with it."""
        asked = f"{case.method} {case.formatted_path} {str(case.query)[:200]} {str(case.body)[:200]}"
        self.statuses[response.status_code] += 1
        if seconds > self.slowest:
            self.slowest, self.slowest_of = seconds, asked
        self.slow += seconds > SLOW
        if response.status_code >= 400 and not _is_error(response.content):
            self.faults.append(f"{asked}: {response.status_code} {response.content[:200]!r} is no error of ours")
        if response.status_code == TOO_LONG:
            return
        try:
            case.validate_response(response, checks=CHECKED)
        except (BaseExceptionGroup, Exception) as error:
            found = getattr(error, "exceptions", [error])
            self.faults.append(f"{asked}: {response.status_code} {'; '.join(map(str, found))}")


def _is_error(content: bytes) -> bool:
    try:
        found = json.loads(content)
    except ValueError:
        return False
    return isinstance(found, dict) and set(found) == {"type", "message", "hint"} and bool(found["message"])


Ask = Callable[[schemathesis.Case], schemathesis.Response]


def fuzz(schema: schemathesis.schemas.BaseSchema, ask: Ask, count: int) -> Report:
    """Make about `count` requests: of each operation, those that fit the document and those that do not."""
    report, jobs = Report(), list[str]()
    operations = [found.ok() for found in schema.get_all_operations()]
    each = max(1, count // (2 * len(operations)))
    for operation in operations:
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            for case in cases(operation, mode, each):
                if mode is GenerationMode.POSITIVE:
                    _make_sense(case, jobs, random.Random(report.requests))
                started = time.perf_counter()
                response = ask(case)
                report.take(case, response, time.perf_counter() - started)
                if case.method == "POST" and response.status_code == 200 and "id" in response.json():
                    jobs.append(response.json()["id"])
    return report


def cases(operation: schemathesis.schemas.APIOperation, mode: GenerationMode, count: int) -> list[schemathesis.Case]:
    """Requests of one kind, the same each time."""
    made: list[schemathesis.Case] = []
    health = list(HealthCheck)
    bounded = settings(max_examples=count, deadline=None, derandomize=True, database=None, suppress_health_check=health)

    @bounded
    @given(operation.as_strategy(generation_mode=mode))
    def make(case: schemathesis.Case) -> None:
        made.append(case)

    with contextlib.suppress(Unsatisfiable):  # of some there is nothing that could be wrong
        make()
    return made


def _make_sense(case: schemathesis.Case, jobs: list[str], chance: random.Random) -> None:
    """Have every second request name what there is: nobody guesses the name of a method, or of an explanation."""
    if chance.random() < 0.5:
        return
    if isinstance(case.body, dict) and "method" in case.body:
        case.body |= {
            "method": chance.choice(OFFERED),
            "sample": chance.randrange(SAMPLES),
            "model": 0,
            "arguments": {},
        }
        for place in ("target", "against", "layer", "neuron"):
            case.body.pop(place, None)
        if Method(case.body["method"]).uses_layer:
            case.body["layer"] = "conv"
    if "sample" in case.path_parameters:
        case.path_parameters["sample"] = chance.randrange(SAMPLES)
    if "model" in case.path_parameters:
        case.path_parameters["model"] = 0
    if "job" in case.path_parameters and jobs:
        case.path_parameters["job"] = chance.choice(jobs)


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))


def workspace() -> AttributionVisualizer:
    torch.manual_seed(0)
    data = [Batch(torch.rand(SAMPLES, 3, 8, 8), torch.randint(0, 3, (SAMPLES,)))]
    return AttributionVisualizer(Net().eval(), ["red", "green", "blue"], ImageFeature("Photo"), data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--http", action="store_true")
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)
    visualizer = workspace()
    schema = schemathesis.openapi.from_wsgi("/openapi.json", visualizer.app)
    session = requests.Session()
    place, _, token = visualizer.serve().partition("?token=") if given.http else ("", "", "")
    if place:
        schema = schemathesis.openapi.from_dict(schema.raw_schema)

    def ask(case: schemathesis.Case) -> schemathesis.Response:
        if place:
            headers = PLAIN | {"Authorization": f"Bearer {token}"}
            return case.call(base_url=place.rstrip("/"), session=session, headers=headers)
        return case.call(headers=PLAIN)

    started = time.perf_counter()
    report = fuzz(schema, ask, given.requests)
    visualizer.close()
    took = time.perf_counter() - started
    print(f"{report.requests:,} requests in {took:.0f} s: {dict(sorted(report.statuses.items()))}")
    print(f"{report.slow} took more than {SLOW:g} s")
    print(f"slowest {report.slowest:.2f} s: {report.slowest_of}")
    print(f"{len(report.faults)} faults", *report.faults[:50], sep="\n")


if __name__ == "__main__":
    main()
