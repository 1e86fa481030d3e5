"""What the signs of two values say of each other: x > 6 where x - 6 is positive, never x < 0 and x > 6.

The squares of a finite field have no order. So in the strict round a draw is dropped in which two signs
contradict what is known of the difference or the sum of their values.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import ONE, Add, Const, Expression, Product, add, constant, multiply
from tensorgrad_cli.exact.signs import Signs

__all__ = ["Relation", "contradicting", "relation"]


class Relation(Struct, frozen=True):
    """The signs of u - w and of u + w, 0 where not known."""

    difference: int
    total: int


def relation(u: Expression, w: Expression, signs: Signs) -> Relation | None:
    """What is known of two values; None where nothing is."""
    key = (u, w)
    if key not in signs.relations:
        found = Relation(_sign(u, w, -1, signs), _sign(u, w, 1, signs))
        signs.relations[key] = found if found.difference or found.total else None
    result: Relation | None = signs.relations[key]
    return result


def contradicting(known: Relation, u: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Where the signs of two values, entry by entry, are impossible."""
    wrong: Any = np.zeros(u.shape, np.bool_)
    if known.difference:
        wrong |= u < w if known.difference > 0 else u > w
    if known.total:
        wrong |= (u <= 0) & (w <= 0) if known.total > 0 else (u >= 0) & (w >= 0)
    return np.asarray(wrong, np.bool_)


def _sign(u: Expression, w: Expression, factor: int, signs: Signs) -> int:
    """The sign of u + factor w where terms cancel and it is known, else 0."""
    terms = _terms(u)
    other = _terms(w)
    for rest, coefficient in other.items():
        terms[rest] = terms.get(rest, Fraction(0)) + factor * coefficient
    left = {rest: coefficient for rest, coefficient in terms.items() if coefficient}
    if len(left) >= len(_terms(u)) + len(other):
        return 0
    combined = add(*(multiply(Const(coefficient), rest) for rest, coefficient in left.items()))
    interval = signs.of(combined)
    return 1 if interval.positive else (-1 if interval.negative else 0)


def _terms(expression: Expression) -> dict[Expression, Fraction]:
    """A sum as its terms without their coefficients."""
    found: dict[Expression, Fraction] = {}
    for term in expression.terms if isinstance(expression, Add) else (expression,):
        coefficient, rest = Fraction(1), term
        if isinstance(term, Const):
            coefficient, rest = term.value, ONE
        elif isinstance(term, Product) and isinstance(term.factors[0], Const):
            coefficient = term.factors[0].value
            rest = multiply(*term.factors[1:])
        found[rest] = found.get(rest, Fraction(0)) + coefficient
    return found or {constant(1): Fraction(0)}
