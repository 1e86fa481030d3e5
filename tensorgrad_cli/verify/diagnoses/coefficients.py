"""What the terms of a claim would have to be multiplied by to make it right, and what such a number stands for.

Every term, at any depth at which the claim is linear in it, either has one coefficient for all entries or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np

from tensorgrad_cli.algebra.expression import Dimension, Index
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.notation.tree import Parenthesis, Summed
from tensorgrad_cli.verify.diagnoses.draft import NEAR, Array, Draft, close
from tensorgrad_cli.verify.diagnoses.scaling import Coefficient, inserted
from tensorgrad_cli.verify.diagnoses.splice import Term, terms

__all__ = ["coefficients", "is_whole", "needed_coefficients"]

LARGEST = 64


_EXPONENTS = (Fraction(-1), Fraction(1), Fraction(-1, 2), Fraction(1, 2), Fraction(-2), Fraction(2))


def needed_coefficients(draft: Draft) -> list[tuple[Term, float]]:
    """The terms of the claim with the coefficient that makes it right; worked out once."""
    known = draft.notes.get("coefficients")
    if known is None:
        known = draft.notes["coefficients"] = list(_needed(draft))
    assert isinstance(known, list)
    return known


def _needed(draft: Draft) -> Iterator[tuple[Term, float]]:
    truth, claim = draft.truth, draft.claimed
    if truth is None or claim is None or close(truth, claim):
        return
    if isinstance(draft.side, Summed):
        whole = ratio_of(truth, claim, max(largest(truth), largest(claim)))
        if whole is not None:
            yield Term(draft.side, False, None, True, True, True), whole
    for term in terms(draft.side):
        if not term.linear:
            continue
        if term.operand.span == draft.side.span or (term.alone and term.first and _is_all(draft, term)):
            without: Array | None = np.zeros_like(claim)
        else:
            pair = draft.values(draft.replaced([inserted(term, "0 * ")]))
            without = None if pair is None else pair[1]
        if without is None or without.shape != truth.shape:
            continue
        found = ratio_of(truth - without, claim - without, max(largest(truth), largest(claim)))
        if found is not None:
            yield term, found


def is_whole(draft: Draft, term: Term) -> bool:
    return term.alone and _is_all(draft, term)


def _is_all(draft: Draft, term: Term) -> bool:
    if term.operand is draft.side:
        return True
    inside = draft.side
    while not isinstance(inside, Parenthesis) and inside.span != term.operand.span:
        step = getattr(inside, "operand", None)
        if step is None:
            return False
        inside = step
    return inside.span == term.operand.span


def largest(a: Array) -> float:
    finite = np.abs(a[np.isfinite(a)])
    return float(finite.max()) if finite.size else 0.0


def ratio_of(wanted: Array, had: Array, scale: float) -> float | None:
    """The number by which `had` is `wanted`, where there is one for all entries."""
    good = np.isfinite(wanted) & np.isfinite(had)
    if not good.any():
        return None
    w, h = wanted[good].ravel(), had[good].ravel()
    size = float(h @ h)
    if size == 0.0:
        return None
    ratio = float(h @ w) / size
    if np.abs(w - ratio * h).max() > NEAR * scale:
        return None
    return 0.0 if abs(ratio) < NEAR else ratio


def coefficients(draft: Draft, term: Term, ratio: float) -> Iterator[Coefficient]:
    """What a number may stand for at two points: a small fraction, times a dimension or its root."""
    again = _again(draft, term)
    names = _dimensions(draft)
    found = [c for c in _possible(names, draft.point(0).sizes, ratio) if _stays(c, draft, names, again)]
    yield from sorted(found, key=_oddness)


def _possible(
    names: Mapping[str, Dimension], sizes: Mapping[str, int], ratio: float
) -> Iterator[Coefficient]:
    for name, dimension in names.items():
        for exponent in _EXPONENTS:
            rest = _fraction(ratio / dimension.size(sizes) ** float(exponent), 12)
            if rest is not None and (dimension.fixed is None or (abs(rest) == 1 and abs(exponent) == 1)):
                yield Coefficient(rest, name, exponent)
    whole = _fraction(ratio, LARGEST)
    if whole is not None:
        yield Coefficient(whole)
        return
    fine = _fraction(ratio, 10**6)
    if fine is not None and 0.5 < abs(ratio) < 2:
        yield Coefficient(fine)


def _stays(c: Coefficient, draft: Draft, names: Mapping[str, Dimension], again: float | None) -> bool:
    if again is None:
        return True
    value = float(c.number)
    if c.dimension is not None:
        value *= names[c.dimension].size(draft.point(1).sizes) ** float(c.exponent)
    return abs(value - again) <= NEAR * abs(again)


def _again(draft: Draft, term: Term) -> float | None:
    """The coefficient that a term needs at a second point; None where there is none."""
    if len(draft.bench.points) < 2:
        return None
    pair = draft.values(draft.text, 1)
    without: Array | float = 0.0
    if not (term.operand is draft.side or is_whole(draft, term)):
        rest = draft.values(draft.replaced([inserted(term, "0 * ")]), 1)
        without = rest[1] if rest is not None else 0.0
    if pair is None:
        return None
    truth, claim = pair
    return ratio_of(truth - without, claim - without, max(largest(truth), largest(claim)))


def _oddness(c: Coefficient) -> tuple[int, int]:
    """A dimension alone first, then its root, then a number, then a number and a dimension."""
    height = abs(c.number.numerator) + c.number.denominator
    if c.dimension is None:
        return (2, height)
    if abs(c.number) == 1:
        return (0 if abs(c.exponent) == 1 else 1, height)
    return (3, height)


def _dimensions(draft: Draft) -> dict[str, Dimension]:
    """The dimensions in play, by name: declared ones and whole numbers."""
    found: dict[str, Dimension] = {}
    reading = draft.reading
    assert reading is not None
    for expression in (reading.left.expression, reading.right.expression):
        for part in subexpressions(expression):
            for index in getattr(part, "indices", ()):
                if isinstance(index, Index) and not index.dimension.terms:
                    found.setdefault(index.dimension.name, index.dimension)
    for tensor in draft.scope.tensors.values():
        for dimension in tensor.shape:
            if not dimension.terms and dimension.fixed is None:
                found.setdefault(dimension.name, dimension)
    return found


def _fraction(value: float, largest: int) -> Fraction | None:
    if not np.isfinite(value) or value == 0.0 or abs(value) > 1e6:
        return None
    near = Fraction(value).limit_denominator(largest)
    if near == 0 or abs(float(near) - value) > NEAR * abs(value) * 1e-2:
        return None
    return near
