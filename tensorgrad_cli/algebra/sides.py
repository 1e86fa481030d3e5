"""One side of an equation as read, and the questions that equations, lines and steps ask of a side."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tensorgrad_cli.algebra.expression import Expression, Index, Op
from tensorgrad_cli.algebra.index_notation import read_side
from tensorgrad_cli.algebra.matrix import matrix_value
from tensorgrad_cli.algebra.occurrences import children, is_indexed, terms_of
from tensorgrad_cli.algebra.offers import offer_brackets
from tensorgrad_cli.algebra.reading import LETTERS, Reading
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.values import Value
from tensorgrad_cli.algebra.walking import occurring, references
from tensorgrad_cli.notation.tree import Call, Indexed, Name, Tree, WrittenSum
from tensorgrad_cli.source import Issue

__all__ = [
    "filled",
    "indexed_side",
    "is_number",
    "matrix_side",
    "named",
    "remark_repeated",
    "room",
    "same_shape",
]


@contextmanager
def room() -> Iterator[None]:
    """Room on the stack for formulas nested as deep as the notation allows."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def indexed_side(reading: Reading, tree: Tree, env: dict[str, Index], which: str) -> Expression:
    """A side of a line in index notation; without brackets of its own it must be a scalar."""
    if is_indexed(tree):
        return read_side(reading, tree, env)
    value = matrix_value(reading, tree)
    if not value.axes:
        return value.expression
    words = reading.ranges.words(value.axes, value.row)
    raise Issue(
        "mixed-notation",
        tree.span,
        f"{which}, {tree.span.text}, is {words} in matrix notation, and the equation carries indices",
        f"{offer_brackets(reading, tree, value.rank)}, or all of the equation without indices",
    )


def is_number(expression: Expression) -> bool:
    """Whether an expression is made of numbers and sizes alone."""
    return not references(expression) and not any(
        isinstance(part, Op) or part.free for part in occurring(expression)
    )


def remark_repeated(reading: Reading, tree: Tree, env: Mapping[str, Index]) -> None:
    """A summand that lacks a free index is repeated along it; of numbers that goes without saying."""
    for term in terms_of(tree):
        stands = reading.sums.standing(term)
        lacking = [name for name in env if name not in stands]
        if lacking and not _numbers_alone(reading, term):
            names = " and ".join(lacking)
            reading.remark(f"{term.span.text} has no {names} and is repeated along {names}")


def _numbers_alone(reading: Reading, tree: Tree) -> bool:
    match tree:
        case Name(text):
            return reading.scope.shape(text) is None
        case Indexed() | WrittenSum():
            return False
        case Call(function) if reading.is_function(function.text):
            return False
        case _:
            return all(_numbers_alone(reading, part) for part in children(tree))


def same_shape(reading: Reading, a: Value, b: Value) -> bool:
    if a.rank != b.rank or (a.rank == 1 and a.row != b.row):
        return False
    return reading.ranges.same(tuple((x.dimension, y.dimension) for x, y in zip(a.axes, b.axes, strict=True)))


def filled(number: Value, tensor: Value) -> Value:
    """A number as the tensor filled with it."""
    return Value(number.expression, tensor.axes, number.span, tensor.row, number=True)


def named(reading: Reading, axes: Sequence[Index]) -> tuple[Index, ...]:
    """Free indices for the axes that matrix notation leaves unnamed."""
    return tuple(
        Index(LETTERS[k % len(LETTERS)], reading.ranges.dimension(axis.dimension))
        for k, axis in enumerate(axes)
    )


def matrix_side(reading: Reading, value: Value, free: tuple[Index, ...]) -> Side:
    named = substitute(value.expression, dict(zip(value.axes, free, strict=True)))
    return Side(reading.ranges.resolved(named), free, value.row, matrix=True)
