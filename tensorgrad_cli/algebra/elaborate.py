"""Tree → expression, in a scope: what a formula means.

A side with index brackets is in index notation (`index_notation`), every other in matrix notation
(`matrix`); a side of numbers and scalars alone fits either. Derivatives are read like entries of a tensor
of their name and listed as asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    Chain,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    references,
    subexpressions,
    substitute,
)
from tensorgrad_cli.algebra.index_notation import read_indexed, scalar
from tensorgrad_cli.algebra.library import Scope, UserFunction
from tensorgrad_cli.algebra.matrix import matrix_value
from tensorgrad_cli.algebra.occurrences import children, is_indexed, place_of, terms_of
from tensorgrad_cli.algebra.ranges import shape_words
from tensorgrad_cli.algebra.reading import LETTERS, Reading, not_yet, shape_text
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.values import Value
from tensorgrad_cli.notation.tree import Call, EquationTree, Indexed, Name, Tree, WrittenSum
from tensorgrad_cli.source import Issue, Source

__all__ = [
    "Elaborated",
    "ElaboratedStep",
    "Side",
    "elaborate_equation",
    "elaborate_expression",
    "elaborate_function",
    "elaborate_step",
]


class Side(Struct, frozen=True):
    """One side: `indices` are its axes in order, `row` a row vector, `matrix` whether in matrix notation."""

    expression: Expression
    indices: tuple[Index, ...]
    row: bool = False
    matrix: bool = False

    @property
    def words(self) -> str:
        """The shape in words: 'a scalar', 'a column of n', 'm×n'."""
        return shape_words((index.dimension for index in self.indices), self.row)


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


ElaboratedStep = tuple[str, str, Equation, tuple[Derivative, ...], Chain, tuple[str, ...], bool]


@contextmanager
def _room() -> Iterator[None]:
    """Room on the stack for formulas nested as deep as the notation allows."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(max(limit, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


# --- equations ------------------------------------------------------------------------------------


def elaborate_equation(tree: EquationTree, scope: Scope, prefix: str = "") -> Elaborated:
    """A claim. Shapes of the two sides that differ are given as `mismatch`, everything else is raised."""
    reading = Reading(scope, prefix)
    with _room():
        if is_indexed(tree.left) or is_indexed(tree.right):
            return _indexed_equation(reading, tree)
        return _matrix_equation(reading, tree)


def _indexed_equation(reading: Reading, tree: EquationTree) -> Elaborated:
    env = _free_of(reading, tree.left) if is_indexed(tree.left) else {}
    left = _indexed_side(reading, tree.left, env, "left")
    right = _indexed_side(reading, tree.right, env, "right")
    if not is_number(right):
        _check_twice(reading, tree, env)
    _remark_repeated(reading, tree.left, env)
    _remark_repeated(reading, tree.right, env)
    free = tuple(reading.ranges.index(index) for index in env.values())
    return _elaborated(
        reading,
        Side(reading.ranges.resolved(left), free, matrix=not is_indexed(tree.left)),
        Side(reading.ranges.resolved(right), free, matrix=not is_indexed(tree.right)),
        free,
    )


def _free_of(reading: Reading, tree: Tree) -> dict[str, Index]:
    return {name: reading.ranges.free(name, place_of(tree, name)) for name in reading.sums.standing(tree)}


def _indexed_side(reading: Reading, tree: Tree, env: dict[str, Index], which: str) -> Expression:
    """A side of a line in index notation; without brackets of its own it must be a scalar."""
    if is_indexed(tree):
        return read_indexed(reading, tree, env)
    value = matrix_value(reading, tree)
    if not value.axes:
        return value.expression
    if isinstance(tree, Name):
        return scalar(reading, tree)
    words = reading.ranges.words(value.axes, value.row)
    letters = ",".join([*env, *(x for x in LETTERS if x not in env)][: len(value.axes)])
    raise Issue(
        "mixed-notation",
        tree.span,
        f"the {which} side, {tree.span.text}, is {words} in matrix notation, the other side carries indices",
        f"write ({tree.span.text})[{letters}], or both sides without indices",
    )


def is_number(expression: Expression) -> bool:
    """Whether an expression is made of numbers and sizes alone."""
    return not references(expression) and not any(
        isinstance(part, Op) or part.free for part in subexpressions(expression)
    )


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
            f"write sum[{name}] {tree.left.span.text} where it is to be summed",
        )


def _remark_repeated(reading: Reading, tree: Tree, env: Mapping[str, Index]) -> None:
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


def _matrix_equation(reading: Reading, tree: EquationTree) -> Elaborated:
    left, right = matrix_value(reading, tree.left), matrix_value(reading, tree.right)
    if _same_shape(reading, left, right):
        axes = left.axes
    elif left.axes and is_number(right.expression):
        axes, right = left.axes, _filled(right, left)
    elif right.axes and is_number(left.expression):
        axes, left = right.axes, _filled(left, right)
    else:
        return _mismatch(reading, left, right)
    free = _named(reading, axes)
    return _elaborated(reading, _side(reading, left, free), _side(reading, right, free), free)


def _same_shape(reading: Reading, a: Value, b: Value) -> bool:
    if a.rank != b.rank or (a.rank == 1 and a.row != b.row):
        return False
    return reading.ranges.same(tuple((x.dimension, y.dimension) for x, y in zip(a.axes, b.axes, strict=True)))


def _filled(number: Value, tensor: Value) -> Value:
    """A number as the tensor filled with it."""
    return Value(number.expression, tensor.axes, number.span, tensor.row, number=True)


def _named(reading: Reading, axes: Sequence[Index]) -> tuple[Index, ...]:
    """Free indices for the axes that matrix notation leaves unnamed."""
    return tuple(
        Index(LETTERS[k % len(LETTERS)], reading.ranges.dimension(axis.dimension))
        for k, axis in enumerate(axes)
    )


def _side(reading: Reading, value: Value, free: tuple[Index, ...]) -> Side:
    named = substitute(value.expression, dict(zip(value.axes, free, strict=True)))
    return Side(reading.ranges.resolved(named), free, value.row, matrix=True)


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
            _side(reading, left, _named(reading, left.axes)),
            _side(reading, right, _named(reading, right.axes)),
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
    with _room():
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
        return _side(reading, value, _named(reading, value.axes))
    env = _free_of(reading, tree)
    expression = read_indexed(reading, tree, env)
    _remark_repeated(reading, tree, env)
    return Side(reading.ranges.resolved(expression), tuple(map(reading.ranges.index, env.values())))


def _line(reading: Reading, tree: Tree, free: tuple[Index, ...], matrix: bool) -> Side:
    env = {index.name: index for index in free}
    if not matrix or not free:
        expression = _indexed_side(reading, tree, env, "right")
        _remark_repeated(reading, tree, env)
        return Side(reading.ranges.resolved(expression), free, matrix=not is_indexed(tree))
    if is_indexed(tree):
        raise Issue(
            "mixed-notation",
            tree.span,
            "this line carries indices, and the start is in matrix notation without any",
            "write the whole derivation with indices, or none of it",
        )
    value = matrix_value(reading, tree)
    if not value.axes and is_number(value.expression):
        return Side(reading.ranges.resolved(value.expression), free, matrix=True)
    like_start = Value(value.expression, free, value.span, value.row)
    if _same_shape(reading, value, like_start):
        return _side(reading, value, free)
    return _side(reading, value, _named(reading, value.axes))


def elaborate_step(
    tree: EquationTree, scope: Scope, shape: Sequence[Dimension] | None = None, prefix: str = ""
) -> ElaboratedStep:
    """A line of a chain, `z[i,j] = …` or `y = …`, with a declared `shape` where it has one.

    Gives the name, its spelling, the equation, the derivatives that the right side asks for, definitions,
    remarks, and whether it was written in matrix notation. Raises on any mismatch.
    """
    name, places = _left_of(tree.left)
    reading = Reading(scope, prefix)
    with _room():
        if places is not None or is_indexed(tree.right):
            equation = _indexed_step(reading, tree, name, places or (), shape)
        else:
            equation = _matrix_step(reading, tree, name, shape)
        return (
            name.text,
            name.span.text,
            equation,
            tuple(reading.derivatives.values()),
            reading.resolved_definitions(),
            tuple(reading.remarks),
            places is None and not is_indexed(tree.right),
        )


def _left_of(tree: Tree) -> tuple[Name, tuple[Name, ...] | None]:
    """The name on a step's left side and its indices, None without brackets."""
    if isinstance(tree, Name):
        return tree, None
    if not isinstance(tree, Indexed) or not isinstance(tree.base, Name):
        raise Issue(
            "step", tree.span, f"a step defines a name; {tree.span.text} is none", "write name[i,j] = …"
        )
    places: list[Name] = []
    for place in tree.positions:
        if not isinstance(place, Name):
            raise not_yet(tree.span, "a step at a position that is not a plain index")
        if any(place.text == other.text for other in places):
            raise Issue(
                "repeated-index",
                place.span,
                f"the index {place.span.text} stands twice on the left side of a step",
                "use two indices, and delta[i,j] on the right side for a diagonal",
            )
        places.append(place)
    return tree.base, tuple(places)


def _indexed_step(
    reading: Reading,
    tree: EquationTree,
    name: Name,
    places: Sequence[Name],
    shape: Sequence[Dimension] | None,
) -> Equation:
    env = {place.text: reading.ranges.free(place.text, place.span) for place in places}
    if shape is not None:
        if len(shape) != len(places):
            raise Issue(
                "wrong-rank",
                tree.left.span,
                f"{tree.left.span.text} has {len(places)} indices, its declared shape is {shape_text(shape)}",
            )
        for place, dimension in zip(places, shape, strict=True):
            reading.ranges.meet(env[place.text], dimension, place.span)
    _check_self(reading, tree, name)
    expression = _indexed_side(reading, tree.right, env, "right")
    _remark_repeated(reading, tree.right, env)
    indices = tuple(reading.ranges.index(index) for index in env.values())
    return Equation(name.text, indices, reading.ranges.resolved(expression))


def _check_self(reading: Reading, tree: EquationTree, name: Name) -> None:
    """A step that refers to itself: at earlier positions it is a sequence, else it has no meaning."""

    def visit(part: Tree) -> None:
        if isinstance(part, Name) and part.text == name.text:
            raise Issue(
                "self-reference",
                part.span,
                f"{name.span.text} refers to itself: a step refers to tensors and earlier steps only",
            )
        if isinstance(part, Indexed) and isinstance(part.base, Name):
            if part.base.text == name.text:
                if all(isinstance(place, Name) for place in part.positions):
                    visit(part.base)
                raise not_yet(part.span, "a step that refers to itself at other positions")
            return
        for inner in children(part):
            visit(inner)

    if reading.scope.shape(name.text) is None and name.text not in reading.scope.dimensions:
        visit(tree.right)


def _matrix_step(
    reading: Reading, tree: EquationTree, name: Name, shape: Sequence[Dimension] | None
) -> Equation:
    _check_self(reading, tree, name)
    value = matrix_value(reading, tree.right)
    if shape is not None:
        wanted = tuple(Index("i", dimension) for dimension in shape)
        like = Value(value.expression, wanted, tree.left.span, value.row)
        if not value.axes and is_number(value.expression):
            value = _filled(value, like)
        elif not _same_shape(reading, value, like):
            words = reading.ranges.words(value.axes, value.row)
            raise Issue(
                "shape-mismatch",
                tree.right.span,
                f"{tree.right.span.text} is {words}, {name.span.text} is declared {shape_text(shape)}",
            )
    if value.row:
        reading.remark(f"{tree.right.span.text} is a row; as a vector {name.span.text} is a column")
    free = _named(reading, value.axes)
    return Equation(name.text, free, _side(reading, value, free).expression)


# --- functions ------------------------------------------------------------------------------------


def elaborate_function(source: Source, scope: Scope) -> UserFunction:
    """A function that a spec defines: `C(u, t) = (u - t)^2 / 2`. Its body may use its parameters, numbers,
    sizes and functions defined before, but no tensors. Raises an Issue."""
    from tensorgrad_cli.notation.parse import parse_definition

    head, parameters, tree = parse_definition(source, scope.vocabulary)
    names = tuple(parameter.text for parameter in parameters)
    own = Scope(
        tensors={name: Tensor(name, ()) for name in names},
        dimensions=scope.dimensions,
        abstract={k: v for k, v in scope.abstract.items() if k not in names and k != head.text},
        defined={k: v for k, v in scope.defined.items() if k not in names},
        spellings=scope.spellings,
    )
    reading = Reading(own)
    with _room():
        if is_indexed(tree):
            raise Issue(
                "function-body",
                tree.span,
                "a function is of scalars: its body carries no indices",
                "functions act entry by entry; write the operation as a step of the chain",
            )
        body = reading.ranges.resolved(matrix_value(reading, tree).expression)
    if reading.derivatives:
        raise Issue("function-body", tree.span, "a function's body holds no derivatives of tensors")
    return UserFunction(head.text, names, body, source)
