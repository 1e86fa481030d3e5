"""How much rounding noise a computed function carries, from differences of its values.

The k-th difference of a smooth function on a fine enough grid vanishes; what remains is the noise, amplified
by a known factor (Hamming 1973; Moré and Wild, "Estimating computational noise", SIAM J. Sci. Comput. 33,
2011). The grid must be exact in floating point, or the rounding of the *points* would count as noise of the
function, and its spacing must be unaligned, of any last place: powers of two let a sum round without error
and hide its noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = ["POINTS", "Noise", "Rounding", "deviations", "grid", "noise_of", "points_of"]

EPS = 2.0**-52
SMALLEST = 2.0**-1074
POINTS = 9
SPACINGS = (-36, -28, -20, -12)
FEW = (-36, -28, -20)
# Of many coordinates each evaluation takes long; what a coarse grid sees of their noise is the most.
OF_MANY = (-30, -21, -12)
ORDERS = (4, 5, 6)
CONSISTENT = 4.0
PIECE = 2**13
TOGETHER = 2**23
# Among so many coordinates the moves of one grid serve all.
FEW_COORDINATES = 4096
LEAP = 64.0
ROUGH = 16.0
# A result correctly rounded to nearest is off by a uniform error of half a last place: deviation eps/√12.
ROUNDING = EPS / math.sqrt(12.0)


# How far each coordinate moves, and whether by an odd multiple of its last place.
Moves: TypeAlias = tuple[NDArray[Any], NDArray[np.bool_]]


def grid(
    x: NDArray[Any],
    scale: NDArray[Any],
    exponent: int,
    rng: np.random.Generator,
    moves: Moves | None = None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """`POINTS` exactly equidistant points near x: base [n] and spacing [n], each point moving by about
    scale · 2^exponent. See `points_of`. `moves` are those of `drawn_moves`."""
    move, odd = drawn_moves(x.size, rng) if moves is None else moves
    base, spacing = np.empty(x.size), np.empty(x.size)
    # Pieces that stay in the processor's caches.
    for start in range(0, x.size, PIECE):
        part = slice(start, start + PIECE)
        last_place = last_places(np.abs(x[part]) + scale[part] * 2.0 ** (exponent + 4))
        base[part] = np.rint(x[part] / last_place) * last_place
        count = np.rint(move[part] * (scale[part] * 2.0**exponent) / last_place)
        nearest = 2.0 * np.floor(count * 0.5) + 1.0
        spacing[part] = np.where(odd[part] & (count != 0.0), nearest, count) * last_place
    return base, spacing


def last_places(size: NDArray[Any]) -> NDArray[Any]:
    """One unit in the last place of each positive number, as `numpy.spacing` has it but faster: the exponent's
    bits are read."""
    bits = size.view(np.int64) & np.int64(0x7FF0_0000_0000_0000)
    places: NDArray[Any] = np.maximum(bits.view(np.float64) * EPS, SMALLEST)
    return places


def drawn_moves(size: int, rng: np.random.Generator) -> Moves:
    """How far each coordinate moves from point to point, ±1/2 to ±1 of the spacing asked for, and whether by an
    odd multiple of the last place: those move it; odd ones only would leave the last place of a sum of two."""
    move = rng.uniform(-0.5, 0.5, size)
    move += np.copysign(0.5, move)
    return move, rng.random(size) < 0.5 if size > 1 else np.ones(size, np.bool_)


def points_of(base: NDArray[Any], spacing: NDArray[Any], start: int, stop: int) -> NDArray[Any]:
    """The points of a grid from number `start` (from 0) to before `stop`, [stop - start, n]."""
    points: NDArray[Any] = np.multiply.outer(np.arange(start + 1.0, stop + 1.0), spacing)
    points += base
    return points


Evaluate: TypeAlias = Callable[[NDArray[Any]], tuple[NDArray[Any], NDArray[Any] | None]]


class Rounding(Struct, frozen=True):
    """What is known of a function's rounding noise from its inside: at least the standard deviation `deviation` [m],
    and not very much more where the `whole` of it is known."""

    deviation: NDArray[Any]
    whole: bool


class Noise(Struct, frozen=True):
    """`sigma` [m]: the standard deviation of the rounding noise; `rough`: f has a structure finer than the
    coarsest grid."""

    sigma: NDArray[Any]
    rough: bool


def deviations(values: NDArray[Any]) -> NDArray[Any]:
    """The noise's standard deviation [ORDERS, …, m] as each order of difference of values […, POINTS, m] on a grid
    sees it."""
    estimates = []
    # Squares of the smallest and largest numbers would be 0 and infinite; a power of two scales without rounding.
    _, exponents = np.frexp(np.max(np.abs(values), axis=-2))
    table = np.ldexp(values, -exponents[..., None, :])
    for order in range(1, max(ORDERS) + 1):
        table = table[..., 1:, :] - table[..., :-1, :]
        if order in ORDERS:
            estimates.append(np.sqrt(np.mean(np.square(table), axis=-2) / math.comb(2 * order, order)))
    found: NDArray[Any] = np.ldexp(np.stack(estimates), exponents)
    return found


class Table(Struct, frozen=True):
    """What is seen on one grid: the `deviations` [ORDERS, m] of f's values, and whether all points lie in one piece
    of f."""

    deviations: NDArray[Any]
    one_piece: bool


def tables(
    evaluate: Evaluate,
    x: NDArray[Any],
    scale: NDArray[Any],
    spacings: Sequence[int],
    rng: np.random.Generator,
    moves: Moves | None,
) -> Iterator[Table]:
    """A table for each spacing: of all grids at once where they are small, of one point after the other where not."""
    if 8 * x.size * POINTS * len(spacings) <= TOGETHER:
        values, branches = evaluate(side_by_side(x, scale, spacings, rng, moves))
        shape = (len(spacings), POINTS, values.shape[-1])
        seen = deviations(values.reshape(shape))
        crossed = np.zeros(len(spacings), np.bool_)
        if branches is not None:
            codes = branches.reshape(*shape[:2], -1)
            crossed = np.any(codes != codes[:, :1], axis=(1, 2))
        yield from (Table(seen[:, number], not crossed[number]) for number in range(len(spacings)))
        return
    for exponent in spacings:
        base, spacing = grid(x, scale, exponent, rng, moves)
        found = [evaluate(points_of(base, spacing, number, number + 1)) for number in range(POINTS)]
        crossings = [branches for _, branches in found if branches is not None]
        yield Table(
            deviations(np.concatenate([values for values, _ in found])),
            all(np.array_equal(branches, crossings[0]) for branches in crossings),
        )


def side_by_side(
    x: NDArray[Any],
    scale: NDArray[Any],
    spacings: Sequence[int],
    rng: np.random.Generator,
    moves: Moves | None,
) -> NDArray[Any]:
    """The points of a grid for each spacing, [spacings x POINTS, n], made as one grid."""
    drawn = [moves or drawn_moves(x.size, rng) for _ in spacings]
    joined = np.concatenate([move for move, _ in drawn]), np.concatenate([odd for _, odd in drawn])
    powers = 2.0 ** np.asarray(spacings, dtype=float)
    base, spacing = grid(
        np.tile(x, len(spacings)), np.multiply.outer(powers, scale).reshape(-1), 0, rng, joined
    )
    points = points_of(base, spacing, 0, POINTS).reshape(POINTS, len(spacings), x.size)
    return points.swapaxes(0, 1).reshape(len(spacings) * POINTS, x.size)


def noise_of(
    evaluate: Evaluate,
    x: NDArray[Any],
    scale: NDArray[Any],
    centre: NDArray[Any],
    rng: np.random.Generator,
    spacings: Sequence[int] | None = None,
    rounding: Rounding | None = None,
) -> Noise:
    """The rounding noise of a function near x, from one table a spacing.

    From fine to coarse the largest estimate counts: on a fine grid an intermediate value may move by less
    than its last place and hide its noise. It ends at the first grid on which higher orders see less than
    lower ones, or all see very much more than the clear noise of a finer grid: there f itself is seen. A grid
    on which a branch changes is left out. A correctly rounded result is noisy too, even where it does not
    move. Very much more than the whole known noise on a coarser grid is f.
    """
    many = x.size > FEW_COORDINATES
    moves = drawn_moves(x.size, rng) if many else None
    if spacings is None:
        told = rounding is not None and rounding.whole
        spacings = (OF_MANY[1:] if told else OF_MANY) if many else SPACINGS
    sigma = np.zeros(centre.shape)
    ended = np.zeros(centre.shape, np.bool_)
    rough = False
    floor = ROUNDING * np.abs(centre)
    floor = np.where(np.isfinite(floor), floor, 0.0)
    for number, table in enumerate(tables(evaluate, x, scale, spacings, rng, moves)):
        seen, one_piece = table.deviations, table.one_piece
        usable = np.isfinite(seen).all(axis=0) & (one_piece or number == 0)
        # Kinks within a grid are a structure as well.
        rough = number > 0 and (
            not one_piece or bool(np.any(usable & (seen[-1] > ROUGH * np.maximum(sigma, floor))))
        )
        largest = seen.max(axis=0)
        falling = seen[0] > CONSISTENT * seen[-1]
        leap = (sigma > LEAP * floor.max(initial=0.0)) & (largest > LEAP * sigma)
        if rounding is not None and rounding.whole:
            known = rounding.deviation
            leap |= (known > 0.0) & (largest > LEAP * np.maximum(known, floor))
        ended |= usable & (falling | leap) & (number > 0)
        sigma = np.where(usable & ~ended, np.maximum(sigma, largest), sigma)
    if rounding is not None:
        floor = np.maximum(floor, rounding.deviation)
    return Noise(np.maximum(sigma, floor), rough)
