"""Matrix notation → index notation: mathematics first, NumPy second, else the equation is ill-formed.

Vectors are columns, `xᵀ` is a row. Each tree becomes a `Value`: an expression in index notation with its
axes in order. Everything is lowered here (products, transposes, traces to sums and deltas) but for the
operations that have rows of their own (`inv`, `det`, `softmax`, …).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from tensorgrad_cli.algebra.expression import ONE, Apply, Const, Delta, add, fresh, negate, power, size
from tensorgrad_cli.algebra.index_operations import number_of
from tensorgrad_cli.algebra.matrix_calls import inverse, matrix_call, norm_of
from tensorgrad_cli.algebra.matrix_products import matrix_product, multiplied
from tensorgrad_cli.algebra.offers import offer_contraction, offer_entrywise, offer_sum
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.requests import matrix_derivative
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.values import Value, axes_of, entrywise, tensor_value
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
    Juxtaposed,
    Mask,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Transposed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.source import Issue, Span

__all__ = ["matrix_value"]

_GREATEST_POWER = 12


def matrix_value(reading: Reading, tree: Tree) -> Value:
    """A tree without index brackets as a value. Raises an Issue for shapes that do not meet, with both of them."""
    match tree:
        case Name():
            return _name(reading, tree)
        case Number(value):
            return Value(Const(value), (), tree.span, number=True)
        case Parenthesis(body):
            return _spanned(matrix_value(reading, body), tree.span)
        case Bars(body, double):
            inner = matrix_value(reading, body)
            if double:
                return norm_of(inner, (), tree.span)
            absolute = Apply("abs", (0,), (inner.expression,))
            return Value(absolute, inner.axes, tree.span, inner.row, inner.number)
        case Signed(sign, operand):
            inner = matrix_value(reading, operand)
            signed = negate(inner.expression) if sign == "-" else inner.expression
            return Value(signed, inner.axes, tree.span, inner.row, inner.number)
        case Summed():
            return _sum(reading, tree)
        case Juxtaposed(factors):
            return _juxtaposed(reading, factors)
        case Multiplied():
            return _multiplied(reading, tree)
        case Power():
            return _power(reading, tree)
        case Transposed(base, inverted):
            return _transposed(reading, base, inverted, tree.span)
        case Call():
            reading.refuse_layer(tree)
            arguments = tuple(matrix_value(reading, argument) for argument in tree.arguments)
            return matrix_call(reading, tree, arguments)
        case Derivative():
            return matrix_derivative(reading, tree, matrix_value)
        case Indexed() | WrittenSum() | Mask():
            raise Issue(
                "mixed-notation",
                tree.span,
                f"{tree.span.text} carries indices within matrix notation",
                "write the whole side with indices, or none of it",
            )
        case _:
            assert_never(tree)


def _spanned(value: Value, span: Span) -> Value:
    return Value(value.expression, value.axes, span, value.row, value.number)


def _name(reading: Reading, tree: Name) -> Value:
    shape = reading.scope.shape(tree.text)
    if shape is not None:
        return tensor_value(tree.text, shape, tree.span)
    if reading.is_function(tree.text):
        raise reading.unknown(tree)
    if tree.text == "I":
        (left,) = axes_of((reading.ranges.unknown("I", tree.span),))
        right = fresh(left)
        return Value(Delta(left, right), (left, right), tree.span)
    if tree.text == "ones":
        return _ones(reading, tree.span)
    if tree.text == "pi":
        return Value(Apply("pi", (), ()), (), tree.span, number=True)
    if tree.text in reading.scope.dimensions:
        return Value(size(reading.scope.dimensions[tree.text]), (), tree.span, number=True)
    raise reading.unknown(tree)


def _ones(reading: Reading, span: Span, row: bool = False) -> Value:
    """A column (a row) of ones of the size that fits."""
    return Value(ONE, axes_of((reading.ranges.unknown("ones", span),)), span, row)


def _sum(reading: Reading, tree: Summed) -> Value:
    values = [matrix_value(reading, tree.first)]
    signs = "+"
    for sign, term in tree.rest:
        value = matrix_value(reading, term)
        signs += sign
        values.append(value)
    try:
        expressions, axes, row = entrywise(reading, values, "+", tree.span, signs[1:])
    except Issue as issue:
        if len(values) == 2 and issue.help is None:
            issue.help = offer_entrywise(reading, tree.first, tree.rest[0][1], values[0], values[1], signs[1])
        raise
    terms = (negate(e) if s == "-" else e for s, e in zip(signs, expressions, strict=True))
    return Value(add(*terms), axes, tree.span, row, all(value.number for value in values))


def _juxtaposed(reading: Reading, factors: Sequence[Tree]) -> Value:
    values = _with_ones(reading, factors)
    if len(values) > 1 and values[1].rank > 2 and _is_row_of_ones(factors[0]):
        raise _no_matrix_to_sum(reading, factors, values[1])
    product = values[0]
    for k, value in enumerate(values[1:]):
        try:
            product = matrix_product(reading, product, value, "")
        except Issue as issue:
            if k == 0 and issue.help is None:
                issue.help = offer_contraction(reading, factors[0], factors[1], product, value)
            raise
    return product


def _multiplied(reading: Reading, tree: Multiplied) -> Value:
    values = _with_ones(reading, (tree.first, *(operand for _, operand in tree.rest)))
    product = values[0]
    for k, ((sign, operand), value) in enumerate(zip(tree.rest, values[1:], strict=True)):
        try:
            product = multiplied(reading, product, value, sign)
        except Issue as issue:
            if k == 0 and issue.help is None and sign in "*⊙∘":
                issue.help = offer_entrywise(reading, tree.first, operand, product, value)
            raise
    return product


def _with_ones(reading: Reading, factors: Sequence[Tree]) -> list[Value]:
    """The factors; a 1 that ends a product in which 1ᵀ stands before is the column of ones."""
    values = [matrix_value(reading, factor) for factor in factors]
    begun = any(isinstance(f, Transposed) and number_of(f.base) == 1 for f in factors[:-1])
    if begun and isinstance(factors[-1], Number) and factors[-1].value == 1:
        values[-1] = _ones(reading, factors[-1].span)
    return values


def _is_row_of_ones(tree: Tree) -> bool:
    return isinstance(tree, Transposed) and number_of(tree.base) == 1


def _no_matrix_to_sum(reading: Reading, factors: Sequence[Tree], value: Value) -> Issue:
    """1ᵀ A 1 of something that is no matrix: which axes a sum over two of them leaves, and how to write it."""
    shape = reading.ranges.words(value.axes, value.row)
    name = value.text.removeprefix("(").removesuffix(")")
    return Issue(
        "shape-mismatch",
        factors[0].span.to(factors[-1].span),
        f"1ᵀ A 1 sums all entries of a matrix A, and {name} is {shape}: "
        f"it has {value.rank} axes, and no row or column of ones meets it.",
        offer_sum(reading, factors[1], value),
        ((value.span, shape),),
    )


def _transposed(reading: Reading, base: Tree, inverted: bool, span: Span) -> Value:
    if isinstance(base, Number) and base.value == 1 and not inverted:
        return _ones(reading, span, row=True)
    value = matrix_value(reading, base)
    if inverted:
        value = inverse(reading, value, span)
    if value.rank == 1:
        return Value(value.expression, value.axes, span, not value.row)
    if value.rank == 2:
        return Value(value.expression, value.axes[::-1], span)
    shape = reading.ranges.words(value.axes, value.row)
    help = "swap the indices you mean" if value.rank else f"write {base.span.text}"
    raise Issue("rank", span, f"ᵀ wants a vector or a matrix, {value.text} is {shape}", help)


def _power(reading: Reading, tree: Power) -> Value:
    base = matrix_value(reading, tree.base)
    number = number_of(_unwrapped(tree.exponent))
    matrix = tree.spelling != "**" and base.rank == 2
    if matrix and reading.ranges.same(((base.axes[0].dimension, base.axes[1].dimension),)):
        if number is None or number.denominator != 1 or abs(number) > _GREATEST_POWER:
            raise Issue(
                "matrix-power",
                tree.span,
                f"{tree.span.text} is a power of a matrix: its exponent is a whole number up to {_GREATEST_POWER}",
                f"write {tree.base.span.text}**{tree.exponent.span.text} for the power of each entry",
            )
        return _matrix_power(reading, base, int(number), tree.span)
    if number == -1 and base.axes and tree.spelling != "**":
        shape = reading.ranges.words(base.axes, base.row)
        raise Issue(
            "shape-mismatch",
            tree.span,
            f"{tree.base.span.text} is {shape}: only a matrix with one dimension twice has an inverse",
            f"write 1 / {tree.base.span.text} for the reciprocal of each entry",
        )
    exponent = matrix_value(reading, tree.exponent)
    (left, right), axes, row = entrywise(reading, (base, exponent), "^", tree.span)
    return Value(power(left, right), axes, tree.span, row, base.number and exponent.number)


def _unwrapped(tree: Tree) -> Tree:
    while isinstance(tree, Parenthesis):
        tree = tree.body
    return tree


def _matrix_power(reading: Reading, base: Value, exponent: int, span: Span) -> Value:
    if exponent == 0:
        return Value(Delta(base.axes[0], base.axes[1]), base.axes, span)
    if exponent < 0:
        base = inverse(reading, base, base.span)
    product = base
    for _ in range(abs(exponent) - 1):
        product = matrix_product(reading, product, _another(base), "")
    return _spanned(product, span)


def _another(value: Value) -> Value:
    """The same value with axes and bound indices of its own."""
    axes = tuple(fresh(axis) for axis in value.axes)
    renamed = dict(zip(value.axes, axes, strict=True))
    return Value(substitute(freshened(value.expression), renamed), axes, value.span, value.row)
