"""Index notation: a tree that carries index brackets → an expression, every implied sum made.

`env` maps the names that are free or bound around a place to their indices; products add the indices
that they sum (`implied_sums`), written sums and operations those that they bind.
"""

from __future__ import annotations

from fractions import Fraction
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    ONE,
    Apply,
    Const,
    Delta,
    Expression,
    Index,
    Ref,
    add,
    divide,
    multiply,
    negate,
    power,
    summation,
)
from tensorgrad_cli.algebra.index_operations import Env, bind, operation, product_over
from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.algebra.matrix import matrix_value
from tensorgrad_cli.algebra.occurrences import children, is_indexed
from tensorgrad_cli.algebra.offers import offer_brackets
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.requests import indexed_derivative, shape_below
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.notation.later import not_yet
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
from tensorgrad_cli.source import Issue

__all__ = ["read_side"]


_OURS = ("delta", "eye", "ones")


def read_side(reading: Reading, tree: Tree, env: Env) -> Expression:
    """A side in index notation. Names and ranks are looked at first: they are the likelier slip, and what
    is left over of a misspelt tensor's indices helps nobody."""
    _check_names(reading, tree)
    return read_indexed(reading, tree, env)


def _check_names(reading: Reading, tree: Tree) -> None:
    match tree:
        case Name(text):
            known = text in ("I", "ones", "pi") or text in reading.scope.dimensions
            if not known and reading.scope.shape(text) is None:
                raise reading.unknown(tree)
        case Mask():
            raise not_yet(tree.span, "a mask")
        case Derivative(numerator, denominators):
            _check_names(reading, numerator)
            for denominator in denominators:
                base = denominator.base if isinstance(denominator, Indexed | Transposed) else denominator
                if isinstance(base, Name):
                    shape_below(reading, base)
                _check_names(reading, denominator)
        case Indexed(Name(text) as name, positions):
            for position in positions:
                reading.plain(position)
            if reading.scope.shape(text) is not None or text not in _OURS:
                reading.entry(name.span.text, reading.shape(name), tree)
        case Indexed(base):
            _check_names(reading, base)
        case Call(arguments=arguments):
            reading.refuse_layer(tree)
            for argument in arguments:
                _check_names(reading, argument)
            if tree.indices is None:
                _check_brackets(reading, tree)
        case _:
            for part in children(tree):
                _check_names(reading, part)


def _check_brackets(reading: Reading, tree: Call) -> None:
    name = tree.function.text
    kind = None if reading.is_function(name) else BUILTINS.get(name)
    by_entry = name in ("max", "min") and len(tree.arguments) == 2
    if kind in ("operation", "matrix") and not by_entry and any(map(is_indexed, tree.arguments)):
        raise _without_indices(tree, kind)


def read_indexed(reading: Reading, tree: Tree, env: Env) -> Expression:
    """A line, a parenthesis or an argument in index notation: a sum of products.

    Raises an Issue for whatever in it has no meaning.
    """
    if not isinstance(tree, Summed):
        return _product(reading, tree, env)
    terms = [_product(reading, tree.first, env)]
    for sign, term in tree.rest:
        value = _product(reading, term, env)
        terms.append(negate(value) if sign == "-" else value)
    return add(*terms)


def scalar(reading: Reading, tree: Tree) -> Expression:
    """A part without index brackets within index notation: a number or a scalar in matrix notation.

    Raises `missing-brackets` for a tensor, offering them.
    """
    value = matrix_value(reading, tree)
    if not value.axes:
        return value.expression
    text, words = tree.span.text, reading.ranges.words(value.axes, value.row)
    raise Issue(
        "missing-brackets",
        tree.span,
        f"{text} is {words} and stands in index notation without its indices",
        offer_brackets(reading, tree, value.rank),
    )


def _product(reading: Reading, tree: Tree, env: Env) -> Expression:
    """The smallest product: what it sums by the rule, over all its factors."""
    if not is_indexed(tree):
        return scalar(reading, tree)
    names, remarks = reading.sums.of_product(tree, env)
    for text in remarks:
        reading.remark(text)
    bound: dict[str, Index] = {}
    for name in names:
        bound[name] = reading.ranges.bound(name, tree.span)
        reading.implied.add(bound[name])
    return summation(bound.values(), _factors(reading, tree, {**env, **bound}))


def _factors(reading: Reading, tree: Tree, env: Env) -> Expression:
    """The factors of a product multiplied; the product of a written sum's body is part of the one around it."""
    match tree:
        case Juxtaposed(factors):
            return multiply(*(_factors(reading, factor, env) for factor in factors))
        case Multiplied(first, rest):
            value = _factors(reading, first, env)
            for sign, operand in rest:
                if sign == "/":
                    value = divide(value, _divisor(reading, operand, env))
                elif sign in ("@", "⊗"):
                    raise Issue(
                        "mixed-notation",
                        tree.span,
                        f"{sign} is matrix notation, and the line has index brackets",
                        "with indices a product is written by putting its factors side by side",
                    )
                else:
                    value = multiply(value, _factors(reading, operand, env))
            return value
        case Signed(sign, operand):
            value = _factors(reading, operand, env)
            return negate(value) if sign == "-" else value
        case WrittenSum("sum", indices, body):
            bound = bind(reading, indices, env, tree.span)
            return summation(bound.values(), _factors(reading, body, {**env, **bound}))
        case _:
            return _factor(reading, tree, env)


def _divisor(reading: Reading, tree: Tree, env: Env) -> Expression:
    if isinstance(tree, WrittenSum | Juxtaposed | Multiplied | Signed | Summed):
        return read_indexed(reading, tree, env)
    return _factor(reading, tree, env)


def _factor(reading: Reading, tree: Tree, env: Env) -> Expression:
    if not is_indexed(tree):
        return scalar(reading, tree)
    match tree:
        case Indexed():
            return _entry(reading, tree, env)
        case Parenthesis(body):
            return read_indexed(reading, body, env)
        case Call():
            return _call(reading, tree, env)
        case Power(base, exponent):
            return power(_factor(reading, base, env), read_indexed(reading, exponent, env))
        case Bars(body, double):
            if double:
                raise Issue(
                    "mixed-notation",
                    tree.span,
                    "‖…‖ is the norm of a whole tensor, and the line has index brackets",
                    f"write norm[i]({body.span.text}) with the indices to norm over",
                )
            return Apply("abs", (0,), (read_indexed(reading, body, env),))
        case Derivative():
            return indexed_derivative(reading, tree, env, read_indexed)
        case WrittenSum(kind="prod"):
            return product_over(reading, tree, env, read_indexed)
        case Transposed(base):
            raise Issue(
                "mixed-notation",
                tree.span,
                f"a transpose is matrix notation, and {base.span.text} carries indices",
                "swap the indices instead",
            )
        case Mask():
            raise not_yet(tree.span, "a mask")
        case Juxtaposed() | Multiplied() | Summed() | Signed() | WrittenSum():
            return read_indexed(reading, tree, env)
        case Name() | Number():
            return scalar(reading, tree)
        case _:
            assert_never(tree)


def _entry(reading: Reading, tree: Indexed, env: Env) -> Expression:
    """`x[i,k]`, `delta[i,j]`, `ones[i]`, or a matrix expression with brackets behind it."""
    base = tree.base
    if not isinstance(base, Name):
        return _entry_of_matrix(reading, tree, env)
    shape = reading.scope.shape(base.text)
    if shape is None and base.text in _OURS:
        return _ours(reading, base.text, tree, env)
    if shape is None:
        raise reading.unknown(base)
    reading.entry(base.span.text, shape, tree)
    pairs = zip(tree.positions, shape, strict=True)
    return Ref(base.text, tuple(reading.position(p, env, d, tree.span) for p, d in pairs))


def _ours(reading: Reading, name: str, tree: Indexed, env: Env) -> Expression:
    """The Kronecker delta and ones; an index of theirs is pinned by another one or elsewhere."""
    ranges = reading.ranges
    if name == "ones":
        for place in tree.positions:
            reading.position(place, env, ranges.unknown("ones", place.span), tree.span)
        return ONE
    if len(tree.positions) != 2:
        written = tree.base.span.text
        raise Issue(
            "wrong-rank",
            tree.span,
            f"{written} takes two indices, not {len(tree.positions)}",
            f"write a product, such as {written}[i,j] {written}[j,k]",
        )
    _check_between(reading, tree, env)
    dimension = ranges.unknown("delta", tree.span)
    left, right = (reading.position(place, env, dimension, tree.span) for place in tree.positions)
    if left == right:
        return ONE
    if isinstance(left, int) and isinstance(right, int):
        return Const(Fraction(0))
    return Delta(left, right)


def _check_between(reading: Reading, tree: Indexed, env: Env) -> None:
    """Raises `index-dimension` for a delta between indices that are known to run over two dimensions."""
    between = [env[place.text] for place in tree.positions if isinstance(place, Name) and place.text in env]
    found = [reading.ranges.find(index.dimension) for index in between]
    if len(set(found)) == 2 and all(map(reading.ranges.known, found)):
        runs = (f"{index.name} runs over {d.name}" for index, d in zip(between, found, strict=True))
        raise Issue(
            "index-dimension",
            tree.span,
            f"{tree.span.text} stands between two dimensions: {', '.join(runs)}",
        )


def _entry_of_matrix(reading: Reading, tree: Indexed, env: Env) -> Expression:
    base = tree.base
    if is_indexed(base):
        raise Issue(
            "mixed-notation",
            tree.span,
            f"{base.span.text} carries indices, and more of them stand behind it",
            "only a matrix expression, such as (Vᵀ V), takes brackets behind it",
        )
    value = matrix_value(reading, base)
    shape = tuple(reading.ranges.find(axis.dimension) for axis in value.axes)
    if len(tree.positions) != len(shape):
        raise Issue(
            "wrong-rank",
            tree.span,
            f"{base.span.text} is {reading.ranges.words(value.axes, value.row)}, "
            f"but {len(tree.positions)} indices stand behind it",
        )
    pairs = zip(tree.positions, shape, strict=True)
    places = tuple(reading.position(p, env, d, tree.span) for p, d in pairs)
    return substitute(value.expression, dict(zip(value.axes, places, strict=True)))


def _call(reading: Reading, tree: Call, env: Env) -> Expression:
    """A function entry by entry, or an operation over the indices in its brackets."""
    if tree.indices is not None:
        return operation(reading, tree, env, read_indexed)
    function, order = reading.function(tree)
    arguments = tuple(read_indexed(reading, argument, env) for argument in tree.arguments)
    return Apply(function, order, arguments)


def _without_indices(tree: Call, kind: str | None) -> Issue:
    written = tree.function.span.text
    argument = tree.arguments[0].span.text if tree.arguments else ""
    if kind == "operation":
        help = f"write {written}[i] {argument}" if written == "sum" else f"write {written}[i]({argument})"
        return Issue(
            "missing-brackets",
            tree.span,
            f"{written} of something with indices needs to say over which of them it runs",
            help,
        )
    return Issue(
        "mixed-notation",
        tree.span,
        f"{written} is matrix notation, and its argument {argument} carries indices",
        f"write {written} of the bare tensors, as in {written}(A), with brackets behind it where it is no scalar",
    )
