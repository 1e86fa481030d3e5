"""A function of many inputs, evaluated along lines through a point: in blocks, counted, its branches watched.

Everything here is about *where* to evaluate and which evaluations may be used; what is concluded from them is
the matter of `difference` and `complex_step`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric.noise import Rounding

__all__ = ["BLOCK", "MAX_MEMORY", "Array", "Function", "Perturb", "Probe", "Samples", "scales"]

Array: TypeAlias = NDArray[Any]
Function: TypeAlias = Callable[[Array], Any]
Perturb: TypeAlias = Callable[[NDArray[np.intp], Array], Any]

MAX_MEMORY = 2**30
# A block of points that stays near the processor's caches is evaluated faster than one that fills the memory.
BLOCK = 2**21


def scales(x: Array, groups: Sequence[int] | None = None) -> Array:
    """A power of two per coordinate: its size, but not below its tensor's root mean square; 1 if 0.

    `groups` are the lengths of the tensors that were flattened into x, in order (default: one tensor).
    """
    magnitude = np.abs(np.asarray(x, dtype=float))
    floors = np.zeros_like(magnitude)
    start = 0
    for length in (magnitude.size,) if groups is None else groups:
        part = slice(start, start + length)
        top = float(magnitude[part].max(initial=0.0))
        if top > 0.0:
            floors[part] = top * np.sqrt(np.mean(np.square(magnitude[part] / top)))
        start += length
    size = np.maximum(magnitude, floors)
    _, exponents = np.frexp(np.where(size > 0.0, size, 1.0))
    powers: Array = np.ldexp(1.0, exponents - 1)
    return powers


class Samples(Struct, frozen=True):
    """Values [steps, 2, lines, m] at +h and -h, NaN where a step must not be used, and the exact steps
    [steps, 2, lines].

    `crossed` [steps, 2, lines] marks the steps that were discarded because a branch changed on the way.
    """

    values: Array
    steps: Array
    crossed: NDArray[np.bool_]


class Probe:
    """f at and around x. Lines are the coordinates, or the rows of `directions` where these are given.

    `f` maps points [batch, n] to values [batch, m] or to a pair (values, branches [batch, b]); branches are
    any array that changes where f passes from one smooth piece to another. `perturb(coordinates, steps)`,
    where given, yields the same for the points x + steps[b] · e(coordinates[b]) and may share work between
    them. `point_bytes` is what one point costs inside f; `inside` the size of the largest number met in f, and
    `rounding` what is known of its rounding noise: tables do not show all of it.
    """

    def __init__(
        self,
        f: Function,
        x: Array,
        scale: Array,
        *,
        directions: Array | None = None,
        perturb: Perturb | None = None,
        point_bytes: int | None = None,
        max_memory: int = MAX_MEMORY,
        inside: float = 0.0,
        rounding: Rounding | None = None,
    ) -> None:
        self.f = f
        self.x = x
        self.scale = scale
        self.directions = directions
        self.perturb = perturb
        self.inside = inside
        self.rounding = rounding
        self.evaluations = 0
        # The outputs that are looked at: all, or those of a window.
        self.watched = slice(None)
        self.centre = np.zeros(0)
        self.centre_branches: Array | None = None
        values, branches = self.call(x[None])
        self.centre, self.centre_branches = values[0], None if branches is None else branches[0]
        own = 8 * (x.size + 4 * self.outputs) if point_bytes is None else point_bytes
        if branches is not None:
            own += branches.nbytes
        self.points_per_call = max(1, min(max_memory, BLOCK) // own)

    @property
    def outputs(self) -> int:
        return int(self.centre.size)

    def windows(self, bytes_each: int, max_memory: int) -> Iterator[tuple[slice, Probe]]:
        """The same function with some of its outputs at a time, so many that `bytes_each` for each of them fit into
        the memory (but a block); f is evaluated anew for each window."""
        width = max(max_memory, BLOCK) // bytes_each
        for start in range(0, self.outputs, width):
            part = slice(start, start + width)
            window = copy(self)
            window.watched, window.centre, window.evaluations = part, self.centre[part], 0
            if self.rounding is not None:
                window.rounding = Rounding(self.rounding.deviation[part], self.rounding.whole)
            yield part, window

    @property
    def lines(self) -> int:
        return int(self.x.size) if self.directions is None else len(self.directions)

    def call(self, points: Array) -> tuple[Array, Array | None]:
        """f at points [batch, n], in one call."""
        self.evaluations += len(points)
        with np.errstate(all="ignore"):
            return self.split(self.f(points), len(points))

    def split(self, result: Any, count: int) -> tuple[Array, Array | None]:
        values, branches = result if isinstance(result, tuple) else (result, None)
        values = np.asarray(values).reshape(count, -1)
        if self.watched != slice(None):
            values = values[:, self.watched].copy()  # a view would keep the whole
        return values, None if branches is None else np.asarray(branches).reshape(count, -1)

    def blocks(self, points: Array) -> tuple[Array, Array | None]:
        """f at points [batch, n], in as many calls as the memory asks for."""
        parts = [
            self.call(points[start : start + self.points_per_call])
            for start in range(0, len(points), self.points_per_call)
        ]
        values = np.concatenate([part[0] for part in parts])
        if parts[0][1] is None:
            return values, None
        return values, np.concatenate([part[1] for part in parts if part[1] is not None])

    def moved(
        self, which: NDArray[np.intp], steps: Array, base: Array | None = None
    ) -> tuple[Array, Array | None]:
        """f at x + steps[b] along line which[b]; complex steps give complex points."""
        parts = []
        for start in range(0, len(which), self.points_per_call):
            part = slice(start, start + self.points_per_call)
            parts.append(self.moved_block(which[part], steps[part], self.x if base is None else base))
        values = np.concatenate([part[0] for part in parts])
        if parts[0][1] is None:
            return values, None
        return values, np.concatenate([part[1] for part in parts if part[1] is not None])

    def moved_block(self, which: NDArray[np.intp], steps: Array, base: Array) -> tuple[Array, Array | None]:
        count = len(which)
        if self.directions is not None:
            points = self.directions[which].astype(np.result_type(base, steps), copy=False)
            points *= steps[:, None]
            points += base
            return self.call(points)
        if self.perturb is not None and base is self.x:
            self.evaluations += count
            with np.errstate(all="ignore"):
                return self.split(self.perturb(which, steps), count)
        points = np.empty((count, base.size), np.result_type(base, steps))
        points[:] = base
        points[np.arange(count), which] += steps
        return self.call(points)

    def samples(self, which: NDArray[np.intp], exponents: Sequence[int], *, by_side: bool = False) -> Samples:
        """Both sides of every line in `which` at the steps 2^exponent · scale; unusable ones are NaN.

        A step is unusable where f is not finite or a branch differs from the centre's (`by_side`: from that
        at the last step of its side).
        """
        steps = self.exact_steps(which, exponents)
        count = len(exponents) * 2
        values, branches = self.moved(np.tile(which, count), steps.reshape(-1))
        shape = (len(exponents), 2, len(which))
        crossed = np.zeros(shape, np.bool_)
        if branches is not None:
            branches = branches.reshape(*shape, -1)
            crossed = np.any(branches != (branches[-1:] if by_side else self.centre_branches), axis=-1)
        values = values.reshape(*shape, -1)
        if not np.isfinite(values).all():
            values = np.where(np.isfinite(values), values, np.nan)
        if crossed.any():
            values = np.where(crossed[..., None], np.nan, values)
        return Samples(values, steps, crossed)

    def exact_steps(self, which: NDArray[np.intp], exponents: Sequence[int]) -> Array:
        """Steps [exponents, 2, lines] such that x + step is a floating-point number."""
        powers = np.ldexp(1.0, np.asarray(exponents))[:, None, None]
        signs = np.asarray([1.0, -1.0])[None, :, None]
        if self.directions is not None:
            return np.broadcast_to(powers * signs, (len(exponents), 2, len(which))).copy()
        at = self.x[which]
        steps: Array = (at + powers * signs * self.scale[which]) - at
        return steps
