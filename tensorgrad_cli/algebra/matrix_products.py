"""The products of matrix notation: juxtaposition and @, entry by entry, division, and ⊗."""

from __future__ import annotations

from tensorgrad_cli.algebra.expression import Expression, Index, Product, Sum, divide, multiply, summation
from tensorgrad_cli.algebra.matrix_calls import kron
from tensorgrad_cli.algebra.reading import LETTERS, Reading
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.values import Value, entrywise, meet, shapes_do_not_meet

__all__ = ["contracted", "matrix_product", "multiplied"]


def multiplied(reading: Reading, a: Value, b: Value, sign: str) -> Value:
    """Two values joined by a written sign. Raises `shape-mismatch`, naming both shapes."""
    span = a.span.to(b.span)
    match sign:
        case "@":
            return matrix_product(reading, a, b, "@")
        case "⊗":
            return _tensor_product(reading, a, b)
        case "/":
            (left, right), axes, row = entrywise(reading, (a, b), "/", span)
            return Value(divide(left, right), axes, span, row, a.number and b.number)
        case _:
            (left, right), axes, row = entrywise(reading, (a, b), sign, span)
            return Value(multiply(left, right), axes, span, row, a.number and b.number)


def contracted(over: Index, *factors: Expression) -> Expression:
    """The sum over an index of a product; sums that factors begin with become part of it."""
    indices = [over]
    flat: list[Expression] = []
    pending = list(reversed(factors))
    while pending:
        factor = pending.pop()
        if isinstance(factor, Product):
            pending += reversed(factor.factors)
        elif isinstance(factor, Sum) and all(index.serial > 0 for index in factor.indices):
            indices += factor.indices
            pending.append(factor.body)
        else:
            flat.append(factor)
    order = sorted(range(len(indices)), key=lambda k: k == 0)
    return summation((indices[k] for k in order), multiply(*flat))


def matrix_product(reading: Reading, a: Value, b: Value, sign: str) -> Value:
    """The matrix product of two values, by juxtaposition (`sign` empty) or @; a scalar multiplies every entry.

    With @ NumPy's products of a vector from the left, of two vectors and of batches come second.
    """
    span = a.span.to(b.span)
    if not a.axes or not b.axes:
        value = multiply(a.expression, b.expression)
        return Value(value, a.axes or b.axes, span, a.row or b.row, a.number and b.number)
    if a.rank > 2 or b.rank > 2:
        if sign == "@":
            return _batched(reading, a, b)
        reason = "side by side means the matrix product, of matrices and vectors only"
        raise shapes_do_not_meet(reading, a, b, reason)
    if a.rank == 1 and not a.row and b.row:
        return Value(multiply(a.expression, b.expression), (a.axes[0], b.axes[0]), span)
    if a.rank == 1 and not a.row:
        return _column_first(reading, a, b, sign)
    if b.row:
        return _row_last(reading, a, b)
    return _contraction(reading, a, b, a.row and b.rank == 2)


def _contraction(reading: Reading, a: Value, b: Value, row: bool) -> Value:
    """The sum over the last axis of a and the first of b."""
    over, other = a.axes[-1], b.axes[0]
    if not reading.ranges.same(((over.dimension, other.dimension),)):
        inner = (reading.ranges.find(over.dimension).name, reading.ranges.find(other.dimension).name)
        reason = "the product sums over the last axis of the first and the first axis of the second, "
        reason += f"and {inner[0]} does not meet {inner[1]}"
        raise shapes_do_not_meet(reading, a, b, reason, _transpose_that_fits(reading, a, b))
    value = contracted(over, a.expression, substitute(b.expression, {other: over}))
    return Value(value, (*a.axes[:-1], *b.axes[1:]), a.span.to(b.span), row)


def _transpose_that_fits(reading: Reading, a: Value, b: Value) -> str | None:
    def fits(x: Index, y: Index) -> bool:
        return reading.ranges.find(x.dimension) == reading.ranges.find(y.dimension)

    if a.rank == 2 and fits(a.axes[0], b.axes[0]):
        return f"{_factor(a)}ᵀ {b.text} would fit"
    if b.rank == 2 and fits(a.axes[-1], b.axes[-1]):
        return f"{a.text} {_factor(b)}ᵀ would fit"
    if a.rank == b.rank == 2 and fits(a.axes[0], b.axes[1]):
        return f"{_factor(b)} {_factor(a)} would fit"
    return None


def _factor(value: Value) -> str:
    return value.text if value.text.isidentifier() or value.text.endswith(")") else f"({value.text})"


def _column_first(reading: Reading, a: Value, b: Value, sign: str) -> Value:
    """A column before a column or a matrix: no product in mathematics; NumPy's with @."""
    same = reading.ranges.same(((a.axes[0].dimension, b.axes[0].dimension),))
    if sign == "@" and same:
        product = _contraction(reading, a, b, False)
        what = "the inner product of two vectors" if b.rank == 1 else f"the column {_factor(b)}ᵀ {a.text}"
        reading.remark(f"{product.text} is read as NumPy does: {what}")
        return product
    if b.rank == 2 and reading.ranges.find(b.axes[0].dimension).fixed == 1:
        value = multiply(a.expression, substitute(b.expression, {b.axes[0]: 0}))
        return Value(value, (a.axes[0], b.axes[1]), a.span.to(b.span))
    if b.rank == 1:
        help = f"write {_factor(a)}ᵀ {b.text}, {a.text} {_factor(b)}ᵀ or {a.text} ⊙ {b.text}"
        if not same:
            help = f"write {a.text} {_factor(b)}ᵀ for the outer product"
        raise shapes_do_not_meet(reading, a, b, "two columns have no matrix product", help)
    names = (reading.ranges.find(a.axes[0].dimension).name, reading.ranges.find(b.axes[0].dimension).name)
    if not same:
        reason = f"{names[0]} does not meet {names[1]}"
        raise shapes_do_not_meet(reading, a, b, reason)
    help = f"write {_factor(a)}ᵀ {b.text} for the row or {_factor(b)}ᵀ {a.text} for the column"
    raise shapes_do_not_meet(reading, a, b, "a column stands on the right of a matrix only", help)


def _row_last(reading: Reading, a: Value, b: Value) -> Value:
    """A matrix or a row before a row: only a matrix of one column has such a product."""
    if a.rank == 2 and reading.ranges.find(a.axes[1].dimension).fixed == 1:
        value = multiply(substitute(a.expression, {a.axes[1]: 0}), b.expression)
        return Value(value, (a.axes[0], b.axes[0]), a.span.to(b.span))
    reason = "two rows have no matrix product" if a.row else "a row stands on the left of a matrix only"
    raise shapes_do_not_meet(reading, a, b, reason)


def _batched(reading: Reading, a: Value, b: Value) -> Value:
    """NumPy's @ with leading axes: the last two are matrices, those before them broadcast."""
    if a.rank == 1 or b.rank == 1 or a.row or b.row:
        axis = b.axes[-2] if a.rank == 1 else b.axes[-1]
        if not reading.ranges.same(((a.axes[-1].dimension, axis.dimension),)):
            raise shapes_do_not_meet(
                reading, a, b, "@ sums over the last axis of the first, which does not meet"
            )
        value = contracted(a.axes[-1], a.expression, substitute(b.expression, {axis: a.axes[-1]}))
        axes = (*a.axes[:-1], *(x for x in b.axes if x != axis))
        reading.remark(f"{a.text} @ {b.text} is read as NumPy does, over leading axes")
        return Value(value, axes, a.span.to(b.span))
    over, other = a.axes[-1], b.axes[-2]
    if not reading.ranges.same(((over.dimension, other.dimension),)):
        reason = (
            "@ sums over the last axis of the first and the last but one of the second, which do not meet"
        )
        raise shapes_do_not_meet(reading, a, b, reason)
    left, right = Value(a.expression, a.axes[:-2], a.span), Value(b.expression, b.axes[:-2], b.span)
    meeting = meet(reading.ranges, left, right)
    if meeting is None:
        raise shapes_do_not_meet(reading, a, b, "the axes before the last two do not meet")
    reading.remark(f"{a.text} @ {b.text} is read as NumPy does, over leading axes")
    value = contracted(
        over,
        substitute(a.expression, meeting.left),
        substitute(substitute(b.expression, {other: over}), meeting.right),
    )
    return Value(value, (*meeting.axes, a.axes[-2], b.axes[-1]), a.span.to(b.span))


def _tensor_product(reading: Reading, a: Value, b: Value) -> Value:
    """`a ⊗ b`: a bᵀ of vectors, kron of matrices."""
    span = a.span.to(b.span)
    if not a.axes or not b.axes:
        return matrix_product(reading, a, b, "")
    if a.rank == b.rank == 1:
        return Value(multiply(a.expression, b.expression), (a.axes[0], b.axes[0]), span)
    if a.rank == b.rank == 2:
        return kron(reading, a, b)
    shape = f"{a.text}[{LETTERS[0]}] {b.text}[{LETTERS[1]},{LETTERS[2]}]"
    raise shapes_do_not_meet(
        reading, a, b, "⊗ is of two vectors or of two matrices", f"write it with indices, as in {shape}"
    )
