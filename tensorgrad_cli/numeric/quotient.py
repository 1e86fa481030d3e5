"""From samples along lines to difference quotients, their noise, and the best that can be made of them.

Central quotients are extrapolated in h², one-sided ones (where a side left the domain or crossed a kink) in
h; of all, the entry with the smallest bar counts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric.noise import ROUNDING
from tensorgrad_cli.numeric.probe import Array, Probe, Samples
from tensorgrad_cli.numeric.romberg import NEAR, Extrapolated, extrapolate

__all__ = ["Found", "both_sides", "central", "find", "one_sided"]

# The slopes at the sides of a kink are taken from these steps.
SIDES = (-2, -5, -8, -11, -14, -17, -22, -42)
# Steps of f's values larger than so many roundings of the largest output are no roundings.
QUANTUM = 256.0
# A second difference counts where it is so many deviations of noise, and falls by at least so much a step.
CLEAR = 64.0
FALLS = 2.0


def both_sides(
    probe: Probe, which: NDArray[np.intp], unit: Array, sigma: Array
) -> tuple[Array, Array, Array]:
    """Of lines on a kink: the slopes [2, lines, m] left and right, and values and bars where they agree."""
    samples = probe.samples(which, SIDES, by_side=True)
    left, right = (one_sided(samples, SIDES, unit, probe.centre, sigma, side) for side in (1, 0))
    bars = left.bars + right.bars
    agree = np.abs(left.values - right.values) <= bars
    values = np.where(agree, (left.values + right.values) / 2.0, np.nan)
    return values, np.where(agree, bars, np.inf), np.stack([left.values, right.values])


class Found(Struct, frozen=True):
    """What the steps so far say: values and bars, and in which direction a better bar may lie."""

    values: Array
    bars: Array
    still: NDArray[np.bool_]
    coarser: NDArray[np.bool_]
    finer: NDArray[np.bool_]
    broken: NDArray[np.bool_]


def find(
    samples: Samples,
    exponents: Sequence[int],
    unit: Array,
    centre: Array,
    sigma: Array,
    rounding: float,
    next_finer: int,
) -> Found:
    """The best quotient of each line [lines] and output [m] from samples at steps 2^exponent · unit.

    Larger steps may help where noise prevails and the best window begins at the largest step; smaller ones,
    from 2^next_finer on, where it ends beside or below them or the smallest steps contradict it, and truncation
    prevails, or they lie in a gap.
    """
    unusable = np.isnan(samples.values)
    stuck = np.all(unusable | (samples.values == centre), axis=1) & ~np.all(unusable, axis=1)
    near = sum(exponent > NEAR for exponent in exponents)
    still = np.all(stuck[near:], axis=0)
    stuck &= ~still
    if stuck.any():
        sigma = stuck_noise(samples.values, stuck, centre, sigma, QUANTUM * rounding)
    chosen = central(samples, exponents, centre, sigma)
    broken: NDArray[np.bool_] = np.any(unusable, axis=(0, 1, 3))
    if broken.any():
        lines = np.flatnonzero(broken)
        part = Samples(samples.values[:, :, lines], samples.steps[:, :, lines], samples.crossed[:, :, lines])
        noise = sigma if sigma.ndim == 1 else sigma[lines]
        for side in (0, 1):
            replace_better(chosen, lines, one_sided(part, exponents, unit[lines], centre, noise, side))
    noisy = chosen.noise > chosen.truncation
    low = chosen.last >= sum(exponent > next_finer for exponent in exponents) - 1
    finer = low if next_finer > exponents[-1] else (low | chosen.doubted) & ~noisy
    return Found(chosen.values, chosen.bars, still, noisy & (chosen.first == 0), finer, broken)


def stuck_noise(
    values: Array, stuck: NDArray[np.bool_], centre: Array, sigma: Array, largest: float
) -> Array:
    """The noise [lines, m] where f moved at some steps but was `stuck` at others: its values come in steps no
    larger than the smallest move seen, and no difference table showed them. Above `largest` it is no rounding
    that holds f: it is flat there.
    """
    moves = np.nanmax(np.abs(np.where(stuck[:, None], np.inf, values - centre)), axis=1, initial=0.0)
    smallest = np.min(np.where(moves == 0.0, np.inf, moves), axis=0)
    found: Array = np.where(
        stuck.any(axis=0) & np.isfinite(smallest), np.maximum(sigma, np.minimum(smallest, largest)), sigma
    )
    return found


def central(samples: Samples, exponents: Sequence[int], centre: Array, sigma: Array) -> Extrapolated:
    """Extrapolation of (f(x+h) - f(x-h)) / 2h in h²."""
    plus, minus = samples.values[:, 0], samples.values[:, 1]
    width = (samples.steps[:, 0] - samples.steps[:, 1])[..., None]
    quotients = (plus - minus) / width
    noise = np.maximum(sigma, ROUNDING * np.abs(plus)) * (np.sqrt(2.0) / width)
    uneven = (samples.steps[:, 0] + samples.steps[:, 1])[..., None]
    if uneven.any():
        # x + h and x - h rounded differently: half the second derivative times that is left.
        noise += np.abs((plus - centre) + (minus - centre)) * (np.abs(uneven) / (0.5 * width * width))
    least = unresolved(plus, minus, centre, sigma)
    return extrapolate(
        quotients, noise, nominal(exponents), least=None if least is None else least / np.abs(width)
    )


def unresolved(plus: Array, minus: Array, centre: Array, sigma: Array) -> Array | None:
    """The second difference at those steps [steps, lines, m] that are too large to know anything of f at the point,
    0 at others; None where there are none.

    It falls like h², and there does not fall from one step to the next. Both sides of a narrow peak are flat and
    alike, and their quotients agree on 0.
    """
    second = np.abs((plus - centre) + (minus - centre))
    clear = second[1:] > CLEAR * np.maximum(sigma, ROUNDING * np.abs(centre))
    stays = clear & (second[:-1] < FALLS * second[1:])
    if not stays.any():
        return None
    found = np.zeros(plus.shape, np.bool_)
    found[:-1] |= stays
    found[1:] |= stays
    size: Array = np.where(found, second, 0.0)
    return size


def one_sided(
    samples: Samples, exponents: Sequence[int], unit: Array, centre: Array, sigma: Array, side: int
) -> Extrapolated:
    """Extrapolation of (f(x±h) - f(x)) / ±h in h; side 0 is +, 1 is -."""
    values, steps = samples.values[:, side], samples.steps[:, side][..., None]
    quotients = (values - centre) / steps
    noise = np.maximum(sigma, ROUNDING * np.abs(values)) * (np.sqrt(2.0) / np.abs(steps))
    # The steps are not exactly in their nominal ratio: x + h was rounded.
    inexact = np.abs(np.abs(steps) - np.asarray(nominal(exponents))[:, None, None] * unit[:, None])
    noise += np.abs(quotients) * (inexact / np.abs(steps))
    return extrapolate(quotients, noise, nominal(exponents), power=1)


def nominal(exponents: Sequence[int]) -> list[float]:
    return [2.0**exponent for exponent in exponents]


def replace_better(chosen: Extrapolated, lines: NDArray[np.intp], other: Extrapolated) -> None:
    """Take over, on these lines, the entries of `other` with the smaller bar."""
    better = other.bars < chosen.bars[lines]
    for name in ("values", "truncation", "noise", "first", "last", "doubted"):
        mine = getattr(chosen, name)
        mine[lines] = np.where(better, getattr(other, name), mine[lines])
