"""Formulas on one line as one writes them by hand, in Unicode and in ASCII."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import pytest

from tensorgrad_cli.algebra.elaborate import elaborate_equation
from tensorgrad_cli.algebra.expression import (
    Apply,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    constant,
    divide,
    fresh,
    multiply,
    power,
    size,
    summation,
)
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.render import ascii, text
from tensorgrad_cli.render.naming import Naming, bar_spelling
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.chain_formulas import chain_checks, displayed, pullback_of
from tensorgrad_cli.verify.ground import Ground

Check = Callable[[Equation, Scope, Naming], None]

M, N = Dimension("m"), Dimension("n")
SHAPES = {"x": (M, N), "w": (N, M), "a": (N,), "b": (N,), "y": (M,), "c": (), "S": (N, N)}
SCOPE = Scope(
    tensors={name: Tensor(name, shape) for name, shape in SHAPES.items()},
    dimensions={"m": M, "n": N},
    abstract={"f": 1, "C": 2},
)
NAMING = Naming(
    ranks={name: len(shape) for name, shape in SHAPES.items()},
    functions=frozenset({"f", "C"}),
    dimensions=frozenset({"m", "n"}),
)


@pytest.mark.parametrize(
    "line",
    [
        "y[i] = x[i,k] a[k]",
        "y[i] = tanh(x[i,k] a[k]) f'(y[i])",
        "y[i] = Σ[k] x[i,k]",
        "y[i] = Σ[k] x[i,k] a[k]²",
        "y[i] = Σ[k] x[i,k] (a[k] + b[k])",
        "y[i] = 2 y[i] Σ[k] x[i,k] / a[k]",
        "y[i] = 1/n Σ[k] x[i,k]",
        "y[i] = (Σ[k] a[k] b[k]) / (Σ[k] a[k] a[k])",
        "y[i] = exp(y[i]) / Σ[j] exp(y[j])",
        "y[i] = -2 y[i] / (3 c³)",
        "y[i] = 1/2 y[i] - 1/3",
        "y[i] = y[i] / m",
        "y[i] = y[i] / (m c²)",
        "y[i] = 1 - y[i]²",
        "y[i] = -(y[i] + c) y[i]",
        "y[i] = (y[i] + c)² - 3 (c - y[i])",
        "y[i] = c^(1/2) + 2^c + c^(-c)",
        "y[i] = C.1.2(y[i], c) + C.2(c, c)",
        "y[i] = max[k](x[i,k]) + softmax[i](y[i]) + norm[k](x[i,k], p=1)",
        "y[i] = inv(S)[0,0] + logdet(S) y[i]",
        "y[i] = δ[i,0] + x[i,0] π",
        "y[i] = S[k,k]",
        "y[i] = Σ[k] f(a[k])",
        "y[i] = c f(Σ[k] a[k])",
        "y[i] = Σ[k] a[k] (Σ[l] S[k,l] b[l])²",
        "y[i] = y[i] Σ[k] b[k]",
    ],
)
def test_written_by_hand(line: str) -> None:
    read_back = elaborate_equation(parse_equation(Source("line", line), SCOPE.vocabulary), SCOPE)
    equation = Equation("y", read_back.free, read_back.right.expression)
    assert text.equation(equation, NAMING) == line


def test_every_sum_written() -> None:
    i, k = Index("i", M), fresh(Index("k", N))
    equation = Equation("y", (i,), Sum((k,), Product((Ref("x", (i, k)), Ref("a", (k,))))))
    assert text.equation(equation, NAMING, implied=False) == "y[i] = Σ[k] x[i,k] a[k]"
    assert ascii.equation(equation, NAMING, implied=False) == "y[i] = sum[k] x[i,k] a[k]"


def test_rule_0_is_written_out() -> None:
    """`a[k] b[k] / (a[k] a[k])` has two readings; the sum over the fraction is written."""
    k = fresh(Index("k", N))
    a, b = Ref("a", (k,)), Ref("b", (k,))
    fraction = Sum((k,), multiply(a, b, power(multiply(a, a), constant(-1))))
    assert text.expression(fraction, NAMING) == "Σ[k] a[k] b[k] / (a[k] a[k])"


def test_names_of_bound_indices_do_not_clash() -> None:
    i, other = Index("i", M), fresh(Index("i", M))
    assert text.expression(multiply(Ref("y", (i,)), summation((other,), Ref("y", (other,)))), NAMING) == (
        "y[i] Σ[j] y[j]"
    )


def test_range_that_nothing_tells_is_written() -> None:
    k = fresh(Index("k", N))
    assert text.expression(Sum((k,), Ref("c")), NAMING) == "Σ[k:n] c"


def naming(
    d: Derivative, *names: str, functions: tuple[str, ...] = (), dimensions: tuple[str, ...] = ()
) -> Naming:
    ranks = NAMING.ranks | dict.fromkeys(names, 0)
    return Naming(
        ranks=ranks,
        derivatives={d.name: d},
        functions=frozenset(functions),
        dimensions=frozenset(dimensions),
    )


FIRST = Derivative("∂x/∂w", "x", ("w",))
SECOND = Derivative("∂²c/∂a∂b", "c", ("a", "b"))
OWN = Derivative("∂⁺c/∂a", "c", ("a",), own=True)
I, J, K, L = Index("i", M), Index("j", N), Index("k", N), Index("l", M)


@pytest.mark.parametrize(
    ("d", "indices", "taken", "wanted_text", "wanted_ascii"),
    [
        (FIRST, (I, J, K, L), (), "∂x[i,j]/∂w[k,l]", "dx[i,j]/dw[k,l]"),
        (FIRST, (I, J, K, L), ("d",), "∂x[i,j]/∂w[k,l]", "dx[i,j]/dw[k,l]"),
        (FIRST, (I, J, K, L), ("dx",), "∂x[i,j]/∂w[k,l]", "d x[i,j]/d w[k,l]"),
        (FIRST, (I, J, K, L), ("d", "dx"), "∂x[i,j]/∂w[k,l]", "partial x[i,j]/partial w[k,l]"),
        (FIRST, (I, J, K, L), ("d", "dx", "partial"), "∂x[i,j]/∂w[k,l]", "u2202 x[i,j]/u2202 w[k,l]"),
        (SECOND, (J, K), (), "∂²c/∂a[j]∂b[k]", "d^2 c/d a[j] d b[k]"),
        (SECOND, (J, K), ("d",), "∂²c/∂a[j]∂b[k]", "partial^2 c/partial a[j] partial b[k]"),
        (OWN, (J,), (), "∂⁺c/∂a[j]", "d^+ c/d a[j]"),
        (OWN, (J,), ("d",), "∂⁺c/∂a[j]", "partial^+ c/partial a[j]"),
    ],
)
def test_derivatives(
    d: Derivative, indices: tuple[Index, ...], taken: tuple[str, ...], wanted_text: str, wanted_ascii: str
) -> None:
    names = naming(d, *taken)
    assert text.expression(Ref(d.name, indices), names) == wanted_text
    assert ascii.expression(Ref(d.name, indices), names) == wanted_ascii


def test_derivative_of_an_expression() -> None:
    d = Derivative("∂‹1›/∂a", "‹1›", ("a",))
    i = Index("i", M)
    for body, wanted in (
        (Apply("f", (0,), (Ref("y", (i,)),)), "∂f(y[i])/∂a[j]"),
        (multiply(constant(2), Ref("y", (i,))), "∂(2 y[i])/∂a[j]"),
    ):
        names = Naming(
            ranks=NAMING.ranks | {"‹1›": 1},
            derivatives={d.name: d},
            definitions={"‹1›": Equation("‹1›", (i,), body)},
        )
        assert text.expression(Ref(d.name, (I, J)), names) == wanted


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        # A function C hides the tensor C: its parenthesis would be taken for arguments.
        (multiply(Ref("C"), power(Ref("c"), constant(1)), Product((Ref("c"), Ref("c")))), "C c c c"),
        (Product((Ref("C"), Apply("pow", (0, 0), (Ref("c"), Ref("C"))))), "C c^(C)"),
        (power(Ref("c"), Ref("T")), "c^(T)"),
        (Product((Ref("C"), divide(Ref("c"), Ref("c")))), "C * (c / c)"),
        # What follows a numeral is no numeral.
        (multiply(constant(2), Apply("pow", (0, 0), (constant(3), Ref("c")))), "2 (3^c)"),
        (power(Ref("c"), constant(1000)), "c^(1000)"),
        (size(Dimension("m·n", ((1, ("m", "n")),))), "m n"),
        (size(Dimension("m-1", ((1, ("m",)), (-1, ())))), "m - 1"),
        (Op("prod", (L,), (), (Ref("y", (L,)),)), "prod[l](y[l])"),
        (Product((Op("prod", (L,), (), (Ref("y", (L,)),)), Ref("c"))), "(prod[l](y[l])) c"),
    ],
)
def test_forms(expression: Expression, wanted: str) -> None:
    names = Naming(ranks=NAMING.ranks | {"C": 0, "T": 0}, functions=frozenset({"C"}))
    assert text.expression(expression, names) == wanted


def test_parameter_of_an_operation_is_a_numeral() -> None:
    k = fresh(Index("k", N))
    norm = Op("norm", (k,), (), (Ref("a", (k,)),), (("p", Fraction(3, 2)),))
    assert text.expression(norm, NAMING) == "norm[k](a[k], p=1.5)"


@pytest.mark.parametrize(
    ("name", "spelling", "wanted"),
    [
        ("w", "w", "w̄"),
        ("omega", "ω", "ω̄"),
        ("omega", "omega", "omega_bar"),
        ("y_hat", "ŷ", "y_hat_bar"),
        ("z1", "z1", "z1_bar"),
        ("cost", "cost", "cost_bar"),
    ],
)
def test_bars(name: str, spelling: str, wanted: str) -> None:
    assert bar_spelling(f"{name}_bar", spelling) == wanted


OPERATIONS = """
tensors: {x: [m, n], u: [n], W: [m, n], S: [n, n], d: []}
functions: [g]
chain:
  - s[i,j] = cumsum[j](x[i,j])
  - mx[i] = max[j](x[i,j])
  - pr[i] = prod[j](x[i,j])
  - n2 = norm[j](u[j], p=3)
  - q[i] = softmax[i](W[i,0])
  - r[i,j] = relu(x[i,j]) max(x[i,j], u[j]) gelu(u[j])
  - sd[i] = std[j](x[i,j], ddof=1)
  - nn[i,j] = normalize[j](x[i,j])
  - ls[i,j] = log_softmax[j](x[i,j] u[j])
  - t = det(S) + logdet(S S) + inv(S)[0,1] + tr(S) + d^2
  - v = mean[i](x[i,0]) + g(d) + u[0]^d
  - z[i,j] = delta[i,0] x[i,0] u[0] + W[i,j]
  - cost = sum[i,j] s[i,j]^2 + sum[i] mx[i] pr[i] sd[i] + n2 + q[0] + t v
"""


def test_derivatives_of_operations(reads_back: Check, barred: Callable[[Scope], Scope]) -> None:
    spec, issues = read(Source("operations", OPERATIONS))
    assert spec is not None, issues
    ground = Ground(spec)
    scope = barred(ground.scope)
    for check in chain_checks(ground):
        equation, shown = displayed(ground, check)
        reads_back(equation, scope, ground.naming(extra=(shown,)))
        if check.kind == "step":
            reads_back(pullback_of(ground, check), scope, ground.naming())
