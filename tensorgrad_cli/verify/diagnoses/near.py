"""How near two values of a trial are that are taken for equal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR", "NEAREST", "PART", "apart"]

Array = NDArray[Any]

# How near two values of a trial are that are taken for equal: far above rounding, far below a slip. Of a claim that is
# wrong by little it is a small part of that, as far as rounding allows.
NEAR = 1e-7
NEAREST = 1e-13
PART = 1e-3


def apart(a: Array, b: Array, scale: float | None = None) -> float:
    """The largest difference of two arrays as a part of the largest entry, or of `scale`; infinite where they have
    not the same finite entries."""
    finite = np.isfinite(a)
    if a.shape != b.shape or not np.array_equal(finite, np.isfinite(b)) or not finite.any():
        return np.inf
    if scale is None:
        scale = max(float(np.abs(a[finite]).max()), float(np.abs(b[finite]).max()))
    return float(np.abs(a[finite] - b[finite]).max()) / scale if scale else 0.0
