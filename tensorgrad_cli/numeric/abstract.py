"""Abstract functions as numbers: seeded random smooth functions, with every derivative exact."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

__all__ = ["AbstractFunction"]

_WAVES = 3


class AbstractFunction:
    """A random smooth function of `arity` arguments: a quadratic polynomial plus a few sines.

    It is entire, so it takes complex arrays too; neither even nor odd, nor symmetric in its arguments; no
    derivative of it is zero everywhere. Each name and seed gives another one.
    """

    def __init__(self, name: str, arity: int, seed: int = 0) -> None:
        self.name = name
        self.arity = arity
        digest = hashlib.blake2b(f"{seed}/{arity}/{name}".encode(), digest_size=16).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
        signs = random.choice([-1.0, 1.0], arity)
        self.constant = float(random.uniform(0.5, 1.5))
        self.linear = [float(v) for v in signs * random.uniform(0.3, 0.9, arity)]
        self.quadratic = random.uniform(0.05, 0.25, (arity, arity)).tolist()
        self.amplitudes = [float(v) for v in random.uniform(0.4, 0.9, _WAVES)]
        self.frequencies = (
            random.uniform(0.6, 1.4, (_WAVES, arity)) * random.choice([-1.0, 1.0], (_WAVES, arity))
        ).tolist()
        self.phases = [float(v) for v in random.uniform(0.3, 1.2, _WAVES)]

    def __call__(self, order: tuple[int, ...], *arrays: Any) -> Any:
        """The derivative of the given order in each argument, entry by entry on arrays that broadcast."""
        total = self._polynomial(order, arrays)
        times = sum(order)
        wave = (np.sin, np.cos, np.sin, np.cos)[times % 4]
        for amplitude, frequencies, phase in zip(self.amplitudes, self.frequencies, self.phases, strict=True):
            factor = -amplitude if times % 4 >= 2 else amplitude
            angle: Any = phase
            for count, frequency, array in zip(order, frequencies, arrays, strict=True):
                factor *= frequency**count
                angle = angle + frequency * array
            total = total + factor * wave(angle)
        return total

    def _polynomial(self, order: tuple[int, ...], arrays: tuple[Any, ...]) -> Any:
        by = [argument for argument, count in enumerate(order) for _ in range(count)]
        if len(by) > 2:
            return 0.0
        if len(by) == 2:
            return self.quadratic[by[0]][by[1]] + self.quadratic[by[1]][by[0]]
        if len(by) == 1:
            total: Any = self.linear[by[0]]
            for other, array in enumerate(arrays):
                both = self.quadratic[by[0]][other] + self.quadratic[other][by[0]]
                total = total + both * array
            return total
        total = self.constant
        for first, array in enumerate(arrays):
            inner: Any = self.linear[first]
            for second, other_array in enumerate(arrays):
                inner = inner + self.quadratic[first][second] * other_array
            total = total + inner * array
        return total
