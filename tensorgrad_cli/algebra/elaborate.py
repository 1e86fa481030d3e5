"""Tree → expression, in a scope: what a formula means.

A side with index brackets is in index notation (`index_notation`), every other in matrix notation
(`matrix`); a side of numbers and scalars alone fits either. Derivatives are read like entries of a tensor
of their name and listed as asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import Chain, Derivative, Index
from tensorgrad_cli.algebra.index_notation import read_side
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.matrix import matrix_value
from tensorgrad_cli.algebra.occurrences import is_indexed, place_of
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.sides import (
    filled,
    indexed_side,
    is_number,
    matrix_side,
    named,
    remark_repeated,
    room,
    same_shape,
)
from tensorgrad_cli.algebra.steps import ElaboratedStep, elaborate_function, elaborate_step
from tensorgrad_cli.algebra.values import Value
from tensorgrad_cli.notation.tree import EquationTree, Tree
from tensorgrad_cli.source import Issue

__all__ = [
    "Elaborated",
    "ElaboratedStep",
    "elaborate_equation",
    "elaborate_expression",
    "elaborate_function",
    "elaborate_step",
]


class Elaborated(Struct, frozen=True):
    """An equation as read. Without `mismatch` both sides have the free indices `free`, of serial 0.

    `derivatives` are those it asks for, `definitions` the equations of expressions under a ∂, `remarks`
    sentences for the report. `mismatch` says that the shapes of the sides differ; each has its own then.
    """

    left: Side
    right: Side
    free: tuple[Index, ...]
    derivatives: tuple[Derivative, ...]
    definitions: Chain
    remarks: tuple[str, ...]
    mismatch: Issue | None = None


# --- equations ------------------------------------------------------------------------------------


def elaborate_equation(tree: EquationTree, scope: Scope, prefix: str = "") -> Elaborated:
    """A claim. Shapes of the two sides that differ are given as `mismatch`, everything else is raised."""
    reading = Reading(scope, prefix)
    with room():
        if is_indexed(tree.left) or is_indexed(tree.right):
            return _indexed_equation(reading, tree)
        return _matrix_equation(reading, tree)


def _indexed_equation(reading: Reading, tree: EquationTree) -> Elaborated:
    env = _free_of(reading, tree.left) if is_indexed(tree.left) else {}
    left = indexed_side(reading, tree.left, env, "the left side")
    right = indexed_side(reading, tree.right, env, "the right side")
    if not is_number(right):
        _check_twice(reading, tree, env)
    remark_repeated(reading, tree.left, env)
    remark_repeated(reading, tree.right, env)
    free = tuple(reading.ranges.index(index) for index in env.values())
    return _elaborated(
        reading,
        Side(reading.ranges.resolved(left), free, matrix=not is_indexed(tree.left)),
        Side(reading.ranges.resolved(right), free, matrix=not is_indexed(tree.right)),
        free,
    )


def _free_of(reading: Reading, tree: Tree) -> dict[str, Index]:
    return {name: reading.ranges.free(name, place_of(tree, name)) for name in reading.sums.standing(tree)}


def _check_twice(reading: Reading, tree: EquationTree, env: Mapping[str, Index]) -> None:
    right = reading.sums.standing(tree.right)
    for name, count in reading.sums.standing(tree.left).items():
        if count < 2 or name in right or name not in env:
            continue
        raise Issue(
            "index-twice",
            place_of(tree.left, name),
            f"the index {name} stands {count} times on the left side and nowhere on the right: "
            "on a left side nothing is summed unless written",
            f"write sum[{name}] {reading.sums.summing(tree.left, name).span.text} where it is to be summed",
        )


def _matrix_equation(reading: Reading, tree: EquationTree) -> Elaborated:
    left, right = matrix_value(reading, tree.left), matrix_value(reading, tree.right)
    if same_shape(reading, left, right):
        axes = left.axes
    elif left.axes and is_number(right.expression):
        axes, right = left.axes, filled(right, left)
    elif right.axes and is_number(left.expression):
        axes, left = right.axes, filled(left, right)
    else:
        return _mismatch(reading, left, right)
    free = named(reading, axes)
    return _elaborated(reading, matrix_side(reading, left, free), matrix_side(reading, right, free), free)


def _mismatch(reading: Reading, left: Value, right: Value) -> Elaborated:
    words = reading.ranges.words(left.axes, left.row), reading.ranges.words(right.axes, right.row)
    help = None
    if not left.axes or not right.axes:
        help = "the two sides of an equation never broadcast; only a number stands for a filled tensor"
    issue = Issue(
        "shape-mismatch",
        right.span,
        f"the left side, {left.text}, is {words[0]}, the right side, {right.text}, is {words[1]}",
        help,
        ((left.span, words[0]), (right.span, words[1])),
    )
    try:
        sides = (
            matrix_side(reading, left, named(reading, left.axes)),
            matrix_side(reading, right, named(reading, right.axes)),
        )
    except Issue as unknown:
        if unknown.code != "no-range":
            raise
        raise issue from None
    elaborated = _elaborated(reading, *sides, ())
    return replace(elaborated, mismatch=issue)


def _elaborated(reading: Reading, left: Side, right: Side, free: tuple[Index, ...]) -> Elaborated:
    return Elaborated(
        left,
        right,
        free,
        tuple(reading.derivatives.values()),
        reading.resolved_definitions(),
        tuple(reading.remarks),
    )


# --- lines and steps ------------------------------------------------------------------------------


def elaborate_expression(
    tree: Tree,
    scope: Scope,
    free: tuple[Index, ...] | None = None,
    matrix: bool | None = None,
    prefix: str = "",
) -> tuple[Side, tuple[Derivative, ...], Chain, tuple[str, ...]]:
    """A derivation's start (`free` None: its own indices are free) or a line of it (`free` are the start's).

    `matrix` says that the start is in matrix notation: a line's axes are then given the names in `free`
    where the shapes meet; where they don't, the side has indices of its own, and `row` is to be compared.
    """
    reading = Reading(scope, prefix)
    with room():
        side = _start(reading, tree) if free is None else _line(reading, tree, free, bool(matrix))
        return (
            side,
            tuple(reading.derivatives.values()),
            reading.resolved_definitions(),
            tuple(reading.remarks),
        )


def _start(reading: Reading, tree: Tree) -> Side:
    if not is_indexed(tree):
        value = matrix_value(reading, tree)
        return matrix_side(reading, value, named(reading, value.axes))
    env = _free_of(reading, tree)
    expression = read_side(reading, tree, env)
    remark_repeated(reading, tree, env)
    return Side(reading.ranges.resolved(expression), tuple(map(reading.ranges.index, env.values())))


def _line(reading: Reading, tree: Tree, free: tuple[Index, ...], matrix: bool) -> Side:
    indexed = is_indexed(tree)
    if indexed and matrix and free:
        raise Issue(
            "mixed-notation",
            tree.span,
            "this line carries indices, and the start is in matrix notation without any",
            "write the whole derivation with indices, or none of it",
        )
    if indexed or not matrix:
        env = {index.name: index for index in free}
        expression = indexed_side(reading, tree, env, "this line")
        remark_repeated(reading, tree, env)
        return Side(reading.ranges.resolved(expression), free, matrix=not indexed)
    value = matrix_value(reading, tree)
    if not value.axes and is_number(value.expression):
        return Side(reading.ranges.resolved(value.expression), free, matrix=True)
    like_start = Value(value.expression, free, value.span, value.row)
    if same_shape(reading, value, like_start):
        return matrix_side(reading, value, free)
    return matrix_side(reading, value, named(reading, value.axes))
