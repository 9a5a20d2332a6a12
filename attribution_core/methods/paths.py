"""Paths from baseline to input, and how integrals along them are approximated."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from attribution_core.errors import AttributionError
from attribution_core.evaluation.precision import accumulator
from attribution_core.types import Tensors

Array = npt.NDArray[np.float64]
Quadrature = Literal["gausslegendre", "riemann_right", "riemann_left", "riemann_middle", "riemann_trapezoid"]


def quadrature(method: Quadrature, steps: int) -> tuple[Tensor, Tensor]:
    """Positions in [0, 1] and weights that sum to 1, each (steps,) in float64."""
    positions, weights = _rule(method, steps)
    return torch.from_numpy(positions.copy()), torch.from_numpy(weights.copy())


@lru_cache
def _rule(method: Quadrature, steps: int) -> tuple[Array, Array]:
    if method not in get_args(Quadrature):
        raise AttributionError(
            f"method={method!r} is no quadrature.", f"Choose one of {', '.join(get_args(Quadrature))}."
        )
    return _RULES[method](steps)


def _gauss_legendre(steps: int) -> tuple[Array, Array]:
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return (1 + nodes) / 2, weights / 2


def _even(offset: float) -> Callable[[int], tuple[Array, Array]]:
    return lambda steps: ((np.arange(steps) + offset) / steps, np.full(steps, 1 / steps))


def _trapezoid(steps: int) -> tuple[Array, Array]:
    if steps == 1:
        return np.array([0.5]), np.ones(1)
    weights = np.full(steps, 1 / (steps - 1))
    weights[[0, -1]] /= 2
    return np.linspace(0, 1, steps), weights


_RULES: dict[str, Callable[[int], tuple[Array, Array]]] = {
    "gausslegendre": _gauss_legendre,
    "riemann_left": _even(0),
    "riemann_middle": _even(0.5),
    "riemann_right": _even(1),
    "riemann_trapezoid": _trapezoid,
}


def straight(inputs: Tensors, baselines: Tensors, positions: Tensor) -> Tensors:
    """The points of the straight lines at (k,) positions, as k stacked batches (k·B, …) of the inputs' dtype."""
    return tuple(_line(x, b, positions) for x, b in zip(inputs, baselines, strict=True))


def _line(x: Tensor, baseline: Tensor, positions: Tensor) -> Tensor:
    at = positions.to(x.device, accumulator(x.dtype)).reshape(-1, *[1] * x.dim())
    start = baseline.to(at.dtype)
    return torch.addcmul(start, at, x.to(at.dtype) - start).to(x.dtype).flatten(0, 1)
