"""Whether data has the properties that the spec declares: proofs use them, so they must be true."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tensorgrad_cli.algebra.tensors import Tensor

__all__ = ["broken_fact"]


def broken_fact(tensor: Tensor, array: Any) -> str | None:
    """Which word of a tensor's declaration its data breaks, and where; None where all holds."""
    import numpy

    bad = _VALUES[tensor.values](numpy, array)
    if bad is not None and bad.any():
        position = tuple(int(k) for k in numpy.argwhere(bad)[0])
        if len(position) < array.ndim:  # a whole row is wrong, by its sum
            place = "[" + ",".join([*map(str, position), ":"]) + "]"
            return f"`values: {tensor.values}`: {place} adds up to {array[position].sum():g}"
        place = "the entry [" + ",".join(map(str, position)) + "]" if position else "it"
        return f"`values: {tensor.values}`: {place} is {array[position]:g}"
    if tensor.structure is not None and not _STRUCTURES[tensor.structure](numpy, array):
        return f"`structure: {tensor.structure}`"
    return None


def _rounding(xp: Any, array: Any, terms: int) -> float:
    """How far a sum of so many numbers of size 1 may be off where they were stored in single precision."""
    return float(8 * max(terms, 1) * xp.finfo("float32").eps)


def _probabilities(xp: Any, array: Any) -> Any:
    negative = array < 0
    total = array.sum(axis=-1)
    off = abs(total - 1) > _rounding(xp, array, array.shape[-1])
    return negative if negative.any() else off


def _onehot(xp: Any, array: Any) -> Any:
    other = (array != 0) & (array != 1)
    return other if other.any() else array.sum(axis=-1) != 1


_VALUES: dict[str, Callable[[Any, Any], Any]] = {
    "normal": lambda xp, a: None,
    "uniform": lambda xp, a: (a <= 0) | (a >= 1),
    "positive": lambda xp, a: a <= 0,
    "integers": lambda xp, a: (a < 0) | (a != xp.floor(a)),
    "binary": lambda xp, a: (a != 0) & (a != 1),
    "signs": lambda xp, a: abs(a) != 1,
    "onehot": _onehot,
    "probabilities": _probabilities,
}


def _symmetric(xp: Any, array: Any) -> bool:
    return bool((array == array.T).all())


def _positive_definite(xp: Any, array: Any) -> bool:
    if not _symmetric(xp, array):
        return False
    try:
        xp.linalg.cholesky(array.astype("float64"))
    except xp.linalg.LinAlgError:
        return False
    return True


def _orthonormal(xp: Any, array: Any) -> bool:
    gram = array.T @ array
    return bool((abs(gram - xp.eye(array.shape[1])) <= _rounding(xp, array, array.shape[0])).all())


_STRUCTURES: dict[str, Callable[[Any, Any], bool]] = {
    "symmetric": _symmetric,
    "skew": lambda xp, a: bool((a == -a.T).all()),
    "spd": _positive_definite,
    "diagonal": lambda xp, a: bool((a == xp.diag(xp.diag(a))).all()),
    "lower": lambda xp, a: bool((a == xp.tril(a)).all()),
    "upper": lambda xp, a: bool((a == xp.triu(a)).all()),
    "orthonormal": _orthonormal,
}
