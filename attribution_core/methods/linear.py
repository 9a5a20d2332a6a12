"""Linear models that stand in for a model near an example: fitted to weighted samples, exactly and without iterations
where a closed form exists."""

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
Places = npt.NDArray[np.bool_]
Sample = tuple[Tensor, Tensor, Tensor]


class LinearModel(ABC):
    """Coefficients and an intercept, fitted by weighted least squares with or without a penalty.

    `fit` and `representation` are what LimeBase asks of any interpretable model.
    """

    _found: Tensor | None = None

    @abstractmethod
    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        """Coefficients (B, n) from mean products of centred features (B, n, n) and of features and scores (B, n)."""

    def coefficients(self, features: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
        """(n, B) from features (k, n), scores (k, B) and weights (k, B), computed in float64."""
        x, y, w = (value.double().cpu() for value in (features, scores, weights))
        share = (w / w.sum(0)).T[:, :, None]
        centred = x - (share * x).sum(1, keepdim=True)
        y = y.T[:, :, None] - (share * y.T[:, :, None]).sum(1, keepdim=True)
        weighted = (share * centred).mT
        return self._solved(weighted @ centred, (weighted @ y)[:, :, 0]).T

    def fit(self, train_data: Iterable[Sample]) -> None:
        """Fit to batches of (features (k, n), scores (k,), weights (k,)), such as a DataLoader yields."""
        features, scores, weights = map(torch.cat, zip(*train_data, strict=True))
        found = self.coefficients(features, scores.reshape(-1, 1), weights.reshape(-1, 1))
        self._found = found.T.to(torch.float32 if not features.is_floating_point() else features.dtype)

    def representation(self) -> Tensor:
        """The coefficients of the last fit, (1, n)."""
        if self._found is None:
            raise AttributionError(f"{type(self).__name__} has no coefficients yet.", "Call fit(batches) first.")
        return self._found


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
        found: Tensor = torch.linalg.solve(gram + penalty, moment)
        return found


@final
class Lasso(LinearModel):
    """Half the weighted mean of squared errors plus `alpha` times the sum of absolute coefficients [tibshirani1996]."""

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = _penalty(alpha)

    def _solved(self, gram: Tensor, moment: Tensor) -> Tensor:
        return torch.from_numpy(_homotopy(gram.numpy(), moment.numpy(), self.alpha))


def _penalty(alpha: float) -> float:
    if not alpha >= 0:
        raise AttributionError(f"alpha={alpha!r}: expected a number ≥ 0.")
    return float(alpha)


def _homotopy(gram: Array, moment: Array, alpha: float) -> Array:
    """Follow each example's solution, linear in pieces, from the penalty at which all is zero down to `alpha`
    [efron2004]; (B, n) from (B, n, n) and (B, n)."""
    count = moment.shape[1]
    gram = gram + 1e-12 * _largest(np.diagonal(gram, 0, 1, 2))[:, None, None] * np.eye(count)
    found, slope = np.zeros_like(moment), moment.copy()
    active, dropped = np.zeros(moment.shape, dtype=bool), np.zeros(moment.shape, dtype=bool)
    if count:
        active[np.arange(len(slope)), np.abs(slope).argmax(1)] = True
    start = _largest(np.abs(slope))
    level = start.copy()
    for _ in range(20 * count):
        at = ((level > alpha) & (level > 1e-12 * start)).nonzero()[0]
        if not len(at):
            break
        direction = _direction(gram[at], slope[at], active[at])
        fall = (gram[at] @ direction[:, :, None])[:, :, 0]
        joining = _joining(slope[at], fall, level[at], start[at], active[at] | dropped[at])
        leaving = _leaving(found[at], direction, active[at])
        joins, leaves = joining.min(1), leaving.min(1)
        step = np.minimum(np.minimum(level[at] - alpha, joins), leaves)
        found[at] += step[:, None] * direction
        slope[at] -= step[:, None] * fall
        level[at] -= step
        dropped[at] = False
        left = step == leaves
        out = at[left], leaving[left].argmin(1)
        active[out], found[out], dropped[out] = False, 0, True
        joined = (step == joins) & ~left
        active[at[joined], joining[joined].argmin(1)] = True
    return found


def _largest(values: Array) -> Array:
    largest: Array = values.max(1, initial=0)
    return largest


def _direction(gram: Array, slope: Array, active: Places) -> Array:
    """How the coefficients change while the penalty falls by one."""
    inside = np.where(active[:, :, None] & active[:, None, :], gram, np.eye(slope.shape[1]))
    direction: Array = np.linalg.solve(inside, np.where(active, np.sign(slope), 0)[:, :, None])[:, :, 0]
    return direction


def _joining(slope: Array, fall: Array, level: Array, start: Array, barred: Places) -> Array:
    """The fall of the penalty at which each coefficient outside becomes as steep as those inside."""

    def falls(gap: Array, rate: Array) -> Array:
        ahead = np.divide(gap, rate, out=np.full_like(gap, np.inf), where=rate > 0)
        return np.where(gap <= 1e-12 * start[:, None], 0, ahead)

    above = falls(level[:, None] - slope, 1 - fall)
    below = falls(level[:, None] + slope, 1 + fall)
    return np.where(barred, np.inf, np.minimum(above, below))


def _leaving(found: Array, direction: Array, active: Places) -> Array:
    """The fall of the penalty at which each coefficient inside returns to zero."""
    shrinks = active & (found * direction < 0)
    return np.divide(-found, direction, out=np.full_like(found, np.inf), where=shrinks)
