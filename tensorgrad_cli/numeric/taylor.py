"""How fast the remainders of Taylor's formula fall with the step: evidence for people to look at, never a
verdict.

|f(x + hv) - f(x)| falls like h, and |f(x + hv) - f(x) - h J v| like h² where J is right, like h where it is
wrong, until rounding takes over (the test of Farrell and others in dolfin-adjoint).
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from tensorgrad_cli.numeric.probe import Array, Function

__all__ = ["Taylor", "taylor"]

STEPS = 12


class Taylor(Struct, frozen=True):
    """steps: [s], halved each time; zeroth, first: [s], norms of the remainders without and with the
    derivative.

    slope: the median of log₂(first[k] / first[k+1]) over the steps where rounding does not yet matter; NaN
    where there is none.
    """

    steps: Array
    zeroth: Array
    first: Array
    slope: float


def taylor(f: Function, x: Array, direction: Array, product: Array, *, noise: Array | float = 0.0) -> Taylor:
    """Remainders of f at x [n] along a direction [n], for a claimed derivative `product` [m] along it.

    `noise` [m] is the rounding noise of f (`Differences.noise`): remainders of its size are not used for the
    slope.
    """
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    steps = np.ldexp(1.0, -np.arange(2, 2 + STEPS))
    with np.errstate(all="ignore"):
        values = f(np.concatenate([x[None], x + steps[:, None] * direction]))
        values = np.asarray(values[0] if isinstance(values, tuple) else values).reshape(STEPS + 1, -1)
        change = values[1:] - values[0]
        zeroth = np.linalg.norm(change, axis=1)
        first = np.linalg.norm(change - steps[:, None] * np.asarray(product).reshape(-1), axis=1)
        floor = 16.0 * float(np.linalg.norm(np.broadcast_to(noise, values.shape[1:])))
        clear = np.isfinite(first) & (first > floor) & (first > 0.0)
        both = clear[:-1] & clear[1:]
        falls = np.log2(first[:-1][both] / first[1:][both])
    return Taylor(steps, zeroth, first, float(np.median(falls)) if falls.size else float("nan"))
