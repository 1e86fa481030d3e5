"""A term taken apart as one writes it: its sign, its coefficient, what stands above and below the bar."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from tensorgrad_cli.algebra.expression import Apply, Const, Delta, Expression, Index, Op, Product, Ref, Sum
from tensorgrad_cli.algebra.scalars import is_size
from tensorgrad_cli.algebra.walking import occurring

__all__ = ["factors_of", "ordered", "signed", "split", "unpinned"]


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


def unpinned(indices: Sequence[Index], body: Expression) -> tuple[Index, ...]:
    """The summed indices whose range nothing in the body tells: it has to be written."""
    parts: list[Expression] = []
    untold = set(indices)
    for part in occurring(body):
        parts.append(part)
        if isinstance(part, Ref | Op):
            untold.difference_update(part.indices if isinstance(part, Ref) else part.out)
            if not untold:
                # Told near the beginning, mostly: the rest need not be looked at.
                return ()
    missing = [index for index in indices if index in untold]
    pairs = [(part.left, part.right) for part in parts if isinstance(part, Delta)]
    found = True
    while missing and found:
        found = False
        for index in missing:
            others = [b if a == index else a for a, b in pairs if index in (a, b)]
            if any(isinstance(other, Index) and other not in missing for other in others):
                missing.remove(index)
                found = True
                break
    return tuple(missing)
