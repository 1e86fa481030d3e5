"""Expressions in the model's terms: definitions put in, logarithms spread."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tensorgrad_cli.algebra.expression import (
    Apply,
    Const,
    Dimension,
    Equation,
    Expression,
    Index,
    Ref,
    add,
    constant,
    divide,
    multiply,
    power,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import (
    function_definition,
    function_derivative,
    function_domain,
    instantiate,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.calculus.derivative import derivative
from tensorgrad_cli.exact.decide import decide
from tensorgrad_cli.exact.definitions import NATIVE, Definitions
from tensorgrad_cli.exact.signs import Signs

TENSORS = {
    "x": Tensor("x", ()),
    "v": Tensor("v", (), values="positive"),
    "w": Tensor("w", (), values="positive"),
}
X, V, W = Ref("x"), Ref("v"), Ref("w")


def expanded(expression: Expression, *equations: Equation) -> Expression:
    return Definitions(equations, lambda d: Signs(TENSORS, d.equation, {})).expanded(expression)


def log(argument: Expression) -> Expression:
    return Apply("log", (0,), (argument,))


def magnitude(argument: Expression) -> Expression:
    return Apply("abs", (0,), (argument,))


HALF = Const(Fraction(1, 2))
EXP = Apply("exp", (0,), (X,))


@pytest.mark.parametrize(
    ("argument", "result"),
    [
        (constant(1), constant(0)),
        (constant(12), add(multiply(constant(2), log(constant(2))), log(constant(3)))),
        (EXP, X),
        (multiply(V, W), add(log(V), log(W))),
        (divide(V, W), add(log(V), multiply(constant(-1), log(W)))),
        (power(V, HALF), multiply(HALF, log(V))),
        (power(X, constant(2)), multiply(constant(2), log(magnitude(X)))),
        (multiply(X, V), add(log(V), log(X))),
        (multiply(constant(-2), X), add(log(constant(2)), log(multiply(constant(-1), X)))),
        (magnitude(multiply(X, V)), add(log(magnitude(X)), log(V))),
        (magnitude(power(X, constant(-3))), multiply(constant(-3), log(magnitude(X)))),
        (multiply(V, EXP), add(log(V), X)),
    ],
)
def test_logarithms_are_spread(argument: Expression, result: Expression) -> None:
    assert expanded(log(argument)) == result


def test_logarithms_look_into_steps() -> None:
    n = Dimension("n")
    i, j = Index("i", n), Index("j", n)
    step = Equation("p", (i,), divide(Apply("exp", (0,), (Ref("y", (i,)),)), V))
    assert expanded(log(Ref("p", (j,))), step) == add(Ref("y", (j,)), multiply(constant(-1), log(V)))


def test_a_root_of_a_square_is_a_magnitude() -> None:
    assert expanded(Apply("sqrt", (0,), (power(X, constant(2)),))) == magnitude(X)
    assert expanded(power(power(X, constant(2)), Const(Fraction(3, 2)))) == power(magnitude(X), constant(3))


def test_nested_maxima_are_one_of_many_arguments() -> None:
    inner = Apply("max", (0, 0), (V, W))
    assert expanded(Apply("max", (0, 0), (X, inner))) == Apply("max", (0, 0, 0), (X, V, W))


@pytest.mark.parametrize("name", [name for name, row in FUNCTIONS.items() if row.definition])
def test_definitions_end_in_what_the_model_knows(name: str) -> None:
    row = FUNCTIONS[name]
    arguments = tuple(Ref(parameter) for parameter in row.parameters)
    whole = expanded(Apply(name, (0,) * len(arguments), arguments))
    for part in subexpressions(whole):
        assert (
            not isinstance(part, Apply) or part.function in NATIVE or not FUNCTIONS[part.function].definition
        )


# Held constant by definition; a clamp is that only where its ends are in order, which no fact says.
EXCEPTIONS = {("stop_gradient", 0): "different", ("clamp", 1): "unknown", ("clamp", 2): "unknown"}


@pytest.mark.parametrize(
    ("name", "place"),
    [(n, k) for n, row in FUNCTIONS.items() if row.definition for k in range(len(row.parameters))],
)
def test_the_derivative_of_a_row_follows_from_its_definition(name: str, place: int) -> None:
    """Each row's derivative is proved from its definition."""
    row = FUNCTIONS[name]
    definition = function_definition(name)
    assert definition is not None
    positive = {str(e.tensor) for e, _ in function_domain(name) if isinstance(e, Ref)}
    tensors = {p: Tensor(p, (), values="positive" if p in positive else "normal") for p in row.parameters}
    value = Apply(name, (0,) * len(row.parameters), tuple(map(Ref, row.parameters)))
    stated = instantiate(function_derivative(name, place), {"y": value})
    derived = derivative(definition, row.parameters[place], ())
    decision = decide(stated, derived, (), (), tensors)
    assert decision.outcome == EXCEPTIONS.get((name, place), "equal")
