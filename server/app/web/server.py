"""Serving over HTTP: where to listen, a thread that answers there, and the bounds of what it takes."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Collection
from threading import Thread

from flask_openapi3.openapi import OpenAPI
from waitress.server import create_server
from waitress.wasyncore import close_all

from app.errors import InsightsError
from app.web.connections import Connection, most
from app.web.guard import Guard
from app.web.headers import secured
from app.web.hosts import hosts, is_loopback, outward
from app.web.http import LARGEST_BODY
from app.web.token import Token

THREADS = 16  # a browser holds six connections; an explanation may hold one for a moment
SILENCE = 60  # seconds until a connection without a request is closed
LARGEST_HEAD = 1 << 16  # bytes of a request's first line and headers: a browser sends cookies of every port
REACHABLE = (
    "Every machine that reaches this one can call it. The token in the address is all that keeps others from your "
    "model and data, and http hides nothing from whoever listens on the way: there, use an SSH tunnel or TLS."
)
QUIET = logging.Logger("attribution-insights http", logging.ERROR)
"""Requests that wait for a thread are no news: waitress would warn of each on a user's terminal or in a cell."""

SILENT = logging.Logger("attribution-insights http, closing", logging.CRITICAL + 1)
"""What is being answered while all connections close finds its own gone: nobody waits for it any more."""


def listen(host: str, port: int, *, guarded: bool = True) -> socket.socket:
    """A socket that listens there; `InsightsError` where it cannot, or others could come in without a token."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
    except OSError as error:
        raise _not_listening(host, port, error) from error
    if not guarded and not is_loopback(listening.getsockname()[0]):
        listening.close()
        raise InsightsError(
            f"without a token whoever reaches {host} could read the model's data",
            hint="serve without one on 127.0.0.1 alone, or with one",
        )
    return listening


def _not_listening(host: str, port: int, error: OSError) -> InsightsError:
    if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_AGAIN):
        hint = "use 127.0.0.1 for this machine alone, or 0.0.0.0 for every machine that reaches it"
        return InsightsError(f"{host!r} is no address of this machine", hint=hint)
    why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({os.strerror(error.errno or 0)})"
    return InsightsError(f"port {port} on {host} {why}", hint="choose another, or 0 for a free one")


class Server:
    """An HTTP server on a thread of its own.

    token: what a caller has to bring; None, on the loopback only: nothing.
    """

    def __init__(self, app: OpenAPI, host: str, port: int, token: str | None) -> None:
        self.host, self._token, self._allowed = host, token, set[str]()
        listening = listen(host, port, guarded=token is not None)
        self._bound = str(listening.getsockname()[0])
        self.port = int(listening.getsockname()[1])
        self._guard = Guard(app, token, hosts(self._bound, [host]), self.port)
        self._waitress = create_server(
            secured(self._guard),
            sockets=[listening],
            threads=THREADS,
            ident="attribution-insights",
            asyncore_use_poll=True,  # select() ends for good at the first descriptor beyond 1,023
            connection_limit=most(),
            channel_timeout=SILENCE,
            max_request_header_size=LARGEST_HEAD,
            max_request_body_size=LARGEST_BODY + 1,  # waitress refuses what is as large as this
        )
        self._waitress.channel_class = Connection
        self._waitress.task_dispatcher.queue_logger = QUIET
        self._thread = Thread(target=self._waitress.run, name="attribution-insights http", daemon=True)
        self._thread.start()

    def allow(self, names: Collection[str]) -> None:
        """Answer also who calls this by one of these names, as a proxy does."""
        self._allowed |= set(names)
        self._guard.hosts = hosts(self._bound, [self.host, *self._allowed])

    @property
    def place(self) -> str:
        """Where this is; for messages, which may be logged."""
        return _http({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host), self.port)

    @property
    def address(self) -> str:
        """Where this is, with the token that lets in."""
        return self.place + self._query

    @property
    def _query(self) -> str:
        return "" if self._token is None else f"?token={self._token}"

    def announcement(self) -> list[str]:
        """What a person has to know, line by line: where this is, and what that means where others reach it."""
        lines = [f"Attribution Insights is at {self.address}"]
        if not is_loopback(self._bound):
            lines += [f"from other machines: {_http(outward(self._bound), self.port)}{self._query}", REACHABLE]
        if prefix := os.environ.get("JUPYTERHUB_SERVICE_PREFIX"):
            lines.append(f"behind JupyterHub: {prefix.rstrip('/')}/proxy/{self.port}/{self._query}")
            lines += [] if self._allowed else ['there its name has to be known: serve(allowed_hosts=["NAME"])']
        return lines

    def address_for_once(self) -> str:
        """An address that lets in a single browser."""
        return self.place if self._token is None else f"{self.place}?token={self._guard.ticket()}"

    def refuse_another(self, host: str | None, port: int, token: Token) -> None:
        """Say where this is, to somebody who asks for another place or token; None and 0 ask for none."""
        if token is not None and (token or None) != self._token:
            raise InsightsError(
                f"the dashboard is served at {self.place} already, with another token",
                hint="visualizer.address has it; or close() this visualizer and serve a new one",
            )
        if (host is None or host == self.host) and port in (0, self.port):
            return
        raise InsightsError(
            f"the dashboard is served at {self.place} already, and not at {host or self.host}:{port or self.port}",
            hint="open that address, or close() this visualizer and serve a new one elsewhere",
        )

    def close(self) -> None:
        """Stop answering; a second call does nothing."""
        if self._thread.is_alive():
            self._waitress.task_dispatcher.logger = SILENT
            self._waitress.trigger.pull_trigger(lambda: close_all(self._waitress._map))  # on its own thread
            self._thread.join(timeout=2)
            self._waitress.task_dispatcher.shutdown(timeout=2)


def _http(host: str, port: int) -> str:
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
