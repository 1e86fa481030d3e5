"""What the terms of a claim would have to be multiplied by to make it right, and what such a number stands for.

Every term, at any depth at which the claim is linear in it, either has one coefficient for all entries or none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension, Index
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.occurrences import children
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.notation.tree import (
    Juxtaposed,
    Multiplied,
    Name,
    Parenthesis,
    Power,
    Summed,
    Transposed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.draft import Array, Draft
from tensorgrad_cli.verify.diagnoses.near import NEAR
from tensorgrad_cli.verify.diagnoses.scaling import Coefficient, inserted, leading_numeral
from tensorgrad_cli.verify.diagnoses.splice import Term, terms

__all__ = [
    "Needed",
    "Shortfall",
    "coefficients",
    "is_whole",
    "largest",
    "needed_coefficients",
    "ratio_of",
    "scales_in_vain",
    "shortfalls",
]

LARGEST = 64
# Longest decimal by which a factor is named, and the chance at which a number is no longer taken for one by accident.
DIGITS = 9
CHANCE = 1e-3

_EXPONENTS = (Fraction(-1), Fraction(1), Fraction(-1, 2), Fraction(1, 2), Fraction(-2), Fraction(2))


class Needed(Struct, frozen=True):
    """A term of the claim, the coefficient that makes the claim right, and how far rounding may have moved that."""

    term: Term
    ratio: float
    bar: float

    def is_(self, value: float) -> bool:
        """Whether the coefficient is a number, as far as rounding lets one know."""
        return abs(self.ratio - value) <= self.bar


class Shortfall(Struct, frozen=True):
    """A term of the claim, what it should be for the claim to be right, what it is, and how near is near enough."""

    term: Term
    wanted: Array
    had: Array
    near: float


def needed_coefficients(draft: Draft) -> list[Needed]:
    """The terms of the claim with the coefficient that makes it right; worked out once."""
    known = draft.notes.get("coefficients")
    if known is None:
        known = draft.notes["coefficients"] = list(_needed(draft))
    assert isinstance(known, list)
    return known


def _needed(draft: Draft) -> Iterator[Needed]:
    for short in shortfalls(draft):
        ratio = ratio_of(short.wanted, short.had, short.near)
        if ratio is not None:
            bar = draft.bar * (1 + abs(ratio)) / root_mean_square(short.had)
            yield Needed(short.term, 0.0 if abs(ratio) <= bar else ratio, bar)


def shortfalls(draft: Draft) -> list[Shortfall]:
    """The terms in which the claim is linear, the whole of it first, with what each is and should be; worked out
    once."""
    known = draft.notes.get("shortfalls")
    if known is None:
        known = draft.notes["shortfalls"] = list(_shortfalls(draft))
    assert isinstance(known, list)
    return known


def _shortfalls(draft: Draft) -> Iterator[Shortfall]:
    truth, claim = draft.truth, draft.claimed
    if truth is None or claim is None or draft.unseen:
        return
    near = draft.near * max(largest(truth), largest(claim))
    if isinstance(draft.side, Summed):
        yield Shortfall(Term(draft.side, False, None, True, True, True), truth, claim, near)
    for term in terms(draft.side):
        if not term.linear:
            continue
        if term.operand.span == draft.side.span or (term.alone and term.first and _is_all(draft, term)):
            without: Array | None = np.zeros_like(claim)
        else:
            pair = draft.values(draft.replaced([inserted(term, "0 * ")]))
            without = None if pair is None else pair[1]
        if without is not None and without.shape == truth.shape:
            yield Shortfall(term, truth - without, claim - without, near)


def scales_in_vain(draft: Draft, tree: Tree) -> bool:
    """Whether something is a number that scales a term which no number makes right: then no power of it does, nor
    another number in its place."""
    if not _is_scalar(tree, draft.scope):
        return False
    start, end = tree.span.start, tree.span.end
    around = [
        t.operand for t in terms(draft.side) if t.operand.span.start <= start and end <= t.operand.span.end
    ]
    if not around:
        return False
    inner = min(around, key=lambda operand: operand.span.end - operand.span.start)
    looked_at = [short.term.operand.span for short in shortfalls(draft)]
    right = [needed.term.operand.span for needed in needed_coefficients(draft)]
    return inner.span in looked_at and inner.span not in right and _scales(inner, tree)


def _is_scalar(tree: Tree, scope: Scope) -> bool:
    match tree:
        case Name(text):
            return scope.shape(text) == () or text in scope.dimensions
        case Power(base) | Parenthesis(base):
            return _is_scalar(base, scope)
        case _:
            return False


def _scales(whole: Tree, part: Tree) -> bool:
    """Whether a part stands in something as a factor of it, or of all its terms."""
    if whole is part:
        return True
    match whole:
        case Juxtaposed() | Multiplied():
            inner = children(whole)
        case Parenthesis(body) | Transposed(body) | Power(body):
            inner = (body,)
        case WrittenSum("sum", _, body):
            inner = (body,)
        case _:
            return False
    return any(_scales(each, part) for each in inner)


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


def root_mean_square(a: Array) -> float:
    return float(np.sqrt(np.mean(np.square(a[np.isfinite(a)]))))


def ratio_of(wanted: Array, had: Array, near: float) -> float | None:
    """The number by which `had` is `wanted` up to `near`, where there is one for all entries."""
    good = np.isfinite(wanted) & np.isfinite(had)
    if not good.any():
        return None
    w, h = wanted[good].ravel(), had[good].ravel()
    size = float(h @ h)
    if size == 0.0:
        return None
    ratio = float(h @ w) / size
    if np.abs(w - ratio * h).max() > near:
        return None
    return 0.0 if abs(ratio) < NEAR and largest(w) <= near else ratio


def coefficients(draft: Draft, needed: Needed) -> Iterator[Coefficient]:
    """What a number may stand for at two points: a fraction, times a dimension or its root. Only what it is up to
    rounding, and what a number between any others would hardly be up to that."""
    again = _again(draft, needed.term)
    names = _dimensions(draft)
    numeral = leading_numeral(needed.term.operand)
    written = Fraction(1) if numeral is None or not numeral[1] else numeral[1]
    found = [
        c for c in _possible(names, draft.point(0).sizes, needed, written) if _stays(c, draft, names, again)
    ]
    yield from sorted(found, key=_oddness)


def _possible(
    names: Mapping[str, Dimension], sizes: Mapping[str, int], needed: Needed, written: Fraction
) -> Iterator[Coefficient]:
    ratio, bar = needed.ratio, needed.bar / abs(needed.ratio)
    for name, dimension in names.items():
        for exponent in _EXPONENTS:
            rest = _fraction(ratio / dimension.size(sizes) ** float(exponent), 12, bar)
            if rest is not None and (dimension.fixed is None or (abs(rest) == 1 and abs(exponent) == 1)):
                yield Coefficient(rest, name, exponent)
    whole = _fraction(ratio, LARGEST, bar)
    # What should stand for the numeral that is written: 1 for 1.000001.
    instead = _fraction(ratio * float(written), LARGEST, bar)
    if whole is None:
        whole = instead / written if instead is not None else _decimal(ratio, bar)
    if whole is not None:
        yield Coefficient(whole)


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
    return ratio_of(truth - without, claim - without, NEAR * max(largest(truth), largest(claim)))


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


def _fraction(value: float, most: int, bar: float) -> Fraction | None:
    """The fraction with a denominator of at most `most` that a value is up to a part `bar` of it."""
    if not np.isfinite(value) or value == 0.0 or abs(value) > 1e6 or most**2 * bar > CHANCE:
        return None
    near = Fraction(value).limit_denominator(most)
    return near if near != 0 and abs(float(near) - value) <= bar * abs(value) else None


def _decimal(value: float, bar: float) -> Fraction | None:
    """The same for a number with few digits after its point, or one over such a number: 0.9999, 1/1.000001; where it
    may be either nobody knows which."""
    if not 0.01 < abs(value) < 100:
        return None
    for digits in range(1, DIGITS + 1):
        ten = 10**digits
        if ten * bar > CHANCE:
            break
        numbers = {Fraction(round(value * ten), ten), Fraction(ten, round(ten / value) or ten)}
        found = [number for number in numbers if abs(float(number) - value) <= bar * abs(value)]
        if found:
            return found[0] if len(found) == 1 else None
    return None
