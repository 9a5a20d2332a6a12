"""A program that serves ends at once and without noise, also while its model is inside a pass."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from app.stop import UNDER_WAY

from ..reaching import reached

SERVES = """
import threading
import torch
from app import AttributionVisualizer, Batch
from app.features import ImageFeature

class Stuck(torch.nn.Module):
    def forward(self, x):
        print("in a pass", flush=True)
        {stuck}
        return x.flatten(1)

batch = Batch(torch.rand(2, 1, 8, 8), torch.zeros(2).long())
photo = ImageFeature("photo", baseline_transforms=[], input_transforms=[])
AttributionVisualizer(Stuck().eval(), None, photo, [batch]).serve(blocking=True)
print("returned", flush=True)
"""
IN_PYTHON = "threading.Event().wait()"
IN_TORCH = "[torch.rand(700, 700) @ torch.rand(700, 700) for _ in range(10**9)]"


@contextmanager
def serving(stuck: str) -> Iterator[subprocess.Popen[str]]:
    """A program whose model is inside a pass that does not end."""
    command = [sys.executable, "-c", SERVES.format(stuck=stuck)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        address = next(match[0] for line in process.stdout if (match := re.search(r"http://\S+", line)))
        reached(address, "api/samples?scan_to=2").close()
        assert process.stdout.readline() == "in a pass\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("stuck", [IN_PYTHON, IN_TORCH])
def test_sigterm_ends_a_program_amid_a_pass(stuck: str) -> None:
    with serving(stuck) as process:
        process.send_signal(signal.SIGTERM)
        out, error = process.communicate(timeout=30)
        assert (process.returncode, out, error) == (143, "", "")


@pytest.mark.parametrize("stuck", [IN_PYTHON, IN_TORCH])
def test_ctrl_c_waits_for_the_pass_and_a_second_one_does_not(stuck: str) -> None:
    with serving(stuck) as process:
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        assert process.stderr.readline() == UNDER_WAY + "\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
        assert (process.returncode, out, error) == (130, "", "")


def test_ctrl_c_returns_once_the_pass_is_over() -> None:
    with serving("__import__('time').sleep(0.9)") as process:
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
        assert (process.returncode, out.splitlines()[-1], error.replace(UNDER_WAY, "").strip()) == (0, "returned", "")
