"""Determinants and inverses modulo p, q and r by Gaussian elimination, all matrices of an array at once."""

from __future__ import annotations

import numpy as np

from tensorgrad_cli.exact.field import Integers
from tensorgrad_cli.exact.residues import Draws, Kept, Residues, both_kept

__all__ = ["determinant", "inverse_matrix", "matrix_product"]


def matrix_product(a: Integers, b: Integers, kind: int, draws: Draws) -> Integers:
    """The product of stacks of matrices, shapes (draws, …, n, k) and (draws, …, k, m)."""
    return draws.reduced(a @ b, kind)


def _swapped(matrix: Integers, column: int) -> tuple[Integers, Integers]:
    """The matrices with a nonzero entry brought to the diagonal, and the sign of the exchange."""
    pivot = column + (matrix[..., column:, column] != 0).argmax(axis=-1)
    rows = np.broadcast_to(np.arange(matrix.shape[-2]), (*pivot.shape, matrix.shape[-2])).copy()
    rows[..., column] = pivot
    np.put_along_axis(rows, pivot[..., None], column, axis=-1)
    exchanged = np.take_along_axis(matrix, rows[..., None], axis=-2)
    return exchanged, np.where(pivot == column, 1, -1)


def determinant(matrix: Integers, kind: int, draws: Draws) -> Integers:
    """The determinants of matrices of shape (draws, …, n, n): shape (draws, …)."""
    result = np.ones(matrix.shape[:-2], np.int64)
    n = matrix.shape[-1]
    for column in range(n):
        matrix, sign = _swapped(matrix, column)
        pivot = matrix[..., column, column]
        result = draws.reduced(result * sign * pivot, kind)
        if column == n - 1:
            break
        # A zero pivot makes the determinant zero whatever follows.
        scale = draws.inverse(np.where(pivot == 0, 1, pivot), kind).values
        factor = draws.multiply(matrix[..., column + 1 :, column], scale[..., None], kind)
        change = factor[..., None] * matrix[..., column, None, :]
        below = draws.reduced(matrix[..., column + 1 :, :] - draws.reduced(change, kind), kind)
        matrix = np.concatenate([matrix[..., : column + 1, :], below], axis=-2)
    return result


def inverse_matrix(matrix: Integers, kind: int, draws: Draws) -> Residues:
    """The inverses of matrices of shape (draws, …, n, n); draws with a singular one are dropped."""
    n = matrix.shape[-1]
    identity = np.broadcast_to(np.eye(n, dtype=np.int64), matrix.shape)
    work = np.concatenate([matrix, identity], axis=-1)
    kept: Kept = None
    for column in range(n):
        work, _ = _swapped(work, column)
        scale = draws.inverse(work[..., column, column], kind)
        kept = both_kept(kept, scale.kept)
        row = draws.multiply(work[..., column, :], scale.values[..., None], kind)
        factor = work[..., :, column].copy()
        factor[..., column] = 0
        change = draws.reduced(factor[..., None] * row[..., None, :], kind)
        work = draws.reduced(work - change, kind)
        work[..., column, :] = row
    return Residues(work[..., n:], kept)
