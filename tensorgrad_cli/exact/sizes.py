"""Sizes for the dimensions of a claim: several assignments, never equal sizes for different dimensions."""

from __future__ import annotations

import math
import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Position,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.walking import occurring

__all__ = ["Condition", "assignments", "dimensions_of", "least_sizes"]

# `n >= m` or `n != 3`: a dimension's name, a sign, a name or a number.
Condition = tuple[str, str, str]

_CANDIDATES = 96
# So many candidates in a row that bring nothing new end the search, where there are enough.
_IDLE = 16
_SIGNS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "!=": operator.ne}


def dimensions_of(expression: Expression) -> frozenset[Dimension]:
    """The dimensions of all indices in an expression."""
    found: set[Dimension] = set()
    for part in occurring(expression):
        found.update(index.dimension for index in part.free)
        if isinstance(part, Sum):
            found.update(index.dimension for index in part.indices)
        elif isinstance(part, Op):
            found.update(index.dimension for index in part.bound)
    return frozenset(found)


def least_sizes(
    expression: Expression, shape: Callable[[str], tuple[Dimension, ...] | None]
) -> dict[str, int]:
    """The sizes that fixed positions ask for: `x[i,3]` wants the second dimension of x to be at least 4."""
    least: dict[str, int] = {}
    for part in occurring(expression):
        for dimension, position in _placed(part, shape):
            if isinstance(position, int) and position >= 0 and dimension.names == (dimension.name,):
                least[dimension.name] = max(least.get(dimension.name, 0), position + 1)
    return least


def _placed(
    part: Expression, shape: Callable[[str], tuple[Dimension, ...] | None]
) -> Iterator[tuple[Dimension, Position]]:
    match part:
        case Ref(tensor, positions) if tensor != RANGE:
            yield from zip(shape(tensor) or (), positions, strict=False)
        case Delta(left, right):
            for one, other in ((left, right), (right, left)):
                if isinstance(one, Index):
                    yield one.dimension, other
        case Op(_, bound, out, _, _) if len(bound) == len(out):
            yield from zip((index.dimension for index in bound), out, strict=True)
        case _:
            pass


def _meets(
    sizes: Mapping[str, int],
    dimensions: Iterable[Dimension],
    at_least: Iterable[tuple[Dimension, Dimension]],
    conditions: Iterable[Condition],
) -> bool:
    return (
        all(dimension.size(sizes) >= 1 for dimension in dimensions)
        and all(a.size(sizes) >= b.size(sizes) for a, b in at_least)
        and all(_SIGNS[sign](sizes[name], _number(other, sizes)) for name, sign, other in conditions)
    )


def _number(name: str, sizes: Mapping[str, int]) -> int:
    return int(name) if name.isdecimal() else sizes[name]


def _together(names: set[str], conditions: tuple[Condition, ...]) -> set[str]:
    """The names and those that conditions lead through from one of them to another: `n >= m` and `m >= p` say
    something of n and p."""
    parts: list[set[str]] = []
    for name, _, other in conditions:
        joined = {name, other} if not other.isdecimal() else {name}
        for part in [part for part in parts if part & joined]:
            parts.remove(part)
            joined |= part
        parts.append(joined)
    return names.union(*(part for part in parts if len(part & names) > 1))


def assignments(
    dimensions: Iterable[Dimension],
    minimum: Mapping[str, int],
    fixed: Mapping[str, int],
    at_least: Iterable[tuple[Dimension, Dimension]],
    rng: np.random.Generator,
    count: int = 4,
    conditions: Iterable[Condition] = (),
) -> tuple[dict[str, int], ...]:
    """Up to `count` assignments of sizes to the named dimensions, small ones first.

    Sizes are at least 2 and the `minimum`, and differ between dimensions; `fixed` ones are as given. Pairs
    of `at_least` are met (the columns of an orthonormal matrix), and so are the `conditions` that the spec
    states; computed dimensions are at least 1. Sums and products of the sizes differ between the assignments
    where that is possible, so that no claim holds by a coincidence of the sizes. Empty where nothing meets
    the conditions.
    """
    dimensions = tuple(dimensions)
    at_least = tuple(at_least)
    conditions = tuple(conditions)
    named = _together({name for dimension in dimensions for name in dimension.names}, conditions)
    known = dict(fixed)
    there = named | known.keys()
    conditions = tuple(c for c in conditions if c[0] in there and (c[2] in there or c[2].isdecimal()))
    minimum = dict(minimum)
    for name, sign, other in conditions:
        if other.isdecimal() and sign in (">=", ">"):
            minimum[name] = max(minimum.get(name, 2), int(other) + (sign == ">"))
    names = sorted(named - fixed.keys())
    if not names:
        return (known,) if _meets(known, dimensions, at_least, conditions) else ()
    found: dict[tuple[int, ...], dict[str, int]] = {}
    draws = random.Random(int(rng.integers(2**62)))
    idle = 0
    for attempt in range(_CANDIDATES * 4):
        spread = len(names) + 3 + attempt // _CANDIDATES * 4
        sizes = _candidate(names, minimum, set(fixed.values()), spread, draws)
        before = len(found)
        if _meets({**known, **sizes}, dimensions, at_least, conditions):
            found.setdefault(tuple(sizes.values()), {**known, **sizes})
        idle = 0 if len(found) > before else idle + 1
        if len(found) >= _CANDIDATES or (idle > _IDLE and len(found) >= 2 * count):
            break
    by_size = sorted(found.values(), key=lambda sizes: math.prod(sizes.values()))
    return _unlike(by_size, count)


def _candidate(
    names: list[str],
    minimum: Mapping[str, int],
    taken: set[int],
    spread: int,
    draws: random.Random,
) -> dict[str, int]:
    used = set(taken)
    sizes: dict[str, int] = {}
    for name in draws.sample(names, len(names)):
        low = max(2, minimum.get(name, 2))
        size = low + draws.randrange(spread)
        while size in used:
            size = low + (size - low + 1) % (spread + len(used))
        used.add(size)
        sizes[name] = size
    return dict(sorted(sizes.items()))


def _unlike(candidates: list[dict[str, int]], count: int) -> tuple[dict[str, int], ...]:
    """Small ones of unlike sums and products; each second one turns the order of the one before, so that of
    two dimensions each is the larger one somewhere (XᵀX has no inverse where X is wide)."""
    chosen: list[dict[str, int]] = []
    marks: set[tuple[str, int]] = set()

    def unlike(order: list[str] | None, strict: bool) -> dict[str, int] | None:
        for sizes in candidates:
            fits = order is None or _order(sizes) == order
            if fits and sizes not in chosen and not (strict and _marks(sizes) & marks):
                return sizes
        return None

    while len(chosen) < min(count, len(candidates)):
        turned = _order(chosen[-1])[::-1] if len(chosen) % 2 else None
        tries = ((turned, True), (turned, False), (None, True), (None, False))
        sizes = next(filter(None, (unlike(order, strict) for order, strict in tries)), None)
        if sizes is None:
            break
        chosen.append(sizes)
        marks |= _marks(sizes)
    return tuple(chosen)


def _order(sizes: dict[str, int]) -> list[str]:
    return sorted(sizes, key=lambda name: sizes[name])


def _marks(sizes: dict[str, int]) -> set[tuple[str, int]]:
    return {("+", sum(sizes.values())), ("*", math.prod(sizes.values()))}
