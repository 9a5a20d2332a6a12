"""Token ids: attribute to their embeddings, without changing the model.

A model that looks ids up in tables is run once while its lookups are recorded. From then on its wrapper takes vectors
in place of the ids: every lookup of ids, also of ids that the model has moved, returns them, and everything else in the
model (masks, positions) still sees the ids themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import NamedTuple

import torch
from torch import Tensor, nn

from attribution_core.errors import AttributionError
from attribution_core.evaluation.failure import run
from attribution_core.evaluation.isolation import submodules, undisturbed
from attribution_core.question.ids import Read
from attribution_core.question.lookups import InOrder, Lookup, Moved, Recorder
from attribution_core.question.question import copied, stacked
from attribution_core.reading.arguments import as_extra, as_inputs, is_ids, owned
from attribution_core.types import Tensors

Model = Callable[..., object]


class Embedded(NamedTuple):
    """A model that takes embeddings in place of token ids, and its inputs.

    `module` knows the ids; `of_rows` gets those of the rows that it is asked about, after the embeddings.
    `given` are the inputs with their ids, `ids` these alone, `reads` what the model makes of them besides lookups.
    """

    module: EmbeddedModel
    of_rows: EmbeddedModel
    inputs: Tensors
    given: Tensors
    reads: list[Read]
    made: list[tuple[Tensor, Tensor]]
    """Ids, and the embeddings that were made of them."""

    @property
    def ids(self) -> Tensors:
        """Those of the inputs that are ids."""
        return tuple(x for x in self.given if is_ids(x))

    def embed(self, place: int, ids: Tensor) -> Tensor:
        """The vectors (…, E) of other ids (…) for the input at `place`; floating point inputs stay as they are."""
        return self.module.embed(place, ids)

    def embed_all(self, inputs: Tensors) -> Tensors:
        """The same for a whole tuple of inputs, such as baselines."""
        vectors = self.module.embed_all(inputs)
        self.made.extend((x, v) for x, v in zip(inputs, vectors, strict=True) if is_ids(x))
        return vectors

    def ends(self, start: Tensors, end: Tensors) -> tuple[Tensors, Tensors]:
        """Two points, such as baselines and inputs, with their ids where both have been made of ids."""
        pairs = []
        for ends in zip(start, end, strict=True):
            ids = tuple(x for vectors in ends for x, made in self.made if made is vectors)
            pairs.append(ids[:2] if len(ids) > 1 else ends)
        first, last = zip(*pairs, strict=True)
        return first, last

    def read_otherwise(self, others: Tensors) -> list[str]:
        """The functions that make something else of other inputs, such as a mask; it stays what it is of the ids."""
        pairs = [(x, other) for x, other in zip(self.given, others, strict=True) if is_ids(x)]
        ids = torch.cat([(other if is_ids(other) else x).flatten().long() for x, other in pairs])
        return list(dict.fromkeys(read.name for read in self.reads if not _equal(read.of(ids), read.result)))


def embedded(model: Model, inputs: Tensor | Tensors, additional_forward_args: object = None) -> Embedded:
    """Wrap a model so that its integer inputs (B, …) become their embeddings (B, …, E).

    The wrapper takes k·B rows as k stacked batches, as every method of this package passes them. An input that feeds
    several tables becomes their vectors side by side. Raises AttributionError where an integer input feeds none, and
    where a lookup is of numbers computed from ids.
    """
    xs = tuple(owned(x) for x in as_inputs(inputs, differentiable=False))
    extra = tuple(map(owned, as_extra(additional_forward_args)))
    copies = tuple(x.clone() for x in xs)
    with undisturbed(submodules(model), xs), torch.no_grad():
        with Recorder(copies) as recorder:
            run(model, (*copies, *copied(extra)))
        found = _found(recorder.lookups, xs)
        module = EmbeddedModel(model, found, recorder.lookups, xs)
        of_rows = EmbeddedModel(model, found, recorder.lookups)
        vectors = module.embed_all(xs)
        made = [(x, v) for x, v in zip(xs, vectors, strict=True) if is_ids(x)]
        return Embedded(module, of_rows, vectors, xs, recorder.reads, made)


def _found(lookups: list[Lookup], inputs: Tensors) -> Tables:
    """The first lookup of each integer input in each table; None of other inputs."""
    found: list[list[Lookup] | None] = []
    for place, x in enumerate(inputs):
        each = {id(lookup.table): lookup for lookup in reversed(lookups) if place in lookup.places}
        if is_ids(x) and not each:
            raise AttributionError(
                f"inputs[{place}] is {x.dtype} of shape {tuple(x.shape)}, but no embedding looks it up.",
                "Pass masks and other integers as additional_forward_args; numbers as .float().",
            )
        found.append(list(reversed(each.values())) if is_ids(x) else None)
    return tuple(found)


Tables = tuple[list[Lookup] | None, ...]
"""Of each input the tables in which it is looked up, None of inputs that are no ids."""


class EmbeddedModel(nn.Module):
    """The model as a function of embeddings; made by `embedded`.

    Where the model's own ids are not `known`, they are passed after the embeddings.
    """

    def __init__(self, model: Model, tables: Tables, lookups: list[Lookup], known: Tensors | None = None) -> None:
        super().__init__()
        self.model = model
        self.training = getattr(model, "training", False)
        self.tables = tables
        self.lookups = lookups
        self.known = known

    def embed(self, place: int, ids: Tensor) -> Tensor:
        """The vectors (…, E) of ids (…) for the input at `place`; what is floating point stays as it is."""
        tables = self.tables[place]
        if tables is None or not is_ids(ids):
            return ids
        with torch.no_grad():
            return torch.cat([lookup.vectors(ids) for lookup in tables], -1)

    def embed_all(self, inputs: Tensors) -> Tensors:
        """The same for each input."""
        return tuple(self.embed(place, x) for place, x in enumerate(inputs))

    def forward(self, *arguments: Tensor) -> object:
        """The model's output for embeddings in place of ids, and further arguments as they are.

        In the place of embeddings there may be ids, which the model then looks up itself.
        """
        count = len(self.tables)
        values, further = arguments[:count], iter(arguments[count:])
        originals = tuple(self._original(place, value, further) for place, value in enumerate(values))
        with self._answering(originals, values):
            return self.model(*originals, *further)

    def _original(self, place: int, value: Tensor, further: Iterator[Tensor]) -> Tensor:
        """What the model itself gets for the value at `place`."""
        if self.tables[place] is None:
            return value
        ids = next(further) if self.known is None else self._as_many(place, value)
        return value if is_ids(value) else ids

    def _as_many(self, place: int, value: Tensor) -> Tensor:
        """The known ids in as many stacked batches as there are embeddings."""
        ids = (self.known or ())[place]
        copies, remainder = divmod(value.shape[0], max(1, ids.shape[0]))
        if remainder or (value.shape[1:] if is_ids(value) else value.shape[1:-1]) != ids.shape[1:]:
            raise AttributionError(
                f"inputs[{place}] has shape {tuple(value.shape)} for ids {tuple(ids.shape)}.",
                "Pass k stacked batches of the embeddings that `embedded` returned.",
            )
        batches: Tensor = stacked(ids, ids.shape[0], copies)
        return batches.clone()

    def _answering(self, ids: Tensors, values: Tensors) -> AbstractContextManager[object]:
        """While the model runs on ids, these values are what its lookups return."""

        def own(place: int, table: Tensor) -> Tensor | None:
            tables = [lookup.table for lookup in self.tables[place] or ()]
            if is_ids(values[place]):
                return None
            position = next(n for n, other in enumerate(tables) if other is table)
            return torch.split(values[place], [other.shape[1] for other in tables], -1)[position]

        whole = all(lookup.whole for lookup in self.lookups)
        return InOrder(self.lookups, own) if whole else Moved(ids, own)


def _equal(one: object, other: object) -> bool:
    """Whether two results of a function are the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return torch.equal(one, other)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_equal, one, other))
    return one == other
