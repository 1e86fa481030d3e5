"""How the remainder of a first-order Taylor step shrinks: as h² where the derivative is right, as h where not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.numeric.probe import scales
from tensorgrad_cli.verify.certify import variation, varied
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["Remainders", "plot", "remainders"]

Array = NDArray[Any]

EXPONENTS = tuple(range(-2, -23, -2))
ENTRIES = 1 << 16
# A remainder is told from rounding where it is this many times the last place of the value.
CLEAR = 2.0**12
EPS = 2.0**-52


class Remainders(Struct, frozen=True):
    """Along one direction: steps h, the change ‖f(x+hv) - f(x)‖, and what remains of it after h ∂f v.

    `slope` is that of the remainder in logarithms, over the steps where it stands clear of rounding; None where
    it does nowhere, as for a linear function.
    """

    steps: Array
    changes: Array
    rests: Array
    floor: float
    slope: float | None


def remainders(bench: Workbench, derivative: Derivative, point: Point) -> Remainders | None:
    """The remainders along a random direction; None where the Jacobian is too large to write out."""
    numerator, by = varied(bench.calculus, derivative)
    moving = variation(bench.calculus, numerator, by, derivative.own, point)
    x = moving.at.reshape(-1)
    outputs = int(np.prod(moving.tops, dtype=int))
    if x.size * outputs > ENTRIES:
        return None
    jacobian = point.value(derivative.name).reshape(outputs, x.size)
    direction = scales(x) * np.random.default_rng([bench.seed, 7]).standard_normal(x.size)
    steps = 2.0 ** np.array(EXPONENTS)
    with np.errstate(all="ignore"):
        found = moving.function(np.concatenate([x[None], x + steps[:, None] * direction]))
        values = np.asarray(found[0] if isinstance(found, tuple) else found, dtype=float)
        change = values[1:] - values[0]
        rest = change - steps[:, None] * (jacobian @ direction)
        changes, rests = np.linalg.norm(change, axis=1), np.linalg.norm(rest, axis=1)
        floor = CLEAR * EPS * float(np.linalg.norm(values[0]) + np.linalg.norm(jacobian @ direction))
    return Remainders(steps, changes, rests, floor, _slope(steps, rests, floor))


def _slope(steps: Array, rests: Array, floor: float) -> float | None:
    clear = np.isfinite(rests) & (rests > floor)
    if clear.sum() < 3:
        return None
    # The smallest clear steps: there the next term of the series counts for least.
    at = np.flatnonzero(clear)[-4:]
    return float(np.polyfit(np.log2(steps[at]), np.log2(rests[at]), 1)[0])


def plot(r: Remainders, rows: int = 9) -> Iterator[str]:
    """A picture in characters, logarithmic both ways: `o` the change, `x` what remains of it."""
    shown = [(r.changes, "o"), (r.rests, "x")]
    logs = [np.log10(np.where(v > 0, v, np.nan)) for v, _ in shown]
    finite = np.concatenate([v[np.isfinite(v)] for v in logs])
    if finite.size == 0:
        return
    top, bottom = float(finite.max()), float(finite.min())
    span = max(top - bottom, 1.0)
    grid = [[" "] * (4 * len(r.steps)) for _ in range(rows)]
    for (_, mark), values in zip(shown, logs, strict=True):
        for k, value in enumerate(values):
            if np.isfinite(value):
                row = round((top - value) / span * (rows - 1))
                grid[row][4 * k + 1] = mark
    for number, cells in enumerate(grid):
        label = f"1e{top - span * number / (rows - 1):+03.0f}" if number % 2 == 0 else ""
        yield f"{label:>6} |{''.join(cells).rstrip()}"
    yield f"{'':>6} +{'-' * (4 * len(r.steps))}"
    yield f"{'h =':>7} " + "".join(f"2^{k:<3}"[:5].ljust(8) for k in EXPONENTS[::2])
