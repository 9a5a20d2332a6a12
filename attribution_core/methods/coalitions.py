"""Which coalitions to look at: rows of booleans, one per player."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor


def every(players: int) -> Tensor:
    """All coalitions, (2^players, players), from the empty one to the full one, as binary numbers."""
    numbers = torch.arange(1 << players)[:, None]
    return (numbers >> torch.arange(players).flip(0)) & 1 == 1


def pairs(players: int, count: int, random: torch.Generator) -> Tensor:
    """`count` different coalitions of the Shapley kernel, each standing for itself and its complement.

    Sizes are shared out in proportion to the kernel; a size whose coalitions are all wanted is enumerated, the others
    are sampled without replacement [covert2021]. A coalition never comes together with its complement. Order: by size,
    the smallest first. `count` is at most 2^(players − 1) − 1; neither empty nor full coalitions are among them.
    """
    found = [_of_size(players, size, wanted, random) for size, wanted in _shares(players, count).items() if wanted]
    return torch.cat([torch.zeros(0, players, dtype=torch.bool), *found])


def kernel(players: int, size: int) -> float:
    """The Shapley kernel's weight of all coalitions of a size and of their complements, up to a factor."""
    return (1 if 2 * size == players else 2) / (size * (players - size))


def _shares(players: int, count: int) -> dict[int, int]:
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
    found = 1
    for taken in range(size):
        found = found * (players - taken) // (taken + 1)
        if found > 2 * limit:
            return limit
    return min(limit, found // 2 if 2 * size == players else found)


def _of_size(players: int, size: int, wanted: int, random: torch.Generator) -> Tensor:
    halves = 2 * size == players
    capacity = _capacity(players, size, 4 * wanted + 64)
    if capacity < 4 * wanted + 64:
        places = torch.tensor(list(itertools.islice(itertools.combinations(range(players), size), capacity)))
        order = torch.arange(capacity) if wanted == capacity else torch.randperm(capacity, generator=random)
        return torch.zeros(wanted, players, dtype=torch.bool).scatter_(1, places[order[:wanted]], True)
    found = torch.zeros(0, players, dtype=torch.bool)
    while len(found) < wanted:
        places = torch.rand(wanted - len(found), players, generator=random).argsort(1)[:, :size]
        drawn = torch.zeros(len(places), players, dtype=torch.bool).scatter_(1, places, True)
        drawn = drawn ^ ~drawn[:, :1] if halves else drawn
        found = _different(torch.cat([found, drawn]))
    return found


def _different(coalitions: Tensor) -> Tensor:
    """Each coalition once, in the order of its first appearance."""
    seen = {row.tobytes(): place for place, row in reversed(list(enumerate(coalitions.numpy())))}
    return coalitions[sorted(seen.values())]
