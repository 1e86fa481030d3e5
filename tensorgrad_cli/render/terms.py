"""A term taken apart as one writes it: its sign, its coefficient, what stands above and below the bar."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorgrad_cli.algebra.expression import Apply, Const, Expression, Product, Sum
from tensorgrad_cli.algebra.scalars import is_size

__all__ = ["factors_of", "ordered", "signed", "split"]


def factors_of(e: Expression) -> tuple[Expression, ...]:
    """The factors of a product; anything else is its own only factor."""
    return e.factors if isinstance(e, Product) else (e,)


def signed(e: Expression) -> tuple[bool, Expression]:
    """Whether a term is negative, and the term without its sign."""
    match e:
        case Const(value) if value < 0:
            return True, Const(-value)
        case Sum(indices, body):
            negative, rest = signed(body)
            return negative, Sum(indices, rest) if negative else e
        case Product((Const(value), *others)) if value == -1 and len(others) == 1:
            return True, others[0]
        case Product((Const(value), *others)) if value < 0:
            return True, Product(tuple(others) if value == -1 else (Const(-value), *others))
        case _:
            return False, e


def ordered(terms: Sequence[Expression]) -> tuple[Expression, ...]:
    """Terms in their order, but for a sign in front that another term saves: `1 - y²` for `-y² + 1`."""
    first = next((k for k, term in enumerate(terms) if not signed(term)[0]), 0)
    return (terms[first], *terms[:first], *terms[first + 1 :])


Divisor = tuple[Expression, Fraction]


def split(factors: Sequence[Expression]) -> tuple[Fraction, list[Expression], list[Divisor]]:
    """The coefficient, the factors above the fraction bar, and (base, exponent) of those below it, sizes in front."""
    coefficient = Fraction(1)
    above: list[Expression] = []
    below: list[Divisor] = []
    for factor in factors:
        match factor:
            case Const(value):
                coefficient *= value
            case Apply("pow", (0, 0), (base, Const(value))) if value < 0:
                below.append((base, -value))
            case _:
                above.append(factor)
    return coefficient, above, sorted(below, key=lambda divisor: not is_size(divisor[0]))
