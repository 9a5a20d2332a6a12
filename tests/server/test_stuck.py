"""An item that does not come, before a server with as many threads as it has."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor

from ..reaching import reached
from ..waiting import wait_until
from .conftest import Make, explained, get, listed


class Forgotten:
    """Items of which the second read of number 2 does not come."""

    def __init__(self, gate: threading.Event) -> None:
        self.gate, self.read = gate, [0] * 6

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Tensor:
        self.read[index] += 1
        if index == 2 and self.read[2] > 1:
            self.gate.wait(30)
        return torch.full((3, 8, 8), index / 6)


def test_an_item_that_does_not_come_keeps_no_request_from_its_answer(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    monkeypatch.setattr("app.data.source.MEMORY", 0)  # every item is read again
    monkeypatch.setattr("app.web.service.FIRST_LOOK", 0.1)
    visualizer = make(dataset=Forgotten(gate), score_func=None)
    listed(visualizer, limit=2, scan_to=6)
    address = visualizer.serve()
    with ThreadPoolExecutor(24) as pool:
        for _ in range(24):
            pool.submit(lambda: reached(address, "api/samples/2"))
        for path in ("api/summary", "api/workspace", "api/samples?limit=2", "api/samples/1"):
            assert reached(address, path).status == 200
    sample = get(visualizer, "/api/samples/2")
    assert sample["error"]["type"] == "Not yet"
    assert sample["predictions"][0]["predicted"]
    answer = visualizer.app.test_client().post("/api/attributions", json={"sample": 2, "method": "Saliency"})
    assert (answer.status_code, answer.get_json()["type"]) == (503, "Not yet")
    gate.set()
    wait_until(lambda: get(visualizer, "/api/samples/2")["error"] is None)
    assert explained(visualizer, sample=2)["state"] == "done"
