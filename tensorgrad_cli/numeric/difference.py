"""Central differences whose every entry carries an honest error bar.

The scheme. A line through x (a coordinate, or a direction) is sampled at both sides at power-of-two steps
times a power-of-two scale of its own. The quotients (f(x+h) - f(x-h)) / 2h are extrapolated to h = 0
(`romberg`). The error of an entry is the truncation, seen in the triangle, plus three standard deviations of
the rounding noise, measured per output from difference tables (`noise`) and propagated; the bar is four times
their sum. All lines get three steps (among many lines a few tell which three); a line with a poor bar climbs:
to larger steps where noise prevails, to smaller ones where truncation does, as long as its best window
touches the end of the steps it has. Where the tables show a structure finer than the steps, two guards at
much smaller steps are added for all.

What may go wrong, and what is done. Non-finite values (a domain's edge) and steps on which f changed its
branch (a kink) are discarded, side by side; where only one side is left, one-sided quotients are extrapolated
in h. Where a side shows another branch however small the step, the point lies on a kink: the entry is NaN and
both one-sided slopes are given.

The result knows no tolerance: `compare` turns bars into verdicts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric.noise import ROUNDING, Rounding, noise_of
from tensorgrad_cli.numeric.probe import BLOCK, MAX_MEMORY, Array, Function, Perturb, Probe, Samples, scales
from tensorgrad_cli.numeric.quotient import Found, both_sides, central, find
from tensorgrad_cli.numeric.romberg import NEAR, SAFETY, SIGMAS

__all__ = ["Differences", "directional", "jacobian", "scales"]

CORE: tuple[int, ...] = (-5, -8, -11)
# A direction moves all coordinates at once, and what they add up to by more than any of them: smaller steps.
CORE_OF_DIRECTIONS = (-8, -11, -14)
GUARDS = (-22, -27)
LARGER = ((-5,), (-2,), (1, 4, 7), (10, 13, 16, 18, 20))
SMALLER = ((-8, -11), (-14, -17), (-22, -27), (-32, -37, -42))
# The smallest step, as a part of a coordinate's scale.
SMALLEST = 2.0 ** SMALLER[-1][-1]
# Among many lines a few try all of these steps, and all lines start with the three that served those best.
PILOT: tuple[int, ...] = (1, -2, -5, -8, -11, -14)
PILOT_LINES = 24
MANY = 512
# The samples of one block of lines take this part of the memory.
SHARE = 64
# What one output takes along one line at most, in bytes: the samples of all steps, their quotients and windows.
LINE = 1280
# A bar below this part of the entry, or of the root mean square of its row (of all, along directions), is not worth
# more evaluations.
GOOD = 2.0**-30
GOOD_OF_MANY = 2.0**-26
# A kink nearer than this is a kink at x.
TIE = (-42,)


class Differences(Struct, frozen=True):
    """Derivatives of m outputs along n lines, with bars.

    values, bars: [n, m]; a value is NaN (its bar infinite) where no step was usable. still: [n, m], f did not
    move at any step: the difference is exactly 0. kinks: [n], x lies on a kink along this line; lost: [n],
    every step left the domain. slopes: [2, n, m] the slopes left and right of a kink, NaN on other lines;
    None without kinks. centre, noise: [m] f(x) and the standard deviation of its rounding noise (NaN where no
    difference needed it). scale: [n] the size of a step of 1 along each line.
    """

    values: Array
    bars: Array
    still: NDArray[np.bool_]
    kinks: NDArray[np.bool_]
    lost: NDArray[np.bool_]
    centre: Array
    noise: Array
    scale: Array
    evaluations: int
    method: str
    slopes: Array | None = None


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
    """The derivative of every output of f by every input, by central differences.

    f maps points [batch, n] to values [batch, m], or to (values, branches [batch, b]). x has n entries (any
    shape, taken in C order). See `scales` for the steps, `probe.Probe` for `perturb`, `point_bytes`, `inside` and
    `rounding`.
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
        return differences(probe, scale, np.random.default_rng(seed), max_memory)


def directional(
    f: Function,
    x: Array,
    directions: Array,
    *,
    scale: Array | None = None,
    noise: Array | None = None,
    point_bytes: int | None = None,
    max_memory: int = MAX_MEMORY,
    inside: float = 0.0,
    rounding: Rounding | None = None,
    seed: int = 0,
) -> Differences:
    """The derivatives of f along the rows of `directions` [d, n]; a step of 1 is the whole direction.

    Choose directions that move coordinates by about their own scale (`projection.directions` does). `noise`
    [m] is that of an earlier result at the same point, which saves measuring it again.
    """
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
        return differences(probe, np.ones(len(directions)), np.random.default_rng(seed), max_memory, noise)


def differences(
    probe: Probe, line_scale: Array, rng: np.random.Generator, max_memory: int, sigma: Array | None = None
) -> Differences:
    """All lines of a probe, block by block; where not even one line fits, some of the outputs at a time."""
    if probe.outputs * LINE > max(max_memory, BLOCK):
        return by_windows(
            probe,
            max_memory,
            lambda part, window: differences(
                window, line_scale, rng, max_memory, None if sigma is None else sigma[part]
            ),
        )
    few = probe.directions is not None
    core = CORE_OF_DIRECTIONS if few else CORE
    if sigma is None or np.isnan(sigma).any():
        noise = noise_of(probe.blocks, probe.x, probe.scale, probe.centre, rng, rounding=probe.rounding)
        core, sigma = core + GUARDS if noise.rough else core, noise.sigma
    elif few:
        core += GUARDS
    enough = GOOD_OF_MANY if few or probe.lines >= MANY else GOOD
    if core == CORE and probe.lines >= MANY:
        core = pilot(probe, np.sort(rng.choice(probe.lines, PILOT_LINES, replace=False)), line_scale, sigma)
    shape = (probe.lines, probe.outputs)
    values, bars = np.empty(shape), np.empty(shape)
    still = np.zeros(shape, np.bool_)
    kinks, lost = np.zeros(probe.lines, np.bool_), np.zeros(probe.lines, np.bool_)
    slopes: Array | None = None
    size = max(1, max_memory // (SHARE * 16 * len(core) * probe.outputs))
    squares, seen = np.zeros(probe.outputs), 0
    for start in range(0, probe.lines, size):
        which = np.arange(start, min(start + size, probe.lines))
        climb = Climb(probe, which, line_scale[which], sigma, core)
        known = np.where(np.isfinite(climb.values), climb.values * climb.line_scale[:, None], 0.0)
        squares += np.sum(np.square(known), axis=0)
        seen += len(which)
        # What directions show is judged by the size of all outputs together.
        size_of_rows = squares.mean() / seen if few else squares / seen
        climb.run(np.broadcast_to(np.sqrt(size_of_rows), squares.shape), enough)
        values[which], bars[which], still[which] = climb.values, climb.bars, climb.still
        kinks[which], lost[which] = climb.kinks, climb.lost
        if climb.slopes is not None:
            slopes = np.full((2, *shape), np.nan) if slopes is None else slopes
            slopes[:, which] = climb.slopes
    return Differences(
        values,
        bars,
        still,
        kinks,
        lost,
        probe.centre,
        sigma,
        line_scale,
        probe.evaluations,
        "central",
        slopes,
    )


def by_windows(probe: Probe, max_memory: int, found_in: Callable[[slice, Probe], Differences]) -> Differences:
    """What is found of some of the outputs at a time, together."""
    inside, parts = reference(probe), []
    for part, window in probe.windows(LINE, max_memory):
        window.inside = inside  # terms that cancel unseen may be as large as any output
        parts.append(found_in(part, window))
        probe.evaluations += window.evaluations
    slopes = None
    if any(part.slopes is not None for part in parts):
        slopes = np.concatenate(
            [
                np.full((2, *part.values.shape), np.nan) if part.slopes is None else part.slopes
                for part in parts
            ],
            axis=2,
        )
    return Differences(
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.bars for part in parts], axis=1),
        np.concatenate([part.still for part in parts], axis=1),
        np.any([part.kinks for part in parts], axis=0),
        np.any([part.lost for part in parts], axis=0),
        probe.centre,
        np.concatenate([part.noise for part in parts]),
        parts[0].scale,
        probe.evaluations,
        parts[0].method,
        slopes,
    )


def pilot(probe: Probe, which: NDArray[np.intp], line_scale: Array, sigma: Array) -> tuple[int, ...]:
    """The three neighbouring steps of `PILOT` that leave the fewest of these lines' bars poor."""
    samples = probe.samples(which, PILOT)
    best, fewest = CORE, np.inf
    for first in (2, 1, 0, 3):
        part = slice(first, first + len(CORE))
        three = Samples(samples.values[part], samples.steps[part], samples.crossed[part])
        found = central(three, PILOT[part], probe.centre, sigma)
        size = np.abs(np.nan_to_num(found.values)) * line_scale[which][:, None]
        rms = np.sqrt(np.mean(np.square(size), axis=0))
        poor = np.any(
            ~(found.bars * line_scale[which][:, None] <= GOOD_OF_MANY * np.maximum(size, rms)), axis=1
        )
        if np.mean(poor) < fewest:
            best, fewest = PILOT[part], float(np.mean(poor))
    return best


class Climb:
    """One block of lines on its way: three steps for all, more for those whose bars are poor."""

    def __init__(
        self, probe: Probe, which: NDArray[np.intp], line_scale: Array, sigma: Array, core: tuple[int, ...]
    ) -> None:
        self.probe = probe
        self.core = core
        self.which = which
        self.line_scale = line_scale
        self.sigma = sigma
        nearest = next(exponent for exponent in core if exponent <= NEAR)
        self.rounding = ROUNDING * reference(probe)
        self.hidden = SAFETY * SIGMAS * 2.0**-nearest * np.maximum(sigma, self.rounding)
        # Smaller steps along a direction would be rounded with the points they lead to.
        self.smaller = without(core, SMALLER if probe.directions is None else SMALLER[:3])
        self.larger = without(core, LARGER)
        self.kinks = np.zeros(len(which), np.bool_)
        self.lost = np.zeros(len(which), np.bool_)
        self.slopes: Array | None = None
        samples = probe.samples(which, core)
        self.taken: dict[int, tuple[Array, Array, NDArray[np.bool_]]] = {}
        self.keep(np.arange(len(which)), core, samples)
        found = self.best(np.arange(len(which)), core, 0)
        self.values, self.bars, self.still = found.values, found.bars, found.still
        self.coarser, self.finer, self.broken = found.coarser, found.finer, found.broken

    def keep(self, lines: NDArray[np.intp], exponents: Sequence[int], samples: Samples) -> None:
        """Remember samples of some of the block's lines."""
        for number, exponent in enumerate(exponents):
            if len(lines) == len(self.which):
                self.taken[exponent] = (
                    samples.values[number],
                    samples.steps[number],
                    samples.crossed[number],
                )
                continue
            if exponent not in self.taken:
                count, outputs = len(self.which), self.probe.outputs
                self.taken[exponent] = (
                    np.full((2, count, outputs), np.nan),
                    np.ones((2, count)),
                    np.zeros((2, count), np.bool_),
                )
            for store, new in zip(
                self.taken[exponent], (samples.values, samples.steps, samples.crossed), strict=True
            ):
                store[:, lines] = new[number]

    def gathered(self, lines: NDArray[np.intp], exponents: Sequence[int]) -> Samples:
        """The remembered samples of these lines, largest step first."""
        whole = len(lines) == len(self.which)
        parts = [self.taken[exponent] for exponent in exponents]
        if whole:
            return Samples(*(np.stack([part[field] for part in parts]) for field in range(3)))
        return Samples(*(np.stack([part[field][:, lines] for part in parts]) for field in range(3)))

    def best(self, lines: NDArray[np.intp], exponents: Sequence[int], down: int) -> Found:
        """What these lines say at the steps they have, having climbed `down` to smaller ones."""
        unit = self.line_scale[lines]
        finer = self.smaller[down][0] if down < len(self.smaller) else exponents[-1]
        samples = self.gathered(lines, exponents)
        found = find(samples, exponents, unit, self.probe.centre, self.sigma, self.rounding, finer)
        np.copyto(found.values, 0.0, where=found.still)
        np.copyto(found.bars, self.hidden / unit[:, None], where=found.still)
        return found

    def run(self, rms: Array, enough: float) -> None:
        """Climb until every bar is good or no step is left; then look for kinks."""
        up = np.zeros(len(self.which), np.intp)
        down = np.zeros(len(self.which), np.intp)
        unit = self.line_scale[:, None]
        for _ in range(len(self.larger) + len(self.smaller)):
            good = self.bars * unit <= enough * np.maximum(np.abs(self.values) * unit, rms)
            poor = ~good & ~self.still
            larger = np.any(poor & self.coarser, axis=1) & (up < len(self.larger))
            smaller = np.any(poor & self.finer, axis=1) & (down < len(self.smaller))
            if not (larger.any() or smaller.any()):
                break
            up, down = up + larger, down + smaller
            for state in sorted({*zip(up, down, larger, smaller, strict=True)}):
                if state[2] or state[3]:
                    same = (
                        (up == state[0]) & (down == state[1]) & (larger == state[2]) & (smaller == state[3])
                    )
                    self.refine(np.flatnonzero(same), *state)
        self.examine()

    def refine(self, lines: NDArray[np.intp], up: int, down: int, larger: bool, smaller: bool) -> None:
        """Sample these lines at the steps they have just climbed to, and choose anew among all they have."""
        new = (*(self.larger[up - 1] if larger else ()), *(self.smaller[down - 1] if smaller else ()))
        self.keep(lines, new, self.probe.samples(self.which[lines], new))
        steps = sorted({*self.core, *sum(self.larger[:up], ()), *sum(self.smaller[:down], ())}, reverse=True)
        found = self.best(lines, steps, down)
        self.values[lines], self.bars[lines], self.still[lines] = found.values, found.bars, found.still
        self.coarser[lines], self.finer[lines], self.broken[lines] = found.coarser, found.finer, found.broken

    def examine(self) -> None:
        """Tell kinks and lost lines from lines that merely had steps discarded."""
        suspects = np.flatnonzero(self.broken)
        if suspects.size == 0:
            return
        crossed = np.all([self.taken[exponent][2][:, suspects] for exponent in self.core], axis=0)
        suspects = suspects[crossed.any(axis=0)]
        if suspects.size:
            at_tie = self.probe.samples(self.which[suspects], TIE).crossed.any(axis=(0, 1))
            if at_tie.any():
                self.take_sides(suspects[at_tie])
        self.lost = np.isnan(self.values).any(axis=1) & ~self.kinks

    def take_sides(self, lines: NDArray[np.intp]) -> None:
        """On a kink: both one-sided slopes, and a derivative where they agree."""
        values, bars, slopes = both_sides(self.probe, self.which[lines], self.line_scale[lines], self.sigma)
        self.kinks[lines] = True
        self.still[lines] = False
        self.values[lines], self.bars[lines] = values, bars
        self.slopes = np.full((2, *self.values.shape), np.nan)
        self.slopes[:, lines] = slopes


def without(taken: Sequence[int], chunks: Sequence[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The chunks of steps that hold something not taken yet, and only that."""
    rest = [tuple(exponent for exponent in chunk if exponent not in taken) for chunk in chunks]
    return [chunk for chunk in rest if chunk]


def reference(probe: Probe) -> float:
    """The size of terms that may cancel unseen where f does not move: that of f's outputs (else of its inputs), or
    of what is known to be inside f."""
    finite = np.abs(probe.centre[np.isfinite(probe.centre)])
    return max(float(finite.max(initial=0.0) or np.abs(probe.x).max(initial=0.0)), probe.inside)
