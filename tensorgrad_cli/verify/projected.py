"""Large derivatives of ours against differences along random directions: those of one step by all that it
depends on are looked at together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Ref,
    fresh,
    multiply,
    summation,
)
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.calculus.chain import Calculus
from tensorgrad_cli.numeric import projection
from tensorgrad_cli.numeric.compare import compare
from tensorgrad_cli.numeric.probe import scales
from tensorgrad_cli.spec.model import CheckOptions
from tensorgrad_cli.verify.certificate import EPS, JITTER_SAFETY, Certificate, bar_of
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.variation import Variation

__all__ = ["along", "projected"]

Array = NDArray[Any]

TANGENT = "‹v›"
# So many products, of outputs and directions, are evaluated at once.
TOGETHER = 1 << 18


def projected(
    calculus: Calculus,
    derivatives: Sequence[Derivative],
    moving: Variation,
    point: Point,
    options: CheckOptions,
    seed: int,
    method: str,
    known_zero: bool = False,
) -> list[Certificate]:
    """Derivatives of one numerator, by each of the tensors that `moving` varies, along directions that move all
    of them.

    What a direction gives is the sum of the derivatives' parts. Each is judged by what the others leave of it,
    so an error in one of them is seen in all; its bars are those of the sum.
    """
    found = projection.project(
        moving.function,
        moving.at,
        method=method,
        scale=scales(moving.at, moving.lengths),
        point_bytes=moving.point_bytes,
        max_memory=options.max_memory,
        inside=moving.inside,
        rounding=moving.rounding,
        seed=seed,
    )
    truth = found.differences
    rows = moving.parts(found.directions)
    claims, total, bars = _claims(calculus, derivatives, rows, point, moving.outputs)
    # Rounding of the products themselves: sums of n terms, of which the directions' products are a fair measure.
    sizes = [_rms(claim) for claim in claims]
    sums = zip(sizes, moving.lengths, strict=True)
    bars = bars + JITTER_SAFETY * EPS * sum(np.sqrt(length) * size for size, length in sums)
    hidden = projection.largest_hidden(bars + truth.bars)
    certificates = []
    for claim, size in zip(claims, sizes, strict=True):
        comparison = compare(
            claim,
            bars,
            truth.values - (total - claim) if len(claims) > 1 else truth.values,
            truth.bars,
            still=truth.still,
            kinks=truth.kinks[:, None] if truth.kinks.any() else None,
            known_zero=known_zero,
            rtol=options.rtol or 0.0,
            atol=options.atol or 0.0,
        )
        missed = hidden / size if size else None
        certificates.append(
            Certificate(comparison, truth.evaluations, method, "projected", truth, missed, moving)
        )
    return certificates


def _claims(
    calculus: Calculus, derivatives: Sequence[Derivative], rows: Sequence[Array], point: Point, outputs: int
) -> tuple[list[Array], Array, Array]:
    """Each derivative of ours along the directions, [d, m], their sum, and the sum's bars; of many outputs one
    direction after the other, for the copies of the point take room."""
    count = len(rows[0])
    size = count if outputs * count <= TOGETHER else 1
    claims: list[list[Array]] = [[] for _ in derivatives]
    total: list[Array] = []
    bars: list[Array] = []
    for start in range(0, count, size):
        whole, terms = None, None
        for derivative, part, own in zip(derivatives, rows, claims, strict=True):
            copies, magnitude = along(calculus, derivative, part[start : start + size], point)
            own.append(copies[0].reshape(copies.shape[1], -1).copy())
            if whole is None or terms is None:
                # Copies of ours: what is evaluated may be a view of what is kept.
                whole, terms = np.array(copies), np.array(magnitude)
            else:
                whole += copies
                terms += magnitude
            del copies, magnitude
        assert whole is not None and terms is not None
        total.append(whole[0].reshape(whole.shape[1], -1))
        bars += [bar_of(whole[:, k], terms[k]).reshape(1, -1) for k in range(whole.shape[1])]
    return [np.concatenate(own) for own in claims], np.concatenate(total), np.concatenate(bars)


def _rms(values: Array) -> float:
    finite = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(np.square(finite)))) if finite.size else 0.0


def along(calculus: Calculus, derivative: Derivative, directions: Array, point: Point) -> tuple[Array, Array]:
    """Our derivative along directions [d, …] at the point and its copies [copies, d, top…], without the Jacobian in
    memory, and the size [d, top…] of the terms that it adds up."""
    calculus.resolve(derivative.name)
    product, order = _product(calculus.equations[derivative.name], directions.ndim - 1, len(directions))
    extra = {TANGENT: directions}
    return point.evaluated_with(product, order, extra), point.magnitude(product, order, extra)


@lru_cache(maxsize=1024)
def _product(equation: Equation, rank: int, count: int) -> tuple[Expression, tuple[Index, ...]]:
    """The derivative summed against `count` directions of so many axes. Kept, and with it its plan."""
    top = equation.indices[: len(equation.indices) - rank]
    bottom = equation.indices[len(equation.indices) - rank :]
    bound = tuple(fresh(index) for index in bottom)
    which = Index("direction", Dimension(str(count)))
    moved = substitute(equation.expression, dict(zip(bottom, bound, strict=True)))
    return summation(bound, multiply(moved, Ref(TANGENT, (which, *bound)))), (which, *top)
