from __future__ import annotations

import pytest

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Affine,
    Apply,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    add,
    fresh,
    multiply,
    size,
)
from tensorgrad_cli.algebra.invariants import check, check_equation

M, N = Dimension("m"), Dimension("n")
I, J = Index("i", M), Index("j", N)
K = fresh(Index("k", M))
X, XK = Ref("x", (I,)), Ref("x", (K,))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (XK, "outside of its sum"),
        (multiply(XK, Sum((K,), XK)), "outside of its sum"),
        (Sum((K,), multiply(XK, Sum((K,), XK))), "within its own sum"),
        (Sum((K, K), XK), "within its own sum"),
        (Sum((), X), "over nothing"),
        (Sum((I,), X), "without a serial"),
        (Op("max", (I,), (), (X,)), "without a serial"),
        (Sum((Index("size", M, -1),), X), "not a sum of ones"),
        (add(X, Ref("y", (Index("i", N),))), "two dimensions"),
        (Apply("tanh", (0, 0), (X,)), "an order of 2"),
        (Product((X,)), "not flat"),
        (Add((X, Add((X, X)))), "not flat"),
        (Ref("x", (Affine(((1, I),), 0),)), "a plain one"),
        (Ref("x", (Affine(((0, I), (2, J)), 1),)), "a plain one"),
    ],
)
def test_what_is_wrong_is_said(wrong: Expression, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check(wrong)


def test_what_is_right_is_returned() -> None:
    total = Sum((K,), XK)
    for right in (X, total, multiply(total, total), size(M), Ref("x", (Affine(((2, I),), 1),)), ONE):
        assert check(right) is right
    assert check(XK, inside=frozenset((K,))) is XK


def test_equations() -> None:
    right = Equation("y", (I, J), X)
    assert check_equation(right) is right
    with pytest.raises(ValueError, match="does not stand on the left"):
        check_equation(Equation("y", (J,), X))
    with pytest.raises(ValueError, match="twice on the left"):
        check_equation(Equation("y", (I, I), X))
