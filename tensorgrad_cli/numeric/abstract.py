"""Abstract functions as numbers: seeded random smooth functions, with every derivative exact."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

__all__ = ["AbstractFunction"]

_WAVES = 3


class AbstractFunction:
    """A random smooth function of `arity` arguments: a linear one plus a few sines.

    It is entire, so it takes complex arrays too; neither even nor odd, nor symmetric in its arguments; no
    derivative of it is zero everywhere. It grows no faster than its arguments, so that a chain of many layers
    stays within reach of finite differences. Each name and seed gives another one.
    """

    def __init__(self, name: str, arity: int, seed: int = 0) -> None:
        self.name = name
        self.arity = arity
        digest = hashlib.blake2b(f"{seed}/{arity}/{name}".encode(), digest_size=16).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
        signs = random.choice([-1.0, 1.0], arity)
        self.constant = float(random.uniform(0.5, 1.5))
        self.linear = [float(v) for v in signs * random.uniform(0.3, 0.9, arity)]
        self.amplitudes = [float(v) for v in random.uniform(0.4, 0.9, _WAVES)]
        self.frequencies = (
            random.uniform(0.6, 1.4, (_WAVES, arity)) * random.choice([-1.0, 1.0], (_WAVES, arity))
        ).tolist()
        self.phases = [float(v) for v in random.uniform(0.3, 1.2, _WAVES)]

    def __call__(self, order: tuple[int, ...], *arrays: Any) -> Any:
        """The derivative of the given order in each argument, entry by entry on arrays that broadcast."""
        total = self._linear(order, arrays)
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

    def _linear(self, order: tuple[int, ...], arrays: tuple[Any, ...]) -> Any:
        times = sum(order)
        if times > 1:
            return 0.0
        if times == 1:
            return self.linear[order.index(1)]
        total: Any = self.constant
        for slope, array in zip(self.linear, arrays, strict=True):
            total = total + slope * array
        return total
