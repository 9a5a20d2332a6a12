"""Linear surrogates of a model near an example, fitted to weighted samples: exactly, without a tolerance to choose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from attribution_core.errors import AttributionError

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Sample = tuple[Tensor, Tensor, Tensor]


class LinearModel(ABC):
    """Coefficients and an intercept, fitted by weighted least squares with or without a penalty.

    `fit` and `representation` are what LimeBase asks of any interpretable model.
    """

    _coefficients: Tensor | None = None

    @abstractmethod
    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        """Coefficients (B, n) from mean products of centred features (B, n, n) and of features and scores (B, n)."""

    def coefficients(self, features: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
        """(n, B) from features (k, n), scores (k, B) and weights (k, B), computed in float64."""
        x, y, w = (value.double().cpu() for value in (features, scores, weights))
        share = (w / w.sum(0)).T[:, :, None]
        # The best intercept goes through the weighted means, so that centred values need none.
        centred = x - (share * x).sum(1, keepdim=True)
        y = y.T[:, :, None] - (share * y.T[:, :, None]).sum(1, keepdim=True)
        weighted = (share * centred).mT
        return self._solved(weighted @ centred, (weighted @ y)[:, :, 0]).T

    def fit(self, train_data: Iterable[Sample]) -> None:
        """Fit to batches of (features (k, n), scores (k,), weights (k,)), such as a DataLoader yields."""
        features, scores, weights = map(torch.cat, zip(*train_data, strict=True))
        coefficients = self.coefficients(features, scores.reshape(-1, 1), weights.reshape(-1, 1))
        self._coefficients = coefficients.T.to(torch.float32 if not features.is_floating_point() else features.dtype)

    def representation(self) -> Tensor:
        """The coefficients of the last fit, (1, n)."""
        if self._coefficients is None:
            raise AttributionError(f"{type(self).__name__} has no coefficients yet.", "Call fit(batches) first.")
        return self._coefficients


@final
class LinearRegression(LinearModel):
    """No penalty; of several solutions the smallest."""

    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        inverse: Tensor = torch.linalg.pinv(gram, rtol=1e-10, hermitian=True)
        return (inverse @ moment[:, :, None])[:, :, 0]


@final
class Ridge(LinearModel):
    """Half the weighted mean of squared errors plus half `alpha` times the sum of squared coefficients."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _penalty(alpha)

    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        penalty = self.alpha * torch.eye(gram.shape[-1], dtype=gram.dtype)
        coefficients: Tensor = torch.linalg.solve(gram + penalty, moment)
        return coefficients


@final
class Lasso(LinearModel):
    """Half the weighted mean of squared errors plus `alpha` times the sum of absolute coefficients [tibshirani1996]."""

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = _penalty(alpha)

    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        return torch.from_numpy(_Path(gram.numpy(), moment.numpy()).at(self.alpha))


def _penalty(alpha: float) -> float:
    if not alpha >= 0:
        raise AttributionError(f"alpha={alpha!r}: expected a number ≥ 0.")
    return float(alpha)


class _Path:
    """Lasso solutions of a batch, followed from the penalty at which all coefficients are zero downwards [efron2004].

    A solution at penalty λ has correlations c = moment − gram · coefficients with c = ±λ where a coefficient is active
    (with its sign), and |c| ≤ λ elsewhere. While no coefficient joins or leaves the active ones, both are linear in λ,
    so that the path is followed exactly from one such event to the next. Arrays are (B, n), penalties (B,).
    """

    def __init__(self, gram: Array, moment: Array) -> None:
        count = moment.shape[1]
        ridge = 1e-12 * _largest(np.diagonal(gram, 0, 1, 2))  # of rounding size: equal features can be active together
        self.gram = gram + ridge[:, None, None] * np.eye(count)
        self.coefficients, self.correlations = np.zeros_like(moment), moment.copy()
        self.active, self.dropped = np.zeros(moment.shape, dtype=bool), np.zeros(moment.shape, dtype=bool)
        if count:
            self.active[np.arange(len(moment)), np.abs(moment).argmax(1)] = True
        self.start = _largest(np.abs(moment))
        self.penalty = self.start.copy()

    def at(self, alpha: float) -> Array:
        """The coefficients at a penalty."""
        for _ in range(20 * self.coefficients.shape[1]):  # a few events for each coefficient; never without an end
            rows = ((self.penalty > alpha) & (self.penalty > 1e-12 * self.start)).nonzero()[0]
            if not len(rows):
                break
            self._advance(rows, alpha)
        return self.coefficients

    def _advance(self, rows: npt.NDArray[np.intp], alpha: float) -> None:
        """Lower the penalty of some examples to their next event, or to `alpha` where it comes first."""
        gram, active, penalty = self.gram[rows], self.active[rows], self.penalty[rows]
        direction = _direction(gram, self.correlations[rows], active)
        decline = (gram @ direction[:, :, None])[:, :, 0]
        excluded = active | self.dropped[rows]  # what has just left is at the bound, and would join again at once
        joining = _joining(self.correlations[rows], decline, penalty, self.start[rows], excluded)
        leaving = _leaving(self.coefficients[rows], direction, active)
        joins, leaves = joining.min(1), leaving.min(1)
        step = np.minimum(np.minimum(penalty - alpha, joins), leaves)
        self.coefficients[rows] += step[:, None] * direction
        self.correlations[rows] -= step[:, None] * decline
        self.penalty[rows] -= step
        left = step == leaves
        joined = (step == joins) & ~left
        self.dropped[rows] = False
        self._drop(rows[left], leaving[left].argmin(1))
        self.active[rows[joined], joining[joined].argmin(1)] = True

    def _drop(self, rows: npt.NDArray[np.intp], places: npt.NDArray[np.intp]) -> None:
        self.active[rows, places], self.coefficients[rows, places], self.dropped[rows, places] = False, 0, True


def _largest(values: Array) -> Array:
    largest: Array = values.max(1, initial=0)
    return largest


def _direction(gram: Array, correlations: Array, active: Mask) -> Array:
    """The change of the coefficients per unit that the penalty falls.

    Correlations of active coefficients must fall with the penalty, gram · direction = sign(correlations); the others'
    coefficients stay zero, here as rows of the identity matrix.
    """
    active_gram = np.where(active[:, :, None] & active[:, None, :], gram, np.eye(correlations.shape[1]))
    direction: Array = np.linalg.solve(active_gram, np.where(active, np.sign(correlations), 0)[:, :, None])[:, :, 0]
    return direction


def _joining(correlations: Array, decline: Array, penalty: Array, start: Array, excluded: Mask) -> Array:
    """The fall of the penalty at which each inactive correlation reaches ±penalty [efron2004, (2.13)]."""

    def falls(gap: Array, rate: Array) -> Array:
        ahead = np.divide(gap, rate, out=np.full_like(gap, np.inf), where=rate > 0)
        return np.where(gap <= 1e-12 * start[:, None], 0, ahead)  # there already, but for rounding

    above = falls(penalty[:, None] - correlations, 1 - decline)
    below = falls(penalty[:, None] + correlations, 1 + decline)
    return np.where(excluded, np.inf, np.minimum(above, below))


def _leaving(coefficients: Array, direction: Array, active: Mask) -> Array:
    """The fall of the penalty at which each active coefficient returns to zero [efron2004, (3.4)]."""
    shrinks = active & (coefficients * direction < 0)
    return np.divide(-coefficients, direction, out=np.full_like(coefficients, np.inf), where=shrinks)
