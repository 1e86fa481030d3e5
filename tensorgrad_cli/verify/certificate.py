"""What differences say of a derivative of ours."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric.compare import Comparison
from tensorgrad_cli.numeric.difference import Differences
from tensorgrad_cli.verify.points import JITTERS
from tensorgrad_cli.verify.variation import Variation

__all__ = ["EPS", "JITTER_SAFETY", "Certificate", "Symmetry", "bar_of"]

Array = NDArray[Any]

JITTER_SAFETY = 4.0
EPS = 2.0**-52


class Symmetry(Struct, frozen=True):
    """uᵀHv - vᵀHu for random u and v by the complex step of a gradient of ours, its bar, and the size of uᵀHv:
    it is no gradient where they differ."""

    difference: float
    bar: float
    size: float

    @property
    def holds(self) -> bool:
        """Whether the Hessian is symmetric as far as can be told."""
        return not abs(self.difference) > self.bar


class Certificate(Struct, frozen=True):
    """A derivative of ours against differences: the comparison, its cost, and how it was done.

    `missed` is, in projected mode, the part of the derivative above which an error would have been missed with
    a probability below `projection.CHANCE`. `moving` is what the differences were taken of. `symmetry` is that of a
    Hessian's diagonal block, where the complex step can be had.
    """

    comparison: Comparison
    evaluations: int
    method: str
    mode: str
    differences: Differences
    missed: float | None
    moving: Variation
    symmetry: Symmetry | None = None


def bar_of(copies: Array, magnitude: Array | float = 0.0) -> Array:
    """The bar of an evaluation from its copies moved by one last place, and the size of the terms it adds up: those
    of 1 - tanh(x)² do not move where tanh(x) is 1."""
    with np.errstate(all="ignore"):
        spread = np.max(np.abs(copies[1:] - copies[0]), axis=0) if JITTERS else np.zeros(copies.shape[1:])
        spread = np.where(np.isfinite(spread), spread, 0.0)
        bar: Array = JITTER_SAFETY * (spread + EPS * np.maximum(np.abs(copies[0]), magnitude))
    return bar
