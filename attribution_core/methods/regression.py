"""Weighted samples of many features and their products, block by block: they are held as they come, as booleans say."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.observe import checkpoint, report

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

MOST_BYTES = 1 << 30
"""Bytes that the largest matrix of a fit may take."""

BLOCK = 1 << 20
"""Numbers in one intermediate matrix, where samples times features are too many to hold in double precision."""


def refuse_too_large(samples: int, features: int) -> None:
    """To be called before the first pass: a fit holds a square matrix of the fewer of both."""
    most = int((MOST_BYTES // 8) ** 0.5)
    if min(samples, features) > most:
        raise AttributionError(
            f"A linear model of {features} features fitted to {samples} samples needs more than {_gib(MOST_BYTES)}.",
            f"Take at most {most} samples, or a feature_mask with at most {most} groups.",
        )


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.3g} GiB"


class Regression:
    """One example's features (k, n), scores (k,) and weights (k,), as a problem of least squares without intercept.

    The best intercept goes through the weighted means, so that centred values need none. With Z the centred features
    and t the centred scores, each row times the root of its share of the weights, the squared error is ‖Zc − t‖².
    """

    def __init__(self, features: npt.NDArray[np.generic], share: Array, scores: Array) -> None:
        self._features, self._share, self._root, self.scores = features, share, np.sqrt(share)[:, None], scores
        self.samples, self.count = features.shape

    @classmethod
    def of(cls, features: Tensor, scores: Tensor, weights: Tensor) -> Regression:
        """From what a model of samples said."""
        share = _shares(weights.detach().cpu().double().numpy())
        values = scores.detach().cpu().double().numpy()
        return cls(features.detach().cpu().numpy(), share, np.sqrt(share) * (values - share @ values))

    @cached_property
    def different(self) -> tuple[Places, Places, Array]:
        """The first feature of each kind, the kind of each feature, and 1 or, for its complement's kind, -1.

        Booleans of few samples are often the same, or each other's complement: centred, these differ by their sign.
        """
        every, same = np.arange(self.count), np.ones(self.count)
        if self._features.dtype != np.bool_ or self.samples > 2 * np.log2(max(2, self.count)) + 16:
            return every, every, same
        as_at_first = self._features == self._features[0]
        bits = np.ascontiguousarray(np.packbits(as_at_first, axis=0).T)
        _, first, group = np.unique(bits.view(f"V{bits.shape[1]}")[:, 0], return_index=True, return_inverse=True)
        if len(first) == self.count:
            return every, every, same
        group = group.reshape(-1)
        return first, group, np.where(self._features[0] == self._features[0, first[group]], same, -same)

    def only(self, places: Places) -> Regression:
        """The same of some features."""
        if len(places) == self.count:
            return self
        return Regression(self._features[:, places], self._share, self.scores)

    def columns(self, places: Places | slice) -> Array:
        """Z at some features, (k, len(places))."""
        some = self._doubles(places)
        some -= self._share @ some
        some *= self._root
        return some

    def _doubles(self, places: Places | slice) -> Array:
        return self._features[:, places].astype(np.float64)

    def correlations(self, left: Array) -> Array:
        """Zᵀ left, for what is left of the scores."""
        return np.concatenate([np.zeros(0), *(block.T @ left for _, block in self._blocks())])

    @cached_property
    def moment(self) -> Array:
        """Zᵀ t."""
        return self.correlations(self.scores)

    @cached_property
    def deviations(self) -> Array:
        """The weighted standard deviation of each feature, 0 where there is none but rounding."""
        norms = [np.sqrt(np.einsum("ij,ij->j", block, block)) for _, block in self._blocks()]
        found = np.concatenate([np.zeros(0), *norms])
        found[found <= 1e-12 * found.max(initial=0)] = 0
        return found

    def gram(self) -> Array:
        """ZᵀZ, (n, n)."""
        total = np.zeros((self.count, self.count))
        mean = np.concatenate([np.zeros(0), *(self._share @ self._doubles(some) for some in self._some())])
        step = max(1, BLOCK // max(1, self.count))
        for start in range(0, self.samples, step):
            checkpoint()
            report(start, self.samples)
            rows = (self._features[start : start + step] - mean) * self._root[start : start + step]
            total += rows.T @ rows
        return total

    def kernel(self) -> Array:
        """ZZᵀ, (k, k)."""
        return sum((block @ block.T for _, block in self._blocks()), np.zeros((self.samples, self.samples)))

    def _some(self) -> Iterator[slice]:
        step = max(1, BLOCK // max(1, self.samples))
        for start in range(0, self.count, step):
            checkpoint()
            yield slice(start, start + step)

    def _blocks(self) -> Iterator[tuple[slice, Array]]:
        return ((some, self.columns(some)) for some in self._some())


def _shares(weights: Array) -> Array:
    total = weights.sum()
    if not (np.isfinite(weights).all() and (weights >= 0).all() and total > 0):
        raise AttributionError(
            "The weights of samples must be finite and not negative, and not all zero.",
            "Check what similarity_func returns.",
        )
    shares: Array = weights / total
    return shares
