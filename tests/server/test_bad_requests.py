"""Requests that nobody means: each is refused in the one shape of errors, with the status that fits."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from torch import Tensor

from app.data.features import GeneralFeature, ImageFeature, Words
from app.web.refusals import LONGEST_ECHO

from .conftest import Make, Net, colours, explained, get, scanned

HUGE = "9" * 40  # beyond what a database, or a JavaScript number, holds
ENDLESS = "9" * 5000  # beyond what Python reads as a number


@pytest.fixture(scope="module")
def client() -> Iterator[FlaskClient]:
    """One workspace for all: nothing that is refused changes it."""
    visualizer = colours()
    get(visualizer, "/api/samples", scan_to=12)
    scanned(visualizer)
    yield visualizer.app.test_client()
    visualizer.close()


def refusal(response: Any, status: int) -> dict[str, str]:
    """The error in an answer, which has to be one."""
    assert response.status_code == status, response.text[:300]
    assert response.mimetype == "application/json"
    error: dict[str, str] = json.loads(response.data)
    assert set(error) == {"type", "message", "hint"}
    assert error["message"]
    assert error["hint"]
    return error


def cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api", 404),
        ("/api/", 404),
        ("/api/nothing", 404),
        ("/api/workspace/", 404),
        ("/api/samples/abc", 404),
        ("/api/samples/-1", 404),
        (f"/api/samples/{HUGE}", 422),
        (f"/api/samples/{ENDLESS}", 404),
        (f"/api/samples/0/media/{HUGE}", 422),
        (f"/api/attributions/{'x' * 3000}", 422),
        ("/api/attributions/%ff%fe", 404),
        ("/api/attributions/x?first=maybe", 422),
        (f"/api/attributions/x?client={'x' * 65}", 422),
        (f"/api/attributions/x/maps/0/{ENDLESS}", 422),
        (f"/api/attributions/x/maps/{HUGE}/sum", 422),
        ("/api/samples?limit=0", 422),
        (f"/api/samples?limit={HUGE}", 422),
        (f"/api/samples?limit={ENDLESS}", 422),
        (f"/api/samples?model={HUGE}", 422),
        (f"/api/samples?scan_to={HUGE}", 422),
        (f"/api/samples?predicted={HUGE}", 422),
        (f"/api/samples?predicted=-{HUGE}", 422),
        (f"/api/samples?actual={HUGE}", 422),
        (f"/api/summary?actual=1&actual={HUGE}", 422),
        ("/api/samples?" + "&".join(1001 * ["predicted=1"]), 422),
        ("/api/samples?limit=1&limit=2", 422),
        ("/api/samples?nonsense=1", 422),
        ("/api/samples?%ff=1", 422),
        ("/api/samples?outcome=%00", 422),
        ("/api/samples?limit=NaN", 422),
    ],
)
def test_a_bad_address_is_refused(client: FlaskClient, method: str, path: str, status: int) -> None:
    response = client.open(path, method=method)
    if method == "HEAD":
        assert (response.status_code, response.data) == (status, b"")
    else:
        assert len(refusal(response, status)["message"]) < 2 * LONGEST_ECHO


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "text",
    [
        *("null", "3", "true", '"x"', "[]", "{}", '["index"]', '["index",null]', '["index","a"]', '["index",true]'),
        *('["index",[1]]', '["index",0,1]', "[null]", '[["index"],1]', '[{"a":1},1]', '["index",NaN]'),
        *('["index",1e999]', f'["index",{HUGE}]', '["confident",0,1]', "[" * 80 + "]" * 80),
    ],
)
def test_a_cursor_of_anything_else_is_refused(client: FlaskClient, method: str, text: str) -> None:
    response = client.open(f"/api/samples?cursor={cursor(text)}", method=method)
    assert response.status_code == 422
    if method == "GET":
        assert "cursor" in refusal(response, 422)["message"]


@pytest.mark.parametrize("given", ["%ff", "A", "====", "A" * 10_000, cursor("[" * 3000)])
def test_a_cursor_that_is_none_is_refused(client: FlaskClient, given: str) -> None:
    assert "cursor" in refusal(client.get(f"/api/samples?cursor={given}"), 422)["message"]


def test_an_empty_cursor_is_none(client: FlaskClient) -> None:
    assert client.get("/api/samples?cursor=").get_json() == client.get("/api/samples").get_json()


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/api/workspace", {"GET", "HEAD", "OPTIONS"}),
        ("DELETE", "/api/samples/0", {"GET", "HEAD", "OPTIONS"}),
        ("GET", "/api/attributions", {"POST", "OPTIONS"}),
        ("HEAD", "/api/attributions", {"POST", "OPTIONS"}),
        ("PUT", "/api/attributions/x", {"GET", "HEAD", "DELETE", "OPTIONS"}),
        ("TRACE", "/api/summary", {"GET", "HEAD", "OPTIONS"}),
        ("NONSENSE", "/api/summary", {"GET", "HEAD", "OPTIONS"}),
        ("POST", "/", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_method_that_is_not_there_is_told_those_that_are(
    client: FlaskClient, method: str, path: str, allowed: set[str]
) -> None:
    response = client.open(path, method=method)
    assert response.status_code == 405
    assert set(response.headers["Allow"].split(", ")) == allowed
    if method != "HEAD":
        assert "POST" in refusal(response, 405)["hint"] or "GET" in refusal(response, 405)["hint"]


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_what_is_not_there_is_not_found_by_any_method(client: FlaskClient, method: str) -> None:
    refusal(client.open("/api/nothing", method=method), 404)


def test_methods_in_odd_case_are_those_in_capitals(client: FlaskClient) -> None:
    assert client.open("/api/workspace", method="get").get_json() == client.get("/api/workspace").get_json()
    assert client.open("/api/workspace", method="options").headers["Allow"]


def asking(method: str, argument: str, value: str) -> str:
    return f'{{"sample":0,"method":"{method}","arguments":{{"{argument}":{value}}}}}'


QUESTION = '{"sample":0,"method":"Saliency"%s}'


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ("", 400, "JSON"),
        ("{", 400, "JSON"),
        ("\x00", 400, "JSON"),
        ("\xff", 400, "JSON"),
        ("[" * 3000 + "]" * 3000, 400, "JSON"),
        ('{"a":' * 3000 + "1" + "}" * 3000, 400, "JSON"),
        (QUESTION % ',"arguments":{"abs":NaN}', 400, "JSON"),
        (QUESTION % ',"x":"\\ud800"', 400, "JSON"),
        (QUESTION % ',"\\ud800":1', 400, "JSON"),
        (QUESTION % f',"target":{ENDLESS}', 400, "JSON"),
        ("null", 422, "object"),
        ("3", 422, "object"),
        ("[]", 422, "object"),
        ('"x"', 422, "object"),
        ('"{\\"sample\\":0,\\"method\\":\\"Saliency\\"}"', 422, "object"),
        ("{}", 422, "sample"),
        ('{"sample":"0","method":"Saliency"}', 422, "sample"),
        ('{"sample":true,"method":"Saliency"}', 422, "sample"),
        (f'{{"sample":{HUGE},"method":"Saliency"}}', 422, "sample"),
        ('{"sample":0,"method":"%s"}' % ("x" * 100_000), 422, "method"),
        ('{"sample":0,"method":"\\u0000"}', 422, "method"),
        (QUESTION % f',"target":{HUGE}', 422, "target"),
        (QUESTION % ',"target":-1', 422, "target"),
        (QUESTION % f',"model":{HUGE}', 422, "model"),
        (QUESTION % f',"baseline":{HUGE}', 422, "baseline"),
        (QUESTION % ',"baseline":"median"', 422, "baseline"),
        (QUESTION % (',"%s":1' % ("k" * 100_000)), 422, "kkk"),
        (QUESTION % ',"arguments":{"n_steps":5}', 422, "n_steps"),
        (QUESTION % (',"arguments":{"%s":5}' % ("k" * 100_000)), 422, "arguments"),
        (QUESTION % (',"arguments":{"abs":"%s"}' % ("x" * 100_000)), 422, "arguments"),
        (QUESTION % f',"arguments":{json.dumps(dict.fromkeys(map(str, range(1000))))}', 422, "arguments"),
        (asking("IntegratedGradients", "n_steps", HUGE), 422, "n_steps"),
        (asking("IntegratedGradients", "n_steps", "9" * 15), 422, "n_steps"),
        (asking("IntegratedGradients", "tolerance", "1e999"), 422, "tolerance"),
        (asking("Occlusion", "window", HUGE), 422, "window"),
        (asking("Occlusion", "stride", "9" * 15), 422, "stride"),
        (asking("FeatureAblation", "patch", "9" * 15), 422, "patch"),
    ],
)
def test_a_bad_question_is_refused(client: FlaskClient, body: str, status: int, says: str) -> None:
    response = client.post("/api/attributions", data=body.encode("latin1"), content_type="application/json")
    error = refusal(response, status)
    assert says in error["message"]
    assert len(error["message"]) < 3 * LONGEST_ECHO


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_question_that_is_not_said_to_be_json_is_not_read(client: FlaskClient, kind: str | None) -> None:
    response = client.post("/api/attributions", data=QUESTION % "", content_type=kind)
    assert "application/json" in refusal(response, 415)["hint"]


def test_a_body_that_is_far_too_long_is_not_read(client: FlaskClient) -> None:
    body = QUESTION % f',"x":"{"x" * 2_000_000}"'
    response = client.post("/api/attributions", data=body, content_type="application/json")
    assert len(refusal(response, 413)["message"]) < 2 * LONGEST_ECHO


def test_the_hint_of_a_refusal_leads_to_the_document(client: FlaskClient) -> None:
    hint = refusal(client.get("/api/samples?limit=0"), 422)["hint"]
    assert client.get(hint.split()[-1]).get_json()["openapi"].startswith("3.1")


@pytest.mark.parametrize(
    "path",
    [
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fschema.py",
        "/..%5c..%5cschema.py",
        "/static/../schema.py",
        "/%2fetc%2fpasswd",
        "/assets//etc/passwd",
        "/%00",
        "/index.html%00.js",
        "/" + "a/" * 2000,
        "/" + "a" * 5000,
    ],
)
def test_no_address_reaches_another_file(client: FlaskClient, path: str) -> None:
    response = client.get(path, follow_redirects=True)
    refusal(response, 404)
    assert "root:" not in response.text


class Hostile(Net):
    """A model that fails with a text no JSON can carry, and far too much of it."""

    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("half \ud800 turned \u202egnp " + "x" * 1_000_000)


BROKEN = "a\ud800 \u202egnp.exe"
SHOWN = "a\ufffd \ufffdgnp.exe"


def test_text_that_no_json_can_carry_is_shown_as_such(make: Make) -> None:
    visualizer = make(title=BROKEN, classes=[BROKEN, "b", "c"], features=[ImageFeature(BROKEN)], model_names=[BROKEN])
    scanned(visualizer)
    workspace = get(visualizer, "/api/workspace")
    assert [workspace["title"], workspace["classes"][0]] == [SHOWN, SHOWN]
    assert [workspace["models"][0]["name"], workspace["features"][0]["name"]] == [SHOWN, SHOWN]
    assert get(visualizer, "/api/samples/0")["inputs"][0]["name"] == SHOWN
    assert get(visualizer, "/api/summary")["classes"][0]["name"] == SHOWN
    answer = explained(visualizer, target=0)["attribution"]
    assert (answer["target"]["name"], answer["inputs"][0]["name"]) == (SHOWN, SHOWN)


def test_tokens_and_columns_that_no_json_can_carry_are_shown_as_such(make: Make) -> None:
    class Spoken(ImageFeature):
        kind = "text"

        def show(self, data: Tensor) -> Words:
            return Words([BROKEN] * 8)

    facts = GeneralFeature("Facts", [f"{BROKEN} {n}" for n in range(8)], visualization_transform=lambda x: x[:, 0, 0])
    for feature, field in ((Spoken("Words"), "tokens"), (facts, "categories")):
        shown = get(make(features=[feature]), "/api/samples/0")["inputs"][0][field]
        assert shown[0].startswith(SHOWN)


def test_errors_that_no_json_can_carry_are_cut_and_shown(make: Make) -> None:
    visualizer = make(models=[Hostile()])
    scanned(visualizer)
    for error in (get(visualizer, "/api/samples/0")["error"], explained(visualizer)["error"]):
        assert error["message"].startswith("half ")
        assert "\u202e" not in error["message"]
        assert len(error["message"]) < 5000


def test_a_fault_of_our_own_is_an_error_in_the_same_shape(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    visualizer = make()

    def broken() -> None:
        raise ZeroDivisionError("\ud800" + "x" * 100_000)

    monkeypatch.setattr(visualizer.service, "workspace", broken)
    with caplog.at_level(logging.CRITICAL):
        response = visualizer.app.test_client().get("/api/workspace")
    assert response.status_code == 500
    assert response.get_json()["type"] == "ZeroDivisionError"
    assert len(response.data) < 20_000
