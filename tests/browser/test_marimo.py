"""The dashboard in a marimo notebook."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from ..waiting import wait_until

RENDERED = """
import marimo
app = marimo.App(width="full")

@app.cell
def _():
    import torch
    from argparse import Namespace
    from app import AttributionVisualizer
    from app.demos import DEMOS
    torch.set_num_threads(1)
    visualizer = AttributionVisualizer(**DEMOS["digits"].build(Namespace(device=torch.device("cpu"))))
    return (visualizer,)

@app.cell
def _(visualizer):
    visualizer.render()
"""
NOTEBOOK = f"""{RENDERED}
@app.cell
def _():
    import marimo as mo
    ask = mo.ui.button(value=0, on_click=lambda times: times + 1, label="What is selected?")
    ask
    return ask, mo

@app.cell
def _(ask, mo, visualizer):
    s = visualizer.selected if ask.value else None
    shape = tuple(visualizer.attributions()[0].shape) if s else None
    mo.plain_text(f"selected {{s.sample}} {{s.target}} {{shape}} {{visualizer.widget.view}}" if s else "nothing asked")

@app.cell
def _(mo, visualizer):
    def only_correct(_):
        visualizer.widget.view = "outcome=correct"
    mo.ui.button(on_click=only_correct, label="Only correct, please")

if __name__ == "__main__":
    app.run()
"""
EDITED = f"""{RENDERED}
@app.cell
def _():
    from ipywidgets.widgets.widget import _instances
    print("held:", sorted(type(widget).__name__ for widget in _instances.values()))

if __name__ == "__main__":
    app.run()
"""
PATIENT = 60_000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def serving(mode: str, notebook: str, home: Path) -> Iterator[str]:
    """`marimo run` or `marimo edit` with nothing of this machine's own configuration; its address."""
    file = home / "notebook.py"
    file.write_text(notebook)
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    quiet = ["--headless", "--no-token"]
    command = [sys.executable, "-m", "marimo", mode, str(file), *quiet, "--port", str(port)]
    own = {name: str(home) for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME")}
    environment = os.environ | own | {"MARIMO_SKIP_UPDATE_CHECK": "1"}
    with (home / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_for(address, process, home / "log")
        yield address
    finally:
        process.terminate()
        process.wait(30)


def wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    def answers() -> bool:
        if process.poll() is not None:
            raise RuntimeError(f"marimo did not start:\n{log.read_text()}")
        try:
            urlopen(address, timeout=5).close()
        except OSError:
            return False
        return True

    wait_until(answers)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1100}, reduced_motion="reduce")
    context.set_default_timeout(20_000)
    yield context.new_page()
    context.close()


def maps(within: Page | Locator) -> Locator:
    return within.get_by_role("img", name="Attribution of Digit: values")


def test_find_look_and_understand_below_a_cell(page: Page, tmp_path: Path) -> None:
    with serving("run", NOTEBOOK, tmp_path) as address:
        find_look_and_understand(page, address)


def find_look_and_understand(page: Page, address: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    expect(maps(page).first).to_be_visible(timeout=PATIENT)
    status = page.get_by_role("status").filter(has_text="Scanned")
    expect(status.first).to_contain_text("Scanned 899 of 899", timeout=PATIENT)
    page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    expect(status).to_contain_text("12 match")

    card = page.get_by_role("article").first
    before = maps(card).evaluate("c => c.toDataURL()")
    with page.expect_request(lambda r: "selected" in (r.post_data or "") and '"target":null' not in r.post_data):
        card.get_by_role("button", name="Explain", pressed=False).first.click()
    page.wait_for_function(
        "([card, before]) => card.querySelector('canvas').toDataURL() !== before", arg=[card.element_handle(), before]
    )
    page.get_by_role("button", name="What is selected?").click()
    number = str(card.get_attribute("aria-label")).removeprefix("Sample ")
    expect(page.get_by_text(f"selected {number} ")).to_contain_text("(1, 32, 32) outcome=incorrect&sample=")

    page.get_by_role("button", name="Only correct, please").click()
    expect(status).to_contain_text("887 match")

    strangers = {urlsplit(url).netloc for url in asked if url.startswith("http")}
    assert strangers == {urlsplit(address).netloc}


def dashboards(page: Page) -> Locator:
    return page.locator("[data-lm-suppress-shortcuts]")


def run(page: Page, cell: int, code: str | None = None) -> None:
    page.get_by_test_id("cell-editor").nth(cell).locator(".cm-content").click()
    if code:
        page.keyboard.press("Control+a")
        page.keyboard.insert_text(code)
    page.keyboard.press("Control+Enter")


def test_running_a_cell_again_and_losing_the_kernel(page: Page, tmp_path: Path) -> None:
    with serving("edit", EDITED, tmp_path) as address:
        page.goto(address)
        run(page, 1)
        expect(maps(page).first).to_be_visible(timeout=PATIENT)
        for _ in range(3):
            dashboards(page).evaluate("e => { e.dataset.old = '' }")
            run(page, 1)
            expect(dashboards(page).and_(page.locator(":not([data-old])"))).to_have_count(1)
            expect(maps(page).first).to_be_visible()
        expect(dashboards(page)).to_have_count(1)
        run(page, 2)
        expect(page.get_by_text("held: ['DashboardWidget', 'Layout']")).to_be_visible()

        run(page, 2, "import os; os._exit(1)")
        page.get_by_role("button", name="Find", exact=True).click()
        page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
        expect(page.get_by_role("alert")).to_have_text("The kernel is gone: run the cell again")
        page.keyboard.press("Escape")

        page.get_by_role("button", name="Restart").click()
        page.get_by_role("alertdialog").get_by_role("button", name="Restart").click()
        expect(dashboards(page)).to_have_count(0)
        run(page, 1)
        expect(maps(page).first).to_be_visible(timeout=PATIENT)
