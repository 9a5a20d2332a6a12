"""Which coalitions to look at: rows of booleans, one per player."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import checkpoint

Places = npt.NDArray[np.intp]
Truths = npt.NDArray[np.bool_]

BLOCK = 1 << 20
"""Numbers in one intermediate tensor, where coalitions times players are too many to hold as more than booleans."""

MOST_BYTES = 1 << 30
"""Bytes that coalitions may take, one for each player of each."""


def blocks(total: int, others: int) -> Iterator[slice]:
    """Slices of 0…total, so small that each has about `BLOCK` numbers with `others` along the other dimension.

    Between them the caller may stop.
    """
    step = max(1, BLOCK // max(1, others))
    for start in range(0, total, step):
        checkpoint()
        yield slice(start, min(start + step, total))


def refuse_too_many(coalitions: int, players: int, each: int = 1) -> None:
    """To be called before the first pass; `each`: bytes for a player of a coalition."""
    if coalitions * players * each > MOST_BYTES:
        raise AttributionError(
            f"{coalitions} samples of {players} features take {coalitions * players * each / (1 << 30):.3g} GiB, "
            f"more than {MOST_BYTES / (1 << 30):.3g}.",
            "Take fewer samples, or a feature_mask with larger groups.",
        )


def every(players: int) -> Tensor:
    """All coalitions, (2^players, players), from the empty one to the full one, as binary numbers."""
    found, places = np.empty((1 << players, players), dtype=np.bool_), np.arange(players)[::-1]
    for some in blocks(1 << players, players):
        found[some] = np.arange(some.start, some.stop)[:, None] >> places & 1
    return torch.from_numpy(found)


def sizes(coalitions: Tensor) -> Tensor:
    """How many players each has; torch would hold all of them as integers."""
    return torch.from_numpy(np.count_nonzero(coalitions.numpy(), axis=1))


def halves(players: int, count: int, random: torch.Generator) -> Tensor:
    """Random coalitions, each followed by its complement, (count, players)."""
    found = torch.empty(count - count // 2, 2, players, dtype=torch.bool)
    for some in blocks(len(found), players):
        drawn = torch.rand(some.stop - some.start, players, generator=random) < 0.5
        found[some, 0], found[some, 1] = drawn, ~drawn
    return found.flatten(0, 1)[:count]


def pairs(players: int, count: int, random: torch.Generator, *, full: bool = False) -> Tensor:
    """`count` different coalitions of the Shapley kernel, each standing for itself and its complement.

    Sizes are shared out in proportion to the kernel; a size whose coalitions are all wanted is enumerated, the others
    are sampled without replacement [covert2021]. A coalition never comes together with its complement. Order: by size,
    the smallest first. `count` is at most 2^(players − 1) − 1; neither empty nor full coalitions are among them.

    `full`: the full coalition comes before them.
    """
    shares = _shares(players, count)
    whole = [size for size, wanted in shares.items() if _capacity(players, size, 2 * wanted) < 2 * wanted]
    sizes = [size for size, wanted in shares.items() if size not in whole for _ in range(wanted)]
    first = [np.ones((1, players), dtype=np.bool_)] if full else []
    listed = [_listed(players, size, shares[size], random) for size in whole]
    return torch.from_numpy(np.concatenate([*first, *listed, _drawn(players, np.array(sizes, dtype=np.intp), random)]))


def kernel(players: int, size: int) -> float:
    """The Shapley kernel's weight of all coalitions of a size and of their complements, up to a factor [lundberg2017].

    One coalition of size s weighs (n − 1) / (C(n, s) s (n − s)), theorem 2; there are C(n, s), as many as complements.
    """
    return (1 if 2 * size == players else 2) / (size * (players - size))


@lru_cache
def _shares(players: int, count: int) -> Mapping[int, int]:
    """How many of `count` pairs each size gets; none more than it has, the rest by largest remainder."""
    sizes = range(1, players // 2 + 1)
    capacity = {size: _capacity(players, size, count) for size in sizes}
    shares: dict[int, int] = {}
    for size in sizes:
        mass = sum(kernel(players, s) for s in sizes[size - 1 :])
        rest = count - sum(shares.values())
        if rest * kernel(players, size) < capacity[size] * mass:
            break
        shares[size] = capacity[size]
    rest, others = count - sum(shares.values()), sizes[len(shares) :]
    exact = {size: rest * kernel(players, size) / mass for size in others}
    shares |= {size: int(exact[size]) for size in others}
    left = count - sum(shares.values())
    for size in sorted(others, key=lambda size: int(exact[size]) - exact[size])[:left]:
        shares[size] += 1
    return shares


def _capacity(players: int, size: int, limit: int) -> int:
    """How many coalitions of a size there are, half of them where complements have the same size; at most `limit`."""
    count = 1
    for taken in range(size):
        count = count * (players - taken) // (taken + 1)
        if count > 2 * limit:
            return limit
    return min(limit, count // 2 if 2 * size == players else count)


def _listed(players: int, size: int, wanted: int, random: torch.Generator) -> Truths:
    """Some of the coalitions of a size that has few."""
    capacity = _capacity(players, size, 2 * wanted)
    members = np.array(list(itertools.islice(itertools.combinations(range(players), size), capacity)))
    if wanted < capacity:
        members = members[torch.randperm(capacity, generator=random)[:wanted].numpy()]
    found = np.zeros((wanted, players), dtype=np.bool_)
    found[np.arange(wanted)[:, None], members] = True
    return found


def _drawn(players: int, sizes: Places, random: torch.Generator) -> Truths:
    """Random coalitions of the given sizes, none twice; those of half the players contain the first player."""
    found = np.empty((len(sizes), players), dtype=np.bool_)
    wanted, seen = np.arange(len(sizes)), set[bytes]()
    while len(wanted):
        again = []
        for some in blocks(len(wanted), players):
            places = wanted[some]
            drawn = _of_sizes(players, sizes[places], random)
            drawn ^= (2 * sizes[places] == players)[:, None] & ~drawn[:, :1]
            found[places] = drawn
            again.append(places[_seen(drawn, seen)])
        wanted = np.concatenate(again)
    return found


def _of_sizes(players: int, sizes: Places, random: torch.Generator) -> Truths:
    """One coalition of each size: the players with the smallest of random numbers."""
    order = torch.rand(len(sizes), players, generator=random).argsort(1).numpy()
    found = np.empty(order.shape, dtype=np.bool_)
    found[np.arange(len(sizes))[:, None], order] = np.arange(players) < sizes[:, None]
    return found


def _seen(coalitions: Truths, seen: set[bytes]) -> Truths:
    """True where a coalition is among those seen, which these are from now on."""
    repeated = []
    for row in np.packbits(coalitions, axis=1):
        key = row.tobytes()
        repeated.append(key in seen)
        seen.add(key)
    return np.array(repeated, dtype=np.bool_)
