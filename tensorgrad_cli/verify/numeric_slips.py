"""Slips that the numbers of an array alone give away: a sign, a factor, a transpose, a few wrong entries."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.numeric.compare import Comparison
from tensorgrad_cli.verify.verdict import Diagnosis
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["numeric_slip"]

Array = NDArray[Any]

# How well two arrays must agree at most, where their rounding errors say nothing better; and how little that must be
# of what is wrong with them.
STEADY = 1e-4
PART = 0.1
BARS = 8.0


def numeric_slip(
    bench: Workbench, derivative: Derivative, values: Array, truth: Array, found: Comparison
) -> Diagnosis | None:
    """The slip that explains an array, or where it is wrong."""
    near = _near(values, truth, found)
    if values.ndim == 2 and values.shape[0] == values.shape[1] and _close(values.T, truth, near):
        return Diagnosis("transpose", "equal up to layout: it is the transpose")
    ratio = steady_ratio(values, truth, near)
    if ratio is not None:
        return factor_slip(ratio, dict(bench.points[0].sizes), near)
    return _localised(bench, derivative, found)


def _near(values: Array, truth: Array, found: Comparison) -> float:
    """How far rounding lets two arrays differ, as a part of the largest entry; zero where that explains nothing, being
    no small part of what is wrong."""
    scale = float(np.max(np.abs(truth))) if truth.size else 0.0
    if scale == 0.0:
        return 0.0
    near = min(STEADY, max(BARS * found.bar / scale, 4 * float(np.finfo(float).eps)))
    gap = float(np.max(np.abs(np.where(np.isfinite(values), values, np.inf) - truth))) / scale
    return near if near <= PART * gap else 0.0


def _close(a: Array, b: Array, near: float) -> bool:
    scale = float(np.max(np.abs(b))) if b.size else 0.0
    return bool(np.all(np.abs(a - b) <= near * scale))


def steady_ratio(values: Array, truth: Array, near: float) -> float | None:
    """The ratio of two arrays where it is the same for all entries, else None."""
    size = float(np.sum(truth * truth))
    if size == 0.0 or not np.isfinite(values).all():
        return None
    ratio = float(np.sum(values * truth) / size)
    return ratio if ratio != 0.0 and _close(values / ratio, truth, near) else None


def factor_slip(ratio: float, sizes: dict[str, int], near: float) -> Diagnosis:
    """A constant ratio, known to a part `near`, as a slip: a sign, a mean for a sum, a factor that has a name."""
    if math.isclose(ratio, -1.0, rel_tol=near):
        return Diagnosis("sign", "the sign is wrong")
    name, of_dimension = named_factor(ratio, sizes, near)
    kind = "mean-or-sum" if of_dimension else "factor"
    return Diagnosis(kind, f"every entry is {name} times what it should be")


def named_factor(ratio: float, sizes: dict[str, int], near: float) -> tuple[str, bool]:
    """A ratio by its name (2, 1/2, m, 1/m, √d), and whether it is the size of a dimension or one over it; without one,
    with the digits that are known."""
    for value, name, of_dimension in _factors(sizes):
        if math.isclose(ratio, value, rel_tol=near):
            return name, of_dimension
        if math.isclose(ratio, -value, rel_tol=near):
            return f"-{name}", of_dimension
    digits = max(1, min(15, math.floor(-math.log10(near)))) if near else 6
    return f"{ratio:.{digits}g}", False


def _factors(sizes: dict[str, int]) -> Iterator[tuple[float, str, bool]]:
    for number in (2, 3, 4):
        yield float(number), str(number), False
        yield 1 / number, f"1/{number}", False
    for name, size in sizes.items():
        yield float(size), f"{name} = {size}", True
        yield 1 / size, f"1/{name} = 1/{size}", True
        yield math.sqrt(size), f"√{name} = √{size}", False
        yield 1 / math.sqrt(size), f"1/√{name} = 1/√{size}", False
        yield 2.0 * size, f"2 {name} = {2 * size}", False
        yield 2.0 / size, f"2/{name} = 2/{size}", False


def _localised(bench: Workbench, derivative: Derivative, found: Comparison) -> Diagnosis | None:
    """Which entries are wrong, where they are few."""
    if found.wrong is None:
        return None
    wrong = np.argwhere(found.wrong)
    count, total = len(wrong), found.wrong.size
    if count > max(10, total // 10):
        return Diagnosis("unknown", f"{count} of {total} entries are wrong")
    by = bench.scope.spelling(derivative.denominators[-1])
    entries = ", ".join(f"{by}[{','.join(map(str, place))}]" for place in wrong[:10].tolist())
    more = "" if count <= 10 else f" and {count - 10} more"
    verb = "entry is" if count == 1 else "entries are"
    return Diagnosis("unknown", f"{count} of {total} {verb} wrong: {entries}{more}")
