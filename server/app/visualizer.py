"""The entry for users: models, data and features in; a dashboard in the browser or the notebook out."""

from __future__ import annotations

import logging
import weakref
import webbrowser
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping, Sequence
from inspect import getattr_static
from operator import index
from typing import TYPE_CHECKING, SupportsIndex, get_args

from flask_openapi3.openapi import OpenAPI
from torch import Tensor, nn

from app.data.features import BaseFeature, checked
from app.data.source import open_source
from app.errors import InsightsError, arrived
from app.explain.methods import OFFERED
from app.explain.question import Function as TargetFunction
from app.model.outputs import Outputs, ScoreFunction
from app.schema import WORD, Argument, Baseline, Order, Selection
from app.stop import leave, until_stopped, wait_for_the_rest
from app.web.hosts import allowed, hub_hosts
from app.web.http import create_app
from app.web.server import Server
from app.web.service import InsightsService, Setup
from app.web.token import Token, choose
from app.words import quoted, text

if TYPE_CHECKING:
    from app.notebook.view import NotebookView
    from app.notebook.widget import DashboardWidget

log = logging.getLogger(__name__)

Model = nn.Module | Callable[..., object]

MODELS = "give torch modules or functions of the inputs"
VIEWS = 16  # live dashboards of one visualizer; hosts that do not name their cells never say which one is gone
COLUMNS = 10_000_000  # no model has more outputs; a class number beyond is a slip

SERVED: deque[AttributionVisualizer] = deque(maxlen=4)
"""Those served last, which live without a name: people keep the address. Of more the oldest is let go."""


class AttributionVisualizer:
    """A dashboard that shows why models predict what they do.

    models: one or several; put them in evaluation mode first, they are never changed here.
    classes: names of the output columns, in order or by number; two names for one column mean a single logit for two
        classes. None: they have none.
    features: one for each input of the models, in order.
    dataset: an iterable of `Batch` (it may have no end), a `DataLoader`, or a dataset with `__getitem__` and `__len__`.
    score_func: makes scores of a model's outputs, a softmax say; the outputs themselves are the scores without it.
    use_label_for_attr: explain the true class where it is known, else the predicted one.
    default_method: shown first; None: the one that can be read best, chosen by model and data.
    max_samples: read no further than that; None: as far as somebody looks.
    targets: further numbers to explain, by their names: functions of a model's outputs, one number for each row.
    """

    def __init__(
        self,
        models: Model | Sequence[Model],
        classes: Sequence[object] | Mapping[int, object] | None,
        features: BaseFeature | Sequence[BaseFeature],
        dataset: object,
        score_func: ScoreFunction | None = None,
        use_label_for_attr: bool = True,
        *,
        title: str = "Attribution Insights",
        model_names: Sequence[str] | None = None,
        default_method: str | None = None,
        default_order: Order = "index",
        max_samples: int | None = None,
        targets: Mapping[str, TargetFunction] | None = None,
    ) -> None:
        modules, listed = _modules(models), _features(features)
        if not modules or not listed:
            raise InsightsError("a visualizer needs at least one model and one feature")
        if default_method is not None and default_method not in OFFERED:
            raise InsightsError(f"there is no method {default_method!r}", hint=f"methods: {', '.join(OFFERED)}")
        if default_order not in get_args(Order):
            raise InsightsError(f"there is no order {default_order!r}", hint=f"orders: {', '.join(get_args(Order))}")
        self.service = InsightsService(
            Setup(
                title=text(title),
                models=list(zip(_names(modules, model_names), modules, strict=True)),
                features=listed,
                outputs=Outputs(_class_names(classes), score_func),
                source=open_source(dataset, len(listed), _limit(max_samples)),
                explains_label=use_label_for_attr,
                default_method=default_method,
                default_order=default_order,
                targets=_targets(targets),
            )
        )
        self.app: OpenAPI = create_app(self.service)
        self._server: Server | None = None
        # Threads that outlive the interpreter would hold what is freed after it; garbage collection closes too.
        self._views: list[NotebookView] = []
        self._free = weakref.finalize(self, _close, self.service, self._views)

    def serve(
        self,
        blocking: bool = False,
        debug: bool = False,
        port: int | None = None,
        bind_all: bool = False,
        *,
        host: str | None = None,
        open_browser: bool = False,
        token: Token = None,
        allowed_hosts: Collection[str] = (),
    ) -> str:
        """Serve the dashboard over HTTP; print and return its address, which has the token that lets in.

        blocking: close and return only after Ctrl-C; SIGTERM closes and ends the program, with status 143.
        debug: log every failure. port: None or 0 takes a free one.
        bind_all: listen on all network interfaces instead of this machine alone; host: on this one.
        token: None takes that of the environment (ATTRIBUTION_INSIGHTS_TOKEN) or a random one; False lets in whoever
        is on this machine, and is refused where others can reach it.
        allowed_hosts: further names it may be called by, as that of a proxy or of JupyterHub.
        A second call gives the same address, allows further hosts, and refuses another address or token.
        """
        self._refuse_if_closed()
        if debug:
            logging.basicConfig(level=logging.INFO)
            logging.getLogger("app").setLevel(logging.DEBUG)
        host, names = host or ("0.0.0.0" if bind_all else None), [*allowed(allowed_hosts), *hub_hosts()]
        if self._server is None:
            self._server = Server(self.app, host or "127.0.0.1", port or 0, choose(token))
            weakref.finalize(self, self._server.close)
            SERVED.append(self)
        self._server.refuse_another(host, port or 0, token)
        self._server.allow(names)
        address = self._server.address
        for line in self._server.announcement():
            print(line, flush=True)  # noqa: T201  # the user waits for it
        if open_browser:
            webbrowser.open(self._server.address_for_once())
        if blocking:
            self._block()
        return address

    @property
    def address(self) -> str:
        """Where the dashboard is served, with the token that lets in."""
        if self._server is None:
            raise InsightsError("the dashboard is not served", hint="call serve() first")
        return self._server.address

    def _block(self) -> None:
        status = until_stopped()
        self.close()
        if status:
            leave(status)
        wait_for_the_rest()

    def render(self, debug: bool = False, height: int = 720) -> DashboardWidget | None:
        """Show the dashboard below a notebook cell; nothing is opened, nothing is fetched from elsewhere.

        A marimo notebook shows what a cell ends with, so there the widget is returned. `height`: in CSS pixels.
        """
        from app.notebook import view as notebook  # noqa: PLC0415  # ipywidgets is slow to import, and of use only here

        self._refuse_if_closed()
        if debug:
            logging.getLogger("app").setLevel(logging.DEBUG)
        cell = notebook.cell()
        view = notebook.NotebookView(self.app, self.service, cell, height)
        live = [*(old for old in self._views if not old.replaced_by(cell)), view][-VIEWS:]
        for old in set(self._views) - set(live):
            old.close()
        self._views[:] = live
        if not cell.displays:
            return view.widget
        view.display()
        return None

    @property
    def widget(self) -> DashboardWidget:
        """The dashboard rendered last: observe its `selected`, or set its `view`."""
        if not self._views:
            raise InsightsError("nothing has been rendered yet", hint="call render() first")
        return self._views[-1].widget

    @property
    def selected(self) -> Selection:
        """What the person looks at in the dashboard rendered last: samples, model, class, method."""
        return Selection.model_validate(self.widget.selected)

    def attributions(
        self,
        sample: int | None = None,
        *,
        model: int | None = None,
        target: int | str | None = None,
        against: int | None = None,
        layer: str | None = None,
        neuron: int | Sequence[int] | None = None,
        method: str | None = None,
        arguments: dict[str, Argument] | None = None,
        baseline: Baseline | None = None,
    ) -> tuple[Tensor, ...]:
        """The attributions of a sample, one tensor for each input, in the shape that is drawn: (C, H, W), (L,) or (K,).

        They sum to what the input contributes: the value of a patch or window is divided evenly over its positions.
        Of a method at a layer: one tensor for each that the layer passes on, in its shape without the batch dimension.

        target: a class, or the name of one of the visualizer's `targets`; against: the class whose raw output is
        subtracted. layer: dotted name, with the number of its call behind a colon where it runs several times.
        neuron: explained in place of a class: a channel of the layer, or one value by its place there.
        What is not given is as selected in the notebook; without a notebook, as the dashboard shows it first.
        """
        self._refuse_if_closed()
        chosen = self.selected if self._views else Selection()
        number = sample if sample is not None else chosen.sample
        if number is None:
            raise InsightsError("no sample is selected", hint="give its number, or select one in the dashboard")
        if method is None and chosen.method is None:
            usual, usual_layer = self.service.usual(chosen.model if model is None else model, None)
            chosen = chosen.model_copy(update={"method": usual.method, "layer": usual_layer})
        request = chosen.request(number, method or "", None)
        given: dict[str, object] = {"model": model, "target": target, "against": against, "neuron": neuron}
        given |= {"method": method, "layer": layer, "arguments": arguments, "baseline": baseline}
        changes = {name: _plain(value) for name, value in given.items() if value is not None}
        return self.service.answer(request.model_copy(update=_afresh(changes) | changes), first=True).values

    def _refuse_if_closed(self) -> None:
        if not self._free.alive:
            raise InsightsError("the visualizer is closed", hint="make a new one")

    def close(self) -> None:
        """Stop the server, reading and computing, and free what is held; it cannot be opened again."""
        if self._server is not None:
            self._server.close()
            self._server = None
        if self in SERVED:
            SERVED.remove(self)
        self._free()


def _close(service: InsightsService, views: list[NotebookView]) -> None:
    for view in views:
        view.close()
    service.close()


class _Function(nn.Module):
    """A plain function as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function
        self.eval()

    def forward(self, *inputs: object) -> object:
        return self.function(*inputs)


def _modules(models: object) -> list[nn.Module]:
    if isinstance(models, str | bytes):
        raise InsightsError(f"models cannot be read: {arrived([models])}", hint=MODELS)
    given = list(models) if isinstance(models, Sequence) else [models]
    return [_module(place, model) for place, model in enumerate(given)]


def _module(place: int, model: object) -> nn.Module:
    if isinstance(model, nn.Module) and getattr_static(model, "forward") is not nn.Module.forward:
        return model
    if callable(model) and not isinstance(model, nn.Module | type):
        return _Function(model)
    hint = f"make one first: {model.__name__}(...)" if isinstance(model, type) else MODELS
    listed = "give list(models)" if isinstance(model, nn.ModuleList) else hint
    raise InsightsError(f"models[{place}] cannot be called: {arrived([model])}", hint=listed)


def _features(features: object) -> list[BaseFeature]:
    given = list(features) if isinstance(features, list | tuple) else [features]
    return [checked(feature) for feature in given]


def _plain(value: object) -> object:
    """Python's own number for one of numpy's."""
    return index(value) if isinstance(value, SupportsIndex) and not isinstance(value, bool) else value


def _afresh(given: Mapping[str, object]) -> dict[str, object]:
    """What a person has selected for another method, or another target, counts no more."""
    dropped: dict[str, object] = {"arguments": {}, "layer": None, "neuron": None} if "method" in given else {}
    if "target" in given:
        dropped |= {"against": None, "neuron": None}
    return dropped | ({"target": None, "against": None} if "neuron" in given else {})


def _targets(given: Mapping[str, TargetFunction] | None) -> dict[str, TargetFunction]:
    """Functions of the outputs by their names."""
    named: object = {} if given is None else given
    if not isinstance(named, Mapping) or not all(_is_name(name) and callable(f) for name, f in named.items()):
        hint = f'give {{"margin": lambda outputs: outputs[:, 0] - outputs[:, 1]}}, names of up to {WORD} characters'
        raise InsightsError(f"targets cannot be read: {quoted(given)}", hint=hint)
    return dict(named)


def _is_name(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= WORD


def _limit(max_samples: object) -> int | None:
    if max_samples is None or (isinstance(max_samples, int) and max_samples > 0):
        return max_samples
    raise InsightsError(f"max_samples must be a number above 0, or None: {max_samples!r}")


def _class_names(classes: Sequence[object] | Mapping[int, object] | None) -> dict[int, str]:
    """Names by the number of the output column; numbers may be written as text, as JSON has them."""
    try:
        numbered = classes.items() if isinstance(classes, Mapping) else enumerate([] if classes is None else classes)
        names = {int(number): text(name) for number, name in numbered}
    except (TypeError, ValueError, RuntimeError):
        names = {-1: ""}
    if isinstance(classes, str | bytes) or not all(0 <= number < COLUMNS for number in names):
        raise InsightsError(
            f"classes cannot be read: {quoted(classes)}",
            hint="give a list of names in the order of the model's outputs, or {number of the output: name}",
        )
    return names


def _names(models: list[nn.Module], given: Sequence[object] | None) -> list[str]:
    if given is not None:
        if isinstance(given, str) or len(given) != len(models):
            raise InsightsError(
                f"{len(given)} model_names were given for {len(models)} model(s), as {arrived([given])}",
                hint="give a list, a name for each",
            )
        return [text(name) for name in given]
    kinds = [type(model).__name__ for model in models]
    several = Counter(kinds)
    return [f"{kind} {i + 1}" if several[kind] > 1 else kind for i, kind in enumerate(kinds)]
