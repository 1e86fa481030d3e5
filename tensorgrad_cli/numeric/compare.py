"""A claimed tensor against the truth, each with error bars: equal, different or undecided. Pure arrays, no
tolerances of taste.

An entry is *refuted* where claim and truth are further apart than both bars together. It is *accepted* where
they are not and the bars are small enough to mean something: below `ACCEPT` of the entry, or `ACCEPT_ROW` of
its row's root mean square, or `ACCEPT_TENSOR` of the largest row's; or where both are exactly zero. All other
entries are unresolved: nobody knows. A tensor that is nothing but noise on both sides is `vacuous`, no
evidence for anything.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric.probe import Array, Function

__all__ = ["Comparison", "compare", "is_linear", "jitter_bar", "rounding_bar"]

ACCEPT = 1e-6
ACCEPT_ROW = 1e-3
ACCEPT_TENSOR = 1e-9
JITTERS = 4
SAFETY = 4.0
EPS = 2.0**-52
# Near the smallest numbers there are, rounding is no part of a number any more.
TINY = 2.0**-1000


class Comparison(Struct, frozen=True):
    """The outcome over a whole tensor.

    verdict: 'equal', 'different' or 'undecided'; reason: None, 'unresolved', 'vacuous', 'kink' or 'domain'.
    worst: index of the entry that decided: of the refuted ones the one furthest off, else the one nearest to
    refutation. claim, truth: that entry's values; max_abs, max_rel: the largest error, and the largest
    relative to its entry or its row's rms, whichever is larger; bar: both bars of the worst entry;
    resolution: an error of any resolved entry above this part of the entry (or its row's rms) would have been
    refuted; wrong: mask of the refuted entries.
    """

    verdict: str
    worst: tuple[int, ...]
    claim: float
    truth: float
    max_abs: float
    max_rel: float
    bar: float
    resolution: float
    reason: str | None = None
    wrong: NDArray[np.bool_] | None = None


def compare(
    claim: Array,
    claim_bar: Array | float,
    truth: Array,
    truth_bar: Array | float,
    *,
    row: tuple[int, ...] | None = None,
    still: NDArray[np.bool_] | None = None,
    kinks: NDArray[np.bool_] | None = None,
    known_zero: bool = False,
    size: float | None = None,
    accept: float = ACCEPT,
    rtol: float = 0.0,
    atol: float = 0.0,
) -> Comparison:
    """Compare two arrays of one shape, entry by entry.

    row: the axes that run along a row (those of the inputs of a Jacobian); default all. still: where the
    difference was exactly zero at every step; kinks: where the point lies on a kink (broadcast to the shape):
    agreement is accepted there, disagreement is undecided. known_zero: a side is zero by its form, so a truth
    of pure noise confirms it, if its bars are small against `size`, the terms that cancel (where given).
    accept: the part of an entry below which bars must lie (raise it for float32 results); rtol, atol: an
    error a user accepts beforehand. Raises ValueError where the shapes differ.
    """
    claim, truth = np.asarray(claim), np.asarray(truth)
    if claim.shape != truth.shape:
        raise ValueError(f"claim has shape {claim.shape}, truth {truth.shape}")
    if claim.size == 0:
        return Comparison("equal", (), 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    bars = np.broadcast_to(np.asarray(claim_bar) + np.asarray(truth_bar), truth.shape)
    tied = np.zeros(truth.shape, np.bool_) if kinks is None else np.broadcast_to(kinks, truth.shape)
    known = np.isfinite(truth)
    with np.errstate(invalid="ignore", over="ignore"):
        sizes, error = np.abs(truth), np.abs(claim - truth)
        if not known.all() or not np.isfinite(claim).all():
            error = np.where(known, np.where(np.isfinite(claim), error, np.inf), np.nan)
        rms, rows = row_sizes(np.where(known, sizes, 0.0), row)
        within = error <= bars + (atol + rtol * sizes + TINY)
        wrong = known & ~within & np.isfinite(bars) & ~tied
        scale = np.maximum(sizes, rms)
        # A bar below the largest of some parts is below one of them.
        small = bars < np.maximum(accept * sizes, np.maximum(ACCEPT_ROW * rms, ACCEPT_TENSOR * rows))
        zero = (claim == 0) & (truth == 0) & ((bars == 0) | (False if still is None else still))
        small |= zero
        if rtol or atol:
            small |= bars < rtol * sizes + atol
        if known_zero:
            small |= True if size is None else bars < accept * size
        accepted = known & within & small
        vacuous = not known_zero and bool(np.all(known & (np.maximum(sizes, np.abs(claim)) <= bars) & ~zero))
    verdict, reason = decide(wrong, accepted, vacuous, tied, known)
    return described(verdict, reason, claim, truth, error, bars, scale, wrong, accepted)


def row_sizes(magnitude: Array, row: tuple[int, ...] | None) -> tuple[Array, float]:
    """The root mean square of each row, broadcastable to the tensor, and the largest of them; no overflow."""
    top = float(magnitude.max())
    if top == 0.0:
        return np.zeros((1,) * magnitude.ndim), 0.0
    rms = top * np.sqrt(np.mean(np.square(magnitude / top), axis=row, keepdims=True))
    return rms, float(rms.max())


def decide(
    wrong: NDArray[np.bool_],
    accepted: NDArray[np.bool_],
    vacuous: bool,
    tied: NDArray[np.bool_],
    known: NDArray[np.bool_],
) -> tuple[str, str | None]:
    """The verdict over all entries and the reason of an undecided one."""
    if wrong.any():
        return "different", None
    if vacuous:
        return "undecided", "vacuous"
    if accepted.all():
        return "equal", None
    if np.any(tied & ~accepted):
        return "undecided", "kink"
    return "undecided", "unresolved" if known.all() else "domain"


def described(
    verdict: str,
    reason: str | None,
    claim: Array,
    truth: Array,
    error: Array,
    bars: Array,
    scale: Array,
    wrong: NDArray[np.bool_],
    accepted: NDArray[np.bool_],
) -> Comparison:
    """The comparison with its worst entry."""
    with np.errstate(all="ignore"):
        relative = np.where(error == 0.0, 0.0, error / scale)
        excess = np.where(error == 0.0, bars / scale, error / bars)
        resolution = np.where(bars == 0.0, 0.0, bars / scale)
    if verdict == "different":
        rank = np.where(wrong, error, -1.0)
    elif verdict == "equal":
        rank = np.where(np.isnan(excess), -1.0, excess)
    else:
        rank = np.where(accepted, -1.0, np.where(np.isnan(excess), np.inf, excess))
    worst = tuple(int(i) for i in np.unravel_index(int(np.argmax(rank)), rank.shape))
    resolved = resolution[accepted & np.isfinite(resolution)]
    return Comparison(
        verdict,
        worst,
        float(claim[worst]),
        float(truth[worst]),
        largest(error),
        largest(relative),
        float(bars[worst]),
        float(resolved.max()) if resolved.size else float("inf"),
        reason,
        wrong,
    )


def largest(values: Array) -> float:
    """The largest entry that is a number; NaN where none is."""
    values = values[~np.isnan(values)]
    return float(values.max()) if values.size else float("nan")


def jitter_bar(
    f: Function,
    x: Array,
    values: Array | None = None,
    *,
    magnitudes: Array | float = 0.0,
    seed: int = 0,
) -> Array:
    """A bar [m] of a plain evaluation f(x): how far one last place in its inputs moves it.

    f maps points [batch, n] to [batch, m] (or a pair with branches); x is [n]. Every input moves by one last
    place, with random signs, `JITTERS` times; `SAFETY` times the largest change, and the rounding of a sum of
    terms of size `magnitudes`, is the bar.
    """
    rng = np.random.default_rng(seed)
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    signs = rng.integers(0, 2, (JITTERS, x.size)) * 2.0 - 1.0
    with np.errstate(all="ignore"):
        results = f(np.concatenate([x[None], np.nextafter(x, signs * np.inf)]))
        results = np.asarray(results[0] if isinstance(results, tuple) else results).reshape(JITTERS + 1, -1)
        spread = np.abs(results[1:] - results[0])
        spread = np.max(np.where(np.isfinite(spread), spread, 0.0), axis=0)
        size = np.abs(results[0] if values is None else np.asarray(values).reshape(-1))
    bar: Array = SAFETY * (spread + EPS * (size + np.asarray(magnitudes)))
    return bar


def rounding_bar(values: Array, dtype: str = "float64", magnitudes: Array | float = 0.0) -> Array:
    """The bar of values that were computed elsewhere in `dtype`: a few last places of the entry and of its
    tensor's rms."""
    values = np.asarray(values, dtype=float)
    eps = float(np.finfo(dtype).eps)
    rms = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    bar: Array = SAFETY * eps * (np.abs(values) + rms + np.asarray(magnitudes))
    return bar


def is_linear(pullback: Callable[[Array], Array], cotangent: Array) -> bool:
    """Whether P(0) = 0 and P(2g) = 2 P(g), both exact in floating point for every linear P."""
    once = np.asarray(pullback(cotangent))
    zero = np.asarray(pullback(np.zeros_like(cotangent)))
    twice = np.asarray(pullback(2.0 * cotangent))
    return bool(np.all(zero == 0.0)) and bool(np.array_equal(twice, 2.0 * once, equal_nan=True))
