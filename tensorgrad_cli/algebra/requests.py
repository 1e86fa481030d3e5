"""Derivatives in a formula: each is asked for by name and read like an entry of a tensor of that name.

An expression under ∂ becomes a definition of its own. The numerator's indices come first, then the
denominators'; without brackets `layout` says the order.
"""

from __future__ import annotations

from collections.abc import Callable

from tensorgrad_cli.algebra.expression import Dimension, Expression, Index, Position, Ref
from tensorgrad_cli.algebra.index_operations import Env, Reader
from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.algebra.occurrences import bound_names, is_indexed
from tensorgrad_cli.algebra.reading import LETTERS, Reading
from tensorgrad_cli.algebra.values import Value, axes_of
from tensorgrad_cli.notation.tree import Derivative, Indexed, Name, Transposed, Tree
from tensorgrad_cli.source import Issue

__all__ = ["indexed_derivative", "matrix_derivative", "shape_below"]

MatrixReader = Callable[[Reading, Tree], Value]


def indexed_derivative(reading: Reading, tree: Derivative, env: Env, read: Reader) -> Expression:
    """`∂y[i,j]/∂w[p,q]`, `∂C(y[i,j])/∂w[p,q]`, `∂(x[i,k] w[k,j])/∂w[p,q]`.

    Raises `derivative` where a denominator is neither a tensor nor a step, `derivative-indices` where only one
    of numerator and denominator carries indices, and `derivative-index-bound` where an index of a denominator
    is bound inside the numerator.
    """
    _check_bound(reading, tree, env)
    names: list[str] = []
    places: list[Position] = []
    for denominator in tree.denominators:
        name, positions = _denominator(reading, tree, denominator, env)
        names.append(name)
        places += positions
    numerator = tree.numerator
    if isinstance(numerator, Name) and reading.shape(numerator):
        count = len(reading.shape(numerator))
        raise _indices(tree, numerator, f"{numerator.span.text}[{','.join(LETTERS[:count])}]")
    value = read(reading, numerator, env)
    if isinstance(value, Ref) and _is_tensor(reading, value.tensor):
        return Ref(reading.derivative(value.tensor, names, tree.own), (*value.indices, *places))
    axes = tuple(env[name] for name in reading.sums.standing(numerator) if env.get(name) in value.free)
    defined = reading.define(value, axes)
    return Ref(reading.derivative(defined, names, tree.own), (*axes, *places))


def _is_tensor(reading: Reading, name: str) -> bool:
    return reading.scope.shape(name) is not None


def _check_bound(reading: Reading, tree: Derivative, env: Env) -> None:
    inside = bound_names(tree.numerator)
    for denominator in tree.denominators:
        for name in reading.sums.standing(denominator):
            summed = env.get(name) in reading.implied and name in reading.sums.standing(tree.numerator)
            if name in inside or (summed and name not in reading.sums.open_in_factor(tree.numerator)):
                raise Issue(
                    "derivative-index-bound",
                    tree.span,
                    f"the index {name} of {denominator.span.text} is also bound inside {tree.numerator.span.text}",
                    f"rename one of the two {name}",
                )


def _denominator(
    reading: Reading, tree: Derivative, denominator: Tree, env: Env
) -> tuple[str, tuple[Position, ...]]:
    match denominator:
        case Name(text):
            shape = shape_below(reading, denominator)
            if shape:
                letters = ",".join("pqrstuv"[: len(shape)])
                raise _indices(tree, denominator, f"{denominator.span.text}[{letters}]")
            return text, ()
        case Indexed(Name(text) as name, positions):
            shape = shape_below(reading, name)
            reading.entry(name.span.text, shape, denominator)
            pairs = zip(positions, shape, strict=True)
            return text, tuple(reading.position(p, env, d, denominator.span) for p, d in pairs)
        case Transposed(base):
            raise Issue(
                "mixed-notation",
                denominator.span,
                f"{denominator.span.text} is matrix notation, and the line has index brackets",
                f"write ∂{base.span.text} with its indices",
            )
        case _:
            raise AssertionError(f"no denominator that the parser makes: {denominator}")


def shape_below(reading: Reading, name: Name) -> tuple[Dimension, ...]:
    """The shape of what is differentiated by. Raises `derivative` for what is neither a tensor nor a step."""
    text, written = name.text, name.span.text
    if reading.scope.shape(text) is None:
        kind = "function" if reading.is_function(text) else BUILTINS.get(text)
        if kind is None and text in reading.scope.dimensions:
            kind = "dimension"
        if kind is not None:
            word = {"operation": "an operation", "matrix": "an operation", "constant": "a number"}.get(
                kind, f"a {kind}"
            )
            message = f"a derivative is by a tensor or a step, and {written} is {word}"
            help = f"the derivative of {written} is written {written}'(…)" if kind == "function" else None
            raise Issue("derivative", name.span, message, help)
    return reading.shape(name)


def _indices(tree: Derivative, part: Tree, offer: str) -> Issue:
    return Issue(
        "derivative-indices",
        part.span,
        f"in {tree.span.text} {part.span.text} carries no indices; here both carry them, or neither",
        f"write {offer}",
    )


def matrix_derivative(reading: Reading, tree: Derivative, read: MatrixReader) -> Value:
    """A derivative without indices. A scalar's has the denominator's shape, a tensor's by a tensor has the
    numerator's axes first (`layout: denominator` turns that round)."""
    names: list[str] = []
    axes: list[Index] = []
    for denominator in tree.denominators:
        base = denominator.base if isinstance(denominator, Transposed) else denominator
        assert isinstance(base, Name), "indices make index notation, and the parser makes nothing else"
        names.append(base.text)
        axes += axes_of(shape_below(reading, base))
    top, numerator = _matrix_numerator(reading, tree, read)
    name = reading.derivative(top, names, tree.own)
    expression = Ref(name, (*numerator.axes, *axes))
    by_rows = len(tree.denominators) == 1 and isinstance(tree.denominators[0], Transposed)
    row = numerator.row if not axes else by_rows and not numerator.axes
    if reading.scope.layout == "denominator" and numerator.axes and axes:
        return Value(expression, (*axes, *numerator.axes), tree.span)
    together = (*numerator.axes, *axes)
    return Value(expression, together, tree.span, row=row and len(together) == 1)


def _matrix_numerator(reading: Reading, tree: Derivative, read: MatrixReader) -> tuple[str, Value]:
    if is_indexed(tree.numerator):
        raise _indices(tree, tree.denominators[0], f"{tree.denominators[0].span.text}[p,q]")
    value = read(reading, tree.numerator)
    expression = value.expression
    whole = isinstance(expression, Ref) and expression.indices == value.axes
    if whole and isinstance(expression, Ref) and _is_tensor(reading, expression.tensor):
        return expression.tensor, value
    return reading.define(expression, value.axes), value
