"""Lookups of token ids in tables while a model runs: recorded once, then answered with other vectors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.errors import AttributionError
from attribution_core.question.ids import COMPUTED, Arguments, Function, Ids, Options, Read
from attribution_core.types import Tensors

EMBEDDING = inspect.signature(F.embedding)
BAG = inspect.signature(F.embedding_bag)
POOLED: dict[str, Callable[[Tensor], Tensor]] = {
    "sum": lambda vectors: vectors.sum(1),
    "mean": lambda vectors: vectors.mean(1),
    "max": lambda vectors: vectors.amax(1),
}
INDEXING = (Tensor.__getitem__, torch.index_select, Tensor.index_select)
UNANSWERED = (F.embedding_bag, F.one_hot)
"""Lookups that are refused, but for bags in the form that `as_call` knows."""

Own = Callable[[int, Tensor], Tensor | None]
"""The vectors (…, E) of the input at a place in a table; None where the model gets its ids."""


class Call(NamedTuple):
    """A call that looks ids (…) up in a table (n, E): the vectors (…, E) of any ids, and what it makes of them."""

    ids: Tensor
    table: Tensor
    vectors: Callable[[Tensor], Tensor]
    result: Callable[[Tensor], Tensor]


class Lookup(NamedTuple):
    """A recorded call: the inputs whose ids it looks up, and whether these are all the ids of one input as they are."""

    table: Tensor
    vectors: Callable[[Tensor], Tensor]
    places: tuple[int, ...]
    whole: bool


def as_call(func: Function, args: Arguments, options: Options) -> Call | None:
    """What a call looks up, if it is a lookup that other vectors can answer."""
    if func is F.embedding:
        named = EMBEDDING.bind(*args, **options).arguments
        return Call(named.pop("input"), named["weight"], partial(F.embedding, **named), _as_it_is)
    if func is F.embedding_bag:
        named = BAG.bind(*args, **options).arguments
        ids, table, pooled = named["input"], named["weight"], POOLED[named.get("mode", "mean")]
        plain = all(named.get(name) is None for name in ("offsets", "max_norm", "per_sample_weights", "padding_idx"))
        return Call(ids, table, partial(F.embedding, weight=table), pooled) if plain and ids.dim() == 2 else None
    if func in INDEXING and len(args) > 1 and type(args[0]) is nn.Parameter and args[0].dim() == 2:
        table, ids = args[0], args[-1]
        of_rows = len(args) == 2 or args[1] == 0
        if of_rows and isinstance(ids, Tensor) and ids.dtype in (torch.int32, torch.int64):
            return Call(ids, table, table.__getitem__, _as_it_is)
    return None


def _as_it_is(vectors: Tensor) -> Tensor:
    return vectors


class Recorder(TorchFunctionMode):
    """Records each lookup, and what else a run makes of the ids in its inputs."""

    def __init__(self, inputs: Tensors) -> None:
        super().__init__()
        self.ids = Ids(inputs)
        self.inputs = inputs
        self.lookups: list[Lookup] = []
        self.reads: list[Read] = []

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Options | None = None
    ) -> object:
        options = kwargs or {}
        call = as_call(func, args, options)
        if call is not None:
            self.lookups.append(self._recorded(call))
            return func(*args, **options)
        if func in UNANSWERED and self.ids.numbers(args[0]) is not None:
            raise _refused(func.__name__, "in this form")
        result = func(*args, **options)
        read = self.ids.read(func, args, options, result)
        self.reads += [] if read is None else [read]
        self.ids.follow(func, args, options, result)
        return result

    def _recorded(self, call: Call) -> Lookup:
        numbers = self.ids.numbers(call.ids)
        if numbers is None:
            return Lookup(call.table, call.vectors, (), True)
        if bool((numbers == COMPUTED).any()):
            raise _refused("lookup", f"of numbers that `{self.ids.name(call.ids)}` computes from ids")
        places = self.ids.places(numbers)
        whole = (
            len(places) == 1
            and call.result is _as_it_is
            and self.ids.are_all(numbers, self.inputs[places[0]], places[0])
        )
        return Lookup(call.table, call.vectors, places, whole or not places)


def _refused(what: str, how: str) -> AttributionError:
    return AttributionError(
        f"The model's {what} {how} cannot be attributed to single ids.",
        "Explain a layer after it, such as LayerIntegratedGradients(model, embedding), or use a perturbation method.",
    )


class InOrder(TorchFunctionMode):
    """Answers the recorded lookups, met in the same order, where each is of an input's ids as they are."""

    def __init__(self, lookups: list[Lookup], own: Own) -> None:
        super().__init__()
        self.lookups = lookups
        self.own = own
        self.calls = 0

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Options | None = None
    ) -> object:
        options = kwargs or {}
        call = as_call(func, args, options)
        if call is not None:
            lookup = self._next(call.table)
            if lookup.places and (vectors := self.own(lookup.places[0], call.table)) is not None:
                return vectors.clone(memory_format=torch.contiguous_format)
        return func(*args, **options)

    def _next(self, table: Tensor) -> Lookup:
        number = self.calls
        self.calls += 1
        if number >= len(self.lookups) or self.lookups[number].table is not table:
            raise AttributionError("The model looks up embeddings in another order than when it was wrapped.")
        return self.lookups[number]


class Moved(TorchFunctionMode):
    """Answers every lookup of ids, wherever the model has moved them, with the vectors at the places they came from."""

    def __init__(self, ids: Tensors, own: Own) -> None:
        super().__init__()
        self.ids = Ids(ids)
        self.own = own

    def __torch_function__(
        self, func: Function, types: object, args: Arguments = (), kwargs: Options | None = None
    ) -> object:
        options = kwargs or {}
        call = as_call(func, args, options)
        if call is not None:
            with torch._C.DisableTorchFunction():
                numbers = self.ids.numbers(call.ids)
            if numbers is not None:
                return call.result(self._vectors(call, numbers))
        result = func(*args, **options)
        with torch._C.DisableTorchFunction():
            self.ids.follow(func, args, options, result)
        return result

    def _vectors(self, call: Call, numbers: Tensor) -> Tensor:
        """The table's own vectors of what is no id, and those that were passed for the ids, each in its place."""
        with torch._C.DisableTorchFunction(), torch.no_grad():
            constants = call.vectors(call.ids).flatten(0, -2)
            index = torch.arange(len(constants), device=numbers.device).reshape(numbers.shape)
        pool, size = [constants], len(constants)
        for place in self.ids.places(numbers):
            vectors = self.own(place, call.table)
            if vectors is not None:
                first, last = self.ids.span(place)
                index = torch.where((numbers >= first) & (numbers < last), numbers - first + size, index)
                pool.append(vectors.flatten(0, -2))
                size += last - first
        return torch.cat(pool)[index]
