"""The dashboard inside a notebook: the same requests over the widget's own channel, answered by the same app."""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import anywidget
import traitlets
from flask_openapi3.openapi import OpenAPI
from werkzeug.test import EnvironBuilder, run_wsgi_app

from app.paths import STATIC
from app.schema import ToKernel, WidgetAbort, WidgetPing, WidgetPong, WidgetRequest, WidgetResponse, WidgetSeen

log = logging.getLogger(__name__)

THREADS = 6  # requests of one dashboard answered at once, as a browser would send them
NOT_BUILT = "export default { render({ el }) { el.textContent = 'The front end has not been built.' } }"
MODULE = STATIC / "widget.js"


class DashboardWidget(anywidget.AnyWidget):
    """A dashboard below a cell.

    view: what is filtered and selected, as the query string of the dashboard's address; may be set.
    selected: the samples, model, class, method and arguments on the screen; observe it to follow the person.
    height: of the view, in CSS pixels.
    """

    # The text and not the path: a file's watchers would keep every widget alive.
    _esm = traitlets.Unicode(MODULE.read_text("utf-8") if MODULE.exists() else NOT_BUILT).tag(sync=True)
    view = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Dict().tag(sync=True)
    snapshot = traitlets.Unicode("").tag(sync=True)
    height = traitlets.Int(720).tag(sync=True)

    def __init__(self, app: OpenAPI, **traits: object) -> None:
        super().__init__(**traits)
        self._wsgi = app
        self.on_seen: Callable[[], None] = lambda: None  # all that is on the screen has been explained
        self._threads = ThreadPoolExecutor(THREADS, "attribution-insights widget")
        self._awaited: set[str] = set()
        self._stop = weakref.finalize(self, self._threads.shutdown, wait=False, cancel_futures=True)
        self.on_msg(_weakly(self))

    def receive(self, content: object, buffers: Sequence[memoryview]) -> None:
        """Take a request, its abort, or the question whether anybody is there; the calling thread is free at once."""
        match ToKernel.model_validate(content).root:
            case WidgetPing():
                self.send(WidgetPong().model_dump())
            case WidgetAbort(id=id):
                self._awaited.discard(id)
            case WidgetRequest() as request:
                self._awaited.add(request.id)
                self._threads.submit(_answer, weakref.ref(self), request, bytes(buffers[0]) if buffers else b"")
            case WidgetSeen():
                self.on_seen()

    def later(self, call: Callable[[], object]) -> None:
        """Call on a thread of this widget's, unless it is closed before."""
        self._threads.submit(call)

    def __repr__(self) -> str:
        return "Attribution Insights"

    @property
    def closed(self) -> bool:
        """Nobody can reach this any more: it was closed here, or by the host."""
        return self.comm is None or bool(getattr(self.comm, "_closed", False))

    def close(self) -> None:
        """Stop answering."""
        self._awaited.clear()
        self._stop()
        self.layout.close()
        super().close()


def _weakly(widget: DashboardWidget) -> Callable[[object, object, Sequence[memoryview]], None]:
    """A message handler that does not keep its widget alive."""
    reference = weakref.ref(widget)

    def receive(_: object, content: object, buffers: Sequence[memoryview]) -> None:
        target = reference()
        if target is not None:
            target.receive(content, buffers)

    return receive


def _answer(reference: weakref.ref[DashboardWidget], request: WidgetRequest, body: bytes) -> None:
    """Answer one request through the app, and send status, headers and body back under the request's id."""
    widget, id = reference(), request.id
    if widget is None or id not in widget._awaited:
        return
    status, headers, data = call(widget._wsgi, request.method, request.path, request.headers, body)
    if id in widget._awaited:
        widget._awaited.discard(id)
        widget.send(WidgetResponse(id=id, status=status, headers=headers).model_dump(), buffers=[data])


def call(
    app: OpenAPI, method: str, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes]:
    """One request to the app in this process: status, headers and body of its answer."""
    builder = EnvironBuilder("/" + path.lstrip("/"), method=method, headers=list(headers.items()), data=body)
    try:
        chunks, status, answered = run_wsgi_app(app, builder.get_environ(), buffered=True)
    finally:
        builder.close()
    return int(status.split()[0]), dict(answered.items()), b"".join(chunks)
