"""The lasso of many features: proximal gradient steps find the active ones, Newton steps their exact values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from attribution_core.evaluation.observe import checkpoint, portion, report, warn
from attribution_core.methods.factor import solution
from attribution_core.methods.regression import Array, Places, Regression

ROOM = 2048
"""Features up to which all are looked at together."""

SPARE = 512
"""Features looked at besides as many as there are samples: a solution needs no more than there are samples."""

MANY_STEPS = 300
"""Gradient steps that random samples need; where they were not enough, features depend on each other, and are taken in
one by one."""

MOST_STEPS = 20_000
"""Steps, or what costs as much, after which the best found is the answer."""

MOST_NUMBERS = 1 << 24
"""Numbers of features times samples that are looked at together where several solutions are equally good, 128 MiB."""

FEWEST_STEPS = 10
"""Gradient steps before a Newton step; more where that costs more."""

RIDGE = 1e-9
"""Added to the diagonal in Newton steps, of features of deviation 1: active features may depend on each other."""

ACCURACY = 1e-10
"""By how much of the penalty, or of the largest correlation times 1e-3, a correlation may be wrong at the end."""


def lasso(regression: Regression, alpha: float) -> Array:
    """Coefficients c that minimize ‖Zc − t‖² / 2 + alpha ‖c‖₁ [tibshirani1996], (n,); equal features share theirs."""
    first, group, sign = regression.different
    found = _of_different(regression.only(first), alpha)
    shared: Array = (found / np.bincount(group, minlength=len(first)))[group] * sign
    return shared


def _of_different(regression: Regression, alpha: float) -> Array:
    scale = regression.deviations
    used = (scale > 0).nonzero()[0]
    coefficients = np.zeros(len(scale))
    scale, moment = scale[used], regression.moment[used] / scale[used]
    penalties = alpha / scale
    if not (np.abs(moment) > penalties).any():
        return coefficients
    if regression.count <= regression.samples:
        with portion(0, 100, 200):
            gram = regression.gram()[np.ix_(used, used)] / scale / scale[:, None]
        with portion(100, 100, 200):
            found = _Search(_Dense(gram), moment, penalties, regression.samples).run(np.zeros(len(used)), MOST_STEPS)[0]
    else:
        found = _by_working_sets(regression, used, moment, penalties)
    coefficients[used] = found / scale
    return coefficients


def _by_working_sets(regression: Regression, used: Places, moment: Array, penalties: Array) -> Array:
    """Look at some features only, until no other one's correlation exceeds its penalty [tibshirani2012]."""
    scale, found = regression.deviations[used], np.zeros(len(used))
    room = max(regression.samples + SPARE, ROOM)
    most, left_over = max(room, MOST_NUMBERS // regression.samples), MOST_STEPS
    rounding = ACCURACY * np.abs(moment).max()
    chosen = _largest(np.abs(moment) - penalties, room)
    for place in range(MOST_STEPS):
        columns = regression.columns(used[chosen])
        columns /= scale[chosen]
        with portion(1024 - (1024 >> place), 512 >> place, 1024):
            search = _Search(_Factored(columns), moment[chosen], penalties[chosen], regression.samples)
            found[chosen], left_over = search.run(found[chosen], left_over)
        left = regression.scores - columns @ found[chosen]
        excess = np.abs(regression.correlations(left)[used] / scale) - penalties
        excess[chosen] = -np.inf
        if not (excess > rounding).any():
            break
        active = int(np.count_nonzero(found))
        if not left_over or active >= most:
            _stopped_early()
            break
        excess[found != 0] = np.inf
        room = min(most, max(room, 2 * active))  # several solutions, one with many features
        chosen = _largest(excess, min(room, int((excess > rounding).sum())))
    return found


def _largest(values: Array, count: int) -> Places:
    return np.sort(np.argsort(-values, kind="stable")[:count])


class _Quadratic(ABC):
    """c ↦ Gc of features whose deviation is 1."""

    @abstractmethod
    def times(self, coefficients: Array) -> Array:
        """Gc."""

    @abstractmethod
    def among(self, places: Places) -> Array:
        """G of some features."""

    @abstractmethod
    def steps_of_newton(self, active: int) -> float:
        """How many products `times` a Newton step costs."""


@dataclass(frozen=True, eq=False)
class _Dense(_Quadratic):
    gram: Array

    def times(self, coefficients: Array) -> Array:
        return self.gram @ coefficients

    def among(self, places: Places) -> Array:
        return self.gram[np.ix_(places, places)]

    def steps_of_newton(self, active: int) -> float:
        return float(active) ** 3 / self.gram.size / 3


@dataclass(frozen=True, eq=False)
class _Factored(_Quadratic):
    columns: Array

    def times(self, coefficients: Array) -> Array:
        return (self.columns @ coefficients) @ self.columns

    def among(self, places: Places) -> Array:
        some = self.columns[:, places]
        return some.T @ some

    def steps_of_newton(self, active: int) -> float:
        return float(active) ** 2 * (active / 3 + len(self.columns)) / self.columns.size / 2


class _Search:
    """Accelerated proximal gradient steps [beck2009], restarted where they overshoot [odonoghue2015], and, on the
    features that these leave active, Newton steps with an exact line search through all changes of sign [lee2006].
    """

    def __init__(self, quadratic: _Quadratic, moment: Array, penalties: Array, samples: int) -> None:
        self.quadratic, self.moment, self.penalties = quadratic, moment, penalties
        self.curvature = _curvature(quadratic, moment)
        self.joining = 16
        self.most_active = max(samples + SPARE, ROOM)
        largest = np.abs(moment).max(initial=0)
        self.accuracy = ACCURACY * max(penalties.max(initial=0), 1e-3 * largest)

    def run(self, start: Array, most: int) -> tuple[Array, int]:
        """The coefficients, and how many of `most` steps are left."""
        best, steps, many = self._at(start), 0, MANY_STEPS
        while self._wrong(best) > self.accuracy:
            if steps >= most:
                _stopped_early()
                break
            by_gradient = steps < many
            after, cost = self._descended(best) if by_gradient else self._joined(best)
            steps += cost
            report(steps, steps + MANY_STEPS)
            lower = after.height < best.height - 1e-13 * abs(best.height)
            if lower or after.height <= best.height + 1e-12 * abs(best.height):
                best = after
            elif by_gradient:
                self.curvature *= 2  # which was taken for too small
            if not by_gradient:
                self.joining = min(2 * self.joining, 64) if lower else self.joining // 2
                if not self.joining:
                    many, self.joining = steps + 1, 1  # lost in rounding
        return best.coefficients, max(0, most - steps)

    def _at(self, coefficients: Array) -> _Point:
        correlations = self.moment - self.quadratic.times(coefficients)
        height = self.penalties @ np.abs(coefficients) - coefficients @ (self.moment + correlations) / 2
        return _Point(coefficients, correlations, float(height))

    def _wrong(self, point: _Point) -> float:
        """By how much a correlation differs from ±penalty where active, or exceeds it elsewhere."""
        active = np.abs(point.correlations - self.penalties * np.sign(point.coefficients))
        excess = np.abs(point.correlations) - self.penalties
        return float(np.where(point.coefficients != 0, active, excess).max(initial=0))

    def _descended(self, point: _Point) -> tuple[_Point, int]:
        """After some gradient steps and a Newton step, where that leads lower; and how many they were."""
        now = point.coefficients
        count = max(FEWEST_STEPS, self._cost(now) // 3)
        now = self._gradient_steps(now, count)
        return min(self._at(now), self._at(self._newton(now, np.sign(now))), key=lambda point: point.height), count

    def _cost(self, coefficients: Array) -> int:
        """Of a Newton step, in gradient steps."""
        return int(self.quadratic.steps_of_newton(min(self.most_active, int(np.count_nonzero(coefficients)))))

    def _joined(self, point: _Point) -> tuple[_Point, int]:
        """After a Newton step in which the features join that are most wrong to be left out; and what it cost."""
        signs = np.sign(point.coefficients)
        wrong = np.abs(point.correlations - self.penalties * signs)
        excess = np.where(signs != 0, -np.inf, np.abs(point.correlations) - self.penalties)
        joining = _largest(excess, self.joining)
        joining = joining[excess[joining] > np.where(signs != 0, wrong, 0).max()]
        signs[joining] = np.sign(point.correlations[joining])
        return self._at(self._newton(point.coefficients, signs)), max(FEWEST_STEPS, self._cost(signs))

    def _gradient_steps(self, start: Array, count: int) -> Array:
        now = ahead = start
        momentum, threshold = 1.0, self.penalties / self.curvature
        for _ in range(count):
            checkpoint()
            moved = ahead + (self.moment - self.quadratic.times(ahead)) / self.curvature
            after = moved - np.maximum(np.minimum(moved, threshold), -threshold)
            if (ahead - after) @ (after - now) > 0:
                momentum = 1.0
            following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
            ahead, now = after + (momentum - 1) / following * (after - now), after
            momentum = following
        return now

    def _newton(self, now: Array, signs: Array) -> Array:
        """The lowest point on the way to where the correlations of all features with a sign are ±penalty."""
        checkpoint()
        active = signs.nonzero()[0]
        if len(active) > self.most_active:
            return now
        values, penalties = now[active], self.penalties[active]
        gram = self.quadratic.among(active)
        downhill = self.moment[active] - gram @ values - penalties * signs[active]
        curved = gram.copy()
        np.fill_diagonal(curved, curved.diagonal() + RIDGE)
        direction = solution(curved, downhill)
        bend = float(direction @ gram @ direction)
        after = now.copy()
        crossing = np.divide(-values, direction, out=np.full_like(values, np.inf), where=values * direction < 0)
        crossing[(values == 0) & (direction * signs[active] < 0)] = 0
        after[active] = _lowest(values, direction, crossing, float(downhill @ direction), bend, penalties)
        return after


def _stopped_early() -> None:
    warn(
        "The fit of a lasso was stopped before its end, because many solutions are almost equally good: its penalty is "
        "small beside the scores. Take larger groups of features, more samples, or a larger alpha."
    )


class _Point(NamedTuple):
    """Coefficients c, Zᵀ(t − Zc), and ‖Zc − t‖² / 2 + penalties · |c| but for a constant."""

    coefficients: Array
    correlations: Array
    height: float


def _curvature(quadratic: _Quadratic, moment: Array) -> float:
    """The largest eigenvalue, by power iteration, and a little more."""
    vector, length = moment, _norm(moment)
    for _ in range(15):
        vector = quadratic.times(vector / length)
        length = _norm(vector)
        if not length:
            return 1.0
    return 1.1 * length


def _norm(vector: Array) -> float:
    """As `np.linalg.norm`, which takes longer than the vectors of a small fit."""
    return math.sqrt(vector @ vector)


def _lowest(values: Array, direction: Array, crossing: Array, fall: float, bend: float, penalties: Array) -> Array:
    """The point of least error and penalty along a direction: convex, and quadratic between changes of sign.

    Its slope is −fall at the start, rises by `bend` per length, and at each change of sign by twice the penalty there.
    """
    order = np.argsort(crossing)[: np.isfinite(crossing).sum()]
    ends = np.append(crossing[order], np.inf)
    jumps = np.append(0, np.cumsum(2 * penalties[order] * np.abs(direction[order])))
    level = (fall - jumps) / max(bend, 1e-30)
    place = int((level <= ends).argmax())
    length = level[place] if place == 0 else max(level[place], ends[place - 1])
    found: Array = values + length * direction
    if place and length == ends[place - 1]:
        found[order[place - 1]] = 0
    return found
