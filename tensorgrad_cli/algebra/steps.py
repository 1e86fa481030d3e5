"""Steps of a chain and functions of a spec: equations that define a name."""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad_cli.algebra.expression import Chain, Derivative, Dimension, Equation, Index
from tensorgrad_cli.algebra.library import Scope, UserFunction
from tensorgrad_cli.algebra.matrix import matrix_value
from tensorgrad_cli.algebra.occurrences import children, is_indexed
from tensorgrad_cli.algebra.reading import Reading, shape_text
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
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.values import Value
from tensorgrad_cli.notation.later import not_yet
from tensorgrad_cli.notation.tree import EquationTree, Indexed, Name, Tree
from tensorgrad_cli.source import Issue, Source

__all__ = ["ElaboratedStep", "elaborate_function", "elaborate_step"]

ElaboratedStep = tuple[str, str, Equation, tuple[Derivative, ...], Chain, tuple[str, ...], bool]


def elaborate_step(
    tree: EquationTree, scope: Scope, shape: Sequence[Dimension] | None = None, prefix: str = ""
) -> ElaboratedStep:
    """A line of a chain, `z[i,j] = …` or `y = …`, with a declared `shape` where it has one.

    Gives the name, its spelling, the equation, the derivatives that the right side asks for, definitions,
    remarks, and whether it was written in matrix notation. Raises on any mismatch.
    """
    name, places = _left_of(tree.left)
    reading = Reading(scope, prefix)
    with room():
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
    expression = indexed_side(reading, tree.right, env, "the right side")
    remark_repeated(reading, tree.right, env)
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
            value = filled(value, like)
        elif not same_shape(reading, value, like):
            words = reading.ranges.words(value.axes, value.row)
            raise Issue(
                "shape-mismatch",
                tree.right.span,
                f"{tree.right.span.text} is {words}, {name.span.text} is declared {shape_text(shape)}",
            )
    if value.row:
        reading.remark(f"{tree.right.span.text} is a row; as a vector {name.span.text} is a column")
    free = named(reading, value.axes)
    return Equation(name.text, free, matrix_side(reading, value, free).expression)


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
    with room():
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
