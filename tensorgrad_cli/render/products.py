"""Products, fractions and written sums on one line: `Σ[i] x[i] y[i] / (2 z[i])`, `1/m Σ[i] x[i]`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

from tensorgrad_cli.algebra.expression import Add, Const, Expression, Index, Op, Product, Sum
from tensorgrad_cli.render.naming import Names
from tensorgrad_cli.render.pieces import FACTOR, PRODUCT, TERM, Piece, implied, of_product, wrapped
from tensorgrad_cli.render.terms import Divisor, split

if TYPE_CHECKING:
    from tensorgrad_cli.render.linear import Linear

__all__ = ["like_derivative", "product"]


def product(
    printer: Linear,
    indices: Sequence[Index],
    factors: Sequence[Expression],
    names: Names,
    summand: bool,
) -> Piece:
    """A product summed over some indices: its coefficient in front, divisors behind a bar, Σ before it all."""
    coefficient, above, below = split(factors)
    negative, coefficient = coefficient < 0, abs(coefficient)
    if not indices and len(above) == 1 and not below and coefficient == 1:
        return _signed(printer.piece(above[0], names, summand and not negative), negative)
    in_front = _in_front(printer, coefficient, above, below, names)
    tops = _factors(printer, above, names, last=in_front or not below)
    bottoms = [] if in_front else _divisors(printer, below, names)
    text = _fraction(printer, coefficient, tops, bottoms)
    if in_front:
        divisor = printer.piece(below[0][0], names)
        text = _side(printer, [Piece(f"{coefficient}/{divisor.text}", FACTOR), *tops])
    written = _written(printer, indices, factors, names, summand, tops, bottoms)
    lone = not written and len(tops) == 1 and not bottoms and coefficient == 1 and not in_front
    if lone and not negative:
        return tops[0]
    hidden: Sequence[str] = ()
    if written:
        hidden = [names[index] for index in indices]
        text = f"{printer.sum()}[{written}] {text}"
    return _signed(of_product(text, PRODUCT, (*tops, *bottoms), hidden), negative)


def _signed(piece: Piece, negative: bool) -> Piece:
    if not negative:
        return piece
    piece = wrapped(piece, PRODUCT)
    return Piece(f"-{piece.text}", TERM, piece.stands, piece.opened)


def _written(
    printer: Linear,
    indices: Sequence[Index],
    factors: Sequence[Expression],
    names: Names,
    summand: bool,
    above: Sequence[Piece],
    below: Sequence[Piece],
) -> str:
    """What stands in the brackets of Σ: all indices or, where the language implies all of them, none."""
    if printer.implied and summand and all(implied(names[index], above, below) for index in indices):
        return ""
    return printer.bound(indices, Product(tuple(factors)), names)


def _in_front(
    printer: Linear,
    coefficient: Fraction,
    above: Sequence[Expression],
    below: Sequence[Divisor],
    names: Names,
) -> bool:
    """Whether the fraction is a coefficient in front of a sum: `1/m Σ[i] x[i]`."""
    if len(below) != 1 or coefficient.denominator != 1 or not above or not isinstance(above[-1], Sum):
        return False
    ((base, exponent),) = below
    if not isinstance(base, Sum) or exponent != 1 or not _ends_in_sum(printer, above[-1], names):
        return False
    divisor = printer.piece(base, names)
    return bool(divisor.bare) and not printer.called(divisor)


def _ends_in_sum(printer: Linear, e: Sum, names: Names) -> bool:
    return printer.piece(e, names).strength == PRODUCT


def _factors(printer: Linear, above: Sequence[Expression], names: Names, last: bool) -> list[Piece]:
    """The factors above the bar. A written sum may stand as the last of all (`last`) as it is."""
    pieces = []
    for k, factor in enumerate(above):
        piece = printer.piece(factor, names)
        ends = last and k == len(above) - 1 and isinstance(factor, Sum) and piece.strength == PRODUCT
        pieces.append(piece if ends else wrapped(piece, FACTOR))
    return pieces


def _divisors(printer: Linear, below: Sequence[Divisor], names: Names) -> list[Piece]:
    """The factors below the bar, their sums all written."""
    explicit = printer.explicit()
    pieces = []
    for base, exponent in below:
        piece = wrapped(explicit.raised(base, Const(exponent), names), FACTOR)
        if piece.plain and "/" in piece.text and piece.strength == FACTOR:
            # A derivative: a bar in a bar is hard to read.
            piece = wrapped(piece, FACTOR + 1)
        pieces.append(piece)
    if len(below) == 1 and below[0][1] == 1 and isinstance(below[0][0], Sum):
        inner = explicit.piece(below[0][0], names)
        if _one_factor_long(below[0][0]) and inner.strength == PRODUCT:
            return [inner]
    return pieces


def _one_factor_long(e: Sum) -> bool:
    """Whether a written sum may stand right behind a bar."""
    return not isinstance(e.body, Product | Sum | Op | Add) and split((e.body,))[2] == []


def _fraction(printer: Linear, coefficient: Fraction, tops: Sequence[Piece], bottoms: Sequence[Piece]) -> str:
    above, below = list(tops), list(bottoms)
    over, under = coefficient.numerator, coefficient.denominator
    if not below:
        if coefficient != 1 or not above:
            above.insert(0, Piece(str(coefficient), FACTOR))
        return _side(printer, above)
    if over != 1 or not above:
        above.insert(0, Piece(str(over), FACTOR))
    if under != 1:
        below.insert(0, Piece(str(under), FACTOR))
    divisor = _side(printer, below)
    if len(below) > 1 or like_derivative(above[-1].text, divisor):
        divisor = f"({divisor})"
    return f"{_side(printer, above)} / {divisor}"


def like_derivative(above: str, below: str) -> bool:
    """Whether `dx / dk` could be taken for a derivative."""
    return above[:1] == below[:1] == "d" and above[1:2] not in ("", "[", " ") and below[1:2] not in ("", "[")


def _side(printer: Linear, factors: Sequence[Piece]) -> str:
    """Factors side by side; a sign between them where they would run together."""
    text = factors[0].text
    for before, factor in pairwise(factors):
        if factor.text[0].isdigit():
            text += f" ({factor.text})"
        elif factor.text[0] == "(" and printer.called(before):
            text += f" * {factor.text}"
        else:
            text += f" {factor.text}"
    return text
