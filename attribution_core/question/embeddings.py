"""Token ids: attribute to their embeddings, without changing the model.

A model that looks ids up in a table is run once while its calls of `F.embedding` are recorded. From then on its wrapper
takes the vectors in place of the ids: every lookup that the ids feed returns them, and everything else in the model
(masks, positions) still sees the ids themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.errors import AttributionError
from attribution_core.evaluation.failure import run
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.question.question import copied, stacked
from attribution_core.reading.arguments import as_extra, as_inputs, is_ids, owned
from attribution_core.types import Tensors

Model = Callable[..., object]
EMBEDDING = inspect.signature(F.embedding)


class Embedded(NamedTuple):
    """A model that takes embeddings in place of token ids, and its inputs."""

    module: EmbeddedModel
    inputs: Tensors

    def embed(self, place: int, ids: Tensor) -> Tensor:
        """The vectors (…, E) of other ids (…) for the input at `place`; floating point inputs stay as they are."""
        return self.module.embed(place, ids)

    def embed_all(self, inputs: Tensors) -> Tensors:
        """The same for a whole tuple of inputs, such as baselines."""
        return tuple(self.embed(place, x) for place, x in enumerate(inputs))


def embedded(model: Model, inputs: Tensor | Tensors, additional_forward_args: object = None) -> Embedded:
    """Wrap a model so that its integer inputs (B, …) become their embeddings (B, …, E).

    The wrapper takes k·B rows as k stacked batches, as every method of this package passes them. An input that feeds
    several tables becomes their vectors side by side. Raises AttributionError where an integer input feeds none.
    """
    xs = tuple(owned(x) for x in as_inputs(inputs, differentiable=False))
    extra = tuple(map(owned, as_extra(additional_forward_args)))
    with undisturbed(submodules(model), xs), torch.no_grad():
        lookups = _confirmed_lookups(model, xs, extra)
        module = EmbeddedModel(model, tuple(x if is_ids(x) else None for x in xs), lookups)
        return Embedded(module, module.embed_all(xs))


class _Lookup(NamedTuple):
    """One call of F.embedding: the input that it looks up (None: none of them), its table, and the call for any ids."""

    source: int | None
    table: Tensor
    vectors: Callable[[Tensor], Tensor]


def _confirmed_lookups(model: Model, inputs: Tensors, extra: tuple[object, ...]) -> list[_Lookup]:
    """The model's lookups, in the order of its calls.

    Where several tables seem to look up one input, the model is run again with other ids: a table of positions that
    happened to equal the ids does not follow them. What cannot be told apart so is taken as it was first seen.
    """
    lookups = _recorded(model, inputs, extra)
    ambiguous = [place for place in range(len(inputs)) if len(_tables(place, lookups)) > 1]
    if not ambiguous:
        return lookups
    try:
        second = _recorded(model, _with_other_ids(inputs, ambiguous, lookups), extra)
    except Exception:  # the model refuses ids that are not its own
        return lookups
    confirmed = _agreeing(lookups, second)
    return confirmed if all(_tables(place, confirmed) for place in ambiguous) else lookups


def _with_other_ids(inputs: Tensors, places: list[int], lookups: list[_Lookup]) -> Tensors:
    """The inputs, with the next id in place of each one at some places; all are in the smallest of their tables."""
    sizes = {place: min(len(lookup.table) for lookup in _tables(place, lookups)) for place in places}
    return tuple((x + 1) % sizes[place] if place in sizes else x for place, x in enumerate(inputs))


def _agreeing(first: list[_Lookup], second: list[_Lookup]) -> list[_Lookup]:
    """Of two runs: lookups with the source that both have, or none; the first run's where tables differ."""
    if [lookup.table.data_ptr() for lookup in first] != [lookup.table.data_ptr() for lookup in second]:
        return first
    return [a if a.source == b.source else a._replace(source=None) for a, b in zip(first, second, strict=True)]


def _recorded(model: Model, inputs: Tensors, extra: tuple[object, ...]) -> list[_Lookup]:
    copies = tuple(x.clone() for x in inputs)
    recorder = _Recorder(copies)
    with recorder:
        run(model, (*copies, *copied(extra)))
    return recorder.lookups


class EmbeddedModel(nn.Module):
    """The model as a function of embeddings; made by `embedded`."""

    def __init__(self, model: Model, ids: tuple[Tensor | None, ...], lookups: list[_Lookup]) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)
        self.ids = ids
        self.lookups = lookups
        self.tables = [_tables(place, lookups) for place in range(len(ids))]
        for place, (tokens, tables) in enumerate(zip(ids, self.tables, strict=True)):
            if tokens is not None and not tables:
                raise AttributionError(
                    f"inputs[{place}] is {tokens.dtype} of shape {tuple(tokens.shape)}, but no embedding looks it up.",
                    "Pass masks and other integers as additional_forward_args; numbers as .float().",
                )

    def embed(self, place: int, ids: Tensor) -> Tensor:
        """The vectors (…, E) of ids (…) for the input at `place`; floating point inputs stay as they are."""
        if self.ids[place] is None:
            return ids
        with torch.no_grad():
            return torch.cat([lookup.vectors(ids) for lookup in self.tables[place]], -1)

    def embed_all(self, inputs: Tensors) -> Tensors:
        """The same for each input."""
        return tuple(self.embed(place, x) for place, x in enumerate(inputs))

    def forward(self, *values: Tensor) -> object:
        """The model's output for embeddings in place of ids, and further arguments as they are."""
        count = len(self.ids)
        originals = tuple(map(self._original, range(count), values[:count]))
        with _Substitution(self, values):
            return self.model(*originals, *values[count:])

    def _original(self, place: int, value: Tensor) -> Tensor:
        """What the model itself gets in place of the embeddings at `place`: as many stacked batches of the ids."""
        ids = self.ids[place]
        if ids is None:
            return value
        copies, remainder = divmod(value.shape[0], max(1, ids.shape[0]))
        if remainder or value.shape[1:-1] != ids.shape[1:]:
            raise AttributionError(
                f"inputs[{place}] has shape {tuple(value.shape)} for ids {tuple(ids.shape)}.",
                "Pass k stacked batches of the embeddings that `embedded` returned.",
            )
        batches: Tensor = stacked(ids, ids.shape[0], copies)
        return batches.clone()

    def vectors(self, lookup: _Lookup, values: Tensors) -> Tensor:
        """The part of the embeddings that stands for one table's vectors, new for each lookup, as the model expects."""
        place = lookup.source or 0
        tables = [other.table for other in self.tables[place]]
        position = next(n for n, table in enumerate(tables) if table is lookup.table)
        own = torch.split(values[place], [table.shape[1] for table in tables], -1)[position]
        return own.clone(memory_format=torch.contiguous_format)


def _tables(place: int, lookups: list[_Lookup]) -> list[_Lookup]:
    """The first lookup of the input at `place` in each table."""
    firsts: list[_Lookup] = []
    for lookup in lookups:
        if lookup.source == place and all(lookup.table is not other.table for other in firsts):
            firsts.append(lookup)
    return firsts


def _as_lookup(args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[Tensor, Tensor, Callable[..., Tensor]]:
    """Ids, table, and the call as a function of ids, from the arguments of F.embedding."""
    arguments = EMBEDDING.bind(*args, **kwargs).arguments
    ids: Tensor = arguments.pop("input")
    return ids, arguments["weight"], partial(F.embedding, **arguments)


class _Recorder(TorchFunctionMode):
    """Records each lookup and the input that it looks up: one whose values the ids have, and from which they are made.

    Equal values alone would mistake positions for ids that happen to count up; origin alone would mistake positions
    that are counted from ids, as in RoBERTa.
    """

    def __init__(self, inputs: Tensors) -> None:
        super().__init__()
        self.inputs = inputs
        self.lookups: list[_Lookup] = []
        self.origins = {id(x): (x, frozenset({place})) for place, x in enumerate(inputs) if is_ids(x)}
        """By identity, the integer tensors made so far (kept, so that no other takes their identity) and from what."""

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        options = kwargs or {}
        if func is F.embedding:
            ids, table, vectors = _as_lookup(args, options)
            self.lookups.append(_Lookup(self._source(ids), table, vectors))
        result = func(*args, **options)
        self._derive(result, (*args, *options.values()))
        return result

    def _source(self, ids: Tensor) -> int | None:
        for place in sorted(self._origin(ids)):
            if ids.shape == self.inputs[place].shape and bool((ids == self.inputs[place]).all()):
                return place
        return None

    def _derive(self, result: object, arguments: tuple[object, ...]) -> None:
        """Note that integers in a result come from all inputs that the arguments come from."""
        places = frozenset[int]().union(*map(self._origin, _flat(arguments)))
        for value in _flat((result,)):
            if places and isinstance(value, Tensor) and is_ids(value):
                self.origins[id(value)] = (value, places | self._origin(value))

    def _origin(self, value: object) -> frozenset[int]:
        return self.origins[id(value)][1] if id(value) in self.origins else frozenset()


def _flat(values: Iterable[object]) -> Iterator[object]:
    """Values, and those inside of tuples and lists among them."""
    for value in values:
        yield from value if isinstance(value, (tuple, list)) else (value,)


class _Substitution(TorchFunctionMode):
    """Answers the recorded lookups of inputs with the embeddings that were passed."""

    def __init__(self, module: EmbeddedModel, values: Tensors) -> None:
        super().__init__()
        self.module = module
        self.values = values
        self.calls = 0

    def __torch_function__(
        self,
        func: Callable[..., object],
        types: object,
        args: tuple[object, ...] = (),
        kwargs: dict[str, object] | None = None,
    ) -> object:
        options = kwargs or {}
        if func is F.embedding:
            lookup = self._next(_as_lookup(args, options)[1])
            if lookup.source is not None:
                return self.module.vectors(lookup, self.values)
        return func(*args, **options)

    def _next(self, table: Tensor) -> _Lookup:
        """The recorded lookup that the model makes now."""
        recorded, number = self.module.lookups, self.calls
        self.calls += 1
        if number >= len(recorded) or recorded[number].table is not table:
            raise AttributionError("The model looks up embeddings in another order than when it was wrapped.")
        return recorded[number]
