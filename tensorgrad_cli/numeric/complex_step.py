"""Derivatives by the complex step: no subtraction, so no rounding error that grows as the step shrinks.

f'(x) = Im f(x + ih) / h + O(h²) (Squire and Trapp, "Using complex variables to estimate derivatives of real
functions", SIAM Review 40, 1998). With h = 2⁻¹⁰⁰ of the coordinate's scale the truncation is far below every
rounding, with a smaller one where the coordinate is itself as small (the logarithm of a saturated probability).
f must be analytic in complex arithmetic, with branches chosen by the real part.

The error model. The derivative carries the rounding errors of an evaluation of f and f'. Three re-evaluations
show their size: the inputs moved by some last places, as a backward stable evaluation may
move them, and h multiplied by a random number, so that the imaginary parts are rounded anew (a quotient's
numerator cancels there unseen). The bar is sixteen times the largest change and a rounding of the result
(three samples alone would be too small by eight once in 10⁵ entries). A real part that hides its rounding at
such moves (it may not move at all) is found by a difference table of the derivative along one random
direction, as in `noise`; where that sees more, all bars of the output grow by the ratio.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.numeric.difference import LINE, TIE, Differences, by_windows, reference
from tensorgrad_cli.numeric.noise import EPS, FEW, POINTS, Rounding, noise_of
from tensorgrad_cli.numeric.probe import BLOCK, MAX_MEMORY, Array, Function, Perturb, Probe, scales
from tensorgrad_cli.numeric.quotient import both_sides
from tensorgrad_cli.numeric.romberg import SIGMAS

__all__ = ["directional", "jacobian", "symmetry"]

STEP = 2.0**-100
# A step is at most so much of its coordinate, but no smaller than the least one: products of it must not underflow.
STEP_OF_ITSELF = 2.0**-40
LEAST_STEP = 2.0**-900
JITTERS = 3
PLACES = 32
SAFETY = 16.0
SCOUTS = 4


def jacobian(
    f: Function,
    x: Array,
    *,
    scale: Array | None = None,
    groups: Sequence[int] | None = None,
    perturb: Perturb | None = None,
    point_bytes: int | None = None,
    max_memory: int = MAX_MEMORY,
    inside: float = 0.0,
    rounding: Rounding | None = None,
    seed: int = 0,
) -> Differences:
    """The derivative of every output of f by every input; arguments and result as of `difference.jacobian`.

    f must accept complex points, and returns complex values. `perturb` serves the unmoved point only.
    """
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    scale = scales(x, groups) if scale is None else scale
    probe = Probe(
        f,
        x,
        scale,
        perturb=perturb,
        point_bytes=point_bytes,
        max_memory=max_memory,
        inside=inside,
        rounding=rounding,
    )
    with np.errstate(all="ignore"):
        return stepped(probe, scale, np.random.default_rng(seed), _steps(x, scale), max_memory)


def directional(
    f: Function,
    x: Array,
    directions: Array,
    *,
    scale: Array | None = None,
    point_bytes: int | None = None,
    max_memory: int = MAX_MEMORY,
    inside: float = 0.0,
    rounding: Rounding | None = None,
    seed: int = 0,
) -> Differences:
    """The derivatives of f along the rows of `directions` [d, n]. Of a gradient they are Hessian-vector
    products."""
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    scale = scales(x) if scale is None else scale
    probe = Probe(
        f,
        x,
        scale,
        directions=directions,
        point_bytes=point_bytes,
        max_memory=max_memory,
        inside=inside,
        rounding=rounding,
    )
    with np.errstate(all="ignore"):
        ones = np.ones(len(directions))
        # A coordinate that a direction does not move asks for nothing (0 / 0).
        steps = np.fmin.reduce(_steps(x, np.abs(directions)) / np.abs(directions), axis=1, initial=STEP)
        steps = np.maximum(steps, LEAST_STEP)
        return stepped(probe, ones, np.random.default_rng(seed), steps, max_memory)


def _steps(x: Array, scale: Array) -> Array:
    """The step of each coordinate."""
    itself = np.maximum(np.abs(x) * STEP_OF_ITSELF, LEAST_STEP)
    steps: Array = np.where(x == 0.0, STEP * scale, np.minimum(STEP * scale, itself))
    return steps


def stepped(
    probe: Probe,
    line_scale: Array,
    rng: np.random.Generator,
    steps: Array,
    max_memory: int = MAX_MEMORY,
) -> Differences:
    """All lines of a probe, block by block, each with its step; where not even one line fits, some of the outputs
    at a time."""
    if probe.outputs * LINE > max(max_memory, BLOCK):
        return by_windows(
            probe, max_memory, lambda part, window: stepped(window, line_scale, rng, steps, max_memory)
        )
    shape = (probe.lines, probe.outputs)
    values, bars = np.empty(shape), np.empty(shape)
    jittered = jitter(probe.x, rng)
    mantissas = 1.0 + rng.random(JITTERS)
    size = max(1, probe.points_per_call)
    for start in range(0, probe.lines, size):
        which = np.arange(start, min(start + size, probe.lines))
        step = steps[which]
        values[which] = slope(probe, which, step, probe.x)
        spread = np.zeros((len(which), probe.outputs))
        for base, mantissa in zip(jittered, mantissas, strict=True):
            np.fmax(spread, np.abs(slope(probe, which, step * mantissa, base) - values[which]), out=spread)
        bars[which] = SAFETY * (spread + EPS * np.abs(values[which]))
    bars *= growth(probe, jittered, rng)
    broken = ~np.isfinite(values)
    values[broken], bars[broken] = np.nan, np.inf
    still = (values == 0.0) & (bars == 0.0)
    hidden = np.broadcast_to(SAFETY * SIGMAS * EPS * reference(probe) / line_scale[:, None], shape)
    np.copyto(bars, hidden, where=still)
    kinks, slopes = kinked(probe, line_scale, values, bars, rng)
    lost = np.isnan(values).any(axis=1) & ~kinks
    unmeasured = np.full(probe.outputs, np.nan)
    return Differences(
        values,
        bars,
        still & ~kinks[:, None],
        kinks,
        lost,
        probe.centre,
        unmeasured,
        line_scale,
        probe.evaluations,
        "complex",
        slopes,
    )


def jitter(x: Array, rng: np.random.Generator) -> Array:
    """Copies [JITTERS, n] of x, moved by 1 to `PLACES` last places, so that differences of inputs move
    too."""
    shape = (JITTERS, x.size)
    places = rng.integers(1, PLACES, shape, endpoint=True) * rng.choice((-1.0, 1.0), shape)
    moved: Array = x + places * np.spacing(np.abs(x))
    return moved


def slope(probe: Probe, which: NDArray[np.intp], step: Array, base: Array) -> Array:
    """Im f(base + i h) / h along lines."""
    moved, _ = probe.moved(which, 1j * step, base)
    derivative: Array = np.imag(moved) / step[:, None]
    return derivative


def growth(probe: Probe, jittered: Array, rng: np.random.Generator) -> Array:
    """How many times more noise [m] a difference table of the derivative shows than the moves by a last place
    do."""
    # A coordinate that the widest table would move past zero moves by its own size: there may be a pole.
    size = np.abs(probe.x)
    reach = POINTS * 2.0 ** max(FEW) * probe.scale
    scale = np.where((size > 0.0) & (size < reach), size, probe.scale)
    direction = rng.standard_normal(probe.x.size) * scale

    def derivative(points: Array) -> tuple[Array, Array | None]:
        values, branches = probe.blocks(points + 1j * STEP * direction)
        return np.imag(values) / STEP, branches

    near, _ = derivative(np.concatenate([probe.x[None], jittered]))
    seen = np.max(np.abs(near[1:] - near[0]), axis=0) + EPS * np.abs(near[0])
    table = noise_of(derivative, probe.x, scale, near[0], rng, FEW).sigma
    ratio = np.where(seen > 0.0, SIGMAS * table / seen, 1.0)
    return np.where(np.isfinite(ratio), np.maximum(ratio, 1.0), 1.0)


def kinked(
    probe: Probe, line_scale: Array, values: Array, bars: Array, rng: np.random.Generator
) -> tuple[NDArray[np.bool_], Array | None]:
    """Which lines lie on a kink; their values and bars are replaced by what both sides say. A few random
    moves tell whether there is any kink to look for."""
    kinks = np.zeros(probe.lines, np.bool_)
    if probe.centre_branches is None:
        return kinks, None
    scouts = rng.standard_normal((SCOUTS, probe.x.size)) * probe.scale * 2.0 ** TIE[0]
    _, branches = probe.blocks(np.concatenate([probe.x + scouts, probe.x - scouts]))
    if branches is None or np.array_equal(branches, np.broadcast_to(probe.centre_branches, branches.shape)):
        return kinks, None
    kinks = np.any(probe.samples(np.arange(probe.lines), TIE).crossed, axis=(0, 1), out=kinks)
    lines = np.flatnonzero(kinks)
    if lines.size == 0:
        return kinks, None
    sigma = noise_of(probe.blocks, probe.x, probe.scale, probe.centre, rng, FEW).sigma
    slopes = np.full((2, *values.shape), np.nan)
    values[lines], bars[lines], slopes[:, lines] = both_sides(probe, lines, line_scale[lines], sigma)
    return kinks, slopes


def symmetry(
    gradient: Function, x: Array, *, scale: Array | None = None, seed: int = 0
) -> tuple[float, float, float]:
    """uᵀHv, vᵀHu and the bar of their difference, H the Jacobian of `gradient` ([batch, n] to [batch, n]), u
    and v random.

    They differ beyond the bar where `gradient` is the gradient of nothing.
    """
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    scale = scales(x) if scale is None else scale
    pair = np.random.default_rng(seed).standard_normal((2, x.size)) * scale
    products = directional(gradient, x, pair, scale=scale, seed=seed)
    uhv, vhu = float(pair[0] @ products.values[1]), float(pair[1] @ products.values[0])
    size = np.abs(pair[::-1])
    bar = float(np.sum(size * (products.bars + x.size * EPS * np.abs(products.values))))
    return uhv, vhu, bar
