"""The LaTeX is LaTeX: braces and \\left/\\right meet, only known commands, no double scripts or signs."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import (
    Add,
    Apply,
    Const,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Ref,
    add,
    divide,
    fresh,
    multiply,
    negate,
    power,
    size,
    summation,
)
from tensorgrad_cli.render import latex
from tensorgrad_cli.render.naming import Naming

KNOWN = frozenset(
    r"""frac partial sum delta pi left right mathrm operatorname text sqrt hat bar tilde dot ddot breve check vec
    alpha beta gamma omega eta mu varepsilon Gamma le ge ne exp log sin cos tan tanh max min det top otimes _ , mid""".split()
)
TOKEN = re.compile(r"\\([A-Za-z]+|.)|([{}_^])|([^\\{}_^])")


def check_latex(text: str) -> None:
    """A small checker of what TeX would refuse, and of what reads badly."""
    depth, fences, scripts = 0, 0, [set[str]()]
    previous = ""
    for found in TOKEN.finditer(text):
        command, sign, plain = found.groups()
        if command:
            assert command in KNOWN, f"\\{command} in {text}"
            fences += {"left": 1, "right": -1}.get(command, 0)
            assert fences >= 0, text
            scripts[-1] = set()
        elif sign == "{":
            depth += 1
            scripts.append(set())
            if previous not in "_^" or not previous:
                scripts[-2] = scripts[-2] if previous == "}" else set()
        elif sign == "}":
            depth -= 1
            assert depth >= 0, text
            scripts.pop()
        elif sign:
            assert sign not in scripts[-1], f"double {sign} in {text}"
            scripts[-1].add(sign)
        elif plain and plain.strip():
            assert plain.isascii() or "\\text{" in text, text
            if previous not in ("_", "^"):
                scripts[-1] = set()
        previous = sign or plain or ""
    assert depth == 0, text
    assert fences == 0, text
    assert not re.search(r"[-+] *[-+]", text), text
    assert not re.search(r"\\[A-Za-z]+[A-Za-z0-9]*\\?_\{\}", text), text
    assert "{}" not in text, text


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x", "x"),
        ("cost", r"\mathrm{cost}"),
        ("ŷ", r"\hat{y}"),
        ("y_hat", r"\hat{y}"),
        ("w_bar", r"\bar{w}"),
        ("y_hat_bar", r"\bar{\hat{y}}"),
        ("z1_bar", r"\bar{z}_{1}"),
        ("ω", r"\omega"),
        ("omega", r"\omega"),
        ("W1", "W_{1}"),
        ("x_1", "x_{1}"),
        ("w_out", r"w_{\mathrm{out}}"),
        ("hidden_2", r"\mathrm{hidden}_{2}"),
        ("μ", r"\mu"),
        ("ж", r"\text{ж}"),
        ("_", r"\mathrm{\_}"),
    ],
)
def test_names(name: str, wanted: str) -> None:
    assert latex.name(name) == wanted
    check_latex(latex.name(name))


M, P = Dimension("m"), Dimension("p")
I, J = Index("i", M), Index("alpha", P)
W, V, C = Ref("w_out", (I, J)), Ref("y_hat", (J,)), Ref("cost")
D = Ref("∂cost/∂w_out", (I, J))
NAMING = Naming(
    ranks={"cost": 0, "w_out": 2, "y_hat": 1},
    derivatives={
        "∂cost/∂w_out": Derivative("∂cost/∂w_out", "cost", ("w_out",)),
        "∂²cost/∂y_hat∂w_out": Derivative("∂²cost/∂y_hat∂w_out", "cost", ("y_hat", "w_out")),
    },
    functions=frozenset({"f", "C"}),
)


def f(e: Expression, order: int = 0) -> Expression:
    return Apply("f", (order,), (e,))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        (divide(C, size(M)), r"\frac{\mathrm{cost}}{m}"),
        (negate(divide(V, multiply(size(M), power(C, Const(Fraction(3)))))),
         r"-\frac{\hat{y}_{\alpha}}{m\, \mathrm{cost}^{3}}"),
        (power(f(V, 1), Const(Fraction(2))), r"{f'\left(\hat{y}_{\alpha}\right)}^{2}"),
        (power(D, Const(Fraction(2))),
         r"\left(\frac{\partial \mathrm{cost}}{\partial {w_{\mathrm{out}}}_{i,\alpha}}\right)^{2}"),
        (Add((C, negate(add(V, C)))), r"\mathrm{cost} + \left(-\hat{y}_{\alpha} - \mathrm{cost}\right)"),
        (Apply("sqrt", (0,), (C,)), r"\sqrt{\mathrm{cost}}"),
        (Apply("abs", (0,), (C,)), r"\left|\mathrm{cost}\right|"),
        (Apply("C", (1, 1), (C, C)),
         r"\partial_{1,2} C\left(\mathrm{cost}, \mathrm{cost}\right)"),
        (multiply(Const(Fraction(1, 2)), C), r"\frac{1}{2}\, \mathrm{cost}"),
        (Ref("∂²cost/∂y_hat∂w_out", (J, I, J)),
         r"\frac{\partial^{2} \mathrm{cost}}{\partial \hat{y}_{\alpha}\, "
         r"\partial {w_{\mathrm{out}}}_{i,\alpha}}"),
    ],
)  # fmt: skip
def test_formulas(expression: Expression, wanted: str) -> None:
    assert latex.expression(expression, NAMING) == wanted
    check_latex(wanted)


def test_equation() -> None:
    bound = fresh(J)
    written = latex.equation(Equation("y_bar", (I,), summation((bound,), Ref("w_out", (I, bound)))), Naming())
    assert written == r"\bar{y}_{i} = \sum_{\alpha} {w_{\mathrm{out}}}_{i,\alpha}"


def test_operations_on_matrices() -> None:
    a, b = fresh(J), fresh(J)
    inverse = Op("inv", (a, b), (J, 0), (Ref("A", (a, b)),))
    assert latex.expression(inverse, Naming()) == r"\left(A^{-1}\right)_{\alpha,0}"
    turned = Op("logdet", (a, b), (), (Ref("A", (b, a)),))
    assert latex.expression(turned, Naming()) == r"\log\det\left(A^{\top}\right)"


def formulas(depth: int) -> st.SearchStrategy[Expression]:
    leaves = st.sampled_from(
        [C, V, W, D, size(M), Const(Fraction(-1, 2)), Const(Fraction(3)), Apply("pi", (), ())]
    )
    if depth == 0:
        return leaves
    inner = formulas(depth - 1)
    exponents = st.sampled_from([Fraction(n) for n in ("2", "-1", "-2", "1/2", "-3/2")])
    bound = fresh(I)
    return st.one_of(
        leaves,
        st.builds(add, inner, inner),
        st.builds(negate, inner),
        st.builds(multiply, inner, inner, inner),
        st.builds(divide, inner, inner),
        st.builds(lambda e, n: power(e, Const(n)), inner, exponents),
        st.builds(power, inner, inner),
        st.builds(lambda e: Apply("tanh", (0,), (e,)), inner),
        st.builds(lambda e: Apply("leaky_relu", (1, 0), (e, C)), inner),
        st.builds(lambda e: summation((bound,), multiply(e, Ref("y_hat", (bound,)))), inner),
        st.builds(lambda e: Op("softmax", (bound,), (I,), (multiply(e, Ref("x", (bound,))),)), inner),
    )


@given(formulas(3))
@settings(max_examples=200, deadline=None)
def test_is_latex(expression: Expression) -> None:
    check_latex(latex.expression(expression, NAMING))
