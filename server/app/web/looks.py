"""What each model is made of, looked at once and on its device, and what follows from that."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from threading import Lock
from typing import TypeVar, cast

from app.data.example import Example
from app.errors import InsightsError, raised_anew
from app.explain.methods import Method
from app.explain.offers import Choice, choose, of_photographs, offers
from app.model.layers import Anatomy
from app.model.schedule import Device
from app.model.subject import Subject
from app.schema import MethodOffer
from app.web.errands import NOT_YET

Found = TypeVar("Found")


class Looks:
    """What is known of the models by running them on an example; each call for a device is made once.

    default_method: the user's choice, if any. learnt: called when more is known than has been told.
    """

    def __init__(
        self, placed: Sequence[tuple[Subject, Device]], default_method: str | None, learnt: Callable[[], None]
    ) -> None:
        self._placed, self._default_method, self._learnt = placed, default_method, learnt
        self._calls: dict[Hashable, Future[object]] = {}
        self._lock = Lock()

    def anatomy(self, model: int, example: Example, patience: float | None) -> Anatomy:
        """A model's layers; `InsightsError` of type `NOT_YET` where that takes longer, as for all of these."""
        subject, device = self._placed[model]

        def look() -> Anatomy:
            found = subject.look(subject.prepare(example))
            self._learnt()
            return found

        return self._once(("layers", model), device, look, patience)

    def offers(self, model: int, example: Example, patience: float | None) -> list[MethodOffer]:
        """Which methods work on a model, and what they cost on the example."""
        subject, device = self._placed[model]
        anatomy = self.anatomy(model, example, patience)
        return self._once(("offers", model), device, lambda: offers(subject, example, anatomy), patience)

    def usual(self, model: int, example: Example, patience: float | None) -> tuple[Choice, str | None]:
        """The method that is shown first, and the layer that it looks at in a model."""
        given = self._default_method
        choice = self._choice(example, patience) if given is None else Choice(given)
        if not Method(choice.method).uses_layer:
            return choice, None
        return choice, self.anatomy(model, example, patience).best

    def _choice(self, example: Example, patience: float | None) -> Choice:
        end = None if patience is None else time.monotonic() + patience
        subject, device = self._placed[0]
        inputs = self._once("inputs", device, lambda: subject.prepare(example), patience).inputs
        inputs = tuple(x[None] for x in inputs)
        photographs = of_photographs(subject.features, inputs)
        models = range(len(self._placed)) if photographs else ()
        left = None if end is None else end - time.monotonic()
        return choose(subject.features, inputs, [self.anatomy(model, example, left) for model in models])

    def _once(self, key: Hashable, device: Device, call: Callable[[], Found], patience: float | None) -> Found:
        with self._lock:
            future = self._calls.get(key)
            if future is None or (future.done() and (future.cancelled() or future.exception() is not None)):
                future = self._calls[key] = cast("Future[object]", device.background(call))
        try:
            return cast(Found, waited(future, patience))
        except InsightsError as error:
            if error.type == NOT_YET:
                future.add_done_callback(lambda _: self._learnt())
            raise


def waited(future: Future[Found], patience: float | None) -> Found:
    """What a call on a device gives, or raises; `InsightsError` of type `NOT_YET` where it takes longer."""
    try:
        return future.result(None if patience is None else max(0.0, patience))
    except TimeoutError:
        if future.done():
            raise
    except Exception as error:
        raise raised_anew(error) from None
    raise InsightsError(
        "this cannot be told yet: the device has other work to do first",
        hint="ask again in a moment",
        status=503,
        type=NOT_YET,
    )
