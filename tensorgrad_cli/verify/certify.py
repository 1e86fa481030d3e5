"""A derivative of ours against the chain itself: by finite differences or the complex step, entry by entry or
along random directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    Apply,
    Chain,
    Derivative,
    Op,
    Ref,
    fresh,
    multiply,
    subexpressions,
    substitute,
    summation,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.numeric import complex_step, difference, projection
from tensorgrad_cli.numeric.branches import Branch
from tensorgrad_cli.numeric.compare import Comparison, compare
from tensorgrad_cli.numeric.difference import Differences
from tensorgrad_cli.numeric.evaluate import Environment, chain_memory, evaluate_chain
from tensorgrad_cli.numeric.probe import scales
from tensorgrad_cli.spec.model import CheckOptions
from tensorgrad_cli.verify.points import JITTERS, Point

__all__ = ["Certificate", "Variation", "bar_of", "certify", "variation"]

Array = NDArray[Any]

JITTER_SAFETY = 4.0
EPS = 2.0**-52
# Entries of a Jacobian beyond which it is looked at along random directions instead.
FULL_ENTRIES = 1 << 21
TANGENT = "‹v›"
_COMPARISONS = frozenset({"=", "<", "<=", ">", ">=", "!="})


class Certificate(Struct, frozen=True):
    """A derivative of ours against differences: the comparison, its cost, and how it was done.

    `missed` is, in projected mode, the part of the derivative above which an error would have been missed with
    a probability below `projection.CHANCE`.
    """

    comparison: Comparison
    evaluations: int
    method: str
    mode: str
    differences: Differences
    missed: float | None = None


class Variation(Struct, frozen=True):
    """What is varied and what is watched: `function` maps points [batch, n] to values [batch, m] (and branches).

    `tops` and `bottoms` are the shapes of the watched and of the varied tensor.
    """

    function: Any
    at: Array
    tops: tuple[int, ...]
    bottoms: tuple[int, ...]
    analytic: bool
    point_bytes: int


def certify(
    calculus: Calculus,
    derivative: Derivative,
    point: Point,
    options: CheckOptions,
    seed: int,
    known_zero: bool = False,
) -> Certificate:
    """A derivative at a point. In method `auto`, differences decide, and where they cannot (or contradict us),
    the complex step is asked too; in mode `auto`, a large Jacobian is looked at along random directions.

    Raises TooLarge where not even one evaluation fits into the memory allowed.
    """
    numerator, by = varied(calculus, derivative)
    moving = variation(calculus, numerator, by, derivative.own, point)
    method = options.method if options.method != "auto" and moving.analytic else "central"
    first = _certified(calculus, derivative, moving, point, options, seed, method, known_zero)
    settled = first.comparison.verdict == "equal" or first.comparison.reason in ("kink", "vacuous")
    if settled or options.method != "auto" or not moving.analytic:
        return first
    second = _certified(calculus, derivative, moving, point, options, seed, "complex", known_zero)
    if first.comparison.verdict == "undecided" or second.comparison.verdict == "different":
        return second
    return first


def varied(calculus: Calculus, derivative: Derivative) -> tuple[str, str]:
    """What is watched and what is varied: of a second derivative, the first one is watched."""
    if len(derivative.denominators) == 1:
        return derivative.numerator, derivative.denominators[0]
    first = derivative_name(derivative.numerator, derivative.denominators[:1], derivative.own)
    calculus.resolve(first)
    return first, derivative.denominators[1]


def variation(calculus: Calculus, numerator: str, by: str, own: bool, point: Point) -> Variation:
    """A step (or tensor, or derivative) as a function of the entries of a tensor or step, the rest held."""
    point.ensure((numerator, by))
    equations = point.dependents(numerator, by)
    if own:
        equations = tuple(e for e in equations if e.tensor == numerator)
    base = point.environment
    at = np.asarray(base.arrays[by], dtype=float)
    tops = np.asarray(base.arrays[numerator]).shape
    watched = _watched(equations)

    def function(points: Array) -> Any:
        batch = points.reshape(len(points), *at.shape)
        branches: list[Branch] | None = [] if watched else None
        moved = evaluate_chain(equations, base.with_arrays({by: batch}, (by,)), branches=branches)
        array = np.asarray(moved.arrays[numerator])
        if numerator not in moved.batched:
            array = np.broadcast_to(array, (len(points), *array.shape))
        values = array.reshape(len(points), -1)
        codes = [np.asarray(b.codes).reshape(len(points), -1) for b in branches or () if b.batched]
        return (values, np.concatenate(codes, axis=1)) if codes else values

    return Variation(
        function, at, tops, at.shape, _analytic(equations), _bytes(equations, base, by, at, tops)
    )


def _bytes(equations: Chain, base: Environment, by: str, at: Array, tops: tuple[int, ...]) -> int:
    """What one point costs inside the function."""
    moved = base.with_arrays({by: at[None]}, (by,))
    own = 8 * (at.size + 4 * int(np.prod(tops, dtype=int)))
    return own + chain_memory(equations, moved, 1)


def _functions(equations: Chain) -> Iterable[Apply | Op]:
    for equation in equations:
        for part in subexpressions(equation.expression):
            if isinstance(part, Apply | Op):
                yield part


def _watched(equations: Chain) -> bool:
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


def _certified(
    calculus: Calculus,
    derivative: Derivative,
    moving: Variation,
    point: Point,
    options: CheckOptions,
    seed: int,
    method: str,
    known_zero: bool,
) -> Certificate:
    entries = moving.at.size * int(np.prod(moving.tops, dtype=int))
    large = moving.at.size > projection.FULL_UP_TO or entries > FULL_ENTRIES
    if options.mode == "projected" or (options.mode == "auto" and large):
        return _projected(calculus, derivative, moving, point, options, seed, method, known_zero)
    return _full(derivative, moving, point, options, seed, method, known_zero)


def _full(
    derivative: Derivative,
    moving: Variation,
    point: Point,
    options: CheckOptions,
    seed: int,
    method: str,
    known_zero: bool,
) -> Certificate:
    jacobian = complex_step.jacobian if method == "complex" else difference.jacobian
    found = jacobian(
        moving.function,
        moving.at,
        seed=seed,
        point_bytes=moving.point_bytes,
        max_memory=options.max_memory,
    )
    ours = point.copies(derivative.name)
    shape = ours.shape[1:]
    rank = len(moving.bottoms)
    comparison = compare(
        ours[0],
        bar_of(ours),
        np.moveaxis(found.values, 0, 1).reshape(shape),
        np.moveaxis(found.bars, 0, 1).reshape(shape),
        row=tuple(range(len(shape) - rank, len(shape))) or None,
        still=np.moveaxis(found.still, 0, 1).reshape(shape),
        kinks=found.kinks.reshape(moving.bottoms) if found.kinks.any() else None,
        known_zero=known_zero,
        rtol=options.rtol or 0.0,
        atol=options.atol or 0.0,
    )
    return Certificate(comparison, found.evaluations, method, "full", found)


def _projected(
    calculus: Calculus,
    derivative: Derivative,
    moving: Variation,
    point: Point,
    options: CheckOptions,
    seed: int,
    method: str,
    known_zero: bool,
) -> Certificate:
    found = projection.project(
        moving.function,
        moving.at,
        method=method,
        scale=scales(moving.at.reshape(-1)),
        point_bytes=moving.point_bytes,
        max_memory=options.max_memory,
        seed=seed,
    )
    ours = [_along(calculus, derivative, row.reshape(moving.bottoms), point) for row in found.directions]
    claim = np.stack([copies[0].reshape(-1) for copies in ours])
    bars = np.stack([bar_of(copies).reshape(-1) for copies in ours])
    truth = found.differences
    # Rounding of the product itself: a sum of n terms, of which the directions' products are a fair measure.
    size = np.sqrt(np.mean(np.square(truth.values[np.isfinite(truth.values)]))) if truth.values.size else 0.0
    bars = bars + JITTER_SAFETY * EPS * np.sqrt(moving.at.size) * size
    comparison = compare(
        claim,
        bars,
        truth.values,
        truth.bars,
        still=truth.still,
        kinks=truth.kinks[:, None] if truth.kinks.any() else None,
        known_zero=known_zero,
        rtol=options.rtol or 0.0,
        atol=options.atol or 0.0,
    )
    both = bars + truth.bars
    hidden = projection.hidden_size(np.where(np.isfinite(both), both, np.inf))
    missed = float(np.max(hidden) / size) if size else None
    return Certificate(comparison, truth.evaluations, method, "projected", truth, missed)


def _along(calculus: Calculus, derivative: Derivative, direction: Array, point: Point) -> Array:
    """Our derivative along a direction at the point and its copies, without the Jacobian in memory."""
    calculus.resolve(derivative.name)
    equation = calculus.equations[derivative.name]
    rank = direction.ndim
    top = equation.indices[: len(equation.indices) - rank]
    bottom = equation.indices[len(equation.indices) - rank :]
    bound = tuple(fresh(index) for index in bottom)
    moved = substitute(equation.expression, dict(zip(bottom, bound, strict=True)))
    product = simplified(summation(bound, multiply(moved, Ref(TANGENT, bound))))
    return point.evaluated_with(product, top, {TANGENT: direction})


def bar_of(copies: Array) -> Array:
    """The bar of an evaluation from its copies moved by one last place."""
    with np.errstate(all="ignore"):
        spread = np.max(np.abs(copies[1:] - copies[0]), axis=0) if JITTERS else np.zeros(copies.shape[1:])
        spread = np.where(np.isfinite(spread), spread, 0.0)
        bar: Array = JITTER_SAFETY * (spread + EPS * np.abs(copies[0]))
    return bar
