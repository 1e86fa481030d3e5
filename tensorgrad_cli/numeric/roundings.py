"""Roundings at random, as in Parker's Monte Carlo arithmetic: what they move a result by is its rounding error."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

__all__ = ["Roundings"]

Array = Any

# One of these for each value of a byte: one to three last places from 1, never 1 itself, so that chance hides no
# rounding.
SHAKEN_BY = np.tile(1.0 + np.array([-3, -2, -2, -1, 1, 2, 2, 3]) * 2.0**-52, 32)
# Pools of them are drawn once, a small one for small arrays; a window of a pool is used at a time.
_POOLS = (1 << 15, 1 << 19)
_WINDOW = 1 << 12


class Roundings:
    """Multiplies arrays by numbers near 1, as if each entry had been rounded otherwise.

    The numbers come from windows of a pool, whose places depend on the seed: drawing a few costs more than
    multiplying by them.
    """

    def __init__(self, seed: int) -> None:
        self._state = seed

    def times(self, value: Array) -> Array:
        """The array, each entry moved by one to three last places."""
        if value.size <= _WINDOW:
            return value * self._window(_POOLS[0], value.size).reshape(value.shape)
        flat = value.reshape(-1)
        moved = np.empty_like(flat)
        for start in range(0, flat.size, _WINDOW):
            part = flat[start : start + _WINDOW]
            np.multiply(part, self._window(_POOLS[1], part.size), out=moved[start : start + _WINDOW])
        return moved.reshape(value.shape)

    def _window(self, pool: int, count: int) -> Array:
        # Knuth's linear congruential generator; its high bits are the good ones.
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        start = (self._state >> 33) % (pool - count)
        return _pool(pool)[start : start + count]


@cache
def _pool(size: int) -> Array:
    return SHAKEN_BY[np.frombuffer(np.random.default_rng(size).bytes(size), np.uint8)]
