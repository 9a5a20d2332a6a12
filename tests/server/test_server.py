"""The bounds of the HTTP server: descriptors, connections, heads and bodies."""

from __future__ import annotations

import errno
import gc
import json
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event, Timer
from urllib.error import URLError
from urllib.parse import urlsplit

import pytest
import torch

from app.features import ImageFeature
from app.visualizer import SERVED
from app.web.connections import CROWDED, Connection, most
from app.web.http import LARGEST_BODY
from app.web.server import LARGEST_HEAD, Server

from ..reaching import reached
from ..waiting import wait_until
from .conftest import Make, colours

resource = pytest.importorskip("resource", reason="descriptors are limited on Unix alone")
TOKEN = "a-token-for-the-tests"


@pytest.fixture
def address(make: Make) -> str:
    return make().serve(token=TOKEN)


def test_what_is_served_needs_no_name_and_is_let_go_when_others_were_served_since() -> None:
    first, *_, last = [colours().serve() for _ in range(SERVED.maxlen or 0)]
    gc.collect()
    assert reached(first, "api/workspace").status == reached(last, "api/workspace").status == 200
    with closing(colours()) as another:
        another.serve()
        gc.collect()
        with pytest.raises(URLError, match="refused"):
            reached(first, "api/workspace")
    for visualizer in list(SERVED):
        visualizer.close()
    assert not SERVED


def test_what_is_being_answered_when_the_server_closes_ends_without_noise(
    make: Make, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, closed = Event(), Event()
    answer = Connection.service

    def too_late(connection: Connection) -> None:
        """As where the server's own pipe closes between an answer and the word that it is there."""
        answer(connection)
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(Connection, "service", too_late)

    def late(x: torch.Tensor) -> torch.Tensor:
        asked.set()
        closed.wait(10)
        return x

    visualizer = make(features=[ImageFeature("Photo", visualization_transform=late)])
    place = urlsplit(visualizer.serve(token=TOKEN))
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        head = f"GET /api/samples HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        assert asked.wait(10)
        Timer(0.3, closed.set).start()
        visualizer.close()
    assert caplog.records == []


@pytest.fixture
def descriptors() -> Iterator[int]:
    """More open files than select() has room for: where the machine allows so many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip(f"this machine allows {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    with ExitStack() as opened:
        while opened.enter_context(Path(os.devnull).open()).fileno() < 1100:
            pass
        yield 1100
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def said(address: str, request: bytes) -> tuple[int, dict[str, str], dict[str, str]]:
    """What is answered to raw bytes: status, headers, JSON."""
    place = urlsplit(address)
    with socket.create_connection((place.hostname, place.port), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in rest), json.loads(body)


def test_more_open_files_than_select_has_room_for(address: str, descriptors: int) -> None:
    for _ in range(3):
        with reached(address, "api/workspace") as answer:
            assert answer.status == 200


def test_idle_connections_stop_no_answer(address: str) -> None:
    place = urlsplit(address)
    with ExitStack() as idle:
        silent = [idle.enter_context(socket.create_connection((place.hostname, place.port))) for _ in range(150)]
        with reached(address, "api/workspace") as answer:
            assert answer.status == 200
        assert all(_is_open(each) for each in silent)


def test_few_descriptors_make_few_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    assert most() == 128


def test_when_most_connections_are_taken_the_longest_silent_one_gives_way(make: Make) -> None:
    with closing(Server(make().app, "127.0.0.1", 0, TOKEN)) as server, ExitStack() as idle:
        server._waitress.adj.connection_limit = 20
        silent = [idle.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(40)]
        for _ in range(3):
            with reached(server.address, "api/workspace") as answer:
                assert answer.status == 200
        wait_until(lambda: not _is_open(silent[0]))
        assert _is_open(silent[-1])
        assert len(server._waitress.active_channels) <= CROWDED * 20 + 1


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_a_large_body_is_refused_before_it_is_read(address: str) -> None:
    head = f"POST /api/attributions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {LARGEST_BODY + 1}\r\n\r\n"
    status, headers, body = said(address, head.encode())
    assert (status, body["type"]) == (413, "Request Entity Too Large")
    assert headers["Content-Type"] == "application/json" and headers["X-Content-Type-Options"] == "nosniff"


def test_so_is_one_that_does_not_tell_its_length(address: str) -> None:
    head = b"POST /api/attributions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = (b"%x\r\n" % (2 * LARGEST_BODY)).ljust(LARGEST_BODY + 1, b"x")
    assert said(address, head + body)[0] == 413


def test_the_largest_body_is_read_and_not_echoed(address: str) -> None:
    body = b"x" * LARGEST_BODY
    head = (
        f"POST /api/attributions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {LARGEST_BODY}\r\n\r\n"
    )
    status, _, refused = said(address, head.encode() + body)
    assert status == 400 and len(json.dumps(refused)) < 1000


def test_the_notebooks_channel_has_the_same_bound(make: Make) -> None:
    client = make().app.test_client()
    answer = client.post("/api/attributions", data=b"x" * (LARGEST_BODY + 1), content_type="application/json")
    assert answer.status_code == 413 and set(answer.get_json()) == {"type", "message", "hint"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"options / HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: abc\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".ljust(LARGEST_HEAD, b"x"), 431),
        (b"GET /?".ljust(LARGEST_HEAD, b"x"), 431),
    ],
    ids=["method", "length", "encoding", "head", "query"],
)
def test_what_is_no_request_is_refused_in_our_shape(address: str, request_: bytes, status: int) -> None:
    given, headers, body = said(address, request_)
    assert given == status
    assert set(body) == {"type", "message", "hint"} and len(body["message"]) < 1000
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
