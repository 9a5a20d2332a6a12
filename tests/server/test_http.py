"""The contract as others see it: its document, its pages, its errors."""

import json
import threading
import urllib.error
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest

import app.web.http
from app.schema import Selection
from app.web.openapi import openapi_document
from app.web.server import THREADS, Server

from ..reaching import reached
from .conftest import Make

FRONTEND = Path(__file__).parents[2] / "frontend"


def test_the_openapi_document_of_the_front_end_is_fresh() -> None:
    kept = (FRONTEND / "src/api/openapi.json").read_text()
    assert kept == openapi_document(), "python -m app.web.openapi > frontend/src/api/openapi.json && npm run generate"


def test_every_answer_and_error_has_a_described_shape() -> None:
    document = json.loads(openapi_document())
    assert len(document["paths"]) == 11
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"], path
            assert operation["responses"]["4XX"]["content"]["application/json"]["schema"]["$ref"].endswith("ApiError")
    for name, schema in document["components"]["schemas"].items():
        assert schema.get("description"), name
        assert "oneOf" in schema or schema["additionalProperties"] is False, name


def test_what_the_notebook_sends_is_described_too() -> None:
    schemas = json.loads(openapi_document())["components"]["schemas"]
    kinds = {name: sorted(schemas[name]["discriminator"]["mapping"]) for name in ("ToKernel", "FromKernel")}
    assert kinds == {"ToKernel": ["abort", "ping", "request", "seen"], "FromKernel": ["pong", "response"]}
    assert set(schemas["Selection"]["properties"]) == set(Selection.model_fields)


def test_answers_are_compressed(make: Make) -> None:
    response = make().app.test_client().get("/api/workspace", headers={"Accept-Encoding": "gzip"})
    assert response.headers["Content-Encoding"] == "gzip"


def test_without_a_built_front_end_the_page_says_so(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.web.http, "STATIC", tmp_path)
    response = make().app.test_client().get("/")
    assert response.status_code == 503
    assert "npm run build" in response.get_json()["hint"]


def test_pages_and_assets_are_served(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "assets/a.js").write_text("1")
    monkeypatch.setattr(app.web.http, "STATIC", tmp_path)
    client = make().app.test_client()
    with client.get("/") as page, client.get("/assets/a.js") as asset:
        assert page.text == "<p>page</p>"
        assert "max-age=31536000" in asset.headers["Cache-Control"]
    assert client.get("/assets/../../secret").status_code == 404


def test_a_served_dashboard_answers_over_http(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    visualizer = make()
    address = visualizer.serve()
    assert f"Attribution Insights is at {address}\n" in capsys.readouterr().out
    with reached(address, "api/workspace") as response:
        assert json.load(response)["task"] == "classification"
    assert visualizer.serve() == visualizer.address == address
    visualizer.close()
    with pytest.raises(urllib.error.URLError):
        reached(address, "api/workspace")


def test_a_second_call_never_pretends_to_serve_elsewhere(make: Make) -> None:
    visualizer = make()
    address = visualizer.serve()
    port, place = urlsplit(address).port or 0, address.partition("?")[0]
    assert visualizer.serve(port=port, host="127.0.0.1") == address
    other = port % 65535 + 1
    for asked, elsewhere in (({"port": other}, f"127.0.0.1:{other}"), ({"bind_all": True}, f"0.0.0.0:{port}")):
        with pytest.raises(app.InsightsError, match=f"served at {place} already, and not at {elsewhere}"):
            visualizer.serve(**asked)


def test_closing_frees_the_index(make: Make) -> None:
    visualizer = make()
    client = visualizer.app.test_client()
    assert client.get("/api/summary?scan_to=10").status_code == 200
    visualizer.close()
    response = client.get("/api/summary")
    assert (response.status_code, response.get_json()["message"]) == (400, "the visualizer is closed")


def test_a_taken_port_is_one_sentence(make: Make) -> None:
    port = urlsplit(make().serve()).port or 0
    with pytest.raises(app.InsightsError, match=f"port {port} on 127.0.0.1 is taken"):
        make().serve(port=port)


def test_requests_that_wait_for_a_thread_say_nothing_on_the_terminal(
    make: Make, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    server = Server(make().app, "127.0.0.1", 0, None)
    dispatcher, gate = server._waitress.task_dispatcher, threading.Event()
    for _ in range(2 * THREADS):
        dispatcher.add_task(SimpleNamespace(service=lambda: gate.wait(5), cancel=lambda: None))
    gate.set()
    server.close()
    assert (caplog.text, capfd.readouterr().err) == ("", "")
