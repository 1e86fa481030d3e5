"""Operations along indices, on matrices, and comparisons, by hand: none of the verifier's code is in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def _eliminated(x: Array, right: Array) -> tuple[Array, Array]:
    """X⁻¹ R and det X of matrices on the last two axes, by elimination with pivots: NumPy's are in double only."""
    n = x.shape[-1]
    batch = x.shape[:-2]
    rows = np.concatenate([x, np.broadcast_to(right, (*batch, n, right.shape[-1]))], axis=-1)
    rows = rows.reshape(-1, n, rows.shape[-1]).copy()
    determinants = np.ones(len(rows), x.dtype)
    for matrix, place in zip(rows, range(len(rows)), strict=True):
        for k in range(n):
            pivot = k + int(np.argmax(np.abs(matrix[k:, k])))
            if pivot != k:
                matrix[[k, pivot]] = matrix[[pivot, k]]
                determinants[place] = -determinants[place]
            determinants[place] *= matrix[k, k]
            matrix[k] /= matrix[k, k]
            others = np.arange(n) != k
            matrix[others] -= matrix[others, k, None] * matrix[k]
    return rows[..., n:].reshape(*batch, n, -1), determinants.reshape(batch)


def _inverse(x: Array) -> Array:
    """NaN where so little is left of the digits that rounding would be taken for a value: XᵀX of a wide X."""
    inverse, _ = _eliminated(x, np.eye(x.shape[-1], dtype=x.dtype))
    lost = np.abs(x).max(axis=(-2, -1)) * np.abs(inverse).max(axis=(-2, -1)) > 1e12
    return np.where(lost[..., None, None], np.nan, inverse)


def _determinant(x: Array) -> Array:
    return _eliminated(x, np.eye(x.shape[-1], dtype=x.dtype))[1]


def _log_sum_exp(x: Array) -> Array:
    top = x.max(axis=-1)
    found: Array = np.log(np.exp(x - top[..., None]).sum(axis=-1)) + top
    return found


def _variance(x: Array, ddof: float = 0.0) -> Array:
    found: Array = ((x - x.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) / (x.shape[-1] - ddof)
    return found


def _norm(x: Array, p: float = 2.0) -> Array:
    found: Array = (np.abs(x) ** p).sum(axis=-1) ** (1 / x.dtype.type(p))
    return found


def _kron(a: Array, b: Array) -> Array:
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    *batch, m, p, n, q = product.shape
    return product.reshape(*batch, m * p, n * q)


COMPARED: Mapping[str, Callable[..., Array]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "!=": np.not_equal,
}

# The operations, each on the last axes of its arguments.
BY_HAND: Mapping[str, Callable[..., Array]] = {
    "prod": lambda x: x.prod(axis=-1),
    "max": lambda x: x.max(axis=-1),
    "min": lambda x: x.min(axis=-1),
    "logsumexp": _log_sum_exp,
    "softmax": lambda x: np.exp(x - _log_sum_exp(x)[..., None]),
    "log_softmax": lambda x: x - _log_sum_exp(x)[..., None],
    "var": _variance,
    "std": lambda x, ddof=0.0: np.sqrt(_variance(x, ddof)),
    "norm": _norm,
    "normalize": lambda x: x / _norm(x)[..., None],
    "cumsum": lambda x: np.cumsum(x, axis=-1),
    "inv": _inverse,
    "det": _determinant,
    "logdet": lambda x: np.log(np.abs(_determinant(x))),
    "kron": _kron,
    "vec": lambda x: np.swapaxes(x, -1, -2).reshape(*x.shape[:-2], -1),
}
