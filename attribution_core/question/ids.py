"""Token ids on their way through a model: of every integer that is made of them, which id it is a copy of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._pytree import tree_map

from attribution_core.reading.arguments import is_ids
from attribution_core.types import Tensors

Function = Callable[..., Any]
Arguments = tuple[Any, ...]
Options = dict[str, Any]

CONSTANT, COMPUTED = -1, -2
"""In place of an id's number: what does not depend on ids, and what is computed from them."""

MOVING = frozenset({
    "__getitem__", "cat", "clone", "concat", "concatenate", "contiguous", "dstack", "flatten", "flip", "fliplr",
    "flipud", "gather", "hstack", "index_select", "masked_select", "ravel", "repeat", "repeat_interleave", "reshape",
    "roll", "rot90", "stack", "take", "take_along_dim", "tile", "vstack",
})  # fmt: skip
"""Functions whose results are copies of elements of their first argument; views need no list."""

CONVERTING = frozenset({"cpu", "cuda", "int", "long", "short", "to", "type", "type_as"})

KEEPING = frozenset({
    "__mod__", "abs", "add", "clamp", "clamp_max", "clamp_min", "clip", "fmod", "maximum", "minimum", "mul", "multiply",
    "remainder", "sub",
})  # fmt: skip
"""Elementwise functions, which may leave elements as they are."""

PLACING = frozenset({"argmax", "argmin", "argsort", "count_nonzero", "nonzero"})
"""Functions whose integers are places or counts: like masks, they stay those of the ids."""

FORGETTING = frozenset({
    "empty_like", "full_like", "new_empty", "new_full", "new_ones", "new_tensor", "new_zeros", "ones_like",
    "randint_like", "zeros_like",
})  # fmt: skip


class Read(NamedTuple):
    """What a model makes of ids besides looking them up: a function's name and result, and what it makes of others."""

    name: str
    result: object
    of: Callable[[Tensor], object]
    """From ids in the order of their numbers to the function's result."""


class _Noted(NamedTuple):
    """The numbers of all elements of a storage, by what function they were made, and a tensor that keeps the storage,
    so that no other takes its place."""

    numbers: Tensor
    name: str
    keeper: Tensor


class Ids:
    """The integers in a model's inputs, numbered one after the other, and where the model takes them.

    Numbers are noted by storage, so that views, and what is written through them, need no care.
    """

    def __init__(self, inputs: Tensors) -> None:
        self.ends: list[int] = []
        """Of each input, one more than the number of its last id."""
        self._noted: dict[int, _Noted] = {}
        count = 0
        for x in inputs:
            if is_ids(x):
                self._note(x, torch.arange(count, count + x.numel(), device=x.device).reshape(x.shape), "")
                count += x.numel()
            self.ends.append(count)

    def numbers(self, value: object) -> Tensor | None:
        """Of each element the number of the id that it is a copy of, CONSTANT or COMPUTED; None where no id is."""
        if not isinstance(value, Tensor) or (noted := self._of(value)) is None:
            return None
        return noted.numbers.as_strided(value.shape, value.stride(), value.storage_offset())

    def name(self, value: Tensor) -> str:
        """The function that computed elements from ids."""
        noted = self._of(value)
        return "" if noted is None else noted.name

    def span(self, place: int) -> tuple[int, int]:
        """The number of the first id of the input at `place`, and one more than that of its last."""
        return self.ends[place - 1] if place else 0, self.ends[place]

    def places(self, numbers: Tensor) -> tuple[int, ...]:
        """The inputs that some ids come from."""
        ends = torch.tensor(self.ends, device=numbers.device)
        return tuple(sorted(set(torch.bucketize(numbers[numbers >= 0], ends, right=True).tolist())))

    def are_all(self, numbers: Tensor, x: Tensor, place: int) -> bool:
        """Whether these are the ids of the input at `place` as they are."""
        first, last = self.span(place)
        return numbers.shape == x.shape and torch.equal(
            numbers.flatten(), torch.arange(first, last, device=numbers.device)
        )

    def follow(self, func: Function, args: Arguments, options: Options, result: object) -> None:
        """Note where a call has put ids."""
        name, given = _name(func), self._among((args, options))
        if not given:
            return
        if _in_place(name):
            self._write(name, args)
        elif name not in FORGETTING | PLACING:
            storages = {value.untyped_storage()._cdata for value in tensors_in(args) if is_ids(value)}
            for made in tensors_in(result):
                if is_ids(made) and made.untyped_storage()._cdata not in storages:
                    by = next(filter(None, map(self.name, given)), name)
                    self._note(made, self._made(name, func, args, options, made), by)

    def read(self, func: Function, args: Arguments, options: Options, result: object) -> Read | None:
        """What a call has made of copies of ids, if that is no further copy."""
        name, given = _name(func), self._among((args, options))
        values = [result] if isinstance(result, bool | int | float) else list(tensors_in(result))
        if not given or not values or _in_place(name) or name in FORGETTING:
            return None
        if name not in PLACING and any(isinstance(value, Tensor) and is_ids(value) for value in values):
            return None
        before = {id(value): (value.clone(), self._number(value).clone()) for value in given}
        if any(bool((numbers == COMPUTED).any()) for _, numbers in before.values()):
            return None

        def other(ids: Tensor, value: object) -> object:
            if id(value) not in before:
                return value
            copy, numbers = before[id(value)]
            return torch.where(numbers < 0, copy, ids[numbers.clamp(min=0)].to(copy.dtype))

        def of(ids: Tensor) -> object:
            others, named = tree_map(partial(other, ids), (args, options))
            return func(*others, **named)

        return Read(name, tree_map(lambda value: value.clone() if isinstance(value, Tensor) else value, result), of)

    def _among(self, arguments: object) -> list[Tensor]:
        return [value for value in tensors_in(arguments) if self._of(value) is not None]

    def _of(self, value: Tensor) -> _Noted | None:
        if not is_ids(value) or value.layout != torch.strided:
            return None
        noted = self._noted.get(value.untyped_storage()._cdata)
        return noted if noted is not None and noted.keeper.element_size() == value.element_size() else None

    def _note(self, value: Tensor, numbers: Tensor | int, name: str) -> None:
        storage = value.untyped_storage()
        every = torch.full((storage.nbytes() // value.element_size(),), CONSTANT, device=value.device)
        self._noted[storage._cdata] = _Noted(every, name, value)
        self._number(value).copy_(torch.as_tensor(numbers, device=value.device))

    def _number(self, value: object) -> Tensor:
        """The numbers of a value's elements, those of a constant if none is an id's."""
        numbers = self.numbers(value)
        if numbers is not None:
            return numbers
        shape = value.shape if isinstance(value, Tensor) else ()
        device = value.device if isinstance(value, Tensor) else None
        return torch.full(shape, CONSTANT, device=device)

    def _write(self, name: str, args: Arguments) -> None:
        """A call that changes its first argument in place."""
        target = args[0]
        if not is_ids(target):
            return
        if self._of(target) is None:
            self._note(target, CONSTANT, name)
        numbers = self._number(target)
        if name == "__setitem__":
            numbers[args[1]] = self._number(args[2])
        elif name == "copy_":
            numbers.copy_(self._number(args[1]))
        elif name == "masked_fill_":
            numbers.masked_fill_(args[1], self._number(args[2]))
        else:
            numbers.fill_(CONSTANT if name in ("fill_", "zero_") else COMPUTED)

    def _made(self, name: str, func: Function, args: Arguments, options: Options, made: Tensor) -> Tensor | int:
        """The numbers of what a call has made."""
        if not args:
            return COMPUTED
        first, *rest = args
        if name in MOVING:
            numbers = tuple(map(self._number, first)) if isinstance(first, list | tuple) else self._number(first)
            moved: Tensor = func(numbers, *rest, **options)
            return moved
        if name in CONVERTING:
            return self._number(first).to(made.device)
        if name == "masked_fill" and len(rest) == 2:
            return self._number(first).masked_fill(rest[0], self._number(rest[1]))
        if name == "where" and len(rest) == 2 and first.dtype == torch.bool:
            return torch.where(first, self._number(rest[0]), self._number(rest[1]))
        if name == "pad" and options.get("mode", "constant") == "constant" and len(rest) < 2:
            return F.pad(self._number(first), rest[0] if rest else options["pad"], value=CONSTANT)
        return self._kept(args, made) if name in KEEPING and len(self._among(args)) == 1 else COMPUTED

    def _kept(self, args: Arguments, made: Tensor) -> Tensor:
        """Of an elementwise function of ids and something else, the numbers of the elements that it has left alone."""
        (ids,) = self._among(args)
        masked = [value == 0 for value in args[:2] if value is not ids]
        hidden = masked[0] if masked and isinstance(masked[0], Tensor) else torch.zeros_like(made, dtype=torch.bool)
        other = torch.where(hidden & (made == 0), CONSTANT, COMPUTED)
        return torch.where(made == ids, self._number(ids), other)


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors in a value, also in lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)


def _name(func: Function) -> str:
    return str(getattr(func, "__name__", func))


def _in_place(name: str) -> bool:
    return name == "__setitem__" or (name.endswith("_") and not name.endswith("__"))
