"""A large Jacobian seen along a few random directions, and the chance that an error hides from all of them.

A claim is off by a row e of its Jacobian. Along a Gaussian direction v, scaled by s per coordinate, the
products differ by e·v, which is normal with deviation |s∘e|; it stays below a bar t with probability erf(t /
√2 |s∘e|), exactly. Directions are independent, so their chances multiply. Other choices are wrong: with signs
±1 or uniform numbers errors of several entries may cancel exactly, with positive ones they add with the
signal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from tensorgrad_cli.numeric import complex_step, difference
from tensorgrad_cli.numeric.difference import Differences
from tensorgrad_cli.numeric.noise import EPS, Rounding
from tensorgrad_cli.numeric.probe import MAX_MEMORY, Array, Function, scales

__all__ = [
    "CHANCE",
    "FULL_UP_TO",
    "Projection",
    "chance",
    "directions",
    "hidden_size",
    "largest_hidden",
    "product",
    "project",
]

FULL_UP_TO = 2000
COUNT = 2
CHANCE = 1e-6
# Products of a step with a direction of so few bits are floating-point numbers, and so are the points they lead to.
BITS = 24


class Projection(Struct, frozen=True):
    """Derivatives along random directions: directions [d, n], scale [n], differences with values [d, m]."""

    directions: Array
    scale: Array
    differences: Differences


def directions(scale: Array, count: int = COUNT, *, seed: int = 0) -> Array:
    """Gaussian directions [count, n] that move each coordinate by about its scale (a power of two)."""
    rounded: Array = np.random.default_rng(seed).standard_normal((count, scale.size))
    rounded *= 2.0**BITS
    np.rint(rounded, out=rounded)
    rounded *= scale * 2.0**-BITS
    return rounded


def project(
    f: Function,
    x: Array,
    *,
    count: int = COUNT,
    method: str = "central",
    scale: Array | None = None,
    groups: Sequence[int] | None = None,
    point_bytes: int | None = None,
    max_memory: int = MAX_MEMORY,
    inside: float = 0.0,
    rounding: Rounding | None = None,
    seed: int = 0,
) -> Projection:
    """The derivatives of f along `count` random directions, by `method` 'central' or 'complex'."""
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    scale = scales(x, groups) if scale is None else scale
    rows = directions(scale, count, seed=seed)
    directional = complex_step.directional if method == "complex" else difference.directional
    found = directional(
        f,
        x,
        rows,
        scale=scale,
        point_bytes=point_bytes,
        max_memory=max_memory,
        inside=inside,
        rounding=rounding,
        seed=seed,
    )
    return Projection(rows, scale, found)


def product(rows: Array, claim: Array, claim_bar: Array | float = 0.0) -> tuple[Array, Array]:
    """A claimed Jacobian [n, m] along directions [d, n]: values [d, m] and their bars."""
    values = rows @ claim
    size = np.abs(rows)
    rounding = 4.0 * EPS * math.sqrt(claim.shape[0]) * (size @ np.abs(claim))
    return values, rounding + size @ np.broadcast_to(claim_bar, claim.shape)


def chance(bars: Array, size: Array | float) -> Array:
    """The probability [m] that an error row of |s∘e| = `size` stays below bars [d, m] along all d
    directions."""
    erf = np.vectorize(math.erf, otypes=[float])
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(bars == 0.0, 0.0, bars / (math.sqrt(2.0) * np.asarray(size, dtype=float)))
    missed: Array = np.prod(erf(ratio), axis=0)
    return missed


def hidden_size(bars: Array, probability: float = CHANCE) -> Array:
    """The |s∘e| per output [m] above which an error would have been missed with less than `probability`.

    Bisection in the logarithm: the chance falls as the error grows.
    """
    low: Array = np.zeros(bars.shape[1:])
    top = np.max(bars, axis=0, initial=0.0)
    high: Array = top * (2.0 / probability)
    for _ in range(200):
        middle = np.sqrt(np.maximum(low, top * 1e-3) * high)
        missed = chance(bars, middle) > probability
        low, high = np.where(missed, middle, low), np.where(missed, high, middle)
        if bool(np.all(high <= low * (1.0 + 1e-3))) or bool(np.all(top == 0.0)):
            break
    return high


def largest_hidden(bars: Array, probability: float = CHANCE) -> float:
    """The largest `hidden_size` over all outputs of bars [d, m]; infinite where a bar is.

    Where the chance is small it is that of the product of the bars, so only the output with the largest counts.
    """
    if bars.size == 0:
        return 0.0
    if not np.isfinite(bars).all():
        return math.inf
    top = float(bars.max())
    worst = int(np.argmax(np.prod(bars / top, axis=0))) if top else 0
    return float(hidden_size(bars[:, worst : worst + 1], probability)[0])
