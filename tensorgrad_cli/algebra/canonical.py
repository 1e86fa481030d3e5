"""The order of factors and terms and the names of bound indices that alike expressions share.

Naming the bound indices of a sum is the canonical labelling of a small graph: indices get colours from
where they stand, until nothing tells them apart any more; what ties remain are broken in every way, and
the order whose text comes first wins. Where that would take too long a cap leaves an order that depends
on the input: two equal expressions may then differ, unequal ones are never made the same.

Bound indices are called `#1`, `#2`, … counted from the innermost sum outwards, so that the names of an
expression do not depend on what it stands in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    Add,
    Affine,
    Apply,
    Const,
    Delta,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.matching import SYMMETRIC, dimension_colour, name_colour, signature
from tensorgrad_cli.algebra.scalars import factors_of, is_size
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.walking import children

__all__ = ["lettered", "ordered", "text"]

_BOUND = "#"
_LETTERS = "ijklabcdpqrstuvw"
# How many ways to break ties are tried: five indices that nothing tells apart.
_WAYS = 120


@lru_cache(maxsize=1 << 15)
def text(expression: Expression) -> str:
    """The expression as a text to order by; not for reading."""
    match expression:
        case Const(value):
            return str(value)
        case Ref(tensor, indices):
            return f"{tensor}[{_positions(indices)}]"
        case Delta(left, right):
            return f"δ[{_positions((left, right))}]"
        case Apply(function, order, arguments):
            inner = ";".join(text(argument) for argument in arguments)
            return f"{function}{order if any(order) else ''}({inner})"
        case Op(operation, bound, out, arguments, parameters):
            inner = ";".join(text(argument) for argument in arguments)
            head = f"{operation}[{_positions(bound)}|{_positions(out)}]"
            return f"{head}({inner};{parameters or ''})"
        case Product(factors):
            return "*".join(text(factor) for factor in factors)
        case Sum(indices, body):
            return f"Σ[{_positions(indices)}]({text(body)})"
        case Add(terms):
            return "(" + "+".join(text(term) for term in terms) + ")"
        case _:
            assert_never(expression)


def _positions(positions: Sequence[Position]) -> str:
    return ",".join(_position(position) for position in positions)


def _position(position: Position) -> str:
    match position:
        case Index(name, dimension, serial):
            return f"{name}{serial}:{dimension.name}"
        case int():
            return str(position)
        case Affine(terms, offset):
            return "+".join([*(f"{c}{_position(index)}" for c, index in terms), str(offset)])
        case Gather(tensor, inner):
            return f"{tensor}[{_positions(inner)}]"
        case _:
            assert_never(position)


# --- the order --------------------------------------------------------------------------------------


def ordered(expression: Expression) -> Expression:
    """The same expression with factors, terms and bound indices in their canonical order and names."""
    match expression:
        case Const():
            return expression
        case Ref(tensor, indices):
            places = tuple(_sorted_position(position) for position in indices)
            return expression if places == indices else Ref(tensor, places)
        case Delta(left, right):
            sides = sorted((_sorted_position(left), _sorted_position(right)), key=_position)
            return Delta(sides[0], sides[1])
        case Apply(function, order, arguments):
            parts = [ordered(argument) for argument in arguments]
            if function in SYMMETRIC:
                parts.sort(key=text)
            return Apply(function, order, tuple(parts))
        case Op():
            return _ordered_operation(expression)
        case Product(factors):
            return Product(tuple(sorted((ordered(factor) for factor in factors), key=_factor_key)))
        case Sum(indices, body):
            return expression if is_size(expression) else _ordered_sum(indices, ordered(body))
        case Add(terms):
            return Add(tuple(sorted((ordered(term) for term in terms), key=_term_key)))
        case _:
            assert_never(expression)


def _factor_key(factor: Expression) -> tuple[bool, str]:
    return not isinstance(factor, Const), text(factor)


def _term_key(term: Expression) -> tuple[bool, str]:
    return isinstance(term, Const), text(term)


def _sorted_position(position: Position) -> Position:
    match position:
        case Affine(terms, offset):
            return Affine(tuple(sorted(terms, key=lambda term: (term[1], term[0]))), offset)
        case Gather(tensor, inner):
            return Gather(tensor, tuple(_sorted_position(p) for p in inner))
        case _:
            return position


def _height(expression: Expression) -> int:
    # The largest number that a sum or an operation inside has given.
    match expression:
        case Sum(indices, _) if not is_size(expression):
            return max(index.serial for index in indices)
        case Op(_, bound, _, arguments, _):
            return max([index.serial for index in bound] + [_height(part) for part in arguments])
        case _:
            return max((_height(part) for part in children(expression)), default=0)


def _numbered(indices: Sequence[Index], height: int) -> dict[Index, Position]:
    return {index: Index(_BOUND, index.dimension, height + k + 1) for k, index in enumerate(indices)}


def _ordered_operation(operation: Op) -> Op:
    arguments = [ordered(argument) for argument in operation.arguments]
    names = _numbered(operation.bound, max((_height(part) for part in arguments), default=0))
    return Op(
        operation.operation,
        tuple(i for i in names.values() if isinstance(i, Index)),
        tuple(_sorted_position(position) for position in operation.out),
        tuple(ordered(substitute(argument, names)) for argument in arguments),
        operation.parameters,
    )


def _ordered_sum(indices: tuple[Index, ...], body: Expression) -> Sum:
    height = _height(body)
    best: tuple[str, Sum] | None = None
    for order in islice(_orders(indices, factors_of(body)), _WAYS):
        names = _numbered(order, height)
        named = ordered(substitute(body, names))
        key = text(named)
        if best is None or key < best[0]:
            bound = tuple(i for i in names.values() if isinstance(i, Index))
            best = (key, Sum(bound, named))
    assert best is not None
    return best[1]


# --- which bound index comes first ------------------------------------------------------------------


def _orders(indices: tuple[Index, ...], factors: Sequence[Expression]) -> Iterator[list[Index]]:
    # The orders that the places of the indices allow; where the places decide there is one.
    if len(indices) == 1:
        yield list(indices)
        return
    colours = {index: dimension_colour(index.dimension) for index in indices}
    yield from _broken(colours, factors)


def _broken(colours: dict[Index, int], factors: Sequence[Expression]) -> Iterator[list[Index]]:
    colours = _refined(colours, factors)
    classes: dict[int, list[Index]] = {}
    for index, colour in colours.items():
        classes.setdefault(colour, []).append(index)
    tied = [(len(members), colour) for colour, members in classes.items() if len(members) > 1]
    if not tied:
        yield sorted(colours, key=colours.__getitem__)
        return
    for member in classes[min(tied)[1]]:
        yield from _broken({**colours, member: hash((colours[member], 1))}, factors)


def _refined(colours: dict[Index, int], factors: Sequence[Expression]) -> dict[Index, int]:
    while len(set(colours.values())) < len(colours):
        finer = {
            index: hash((colours[index], *sorted(_seen(index, colours, f) for f in factors)))
            for index in colours
        }
        if len(set(finer.values())) == len(set(colours.values())):
            break
        colours = finer
    return colours


def _seen(index: Index, colours: Mapping[Index, int], factor: Expression) -> int:
    # The factor as it looks from one of its indices.
    if index not in factor.free:
        return 0

    def colour(other: Index) -> int:
        if other == index:
            return 1
        known = colours.get(other)
        if known is not None:
            return known
        if other.name == _BOUND:
            return dimension_colour(other.dimension)
        return hash((name_colour(other.name), other.serial))

    return signature(factor, colour)


# --- names to read ----------------------------------------------------------------------------------


def lettered(expression: Expression) -> Expression:
    """Bound indices called by letters, as elsewhere, rather than by `#`."""
    match expression:
        case Const() | Ref() | Delta():
            return expression
        case Sum(indices, body):
            if is_size(expression):
                return expression
            names = _letters(indices)
            return Sum(tuple(names.values()), substitute(lettered(body), names))
        case Op(operation, bound, out, arguments, parameters):
            names = _letters(bound)
            inner = tuple(substitute(lettered(argument), names) for argument in arguments)
            return Op(operation, tuple(names.values()), out, inner, parameters)
        case Apply(function, order, arguments):
            return Apply(function, order, tuple(lettered(argument) for argument in arguments))
        case Product(factors):
            return Product(tuple(lettered(factor) for factor in factors))
        case Add(terms):
            return Add(tuple(lettered(term) for term in terms))
        case _:
            assert_never(expression)


def _letters(indices: Sequence[Index]) -> dict[Index, Index]:
    return {
        index: Index(_LETTERS[(index.serial - 1) % len(_LETTERS)], index.dimension, index.serial)
        for index in indices
    }
