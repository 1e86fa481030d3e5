"""Intervals and the signs of expressions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import (
    Affine,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Ref,
    Sum,
    add,
    constant,
    divide,
    multiply,
    power,
    size,
    subtract,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.definitions import Definitions
from tensorgrad_cli.exact.signs import Signs

N = Dimension("n")
I, J = Index("i", N), Index("j", N)
TENSORS = {
    tensor.name: tensor
    for tensor in (
        Tensor("x", ()),
        Tensor("y", ()),
        Tensor("v", (), values="positive"),
        Tensor("w", (), values="positive"),
        Tensor("u", (), values="uniform"),
        Tensor("t", (N,), values="onehot"),
        Tensor("S", (N, N), structure="spd"),
        Tensor("L", (N, N), values="positive", structure="lower"),
        Tensor("p", (N,), values="probabilities"),
    )
}
X, Y, V, W, U = (Ref(name) for name in "xyvwu")


def f(name: str, *arguments: Expression) -> Expression:
    return Apply(name, (0,) * len(arguments), arguments)


def root(expression: Expression) -> Expression:
    return power(expression, Const(Fraction(1, 2)))


def signs(expression: Expression, *equations: Equation) -> tuple[int, int]:
    definitions = Definitions(equations, lambda d: Signs(TENSORS, d.equation, {}))
    interval = definitions.signs.of(definitions.expanded(expression))
    return interval.lowest_sign, interval.highest_sign


POSITIVE: list[Expression] = [
    V,
    add(V, W),
    multiply(V, W),
    divide(V, W),
    U,
    subtract(constant(1), U),
    subtract(constant(1), multiply(U, U)),
    subtract(constant(1), Ref("p", (I,))),
    f("exp", X),
    f("sigmoid", X),
    subtract(constant(1), f("sigmoid", X)),
    subtract(constant(1), power(f("tanh", X), constant(2))),
    f("softplus", X),
    f("cosh", X),
    power(X, constant(2)),
    multiply(X, X),
    root(V),
    root(power(X, constant(2))),
    f("abs", X),
    f("log", add(constant(1), V)),
    subtract(root(constant(2)), constant(1)),
    subtract(constant(1), f("log", constant(2))),
    f("sin", constant(1)),
    f("pi"),
    size(N),
    subtract(size(N), Const(Fraction(1, 2))),
    Sum((I,), f("exp", multiply(X, Ref("p", (I,))))),
    Ref("S", (I, I)),
    Op("det", (I, J), (), (Ref("S", (I, J)),)),
    f("erf", V),
    f("erfc", X),
    f("max", X, V),
    Const(Fraction(17, 1000)),
]
NEGATIVE: list[Expression] = [
    multiply(constant(-1), V),
    subtract(f("log", constant(2)), constant(1)),
    f("log", U),
    f("log_sigmoid", X),
    subtract(f("tanh", X), constant(1)),
    f("min", X, multiply(constant(-1), V)),
    power(multiply(constant(-1), V), constant(3)),
]
NONNEGATIVE: list[Expression] = [
    f("relu", X),
    f("step", X),
    Delta(I, J),
    Ref("t", (I,)),
    power(f("relu", X), constant(2)),
    root(f("relu", X)),
    power(subtract(f("abs", X), X), constant(2)),
    Ref("L", (I, J)),
    f("<", X, Y),
]
UNKNOWN: list[Expression] = [
    X,
    add(X, V),
    subtract(V, W),
    f("log", V),
    f("sin", X),
    Ref("S", (I, J)),
    Op("det", (I, J), (), (Ref("L", (I, J)),)),
    f("f", X),
    # A difference that float64 cannot see is not known.
    subtract(root(constant(4)), constant(2)),
    subtract(f("exp", V), constant(2)),
]


@pytest.mark.parametrize("expression", POSITIVE)
def test_known_to_be_positive(expression: Expression) -> None:
    assert signs(expression) == (1, 1)


@pytest.mark.parametrize("expression", NEGATIVE)
def test_known_to_be_negative(expression: Expression) -> None:
    assert signs(expression) == (-1, -1)


@pytest.mark.parametrize("expression", NONNEGATIVE)
def test_may_be_zero_on_an_open_set(expression: Expression) -> None:
    assert signs(expression) == (0, 1)


@pytest.mark.parametrize("expression", UNKNOWN)
def test_not_known(expression: Expression) -> None:
    assert signs(expression) == (-1, 1)


def test_exact_differences_of_fractions_are_known() -> None:
    tiny = Const(Fraction(1, 10**30))
    assert signs(subtract(add(constant(1), tiny), constant(1))) == (1, 1)


def test_signs_go_through_steps() -> None:
    step = Equation("s", (), add(V, constant(1)))
    assert signs(Ref("s"), step) == (1, 1)
    itself = Equation("s", (), add(Ref("s"), V))
    assert signs(Ref("s"), itself) == (-1, 1)


def test_reads_outside_may_be_zero() -> None:
    assert signs(Ref("p", (Affine(((1, I),), 1),))) == (0, 1)


@pytest.mark.parametrize("seed", range(3))
def test_intervals_hold_at_random_points(seed: int) -> None:
    """A thousand random formulas: their values at a random point lie in their intervals."""
    rng = np.random.default_rng(seed)
    definitions = Definitions((), lambda d: Signs(TENSORS, d.equation, {}))
    x, y = rng.normal(size=2)
    v, w, u = rng.exponential(), rng.exponential(), rng.random()
    values = {"x": x, "y": y, "v": v, "w": w, "u": u}
    pool: list[tuple[Expression, float]] = [(Ref(name), value) for name, value in values.items()]
    pool += [(Const(Fraction(k, 2)), k / 2) for k in (-3, -1, 1, 2, 4)]
    one = {
        "exp": np.exp, "abs": np.abs, "tanh": np.tanh, "sin": np.sin, "cos": np.cos, "sign": np.sign,
        "relu": lambda a: max(a, 0.0), "sigmoid": lambda a: 1 / (1 + np.exp(-a)), "atan": np.arctan,
    }  # fmt: skip
    with np.errstate(all="ignore"):
        while len(pool) < 1000:
            (a, value), (b, other) = (pool[k] for k in rng.integers(len(pool), size=2))
            choices: list[tuple[Expression, float]] = [
                (add(a, b), value + other),
                (subtract(a, b), value - other),
                (multiply(a, b), value * other),
                (f("max", a, b), max(value, other)),
                (f("min", a, b), min(value, other)),
                (power(a, constant(2)), value**2),
                (power(a, constant(3)), value**3),
            ]
            if value != 0:
                choices += [(power(a, constant(-1)), 1 / value), (power(a, constant(-2)), value**-2.0)]
            if value > 0:
                choices += [(root(a), value**0.5), (f("log", a), float(np.log(value)))]
            name = list(one)[rng.integers(len(one))]
            choices.append((f(name, a), float(one[name](value))))
            new, result = choices[rng.integers(len(choices))]
            if not 1e-6 < abs(result) < 1e6:
                continue
            interval = definitions.signs.of(definitions.expanded(new))
            slack = 1e-6 * abs(result)
            assert float(interval.low) - slack <= result <= float(interval.high) + slack, new
            pool.append((new, result))
