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
        found = [_homotopy(g, m, self.alpha) for g, m in zip(gram.numpy(), moment.numpy(), strict=True)]
        return torch.from_numpy(np.stack(found))


def _penalty(alpha: float) -> float:
    if not alpha >= 0:
        raise AttributionError(f"alpha={alpha!r}: expected a number ≥ 0.")
    return float(alpha)


def _homotopy(gram: Array, moment: Array, alpha: float) -> Array:
    """Follow the solution, linear in pieces, from the penalty at which all is zero down to `alpha` [efron2004]."""
    found, slope, active, dropped = np.zeros_like(moment), moment.copy(), np.zeros(len(moment), dtype=bool), -1
    level = np.abs(slope).max(initial=0)
    gram = gram + 1e-12 * gram.diagonal().max(initial=0) * np.eye(len(gram))
    start = level
    for _ in range(20 * len(moment)):
        if level <= alpha or level <= 1e-12 * start:
            break
        direction = _direction(gram, slope, active)
        fall = gram @ direction
        joining = _joining(slope, fall, level, start, active, dropped)
        leaving = _leaving(found, direction, active)
        step = min(level - alpha, joining.min(), leaving.min())
        found += step * direction
        slope -= step * fall
        level -= step
        dropped = -1
        if step == leaving.min():
            dropped = int(leaving.argmin())
            active[dropped], found[dropped] = False, 0
        elif step == joining.min():
            active[joining.argmin()] = True
    return found


def _direction(gram: Array, slope: Array, active: Places) -> Array:
    """How the coefficients change while the penalty falls by one."""
    places = active.nonzero()[0]
    direction = np.zeros_like(slope)
    direction[places] = np.linalg.solve(gram[np.ix_(places, places)], np.sign(slope[places]))
    return direction


def _joining(slope: Array, fall: Array, level: float, start: float, active: Places, dropped: int) -> Array:
    """The fall of the penalty at which each coefficient outside becomes as steep as those inside."""
    gaps, rates = level - np.stack([slope, -slope]), 1 - np.stack([fall, -fall])
    ahead = np.where(rates > 0, gaps / np.where(rates > 0, rates, 1), np.inf)
    falls: Array = np.where(gaps <= 1e-12 * start, 0, ahead).min(0)
    falls[active] = np.inf
    if dropped >= 0:
        falls[dropped] = np.inf
    return falls


def _leaving(found: Array, direction: Array, active: Places) -> Array:
    """The fall of the penalty at which each coefficient inside returns to zero."""
    shrinks = active & (found * direction < 0)
    return np.where(shrinks, -found / np.where(shrinks, direction, 1), np.inf)
