"""serve() behind a proxy that strips a prefix, as JupyterHub's does."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from werkzeug.middleware.http_proxy import ProxyMiddleware
from werkzeug.serving import make_server

from app import AttributionVisualizer
from app.features import ImageFeature

from .test_states import Means, images


def nothing(environ: Any, start_response: Any) -> list[bytes]:
    start_response("404 Not Found", [])
    return [b"outside of the prefix"]


@pytest.fixture(params=[{}, {"host": None}], ids=["names-us-its-own-way", "names-us-as-the-browser-does"])
def proxied(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a dashboard behind a proxy."""
    visualizer = AttributionVisualizer([Means()], ["red", "green", "blue"], [ImageFeature("Photo", None)], [images()])
    address = urlsplit(visualizer.serve())
    prefix = f"/user/ada/proxy/{address.port}"
    target = f"http://{address.netloc}/"
    stripping = ProxyMiddleware(nothing, {f"{prefix}/": {"target": target, "remove_prefix": True} | request.param})
    server = make_server("127.0.0.1", 0, stripping, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{prefix}/?{address.query}"
    server.shutdown()
    thread.join()
    server.server_close()
    visualizer.close()


def test_everything_is_found_under_a_prefix(page: Page, proxied: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(proxied)
    place = proxied.partition("?")[0]
    expect(page).to_have_url(place)
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()
    page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    expect(page).to_have_url(f"{place}?outcome=incorrect")
    assert all(url.startswith((place, "data:", "blob:")) for url in asked)
    assert [cookie["path"] for cookie in page.context.cookies()] == [urlsplit(place).path.rstrip("/")]  # type: ignore[typeddict-item]
    page.close()
