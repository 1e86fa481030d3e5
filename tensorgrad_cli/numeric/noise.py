"""How much rounding noise a computed function carries, from differences of its values.

The k-th difference of a smooth function on a fine enough grid vanishes; what remains is the noise, amplified
by a known factor (Hamming 1973; Moré and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33,
2011). The grid must be exact in floating point, or the rounding of the *points* would count as noise of the
function, and its spacing must be an *odd* multiple of the last place: aligned powers of two let a sum round
without error and hide its noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = ["POINTS", "Noise", "deviations", "grid", "noise_of"]

EPS = 2.0**-52
POINTS = 9
SPACINGS = (-36, -28, -20, -12)
FEW = (-36, -28, -20)
ORDERS = (4, 5, 6)
CONSISTENT = 4.0
ROUGH = 16.0
# A result correctly rounded to nearest is off by a uniform error of half a last place: deviation eps/√12.
ROUNDING = EPS / math.sqrt(12.0)


def grid(
    x: NDArray[Any],
    scale: NDArray[Any],
    exponent: int,
    rng: np.random.Generator,
    move: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """`POINTS` exactly equidistant points [POINTS, n] near x, each moving by about scale · 2^exponent a
    point."""
    last_place = np.spacing(np.abs(x) + np.ldexp(scale, exponent + 4))
    base = np.rint(x / last_place) * last_place
    if move is None:
        move = rng.choice((-1.0, 1.0), x.shape) * rng.uniform(0.5, 1.0, x.shape)
    count = np.rint(move * np.ldexp(scale, exponent) / last_place)
    spacing = np.where(count == 0.0, 0.0, (2.0 * np.floor(count / 2.0) + 1.0) * last_place)
    points: NDArray[Any] = base + np.arange(1, POINTS + 1)[:, None] * spacing
    return points


class Noise(Struct, frozen=True):
    """`sigma` [m]: the standard deviation of the rounding noise; `rough`: f has a structure finer than the
    coarsest grid."""

    sigma: NDArray[Any]
    rough: bool


def deviations(values: NDArray[Any]) -> NDArray[Any]:
    """The noise's standard deviation [ORDERS, m] as each order of difference of values [POINTS, m] on a grid
    sees it."""
    estimates = []
    table = values
    for order in range(1, max(ORDERS) + 1):
        table = np.diff(table, axis=0)
        if order in ORDERS:
            estimates.append(np.sqrt(np.mean(np.square(table), axis=0) / math.comb(2 * order, order)))
    return np.stack(estimates)


def noise_of(
    evaluate: Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any] | None]],
    x: NDArray[Any],
    scale: NDArray[Any],
    centre: NDArray[Any],
    rng: np.random.Generator,
    spacings: Sequence[int] = SPACINGS,
) -> Noise:
    """The rounding noise of a function near x, from one table a spacing.

    From fine to coarse the largest estimate counts: on a fine grid an intermediate value may move by less
    than its last place and hide its noise. It ends at the first grid on which higher orders see less than
    lower ones: there f itself is seen. A grid on which a branch changes is left out. A correctly rounded
    result is noisy too, even where it does not move.
    """
    points = np.concatenate([grid(x, scale, exponent, rng) for exponent in spacings])
    values, branches = evaluate(points)
    sigma = np.zeros(centre.shape)
    ended = np.zeros(centre.shape, np.bool_)
    rough = False
    floor = ROUNDING * np.abs(centre)
    floor = np.where(np.isfinite(floor), floor, 0.0)
    for number in range(len(spacings)):
        rows = slice(number * POINTS, (number + 1) * POINTS)
        seen = deviations(values[rows])
        one_piece = branches is None or bool(np.all(branches[rows] == branches[rows][:1]))
        usable = np.isfinite(seen).all(axis=0) & (one_piece or number == 0)
        rough = bool(np.any(usable & (seen[-1] > ROUGH * np.maximum(sigma, floor)))) if number else False
        ended |= usable & (seen[0] > CONSISTENT * seen[-1]) & (number > 0)
        sigma = np.where(usable & ~ended, np.maximum(sigma, seen.max(axis=0)), sigma)
    return Noise(np.maximum(sigma, floor), rough)
