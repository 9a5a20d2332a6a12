"""What happens in the kernel; the notebook itself is tested in a browser."""

import base64
import gc
import io
import json
import re
import threading
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np
import pytest
import torch
from ipywidgets.widgets.widget import _instances as widgets
from PIL import Image
from torch import nn

from app import AttributionVisualizer, Batch, InsightsError
from app.data.features import GeneralFeature, ImageFeature, TextFeature
from app.notebook import view as notebook
from app.notebook.snapshot import Seen, as_html, as_png, colours
from app.notebook.view import Cell, NotebookView
from app.notebook.widget import THREADS, DashboardWidget, call
from app.schema import Selection

from ..waiting import wait_until
from .conftest import Make, Net

CELL = Cell("", "", displays=False)


def runs(cell: str) -> Callable[[], Cell]:
    """One run of a cell after the other."""
    number = count()
    return lambda: Cell(cell, str(next(number)), displays=False)


class Sent(DashboardWidget):
    """A widget whose messages are kept instead of sent."""

    def send(self, content: Any, buffers: Any = None) -> None:
        self.kept.append((content, buffers))
        self.arrived.set()

    def __init__(self, app: Any) -> None:
        self.kept: list[Any] = []
        self.arrived = threading.Event()
        super().__init__(app)


def test_a_request_over_the_channel_is_answered_by_the_same_app(make: Make) -> None:
    visualizer = make()
    widget = Sent(visualizer.app)
    question = json.dumps({"sample": 0, "method": "Saliency"}).encode()
    widget.receive(
        {
            "type": "request",
            "id": "7",
            "method": "POST",
            "path": "api/attributions?client=w",
            "headers": {"Content-Type": "application/json"},
        },
        [memoryview(question)],
    )
    assert widget.arrived.wait(5)
    content, (body,) = widget.kept[0]
    assert (content["type"], content["id"], content["status"]) == ("response", "7", 200)
    assert json.loads(body)["id"]
    widget.close()


def test_maps_travel_as_bytes(make: Make) -> None:
    visualizer = make()
    visualizer.attributions(0, method="Saliency")
    body = json.dumps({"sample": 0, "method": "Saliency"}).encode()
    _, _, answer = call(visualizer.app, "POST", "api/attributions", {"Content-Type": "application/json"}, body)
    url = json.loads(answer)["attribution"]["inputs"][0]["maps"][0]["url"]
    status, headers, data = call(visualizer.app, "GET", url, {}, b"")
    assert (status, len(data)) == (200, 128)
    assert headers["ETag"]


def test_errors_travel_as_data(make: Make) -> None:
    status, _, data = call(make().app, "GET", "api/nothing", {}, b"")
    assert status == 404
    assert json.loads(data)["type"] == "Not found"


def test_an_aborted_request_is_not_answered() -> None:
    opened = threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        opened.wait(5)
        start_response("200 OK", [])
        return [environ["PATH_INFO"].encode()]

    widget = Sent(slow)
    request = {"type": "request", "method": "GET", "path": "api/summary"}
    widget.receive(request | {"id": "1"}, [])
    widget.receive({"type": "abort", "id": "1"}, [])
    widget.receive(request | {"id": "2"}, [])
    opened.set()
    widget._threads.shutdown(wait=True)
    assert [content["id"] for content, _ in widget.kept] == ["2"]
    assert not widget._awaited


def test_an_idle_kernel_says_that_it_is_there(make: Make) -> None:
    widget = Sent(make().app)
    widget.receive({"type": "ping"}, [])
    assert [content["type"] for content, _ in widget.kept] == ["pong"]


def test_a_widget_does_not_outlive_its_visualizer(make: Make) -> None:
    visualizer = make()
    view = NotebookView(visualizer.app, visualizer.service, CELL, 400)
    visualizer._views.append(view)
    gone = weakref.ref(view.widget)
    visualizer.close()
    del view
    visualizer._views.clear()
    gc.collect()
    assert gone() is None


def test_attributions_are_those_on_the_screen(make: Make) -> None:
    visualizer = make()
    view = NotebookView(visualizer.app, visualizer.service, CELL, 400)
    visualizer._views.append(view)
    view.widget.selected = {"samples": [1, 2], "sample": 2, "method": "InputXGradient", "target": 1}
    assert visualizer.selected == Selection(samples=[1, 2], sample=2, method="InputXGradient", target=1)
    (found,) = visualizer.attributions()
    (same,) = visualizer.attributions(2, method="InputXGradient", target=1)
    (other,) = visualizer.attributions(target=0)
    assert torch.equal(found, same)
    assert found.shape == (3, 8, 8)
    assert not torch.equal(found, other)


def test_attributions_without_a_notebook(make: Make) -> None:
    visualizer = make()
    with pytest.raises(InsightsError, match="no sample is selected"):
        visualizer.attributions()
    with pytest.raises(InsightsError, match="nothing has been rendered"):
        _ = visualizer.selected
    assert len(visualizer.attributions(0)) == 1


def test_a_failure_is_raised_where_attributions_are_asked_for(make: Make) -> None:
    with pytest.raises(InsightsError, match="class 9"):
        make().attributions(0, target=9)


@pytest.mark.parametrize("use", [lambda v: v.attributions(0), lambda v: v.attributions(1), lambda v: v.render()])
def test_a_closed_visualizer_refuses_instead_of_waiting(
    make: Make, use: Callable[[AttributionVisualizer], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notebook, "cell", runs("the cell"))
    visualizer = make()
    visualizer.attributions(0)
    visualizer.close()
    with pytest.raises(InsightsError, match="the visualizer is closed"):
        use(visualizer)


def test_outside_of_a_notebook_render_says_so(make: Make) -> None:
    with pytest.raises(InsightsError, match="use serve"):
        make().render()


def test_the_saved_picture_shows_what_was_seen(make: Make) -> None:
    visualizer = make(title="<Colours>")
    bundle = NotebookView(visualizer.app, visualizer.service, CELL, 400)._bundle(
        NotebookView(visualizer.app, visualizer.service, CELL, 400)._first(60.0)
    )
    assert "&lt;Colours&gt;" in bundle["text/html"]
    pictures = re.findall(r"base64,([^\"]+)", bundle["text/html"])
    assert len(pictures) == 8
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(pictures[1]))))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 20
    width, height = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size
    assert (width, height) == (4 * 160, 2 * 160)


class Screen:
    """What a cell displays, and how that is updated."""

    def __init__(self) -> None:
        self.shown: list[Any] = []
        self.updates: list[Any] = []

    def display(self, what: Any, **_: Any) -> "Screen":
        self.shown.append(what)
        return self

    def update(self, what: Any, **_: Any) -> None:
        self.updates.append(what)


@pytest.mark.parametrize("attended", [True, False])
def test_a_person_does_not_wait_for_the_picture(make: Make, monkeypatch: pytest.MonkeyPatch, attended: bool) -> None:
    screen, visualizer = Screen(), make()
    monkeypatch.setattr("IPython.display.display", screen.display)
    monkeypatch.setattr(notebook, "cell", lambda: Cell("", "", displays=True, attended=attended))
    visualizer.render()
    assert screen.shown[0] is visualizer.widget
    if attended:
        assert "nothing has been looked at" in screen.shown[1]["text/html"]
        wait_until(lambda: len(screen.updates) == 1)
    else:
        assert screen.updates == []
    picture = (screen.updates or screen.shown)[-1]
    assert "IntegratedGradients, as last seen" in picture["text/html"]
    assert "image/png" in picture


def test_the_picture_follows_what_was_looked_at(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, visualizer = Screen(), make()
    monkeypatch.setattr("IPython.display.display", screen.display)
    monkeypatch.setattr(notebook, "cell", lambda: Cell("", "", displays=True, attended=False))
    visualizer.render()
    visualizer.widget.selected = {"samples": [2, 0], "method": "Saliency"}
    visualizer._views[-1]._seen()
    (update,) = screen.updates
    assert "Saliency, as last seen" in update["text/html"]
    assert re.findall(r">#(\d+), for", update["text/html"]) == ["2", "0"]


def test_the_saved_picture_has_words_and_numbers(make: Make) -> None:
    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.words, self.out = nn.Embedding(5, 3), nn.Linear(5, 2)
            self.eval()

        def forward(self, ids: torch.Tensor, row: torch.Tensor) -> torch.Tensor:
            return self.out(torch.cat([self.words(ids).mean(1), row], 1))

    visualizer = make(
        models=[Reader()],
        classes=["a", "b"],
        features=[
            TextFeature("Text", None, None, lambda ids: ["so", "<b>", "fine"]),
            GeneralFeature("Row", ["age", "fare"]),
        ],
        dataset=[Batch((torch.randint(0, 5, (2, 3)), torch.rand(2, 2)))],
    )
    view = NotebookView(visualizer.app, visualizer.service, CELL, 400)
    seen = view._first(60.0)
    text = as_html(seen, visualizer.service.setup.features, "caption")
    assert "&lt;b&gt;" in text
    assert "fare" in text
    assert as_png(seen) is None


def test_the_colours_are_symmetric_about_zero() -> None:
    blue, white, red = colours(np.array([-1.0, 0.0, 1.0], np.float32), 1.0)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert white.tolist() == [247, 247, 247]
    assert colours(np.array([np.nan], np.float32), 0.0).tolist() == [[247, 247, 247]]


def test_a_layer_is_named_in_a_saved_picture_whatever_it_lies_over(make: Make) -> None:
    visualizer = make(default_method="LayerGradCam")
    seen = NotebookView(visualizer.app, visualizer.service, Cell("", "", displays=False), 400)._first(60)
    assert {each.method for each in seen} == {"LayerGradCam of conv"}
    assert as_png(seen) is not None
    service = visualizer.service
    units = service.answer(Selection(layer="head", method="LayerActivation").request(0, "", None))
    nothing = [Seen("head", "LayerActivation", service.shown(0), units)]
    assert as_html(nothing, service.setup.features, "caption").count("<img") == 1
    assert as_png(nothing) is None


def test_what_users_write_is_text_in_a_saved_picture(make: Make) -> None:
    written = '"<script>alert(1)</script>photo\u202egnp.exe'
    visualizer = make(classes=[written] * 3, features=[ImageFeature(written, None)], title=written)
    service = visualizer.service
    request = Selection().request(0, "Saliency", None)
    seen = [Seen(written, "Saliency", service.shown(0), service.answer(request))]
    html = as_html(seen, service.setup.features, written)
    assert html.count("&quot;&lt;script&gt;alert(1)&lt;/script&gt;photo\N{REPLACEMENT CHARACTER}gnp.exe") == 4
    assert "<script" not in html


def test_behind_jupyterhub_the_proxied_address_is_said(
    make: Make, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ada/")
    port, token = re.search(r":(\d+)/\?token=(.+)", make().serve()).groups()  # type: ignore[union-attr]
    assert f"/user/ada/proxy/{port}/?token={token}\n" in capsys.readouterr().out


def held() -> tuple[int, list[str]]:
    """How many threads run, and which widgets live."""
    gc.collect()
    return threading.active_count(), sorted(type(widget).__name__ for widget in widgets.values())


def shown(visualizer: AttributionVisualizer) -> None:
    """Render as a cell does, and ask as its dashboard does."""
    visualizer.render()
    widget = visualizer.widget
    for number in range(8):
        widget.receive({"type": "request", "id": str(number), "method": "GET", "path": "api/samples"}, [])
    wait_until(lambda: not widget._awaited)


@pytest.mark.parametrize("again", [False, True], ids=["same visualizer", "new visualizers"])
def test_running_a_cell_again_holds_no_more(make: Make, monkeypatch: pytest.MonkeyPatch, again: bool) -> None:
    monkeypatch.setattr(notebook, "cell", runs("the cell"))
    model = Net()
    visualizer = make(models=[model])
    shown(visualizer)
    threads, widgets_before = held()
    for _ in range(12):
        if again:
            visualizer.close()
            visualizer = make(models=[model])
        shown(visualizer)
    wait_until(lambda: held()[0] <= threads + THREADS)
    assert held()[1] == widgets_before
    assert all(not module._forward_hooks and not module._backward_hooks for module in model.modules())


def test_where_cells_have_no_names_old_dashboards_are_closed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "cell", runs(""))
    before = held()[1].count("DashboardWidget")
    visualizer = make()
    for _ in range(20):
        visualizer.render()
    assert len(visualizer._views) == 16
    assert held()[1].count("DashboardWidget") - before == 16


def test_what_the_host_has_closed_is_freed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "cell", runs(""))
    visualizer = make()
    visualizer.render()
    first = visualizer.widget
    first.comm.close()
    visualizer.render()
    assert [view.widget for view in visualizer._views] == [visualizer.widget]
    assert first.comm is None


def test_a_cell_may_show_several(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notebook, "cell", lambda: Cell("the cell", "its only run", displays=False))
    visualizer = make()
    visualizer.render()
    visualizer.render()
    assert not any(view.widget.closed for view in visualizer._views)
    assert len(visualizer._views) == 2
