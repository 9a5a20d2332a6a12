"""Drives JupyterLab or Notebook 7 as a person does: write a cell, run it, look."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from playwright.sync_api import Locator, Page, expect

from ..waiting import wait_until

STARTING = 60.0
QUIET = [
    "--no-browser",
    "--ServerApp.allow_root=True",
    "--ServerApp.port=0",
    "--IdentityProvider.token=test",
    "--LabApp.extension_manager=readonly",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]
SETTINGS: dict[str, dict[str, Any]] = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "completer-extension/inline-completer": {"providers": {}},
}
SETUP = """
import os; os.environ["OMP_NUM_THREADS"] = "1"
import torch; torch.set_num_threads(1)
from argparse import Namespace
from app import AttributionVisualizer
from app.demos import DEMOS
def digits(**changes):
    return AttributionVisualizer(**DEMOS["digits"].build(Namespace(device=torch.device("cpu"))) | changes)
visualizer = digits()
"""


@dataclass(frozen=True)
class Server:
    """A running server and where its notebooks lie."""

    host: str
    address: str
    folder: Path

    def new_notebook(self, name: str) -> str:
        """An empty notebook; its address."""
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        cell = {
            "cell_type": "code",
            "id": "first",
            "metadata": {},
            "source": "",
            "outputs": [],
            "execution_count": None,
        }
        content = {"cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
        (self.folder / f"{name}.ipynb").write_text(json.dumps(content))
        page = {"jupyterlab": f"doc/tree/{name}.ipynb?reset&", "notebook": f"notebooks/{name}.ipynb?"}[self.host]
        return f"{self.address}{page}token=test"


@contextmanager
def serving(host: str, home: Path, settings: dict[str, dict[str, Any]]) -> Iterator[Server]:
    """Run `python -m jupyterlab` or `python -m notebook` with nothing of this machine's own configuration."""
    folder = home / "notebooks"
    folder.mkdir(parents=True)
    for name, values in (SETTINGS | settings).items():
        file = home / "settings" / "@jupyterlab" / f"{name}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(values))
    own = {f"JUPYTER_{part}_DIR": str(home / part.lower()) for part in ("CONFIG", "DATA", "RUNTIME")}
    lab = {f"JUPYTERLAB_{part}_DIR": str(home / part.lower()) for part in ("SETTINGS", "WORKSPACES")}
    environment = os.environ | own | lab | {"IPYTHONDIR": str(home / "ipython")}
    command = [sys.executable, "-m", host, *QUIET, f"--ServerApp.root_dir={folder}"]
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield Server(host, _address(process, home), folder)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _address(process: subprocess.Popen[bytes], home: Path) -> str:
    """Where the server listens, once it does: its file is written a moment earlier."""

    def listening() -> str:
        if process.poll() is not None:
            raise RuntimeError(f"the server did not start:\n{(home / 'log').read_text()}")
        written = "".join(file.read_text() for file in (home / "runtime").glob("jpserver-*.json"))
        if not written:
            return ""
        address = f"http://127.0.0.1:{json.loads(written)['port']}/"
        try:
            urlopen(f"{address}api", timeout=5).close()
        except OSError:
            return ""
        return address

    return wait_until(listening, STARTING)


class Notebook:
    """A notebook open in a browser."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self._open(lambda: page.goto(address))
        expect(self.cells).to_have_count(1)

    def _open(self, go: Callable[[], object]) -> None:
        socket = self.page.expect_websocket(lambda socket: "/channels" in socket.url, timeout=STARTING * 1000)
        with socket as kernel:
            go()
        kernel.value.wait_for_event("framereceived", timeout=STARTING * 1000)
        expect(self.page.locator(".jp-Toolbar-kernelName")).to_have_text("Python 3 (ipykernel)")

    @property
    def cells(self) -> Locator:
        """The code cells."""
        return self.page.locator(".jp-Notebook .jp-CodeCell")

    @property
    def widgets(self) -> Locator:
        """The dashboards on the page."""
        return self.page.locator(".jp-OutputArea-output [data-lm-suppress-shortcuts]")

    def start(self, code: str) -> Locator:
        """Write code into the last cell, which is empty, and run it; the cell."""
        cell = self.cells.last
        expect(cell.locator(".cm-content")).to_have_text("")
        place = self.cells.count() - 1
        cell.locator(".cm-content").click()
        self.page.keyboard.insert_text(code.strip())
        self.page.keyboard.press("Shift+Enter")
        expect(self.cells).to_have_count(place + 2)
        return self.cells.nth(place)

    @contextmanager
    def busy(self, free: Path) -> Iterator[Locator]:
        """Run a cell that goes on until the block is left, which then makes that file."""
        cell = self.start(f"import pathlib, time\nwhile not pathlib.Path({str(free)!r}).exists(): time.sleep(0.05)")
        try:
            yield cell
        finally:
            free.touch()

    def run(self, code: str) -> str:
        """The text below a cell with this code, once it is done."""
        cell = self.start(code)
        expect(cell.locator(".jp-InputPrompt")).to_contain_text("]:")
        expect(cell.locator(".jp-InputPrompt")).not_to_contain_text("*", timeout=STARTING * 1000)
        expect(cell.locator(".jp-InputPrompt")).not_to_contain_text("[ ]")
        return "\n".join(cell.locator(".jp-OutputArea-output").all_inner_texts()).strip()

    def eventually(self, code: str, pattern: str) -> None:
        """Run a cell with this code, and another, until what it prints matches: messages take their time."""
        wait_until(lambda: re.fullmatch(pattern, self.run(code)))

    def again(self, cell: Locator) -> None:
        """Run a cell again, where it is."""
        cell.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("Control+Enter")

    def reload(self) -> None:
        """Save, and load the page again; the kernel lives on."""
        self.save()
        self._open(self.page.reload)

    def restart(self) -> None:
        """Restart the kernel, by the keys and the dialog."""
        self.cells.first.locator(".jp-InputPrompt").click()
        self.page.keyboard.press("0")
        self.page.keyboard.press("0")
        self.page.locator(".jp-Dialog button.jp-mod-accept").click()

    def save(self) -> None:
        """Save the notebook, and wait until that is done."""
        with self.page.expect_response(lambda r: r.request.method == "PUT" and "/api/contents/" in r.url):
            self.page.keyboard.press("Control+s")
