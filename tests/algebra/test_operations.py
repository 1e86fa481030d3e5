"""Every row of the table of operations: its derivatives to second order, its continuation, its definition."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    fresh,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import (
    operation_derivative_at,
    operation_expanded,
    operation_kinks,
)
from tensorgrad_cli.algebra.operations import OPERATIONS, Operation
from tensorgrad_cli.algebra.walking import subexpressions

N, M, P, Q = (Dimension(name) for name in "nmpq")
SIZES = {"n": 3, "m": 2, "p": 3, "q": 2}
NATIVE = {"prod", "max", "min", "inv", "det", "kron", "vec"}


def entry(expression: Expression, at: dict[Index, int], arrays: dict[str, Any]) -> Any:
    """The value of an expression where its free indices are at given positions, index by index."""
    match expression:
        case Const(number):
            return float(number)
        case Ref(name, positions) if name == RANGE:
            return place(positions[0], at)
        case Ref(name, positions):
            return arrays[name][tuple(place(p, at) for p in positions)]
        case Delta(left, right):
            return float(place(left, at) == place(right, at))
        case Apply("=", _, (left, right)):
            return float(np.real(entry(left, at, arrays)) == np.real(entry(right, at, arrays)))
        case Apply("<=", _, (left, right)):
            return float(entry(left, at, arrays) <= entry(right, at, arrays))
        case Apply("pow", _, (base, exponent)):
            return entry(base, at, arrays) ** entry(exponent, at, arrays)
        case Apply(name, _, arguments):
            return FUNCTIONS[name].numeric(np, *(np.asarray(entry(a, at, arrays)) for a in arguments))
        case Product(factors):
            return np.prod([entry(factor, at, arrays) for factor in factors])
        case Add(terms):
            return sum(entry(term, at, arrays) for term in terms)
        case Sum(indices, body):
            return sum(entry(body, {**at, **inner}, arrays) for inner in assignments(indices))
        case Op(operation, bound, out, arguments, parameters):
            values = []
            rest = bound
            row = OPERATIONS[operation]
            for letters, argument in zip(row.inputs, arguments, strict=True):
                count = len(rest) if len(row.inputs) == 1 else len(letters)
                own, rest = rest[:count], rest[count:]
                values.append(filled(argument, own, at, arrays))
            # An operation along one axis over several indices takes them as one.
            shape = values[0].shape
            if row.inputs == ("k",):
                values = [values[0].reshape(-1)]
            result = row.numeric(np, *values, **dict(parameters))
            result = result.reshape(shape) if row.output == "j" else result
            return result[tuple(place(p, at) for p in out)]
    raise AssertionError(expression)


def place(position: Any, at: dict[Index, int]) -> int:
    """The number that a position is."""
    return position if isinstance(position, int) else at[position]


def assignments(indices: tuple[Index, ...]) -> Iterator[dict[Index, int]]:
    """All positions of some indices."""
    for numbers in itertools.product(*(range(i.dimension.size(SIZES)) for i in indices)):
        yield dict(zip(indices, numbers, strict=True))


def filled(
    expression: Expression, order: tuple[Index, ...], at: dict[Index, int], arrays: dict[str, Any]
) -> Any:
    """The array of an expression over some indices."""
    values = [entry(expression, {**at, **inner}, arrays) for inner in assignments(order)]
    return np.array(values).reshape([i.dimension.size(SIZES) for i in order])


CASES: list[tuple[str, dict[str, Fraction]]] = [
    *((name, {}) for name in OPERATIONS),
    ("var", {"ddof": Fraction(1)}),
    ("std", {"ddof": Fraction(1)}),
    ("norm", {"p": Fraction(1)}),
    ("norm", {"p": Fraction(3)}),
]
IDS = [name + "".join(f"-{key}{number}" for key, number in given.items()) for name, given in CASES]


def made(name: str, given: dict[str, Fraction]) -> tuple[Op, tuple[Index, ...], dict[str, Any]]:
    """The operation on tensors of its own, the free indices of its value, and arrays for the tensors."""
    row = OPERATIONS[name]
    if name == "kron":
        dimensions: tuple[Dimension, ...] = (N, M, M, Dimension("1"))
        # The columns of the product: m times 1, which is 2 here.
        rows, columns = Dimension("n*m", ((1, ("n", "m")),)), Dimension("2")
        out: tuple[Index, ...] = (Index("i", rows), Index("j", columns))
    elif name == "vec":
        dimensions = (N, M)
        out = (Index("i", Dimension("n*m", ((1, ("n", "m")),))),)
    else:
        dimensions = (N,) * len(row.inputs[0])
        out = tuple(Index(letter, N) for letter in ("k", "l")[: len(row.output)])
    # The letters clash with those of the rows' formulas on purpose.
    bound = tuple(fresh(Index("jkmn"[k], d)) for k, d in enumerate(dimensions))
    arguments, start = [], 0
    for tensor, letters in zip("XB", row.inputs, strict=False):
        arguments.append(Ref(tensor, bound[start : start + len(letters)]))
        start += len(letters)
    op = Op(name, bound, out, tuple(arguments), tuple(given.items()))
    rng = np.random.default_rng(5)
    arrays = {}
    for argument in arguments:
        shape = [i.dimension.size(SIZES) for i in argument.indices if isinstance(i, Index)]
        arrays[argument.tensor] = rng.normal(size=shape) + (2 * np.eye(3) if shape == [3, 3] else 0)
    return op, out, arrays


def complex_step(function: Any, array: Any) -> Any:
    """The derivative of a function of an array by each of its entries, in the last axes."""
    columns = []
    for place_ in np.ndindex(array.shape):
        moved = array.astype(complex)
        moved[place_] += 1e-30j
        columns.append(np.imag(function(moved)) / 1e-30)
    return np.stack(columns, axis=-1).reshape(*columns[0].shape, *array.shape)


def differences(function: Any, array: Any) -> Any:
    """The same by central differences, extrapolated once."""

    def slopes(h: float) -> Any:
        columns = []
        for place_ in np.ndindex(array.shape):
            step = np.zeros(array.shape)
            step[place_] = h
            columns.append((function(array + step) - function(array - step)) / (2 * h))
        return np.stack(columns, axis=-1).reshape(*columns[0].shape, *array.shape)

    return (16 * slopes(2.0**-10) - slopes(2.0**-8)) / 15


def test_the_table_is_complete() -> None:
    for name, row in OPERATIONS.items():
        assert row.name == name
        assert row.derivative is not None or row.multilinear
        assert (row.definition is None) == (name in NATIVE)


@pytest.mark.parametrize(("name", "given"), CASES, ids=IDS)
def test_derivatives_agree_with_differences_to_second_order(name: str, given: Any) -> None:
    op, out, arrays = made(name, given)
    for position, argument in enumerate(op.arguments):
        assert isinstance(argument, Ref)
        inner = tuple(
            Index(letter, i.dimension)
            for letter, i in zip("mn", argument.indices, strict=False)
            if isinstance(i, Index)
        )
        formula = operation_derivative_at(op, position, inner)
        assert formula.free <= {*out, *inner}
        order = (*out, *inner)
        tensor = argument.tensor

        def value(x: Any, name: str = tensor) -> Any:
            return filled(op, out, {}, {**arrays, name: x})

        def slope(x: Any, name: str = tensor, order: Any = order, formula: Any = formula) -> Any:
            return filled(formula, order, {}, {**arrays, name: x})

        first = slope(arrays[tensor])
        np.testing.assert_allclose(first, differences(value, arrays[tensor]), rtol=1e-7, atol=1e-8)
        np.testing.assert_allclose(first, complex_step(value, arrays[tensor]), rtol=1e-12, atol=1e-14)
        second = complex_step(slope, arrays[tensor])
        np.testing.assert_allclose(second, differences(slope, arrays[tensor]), rtol=1e-7, atol=1e-8)
        # The second derivative is symmetric in the two entries.
        count, width = len(out), len(inner)
        swapped = np.moveaxis(second, range(count, count + width), range(-width, 0))
        np.testing.assert_allclose(second, swapped, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("name", "given"), CASES, ids=IDS)
def test_a_definition_is_the_operation(name: str, given: Any) -> None:
    op, out, arrays = made(name, given)
    expanded = operation_expanded(op)
    if name in NATIVE:
        assert expanded is op
        return
    assert all(part.operation != name for part in subexpressions(expanded) if isinstance(part, Op))
    np.testing.assert_allclose(filled(expanded, out, {}, arrays), filled(op, out, {}, arrays), rtol=1e-12)


@pytest.mark.parametrize("name", OPERATIONS)
def test_batch_axes_stand_in_front(name: str) -> None:
    op, _, arrays = made(name, {})
    row = OPERATIONS[name]
    rng = np.random.default_rng(6)
    batches = [rng.normal(size=(4, 2, *array.shape)) for array in arrays.values()]
    together = row.numeric(np, *batches)
    for place_ in np.ndindex(4, 2):
        alone = row.numeric(np, *(batch[place_] for batch in batches))
        np.testing.assert_allclose(together[place_], alone, rtol=1e-10, atol=1e-12)
    assert op.operation == name


def test_the_derivative_of_prod_is_right_at_zeros() -> None:
    op, _, _ = made("prod", {})
    formula = operation_derivative_at(op, 0, (Index("m", N),))
    for x, expected in (
        ([0.0, 2.0, 3.0], [6.0, 0.0, 0.0]),
        ([0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    ):
        found = filled(formula, (Index("m", N),), {}, {"X": np.array(x)})
        np.testing.assert_allclose(found, expected)


def test_values_read_at_fixed_positions_and_along_free_indices_of_the_argument() -> None:
    # softmax[k](Z[i,k]) at k = 1, by an entry of the row i: the letters of the formula are k and j too.
    i, k, j = Index("j", M), fresh(Index("k", N)), Index("k", N)
    op = Op("softmax", (k,), (1,), (Ref("Z", (i, k)),))
    z = np.random.default_rng(3).normal(size=(2, 3))
    formula = operation_derivative_at(op, 0, (j,))
    y = OPERATIONS["softmax"].numeric(np, z)
    expected = y[:, 1, None] * (np.eye(3)[1] - y)
    np.testing.assert_allclose(filled(formula, (i, j), {}, {"Z": z}), expected, rtol=1e-13)


def test_an_operation_within_the_same_operation_captures_nothing() -> None:
    a, b = fresh(Index("a", N)), fresh(Index("b", N))
    inner = Op("std", (a,), (), (Product((Ref("x", (a,)), Ref("x", (b,)))),))
    outer = Op("std", (b,), (), (inner,))
    x = np.array([1.0, 2.0, 4.0])
    expected = np.std(np.std(np.outer(x, x), axis=1))
    expanded = operation_expanded(outer)
    assert isinstance(expanded, Apply)
    np.testing.assert_allclose(entry(expanded, {}, {"x": x}), expected, rtol=1e-13)
    # Both at once: the formula of the outer one holds the expanded inner one.
    both = operation_expanded(Op("std", (b,), (), (operation_expanded(inner),)))
    np.testing.assert_allclose(entry(both, {}, {"x": x}), expected, rtol=1e-13)


@pytest.mark.parametrize("name", OPERATIONS)
def test_kinks_can_be_read(name: str) -> None:
    op, out, arrays = made(name, {})
    for kink in operation_kinks(op):
        assert kink.free <= frozenset(out)
        assert np.all(np.abs(filled(kink, out, {}, arrays)) > 0)


def test_branches_tell_of_ties() -> None:
    row = OPERATIONS["max"]
    assert row.branch is not None and row.margin is not None
    x = np.array([[1.0, 3.0, 2.0], [5.0, 5.0, 1.0]])
    np.testing.assert_array_equal(row.branch(np, x), [1, 0])
    np.testing.assert_allclose(row.margin(np, x), [1.0, 0.0])
    low = OPERATIONS["min"]
    assert low.branch is not None and low.margin is not None
    np.testing.assert_array_equal(low.branch(np, x), [0, 2])
    np.testing.assert_allclose(low.margin(np, x), [1.0, 4.0])
    assert row.margin(np, np.array([1.0])) == np.inf


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("logsumexp", [1000.0, 1000.0], 1000 + np.log(2)),
        ("logsumexp", [-1000.0, -2000.0], -1000.0),
        ("softmax", [1000.0, 1000.0], [0.5, 0.5]),
        ("log_softmax", [800.0, 0.0], [0.0, -800.0]),
        ("norm", [3e200, 4e200], 5e200),
        ("norm", [0.0, 0.0], 0.0),
        ("normalize", [3e-200, 4e-200], [0.6, 0.8]),
        ("var", [1e9 + 1, 1e9 + 3], 1.0),
    ],
)
def test_operations_are_stable(name: str, x: list[float], expected: Any) -> None:
    for array in (np.array(x), np.array(x) * (1 + 0j)):
        found = np.real(OPERATIONS[name].numeric(np, array))
        np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_logdet_is_the_logarithm_of_the_magnitude() -> None:
    x = np.array([[0.0, 2.0], [3.0, 1.0]])
    row: Operation = OPERATIONS["logdet"]
    np.testing.assert_allclose(row.numeric(np, x), np.log(6))
    np.testing.assert_allclose(row.numeric(np, x + 0j), np.log(6))


def test_vec_stacks_columns_and_kron_is_numpys() -> None:
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    np.testing.assert_array_equal(OPERATIONS["vec"].numeric(np, x), [1, 3, 2, 4])
    b = np.array([[1.0, 5.0, 2.0]])
    np.testing.assert_array_equal(OPERATIONS["kron"].numeric(np, x, b), np.kron(x, b))


@pytest.mark.parametrize(
    "name", [name for name, row in OPERATIONS.items() if row.inputs == ("k",) and name != "cumsum"]
)
def test_an_operation_over_two_indices_at_once(name: str) -> None:
    row = OPERATIONS[name]
    a, b = fresh(Index("a", N)), fresh(Index("b", M))
    free = (Index("a", N), Index("b", M))
    out = free if row.output else ()
    op = Op(name, (a, b), out, (Ref("X", (a, b)),))
    flat = np.random.default_rng(8).normal(size=6)
    single = fresh(Index("k", Dimension("6")))
    out_wide = (Index("k", Dimension("6")),) if row.output else ()
    wide = Op(name, (single,), out_wide, (Ref("X", (single,)),))
    inner, inner_wide = (Index("p", N), Index("q", M)), (Index("p", Dimension("6")),)
    for expected, order_wide, found, order in (
        (operation_expanded(wide), out_wide, operation_expanded(op), out),
        (
            operation_derivative_at(wide, 0, inner_wide),
            (*out_wide, *inner_wide),
            operation_derivative_at(op, 0, inner),
            (*out, *inner),
        ),
    ):
        np.testing.assert_allclose(
            filled(found, order, {}, {"X": flat.reshape(3, 2)}).reshape(-1),
            filled(expected, order_wide, {}, {"X": flat}).reshape(-1),
            rtol=1e-12,
        )
