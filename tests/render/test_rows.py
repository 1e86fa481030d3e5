"""What is printed of a chain with one row of the tables in it reads back, second derivatives included."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.algebra.expression import Ref
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.render import text
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.chain_formulas import chain_checks, displayed, gradient_chain
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.show import formulas
from tensorgrad_cli.verify.workbench import Workbench

Check = Callable[[Spec], None]

HEAD = """
dims: {m: 2, n: 3, p: 4}
tensors:
  A: [m, n]
  B: [n, p]
  C: [n, n]
  D: [n, n]
  E: [m, n]
  a: [n]
  b: [n]
  c: [n]
"""


def spec(*chain: str, head: str = HEAD) -> Spec:
    lines = "".join(f"  - '{line}'\n" for line in chain)
    found, issues = read(Source("rows", f"{head}chain:\n{lines}hessian: true\n"))
    assert found is not None, [issue.message for issue in issues]
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str, all_reads_back: Check) -> None:
    count = len(FUNCTIONS[name].parameters)
    arguments = ", ".join(f"{letter}[i]" for letter in "abc"[:count])
    all_reads_back(spec(f"y[i] = {name}({arguments}) a[i]", "s = y[i] b[i]"))


ALONG = [name for name, row in OPERATIONS.items() if row.inputs == ("k",)]


@pytest.mark.parametrize("name", ALONG)
def test_operations_along_an_index(name: str, all_reads_back: Check) -> None:
    free = "i,j" if OPERATIONS[name].output else "i"
    other = "(A[i,j] E[i,j])" if name != "normalize" else "(A[i,j] + E[i,j])"
    all_reads_back(spec(f"y[{free}] = {name}[j]{other}", f"s = sum[{free}] sin(y[{free}])"))


ON_MATRICES = (
    "inv(C)",
    "inv(C D + I)",
    "det(C D)",
    "logdet(C)",
    "kron(A, B)",
    "kron(A, A)",
    "kron(tanh(A), B)",
    "kron(Aᵀ, tanh(A))",
    "kron(A C, B)",
    "kron(A, E) + kron(E, A)",
    "vec(A)",
    "vec(Aᵀ)",
    "vec(tanh(A) ⊙ E)",
    "vec(A C)",
    "vec(kron(A, B))",
    "diag(C a)",
    "diag(C D)",
)


@pytest.mark.parametrize("expression", ON_MATRICES)
def test_operations_on_matrices(expression: str, all_reads_back: Check) -> None:
    all_reads_back(spec(f"Y = {expression}", "s = sum(Y ⊙ Y)"))


def test_every_operation_is_among_them() -> None:
    written = {text.partition("(")[0] for text in ON_MATRICES}
    assert {name for name in OPERATIONS if name not in ALONG} <= written


def printed(found: Spec) -> dict[str, str]:
    ground = Ground(found)
    out = {}
    for check in chain_checks(ground):
        equation, shown = displayed(ground, check)
        out[check.id] = text.equation(equation, ground.naming(extra=(shown,)))
    return out


def test_a_derivative_without_a_formula_is_printed_as_one() -> None:
    found = printed(spec("K = kron(A, B)", "v = vec(A)", "s = sum(K) + sum(v)"))
    assert found["step:K/A"] == "∂K[i,j]/∂A[p,q] = ∂kron(A, B)[i,j]/∂A[p,q]"
    assert found["step:v/A"] == "∂v[i]/∂A[p,q] = ∂vec(A)[i]/∂A[p,q]"


NO_STAND_IN = """
tensors:
  R: [m, n]
  u: [m]
  v: [n]
  g: []
"""
# Second derivatives of these hold matrices of unit entries for which no tensor of their shape can stand.
WITHOUT_STAND_IN = (
    ("K = kron(R, g R)", "s = sum(K ⊙ K)"),
    ("K = kron(Rᵀ R, R ⊙ R)", "s = tr(K Kᵀ) + g"),
    ("y = tanh(u)", "K = kron(y vᵀ, R)", "s = sum(sin(K))"),
    ("s = sum(kron(R, g Rᵀ))",),
    ("s = norm(kron(u vᵀ, v uᵀ))",),
    ("w = vec(diag(u) R diag(v))", "s = exp(wᵀ w)"),
    ("C = R Rᵀ + I", "K = kron(inv(C), C)", "s = sum(tanh(K))"),
)


@pytest.mark.parametrize("chain", WITHOUT_STAND_IN, ids=lambda chain: chain[0])
def test_unit_matrices_of_a_shape_that_no_tensor_has(chain: tuple[str, ...], all_reads_back: Check) -> None:
    all_reads_back(spec(*chain, head=NO_STAND_IN))


def test_a_second_derivative_is_printed_by_the_chain_rule() -> None:
    found = printed(spec("K = kron(R, g R)", "s = sum(K ⊙ K)", head=NO_STAND_IN))
    assert found["hessian:R,g"] == (
        "∂²s/∂R[p,q]∂g = 2 Σ[i,j] ∂K[i,j]/∂R[p,q] ∂K[i,j]/∂g + 2 Σ[i,j] K[i,j] ∂²K[i,j]/∂R[p,q]∂g"
    )
    found = printed(spec("s = sum(kron(R, g Rᵀ))", head=NO_STAND_IN))
    assert found["hessian:R,R"] == "∂²s/∂R[p,q]∂R[r,s] = ∂²(Σ[i,j] kron(R, g Rᵀ)[i,j])/∂R[p,q]∂R[r,s]"


TRUE = (
    ("Y = kron(Aᵀ, tanh(A))", "s = sum(Y ⊙ Y)"),
    ("Y = kron(A C, B)", "s = sum(Y ⊙ Y)"),
    ("Y = tanh(A)", "Z = vec(kron(Y, B))", "s = sum(Z ⊙ Z)"),
    ("y[i] = tanh(C[i,j] a[j])", "z[i] = D[i,j] y[j] + a[i]", "s = exp(z[i] b[i])"),
    ("y = aᵀ C b", "g = ∂y/∂a", "s = sum(g ⊙ g ⊙ g)"),
)


@pytest.mark.parametrize("chain", TRUE, ids=lambda chain: chain[0])
def test_what_is_printed_instead_is_true(chain: tuple[str, ...]) -> None:
    check_true(Workbench(spec(*chain), 0))


@pytest.mark.parametrize("chain", WITHOUT_STAND_IN[:4], ids=lambda chain: chain[0])
def test_the_chain_rule_by_names_is_true(chain: tuple[str, ...]) -> None:
    check_true(Workbench(spec(*chain, head=NO_STAND_IN), 0))


def check_true(bench: Workbench) -> None:
    """Every equation that is displayed holds, by the exact test."""
    equations = []
    for check in chain_checks(bench):
        equations += [
            displayed(bench, check)[0],
            *(gradient_chain(bench, check) if check.kind != "step" else ()),
        ]
    bench.calculus.extend(tuple(bench.unevaluated.values()), bench.spelled.values())
    for equation in equations:
        for name in {equation.tensor} | references(equation.expression):
            bench.calculus.resolve(name)
    for equation in equations:
        left = Ref(equation.tensor, equation.indices)
        decision = bench.exact().decide(left, equation.expression, equation.indices)
        assert decision.outcome == "equal", text.equation(equation, bench.naming())


def test_a_maximum_is_met_where_the_difference_has_no_sign() -> None:
    found = printed(spec("y = max[j](a[j])", "s = y^2"))
    assert found["step:y/a"] == "∂y/∂a[p] = 1 - sign(y - a[p])²"


HIDDEN = {
    "sign": "functions: [sign]",
    "log, cosh": "functions: [log, cosh]",
    "step, cos": "functions: [step, cos]",
    "ones, I, delta": "functions: [ones, I, delta]",
}


@pytest.mark.parametrize("functions", HIDDEN.values(), ids=HIDDEN)
def test_words_that_a_declared_name_hides(functions: str, all_reads_back: Check) -> None:
    head = f"{HEAD}{functions}\n"
    all_reads_back(spec("y[i] = max[j](A[i,j])", "s = y[i] y[i]", head=head))
    all_reads_back(spec("y[i] = relu(a[i]) + sin(b[i])", "s = y[i] y[i]", head=head))
    all_reads_back(spec("y[i] = exp2(a[i]) + softplus(b[i])", "s = y[i] y[i]", head=head))


BY_A_TENSOR = {
    "diag": ("y = tanh(a)", "s = yᵀ y"),
    "sum": ("y = tanh(C) a", "s = yᵀ 1"),
    "tr": ("Y = C D", "s = inner(Y, Yᵀ)"),
    "inv": ("s = logdet(C D)",),
    "det": ("Y = (C D)^-1", "s = sum(Y ⊙ Y)"),
    "abs": ("s = |a|ᵀ |b|",),
    "norm": ("y = normalize(a)", "s = yᵀ b"),
    "softmax": ("y = cumsum(a) ⊙ b", "s = logsumexp(y)"),
    "exp": ("s = logsumexp(C a)",),
    "kron": ("v = vec(A C)", "s = vᵀ v"),
}


@pytest.mark.parametrize("name", BY_A_TENSOR)
def test_words_that_a_declared_tensor_hides(name: str, all_reads_back: Check) -> None:
    all_reads_back(spec(*BY_A_TENSOR[name], head=f"{HEAD}  {name}: [n, n]\n"))


def test_a_derivative_with_a_hidden_function_in_it_is_printed_as_one() -> None:
    found = printed(spec("y = exp2(a)", "s = yᵀ b", head=f"{HEAD}  log: [n]\n"))
    assert found["step:y/a"] == "∂y[i]/∂a[p] = ∂exp2(a[i])/∂a[p]"
    assert found["gradient:a"] == "∂s/∂a[i] = ∂⁺y[j]/∂a[i] ∂s/∂y[j]"
    assert found["hessian:a,a"] == "∂²s/∂a[i]∂a[p] = b[j] ∂²y[j]/∂a[i]∂a[p]"
    found = printed(spec("s = logsumexp(a)", head=f"{HEAD}  exp: [n]\n"))
    assert found["step:s/a"] == "∂s/∂a[p] = expm1'(a[p] - s)"


CONVENTION = """
tensors:
  y_bar: [n]
  x: [n, n]
"""


def test_a_cotangent_has_a_name_that_nothing_declared_has(all_reads_back: Check) -> None:
    found = spec("y = tanh(x y_bar)", "s = yᵀ y", head=CONVENTION)
    all_reads_back(found)
    shown = "\n".join(formulas(found, "ascii"))
    assert "x_bar[i,j] = (1 - y[i]^2) y_bar[j] y_cotangent[i]" in shown


def test_where_something_is_named_d_ascii_has_another_word_for_a_derivative(all_reads_back: Check) -> None:
    for names, word in (("d", "partial"), ("d partial", "u2202")):
        head = HEAD + "".join(f"  {name}: []\n" for name in names.split())
        found = spec("y = tanh(a)", "s = yᵀ y", head=head)
        all_reads_back(found)
        lines = list(formulas(found, "ascii"))
        assert f"  {word}^2 s/{word} a[i] {word} d = 0" in lines
        assert all(line.isascii() for line in lines)


def test_where_a_declared_name_hides_sum_and_prod_ascii_has_other_words(all_reads_back: Check) -> None:
    found = spec("y = tanh(a)", "s = log(Σ[k] exp(y[k])) + ∏[i] y[i]", head=f"{HEAD}  sum: []\n  prod: []\n")
    all_reads_back(found)
    lines = list(formulas(found, "ascii"))
    assert all(line.isascii() for line in lines)
    assert any("u03a3[" in line and "u03a0[" in line for line in lines)
