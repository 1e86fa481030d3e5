"""The rules of the derivative: each node, each operation, each kind of position, against the complex step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import ZERO, Apply, Dimension, Expression, Index
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.normal import equal
from tensorgrad_cli.calculus.derivative import derivative, lowered

TENSORS = """\
x: [n]
  y: [n]
  z: [m]
  M: [m, n]
  A: [n, n]
  B: [n, n]
  D: [k, k]
  T: [m, n, k, n]
  c: []
  v: {shape: [n], values: positive}
  k2: {shape: [], values: positive}
"""

# One step each; every tensor in it is differentiated by, twice where that is small.
STEPS = [
    # sums, products, powers, quotients
    "s[i] = 3 x[i] - y[i] / 2 + 7",
    "s = x[i] y[i] x[i]",
    "s = x[i] A[i,j] x[j] (c + 1)",
    "s = (x[i] y[i])^3",
    "s[i] = x[i]^2 / (1 + y[i]^2)",
    "s[i] = v[i]^x[i]",
    "s[i] = 2^x[i] + v[i]^(-3/2) + v[i]^c",
    "s[i] = x[i]^0 + y[i]^1",
    "s = (x[i] y[i]) (x[j] y[j]) - (sum[i] x[i])^2",
    "s = 1 / (x[i] x[i])",
    # positions: traces, diagonals, fixed ones, deltas, repeated free indices
    "s = A[i,i] B[i,i]",
    "s[i] = A[i,i] x[i]",
    "s[j] = A[0,j] A[j,1] + x[0] y[j]",
    "s[i,j] = delta[i,j] x[i] y[j]",
    "s[i,l] = T[i,j,l,j] - T[i,0,l,1]",
    "s[j] = T[i,j,l,j] z[i] D[l,l]",
    # a sum without what it sums, a tensor repeated along an axis
    "s[i,j] = x[j] + A[i,0]",
    "s = n (sum[i] x[i]) / sqrt(m)",
    # functions, of several arguments, abstract, inside each other
    "s[i] = tanh(sin(x[i] y[i]) + c)",
    "s[i] = f(x[i]) g(x[i], y[i])",
    "s[i] = g(f(x[i]), g(y[i], x[i]))",
    "s[i] = f'(x[i]) + g.1(x[i], y[i]) - g.2.2(y[i], c)",
    "s[i] = h(x[i], y[i])",
    "s[i] = h.1(x[i], c) + sigmoid'(x[i]) + tanh''(y[i])",
    "s[i] = atan2(x[i], v[i]) + hypot(v[i], 1) + pow(v[i], y[i])",
    # operations along indices
    "s[i] = mean[j](M[i,j])",
    "s[i] = var[j](M[i,j]) + std[j](M[i,j])",
    "s = (prod[j](x[j] + 3)) (prod[j](y[j]))",
    "s[i] = logsumexp[j](M[i,j] x[j])",
    "s[i,j] = softmax[j](M[i,j] y[j])",
    "s[i,j] = log_softmax[j](M[i,j])",
    "s[i,j] = cumsum[j](M[i,j] x[j])",
    "s[i,j] = normalize[j](M[i,j])",
    "s[i] = norm[j](M[i,j]) + norm[j](M[i,j] - x[j])",
    "s = softmax[j](x[j]) y[j]",
    "s[i] = softmax[j](x[j]) M[i,j]",
    "s = max[i,j](M[i,j]) + min[j](x[j])",
    # matrices
    "s = det(A) + det(A B)",
    "s = logdet(A)",
    "s = inv(A) B",
    "s = tr(inv(A) B inv(A))",
    "s = A^3 x",
    "s = xᵀ A^-2 y",
    "s = kron(A, D)",
    "s = vec(Mᵀ)",
    "s = diag(x) A diag(diag(B))",
    "s = outer(x, z) - Mᵀ + inner(A, B)",
    "s = norm(M) Mᵀ",
    "s = sum(M, axis=0) ⊙ x + mean(A, axis=1)",
    "s = (A + 5 I)^-1 (x + ones)",
    "s = softmax(M, axis=1) softmax(x)",
]


def text_of(step: str) -> str:
    return f"tensors:\n  {TENSORS}functions: [f, g, 'h(a, b) = sin(a b) + a^3 / (1 + b^2)']\nchain:\n  - \"{step}\"\n"


@pytest.mark.parametrize("step", STEPS)
def test_a_step_by_each_tensor_in_it(at_point: Any, close: Any, step: str) -> None:
    point = at_point(text_of(step))
    for tensor in point.inputs_of("s"):
        stepped = point.stepped("s", tensor)
        close(point.jacobian("s", tensor), stepped, f"{step} by {tensor}")
        close(point.total("s", tensor), stepped, f"{step} by {tensor}")


@pytest.mark.parametrize("step", STEPS)
def test_a_step_twice(at_point: Any, close: Any, step: str) -> None:
    point = at_point(text_of(step))
    small = [t for t in point.inputs_of("s") if np.size(point.here.arrays[t]) <= 9]
    for tensor in small:
        point.total("s", tensor)
        for other in small:
            close(
                point.total("s", tensor, other),
                point.stepped(f"∂s/∂{tensor}", other),
                f"{step} by {tensor} and {other}",
            )


def test_the_second_derivative_is_symmetric(at_point: Any, close: Any) -> None:
    point = at_point(text_of("s = g(x[i], y[i]) A[i,j] f(x[j])"))
    hessian = point.total("s", "x", "x")
    close(hessian, hessian.T)
    close(point.total("s", "x", "y"), point.total("s", "y", "x").T)


N = Dimension("n")
I, J, P = (Index(name, N) for name in "ijp")


def right_side(at_point: Any, step: str) -> Expression:
    return at_point(text_of(step)).equation("s").expression


@pytest.mark.parametrize("step", ["s[i] = 3 x[i] - y[i] / 2", "s = x[i] A[i,j] y[j]", "s[i] = f(x[i]) + c"])
def test_what_does_not_stand_in_it_gives_zero(at_point: Any, step: str) -> None:
    expression = right_side(at_point, step)
    assert derivative(expression, "M", (Index("p", Dimension("m")), P)) == ZERO
    assert derivative(expression, "nobody", ()) == ZERO


def test_stop_gradient_is_held(at_point: Any) -> None:
    assert derivative(right_side(at_point, "s[i] = stop_gradient(x[i]^2)"), "x", (P,)) == ZERO


def test_a_sum_rule_and_a_product_rule(at_point: Any) -> None:
    def of(step: str) -> Expression:
        return derivative(right_side(at_point, step), "x", (P,))

    one, other = "x[i]^2 A[i,j] x[j]", "sin(x[i]) y[i]"
    assert equal(of(f"s = {one} + {other}"), of(f"s = 1 {one} + 1 {other}"))
    assert equal(of(f"s = 5 (sum[i,j] {one})"), of(f"s = (sum[i,j] {one}) + 4 (sum[i,j] {one})"))


def test_lowered_leaves_primes_to_abstract_functions_only(at_point: Any, nodes: Any) -> None:
    point = at_point(text_of("s[i] = h.1.1(x[i], y[i]) + sigmoid''(x[i]) + f''(x[i]) + g.1.2(x[i], y[i])"))
    step = point.spec.chain[0].equation
    calls = [part for part in nodes(lowered(step.expression, point.spec.scope)) if isinstance(part, Apply)]
    assert {call.function for call in calls if any(call.order)} == {"f", "g"}
    assert all(call.function in {*FUNCTIONS, "pow", "f", "g"} for call in calls)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(["x[i]", "y[i]", "A[i,j]", "x[j]", "f(y[j])", "c"]), min_size=1, max_size=5),
    st.integers(1, 4),
)
def test_products_of_repeated_factors(at_point: Any, close: Any, factors: list[str], exponent: int) -> None:
    step = f"s = sum[i,j] (x[i] + y[j]) {' '.join(factors)} x[i]^{exponent}"
    point = at_point(text_of(step))
    for tensor in point.inputs_of("s"):
        close(point.total("s", tensor), point.stepped("s", tensor), f"{step} by {tensor}")
