"""serve() behind a proxy that strips a prefix, as JupyterHub's does."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Thread
from typing import Any

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


@pytest.fixture
def proxied() -> Iterator[str]:
    """The address of a dashboard behind a proxy."""
    visualizer = AttributionVisualizer([Means()], ["red", "green", "blue"], [ImageFeature("Photo", None)], [images()])
    address = visualizer.serve()
    port = address.rstrip("/").rsplit(":", 1)[1]
    prefix = f"/user/ada/proxy/{port}"
    stripping = ProxyMiddleware(nothing, {f"{prefix}/": {"target": address, "remove_prefix": True}})
    server = make_server("127.0.0.1", 0, stripping, threaded=True)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}{prefix}/"
    server.shutdown()
    thread.join()
    server.server_close()
    visualizer.close()


def test_everything_is_found_under_a_prefix(page: Page, proxied: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(proxied)
    expect(page.get_by_role("img", name="Attribution of Photo").first).to_be_visible()
    page.get_by_role("group", name="Outcome").get_by_role("button", name="Incorrect").click()
    expect(page).to_have_url(f"{proxied}?outcome=incorrect")
    assert all(url.startswith((proxied, "data:", "blob:")) for url in asked)
    page.close()
