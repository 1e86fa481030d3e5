"""Matrix notation: what comes back from indices is what one writes by hand, and reads back as the same."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import elaborate_step
from tensorgrad_cli.algebra.expression import ZERO, Apply, Dimension, Equation, Expression
from tensorgrad_cli.algebra.library import BUILTINS, Scope
from tensorgrad_cli.algebra.normal import normal_form
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import occurring
from tensorgrad_cli.calculus.chain import pullback
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.render import matrix
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.source import Issue, Source

Check = Callable[[Equation, Scope, Naming], None]

DIMENSIONS = {name: Dimension(name) for name in "mnp"}
SHAPES = {
    "A": "mn", "B": "np", "S": "nn", "X": "mn", "Q": "mm", "u": "m", "v": "n", "w": "n", "z": "m", "t": "p",
    "c": "", "lam": "",
}  # fmt: skip


def world(shapes: dict[str, str]) -> tuple[Scope, Naming]:
    tensors = {
        name: Tensor(name, tuple(DIMENSIONS[letter] for letter in shape)) for name, shape in shapes.items()
    }
    scope = Scope(tensors=tensors, dimensions=DIMENSIONS, abstract={"f": 1, "C": 2})
    spellings = {f"{name}_bar": f"{name}_bar" for name in shapes}
    ranks = {name: len(shape) for name, shape in shapes.items()}
    return scope, Naming(spellings, ranks, functions=frozenset({"f", "C"}), dimensions=frozenset(DIMENSIONS))


SCOPE, NAMING = world(SHAPES)


def step(text: str, scope: Scope = SCOPE) -> Equation:
    tree = parse_equation(Source("step", text), scope.vocabulary)
    equation = elaborate_step(tree, scope)[2]
    return Equation(equation.tensor, equation.indices, lowered(equation.expression, scope))


def pulled(text: str, tensor: str) -> Equation:
    """The cotangent of a tensor from that of a step."""
    equation = step(text)
    bars = {equation.tensor: f"{equation.tensor}_bar", tensor: f"{tensor}_bar"}
    return pullback(equation, tensor, SCOPE.tensors[tensor].shape, (equation,), bars)


def barred(equation: Equation) -> Scope:
    bars = [Tensor(f"{name}_bar", tensor.shape) for name, tensor in SCOPE.tensors.items()]
    own = [Tensor(equation.tensor, equation.shape), Tensor(f"{equation.tensor}_bar", equation.shape)]
    return replace(SCOPE, tensors=SCOPE.tensors | {tensor.name: tensor for tensor in (*bars, *own)})


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("y = A v + u", "y = A v + u"),
        ("y = Aᵀ u", "y = Aᵀ u"),
        ("y = vᵀ S v", "y = vᵀ S v"),
        ("y = sum(A ⊙ X)", "y = sum(A ⊙ X)"),
        ("y = u vᵀ", "y = u vᵀ"),
        ("y = 2 A v / m", "y = 2 A v / m"),
        ("y = (c - 1) (A - X) v", "y = (c - 1) (A - X) v"),
        ("y = softmax(A, axis=1)", "y = softmax(A, axis=1)"),
        ("y = 1 - tanh(A)**2", "y = 1 - tanh(A)**2"),
        ("y = diag(v)", "y = diag(v)"),
        ("y = tr(S)", "y = tr(S)"),
        ("y = diag(S)", "y = diag(S)"),
        ("y = S^-1 v", "y = S⁻¹ v"),
        ("y = S⁻ᵀ v", "y = S⁻ᵀ v"),
        ("y = inv(S S)", "y = inv(S S)"),
        ("y = logdet(S + lam I)", "y = logdet(S + lam I)"),
        ("y = v / w", "y = v / w"),
        ("y = 3 / v", "y = 3 / v"),
        ("y = c * f(A)", "y = c f(A)"),
        ("y = v²", "y = v²"),
        ("y = mean(A)", "y = sum(A) / (m n)"),
        ("y = I S", "y = S"),
        ("y = diag(u) A diag(v)", "y = diag(u) A diag(v)"),
        ("y = C(u, z)", "y = C(u, z)"),
        ("y = kron(S, Q)", "y = kron(S, Q)"),
        ("y[i,j] = A[i,j] + v[j]", None),
        ("y[i,j,k] = A[i,j] t[k]", None),
        ("y[i] = A[i,0]", None),
    ],
)
def test_lines(line: str, wanted: str | None, matrix_reads_back: Check) -> None:
    from tensorgrad_cli.algebra.rewrite import simplified

    equation = step(line)
    equation = Equation(equation.tensor, equation.indices, simplified(equation.expression))
    assert matrix.equation(equation, NAMING) == wanted
    matrix_reads_back(equation, SCOPE, NAMING)


@pytest.mark.parametrize(
    ("line", "tensor", "wanted"),
    [
        ("y = A v", "A", "A_bar = y_bar vᵀ"),
        ("y = A v", "v", "v_bar = Aᵀ y_bar"),
        ("y = A B", "A", "A_bar = y_bar Bᵀ"),
        ("y = A B", "B", "B_bar = Aᵀ y_bar"),
        ("y = f(A)", "A", "A_bar = f'(A) ⊙ y_bar"),
        ("y[i,j] = A[i,j] + v[j]", "v", "v_bar = sum(y_bar, axis=0)"),
        ("y = vᵀ S v", "v", "v_bar = y_bar (S v + Sᵀ v)"),
        ("y = vᵀ S v", "S", "S_bar = y_bar v vᵀ"),
        ("y = logdet(S)", "S", "S_bar = y_bar S⁻ᵀ"),
        ("y = A Bᵀ.T", "B", "B_bar = Aᵀ y_bar"),
        ("y = v / w", "w", "w_bar = -v ⊙ y_bar / w²"),
        ("y = diag(u) A", "u", "u_bar = sum(A ⊙ y_bar, axis=1)"),
    ],
)
def test_pullbacks(line: str, tensor: str, wanted: str, matrix_reads_back: Check) -> None:
    equation = pulled(line, tensor)
    assert matrix.equation(equation, NAMING) == wanted
    matrix_reads_back(equation, barred(step(line)), NAMING)


LETTERS = "mnp"


@st.composite
def formulas(draw: st.DrawFn, shape: str, depth: int) -> str:
    """A formula in matrix notation of a given shape."""
    if depth == 0:
        known = [name for name, declared in SHAPES.items() if declared == shape]
        turned = [
            f"{name}ᵀ" for name, declared in SHAPES.items() if len(shape) == 2 and declared == shape[::-1]
        ]
        return draw(st.sampled_from([*known, *turned] or [_any(shape)]))

    def inner(of: str) -> str:
        return draw(formulas(of, depth - 1))

    letter = draw(st.sampled_from(LETTERS))
    forms = [
        lambda: f"({inner(shape)} {draw(st.sampled_from('+-'))} {inner(shape)})",
        lambda: f"({inner(shape)} ⊙ {inner(shape)})" if shape else f"({inner(shape)}) * ({inner(shape)})",
        lambda: f"({inner('')}) * ({inner(shape)})",
        lambda: f"({inner(shape)}) / ({inner('')})",
        lambda: f"{draw(st.sampled_from(('tanh', 'f', 'exp')))}({inner(shape)})",
        lambda: f"(-{inner(shape)})",
        lambda: f"C({inner(shape)}, {inner(shape)})",
    ]
    if len(shape) == 2:
        forms += [
            lambda: f"(({inner(shape[0] + letter)}) ({inner(letter + shape[1])}))",
            lambda: f"({inner(shape[::-1])})ᵀ",
            lambda: f"(({inner(shape[0])}) ({inner(shape[1])})ᵀ)",
            lambda: f"softmax({inner(shape)}, axis={draw(st.integers(0, 1))})",
            lambda: f"(diag({inner(shape[0])}) ({inner(shape)}))",
            lambda: f"(({inner(shape)}) diag({inner(shape[1])}))",
        ]
    if len(shape) == 1:
        forms += [
            lambda: f"(({inner(shape + letter)}) ({inner(letter)}))",
            lambda: f"(({inner(letter + shape)})ᵀ ({inner(letter)}))",
            lambda: f"sum({inner(shape + letter)}, axis=1)",
            lambda: f"sum({inner(letter + shape)}, axis=0)",
            lambda: f"softmax({inner(shape)})",
            lambda: f"({inner(shape)})²",
            lambda: f"({inner(shape)} / {inner(shape)})",
        ]
    if not shape:
        other = draw(st.sampled_from(LETTERS))
        forms += [
            lambda: f"(({inner(letter)})ᵀ ({inner(letter)}))",
            lambda: f"sum({inner(letter + other)})",
            lambda: f"tr({inner(letter * 2)})",
            lambda: f"logsumexp({inner(letter)})",
        ]
    return draw(st.sampled_from(forms))()


def _any(shape: str) -> str:
    """A formula of a shape that no tensor has."""
    vectors = {"m": "u", "n": "v", "p": "t"}
    return f"({vectors[shape[0]]} {vectors[shape[1]]}ᵀ)"


def _divides_by_zero(expression: Expression) -> bool:
    """Whether there is no such number: the normal form makes no promise."""
    powers = (part for part in occurring(expression) if isinstance(part, Apply) and part.function == "pow")
    return any(normal_form(power.arguments[0]) == ZERO for power in powers)


@given(data=st.data())
@settings(max_examples=int(os.environ.get("EXAMPLES", "60")), deadline=None)
def test_formulas_and_their_pullbacks_read_back(data: st.DataObject, matrix_reads_back: Check) -> None:
    shape = data.draw(st.sampled_from(["", "m", "n", "mn", "nn"]))
    line = f"y = {data.draw(formulas(shape, data.draw(st.integers(1, 2))))}"
    equation = step(line)
    assume(not _divides_by_zero(equation.expression))
    matrix_reads_back(equation, SCOPE, NAMING)
    scope = barred(equation)
    for tensor in sorted({name for name in SHAPES if name in line}):
        matrix_reads_back(pulled(line, tensor), scope, NAMING)


def test_no_function_of_ours_that_is_hidden() -> None:
    """`I` of the notation is not printed where a tensor has that name."""
    scope, naming = world(SHAPES | {"I": "n"})
    naming = replace(naming, taken=frozenset({"I"} & {*BUILTINS, "I"}))
    equation = step("y[i,j] = S[i,j] + delta[i,j]", scope)
    assert matrix.equation(equation, naming) is None


def test_what_is_printed_is_read() -> None:
    with pytest.raises(Issue):
        step("y = A u")
