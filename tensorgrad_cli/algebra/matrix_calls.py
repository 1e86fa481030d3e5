"""Calls in matrix notation: functions entry by entry, reductions with axis=, and the operations on matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

from tensorgrad_cli.algebra.expression import Apply, Delta, Index, Op, fresh, multiply, summation
from tensorgrad_cli.algebra.index_operations import along, number_of, parameters_of, reduced
from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.algebra.occurrences import ALONG
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.values import Value, axes_of, entrywise, shapes_do_not_meet
from tensorgrad_cli.notation.later import not_yet
from tensorgrad_cli.notation.tree import Call, Name
from tensorgrad_cli.source import Issue, Span

__all__ = ["inverse", "kron", "matrix_call", "norm_of"]


def matrix_call(reading: Reading, tree: Call, arguments: Sequence[Value]) -> Value:
    """A call without index brackets of values in matrix notation."""
    name = tree.function.text
    kind = None if reading.is_function(name) else BUILTINS.get(name)
    if kind == "operation" and not (name in ("max", "min") and len(arguments) == 2):
        return _operation(reading, tree, arguments)
    if kind == "matrix":
        return _on_matrices(reading, tree, arguments)
    function, order = reading.function(tree)
    expressions, axes, row = entrywise(reading, arguments, tree.function.span.text, tree.span)
    number = not reading.is_function(name) and all(argument.number for argument in arguments)
    return Value(Apply(function, order, expressions), axes, tree.span, row, number)


# --- operations along axes ------------------------------------------------------------------------


def _operation(reading: Reading, tree: Call, arguments: Sequence[Value]) -> Value:
    name, written = tree.function.text, tree.function.span.text
    _count(tree, arguments, 1)
    if tree.primes or tree.partials:
        raise Issue("arguments", tree.span, f"{written} has no primed form")
    (argument,) = arguments
    axes, keep = _axes(reading, tree, argument)
    parameters = parameters_of(tree, name, ("axis", "keepdims"))
    if name in ALONG:
        if not axes and argument.rank != 1:
            raise Issue(
                "axis",
                tree.span,
                f"{written} of {reading.ranges.words(argument.axes)} needs to say along which axis",
                f"write {written}({argument.text}, axis={max(argument.rank - 1, 0)})",
            )
        over = axes or argument.axes
        inner = {axis: fresh(axis) for axis in over}
        value = along(name, tuple(inner.values()), over, substitute(argument.expression, inner))
        return Value(value, argument.axes, tree.span, argument.row)
    if name == "norm" and not axes:
        return norm_of(argument, parameters, tree.span)
    over = axes or argument.axes
    if not over and name in ("var", "std"):
        raise Issue("rank", tree.span, f"{written} wants a tensor, {argument.text} is a scalar")
    value = reduced(name, over, argument.expression, parameters) if over else argument.expression
    left = tuple(axis for axis in argument.axes if axis not in over)
    if keep:
        raise not_yet(tree.span, "keepdims")
    return Value(value, left, tree.span)


def _axes(reading: Reading, tree: Call, argument: Value) -> tuple[tuple[Index, ...], bool]:
    chosen: list[Index] = []
    keep = False
    for key, value in tree.keywords:
        if key.text == "keepdims":
            keep = not (isinstance(value, Name) and value.text in ("False", "false"))
        if key.text != "axis":
            continue
        number = number_of(value)
        if number is None or number.denominator != 1:
            raise Issue("axis", value.span, "axis= wants a whole number")
        if not -argument.rank <= number < argument.rank:
            shape = reading.ranges.words(argument.axes, argument.row)
            raise Issue(
                "axis",
                value.span,
                f"{argument.text} is {shape}: it has no axis {number}",
                f"its axes are 0 to {argument.rank - 1}" if argument.rank else None,
            )
        chosen.append(argument.axes[int(number)])
        reading.remark(f"{tree.span.text}: axes count from 0, as in NumPy")
    return tuple(chosen), keep


def norm_of(value: Value, parameters: tuple[tuple[str, Fraction], ...], span: Span) -> Value:
    """The root of the sum of squares of all entries; of a vector also another p."""
    if value.rank > 1 and parameters:
        raise Issue(
            "norm",
            span,
            f"{span.text}: of a matrix only the root of the sum of squares is known",
            "leave p= out",
        )
    if not value.axes:
        return Value(Apply("abs", (0,), (value.expression,)), (), span, number=value.number)
    expression = reduced("norm", value.axes, value.expression, parameters)
    return Value(expression, (), span)


# --- operations on matrices -----------------------------------------------------------------------


def _count(tree: Call, arguments: Sequence[Value], wanted: int) -> None:
    if len(arguments) != wanted:
        word = "argument" if wanted == 1 else "arguments"
        here = "is" if len(arguments) == 1 else "are"
        raise Issue(
            "arguments",
            tree.span,
            f"{tree.function.span.text} takes {wanted} {word}, here {here} {len(arguments)}",
        )


def _square(reading: Reading, value: Value, what: str, span: Span) -> None:
    """Raises `shape-mismatch` unless the value is a matrix with one dimension twice."""
    if value.rank == 2 and reading.ranges.same(((value.axes[0].dimension, value.axes[1].dimension),)):
        return
    shape = reading.ranges.words(value.axes, value.row)
    raise Issue(
        "shape-mismatch",
        span,
        f"{what} wants a matrix with one dimension twice, {value.text} is {shape}",
        None,
        ((value.span, shape),),
    )


def inverse(reading: Reading, value: Value, span: Span) -> Value:
    """The inverse of a square matrix."""
    _square(reading, value, "an inverse", span)
    out = tuple(fresh(axis) for axis in value.axes)
    return Value(Op("inv", value.axes, out, (value.expression,)), out, span)


def _inverse(reading: Reading, tree: Call, value: Value) -> Value:
    return inverse(reading, value, tree.span)


def _determinant(reading: Reading, tree: Call, value: Value) -> Value:
    _square(reading, value, tree.function.span.text, tree.span)
    return Value(Op(tree.function.text, value.axes, (), (value.expression,)), (), tree.span)


def _trace(reading: Reading, tree: Call, value: Value) -> Value:
    _square(reading, value, "tr", tree.span)
    row, column = value.axes
    return Value(summation((row,), substitute(value.expression, {column: row})), (), tree.span)


def _transpose(reading: Reading, tree: Call, value: Value) -> Value:
    if value.rank == 1:
        return Value(value.expression, value.axes, tree.span, not value.row)
    if value.rank == 2:
        return Value(value.expression, value.axes[::-1], tree.span)
    shape = reading.ranges.words(value.axes)
    raise Issue("rank", tree.span, f"transpose wants a vector or a matrix, {value.text} is {shape}")


def _diagonal(reading: Reading, tree: Call, value: Value) -> Value:
    """The matrix with a vector on its diagonal, or the diagonal of a matrix."""
    if value.rank == 1:
        (axis,) = value.axes
        other = fresh(axis)
        return Value(multiply(Delta(axis, other), value.expression), (axis, other), tree.span)
    _square(reading, value, "diag", tree.span)
    row, column = value.axes
    return Value(substitute(value.expression, {column: row}), (row,), tree.span)


def _vec(reading: Reading, tree: Call, value: Value) -> Value:
    if value.rank == 1:
        return Value(value.expression, value.axes, tree.span)
    if value.rank != 2:
        shape = reading.ranges.words(value.axes)
        raise Issue("rank", tree.span, f"vec stacks the columns of a matrix, {value.text} is {shape}")
    rows, columns = (axis.dimension for axis in value.axes)
    (out,) = axes_of((reading.ranges.product(rows, columns, tree.span),))
    return Value(Op("vec", value.axes, (out,), (value.expression,)), (out,), tree.span)


def _outer(reading: Reading, tree: Call, a: Value, b: Value) -> Value:
    if a.rank != 1 or b.rank != 1:
        raise shapes_do_not_meet(reading, a, b, "outer wants two vectors")
    return Value(multiply(a.expression, b.expression), (*a.axes, *b.axes), tree.span)


def _inner(reading: Reading, tree: Call, a: Value, b: Value) -> Value:
    """tr(Aᵀ B): the sum of the products of the entries."""
    pairs = tuple((x.dimension, y.dimension) for x, y in zip(a.axes, b.axes, strict=False))
    if a.rank != b.rank or not reading.ranges.same(pairs):
        raise shapes_do_not_meet(reading, a, b, "inner wants two of one shape")
    other = substitute(b.expression, dict(zip(b.axes, a.axes, strict=True)))
    return Value(summation(a.axes, multiply(a.expression, other)), (), tree.span)


def _kron(reading: Reading, tree: Call, a: Value, b: Value) -> Value:
    value = kron(reading, a, b)
    return Value(value.expression, value.axes, tree.span)


def kron(reading: Reading, a: Value, b: Value) -> Value:
    """The Kronecker product of two matrices; its dimensions are products."""
    if a.rank != 2 or b.rank != 2:
        raise shapes_do_not_meet(reading, a, b, "kron wants two matrices")
    span = a.span.to(b.span)
    pairs = zip(a.axes, b.axes, strict=True)
    out = axes_of(tuple(reading.ranges.product(x.dimension, y.dimension, span) for x, y in pairs))
    value = Op("kron", (*a.axes, *b.axes), out, (a.expression, b.expression))
    return Value(value, out, span)


_ONE: Mapping[str, Callable[[Reading, Call, Value], Value]] = {
    "tr": _trace,
    "transpose": _transpose,
    "diag": _diagonal,
    "inv": _inverse,
    "det": _determinant,
    "logdet": _determinant,
    "vec": _vec,
}
_TWO: Mapping[str, Callable[[Reading, Call, Value, Value], Value]] = {
    "outer": _outer,
    "inner": _inner,
    "kron": _kron,
}


def _on_matrices(reading: Reading, tree: Call, arguments: Sequence[Value]) -> Value:
    name = tree.function.text
    parameters_of(tree, name, ())
    if name in _ONE:
        _count(tree, arguments, 1)
        return _ONE[name](reading, tree, arguments[0])
    if name in _TWO:
        _count(tree, arguments, 2)
        return _TWO[name](reading, tree, arguments[0], arguments[1])
    raise not_yet(tree.span, f"{tree.function.span.text}")
