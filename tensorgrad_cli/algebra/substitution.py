"""Indices replaced by positions, and bound indices renamed to fresh ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    ONE,
    ZERO,
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
    fresh,
)
from tensorgrad_cli.algebra.walking import mapped

__all__ = ["freshened", "substitute", "substitute_all"]


def _moved(position: Position, replacement: Mapping[Index, Position]) -> Position:
    match position:
        case Index():
            return replacement.get(position, position)
        case int():
            return position
        case Affine(terms, offset):
            return _moved_affine(terms, offset, replacement)
        case Gather(tensor, inner):
            return Gather(tensor, tuple(_moved(p, replacement) for p in inner))
        case _:
            assert_never(position)


def _moved_affine(
    terms: tuple[tuple[int, Index], ...],
    offset: int,
    replacement: Mapping[Index, Position],
) -> Position:
    gathered: dict[Index, int] = {}
    for coefficient, index in terms:
        target = replacement.get(index, index)
        match target:
            case Index():
                gathered[target] = gathered.get(target, 0) + coefficient
            case int():
                offset += coefficient * target
            case Affine(inner, shift):
                offset += coefficient * shift
                for inner_coefficient, inner_index in inner:
                    gathered[inner_index] = gathered.get(inner_index, 0) + coefficient * inner_coefficient
            case Gather():
                raise ValueError("a gathered position inside an affine one")
            case _:
                assert_never(target)
    kept = tuple((c, i) for i, c in gathered.items() if c)
    if not kept:
        return offset
    if offset == 0 and len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    return Affine(kept, offset)


def substitute(expression: Expression, replacement: Mapping[Index, Position]) -> Expression:
    """The expression with free indices replaced by positions; bound ones are left as they are."""
    return _substituted(expression, replacement, {}) if replacement else expression


def substitute_all(
    expressions: Iterable[Expression], replacement: Mapping[Index, Position]
) -> list[Expression]:
    """The same of several expressions: what stands in more than one of them is done once."""
    done: _Done = {}
    return [_substituted(expression, replacement, done) for expression in expressions]


# By identity, what was done before to the parts of one expression: it stands in many places what a product
# rule reads again and again.
_Done = dict[int, Expression]


def _substituted(expression: Expression, replacement: Mapping[Index, Position], done: _Done) -> Expression:
    if expression.free.isdisjoint(replacement):
        return expression
    known = done.get(id(expression))
    if known is None:
        known = done[id(expression)] = _substituted_anew(expression, replacement, done)
    return known


def _substituted_anew(
    expression: Expression, replacement: Mapping[Index, Position], done: _Done
) -> Expression:
    match expression:
        case Ref(tensor, indices):
            return Ref(tensor, tuple([_moved(position, replacement) for position in indices]))
        case Const():
            return expression
        case Delta(left, right):
            a, b = _moved(left, replacement), _moved(right, replacement)
            if a == b:
                return ONE
            if isinstance(a, int) and isinstance(b, int):
                return ZERO
            return Delta(a, b)
        case Op(operation, bound, out, arguments, parameters):
            return Op(
                operation,
                bound,
                tuple(_moved(position, replacement) for position in out),
                tuple(_substituted(argument, replacement, done) for argument in arguments),
                parameters,
            )
        case Apply() | Product() | Sum() | Add():
            return mapped(expression, lambda part: _substituted(part, replacement, done))
        case _:
            assert_never(expression)


def freshened(expression: Expression) -> Expression:
    """The same expression with every bound index renamed to a fresh one (sizes are left alone).

    What is one object within it stays one: sums beside one another may share their indices.
    """
    return _freshened(expression, {})


def _freshened(expression: Expression, done: _Done) -> Expression:
    known = done.get(id(expression))
    if known is None:
        known = done[id(expression)] = _freshened_anew(expression, done)
    return known


def _freshened_anew(expression: Expression, done: _Done) -> Expression:
    match expression:
        case Const() | Ref() | Delta():
            return expression
        case Sum(indices, body):
            if all(index.serial < 0 for index in indices):
                return expression
            renamed = {index: fresh(index) for index in indices}
            return Sum(tuple(renamed.values()), substitute(_freshened(body, done), renamed))
        case Op(operation, bound, out, arguments, parameters):
            renamed = {index: fresh(index) for index in bound}
            return Op(
                operation,
                tuple(renamed.values()),
                out,
                tuple(substitute(_freshened(argument, done), renamed) for argument in arguments),
                parameters,
            )
        case Apply() | Product() | Add():
            return mapped(expression, lambda part: _freshened(part, done))
        case _:
            assert_never(expression)
