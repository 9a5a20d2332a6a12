"""A visualizer's life in a notebook: its widget, what the person selects there, and the picture that is saved."""

from __future__ import annotations

import base64
import sys
import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

from app.errors import InsightsError
from app.notebook.snapshot import Seen, as_html, as_png
from app.notebook.widget import DashboardWidget
from app.schema import SCAN_STEP, SamplePage, SampleQuery, Selection

if TYPE_CHECKING:
    from flask_openapi3.openapi import OpenAPI

    from app.web.service import InsightsService

KEPT = 8  # samples in a saved picture: two rows of four
FIRST_PICTURE = 1.5  # seconds that a person waits at most for the picture of a cell
MOMENT = 1.0  # seconds in which what was explained and read before is at hand
UNATTENDED = 60.0  # the same where a notebook is executed and nobody looks: its picture is all there will be
WAITING = "Attribution Insights: nothing has been looked at yet."


class Handle(Protocol):
    """What IPython gives for a display that may change."""

    def update(self, bundle: dict[str, str], *, raw: bool) -> None:
        """Show something else there."""


class Cell(NamedTuple):
    """The running cell: its id ("" where the host names none), which run it is, whether it displays and for whom."""

    id: str
    run: str
    displays: bool  # marimo shows what a cell ends with instead
    attended: bool = True  # a person could answer a question; nobody can where a notebook is only executed


class NotebookView:
    """One rendered dashboard: a live widget and, below it, a still picture for the saved notebook."""

    def __init__(self, app: OpenAPI, service: InsightsService, cell: Cell, height: int) -> None:
        self._service, self._cell = service, cell
        self._picture = uuid.uuid4().hex
        self._handle: Handle | None = None
        self._shown: dict[str, str] = {}
        self.widget = DashboardWidget(app, height=height, snapshot=self._picture)
        self.widget.on_seen = self._seen

    @property
    def selection(self) -> Selection:
        """What the person looks at."""
        return Selection.model_validate(self.widget.selected)

    def display(self) -> None:
        """Show the widget, and the picture that a saved notebook keeps; the widget hides it while it lives.

        A host follows updates of the picture until its page is loaded anew; it keeps nothing of a display's id.
        """
        from IPython import display as ipython  # noqa: PLC0415  # there only in a notebook

        show: Callable[..., Handle] = ipython.display
        show(self.widget)
        self._shown = self._bundle([] if self._cell.attended else self._first(UNATTENDED))
        self._handle = show(self._shown, raw=True, display_id=self._picture)
        if self._cell.attended:  # the dashboard is answered only once the cell is done
            self.widget.later(self._show_first)

    def replaced_by(self, cell: Cell) -> bool:
        """Whether the host has closed this, or takes it away for what a new run of its cell shows."""
        again = bool(cell.id) and cell.id == self._cell.id and cell.run != self._cell.run
        return again or self.widget.closed

    def close(self) -> None:
        """Take the widget off the screen and free what it holds."""
        self.widget.close()

    def _seen(self) -> None:
        if self._handle is not None:
            samples, selection = self.selection.samples[:KEPT], self.selection
            self._show([seen for sample in samples if (seen := self._look(sample, selection, MOMENT))])

    def _show_first(self) -> None:
        nothing, seen = self._shown, self._first(FIRST_PICTURE)
        if self._shown is nothing:
            self._show(seen)

    def _show(self, seen: list[Seen]) -> None:
        bundle = self._bundle(seen)
        if self._handle is not None and seen and bundle != self._shown:
            self._shown = bundle
            self._handle.update(bundle, raw=True)

    def _first(self, patience: float) -> list[Seen]:
        """The first samples with the default method, as many as come within `patience` seconds."""
        deadline = time.monotonic() + patience
        try:
            query = SampleQuery(limit=KEPT // 2, order=self._service.setup.default_order, scan_to=SCAN_STEP)
            page = self._service.samples(query)
            while self._may_change(page, query) and time.monotonic() < deadline - patience / 2:
                time.sleep(0.05)
                page = self._service.samples(query)
        except Exception:
            return []  # as below
        result = (self._look(sample.index, Selection(), deadline - time.monotonic()) for sample in page.samples)
        return [seen for seen in result if seen is not None]

    @staticmethod
    def _may_change(page: SamplePage, query: SampleQuery) -> bool:
        """Whether reading on may bring other first samples."""
        return page.progress.scanning and (query.order != "index" or len(page.samples) < query.limit)

    def _look(self, sample: int, selection: Selection, patience: float) -> Seen | None:
        """A sample with its explanation, where that exists or comes within `patience` seconds."""
        try:
            patience = max(patience, 0)
            usual, layer = self._service.usual(selection.model, patience)
            request = selection.request(sample, usual.method, layer)
            explanation = self._service.answer(request, patience)
            title = f"#{sample}, for ‘{explanation.question.words}’"
            method = f"{request.method} of {request.layer}" if request.layer else request.method
            return Seen(title, method, self._service.shown(sample, patience), explanation)
        except Exception:
            return None  # a picture is a courtesy; the dashboard itself says what failed

    def _bundle(self, seen: list[Seen]) -> dict[str, str]:
        caption = f"{self._service.setup.title}: {seen[0].method}, as last seen" if seen else WAITING
        inside = as_html(seen, self._service.setup.features, caption)
        # The live widget sets this variable; where there is none, in a saved notebook, the picture shows.
        style = f"display:var(--attribution-insights-{self._picture},block)"
        bundle = {"text/plain": caption, "text/html": f'<div style="{style}">{inside}</div>'}
        png = as_png(seen)
        return bundle | ({"image/png": base64.b64encode(png).decode()} if png else {})


def cell() -> Cell:
    """The running cell of a notebook; raises `InsightsError` outside of one."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        parent = getattr(shell, "parent_header", None) or {}
        run = str(parent.get("header", {}).get("msg_id", ""))
        attended = bool(parent.get("content", {}).get("allow_stdin"))
        return Cell(str(parent.get("metadata", {}).get("cellId", "")), run, displays=True, attended=attended)
    marimo = sys.modules.get("marimo")
    if marimo is not None and marimo.running_in_notebook():
        return Cell("", "", displays=False)
    raise InsightsError("render() shows the dashboard in a notebook", hint="use serve() outside of one")
