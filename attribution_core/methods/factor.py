"""Cholesky factors of large matrices, in steps between which the caller may stop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from attribution_core.evaluation.observe import checkpoint

Array = npt.NDArray[np.float64]

STEP = 512
"""Columns that are factored between two questions whether to stop."""


def factor(matrix: Array) -> Array:
    """The lower Cholesky factor, in the place of the matrix [golub2013, alg. 4.2.3]; `LinAlgError` if there is none."""
    for start in range(0, len(matrix), STEP):
        checkpoint()
        stop = min(start + STEP, len(matrix))
        corner, below = matrix[start:stop, start:stop], matrix[stop:, start:stop]
        corner[:] = np.linalg.cholesky(corner)
        matrix[start:stop, stop:] = 0
        if len(below):
            below[:] = _solved(corner, below.T, upper=False).T
            matrix[stop:, stop:] -= below @ below.T
    return matrix


def solved(factor: Array, values: Array) -> Array:
    """x of factor · factorᵀ · x = values."""
    return _solved(factor.T, _solved(factor, values, upper=False), upper=True)


def _solved(triangle: Array, values: Array, *, upper: bool) -> Array:
    """numpy has no solver for triangles."""
    columns = torch.from_numpy(values).reshape(len(values), -1)
    found: Array = torch.linalg.solve_triangular(torch.from_numpy(triangle), columns, upper=upper).numpy()
    return found.reshape(values.shape)
