"""The dashboard in JupyterLab and in Notebook 7, each started and used as a person does."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Request, expect

from .jupyter import SETUP, Notebook, Server, serving

Host = str
PATIENT = 20_000
LISTENING = """
import psutil
print(sorted(c.laddr.port for c in psutil.Process().net_connections() if c.status == "LISTEN"))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("jupyterlab", tmp_path_factory.mktemp("lab"), {}) as server:
        yield server


@pytest.fixture(scope="module")
def classic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving("notebook", tmp_path_factory.mktemp("notebook"), {}) as server:
        yield server


@contextmanager
def a_page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1440, "height": 1100}, reduced_motion="reduce")
    context.set_default_timeout(PATIENT)
    yield context.new_page()
    context.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with a_page(browser) as page:
        yield page


@pytest.fixture(scope="module")
def opened(browser: Browser, lab: Server) -> Iterator[Notebook]:
    """One kernel for several tests; starting it takes longer than they do."""
    with a_page(browser) as page:
        notebook = Notebook(page, lab.new_notebook("shared"))
        notebook.run(SETUP)
        yield notebook


@pytest.fixture
def notebook(opened: Notebook) -> Notebook:
    """With a new visualizer; what showed the one before is gone with it."""
    opened.run("visualizer = digits()")
    expect(opened.widgets).to_have_count(0)
    return opened


@pytest.fixture(params=["lab", "classic"])
def server(request: pytest.FixtureRequest) -> Server:
    found: Server = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def asked(page: Page) -> list[Request]:
    requests: list[Request] = []

    def note(request: Request) -> None:
        requests.append(request)

    page.on("request", note)
    return requests


def maps(within: Locator) -> Locator:
    return within.get_by_role("img", name="Attribution of Digit: values")


def status(within: Locator) -> Locator:
    return within.get_by_role("status").filter(has_text="Scanned")


def painted(within: Locator) -> str:
    return str(maps(within).first.evaluate("c => c.toDataURL()"))


def rendered(notebook: Notebook, code: str = "visualizer.render()") -> Locator:
    cell = notebook.start(code)
    expect(cell.get_by_role("status").first).to_contain_text("Scanned 899 of 899", timeout=PATIENT)
    expect(maps(cell).first).to_be_visible(timeout=PATIENT)
    return cell


def only_incorrect(cell: Locator) -> None:
    """Filter; where there is no room for the filters, they are in a drawer."""
    drawer = cell.get_by_role("button", name="Find", exact=True)
    if drawer.count():
        drawer.click()
    cell.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    if drawer.count():
        cell.page.keyboard.press("Escape")
        expect(cell.get_by_role("dialog")).to_have_count(0)


def test_find_look_and_understand_below_a_cell(server: Server, page: Page, asked: list[Request]) -> None:
    complaints: list[str] = []
    notebook = Notebook(page, server.new_notebook("whole"))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    notebook.run(SETUP)
    ports = notebook.run(LISTENING)
    cell = rendered(notebook)

    only_incorrect(cell)
    expect(status(cell)).to_contain_text("12 match")
    notebook.eventually("print(visualizer.widget.view)", "outcome=incorrect")

    card = cell.get_by_role("article").first
    before = painted(card)
    card.get_by_role("button", name="Explain", pressed=False).first.click()
    expect(card.get_by_role("button", name="Explain", pressed=True)).to_have_count(1)
    page.wait_for_function(
        "([card, before]) => card.querySelector('canvas').toDataURL() !== before", arg=[card.element_handle(), before]
    )
    number = str(card.get_attribute("aria-label")).removeprefix("Sample ")
    explained = "s = visualizer.selected; print(s.sample, s.target, visualizer.attributions()[0].shape)"
    notebook.eventually(explained, rf"{number} \d torch.Size\(\[1, 32, 32\]\)")

    notebook.run('visualizer.widget.view = "?outcome=correct&method=Saliency"')
    expect(status(cell)).to_contain_text("887 match")
    expect(cell.get_by_role("combobox", name="Attribution method")).to_have_value("Saliency")

    assert notebook.run(LISTENING) == ports
    strangers = {urlsplit(r.url).netloc for r in asked if r.url.startswith(("http", "ws"))}
    assert strangers == {urlsplit(server.address).netloc}
    assert complaints == []

    notebook.restart()
    expect(cell.get_by_role("alert")).to_have_text("The kernel is gone: run the cell again")
    assert maps(cell).count() > 0


def test_keys_of_the_dashboard_are_not_the_notebooks(notebook: Notebook) -> None:
    page = notebook.page
    cell = rendered(notebook)
    count = notebook.cells.count()
    detail = cell.get_by_role("region", name="Selected sample")
    title = detail.get_by_role("heading", level=2).first
    expect(status(cell)).to_contain_text("Scanned 899 of 899")
    cell.get_by_role("button", name=re.compile("show in detail")).first.click()
    before = title.inner_text()
    for key in ("j", "d", "d", "x", "a", "b"):
        page.keyboard.press(key)
    expect(title).not_to_have_text(before)
    expect(notebook.cells).to_have_count(count)

    cell.get_by_role("button", name="Parameters of the method").click()
    steps = cell.get_by_role("textbox", name=re.compile("steps", re.IGNORECASE))
    steps.fill("")
    steps.click()
    page.keyboard.type("20")
    expect(cell.get_by_role("button", name="Parameters of the method, 1 changed")).to_be_visible()
    page.keyboard.press("Escape")
    notebook.eventually("print(visualizer.widget.view)", ".*n_steps%22:20.*")


def test_a_busy_kernel_answers_on_a_subshell(notebook: Notebook, tmp_path: Path) -> None:
    cell = rendered(notebook)
    with notebook.busy(tmp_path / "free") as busy:
        only_incorrect(cell)
        expect(status(cell)).to_contain_text("12 match")
        assert "*" in busy.locator(".jp-InputPrompt").inner_text()


def test_a_busy_kernel_without_subshells_is_waited_for(page: Page, tmp_path: Path) -> None:
    with serving(
        "jupyterlab", tmp_path / "home", {"apputils-extension/kernels-settings": {"commsOverSubshells": "disabled"}}
    ) as server:
        notebook = Notebook(page, server.new_notebook("busy"))
        notebook.run(SETUP)
        cell = rendered(notebook)
        note = cell.get_by_text("The kernel is busy with a cell; waiting")
        with notebook.busy(tmp_path / "free"):
            only_incorrect(cell)
            expect(note).to_be_visible()
        expect(status(cell)).to_contain_text("12 match")
        expect(note).to_have_count(0)


def test_a_saved_notebook_shows_what_was_seen_last(lab: Server, page: Page, tmp_path: Path) -> None:
    notebook = Notebook(page, lab.new_notebook("saved"))
    notebook.run(SETUP)
    cell = rendered(notebook)
    notebook.run('visualizer.widget.view = "method=Saliency&outcome=incorrect"')
    expect(status(cell)).to_contain_text("12 match")
    picture = page.locator(".jp-OutputArea figure")
    expect(picture).to_contain_text("Saliency, as last seen")
    expect(picture).to_be_hidden()
    notebook.save()

    file = lab.folder / "saved.ipynb"
    outputs = [
        o for c in json.loads(file.read_text())["cells"] for o in c["outputs"] if "image/png" in o.get("data", {})
    ]
    (output,) = outputs
    image = Image.open(io.BytesIO(base64.b64decode("".join(output["data"]["image/png"]))))
    assert image.width > image.height >= 320
    assert "Saliency, as last seen" in "".join(output["data"]["text/html"])

    command = [sys.executable, "-m", "nbconvert", "--to", "html", str(file), "--output-dir", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    page.goto((tmp_path / "saved.html").as_uri())
    shown = page.locator("figure").filter(has_text="Saliency, as last seen")
    expect(shown).to_be_visible()
    expect(shown.get_by_role("img", name="attribution of Digit").first).to_be_visible()


def test_after_a_reload_of_the_page_the_dashboard_is_back(server: Server, page: Page) -> None:
    notebook = Notebook(page, server.new_notebook("reloaded"))
    notebook.run(SETUP)
    rendered(notebook)
    notebook.run('visualizer.widget.view = "method=Saliency&outcome=incorrect"')
    picture = page.locator(".jp-OutputArea figure")
    expect(picture).to_contain_text("Saliency, as last seen")
    notebook.reload()

    cell = notebook.cells.nth(1)
    expect(status(cell)).to_contain_text("12 match")
    expect(maps(cell).first).to_be_visible()
    expect(picture).to_be_hidden()
    notebook.run('visualizer.widget.view = "outcome=correct"')
    expect(status(cell)).to_contain_text("887 match")

    notebook.again(cell)  # a page that was loaded again drops updates of the pictures that it found saved
    expect(status(cell)).to_contain_text("899 match")
    notebook.run('visualizer.widget.view = "method=InputXGradient"')
    expect(picture).to_contain_text("InputXGradient, as last seen")


def test_widgets_and_visualizers_are_independent(notebook: Notebook) -> None:
    one, two = rendered(notebook), rendered(notebook)
    notebook.run('other = digits(title="Other digits")')
    three = rendered(notebook, "other.render()")
    only_incorrect(two)
    expect(status(two)).to_contain_text("12 match")
    notebook.run("other.widget.view = 'outcome=correct'")
    expect(status(three)).to_contain_text("887 match")
    expect(status(two)).to_contain_text("12 match")
    expect(status(one)).to_contain_text("899 match")
    expect(three.get_by_role("heading", level=1)).to_have_text("Other digits")
    notebook.run("other.close()")
    expect(three.get_by_role("article")).to_have_count(0)
    only_incorrect(one)
    expect(status(one)).to_contain_text("12 match")


def test_clearing_an_output_takes_the_dashboard_away(notebook: Notebook) -> None:
    page = notebook.page
    cell = rendered(notebook)
    assert page.evaluate("document.documentElement.style.length") > 0
    cell.locator(".jp-InputPrompt").click()
    page.get_by_role("menuitem", name="Edit", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Clear Cell Output")).click()
    expect(notebook.widgets).to_have_count(0)
    assert "attribution-insights" not in page.evaluate("document.documentElement.style.cssText")


def test_running_a_cell_again_leaves_one_dashboard(notebook: Notebook) -> None:
    cell = rendered(notebook)
    for _ in range(3):
        notebook.again(cell)
        expect(maps(cell).first).to_be_visible()
        expect(notebook.widgets).to_have_count(1)
    held = "from ipywidgets.widgets.widget import _instances; print([type(w).__name__ for w in _instances.values()])"
    assert notebook.run(held) == "['Layout', 'DashboardWidget']"


def test_the_notebooks_theme_is_followed(notebook: Notebook) -> None:
    page = notebook.page
    cell = rendered(notebook)
    title = cell.get_by_role("heading", level=1)
    light = title.evaluate("e => getComputedStyle(e).color")
    page.get_by_role("menuitem", name="Settings").click()
    page.locator(".lm-Menu-item").filter(has_text=re.compile(r"^Theme\s*$")).hover()
    page.locator(".lm-Menu-item").filter(has_text=re.compile(r"^JupyterLab Dark\s*$")).click()
    page.wait_for_function("([e, light]) => getComputedStyle(e).color !== light", arg=[title.element_handle(), light])
    expect(cell.get_by_role("button", name="Use dark colours")).to_have_count(0)
