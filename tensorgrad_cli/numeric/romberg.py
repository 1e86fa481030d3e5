"""Extrapolation of difference quotients to step zero, with the error of what it returns.

A difference quotient D(h) = D(0) + c₁ hᵖ + c₂ h²ᵖ + … (p = 2 for central, 1 for one-sided quotients) at
several steps gives Neville's triangle R[k, j]: the polynomial in hᵖ through the steps k-j … k, taken at zero
(Romberg 1955). Ridders ("Accurate computation of F'(x) and F'(x)F''(x)", Adv. Eng. Software 4, 1982) takes
the entry with the smallest difference to its two parents. That alone is fooled where rounding makes parents
agree, so the propagated rounding noise is added before the smallest is looked for, and `SAFETY` times the sum
is the bar. It is fooled too where f has a structure finer than the steps (a sine over many periods: its
quotients fall like 1/h and seem to converge to 0). So an entry that contradicts a window of smaller steps
beyond that window's own bar has the distance between the two as its error. A smaller step that has no neighbour
(those around it crossed a kink) makes no window, but it bears witness all the same: at a smaller step the quotient
must be nearer to the value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = ["NEAR", "SAFETY", "SIGMAS", "Extrapolated", "extrapolate"]

SAFETY = 4.0
SIGMAS = 3.0
ORDERS = 5
# A window of smaller steps contradicts beyond so many of its errors.
DOUBT = 1.5
# Steps above 2^NEAR leave the neighbourhood of the point.
NEAR = -4
# The smallest step of a window carries nearly all noise: its weight is at most Π 1/(1 - 4⁻ᵖʲ).
WEIGHT = {1: 1.46, 2: 1.08}


class Extrapolated(Struct, frozen=True):
    """The chosen entry of each triangle: its value, the two parts of its error, and the window of steps it
    used.

    `doubted`: a window of smaller steps contradicts it, and that is its error.
    `first` and `last` are positions in the steps (largest step first); where no window was usable the value
    is NaN, `truncation` infinite.
    """

    values: NDArray[Any]
    truncation: NDArray[Any]
    noise: NDArray[Any]
    first: NDArray[np.int8]
    last: NDArray[np.int8]
    doubted: NDArray[np.bool_]

    @property
    def bars(self) -> NDArray[Any]:
        """`SAFETY` times the whole error."""
        bars: NDArray[Any] = SAFETY * (self.truncation + self.noise)
        return bars


def extrapolate(
    quotients: NDArray[Any],
    noise: NDArray[Any],
    steps: Sequence[float],
    power: int = 2,
    least: NDArray[Any] | None = None,
) -> Extrapolated:
    """The best extrapolation of `quotients` [steps, …] whose standard deviations are `noise` [steps, …].

    `steps` are the nominal steps in falling order, each at most a quarter of the one before. A quotient that
    must not be used is NaN: every window over it is then skipped.
    """
    shape = quotients.shape[1:]
    values = np.full(shape, np.nan, quotients.dtype)
    truncation = np.full(shape, np.inf, quotients.dtype)
    sigma = np.zeros(shape, quotients.dtype)
    best = np.full(shape, np.inf, quotients.dtype)
    first = np.zeros(shape, np.int8)
    last = np.full(shape, len(steps) - 1, np.int8)
    doubted = np.zeros(shape, np.bool_)
    measured = (SIGMAS * WEIGHT[power]) * noise
    witnesses = smallest_windows(quotients, measured, steps, power)
    alone = isolated(quotients, witnesses)
    quotients, propagated = trust(quotients, measured, sum(step > 2.0**NEAR for step in steps))
    row = list(quotients)
    for order in range(1, min(len(steps), ORDERS + 1)):
        parents, row = row, list(row)
        for k in range(len(steps) - 1, order - 1, -1):
            ratio = (steps[k - order] / steps[k]) ** power
            correction = (parents[k] - parents[k - 1]) / (ratio - 1.0)
            row[k] = parents[k] + correction
            # The distance to the parent with the larger steps is ratio times the distance to the other.
            own = np.abs(correction) * ratio
            apart = own.copy()
            for value, error in witnesses[k:]:
                distance = np.abs(row[k] - value)
                np.copyto(apart, distance, where=(distance > error) & (distance > apart))
            for single, rounding in zip(alone[k + 1 :], measured[k + 1 :], strict=True):
                if single is not None:
                    distance = np.abs(row[k] - single)
                    error = DOUBT * (np.abs(row[k] - quotients[k]) + rounding)
                    np.copyto(apart, distance, where=(distance > error) & (distance > apart))
            if least is not None:
                np.maximum(apart, least[k], out=apart)
            total = apart + propagated[k]
            better = total < best
            if better.any():
                np.copyto(values, row[k], where=better)
                np.copyto(truncation, apart, where=better)
                np.copyto(sigma, propagated[k], where=better)
                np.copyto(best, total, where=better)
                np.copyto(first, np.int8(k - order), where=better)
                np.copyto(last, np.int8(k), where=better)
                np.copyto(doubted, apart > own, where=better)
    return Extrapolated(values, truncation, sigma, first, last, doubted)


def smallest_windows(
    quotients: NDArray[Any], noise: NDArray[Any], steps: Sequence[float], power: int
) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Value and error of each window of two neighbouring steps, largest steps first."""
    windows = []
    for k in range(1, len(steps)):
        correction = (quotients[k] - quotients[k - 1]) / ((steps[k - 1] / steps[k]) ** power - 1.0)
        windows.append((quotients[k] + correction, DOUBT * (np.abs(correction) + noise[k])))
    return windows


def isolated(
    quotients: NDArray[Any], windows: Sequence[tuple[NDArray[Any], NDArray[Any]]]
) -> list[NDArray[Any] | None]:
    """For each step the quotients that are in no window of two, NaN elsewhere; None where there are none."""
    out: list[NDArray[Any] | None] = []
    for k, quotient in enumerate(quotients):
        alone = np.isfinite(quotient)
        for value, _ in windows[max(k - 1, 0) : k + 1]:
            alone &= np.isnan(value)
        out.append(np.where(alone, quotient, np.nan) if alone.any() else None)
    return out


def trust(quotients: NDArray[Any], noise: NDArray[Any], far: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Treat the `far` largest steps, which leave the point's neighbourhood, with suspicion: new quotients and
    new noise.

    Beyond a bend both sides may lie on plateaus and their quotients agree on nothing, with little noise. So a
    far quotient that is itself little more than noise is left out, and the others are believed no further
    than the next smaller step could confirm.
    """
    if far == 0:
        return quotients, noise
    seen = np.abs(quotients[:far]) > 2.0 * SAFETY * noise[:far]
    believed = noise.copy()
    for k in range(min(far, len(noise) - 1)):
        believed[k] = np.fmax(noise[k], noise[k + 1])
    return np.concatenate([np.where(seen, quotients[:far], np.nan), quotients[far:]]), believed
