"""Polynomials with rational coefficients and rational exponents, whose variables are expressions.

A monomial is a set of pairs (atom, exponent), a polynomial a dictionary from monomials to coefficients.
Atoms are entries, deltas, functions, operations, sums over ONE connected product, and, under exponents
that are not whole positive numbers, numbers and sums of terms. All bound indices are inside of atoms.

An exponent is a pair (number, rooted): u^(1/2) u^(1/2) is u¹ rooted, which is u where u ≥ 0 and nothing
elsewhere, so that it never is the same as u. Atoms known to be positive are never rooted.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from math import comb, floor, gcd, lcm

from tensorgrad_cli.algebra.canonical import ordered, text
from tensorgrad_cli.algebra.expression import ZERO, Apply, Const, Expression, add, multiply, power
from tensorgrad_cli.algebra.scalars import is_idempotent, is_sign, positive

__all__ = [
    "Exponent",
    "Monomial",
    "Part",
    "Polynomial",
    "TooLarge",
    "Work",
    "atom",
    "content",
    "expression_of",
    "factor_of",
    "falls",
    "monomial_of",
    "number",
    "plus",
    "primitive_parts",
    "raised",
    "scaled",
    "times",
]

Exponent = tuple[Fraction, bool]
Part = tuple[Expression, Exponent]
Monomial = frozenset[Part]
Polynomial = dict[Monomial, Fraction]

_UNIT: Monomial = frozenset()
_UNITY: Polynomial = {_UNIT: Fraction(1)}
_WHOLE = Fraction(1)
_ONE: Exponent = (_WHOLE, False)
_HALF = Const(Fraction(1, 2))

# Sums of terms are multiplied out up to that power, numbers raised up to that one.
_POWER = 12
_NUMBER_POWER = 64


class TooLarge(Exception):
    """Multiplied out, the expression would have more terms than are worth it."""


class Work:
    """How much may still be done: terms of one polynomial, and products of monomials altogether.

    `sums` remembers the polynomials of the sums of terms that have become atoms.
    """

    def __init__(self, terms: int, products: int) -> None:
        self.terms = terms
        self.products = products
        self.names = 0
        self.sums: dict[Expression, Polynomial] = {}

    def spend(self, products: int) -> None:
        """Count products of monomials. Raises TooLarge."""
        self.products -= products
        if self.products < 0:
            raise TooLarge

    def bounded(self, polynomial: Polynomial) -> Polynomial:
        """The polynomial, if it is not too long. Raises TooLarge."""
        if len(polynomial) > self.terms:
            raise TooLarge
        return polynomial


# --- sums and products ------------------------------------------------------------------------------


def number(value: Fraction) -> Polynomial:
    """A number."""
    return {_UNIT: value} if value else {}


def atom(expression: Expression) -> Polynomial:
    """One atom."""
    return {frozenset(((expression, _ONE),)): _WHOLE}


def scaled(polynomial: Polynomial, factor: Fraction) -> Polynomial:
    """The polynomial times a number."""
    return {m: c * factor for m, c in polynomial.items()} if factor else {}


def plus(parts: Iterable[Polynomial], work: Work) -> Polynomial:
    """The sum of polynomials, like terms collected."""
    total: Polynomial = {}
    for part in parts:
        for monomial, coefficient in part.items():
            _include(total, monomial, coefficient)
        work.bounded(total)
    return total


def _include(total: Polynomial, monomial: Monomial, coefficient: Fraction) -> None:
    known = total.get(monomial)
    value = coefficient if known is None else known + coefficient
    if value:
        total[monomial] = value
    else:
        total.pop(monomial, None)


def times(left: Polynomial, right: Polynomial, work: Work) -> Polynomial:
    """The product of two polynomials."""
    if left == _UNITY:
        return _opened(right, work)
    work.spend(len(left) * len(right))
    total: Polynomial = {}
    for one, a in left.items():
        for other, b in right.items():
            for monomial, c in monomial_of([*one, *other]).items():
                _include(total, monomial, a * b * c)
    return _opened(work.bounded(total), work)


def monomial_of(parts: Iterable[Part]) -> Polynomial:
    """The product of powers of atoms, as a polynomial of one term."""
    exponents: dict[Expression, Exponent] = {}
    for base, (value, rooted) in parts:
        known = exponents.get(base)
        if known is not None:
            value, rooted = value + known[0], rooted or known[1]
        exponents[base] = value, rooted
    coefficient = _WHOLE
    for base, (value, rooted) in tuple(exponents.items()):
        if isinstance(base, Const) and base.value > 0:
            whole = floor(value)
            coefficient *= base.value**whole
            exponents[base] = value - whole, False
        elif rooted and positive(base):
            exponents[base] = value, False
        elif value > 0 and is_idempotent(base):
            exponents[base] = _ONE
        elif value > 2 and value.denominator == 1 and not rooted and is_sign(base):
            exponents[base] = 2 - value % 2, False
    kept = (pair for pair in exponents.items() if pair[1][0] or pair[1][1])
    return {frozenset(kept): coefficient}


def _opened(polynomial: Polynomial, work: Work) -> Polynomial:
    # Sums of terms whose power has become a whole positive one, as in (a + b)^-1 (a + b)², multiplied out.
    if not any(b in work.sums and _opens(*e) for m in polynomial for b, e in m):
        return polynomial
    parts: list[Polynomial] = []
    for monomial, coefficient in polynomial.items():
        inner = [(b, int(t)) for b, (t, r) in monomial if b in work.sums and _opens(t, r)]
        if inner:
            kept = frozenset(part for part in monomial if part[0] not in dict(inner))
            piece = {kept: coefficient}
            for base, count in inner:
                for _ in range(count):
                    piece = times(piece, work.sums[base], work)
            parts.append(piece)
        else:
            parts.append({monomial: coefficient})
    return plus(parts, work)


def _opens(value: Fraction, rooted: bool) -> bool:
    return not rooted and value.denominator == 1 and 1 <= value <= _POWER


# --- powers -----------------------------------------------------------------------------------------


def raised(polynomial: Polynomial, exponent: Fraction, work: Work) -> Polynomial:
    """The polynomial to a rational power. Raises TooLarge."""
    if exponent == 1:
        return polynomial
    if exponent == 0:
        return number(Fraction(1))
    if not polynomial:
        pole = Apply("pow", (0, 0), (ZERO, Const(exponent)))
        return {} if exponent > 0 else atom(pole)
    if len(polynomial) == 1:
        return _opened(_raised_monomial(polynomial, exponent), work)
    if _opens(exponent, False):
        if comb(len(polynomial) + int(exponent) - 1, int(exponent)) > work.terms:
            raise TooLarge
        result = polynomial
        for _ in range(int(exponent) - 1):
            result = times(result, polynomial, work)
        return result
    coefficient, parts = primitive_parts(polynomial, exponent, work)
    return scaled(monomial_of(parts), coefficient)


def _raised_monomial(polynomial: Polynomial, exponent: Fraction) -> Polynomial:
    ((monomial, coefficient),) = polynomial.items()
    if exponent.denominator == 1:
        if abs(exponent) > _NUMBER_POWER and abs(coefficient) != 1:
            return monomial_of([(expression_of(polynomial), (exponent, False))])
        parts = [(base, (value * exponent, rooted)) for base, (value, rooted) in monomial]
        return scaled(monomial_of(parts), coefficient**exponent.numerator)
    parts = number_parts(abs(coefficient), exponent)
    inside: list[Part] = []
    for base, (value, rooted) in monomial:
        # What is surely not negative leaves the root.
        if positive(base) or rooted or value.denominator != 1:
            parts.append((base, (value * exponent, not positive(base))))
        else:
            inside.append((base, (value, rooted)))
    if coefficient > 0 and len(inside) == 1 and inside[0][1][0].numerator % 2:
        base, (value, _) = inside[0]
        parts.append((base, (value * exponent, True)))
    elif inside or coefficient < 0:
        sign = Fraction(1 if coefficient > 0 else -1)
        radicand = expression_of({frozenset(inside): sign})
        parts.append((radicand, (exponent, True)))
    return monomial_of(parts)


def primitive_parts(polynomial: Polynomial, exponent: Fraction, work: Work) -> tuple[Fraction, list[Part]]:
    """A power of a sum of terms as a number and parts: its common factors, and as an atom the rest, whose
    coefficients are whole numbers without a common divisor, their sum not negative."""
    whole = exponent.denominator == 1
    parts: list[Part] = []
    rest = polynomial
    for base, least in _common(polynomial):
        if whole or positive(base):
            parts.append((base, (least * exponent, False)))
            rest = {
                frozenset(p for pair in monomial for p in _lowered(pair, base, least)): c
                for monomial, c in rest.items()
            }
    common = content(rest)
    if whole and falls(rest):
        common = -common
    if whole and abs(exponent) > _NUMBER_POWER:
        common = Fraction(1)
    rest = scaled(rest, 1 / common)
    base = expression_of(rest)
    work.sums[base] = rest
    parts.append((base, (exponent, not whole and not positive(base))))
    if whole:
        return common**exponent.numerator, parts
    return Fraction(1), parts + number_parts(common, exponent)


def _common(polynomial: Polynomial) -> list[tuple[Expression, Fraction]]:
    # The atoms that stand in every monomial, with the least of their exponents.
    monomials = [dict(monomial) for monomial in polynomial]
    common: list[tuple[Expression, Fraction]] = []
    for base in monomials[0]:
        found = [monomial[base] for monomial in monomials if base in monomial]
        plain = all(not rooted and value.denominator == 1 for value, rooted in found)
        if plain and len(found) == len(monomials):
            common.append((base, min(value for value, _ in found)))
    return common


def _lowered(part: Part, base: Expression, by: Fraction) -> tuple[Part, ...]:
    if part[0] != base:
        return (part,)
    value = part[1][0] - by
    return ((base, (value, False)),) if value else ()


def content(polynomial: Polynomial) -> Fraction:
    """The greatest number by which all coefficients are whole ones."""
    values = polynomial.values()
    over = gcd(*(value.numerator for value in values))
    return Fraction(over, lcm(*(value.denominator for value in values)))


def falls(polynomial: Polynomial) -> bool:
    """Whether the polynomial, rather than what it is without its sign, counts as the negative one."""
    total = sum(polynomial.values())
    if total:
        return total < 0
    # The terms' texts decide; where bound indices stand in them that may depend on the indices' names.
    first = min(polynomial, key=lambda monomial: text(expression_of({monomial: Fraction(1)})))
    return polynomial[first] < 0


def number_parts(value: Fraction, exponent: Fraction) -> list[Part]:
    """A power of a positive number as powers of primes."""
    parts: list[Part] = []
    for whole, sign in ((value.numerator, 1), (value.denominator, -1)):
        for prime, count in _primes(whole):
            parts.append((Const(Fraction(prime)), (exponent * count * sign, False)))
    return parts


def _primes(value: int) -> list[tuple[int, int]]:
    # Divisors beyond a thousand stay together, which is enough for the numbers of formulas.
    found: list[tuple[int, int]] = []
    for prime in range(2, 1000):
        if prime * prime > value:
            break
        count = 0
        while value % prime == 0:
            value //= prime
            count += 1
        if count:
            found.append((prime, count))
    return [*found, (value, 1)] if value > 1 else found


# --- back to expressions ----------------------------------------------------------------------------


def factor_of(base: Expression, exponent: Exponent) -> Expression:
    """A power of an atom as an expression."""
    value, rooted = exponent
    if rooted and value.denominator == 1:
        root = power(power(base, _HALF), Const(Fraction(2)))
        return multiply(root, power(base, Const(value - 1)))
    return power(base, Const(value))


def expression_of(polynomial: Polynomial) -> Expression:
    """The polynomial as an expression, its factors and terms in canonical order."""
    return ordered(
        add(
            *(
                multiply(Const(coefficient), *(factor_of(*pair) for pair in monomial))
                for monomial, coefficient in polynomial.items()
            )
        )
    )
