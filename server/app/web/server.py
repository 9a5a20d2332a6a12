"""Serving over HTTP: where to listen, and a thread that answers there."""

from __future__ import annotations

import errno
import logging
import os
import socket
from threading import Thread

from flask_openapi3.openapi import OpenAPI
from waitress.server import create_server
from waitress.wasyncore import close_all

from app.errors import InsightsError

THREADS = 16  # a browser holds six connections; an explanation may hold one for a moment
QUIET = logging.Logger("attribution-insights http", logging.ERROR)
"""Requests that wait for a thread are no news: waitress would warn of each on a user's terminal or in a cell."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; `InsightsError` where it cannot."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise _not_listening(host, port, error) from error


def _not_listening(host: str, port: int, error: OSError) -> InsightsError:
    if error.errno in (errno.EADDRNOTAVAIL, socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_AGAIN):
        hint = "use 127.0.0.1 for this machine alone, or 0.0.0.0 for every machine that reaches it"
        return InsightsError(f"{host!r} is no address of this machine", hint=hint)
    why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({os.strerror(error.errno or 0)})"
    return InsightsError(f"port {port} on {host} {why}", hint="choose another, or 0 for a free one")


class Server:
    """An HTTP server on a thread of its own."""

    def __init__(self, app: OpenAPI, host: str, port: int) -> None:
        self.host = host
        listening = listen(host, port)
        self._waitress = create_server(app, sockets=[listening], threads=THREADS, ident="attribution-insights")
        self._waitress.task_dispatcher.queue_logger = QUIET
        shown = "127.0.0.1" if host in ("0.0.0.0", "::") else host
        shown = f"[{shown}]" if ":" in shown else shown
        self.port = int(listening.getsockname()[1])
        self.address = f"http://{shown}:{self.port}/"
        self._thread = Thread(target=self._waitress.run, name="attribution-insights http", daemon=True)
        self._thread.start()

    def refuse_another(self, host: str | None, port: int) -> None:
        """Say where this is, to somebody who asks for another place; None and 0 ask for none."""
        if (host is None or host == self.host) and port in (0, self.port):
            return
        raise InsightsError(
            f"the dashboard is served at {self.address} already, and not at {host or self.host}:{port or self.port}",
            hint="open that address, or close() this visualizer and serve a new one elsewhere",
        )

    def close(self) -> None:
        """Stop answering; a second call does nothing."""
        if self._thread.is_alive():
            self._waitress.trigger.pull_trigger(lambda: close_all(self._waitress._map))  # on its own thread
            self._thread.join(timeout=2)
            self._waitress.task_dispatcher.shutdown(timeout=2)
