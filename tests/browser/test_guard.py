"""Coming in with a token, and what pages of others get, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from app import AttributionVisualizer, Batch
from app.features import GeneralFeature, ImageFeature, TextFeature

from .test_states import Means, Open, Reader, images, open_page

__all__ = ["open_page"]  # a fixture

TOKEN = "of-an-earlier-start"
ASKS = "This dashboard needs its token"


def serve(**how: Any) -> AttributionVisualizer:
    visualizer = AttributionVisualizer([Means()], ["red", "green", "blue"], [ImageFeature("Photo", None)], [images()])
    visualizer.serve(**how)
    return visualizer


@pytest.fixture
def visualizer() -> Iterator[AttributionVisualizer]:
    visualizer = serve()
    yield visualizer
    visualizer.close()


@pytest.fixture
def visitor(context: BrowserContext) -> Iterator[Page]:
    """A page whose console may complain: it is refused things."""
    page = context.new_page()
    yield page
    page.close()


def place(visualizer: AttributionVisualizer) -> str:
    return visualizer.address.partition("?")[0]


def shown(page: Page) -> None:
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()


def test_the_printed_address_opens_it_and_the_token_is_gone(page: Page, visualizer: AttributionVisualizer) -> None:
    page.goto(f"{visualizer.address}&sample=3&method=Saliency")
    shown(page)
    expect(page).to_have_url(f"{place(visualizer)}?sample=3&method=Saliency")
    assert page.evaluate("document.cookie") == ""
    page.goto(f"{place(visualizer)}?sample=2")
    shown(page)
    page.goto(f"{place(visualizer)}?token={TOKEN}&sample=1")  # an old link, and the cookie
    shown(page)
    expect(page).to_have_url(f"{place(visualizer)}?sample=1")


def test_whoever_has_no_token_is_told_where_it_is_and_can_paste_it(
    visitor: Page, visualizer: AttributionVisualizer
) -> None:
    visitor.goto(f"{place(visualizer)}?sample=3")
    expect(visitor.get_by_role("heading", name=ASKS)).to_be_visible()
    expect(visitor.get_by_text("visualizer.address")).to_be_visible()
    field, enter = visitor.get_by_label("Address or token"), visitor.get_by_role("button", name="Open the dashboard")
    enter.click()
    expect(visitor.get_by_text("Paste the address")).to_be_visible()
    field.fill(TOKEN)
    enter.click()
    expect(visitor.get_by_role("alert")).to_contain_text("wrong, or of an earlier start")
    expect(visitor).to_have_url(f"{place(visualizer)}?sample=3")
    field.fill(f"Attribution Insights is at {visualizer.address}\n")
    field.press("Enter")
    shown(visitor)
    expect(visitor).to_have_url(f"{place(visualizer)}?sample=3")
    visitor.go_back()  # the wrong tries left nothing behind
    assert visitor.url == "about:blank"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
def test_the_way_in_is_readable(visitor: Page, visualizer: AttributionVisualizer, scheme: Any, width: int) -> None:
    visitor.emulate_media(color_scheme=scheme)
    visitor.set_viewport_size({"width": width, "height": 844})
    visitor.goto(f"{place(visualizer)}?token={TOKEN}")
    expect(visitor.get_by_role("alert")).to_be_visible()
    found = Axe().run(visitor)
    assert found.violations_count == 0, found.generate_report()
    assert visitor.evaluate("document.documentElement.scrollWidth") <= width


@contextmanager
def restarted(page: Page, token: str, then: str) -> Iterator[None]:
    """A dashboard that `page` had open, started again at the same port with the token `then`."""
    first = serve(token=token)
    port = urlsplit(first.address).port
    page.goto(first.address)
    shown(page)
    page.wait_for_load_state("networkidle")  # else a request in flight is refused before the test asks anything
    first.close()
    second = serve(port=port, token=then)
    yield
    second.close()


def test_a_page_that_was_open_says_that_the_dashboard_was_started_again(visitor: Page) -> None:
    with restarted(visitor, "token-of-the-first-start", then="token-of-the-second-start"):
        visitor.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
        expect(visitor.get_by_role("heading", name="The dashboard was started again")).to_be_visible()
        visitor.get_by_label("Address or token").fill("token-of-the-second-start")
        visitor.get_by_role("button", name="Open the dashboard").click()
        shown(visitor)


def test_with_the_same_token_it_goes_on(visitor: Page) -> None:
    with restarted(visitor, "the-same-at-every-start", then="the-same-at-every-start"):
        visitor.reload()
        shown(visitor)


EVIL = """<!doctype html><title>evil</title><img id="img" src="{target}api/samples/0/media/0">
<iframe src="{target}" width="600" height="400"></iframe><iframe name="sink"></iframe>
<form method="post" action="{target}api/attributions" enctype="text/plain" target="sink">
<input name='{{"sample":0,"method":"Saliency","x":"' value='"}}'></form>"""
TRIES = """async target => {
  const tried = {};
  const attempt = async (name, path, how) => {
    try { const r = await fetch(target + path, how); tried[name] = r.type === 'opaque' ? 'opaque' : await r.text(); }
    catch (error) { tried[name] = 'blocked'; }
  };
  await attempt('read', 'api/workspace', { credentials: 'include' });
  await attempt('blind', 'api/samples?scan_to=5000', { mode: 'no-cors', credentials: 'include' });
  await attempt('post', 'api/attributions', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' });
  await attempt('json', 'api/attributions', { method: 'POST', credentials: 'include', body: '{}',
    headers: { 'Content-Type': 'application/json' } });
  await attempt('delete', 'api/attributions/1', { method: 'DELETE', credentials: 'include' });
  const module = await import(target + 'widget.js').then(() => 'ran', () => 'blocked');
  const image = document.getElementById('img');
  document.querySelector('form').submit();
  return { ...tried, module, image: image.naturalWidth };
}"""


@pytest.fixture
def stranger() -> Iterator[Callable[[str], str]]:
    """Serves a hostile page aimed at an address; gives the page's own, by another port of the same machine."""
    target: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(EVIL.format(target=target[0]).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()

    def aim(at: str) -> str:
        target.append(at)
        return f"http://127.0.0.1:{server.server_port}/"

    yield aim
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("token", [None, False], ids=["token", "no-token"])
@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"], ids=["same-site", "cross-site"])
def test_a_page_of_another_origin_gets_nothing(
    visitor: Page, stranger: Callable[[str], str], token: Any, name: str
) -> None:
    """Another port is the same site: the cookie comes along. Another name is not."""
    read: list[int] = []

    class Counted:
        def __len__(self) -> int:
            return 5000

        def __getitem__(self, index: int) -> Any:
            read.append(index)
            return images(1).inputs[0]

    visualizer = AttributionVisualizer([Means()], ["r", "g", "b"], [ImageFeature("Photo", None)], Counted())
    address = visualizer.serve(token=token).replace("127.0.0.1", name)
    answers: list[tuple[str, int]] = []
    if token is None:
        visitor.request.get(address)  # the cookie is there
        assert len(visitor.context.cookies()) == 1
    visitor.on("response", lambda r: answers.append((urlsplit(r.url).path, r.status)) if "/api" in r.url else None)
    target = address.partition("?")[0]
    visitor.goto(stranger(target))
    found = visitor.evaluate(TRIES, target)
    assert found == {
        "read": "blocked", "blind": "blocked", "post": "blocked", "json": "blocked", "delete": "blocked",
        "module": "blocked", "image": 0,
    }  # fmt: skip
    visitor.wait_for_timeout(300)
    assert {status for _, status in answers} <= {403}
    assert ("/api/attributions", 403) in answers  # the form was sent
    frame = visitor.frames[1]
    assert "chrome-error" in frame.url or frame.evaluate("document.body.innerText.length") == 0
    assert read == []
    visualizer.close()


def test_a_lent_name_is_refused_with_a_page(visitor: Page, visualizer: AttributionVisualizer) -> None:
    port = urlsplit(visualizer.address).port
    lent = f"http://evil.example:{port}/"

    def resolve(route: Any) -> None:  # as its name server would, with our address
        answer = route.fetch(url=place(visualizer) + route.request.url.removeprefix(lent), headers={
            **route.request.headers, "host": f"evil.example:{port}"})  # fmt: skip
        route.fulfill(response=answer)

    visitor.route(f"{lent}**", resolve)
    visitor.goto(lent)
    expect(visitor.get_by_role("heading", name="The dashboard is not known by this name")).to_be_visible()
    expect(visitor.get_by_text("--allow-host")).to_be_visible()
    assert visitor.evaluate("fetch('api/workspace').then(r => r.status)") == 403


RLO = "photo\u202egnp.exe"
MARKUP = "<img src=x onerror=document.title='owned'><script>document.title='owned'</script>"


def test_what_users_write_stays_text_and_nothing_is_asked_of_others(
    page: Page, open_page: Open, context: BrowserContext
) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    torch.manual_seed(0)

    def fails(x: Any) -> Any:
        raise ValueError(MARKUP + RLO)

    inputs = (torch.rand(4, 3, 8, 8), torch.randint(0, 9, (4, 5)), torch.rand(4, 3))
    visualizer = open_page(
        title=MARKUP + RLO,
        models=[Reader(), Reader()],
        model_names=[MARKUP, RLO],
        classes=[MARKUP, RLO],
        features=[
            ImageFeature(MARKUP, [lambda x: x * 0]),
            TextFeature(RLO, [lambda x: x * 0], [], lambda ids: [MARKUP, RLO, "a", "b", "c"]),
            GeneralFeature("Facts", [MARKUP, RLO, "third"]),
        ],
        dataset=[Batch(inputs, torch.tensor([0, 1, 0, 1]))],
    )
    detail = page.get_by_role("region", name="Selected sample")
    expect(detail.get_by_text(MARKUP).first).to_be_visible()
    expect(detail.get_by_text("photo\N{REPLACEMENT CHARACTER}gnp.exe").first).to_be_visible()
    for name in ("Copy a link to this view", "Parameters of the method"):
        page.get_by_role("button", name=name).click()
        page.keyboard.press("Escape")
    page.get_by_role("button", name="Choose methods").click()
    page.get_by_role("checkbox", name="Saliency").check()
    page.keyboard.press("Escape")
    page.get_by_role("combobox", name="Attribution method").click()
    page.get_by_role("option", name="Occlusion").click()
    expect(page.get_by_text(re.compile("Occlusion of the output")).first).to_be_visible()
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{place(visualizer)}?sample=1")
    expect(page.get_by_text(MARKUP).first).to_be_visible()
    assert page.title().startswith(MARKUP)
    assert "\u202e" not in page.content()
    assert page.locator("img[src=x]").count() == 0
    assert all(url.startswith((place(visualizer), "data:", "blob:")) for url in asked)
    page.close()
