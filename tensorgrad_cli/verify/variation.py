"""A step as a function of the entries of what it reads: what finite differences are taken of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import Apply, Chain, Expression, Op, Ref
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.walking import mapped, occurring
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.numeric.branches import Branch
from tensorgrad_cli.numeric.evaluate import (
    Environment,
    chain_memory,
    evaluate,
    evaluate_chain,
    inner_noise,
)
from tensorgrad_cli.numeric.noise import Rounding
from tensorgrad_cli.numeric.probe import Perturb
from tensorgrad_cli.numeric.slices import sliced
from tensorgrad_cli.verify.points import Point

__all__ = ["Variation", "piecewise", "variation"]

Array = NDArray[Any]

_COMPARISONS = frozenset({"=", "<", "<=", ">", ">=", "!="})


class Variation(Struct, frozen=True):
    """What is varied and what is watched: `function` maps points [batch, n] to values [batch, m] (and branches).

    `at` [n] is the point, the varied tensors one after the other; `bottoms` are their shapes, `tops` is that of
    the watched one. `analytic`: every function on the way has a complex extension. `equations` lead from the
    varied tensors to the watched one; `inside` is the largest number met on the way, and `rounding`
    how far roundings on the way move the watched one. `perturb`,
    where there is a single varied tensor, moves single entries of it with less work.
    """

    function: Any
    at: Array
    tops: tuple[int, ...]
    bottoms: tuple[tuple[int, ...], ...]
    analytic: bool
    point_bytes: int
    equations: Chain
    inside: float
    rounding: Rounding
    perturb: Perturb | None

    @property
    def lengths(self) -> tuple[int, ...]:
        """How many entries each varied tensor has."""
        return tuple(math.prod(shape) for shape in self.bottoms)

    @property
    def outputs(self) -> int:
        """How many entries the watched tensor has."""
        return math.prod(self.tops)

    def parts(self, flat: Array) -> list[Array]:
        """Each varied tensor's part of [batch, n], as [batch, …]."""
        return _parts(flat, self.bottoms)


def variation(
    calculus: Calculus, numerator: str, by: str | Sequence[str], own: bool, point: Point
) -> Variation:
    """A step (or tensor, or derivative) as a function of the entries of some tensors or steps, the rest held."""
    names = (by,) if isinstance(by, str) else tuple(by)
    point.ensure((numerator, *names))
    equations = point.dependents(numerator, names)
    if own:
        equations = tuple(e for e in equations if e.tensor == numerator)
    equations, base = _held(equations, point.environment)
    arrays = [np.asarray(base.arrays[name], dtype=float) for name in names]
    bottoms = tuple(array.shape for array in arrays)
    tops = np.asarray(base.arrays[numerator]).shape
    watched = piecewise(equations)

    def function(points: Array) -> Any:
        moved = base.with_arrays(dict(zip(names, _parts(points, bottoms), strict=True)), names)
        branches: list[Branch] | None = [] if watched else None
        moved = evaluate_chain(equations, moved, branches=branches)
        array = np.asarray(moved.arrays[numerator])
        if numerator not in moved.batched:
            array = np.broadcast_to(array, (len(points), *array.shape))
        values = array.reshape(len(points), -1)
        codes = [np.asarray(b.codes).reshape(len(points), -1) for b in branches or () if b.batched]
        return (values, np.concatenate(codes, axis=1)) if codes else values

    at = np.concatenate([array.reshape(-1) for array in arrays])
    moved = base.with_arrays({n: array[None] for n, array in zip(names, arrays, strict=True)}, names)
    point_bytes = 8 * (at.size + 4 * math.prod(tops)) + chain_memory(equations, moved, 1)
    rounding, inside = inner_noise(equations, base, numerator, names)
    perturb = sliced(equations, base, names[0], numerator) if len(names) == 1 and not watched else None
    analytic = _analytic(equations)
    return Variation(function, at, tops, bottoms, analytic, point_bytes, equations, inside, rounding, perturb)


def _held(equations: Chain, base: Environment) -> tuple[Chain, Environment]:
    """The equations with every `stop_gradient` replaced by its value at the point: it is held while all else
    moves."""
    values: dict[str, Array] = {}

    def hold(part: Expression) -> Expression:
        if not (isinstance(part, Apply) and part.function == "stop_gradient"):
            return mapped(part, hold)
        name, order = f"stopped {len(values)}", tuple(sorted(part.free))
        values[name] = np.asarray(evaluate(part, order, base))
        return Ref(name, order)

    held = tuple(replace(e, expression=hold(e.expression)) for e in equations)
    return held, base.with_arrays(values)


def _parts(flat: Array, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    parts, start = [], 0
    for shape in shapes:
        stop = start + math.prod(shape)
        parts.append(flat[:, start:stop].reshape(len(flat), *shape))
        start = stop
    return parts


def _functions(equations: Chain) -> Iterable[Apply | Op]:
    for equation in equations:
        for part in occurring(equation.expression):
            if isinstance(part, Apply | Op):
                yield part


def piecewise(equations: Chain) -> bool:
    """Whether any function on the way has kinks."""
    for part in _functions(equations):
        if isinstance(part, Op):
            row = OPERATIONS[part.operation]
            if row.kinks or row.branch is not None:
                return True
        elif part.function in _COMPARISONS or (part.function in FUNCTIONS and FUNCTIONS[part.function].kinks):
            return True
    return False


def _analytic(equations: Chain) -> bool:
    """Whether every function on the way has a complex extension."""
    for part in _functions(equations):
        if isinstance(part, Op):
            if not OPERATIONS[part.operation].analytic:
                return False
        elif part.function in FUNCTIONS and not FUNCTIONS[part.function].analytic:
            return False
    return True
