from __future__ import annotations

import time
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

from tensorgrad_cli.algebra.elaborate import elaborate_equation
from tensorgrad_cli.algebra.expression import (
    RANGE,
    Affine,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Ref,
    Sum,
    add,
    constant,
    divide,
    fresh,
    mask,
    multiply,
    negate,
    power,
    subtract,
)
from tensorgrad_cli.algebra.invariants import check
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.matching import alike
from tensorgrad_cli.algebra.rewrite import difference, one_sum, reuse_steps, simplified
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.render import text
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.source import Source

M, N = Dimension("m"), Dimension("n")
I, J, P, Q = Index("i", M), Index("j", N), Index("p", M), Index("q", N)
SHAPES = {
    **dict.fromkeys("xac", (M,)),
    **dict.fromkeys("yb", (N,)),
    **dict.fromkeys("stu", ()),
    "W": (M, N),
    "A": (M, M),
}
SCOPE = Scope(
    tensors={name: Tensor(name, shape) for name, shape in SHAPES.items()},
    dimensions={"m": M, "n": N},
)
CASES = yaml.safe_load((Path(__file__).parent / "rewrite_cases.yaml").read_text(encoding="utf-8"))


def sides(before: str, after: str) -> tuple[Expression, Expression]:
    source = Source("case", f"{before} = {after}")
    found = elaborate_equation(parse_equation(source, SCOPE.vocabulary), SCOPE)
    assert found.mismatch is None
    return found.left.expression, found.right.expression


@pytest.mark.parametrize(
    ("before", "after"), [pytest.param(*pair, id=pair[0]) for pairs in CASES.values() for pair in pairs]
)
def test_before_and_after(before: str, after: str) -> None:
    left, right = sides(before, after)
    naming = Naming()
    tidy = check(simplified(check(left)))
    # Printed, so that the order of factors and terms counts; a zero only makes the free indices meet.
    wanted = simplified(right) if " + 0 " in after else right
    assert text.expression(tidy, naming, implied=False) == text.expression(wanted, naming, implied=False)


K = fresh(Index("k", M))
X = Ref("x", (K,))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # Gathered and numbered positions are read where the delta says; a mask of the range moves along.
        (multiply(Delta(K, Gather("t", (I,))), X), Ref("x", (Gather("t", (I,)),))),
        (multiply(Delta(I, K), mask(K, "<=", P)), mask(I, "<=", P)),
        (multiply(Delta(K, 2), mask(K, "<=", P)), Apply("<=", (0, 0), (constant(2), Ref(RANGE, (P,))))),
        # A shifted one may lie outside, where the delta is zero and x is not: it stays.
        (multiply(Delta(K, Affine(((2, I),), 1)), X), None),
        # The range takes no gathered position, and no affine one takes it.
        (multiply(Delta(K, Gather("t", (I,))), mask(K, "<=", P)), None),
        (multiply(Delta(K, Gather("t", (I,))), Ref("x", (Affine(((2, K),), 0),))), None),
    ],
)
def test_deltas_of_other_positions(before: Expression, after: Expression | None) -> None:
    total = Sum((K,), before)
    assert check(simplified(total)) == (total if after is None else after)


def test_deltas_that_are_decided() -> None:
    three = Index("i", Dimension("3"))
    shifted = Affine(((1, I),), 1)
    for never in (Delta(three, 3), Delta(I, -1), Delta(shifted, I), Delta(shifted, Affine(((1, I),), 2))):
        assert simplified(never) == constant(0)
    assert simplified(Delta(shifted, Affine(((1, I),), 1))) == constant(1)
    assert simplified(Delta(three, 2)) == Delta(three, 2)


def test_masks_that_are_decided() -> None:
    for sign, value in (("<", 0), ("<=", 1), ("=", 1), ("!=", 0)):
        assert simplified(mask(I, sign, I)) == constant(value)
    assert simplified(mask(2, "<", 3)) == constant(1)
    assert simplified(power(mask(I, "<", P), constant(2))) == mask(I, "<", P)


def test_one_sum_is_what_einsum_takes() -> None:
    left, right = sides("x[i] (Σ[q] W[i,q]) (Σ[k] a[k])", "Σ[q,k] x[i] W[i,q] a[k]")
    naming = Naming()
    assert text.expression(one_sum(left), naming) == text.expression(right, naming)


def test_one_sum_keeps_bound_indices_apart() -> None:
    k = fresh(Index("k", M))
    total = Sum((k,), Ref("x", (k,)))
    joined = check(one_sum(multiply(total, total)))
    assert isinstance(joined, Sum)
    assert len(set(joined.indices)) == 2


def test_difference_shows_what_is_too_much() -> None:
    left, right = sides("x[i] (s + t) + a[i]", "a[i] + t + x[i] (s + t)")
    assert difference(left, right) == negate(Ref("t"))


# --- steps ------------------------------------------------------------------------------------------


def call(name: str, argument: Expression) -> Apply:
    return Apply(name, (0,), (argument,))


def exponentials() -> Expression:
    k = fresh(Index("k", M))
    return Sum((k,), call("exp", Ref("z", (k,))))


CHAIN = (
    Equation("y", (I, J), call("tanh", Ref("Z", (I, J)))),
    Equation("p", (I,), divide(call("exp", Ref("z", (I,))), exponentials())),
    Equation("d", (I, J), subtract(Ref("X", (I, J)), Ref("mu", (J,)))),
    Equation("Y", (I, J), multiply(Ref("d", (I, J)), power(Ref("v", (J,)), Const(Fraction(-1, 2))))),
    Equation("twice", (I,), multiply(constant(2), Ref("x", (I,)))),
)


def test_a_derivative_uses_the_value() -> None:
    y = Ref("y", (P, Q))
    inner = call("tanh", Ref("Z", (P, Q)))
    found = reuse_steps(subtract(constant(1), power(inner, constant(2))), CHAIN)
    assert found == subtract(constant(1), power(y, constant(2)))


def test_a_product_is_recognised_within_a_larger_one() -> None:
    two = multiply(call("exp", Ref("z", (I,))), call("exp", Ref("z", (P,))))
    found = reuse_steps(divide(two, power(exponentials(), constant(2))), CHAIN)
    assert found == multiply(Ref("p", (I,)), Ref("p", (P,)))


def test_a_step_is_recognised_through_another_and_by_its_opposite() -> None:
    minus = subtract(Ref("mu", (Q,)), Ref("X", (P, Q)))
    found = reuse_steps(multiply(minus, power(Ref("v", (Q,)), Const(Fraction(-3, 2)))), CHAIN)
    v = power(Ref("v", (Q,)), constant(-1))
    assert found == multiply(constant(-1), Ref("Y", (P, Q)), v)


def test_a_step_is_recognised_on_both_sides_of_a_sum() -> None:
    q = fresh(Index("q", N))
    difference_ = subtract(Ref("X", (P, q)), Ref("s", (P,)))
    chain = (Equation("h", (I, J), divide(subtract(Ref("X", (I, J)), Ref("s", (I,))), Ref("s", (I,)))),)
    total = Sum((q,), multiply(difference_, Ref("W", (P, q))))
    found = reuse_steps(divide(total, power(Ref("s", (P,)), constant(2))), chain)
    wanted = Sum((q,), multiply(Ref("h", (P, q)), Ref("W", (P, q))))
    assert alike(found, divide(wanted, Ref("s", (P,))))


def test_products_of_entries_are_not_worth_a_name() -> None:
    plain = multiply(constant(2), Ref("x", (P,)))
    assert reuse_steps(plain, CHAIN) == plain


def test_many_deltas_and_a_deep_expression_take_no_time() -> None:
    """Multiplying out stops where nothing is gained, and shared parts are done once."""
    start = time.perf_counter()
    bound = [fresh(Index("k", M)) for _ in range(12)]
    factors = [add(Delta(P, k), negate(Ref("a", (k,)))) for k in bound]
    check(simplified(Sum(tuple(bound), multiply(*factors))))
    deep: Expression = Ref("x", (I,))
    for _ in range(9):
        deep = add(multiply(deep, deep), call("tanh", deep))
    simplified(deep)
    assert time.perf_counter() - start < 120
