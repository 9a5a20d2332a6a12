"""Who may talk to a dashboard, under which name, and what it says of its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, EnvironBuilder, TestResponse, run_wsgi_app

from app import AttributionVisualizer, InsightsError
from app.features import ImageFeature
from app.paths import STATIC
from app.web.guard import OPEN, OPEN_BELOW, Guard
from app.web.headers import secured
from app.web.hosts import hosts

from .conftest import Make, Net, batches

TOKEN = "a-token-for-the-tests"
HERE = "127.0.0.1:8000"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ASSETS = sorted(str(path.relative_to(STATIC)) for path in STATIC.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def app() -> Iterator[OpenAPI]:
    features = [ImageFeature("Photo", None)]
    visualizer = AttributionVisualizer([Net()], ["red", "green", "blue"], features, batches())
    yield visualizer.app
    visualizer.close()


def client(app: OpenAPI, token: str | None = TOKEN, bound: str = "127.0.0.1", named: tuple[str, ...] = ()) -> Client:
    """A browser that keeps cookies."""
    return Client(secured(Guard(app, token, hosts(bound, named), 8000)))


def ask(client: Client, path: str = "/api/workspace", host: str = HERE, **more: Any) -> TestResponse:
    more["headers"] = {"Host": host} | more.get("headers", {})
    return client.open(path, base_url=f"http://{HERE}", buffered=True, **more)


def entered(client: Client) -> Client:
    assert ask(client, f"/?token={TOKEN}").status_code == 303
    return client


OWN = {"Sec-Fetch-Site": "same-origin"}


def test_every_route_asks_for_the_token_but_those_of_the_front_end(app: OpenAPI) -> None:
    asked = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?\w+>", "1", rule.rule)
        for method in rule.methods or ():
            response = ask(client(app), path, method=method)
            if (path, method) in (("/", "GET"), ("/", "HEAD")):
                assert response.status_code == 200
                continue
            assert response.status_code == 403, (path, method)
            assert method == "HEAD" or set(response.json or ()) == {"type", "message", "hint"}
            asked.append(path)
    assert {"/api/workspace", "/api/attributions", "/api/samples/1/media/1", "/openapi.json"} <= set(asked)


def test_the_front_end_needs_no_token_and_tells_nothing(app: OpenAPI) -> None:
    assert len(ASSETS) > 3
    for name in ASSETS:
        assert ask(client(app), f"/{name.removesuffix('index.html')}").status_code == 200, name
    for path in ("/assets/../api/workspace", "/assets//../../api/workspace", "//api/workspace", "/API/workspace"):
        assert ask(client(app), path).status_code in (403, 404), path


def test_without_the_token_a_sentence_says_how_to_come_in(app: OpenAPI) -> None:
    answer = ask(client(app))
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "WWW-Authenticate" not in ask(client(app), headers=BEARER | {"Sec-Fetch-Site": "cross-site"}).headers
    refused = answer.json
    assert refused and refused["type"] == "No token"
    assert "?token=" in refused["hint"] and "visualizer.address" in refused["hint"] and "Bearer" in refused["hint"]


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "token", "Token"])
def test_a_script_brings_the_token_in_a_header(app: OpenAPI, scheme: str) -> None:
    assert ask(client(app), headers={"Authorization": f"{scheme} {TOKEN}"}).status_code == 200


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", TOKEN, "Bearer é"]
)
def test_another_header_is_no_token(app: OpenAPI, header: str) -> None:
    assert ask(client(app), headers={"Authorization": header}).status_code == 403


def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(app: OpenAPI) -> None:
    browser = client(app)
    response = ask(browser, f"/?sample=3&token={TOKEN}&args=%7B%22a%22:1%7D&x=%2C,+")
    assert response.status_code == 303
    assert response.headers["Location"] == "./?sample=3&args=%7B%22a%22:1%7D&x=%2C,+"
    cookie = response.headers["Set-Cookie"]
    assert cookie.startswith("attribution-insights-8000=") and TOKEN not in cookie
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path" not in cookie
    assert response.headers["Cache-Control"] == "no-store"
    assert ask(browser, headers=OWN).status_code == 200
    assert ask(browser, "/").status_code == 200


def test_however_the_token_is_spelt_it_leaves_the_address(app: OpenAPI) -> None:
    assert ask(client(app), f"/?%74oken={TOKEN}").headers["Location"] == "./"


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", "%C3%A9%00", "%ED%A0%80", "a" * 5000])
def test_a_wrong_token_gets_the_page_and_no_cookie(app: OpenAPI, given: str) -> None:
    browser = client(app)
    response = ask(browser, f"/?token={given}")
    assert (response.status_code, "Set-Cookie" in response.headers) == (200, False)
    assert ask(browser, headers=OWN).status_code == 403


def test_the_token_counts_nowhere_but_at_the_door(app: OpenAPI) -> None:
    assert ask(client(app), f"/api/workspace?token={TOKEN}").status_code == 403
    assert ask(client(app), f"/?token={TOKEN}", method="POST").status_code == 403


def test_a_cookie_of_another_start_or_port_is_none(app: OpenAPI) -> None:
    bare = Client(secured(Guard(app, TOKEN, hosts("127.0.0.1", ()), 8000)), use_cookies=False)
    elsewhere = Client(secured(Guard(app, "another-token-of-ours", hosts("127.0.0.1", ()), 8000)))
    cookie = ask(elsewhere, "/?token=another-token-of-ours").headers["Set-Cookie"].partition(";")[0]
    assert ask(bare, headers=OWN | {"Cookie": cookie}).status_code == 403
    mine = ask(bare, f"/?token={TOKEN}").headers["Set-Cookie"].partition(";")[0]
    assert ask(bare, headers=OWN | {"Cookie": f"{cookie}; {mine}; other=1"}).status_code == 200


def test_a_ticket_lets_in_once(app: OpenAPI) -> None:
    guard = Guard(app, TOKEN, hosts("127.0.0.1", ()), 8000)
    ticket = guard.ticket()
    assert ask(Client(guard), f"/?token={ticket}", method="GET").status_code == 303
    assert ask(Client(secured(guard)), f"/?token={ticket}").status_code == 200
    assert ask(Client(guard), headers={"Authorization": f"Bearer {guard.ticket()}"}).status_code == 403


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "localhost:9",
        "LOCALHOST:8000",
        "a.localhost",
        "127.0.0.1",
        "127.1.2.3:1",
        "[::1]:8000",
        "localhost.",
    ],
)
def test_the_loopback_has_many_names(app: OpenAPI, host: str) -> None:
    assert ask(client(app), host=host, headers=BEARER).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8000",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.168.1.5",
        "0.0.0.0:8000",
        "[::]",
        "evil@localhost",
        "localhost@evil.example",
        "localhost/evil.example",
        "localhost, evil.example",
        "2130706433",
        "é",
        "",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/workspace", "/icon.svg"])
def test_no_other_name_is_answered(app: OpenAPI, host: str, path: str) -> None:
    refused = ask(client(app), path, host=host, headers=BEARER)
    assert refused.status_code == 403
    assert refused.json and "--allow-host" in refused.json["hint"]
    assert ask(client(app, token=None), path, host=host).status_code == 403


def test_a_page_says_that_a_name_is_unknown_as_text(app: OpenAPI) -> None:
    page = ask(client(app), "/", host="<b>evil</b>", headers={"Accept": "text/html,*/*"})
    assert page.status_code == 403 and page.mimetype == "text/html"
    assert "<code>&lt;b&gt;evil&lt;/b&gt;</code>" in page.text and "<b>" not in page.text
    nonce = re.search(r'<style nonce="(.+)">', page.text)
    assert nonce and f"'nonce-{nonce[1]}'" in page.headers["Content-Security-Policy"]


def test_a_name_that_was_allowed_is_known(app: OpenAPI) -> None:
    allowed = client(app, named=("hub.example.org",))
    assert ask(allowed, host="Hub.Example.org:443", headers=BEARER).status_code == 200
    assert ask(allowed, host="example.org", headers=BEARER).status_code == 403


def test_where_others_reach_it_every_address_is_known_but_no_other_name(app: OpenAPI) -> None:
    open_to_all = client(app, bound="0.0.0.0", named=("0.0.0.0",))
    for host in ("192.168.1.5:8000", "10.0.0.1", "[fe80::1]", "localhost", "0.0.0.0"):
        assert ask(open_to_all, host=host, headers=BEARER).status_code == 200, host
        assert ask(open_to_all, host=host).status_code == 403, host
    assert ask(open_to_all, host="evil.example", headers=BEARER).status_code == 403


OTHERS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},  # another port of this machine
    {"Sec-Fetch-Site": ""},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8000"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:8001"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "null"},
    {"Origin": "http://[::1"},
    {"Referer": "http://127.0.0.1:3000/page"},
    {"Referer": "http://127.0.0.1:8000@evil.example/"},
    {},  # a browser that says nothing of who asks
]


@pytest.mark.parametrize("headers", OTHERS, ids=str)
@pytest.mark.parametrize("path", ["/api/samples?scan_to=9", "/api/samples/0/media/0"])
def test_another_page_gets_nothing_with_the_cookie(app: OpenAPI, path: str, headers: dict[str, str]) -> None:
    refused = ask(entered(client(app)), path, headers=headers)
    assert refused.status_code == 403 and (refused.json or {})["type"] == "Another page"
    assert not any(name.lower().startswith("access-control") for name, _ in refused.headers)


@pytest.mark.parametrize("headers", OTHERS[:-1], ids=str)
def test_nor_where_no_token_is_needed(app: OpenAPI, headers: dict[str, str]) -> None:
    assert ask(client(app, token=None), headers=headers).status_code == 403
    assert ask(client(app, token=None)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        OWN,
        {"Sec-Fetch-Site": "none"},  # typed by the person
        {"Origin": "http://127.0.0.1:8000"},
        {"Referer": "http://127.0.0.1:8000/?sample=3"},
        {"Origin": "https://hub.example.org"},  # a proxy gave us its own name for us
    ],
    ids=str,
)
def test_our_own_page_does(app: OpenAPI, headers: dict[str, str]) -> None:
    assert ask(entered(client(app, named=("hub.example.org",))), headers=headers).status_code == 200


def test_a_method_that_is_not_there_is_told_so_and_not_asked_for_json(app: OpenAPI) -> None:
    refused = ask(client(app), "/api/summary", method="TRACE", headers=BEARER)
    assert refused.status_code == 405
    assert set(refused.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert ask(client(app), "/api/summary", method="OPTIONS", headers=BEARER).status_code == 200


def test_what_computes_takes_json_alone(app: OpenAPI) -> None:
    question = '{"sample": 0, "method": "Saliency"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        refused = ask(client(app), "/api/attributions", method="POST", data=question, content_type=kind, headers=BEARER)
        assert refused.status_code == 415, kind
    taken = ask(
        client(app),
        "/api/attributions",
        method="POST",
        data=question,
        content_type="application/json; charset=utf-8",
        headers=BEARER,
    )
    assert taken.status_code == 200


LATIN = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)
HEADERS = ("HTTP_HOST", "HTTP_COOKIE", "HTTP_AUTHORIZATION", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_SEC_FETCH_SITE")
SEEDS = {
    "HTTP_HOST": st.sampled_from([HERE, "localhost", "[::1]", "[::1", "a:b:c"]),
    "HTTP_COOKIE": st.sampled_from(["attribution-insights-8000=", "attribution-insights-8000=é", "=;=", 'a="\\']),
    "HTTP_AUTHORIZATION": st.sampled_from(["Bearer", "token  x", "Basic ÿ", "Bearer \x00"]),
    "HTTP_ORIGIN": st.sampled_from(["http://[", "null", "//", "http://127.0.0.1:8000"]),
    "HTTP_REFERER": st.sampled_from(["http://[x]/", "http://a:99999999/", "ftp://127.0.0.1:8000/"]),
    "HTTP_SEC_FETCH_SITE": st.sampled_from(["same-origin", "none"]),
}


@settings(max_examples=400, deadline=None)
@given(
    headers=st.fixed_dictionaries({}, optional={name: LATIN | SEEDS[name] for name in HEADERS}),
    path=LATIN.map(lambda text: f"/{text}") | st.sampled_from(["/", "/api/workspace", "/assets/../api/workspace"]),
    query=LATIN | LATIN.map(lambda text: f"token={text}"),
    method=st.sampled_from(["GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "TRACE", "FOO"]),
)
def test_whatever_comes_nothing_gets_past_without_the_token(
    headers: dict[str, str], path: str, query: str, method: str
) -> None:
    passed: list[str] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        passed.append(environ["PATH_INFO"])
        start_response("200 OK", [])
        return []

    environ = EnvironBuilder(method=method).get_environ()
    environ |= {"PATH_INFO": path, "QUERY_STRING": query} | headers
    _, status, _ = run_wsgi_app(secured(Guard(app, TOKEN, hosts("127.0.0.1", ()), 8000)), environ, buffered=True)
    assert status.startswith(("403", "400")) or (method in ("GET", "HEAD") and passed == [path])
    assert all(place in OPEN or place.startswith(OPEN_BELOW) for place in passed)


def test_an_address_that_is_none_is_refused(app: OpenAPI) -> None:
    """Flask cannot read it, and would fail."""
    environ = EnvironBuilder("/api/samples", headers=BEARER).get_environ() | {"QUERY_STRING": "\x80"}
    _, status, _ = run_wsgi_app(client(app).application, environ, buffered=True)
    assert status == "400 BAD REQUEST"


def test_nobody_is_told_that_another_origin_may_ask(app: OpenAPI) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    response = ask(client(app, token=None), "/api/attributions", method="OPTIONS", headers=asked)
    assert response.status_code == 403
    assert not any(name.lower().startswith("access-control") for name, _ in response.headers)


@pytest.mark.parametrize("path", ["/", "/api/workspace", "/api/samples/0/media/0", "/icon.svg", "/none", "/api/none"])
@pytest.mark.parametrize("headers", [BEARER, {}], ids=["with", "without"])
def test_every_answer_is_secured(app: OpenAPI, path: str, headers: dict[str, str]) -> None:
    given = ask(client(app), path, headers=headers).headers
    assert given["X-Content-Type-Options"] == "nosniff"
    assert given["Referrer-Policy"] == "same-origin"
    assert given["Cross-Origin-Resource-Policy"] == given["Cross-Origin-Opener-Policy"] == "same-origin"
    policy = given["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy


def test_each_page_lets_in_its_own_styles_alone(app: OpenAPI) -> None:
    browser, nonces = client(app), set()
    for _ in range(2):
        page = ask(browser, "/")
        found = re.search(r"style-src 'self' 'nonce-([\w-]{20,})'", page.headers["Content-Security-Policy"])
        assert found and f'nonce="{found[1]}"' in page.text and "CSP_NONCE" not in page.text
        assert page.headers["Cache-Control"] == "no-store"
        nonces.add(found[1])
    assert len(nonces) == 2


@pytest.mark.parametrize(
    ("token", "said"),
    [
        ("", "is empty"),
        ("short", "has 5 characters: it could be guessed"),
        ("with a space in it", "characters that an address does not carry"),
        ("schlüsselchen-und-mehr", "characters that an address does not carry"),
        ("new-line-at-the-end\n", "characters that an address does not carry"),
        ("a&b=c#d?e%20f/ghijkl", "characters that an address does not carry"),
        ("x" * 513, "too many"),
        (True, "the token is True, not text"),
        (1234567890123456, "of type int"),
        (b"0123456789abcdef", "of type bytes"),
    ],
)
def test_odd_tokens_are_refused_in_a_sentence(make: Make, token: Any, said: str) -> None:
    with pytest.raises(InsightsError, match=re.escape(said)) as refused:
        make().serve(token=token)
    assert not isinstance(token, str) or not token or token not in str(refused.value)


def test_the_token_of_the_environment_is_used_and_checked(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATTRIBUTION_INSIGHTS_TOKEN", "of-the-environment")
    assert make().serve().endswith("/?token=of-the-environment")
    assert make().serve(token="given-and-therefore-first").endswith("/?token=given-and-therefore-first")
    assert "token" not in make().serve(token=False)
    monkeypatch.setenv("ATTRIBUTION_INSIGHTS_TOKEN", "")
    with pytest.raises(InsightsError, match="the token in ATTRIBUTION_INSIGHTS_TOKEN is empty"):
        make().serve()


def test_random_tokens_differ(make: Make) -> None:
    one, two = make().serve().partition("token=")[2], make().serve().partition("token=")[2]
    assert one != two and len(one) >= 43


@pytest.mark.parametrize("place", [{"host": "0.0.0.0"}, {"bind_all": True}])
def test_without_a_token_nobody_else_may_reach_it(make: Make, place: dict[str, Any]) -> None:
    with pytest.raises(InsightsError, match=r"without a token whoever reaches 0\.0\.0\.0 could"):
        make().serve(token=False, **place)


@pytest.mark.parametrize("name", ["http://hub.example.org", "hub.example.org:8000", "hub/x", "*", "", "a b", 5])
def test_odd_host_names_are_refused_in_a_sentence(make: Make, name: Any) -> None:
    with pytest.raises(InsightsError, match="cannot be an allowed host"):
        make().serve(allowed_hosts=[name])


def test_a_single_name_is_no_list_of_letters(make: Make) -> None:
    visualizer = make()
    visualizer.serve(allowed_hosts="hub.example.org")
    assert visualizer._server and "hub.example.org" in visualizer._server._allowed
    assert ask(Client(visualizer._server._guard), "/icon.svg", host="h").status_code == 403


def test_a_second_call_allows_further_names(make: Make) -> None:
    visualizer = make()
    visualizer.serve(allowed_hosts=["one.example"])
    visualizer.serve(allowed_hosts=["two.example"])
    assert visualizer._server
    for name, status in (("one.example", 200), ("two.example", 200), ("localhost", 200), ("three.example", 403)):
        assert ask(Client(visualizer._server._guard), "/icon.svg", host=name).status_code == status


def test_jupyterhub_says_by_which_name_it_is_known(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://hub.example.org/user/ada/")
    visualizer = make()
    visualizer.serve()
    assert visualizer._server
    guard = visualizer._server._guard
    assert ask(Client(guard), "/icon.svg", host="hub.example.org").status_code == 200


def test_a_second_call_asks_for_no_other_token(make: Make) -> None:
    visualizer = make()
    with pytest.raises(InsightsError, match=r"not served.*call serve\(\)"):
        _ = visualizer.address
    address = visualizer.serve(token=TOKEN)
    assert visualizer.serve() == visualizer.serve(token=TOKEN) == address
    for other in ("another-token-of-ours", False):
        with pytest.raises(InsightsError, match="with another token") as refused:
            visualizer.serve(token=other)  # type: ignore[arg-type]
        assert TOKEN not in str(refused.value)


def test_what_others_can_reach_is_said(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    address = make().serve(host="0.0.0.0", token=TOKEN)
    said = capsys.readouterr().out
    assert re.fullmatch(rf"http://127\.0\.0\.1:\d+/\?token={TOKEN}", address)
    assert re.search(rf"from other machines: http://(?!127|0\.0)\S+:\d+/\?token={TOKEN}\n", said)
    assert "The token in the address is all that keeps others from" in said and "http hides nothing" in said
    make().serve()
    assert "other machines" not in capsys.readouterr().out


def test_the_browser_is_opened_with_a_ticket(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    visualizer = make()
    address = visualizer.serve(open_browser=True, token=TOKEN)
    assert opened[0].partition("token=")[0] == address.partition("token=")[0]
    assert TOKEN not in opened[0]


def test_the_token_is_in_no_log(
    make: Make, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level("DEBUG")
    visualizer = make()
    visualizer.app.add_url_rule("/api/broken", view_func=lambda: 1 / 0)
    guarded = Client(Guard(visualizer.app, TOKEN, hosts("127.0.0.1", ()), 8000))
    assert ask(guarded, f"/api/broken?token={TOKEN}", headers=BEARER).status_code == 500
    assert "/api/broken failed" in caplog.text
    assert TOKEN not in caplog.text + "".join(capfd.readouterr())
