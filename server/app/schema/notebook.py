"""What travels between a notebook and its kernel."""

from __future__ import annotations

from operator import index
from typing import Annotated, Literal

from pydantic import Field, RootModel

from app.schema.attributions import AttributionRequest
from app.schema.base import Argument, Baseline, Wire


class Selection(Wire):
    """What is on the screen: the samples in view, and the question asked of the selected one."""

    samples: list[int] = []
    sample: int | None = None
    model: int = 0
    target: int | str | None = None
    against: int | None = None
    layer: str | None = None
    neuron: int | list[int] | None = None
    method: str | None = None
    arguments: dict[str, Argument] = {}
    baseline: Baseline = 0

    def request(self, sample: int, method: str, layer: str | None) -> AttributionRequest:
        """The question as it is asked of a sample in view; a chosen class counts for the selected sample alone.

        method, layer: those shown first, where none is selected.
        """
        own = sample == self.sample
        return AttributionRequest(
            sample=index(sample),
            model=self.model,
            target=self.target if own else None,
            against=self.against if own else None,
            layer=self.layer if self.method else layer,
            neuron=self.neuron,
            method=self.method or method,
            arguments=self.arguments,
            baseline=self.baseline,
        )


class WidgetPing(Wire):
    """Is anybody there? Answered by a `WidgetPong`."""

    type: Literal["ping"] = "ping"


class WidgetSeen(Wire):
    """All that is on the screen has been explained: the time to renew the saved picture."""

    type: Literal["seen"] = "seen"


class WidgetRequest(Wire):
    """A request of this contract, its body in the message's first buffer."""

    type: Literal["request"] = "request"
    id: str
    method: str
    path: str
    headers: dict[str, str] = {}


class WidgetAbort(Wire):
    """Nobody waits for the answer to this request any more."""

    type: Literal["abort"] = "abort"
    id: str


class WidgetPong(Wire):
    """Somebody is there."""

    type: Literal["pong"] = "pong"


class WidgetResponse(Wire):
    """The answer to a request, its body in the message's first buffer."""

    type: Literal["response"] = "response"
    id: str
    status: int
    headers: dict[str, str]


class ToKernel(
    RootModel[Annotated[WidgetPing | WidgetSeen | WidgetRequest | WidgetAbort, Field(discriminator="type")]]
):
    """What a widget sends."""


class FromKernel(RootModel[Annotated[WidgetPong | WidgetResponse, Field(discriminator="type")]]):
    """What a widget is sent."""


NOTEBOOK = (Selection, ToKernel, FromKernel)  # travel as traits and messages: no request of the document names them
