"""The notebook's module in a bare page, over a channel that the test holds in its hands."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, expect

from app import AttributionVisualizer
from app.features import ImageFeature
from app.notebook.widget import call
from app.paths import STATIC
from app.schema import Selection

from .test_dashboard import colours
from .test_states import Means, images

# Styles that would ruin everything they reach, and a channel with the interface of an anywidget model.
HOST = """<!doctype html><html lang="en"><head><title>host</title><style>
  * { letter-spacing: 9px !important }
  div, button, input { color: lime; font-size: 31px; border: 7px solid red; transform: rotate(3deg) }
</style></head><body data-jp-theme-light="true">
  <main><h1>Host</h1><button id="own">own</button><div id="cell"></div></main>
</body></html>"""
CHANNEL = """
async ({ module, traits, state }) => {
  const url = URL.createObjectURL(new Blob([module], { type: 'text/javascript' }));
  const listeners = new Map();
  const of = (event) => listeners.get(event) ?? listeners.set(event, new Set()).get(event);
  const bytes = (text) => new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  const host = (window.host = {
    state, sent: [], held: [], traits,
    emit: (event, ...values) => of(event).forEach((each) => each(...values)),
    listening: () => [...listeners.values()].reduce((sum, each) => sum + each.size, 0),
    async deliver(content, buffers) {
      if (content.type === 'ping') return host.emit('msg:custom', { type: 'pong' }, []);
      if (content.type !== 'request') return;
      const body = buffers?.length ? new TextDecoder().decode(buffers[0]) : '';
      const [status, headers, data] = await window.kernel(content.method, content.path, content.headers, body);
      if (host.state === 'gone' || host.state === 'deaf') return;
      host.emit('msg:custom', { type: 'response', id: content.id, status, headers }, [bytes(data)]);
    },
    recover() { host.state = 'ready'; host.held.splice(0).forEach((each) => host.deliver(...each)); },
  });
  const model = {
    get: (name) => traits[name],
    set: (name, value) => { traits[name] = value; host.emit('change:' + name); },
    save_changes: () => undefined,
    send(content, _, buffers) {
      if (host.state === 'gone') throw new Error('Cannot send');
      host.sent.push(content);
      if (host.state === 'busy' || host.state === 'deaf') host.held.push([content, buffers]);
      else void host.deliver(content, buffers);
    },
    on: (event, listener) => of(event).add(listener),
    off: (event, listener) => of(event).delete(listener),
  };
  host.unmount = (await import(url)).default.render({ model, el: document.getElementById('cell') });
}
"""
HIDDEN = "getComputedStyle(document.documentElement).getPropertyValue('--attribution-insights-abc')"


@pytest.fixture
def visualizer() -> Iterator[AttributionVisualizer]:
    visualizer = AttributionVisualizer(
        [Means()],
        ["red", "green", "blue"],
        [ImageFeature("Photo", [lambda x: x * 0])],
        [images()],
        lambda y: y.softmax(1),
    )
    yield visualizer
    visualizer.close()


def mount(page: Page, visualizer: AttributionVisualizer, state: str) -> Locator:
    """The module, mounted over a channel to a real workspace; the cell it is in."""

    def kernel(method: str, path: str, headers: dict[str, str], body: str) -> Any:
        status, answered, data = call(visualizer.app, method, path, headers, body.encode())
        return status, answered, base64.b64encode(data).decode()

    page.expose_function("kernel", kernel)
    page.route("http://host.test/", lambda route: route.fulfill(body=HOST, content_type="text/html"))
    page.goto("http://host.test/")
    traits = {"view": "", "selected": {}, "snapshot": "abc", "height": 640}
    module = (STATIC / "widget.js").read_text("utf-8")
    page.evaluate(CHANNEL, {"module": module, "traits": traits, "state": state})
    return page.locator("#cell")


@pytest.fixture
def cell(page: Page, visualizer: AttributionVisualizer) -> Locator:
    cell = mount(page, visualizer, "ready")
    expect(photos(cell).first).to_be_visible()
    return cell


def photos(cell: Locator) -> Locator:
    return cell.get_by_role("img", name="Attribution of Photo")


def outcome(cell: Locator, name: str) -> Locator:
    return cell.get_by_role("group", name="Outcome").get_by_role("button", name=re.compile(rf"\b{name}\b"))


def state(page: Page, what: str) -> Any:
    return page.evaluate(f"window.host.{what}")


def test_it_works_over_any_channel(cell: Locator, page: Page) -> None:
    assert colours(photos(cell).first) > 5
    original = cell.get_by_role("img", name="Photo, original").first
    assert original.evaluate("i => i.decode().then(() => i.naturalWidth)") == 8
    outcome(cell, "Incorrect").click()
    expect(cell.get_by_text("Only incorrect")).to_be_visible()
    assert state(page, "traits.view") == "outcome=incorrect"


def test_styles_neither_leak_in_nor_out(cell: Locator, page: Page) -> None:
    inside = cell.get_by_role("button", name="All", exact=False).first
    style = inside.evaluate("e => { const s = getComputedStyle(e); return [s.color, s.letterSpacing, s.transform] }")
    assert "rgb(0, 255, 0)" not in style
    assert style[1:] == ["normal", "none"]
    assert cell.get_by_role("status").first.evaluate("e => getComputedStyle(e).letterSpacing") == "normal"
    own = page.locator("#own").evaluate("e => { const s = getComputedStyle(e); return [s.fontSize, s.fontFamily] }")
    state(page, "unmount()")
    assert page.locator("#own").evaluate("e => [getComputedStyle(e).fontSize, getComputedStyle(e).fontFamily]") == own
    assert own[0] == "31px"
    assert page.evaluate("document.querySelectorAll('head style').length") == 1


def test_full_screen_and_help_stay_in_the_cell(cell: Locator, page: Page) -> None:
    size = "e => [e.offsetWidth, e.offsetHeight]"
    width, height = cell.evaluate(size)
    for opener, dialog in (("Full screen", re.compile("^Photo: what speaks")), ("Keys and words", "Keys and words")):
        cell.get_by_role("button", name=opener).click()
        opened = cell.get_by_role("dialog", name=dialog)
        expect(opened).to_be_visible()
        across, down = opened.evaluate(size)
        assert across <= width and down <= height
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.keyboard.press("Escape")
        expect(opened).to_have_count(0)


def test_until_a_kernel_answers_the_picture_stays(page: Page, visualizer: AttributionVisualizer) -> None:
    cell = mount(page, visualizer, "deaf")
    expect(cell.get_by_text("Connecting to the kernel")).to_be_visible()
    assert cell.evaluate("e => e.offsetHeight") < 80
    assert page.evaluate(HIDDEN) == ""
    expect(cell.get_by_text("run the cell again")).to_be_visible()
    state(page, "recover()")
    expect(photos(cell).first).to_be_visible()
    assert page.evaluate(HIDDEN) == "none"
    assert cell.evaluate("e => e.offsetHeight") > 600


def test_the_view_is_set_from_code(cell: Locator, page: Page) -> None:
    page.evaluate("() => { host.traits.view = '?outcome=correct'; host.emit('change:view') }")
    expect(outcome(cell, "Correct")).to_have_attribute("aria-pressed", "true")


def test_what_is_on_the_screen_is_said(cell: Locator, page: Page) -> None:
    cell.get_by_role("article").nth(1).get_by_role("button", name="Explain", pressed=False).first.click()
    page.wait_for_function("host.traits.selected.sample != null && host.traits.selected.target != null")
    selected = state(page, "traits.selected")
    assert set(selected) == set(Selection.model_fields)
    assert selected["method"] == "IntegratedGradients"
    assert selected["sample"] in selected["samples"]
    page.wait_for_function("host.sent.some((each) => each.type === 'seen')")


def test_a_busy_kernel_is_waited_for(cell: Locator, page: Page) -> None:
    page.evaluate("host.state = 'busy'")
    outcome(cell, "Correct").click()
    note = cell.get_by_text("The kernel is busy with a cell; waiting")
    expect(note).to_be_visible(timeout=4000)
    state(page, "recover()")
    expect(note).to_have_count(0)
    expect(cell.get_by_text("Only correct")).to_be_visible()
    expect(cell.get_by_role("status").filter(has_text="match")).to_contain_text("match")


def test_a_kernel_that_is_gone_is_said_at_once(cell: Locator, page: Page) -> None:
    page.evaluate("() => { host.state = 'gone'; host.emit('comm_live_update') }")
    expect(cell.get_by_text("The kernel is gone: run the cell again")).to_be_visible(timeout=1000)
    expect(photos(cell).first).to_be_visible()


def test_a_kernel_that_no_longer_knows_the_widget_is_gone(cell: Locator, page: Page) -> None:
    page.evaluate("() => { host.state = 'deaf'; host.emit('comm_live_update') }")
    expect(cell.get_by_text("The kernel is gone: run the cell again")).to_be_visible(timeout=3000)
    state(page, "recover()")
    expect(cell.get_by_text("The kernel is gone")).to_have_count(0)


def test_a_kernel_that_comes_back_is_asked_again(cell: Locator, page: Page) -> None:
    page.evaluate("() => { host.state = 'gone' }")
    outcome(cell, "Correct").click()
    expect(cell.get_by_text("The kernel is gone: run the cell again")).to_be_visible()
    page.evaluate("() => { host.state = 'ready'; host.emit('comm_live_update') }")
    expect(cell.get_by_text("The kernel is gone")).to_have_count(0)
    expect(cell.get_by_role("status").filter(has_text="match")).to_contain_text("Scanned 8 of 8")


def test_a_request_that_nobody_waits_for_is_aborted(cell: Locator, page: Page) -> None:
    page.evaluate("host.state = 'busy'")
    outcome(cell, "Correct").click()
    page.wait_for_function("host.held.some(([each]) => each.path?.startsWith('api/samples'))")
    outcome(cell, "Incorrect").click()
    page.wait_for_function("host.sent.some((each) => each.type === 'abort')")


def test_closing_the_cell_frees_everything(cell: Locator, page: Page) -> None:
    assert page.evaluate(HIDDEN) == "none"
    page.evaluate("host.state = 'busy'")
    outcome(cell, "Correct").click()
    page.wait_for_function("host.held.some(([each]) => each.type === 'request')")
    state(page, "unmount()")
    expect(cell).to_be_empty()
    page.wait_for_function("host.listening() === 0")
    assert page.evaluate(HIDDEN) == ""
    sent = state(page, "sent")
    unanswered = {each[0]["id"] for each in state(page, "held") if each[0]["type"] == "request"}
    assert unanswered <= {each["id"] for each in sent if each["type"] == "abort"}
    page.wait_for_timeout(1500)
    assert len(state(page, "sent")) == len(sent)


def test_light_and_dark_follow_the_host(cell: Locator, page: Page) -> None:
    title = cell.get_by_role("heading", level=1)
    ink = "e => getComputedStyle(e).color"
    light = title.evaluate(ink)
    page.evaluate("document.body.dataset.jpThemeLight = 'false'")
    expect(title).not_to_have_css("color", light)
    dark = title.evaluate(ink)
    marks = [("", "background:#111", dark), ("vscode-light", "", light), ("vscode-dark", "", dark), ("", "", light)]
    for classes, style, expected in marks:
        page.evaluate(
            "([c, s]) => { delete document.body.dataset.jpThemeLight;"
            " document.body.className = c; document.body.style.cssText = s }",
            [classes, style],
        )
        expect(title).to_have_css("color", expected)
    page.emulate_media(color_scheme="dark")
    expect(title).to_have_css("color", dark)


@pytest.mark.parametrize("light", ["true", "false"])
def test_axe_finds_nothing(cell: Locator, page: Page, light: str) -> None:
    page.evaluate(f"document.body.dataset.jpThemeLight = '{light}'")
    page.wait_for_timeout(300)
    found = Axe().run(page, context="#cell")
    assert found.violations_count == 0, json.dumps(found.response["violations"], indent=1)


def test_it_is_one_module_that_needs_nothing_else() -> None:
    module = (STATIC / "widget.js").read_text("utf-8")
    assert json.dumps("@font-face")[1:-1] not in module
    assert "import(" not in module
    assert "process.env" not in module
