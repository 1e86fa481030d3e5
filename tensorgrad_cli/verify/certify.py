"""A derivative of ours against the chain itself: by finite differences or the complex step, entry by entry or
along random directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.numeric import complex_step, difference, projection
from tensorgrad_cli.numeric.compare import compare
from tensorgrad_cli.numeric.probe import scales
from tensorgrad_cli.spec.model import CheckOptions
from tensorgrad_cli.verify.certificate import EPS, JITTER_SAFETY, Certificate, Symmetry, bar_of
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.variation import Variation, variation

__all__ = [
    "EPS",
    "JITTER_SAFETY",
    "Certificate",
    "Variation",
    "bar_of",
    "certify",
    "certify_together",
    "variation",
    "varied",
]

# Entries of a Jacobian beyond which it is looked at along random directions instead.
FULL_ENTRIES = 1 << 21
# A contradiction is measured so many times more, with the noise seen by other draws, before it is said loudly.
CONFIRMATIONS = 2


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
    found = _asked(calculus, derivative, moving, point, options, seed, known_zero)
    for again in range(1, 1 + CONFIRMATIONS):
        if found.comparison.verdict == "different":
            found = _asked(calculus, derivative, moving, point, options, seed + again, known_zero)
    if not np.isfinite(point.value(numerator)).any():
        nowhere = replace(found.comparison, verdict="undecided", reason="domain")
        return replace(found, comparison=nowhere)
    denominators = derivative.denominators
    scalar = moving.outputs == moving.at.size
    if scalar and len(denominators) == 2 and denominators[0] == denominators[1] and moving.analytic:
        return replace(found, symmetry=_symmetry(moving, seed))
    return found


def _symmetry(moving: Variation, seed: int) -> Symmetry:
    uhv, vhu, bar = complex_step.symmetry(moving.function, moving.at, seed=seed)
    return Symmetry(uhv - vhu, bar, abs(uhv))


def _asked(
    calculus: Calculus,
    derivative: Derivative,
    moving: Variation,
    point: Point,
    options: CheckOptions,
    seed: int,
    known_zero: bool,
) -> Certificate:
    method = options.method if options.method != "auto" and moving.analytic else "central"
    first = _certified(calculus, derivative, moving, point, options, seed, method, known_zero)
    settled = first.comparison.verdict == "equal" or first.comparison.reason == "kink"
    if settled or options.method != "auto" or not moving.analytic:
        return first
    second = _certified(calculus, derivative, moving, point, options, seed, "complex", known_zero)
    if first.comparison.reason == "vacuous" and second.comparison.verdict != "equal":
        # Nothing but rounding in the one as in the other: a zero that is none by its form.
        return first
    if first.comparison.verdict == "undecided" or second.comparison.verdict == "different":
        return second
    if second.comparison.verdict == "equal" and _beyond_steps(moving):
        return second
    return first


def _beyond_steps(moving: Variation) -> bool:
    """Whether an entry is so small that each step of a difference goes past it, as past a pole at zero. The complex
    step is a small part of every entry."""
    sizes = np.abs(moving.at)
    return bool(np.any((sizes > 0.0) & (sizes < 4 * difference.SMALLEST * scales(moving.at, moving.lengths))))


def certify_together(
    calculus: Calculus, derivatives: Sequence[Derivative], point: Point, options: CheckOptions, seed: int
) -> Mapping[str, Certificate]:
    """First derivatives of one numerator by several tensors at once, where they are many enough to be looked at
    along random directions: those that agree. The others are to be certified one by one."""
    numerator = derivatives[0].numerator
    names = [derivative.denominators[0] for derivative in derivatives]
    many = sum(_size(calculus, name, point) for name in names) > projection.FULL_UP_TO
    if options.mode == "full" or not (many or options.mode == "projected"):
        return {}
    calculus.extend((), derivatives)
    moving = variation(calculus, numerator, names, derivatives[0].own, point)
    method = options.method if options.method != "auto" and moving.analytic else "central"
    from tensorgrad_cli.verify.projected import projected

    found = projected(calculus, derivatives, moving, point, options, seed, method)
    return {
        derivative.name: certificate
        for derivative, certificate in zip(derivatives, found, strict=True)
        if certificate.comparison.verdict == "equal"
    }


def _size(calculus: Calculus, name: str, point: Point) -> int:
    return math.prod(dimension.size(point.sizes) for dimension in calculus.shapes[name])


def varied(calculus: Calculus, derivative: Derivative) -> tuple[str, str]:
    """What is watched and what is varied: of a second derivative, the first one is watched."""
    if len(derivative.denominators) == 1:
        return derivative.numerator, derivative.denominators[0]
    first = derivative_name(derivative.numerator, derivative.denominators[:1], derivative.own)
    calculus.resolve(first)
    return first, derivative.denominators[1]


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
    large = moving.at.size > projection.FULL_UP_TO or moving.at.size * moving.outputs > FULL_ENTRIES
    if options.mode == "projected" or (options.mode == "auto" and large):
        from tensorgrad_cli.verify.projected import projected

        (found,) = projected(calculus, (derivative,), moving, point, options, seed, method, known_zero)
        return found
    return _full(calculus, derivative, moving, point, options, seed, method, known_zero)


def _full(
    calculus: Calculus,
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
        perturb=moving.perturb if method == "central" else None,
        point_bytes=moving.point_bytes,
        max_memory=options.max_memory,
        inside=moving.inside,
        rounding=moving.rounding,
    )
    ours = point.copies(derivative.name)
    equation = calculus.equations[derivative.name]
    terms = point.magnitude(equation.expression, equation.indices)
    shape = ours.shape[1:]
    rank = len(moving.bottoms[0])
    comparison = compare(
        ours[0],
        bar_of(ours, terms),
        np.moveaxis(found.values, 0, 1).reshape(shape),
        np.moveaxis(found.bars, 0, 1).reshape(shape),
        row=tuple(range(len(shape) - rank, len(shape))) or None,
        still=np.moveaxis(found.still, 0, 1).reshape(shape),
        kinks=found.kinks.reshape(moving.bottoms[0]) if found.kinks.any() else None,
        known_zero=known_zero,
        rtol=options.rtol or 0.0,
        atol=options.atol or 0.0,
    )
    return Certificate(comparison, found.evaluations, method, "full", found, None, moving)
