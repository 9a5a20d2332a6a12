"""Linear surrogates of a model near an example, fitted to weighted samples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import final

import numpy as np
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import portion
from attribution_core.methods.factor import smallest_solution
from attribution_core.methods.lasso import lasso
from attribution_core.methods.regression import Array, Regression

Sample = tuple[Tensor, Tensor, Tensor]


class LinearModel(ABC):
    """Coefficients and an intercept, fitted by weighted least squares with or without a penalty.

    `fit` and `representation` are what LimeBase asks of any interpretable model.
    """

    _coefficients: Tensor | None = None

    @abstractmethod
    def _solved(self, regression: Regression) -> Array:
        """The coefficients (n,)."""

    def coefficients(self, features: Tensor, scores: Tensor, weights: Tensor) -> Tensor:
        """(n, B) from features (k, n), scores (k, B) and weights (k, B), computed in float64."""
        columns = []
        for place, (y, w) in enumerate(zip(scores.T, weights.T, strict=True)):
            with portion(100 * place, 100, 100 * len(scores.T)):
                columns.append(self._solved(Regression.of(features, y, w)))
        return torch.from_numpy(np.stack(columns, 1))

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

    def _solved(self, regression: Regression) -> Array:
        return _ridge(regression, 0)


@final
class Ridge(LinearModel):
    """Half the weighted mean of squared errors plus half `alpha` times the sum of squared coefficients."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = _penalty(alpha)

    def _solved(self, regression: Regression) -> Array:
        return _ridge(regression, self.alpha)


@final
class Lasso(LinearModel):
    """Half the weighted mean of squared errors plus `alpha` times the sum of absolute coefficients [tibshirani1996]."""

    def __init__(self, alpha: float = 0.01) -> None:
        self.alpha = _penalty(alpha)

    def _solved(self, regression: Regression) -> Array:
        return lasso(regression, self.alpha)


def _penalty(alpha: float) -> float:
    if not alpha >= 0:
        raise AttributionError(f"alpha={alpha!r}: expected a number ≥ 0.")
    return float(alpha)


def _ridge(regression: Regression, alpha: float) -> Array:
    """(ZᵀZ + αI)⁻¹ Zᵀt, or Zᵀ (ZZᵀ + αI)⁻¹ t, whose matrix is smaller where there are fewer samples than features."""
    primal = regression.count <= regression.samples
    with portion(0, 1, 2):
        matrix = regression.gram() if primal else regression.kernel()
    np.fill_diagonal(matrix, matrix.diagonal() + alpha)
    with portion(1, 1, 2):
        if primal:
            return smallest_solution(matrix, regression.moment)
        return regression.correlations(smallest_solution(matrix, regression.scores))
