"""Shapley values of the game that removing features plays with the score [shapley1953]."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache, reduce

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.draws import Draws
from attribution_core.evaluation.observe import portion, report
from attribution_core.methods.coalitions import blocks, every, kernel, pairs, refuse_too_many, sizes
from attribution_core.methods.factor import STEP, factor, smallest_solution
from attribution_core.methods.game import Game

MOST_PLAYERS = 20
"""Players whose coalitions may all be looked at: a million."""

MOST_OBSERVED = 1024
"""Pairs of coalitions up to which the posterior mean is used: it costs their number cubed."""

MOST_REGRESSED = 1024
"""Players up to which ShapleyValueSampling solves a regression rather than average permutations."""

MOST_SOLVED = 4096
"""Size of the largest system that is solved: a matrix of 128 MiB. More pairs are taken in groups of this size."""

SPREADS = (1e-4, 0.01, 0.1, 0.3, 1.0, 2.0, 4.0)
"""n·ρ: how many players interact beyond pairs, so to say; the prior's only parameter, chosen by its likelihood. From
games that are all but additive to those that are mostly interactions."""

JITTER = 1e-10
"""Added to the variance of a coalition's score, as a share of it: smooth priors make covariances singular but for
rounding, of about 1e-13 for a thousand coalitions; what is added is noise of a hundred-thousandth of the scores'
deviation."""

SMALL = 1 << 18
"""Coalitions times players up to which a fit takes no time to speak of."""

MOST_JUDGED = 128
"""Pairs that the likelihood looks at, or twice the number of players."""


def shapley_values(game: Game) -> Tensor:
    """The exact values from all 2^n coalitions, (players, B) [shapley1953]."""
    players = game.players
    if players > MOST_PLAYERS:
        raise AttributionError(
            f"Exact Shapley values of {players} features need 2^{players} evaluations.",
            f"Use ShapleyValueSampling or KernelShap, or a feature_mask with at most {MOST_PLAYERS} groups.",
        )
    coalitions = every(players)
    scores = game.values(len(coalitions), lambda start, stop: coalitions[start:stop])
    cube = scores.double().cpu().reshape(*[2] * players, -1)
    weights = _of_joining(players)
    rises = [(cube.select(player, 1) - cube.select(player, 0)).reshape(len(weights), -1) for player in range(players)]
    return torch.stack([weights @ rise for rise in rises]).to(scores)


@lru_cache(maxsize=4)
def _of_joining(players: int) -> Tensor:
    """How much the rise counts when a player joins a coalition of others, for each of these, (2^(players − 1),).

    φ_i = Σ_{S∌i} |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)) [shapley1953], the weight being 1 / (n C(n−1, |S|)).
    """
    by_size = [1 / (players * math.comb(players - 1, size)) for size in range(players)]
    return torch.tensor(by_size, dtype=torch.float64)[sizes(every(players - 1))]


def permutation_values(game: Game, permutations: int, draws: Draws, antithetic: bool = False) -> Tensor:
    """Mean rise of the score when a player joins in random order, (players, B) [castro2009].

    `antithetic`: every other order is that before it, reversed [mitchell2022].
    """
    players = game.players
    refuse_too_many(permutations, players, each=16)
    orders = torch.stack([_order(players, place, draws, antithetic) for place in range(permutations)])
    ranks = orders.argsort(1)

    def coalitions(start: int, stop: int) -> Tensor:
        steps = torch.arange(start, stop)
        size = torch.where(steps < 2, steps * players, (steps - 2) % max(1, players - 1) + 1)
        return ranks[(steps - 2).clamp(min=0) // max(1, players - 1)] < size[:, None]

    scores = game.values(2 + permutations * (players - 1), coalitions)
    empty, full = (s.expand(permutations, 1, -1) for s in scores[:2])
    along = torch.cat([empty, scores[2:].reshape(permutations, players - 1, scores.shape[1]), full], 1)
    rises = along.diff(dim=1).gather(1, ranks.to(scores.device)[:, :, None].expand(-1, -1, scores.shape[1]))
    return rises.mean(0)


def _order(players: int, place: int, draws: Draws, antithetic: bool) -> Tensor:
    order = torch.randperm(players, generator=draws.at(place - place % 2 if antithetic else place))
    return order.flip(0) if antithetic and place % 2 else order


def estimated_values(game: Game, evaluations: int, draws: Draws, tolerance: float | None = None) -> Tensor:
    """Shapley values from at most `evaluations` coalitions (at least 2), which sum to v(N) − v(∅), (players, B).

    Exact where that is enough for all of them. With a tolerance, the number of coalitions is doubled until no value of
    an example changes by more than that share of its largest.
    """
    players = game.players
    if players <= MOST_PLAYERS and 1 << players <= max(2, evaluations):
        return shapley_values(game)
    count = max(1, evaluations // 2)
    refuse_too_many(count, players)
    chosen = pairs(players, count - 1, draws.at(0), full=True)
    if tolerance is None:
        return _at_once(game, chosen)
    return _until_settled(game, chosen[_mixed(count, draws)], tolerance)


def _at_once(game: Game, chosen: Tensor) -> Tensor:
    passes = 2 * len(chosen)
    fit = passes // 10 if chosen.numel() > SMALL else 0
    with portion(0, passes, passes + fit):
        halves = _halves(game, chosen)
    with portion(passes, fit, passes + fit):
        values = _fitted(chosen, halves)
        report(1, 1)
    return values


def _halves(game: Game, chosen: Tensor, reported: bool = True) -> Tensor:
    """Half of v(S) − v(N∖S) for every chosen S, (k, B): all that Shapley values depend on."""

    def coalitions(start: int, stop: int) -> Tensor:
        some = chosen[start // 2 : (stop + 1) // 2]
        both = torch.stack([some, ~some], 1).flatten(0, 1)  # S, N∖S, S', N∖S', …
        return both[start % 2 :][: stop - start]

    scores = game.values(2 * len(chosen), coalitions, reported=reported)
    return (scores[::2] - scores[1::2]) / 2


def _mixed(count: int, draws: Draws) -> Tensor:
    """The full coalition first, then all sizes mixed."""
    return torch.cat([torch.zeros(1, dtype=torch.long), 1 + torch.randperm(count - 1, generator=draws.at(1))])


def _until_settled(game: Game, chosen: Tensor, tolerance: float) -> Tensor:
    stops = [count for shift in range(12, -1, -1) if (count := len(chosen) >> shift) > min(8, len(chosen) - 1)]
    seen = _halves(game, chosen[: stops[0]], reported=False)
    values = _fitted_unreported(chosen[: stops[0]], seen)
    moving = torch.ones_like(values[0], dtype=torch.bool)
    for start, stop in itertools.pairwise(stops):
        report(start, len(chosen))
        seen = torch.cat([seen, _halves(game, chosen[start:stop], reported=False)])
        better = torch.where(moving, _fitted_unreported(chosen[:stop], seen), values)
        moving = (better - values).abs().amax(0) > tolerance * better.abs().amax(0)
        values = better
        if not moving.any():
            break
    report(len(chosen), len(chosen))
    return values


def _fitted_unreported(chosen: Tensor, odd: Tensor) -> Tensor:
    with portion(0, 0, 0):
        return _fitted(chosen, odd)


def _fitted(chosen: Tensor, odd: Tensor) -> Tensor:
    """Values from halves of the first, full coalition and of others, made to sum to twice the first."""
    half, (count, players) = odd.double().cpu(), chosen.shape
    if count <= max(MOST_OBSERVED, min(players, MOST_SOLVED)):
        values = _posterior_mean(chosen, half)
    elif players <= MOST_SOLVED:
        values = _least_squares(chosen, half)
    else:
        groups = -(-count // MOST_SOLVED)
        parts = [[0, *range(1 + first, count, groups)] for first in range(groups)]
        values = torch.zeros(players, half.shape[1], dtype=half.dtype)
        for place, part in enumerate(parts):
            with portion(100 * place, 100, 100 * groups):
                values += _posterior_mean(chosen[part], half[part]) / groups
    missing = 2 * half[0] - values.sum(0)
    return (values + missing / players).to(odd)


def _posterior_mean(chosen: Tensor, half: Tensor) -> Tensor:
    """Expected Shapley values of a random game that passes through what was observed: Bayesian quadrature [ohagan1991].

    With s ∈ {−1, 1}^n, the odd part of a game is Σ a_T Π_{i∈T} s_i over sets T of odd size. Independent coefficients
    of variance ρ^|T| give the covariances Π(1 + ρ s_i s'_i), odd part, between two coalitions, and ∫₀^ρ 2 s_i
    Π_{j≠i}(1 + r s_j) dr, even part, between a Shapley value and a coalition. ρ is chosen by likelihood.
    """
    players, others = chosen.shape[1], sizes(chosen)[:, None] - 1
    apart = _distances(chosen)
    between, reach = _priors(players)
    likeliest = _likeliest(between, apart, half)
    priors = sorted(set(likeliest.tolist()))
    values = torch.empty(players, half.shape[1], dtype=half.dtype)
    for prior in priors:
        mine = likeliest == prior if len(priors) > 1 else slice(None)
        weights = torch.cholesky_solve(half[:, mine], _factor(between[prior, apart]))
        # the full coalition leaves nobody out
        inside, outside = reach[prior, others], -reach[prior, (others + 1) % players]
        parts = [torch.where(chosen[:, some], inside, outside).T @ weights for some in blocks(players, len(chosen))]
        values[:, mine] = torch.cat(parts)
    return values


def _likeliest(between: Tensor, apart: Tensor, half: Tensor) -> Tensor:
    """The number of the prior that explains the scores of each example best, judged by some of the pairs."""
    players = between.shape[1] - 1
    some = slice(None, None, -(-len(apart) // min(max(MOST_JUDGED, 2 * players), MOST_OBSERVED)))
    judged = apart[some, some]
    surprises = [_surprise(between[priors][:, judged], half[some]) for priors in blocks(len(between), judged.numel())]
    return torch.cat(surprises).argmin(0)


def _distances(chosen: Tensor) -> Tensor:
    """In how many players each two coalitions differ, (k, k)."""
    count, players = chosen.shape
    parts = (chosen[:, some].float() for some in blocks(players, count))  # exact in float32 up to 2^24 players
    more = reduce(Tensor.add_, (members @ (1 - members).T for members in parts))
    return (more + more.T).long()


def _signs(coalitions: Tensor) -> Tensor:
    return coalitions.double() * 2 - 1


def _factor(covariance: Tensor) -> Tensor:
    """The Cholesky factor of covariances, which may be overwritten."""
    if len(covariance) > STEP:
        return torch.from_numpy(factor(covariance.numpy(), reported=True))
    lower: Tensor = torch.linalg.cholesky(covariance)
    return lower


def _surprise(covariances: Tensor, half: Tensor) -> Tensor:
    """−log likelihood, the scale of the scores being free, for each covariance and example."""
    factors: Tensor = torch.linalg.cholesky(covariances)
    weights = torch.cholesky_solve(half.expand(len(factors), *half.shape), factors)
    return (half * weights).sum(1).log() * len(half) / 2 + factors.diagonal(dim1=1, dim2=2).log().sum(1, keepdim=True)


@lru_cache
def _priors(players: int) -> tuple[Tensor, Tensor]:
    """For each spread: covariances of coalitions that differ in 0, 1, … players; and of a value with coalitions of
    0, 1, … other members. Never handed out of this file, nor changed."""
    rho = torch.tensor([min(spread / players, 0.9) for spread in SPREADS], dtype=torch.float64)[:, None]
    apart = torch.arange(players + 1.0, dtype=torch.float64)
    nodes, weights = (torch.from_numpy(a) for a in np.polynomial.legendre.leggauss(16))
    members, reach = apart[:-1], []
    for at in rho[:, :, None] * (1 + nodes[:, None]) / 2:  # one after the other: each takes 16 numbers for each player
        even = _product(at, players - 1 - members, members) + _product(-at, players - 1 - members, members)
        reach.append((weights[:, None] * even).sum(0) / 2)
    between = (_product(rho, apart, players - apart) - _product(-rho, apart, players - apart)) / 2
    between[:, 0] *= 1 + JITTER
    return between, rho * torch.stack(reach)


def _product(rho: Tensor, minus: Tensor, plus: Tensor) -> Tensor:
    """Π(1 + ρ s) over as many negative and positive s."""
    return (1 - rho) ** minus * (1 + rho) ** plus


def _least_squares(chosen: Tensor, half: Tensor) -> Tensor:
    """Weighted by the Shapley kernel, in closed form, the sum of the values being known [lundberg2017].

    Of eq. 2: the values φ that minimize Σ_S w(S) (Σ_i s_i φ_i − 2 half(S))², s_i = ±1 for members and others, as S and
    its complement together say it. Their sum is held by a Lagrange multiplier, along the inverse's row sums.
    """
    players = chosen.shape[1]
    smaller = sizes(chosen[1:])
    smaller = torch.minimum(smaller, players - smaller)
    mass = torch.tensor([0.0] + [kernel(players, size) for size in range(1, players // 2 + 1)], dtype=torch.float64)
    weights = (mass / smaller.bincount(minlength=len(mass)).clamp(min=1))[smaller]
    gram, moment = half.new_zeros(players, players), half.new_zeros(players, half.shape[1])
    for some in blocks(len(chosen) - 1, players):
        signs = _signs(chosen[1:][some])
        scaled = signs * weights[some, None]
        gram += scaled.T @ signs
        moment += scaled.T @ (2 * half[1:][some])
    both = torch.cat([torch.ones(players, 1, dtype=half.dtype), moment], 1)
    found = torch.from_numpy(smallest_solution(gram.numpy(), both.numpy()))
    direction, free = found[:, :1], found[:, 1:]
    return free + direction * ((2 * half[:1] - free.sum(0)) / direction.sum())
