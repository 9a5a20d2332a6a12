"""Cholesky factors of large matrices, in steps between which the caller may stop."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from attribution_core.evaluation.observe import checkpoint, report

Array = npt.NDArray[np.float64]

STEP = 512
"""Columns that are factored between two questions whether to stop."""


def factor(matrix: Array, *, reported: bool = False) -> Array:
    """The lower Cholesky factor, in the place of the matrix [golub2013, alg. 4.2.3]; `LinAlgError` if there is none."""
    for start in range(0, len(matrix), STEP):
        checkpoint()
        if reported:
            report(start, len(matrix))
        stop = min(start + STEP, len(matrix))
        corner, below = matrix[start:stop, start:stop], matrix[stop:, start:stop]
        corner[:] = np.linalg.cholesky(corner)
        matrix[start:stop, stop:] = 0
        if len(below):
            below[:] = _solved(corner, below.T, upper=False).T
            matrix[stop:, stop:] -= below @ below.T
    return matrix


def solution(matrix: Array, values: Array) -> Array:
    """x of matrix · x = values, with a matrix that has positive eigenvalues only, and that may be overwritten."""
    if len(matrix) <= STEP:
        return np.linalg.solve(matrix, values).astype(np.float64, copy=False)
    return solved(factor(matrix), values)


def solved(factor: Array, values: Array) -> Array:
    """x of factor · factorᵀ · x = values."""
    return _solved(factor.T, _solved(factor, values, upper=False), upper=True)


def smallest_solution(matrix: Array, values: Array) -> Array:
    """x of matrix · x = values, with a matrix that has no negative eigenvalues; of several solutions the smallest."""
    try:
        lower = factor(matrix.copy(), reported=True)
        if (lower.diagonal() ** 2 > 1e-10 * matrix.diagonal().max(initial=0)).all():
            return solved(lower, values)
    except np.linalg.LinAlgError:
        pass
    found: Array = np.linalg.pinv(matrix, rcond=1e-10, hermitian=True) @ values
    return found


def _solved(triangle: Array, values: Array, *, upper: bool) -> Array:
    """numpy has no solver for triangles."""
    columns = torch.from_numpy(values).reshape(len(values), -1)
    found: Array = torch.linalg.solve_triangular(torch.from_numpy(triangle), columns, upper=upper).numpy()
    return found.reshape(values.shape)
