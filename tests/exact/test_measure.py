"""Degrees, random signs and the chance of an error."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tensorgrad_cli.algebra.expression import (
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Gather,
    Index,
    Op,
    Ref,
    Sum,
    add,
    constant,
    divide,
    multiply,
    power,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.contract import contractions, ordered
from tensorgrad_cli.exact.measure import Measure, Measures

N = Dimension("n")
I, J, K = Index("i", N), Index("j", N), Index("k", N, 1)
TENSORS = {
    "x": Tensor("x", ()),
    "y": Tensor("y", ()),
    "b": Tensor("b", (), values="binary"),
    "Q": Tensor("Q", (N, N), structure="orthonormal"),
    "t": Tensor("t", (N,), values="integers", indexes=N),
    "A": Tensor("A", (N, N)),
}
X, Y = Ref("x"), Ref("y")


def measure(expression: Expression, *, opaque: bool = False) -> Measure:
    return Measures(TENSORS, lambda name: None, opaque=opaque).of(expression)


def f(name: str, *arguments: Expression) -> Expression:
    return Apply(name, (0,) * len(arguments), arguments)


@pytest.mark.parametrize(
    ("expression", "degree"),
    [
        (constant(5), 0),
        (X, 1),
        (multiply(X, Y), 2),
        (add(multiply(X, Y), X), 2),
        (power(X, constant(7)), 7),
        (divide(X, Y), 2),
        (add(divide(X, Y), divide(Y, X)), 4),
        (Delta(I, J), 0),
        (f("g", multiply(X, Y)), 3),
        (Op("det", (I, J), (), (Ref("A", (I, J)),)), 6),
    ],
)
def test_degrees_of_rational_functions(expression: Expression, degree: float) -> None:
    found = measure(expression)
    assert found.rational and found.degree == degree and found.random_bits == 0


@pytest.mark.parametrize(
    ("expression", "bits"),
    [
        (f("abs", X), 1),
        (multiply(f("relu", X), f("relu", Y)), 2),
        (add(f("relu", X), f("relu", Y)), 1),
        (f("relu", f("relu", X)), 3),
        (power(f("step", X), constant(3)), 3),
        (f("max", X, Y), 1),
        (Ref("b"), 1),
        (Ref("Q", (I, J)), 1),
        (multiply(Ref("Q", (I, J)), Ref("Q", (J, I))), 1),
    ],
)
def test_random_signs_are_counted(expression: Expression, bits: float) -> None:
    assert measure(expression).random_bits == bits


def test_positions_of_gathers_are_choices() -> None:
    gathered = Ref("A", (Gather("t", (I,)), J))
    once, again = measure(gathered), measure(multiply(gathered, gathered))
    assert once.random_bits == again.random_bits > 2
    assert measure(multiply(gathered, Delta(Gather("t", (J,)), I))).random_bits > once.random_bits


def test_the_opaque_model_has_no_random_signs() -> None:
    expression = multiply(f("relu", X), f("abs", Y), Ref("b"))
    assert measure(expression).random_bits == 3
    found = measure(expression, opaque=True)
    assert found.random_bits == 0 and found.signs and not found.rational


def test_which_functions_occur() -> None:
    half = Const(Fraction(1, 2))
    assert measure(power(X, half)).roots and not measure(power(X, constant(2))).roots
    assert measure(f("log", X)).logs and measure(f("sin", X)).waves
    assert not measure(f("erf", X)).rational and measure(f("g", X)).rational
    assert measure(f("<", Ref("#", (I,)), constant(2))).rational
    assert not measure(f("<", X, constant(2))).rational


def test_contractions_sum_early_and_end_in_order() -> None:
    left, right = (I, K), (J, K)
    (step,) = contractions((left, right), (I, J))
    assert (step.first, step.second) == (0, 1)
    first, second, result = step.subscripts.replace("->", ",").split(",")
    assert first[0] == second[0] == result[0] == "Z"
    assert first[2] == second[2] and result == "Z" + first[1] + second[1]
    # A vector meets the matrix first, so that no array has three indices.
    steps = contractions(((I, J), (J, K), (K,)), (I,))
    assert {steps[0].first, steps[0].second} == {1, 2}
    assert ordered(frozenset((J, I))) == (I, J)
    assert len(contractions(((K,), (K,), (K,)), ())) == 2


def test_sums_of_fractions_have_many_denominators() -> None:
    found = measure(Sum((K,), divide(X, Ref("A", (K, K)))))
    assert found.bottom == 6 and found.top == 6
