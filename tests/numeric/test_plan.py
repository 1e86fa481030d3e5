"""What a plan consists of: one contraction for a product, no deltas, equal things once."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import (
    Affine,
    Apply,
    Delta,
    Dimension,
    Gather,
    Index,
    Ref,
    add,
    constant,
    fresh,
    multiply,
    negate,
    power,
    summation,
)
from tensorgrad_cli.numeric.evaluate import Environment, evaluate
from tensorgrad_cli.numeric.plan import plan
from tensorgrad_cli.numeric.steps import (
    BATCH,
    Accumulation,
    Contraction,
    Elementwise,
    Power,
    View,
)

M, N, P = Dimension("m"), Dimension("n"), Dimension("p")
I, J = Index("i", M), Index("j", N)
K = fresh(Index("k", P))
A, B = Index("a", N), Index("b", N)


def kinds(made):
    return [type(step) for step in made.steps]


def test_one_product_with_its_sums_is_one_contraction():
    inner = summation((K,), multiply(Ref("x", (I, K)), Ref("w", (K, J))))
    made = plan(multiply(constant(3), Ref("s", (J,)), inner), (I, J))
    assert kinds(made) == [View, View, View, Contraction]
    assert made.steps[-1].subscripts == "a,bc,ca->ba"
    assert made.steps[-1].coefficient == 3


def test_powers_and_additions_are_operands():
    bracket = add(Ref("x", (I, K)), Ref("y", (K,)))
    made = plan(summation((K,), multiply(bracket, power(Ref("y", (K,)), constant(-1)))), (I,))
    assert kinds(made) == [View, View, Accumulation, Power, Contraction]
    assert made.steps[-1].subscripts == "ab,b->a"


def test_equal_subexpressions_are_one_slot():
    f = Apply("f", (0,), (Ref("x", (I, K)),))
    made = plan(summation((K,), multiply(f, f)), (I,))
    assert kinds(made) == [View, Elementwise, Contraction]
    assert made.steps[-1].operands == (1, 1)


def test_a_delta_is_a_substitution_of_indices():
    inner = fresh(Index("l", N))
    expression = summation(
        (inner, K), multiply(Ref("w", (K, inner)), Delta(inner, J), Apply("f", (0,), (Ref("v", (inner,)),)))
    )
    made = plan(expression, (J,))
    assert made.steps[-1].subscripts == "ab,b->b"
    # Two deltas in a chain, one of them with a fixed position.
    fixed = summation((inner,), multiply(Ref("w", (0, inner)), Delta(inner, J), Delta(J, 2)))
    made = plan(fixed, (J,))
    assert made.steps[0] == View("w", ((0, 0), (1, 2)))


def test_only_summands_with_a_delta_are_multiplied_out():
    inner = fresh(Index("l", N))
    bracket = add(Delta(inner, J), negate(Ref("v", (J,))), Ref("u", (inner,)))
    made = plan(summation((inner,), multiply(Ref("q", (inner,)), bracket)), (J,))
    contractions = [step for step in made.steps if isinstance(step, Contraction)]
    assert [step.subscripts for step in contractions] == ["a,ba->b"]


def test_a_batch_is_one_more_index():
    expression = summation((K,), multiply(Ref("x", (I, K)), Ref("w", (K, J))))
    made = plan(expression, (I, J), frozenset({"w", "unread"}))
    assert made.order == (BATCH, I, J)
    assert made.steps[-1].subscripts == "ab,cbd->cad"
    assert made.batched == ("w",)
    assert plan(expression, (I, J), frozenset({"w"})) is plan(expression, (I, J), frozenset({"w", "unread"}))


def test_plans_are_cached():
    expression = multiply(Ref("x", (I, K)), Ref("y", (J,)))
    assert plan(expression, (I, J, K)) is plan(multiply(Ref("x", (I, K)), Ref("y", (J,))), (I, J, K))


def test_slots_are_dropped_after_their_last_use():
    f = Apply("f", (0,), (Ref("x", (I, K)),))
    made = plan(summation((K,), multiply(f, Ref("w", (K, J)))), (I, J))
    assert made.drops == ((), (0,), (), (1, 2))


def test_what_is_refused():
    with pytest.raises(NotImplementedError):
        plan(Ref("x", (Affine(((2, I),), 1),)), (I,))
    with pytest.raises(NotImplementedError):
        plan(Ref("x", (Gather("t", (I,)),)), (I,))
    with pytest.raises(ValueError, match="without an axis: k"):
        plan(Ref("x", (I, K)), (I,))
    with pytest.raises(ValueError, match="not lowered"):
        plan(Apply("tanh", (1,), (Ref("s"),)), ())


def test_deltas_take_no_memory():
    """Each of these would take 800 MB if a delta of 10,000 x 10,000 were an operand."""
    size = 10_000
    env = Environment(
        {"x": np.ones(size), "y": np.ones(size), "w": np.ones((3, size))}, sizes={"m": size, "p": 3}
    )
    a, b, c = (fresh(Index(name, M)) for name in "abc")
    difference = add(Delta(a, b), negate(Ref("y", (b,))))
    expressions = [
        (summation((a,), multiply(Ref("x", (a,)), Delta(a, I))), (I,)),
        (summation((a, b), multiply(Ref("x", (a,)), Delta(a, b), Delta(b, I), Ref("w", (K, b)))), (I, K)),
        (summation((a, b), multiply(Ref("x", (a,)), difference, Ref("y", (b,)))), ()),
        (summation((a, b, c), multiply(Delta(a, b), Delta(b, c))), ()),
        (summation((a, b), multiply(Apply("tanh", (0,), (Ref("x", (a,)),)), difference, Delta(a, 3))), ()),
    ]
    for expression, order in expressions:
        tracemalloc.start()
        evaluate(expression, order, env)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 5_000_000, expression


def test_opt_einsum_is_imported_for_three_large_operands_only():
    program = """
import sys, numpy as np
from tensorgrad_cli.numeric.contract import contractor
x = np.ones((2, 2))
contractor("ab,bc->ac", ((2, 2), (2, 2))).call([x, x])
contractor("ab,ab,a->ab", ((2, 2), (2, 2), (2,))).call([x, x, x[0]])
assert "opt_einsum" not in sys.modules
small = contractor("ab,bc,cd->ad", ((2, 2),) * 3).call([x, x, x])
assert "opt_einsum" not in sys.modules and np.array_equal(small, x @ x @ x)
y = np.ones((9, 9))
large = contractor("ab,bc,cd->ad", ((9, 9),) * 3).call([y, y, y])
assert "opt_einsum" in sys.modules and np.array_equal(large, y @ y @ y)
"""
    subprocess.run([sys.executable, "-c", program], check=True)
