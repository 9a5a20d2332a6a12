"""Token ids: attribute to their embeddings, without changing the model.

A model that looks ids up in a table is run once while `F.embedding` is watched. From then on its wrapper takes the
vectors in place of the ids: every lookup that the ids feed returns them, and everything else in the model (masks,
positions) still sees the ids themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from attribution_core.errors import AttributionError
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.question.question import stacked
from attribution_core.reading.arguments import as_extra, as_inputs, is_ids, owned

Tensors = tuple[Tensor, ...]
Lookup = Callable[[Tensor], Tensor]


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


def embedded(model: Callable[..., Any], inputs: Tensor | Tensors, additional_forward_args: Any = None) -> Embedded:
    """Wrap a model so that its integer inputs (B, …) become their embeddings (B, …, E).

    The wrapper takes k·B rows as k stacked batches, as every method of this package gives them. An input that feeds
    several tables becomes their vectors side by side. Raises AttributionError where an integer input feeds none.
    """
    given = tuple(owned(x) for x in as_inputs(inputs, differentiable=False))
    extra = tuple(map(owned, as_extra(additional_forward_args)))
    with undisturbed(submodules(model), given), torch.no_grad():
        calls = _certain(model, given, extra)
        module = EmbeddedModel(model, tuple(x if is_ids(x) else None for x in given), calls)
        return Embedded(module, tuple(module.embed(place, x) for place, x in enumerate(given)))


def _certain(model: Callable[..., Any], given: Tensors, extra: tuple[Any, ...]) -> list[_Call]:
    """The model's lookups; where several tables seem to read one input, those that still do with other ids."""
    calls = _watched(model, given, extra)
    doubtful = {place for place in range(len(given)) if len(_distinct(place, calls)) > 1}
    if not doubtful:
        return calls
    sizes = [min((len(call.table) for call in calls if call.place == place), default=1) for place in range(len(given))]
    other = tuple((x + 1) % sizes[place] if place in doubtful else x for place, x in enumerate(given))
    try:
        again = _watched(model, other, extra)
    except Exception:  # the model refuses ids that are not its own: keep what was seen
        return calls
    if [call.table.data_ptr() for call in again] != [call.table.data_ptr() for call in calls]:
        return calls
    kept = [a if a.place == b.place else a._replace(place=None) for a, b in zip(calls, again, strict=True)]
    return kept if all(_distinct(place, kept) for place in doubtful) else calls


def _watched(model: Callable[..., Any], given: Tensors, extra: tuple[Any, ...]) -> list[_Call]:
    fed = tuple(x.clone() for x in given)
    watch = _Watch(fed)
    with watch:
        model(*fed, *extra)
    return watch.calls


class _Call(NamedTuple):
    """One lookup of the model: which input feeds it (None: none), and in which table."""

    place: int | None
    table: Tensor
    lookup: Lookup


class EmbeddedModel(nn.Module):
    """The model as a function of embeddings; made by `embedded`."""

    def __init__(self, model: Callable[..., Any], ids: tuple[Tensor | None, ...], calls: list[_Call]) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)
        self.ids = ids
        self.calls = calls
        self.tables = [_distinct(place, calls) for place in range(len(ids))]
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
            return torch.cat([call.lookup(ids) for call in self.tables[place]], -1)

    def forward(self, *values: Tensor) -> Any:
        """The model's output for embeddings in place of ids, and further arguments as they are."""
        count = len(self.ids)
        fed = tuple(map(self._fed, range(count), values[:count]))
        with _Replace(self, values):
            return self.model(*fed, *values[count:])

    def _fed(self, place: int, value: Tensor) -> Tensor:
        ids = self.ids[place]
        if ids is None:
            return value
        copies, left = divmod(value.shape[0], max(1, ids.shape[0]))
        if left or value.shape[1:-1] != ids.shape[1:]:
            raise AttributionError(
                f"inputs[{place}] has shape {tuple(value.shape)} for ids {tuple(ids.shape)}.",
                "Pass k stacked batches of the embeddings that `embedded` returned.",
            )
        return stacked(ids, ids.shape[0], copies).clone()  # type: ignore[no-any-return]

    def vectors(self, call: _Call, values: Tensors) -> Tensor:
        """The part of an input that stands for one table's vectors."""
        tables = self.tables[call.place or 0]
        widths = [other.table.shape[1] for other in tables]
        own = next(n for n, other in enumerate(tables) if other.table is call.table)
        return torch.split(values[call.place or 0], widths, -1)[own].contiguous()


def _distinct(place: int, calls: list[_Call]) -> list[_Call]:
    found: list[_Call] = []
    for call in calls:
        if call.place == place and all(call.table is not other.table for other in found):
            found.append(call)
    return found


def _lookup(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tensor, Tensor, Lookup]:
    """Ids, table, and the lookup as a function of ids, from a call of F.embedding."""
    named = dict(
        zip(
            ("input", "weight", "padding_idx", "max_norm", "norm_type", "scale_grad_by_freq", "sparse"),
            args,
            strict=False,
        )
    )
    ids, rest = named.pop("input", kwargs.get("input")), {k: v for k, v in {**kwargs, **named}.items() if k != "input"}
    return ids, rest["weight"], partial(F.embedding, **rest)


class _Watch(TorchFunctionMode):
    """Notes each lookup and the input that feeds it: ids equal to the input, and derived from it.

    Values alone would mistake positions for ids that happen to count up; origin alone would mistake positions that are
    counted from ids, as RoBERTa does.
    """

    def __init__(self, fed: Tensors) -> None:
        super().__init__()
        self.fed = fed
        self.calls: list[_Call] = []
        self.origin = {id(x): (x, frozenset({place})) for place, x in enumerate(fed) if is_ids(x)}

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        if func is F.embedding:
            ids, table, lookup = _lookup(args, options)
            self.calls.append(_Call(self._source(ids), table, lookup))
        result = func(*args, **options)
        self._derive(result, (*args, *options.values()))
        return result

    def _source(self, ids: Tensor) -> int | None:
        _, places = self.origin.get(id(ids), (ids, frozenset()))
        alike = (p for p in sorted(places) if ids.shape == self.fed[p].shape and bool((ids == self.fed[p]).all()))
        return next(alike, None)

    def _derive(self, result: Any, arguments: tuple[Any, ...]) -> None:
        flat = [a for b in arguments for a in (b if isinstance(b, (tuple, list)) else (b,))]
        places = frozenset[int]().union(*(self.origin[id(a)][1] for a in flat if id(a) in self.origin))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if places and isinstance(value, Tensor) and is_ids(value):
                self.origin[id(value)] = (value, places | self.origin.get(id(value), (value, frozenset()))[1])


class _Replace(TorchFunctionMode):
    """Answers the noted lookups with the given vectors."""

    def __init__(self, module: EmbeddedModel, values: Tensors) -> None:
        super().__init__()
        self.module = module
        self.values = values
        self.seen = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not F.embedding:
            return func(*args, **(kwargs or {}))
        calls, number = self.module.calls, self.seen
        self.seen += 1
        if number >= len(calls) or calls[number].table is not _lookup(args, kwargs or {})[1]:
            raise AttributionError("The model looks up embeddings in another order than when it was wrapped.")
        if calls[number].place is None:
            return func(*args, **(kwargs or {}))
        return self.module.vectors(calls[number], self.values)
