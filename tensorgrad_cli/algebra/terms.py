"""Rewrites of products and sums of terms: small functions expression → expression | None.

Parentheses are opened where they are only parentheses, like terms are collected, and what all terms have
in common stands in front of them, as one writes it by hand: `P[i,j] (P̄[i,j] - Σ[k] P[i,k] P̄[i,k])`.
"""

from __future__ import annotations

from fractions import Fraction

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Const,
    Expression,
    Product,
    add,
    multiply,
    negate,
    power,
)
from tensorgrad_cli.algebra.matching import alike
from tensorgrad_cli.algebra.scalars import based, factors_of, split_coefficient

__all__ = ["TERM_RULES"]


def flattened(expression: Expression) -> Expression | None:
    """Products in products and terms in terms, numbers gathered, zeros and ones taken out."""
    match expression:
        case Product(factors):
            flat = multiply(*factors)
        case Add(terms):
            flat = add(*(_without_parentheses(term) for term in terms))
        case _:
            return None
    return None if flat == expression else flat


def _without_parentheses(term: Expression) -> Expression:
    # a - (b + c) is a - b - c, as `subtract` makes it.
    match term:
        case Product((Const(value), Add() as inner)) if value == -1:
            return negate(inner)
        case _:
            return term


def sign_spread(expression: Expression) -> Expression | None:
    """-(a - b) = b - a, where that leaves no more signs than before."""
    match expression:
        case Product((Const(value), Add(terms))) if value == -1:
            rising = [negate(term) for term in terms if split_coefficient(term)[0] < 0]
            falling = [negate(term) for term in terms if split_coefficient(term)[0] > 0]
            return add(*rising, *falling) if len(rising) >= len(falling) else None
        case _:
            return None


def like_terms_collected(expression: Expression) -> Expression | None:
    """2 u + 3 u = 5 u, at the place of the first."""
    if not isinstance(expression, Add):
        return None
    bodies: list[Expression] = []
    totals: list[Fraction] = []
    for term in expression.terms:
        coefficient, rest = split_coefficient(term)
        for k, known in enumerate(bodies):
            if alike(known, rest):
                totals[k] += coefficient
                break
        else:
            bodies.append(rest)
            totals.append(coefficient)
    if len(bodies) == len(expression.terms):
        return None
    pairs = zip(totals, bodies, strict=True)
    return add(*(multiply(Const(total), body) for total, body in pairs))


def common_factored(expression: Expression) -> Expression | None:
    """a u - a v = a (u - v), a / s + b / s² = (a + b / s) / s, unless a number would be left of a term."""
    if not isinstance(expression, Add):
        return None
    split = [split_coefficient(term) for term in expression.terms]
    powers = [[based(factor) for factor in factors_of(rest)] for _, rest in split]
    if any(rest == ONE for _, rest in split):
        return None
    common: list[Expression] = []
    for base, exponent in powers[0]:
        least = _least(base, exponent, powers[1:])
        if least:
            lowered = [_lowered(base, least, term) for term in powers]
            if all(lowered):
                powers = lowered
                common.append(power(base, Const(least)))
    if not common:
        return None
    same = len({coefficient for coefficient, _ in split}) == 1
    front = split[0][0] if same else Fraction(1)
    terms = [
        multiply(Const(coefficient / front), *(power(base, Const(e)) for base, e in term))
        for (coefficient, _), term in zip(split, powers, strict=True)
    ]
    return multiply(Const(front), *common, add(*terms))


Powers = list[tuple[Expression, Fraction]]


def _least(base: Expression, exponent: Fraction, terms: list[Powers]) -> Fraction:
    # The power of the base that all terms have, 0 where one has none: the smaller of two of one sign.
    least = exponent
    for term in terms:
        found = [e for other, e in term if alike(base, other)]
        if len(found) != 1:
            return Fraction(0)
        whole = found[0].denominator == least.denominator == 1
        if found[0] != least and (not whole or (found[0] > 0) != (least > 0)):
            return Fraction(0)
        least = min(found[0], least, key=abs)
    return least


def _lowered(base: Expression, by: Fraction, term: Powers) -> Powers:
    lowered: Powers = []
    for other, exponent in term:
        left = exponent - by if alike(base, other) else exponent
        if left:
            lowered.append((other, left))
    return lowered


TERM_RULES = (
    flattened,
    sign_spread,
    like_terms_collected,
    common_factored,
)
