"""Connections as waitress keeps them, so that idle ones stop no answer and every refusal has our shape."""

from __future__ import annotations

from typing import Any

from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from app.schema import ApiError
from app.web.headers import ALWAYS, FILE

try:
    import resource
except ImportError:  # Windows, which does not count sockets among the files
    resource = None  # type: ignore[assignment]

MOST = 500  # connections open at once
CROWDED = 0.8  # of them


def most() -> int:
    """How many connections may be open at once, so that half of the files that the process may open are left to it."""
    if resource is None:
        return MOST
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if allowed == resource.RLIM_INFINITY else min(MOST, allowed // 2)


class Refusal(ErrorTask):  # type: ignore[misc]  # waitress has no types
    """What cannot be read as a request, refused in the shape of every other refusal."""

    def execute(self) -> None:
        """Write the answer."""
        error = self.request.error
        said = ApiError(type=error.reason, message=f"the request was not read: {error.body}", hint="")
        body = said.model_dump_json().encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", "application/json"), *ALWAYS, FILE]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Connection(HTTPChannel):  # type: ignore[misc]
    """A connection; where most that may be open are, it takes the place of the one that was silent longest."""

    error_task_class = Refusal

    def __init__(self, server: Any, *arguments: object, **more: object) -> None:
        super().__init__(server, *arguments, **more)
        others = [each for each in server.active_channels.values() if not each.requests and each is not self]
        if others and len(server.active_channels) > CROWDED * server.adj.connection_limit:
            min(others, key=lambda each: each.last_activity).will_close = True
