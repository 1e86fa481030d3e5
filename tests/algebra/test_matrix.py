"""Matrix notation: mathematics first, NumPy second, else both shapes in the words of the reader.

A formula is compared with the same one in index notation, up to the names of bound indices.
"""

from __future__ import annotations

import pytest

from tensorgrad_cli.algebra.elaborate import Elaborated, elaborate_equation, elaborate_step
from tensorgrad_cli.algebra.expression import (
    ONE,
    ZERO,
    Apply,
    Const,
    Dimension,
    Expression,
    Index,
    Op,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.invariants import check
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.ranges import shape_words
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped, subexpressions
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Issue, Source

SHAPES = {
    **dict.fromkeys(("A", "B"), "m n"),
    "C": "n p",
    **dict.fromkeys(("S", "R"), "n n"),
    "E": "p m",
    "M": "m p",
    "N": "m m",
    **dict.fromkeys(("x", "y"), "n"),
    **dict.fromkeys(("u", "v"), "m"),
    **dict.fromkeys(("lam", "k"), ""),
    "T": "b m n",
    "L": "b n p",
    "one": "1 n",
    "tall": "m 1",
    "H": "6 2",
    "wide": "12 4",
}
STEPS = {"cost": "", "z": "m n", "w": "p n", "g": "m"}


def scope(layout: str = "numerator") -> Scope:
    shapes = {name: tuple(map(Dimension, shape.split())) for name, shape in SHAPES.items()}
    made = Scope(
        tensors={name: Tensor(name, shape) for name, shape in shapes.items()},
        dimensions={name: Dimension(name) for name in "mnpb"},
        abstract={"f": 0, "D": 0},
        layout=layout,
    )
    for name, shape in STEPS.items():
        made = made.with_step(name, tuple(map(Dimension, shape.split())))
    return made


def words(side: Side) -> str:
    return shape_words((index.dimension for index in side.indices), side.row)


def equation(text: str, layout: str = "numerator") -> Elaborated:
    where = scope(layout)
    read = elaborate_equation(parse_equation(Source("line", text), where.vocabulary), where)
    for side in (read.left, read.right):
        check(side.expression)
        assert side.expression.free <= set(side.indices)
    return read


def issue(text: str) -> Issue:
    with pytest.raises(Issue) as caught:
        equation(text)
    assert caught.value.span is not None
    return caught.value


def step(text: str) -> tuple[Expression, tuple[Dimension, ...], tuple[str, ...]]:
    """The right side of a step named `new`, its shape, and the remarks."""
    where = scope()
    tree = parse_equation(Source("step", f"new = {text}"), where.with_step("new", ()).vocabulary)
    _, _, found, _, _, remarks, _ = elaborate_step(tree, where)
    check(found.expression)
    return found.expression, found.shape, remarks


def renamed(expression: Expression) -> Expression:
    """Bound indices numbered in the order in which they are bound, their names forgotten."""
    count = iter(range(10**6))

    def visit(part: Expression) -> Expression:
        match part:
            case Sum(indices, body) if all(index.serial > 0 for index in indices):
                names = {i: Index("·", i.dimension, 10**6 + next(count)) for i in indices}
                return Sum(tuple(names.values()), visit(substitute(body, names)))
            case Op(operation, bound, out, arguments, parameters):
                names = {i: Index("·", i.dimension, 10**6 + next(count)) for i in bound}
                inner = tuple(visit(substitute(argument, names)) for argument in arguments)
                return Op(operation, tuple(names.values()), out, inner, parameters)
            case _:
                return mapped(part, visit)

    return visit(expression)


def means(text: str, indexed: str, letters: str = "") -> tuple[str, ...]:
    """Asserts that a formula means the indexed one, whose free indices are i, j, …; gives the remarks."""
    found, shape, remarks = step(text)
    where = scope()
    line = f"new[{','.join(letters)}] = {indexed}" if letters else f"new = {indexed}"
    tree = parse_equation(Source("step", line), where.with_step("new", ()).vocabulary)
    written = elaborate_step(tree, where, shape)[2]
    assert renamed(found) == renamed(written.expression)
    return remarks


# --- mathematics first ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "indexed", "letters"),
    [
        ("A x", "sum[k] A[i,k] x[k]", "i"),
        ("A @ x", "sum[k] A[i,k] x[k]", "i"),
        ("A C", "sum[k] A[i,k] C[k,j]", "ij"),
        ("A C E", "sum[k,l] A[i,k] C[k,l] E[l,j]", "ij"),
        ("(uᵀ A)ᵀ", "sum[k] u[k] A[k,i]", "i"),
        ("xᵀ y", "sum[k] x[k] y[k]", ""),
        ("x.T y", "sum[k] x[k] y[k]", ""),
        ("x^T y", "sum[k] x[k] y[k]", ""),
        ("u xᵀ", "u[i] x[j]", "ij"),
        ("u @ x.T", "u[i] x[j]", "ij"),
        ("(u xᵀ) y", "sum[k] u[i] x[k] y[k]", "i"),
        ("uᵀ A x", "sum[k,l] u[k] A[k,l] x[l]", ""),
        ("lam A", "lam A[i,j]", "ij"),
        ("lam xᵀ y", "sum[k] lam x[k] y[k]", ""),
        ("A * B", "A[i,j] B[i,j]", "ij"),
        ("A ⊙ B", "A[i,j] B[i,j]", "ij"),
        ("A ∘ B", "A[i,j] B[i,j]", "ij"),
        ("Aᵀ u ⊙ y", "(sum[k] A[k,i] u[k]) y[i]", "i"),
        ("x ⊙ S y", "x[i] (sum[k] S[i,k] y[k])", "i"),
        ("A / lam", "A[i,j] / lam", "ij"),
        ("1 / x", "1 / x[i]", "i"),
        ("A + lam B", "A[i,j] + lam B[i,j]", "ij"),
        ("1 - x", "1 - x[i]", "i"),
        ("-x", "-x[i]", "i"),
        ("f'(x)", "f'(x[i])", "i"),
        ("exp(A)", "exp(A[i,j])", "ij"),
        ("|x|", "abs(x[i])", "i"),
        ("D(A, B)", "D(A[i,j], B[i,j])", "ij"),
        ("max(x, y)", "max(x[i], y[i])", "i"),
        ("max(x, 0)", "max(x[i], 0)", "i"),
        ("stop_gradient(x)", "stop_gradient(x[i])", "i"),
        ("x^2", "x[i]^2", "i"),
        ("A^2", "A[i,j]^2", "ij"),
        ("A**2", "A[i,j]**2", "ij"),
        ("S**2", "S[i,j]^2", "ij"),
        ("S^2", "sum[k] S[i,k] S[k,j]", "ij"),
        ("S²", "sum[k] S[i,k] S[k,j]", "ij"),
        ("S^3", "sum[k,l] S[i,k] S[k,l] S[l,j]", "ij"),
        ("S^0", "delta[i,j]", "ij"),
        ("S + lam I", "S[i,j] + lam delta[i,j]", "ij"),
        ("tr(S R)", "sum[i,k] S[i,k] R[k,i]", ""),
        ("inner(A, B)", "sum[i,j] A[i,j] B[i,j]", ""),
        ("outer(u, x)", "u[i] x[j]", "ij"),
        ("u ⊗ x", "u[i] x[j]", "ij"),
        ("diag(x)", "delta[i,j] x[i]", "ij"),
        ("diag(S)", "S[i,i]", "i"),
        ("sum(A)", "sum[i,j] A[i,j]", ""),
        ("sum(A, axis=0)", "sum[k] A[k,i]", "i"),
        ("sum(A, axis=1)", "sum[k] A[i,k]", "i"),
        ("sum(A, axis=-1)", "sum[k] A[i,k]", "i"),
        ("mean(x)", "(sum[k] x[k]) / n", ""),
        ("var(A, axis=0)", "var[k](A[k,i])", "i"),
        ("max(A, axis=1)", "max[k](A[i,k])", "i"),
        ("logsumexp(x)", "logsumexp[k](x[k])", ""),
        ("softmax(x)", "softmax[i](x[i])", "i"),
        ("softmax(A, axis=1)", "softmax[j](A[i,j])", "ij"),
        ("norm(x)", "norm[k](x[k])", ""),
        ("‖x‖", "norm[k](x[k])", ""),
        ("1ᵀ A x", "sum[k,l] A[k,l] x[l]", ""),
        ("2 1ᵀ A 1", "sum[k,l] 2 A[k,l]", ""),
        ("1/m 1.T A x", "sum[k,l] 1/m A[k,l] x[l]", ""),
        ("3 1^T f(A) 1", "sum[k,l] 3 f(A[k,l])", ""),
        ("1ᵀ f(A) 1", "sum[k,l] f(A[k,l])", ""),
        ("onesᵀ A ones", "sum[k,l] A[k,l]", ""),
        ("A ones", "sum[k] A[i,k]", "i"),
        ("Aᵀ v ⊙ ones", "sum[k] A[k,i] v[k]", "i"),
        ("x / n", "x[i] / n", "i"),
        ("sqrt(n) x", "sqrt(n) x[i]", "i"),
        ("pi x", "pi x[i]", "i"),
        ("tall xᵀ", "tall[i,0] x[j]", "ij"),
    ],
)
def test_mathematics_first(text: str, indexed: str, letters: str) -> None:
    assert means(text, indexed, letters) == () or "axis" in text


def test_operations_with_rows_of_their_own() -> None:
    inverse, shape, _ = step("S⁻¹")
    assert isinstance(inverse, Op) and inverse.operation == "inv" and len(shape) == 2
    for spelling in ("S^-1", "inv(S)", "S^(-1)"):
        assert renamed(step(spelling)[0]) == renamed(inverse)
    assert renamed(step("S⁻ᵀ")[0]) == renamed(step("inv(S)ᵀ")[0])
    assert renamed(step("S^-2")[0]) == renamed(step("inv(S) inv(S)")[0])
    for name in ("det", "logdet"):
        found, shape, _ = step(f"{name}(S)")
        assert isinstance(found, Op) and found.operation == name and shape == ()
    found, shape, _ = step("kron(A, C)")
    assert isinstance(found, Op) and len(found.bound) == 4
    assert [d.size({"m": 2, "n": 3, "p": 5}) for d in shape] == [6, 15]
    assert renamed(step("A ⊗ C")[0]) == renamed(found)
    assert equation("vec(A C) = kron(I, A) vec(C)").mismatch is None
    assert equation("vec(A S Bᵀ) = kron(B, A) vec(S)").mismatch is None
    assert equation("kron(A, I) kron(I, C) = kron(A, C)").mismatch is None
    # Where the product stands first the size of I follows from its indices.
    sized = equation("lam = sum[a,b] wide[a,b] kron(I, H)[a,b]").right.expression
    bound = {i.dimension for op in subexpressions(sized) if isinstance(op, Op) for i in op.bound}
    assert bound == {Dimension("2"), Dimension("6")}
    assert issue("lam = sum[a,b] H[a,b] kron(I, wide)[a,b]").code == "index-dimension"
    _, shape, _ = step("vec(H)")
    assert shape == (Dimension("12"),)
    assert step("vec(x)")[0].free == {Index("i", Dimension("n"))}


# --- NumPy second ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "indexed", "letters"),
    [
        ("A + x", "A[i,j] + x[j]", "ij"),
        ("A ⊙ x", "A[i,j] x[j]", "ij"),
        ("A / x", "A[i,j] / x[j]", "ij"),
        ("x @ y", "sum[k] x[k] y[k]", ""),
        ("x @ C", "sum[k] x[k] C[k,i]", "i"),
        ("T @ L", "sum[l] T[i,j,l] L[i,l,k]", "ijk"),
        ("T @ x", "sum[k] T[i,j,k] x[k]", "ij"),
        ("T @ C", "sum[l] T[i,j,l] C[l,k]", "ijk"),
        ("T + A", "T[i,j,k] + A[j,k]", "ijk"),
        ("A + one", "A[i,j] + one[0,j]", "ij"),
        ("A + tall", "A[i,j] + tall[i,0]", "ij"),
        ("A + lam", "A[i,j] + lam", "ij"),
    ],
)
def test_numpy_second_is_remarked_on(text: str, indexed: str, letters: str) -> None:
    assert means(text, indexed, letters)


# --- what has no meaning --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message", "help"),
    [
        ("cost = x y", "x is a column of n, y is a column of n; two columns", "xᵀ y, x yᵀ or x ⊙ y"),
        (
            "w = x C",
            "x is a column of n, C is n×p; a column stands",
            "xᵀ C for the row or Cᵀ x for the column",
        ),
        ("v = A u", "A is m×n, u is a column of m;", "Aᵀ u would fit"),
        ("z = A E", "A is m×n, E is p×m;", "E A would fit"),
        ("z = A A", "A is m×n; the product sums", "Aᵀ A would fit"),
        ("cost = outer(A, A)", "A is m×n; outer wants two vectors.", None),
        ("z = A Aᵀ A A", "A Aᵀ A is m×n, A is m×n;", None),
        ("x = x + xᵀ", "a row and a column do not meet in +", "x"),
        ("z = A + xᵀ", "a row never broadcasts", None),
        ("z = A + u", "+ lines shapes up from the last axis, and n does not meet m", "A[i,j] + u[i] is fine"),
        ("z = A - u + A", "- lines shapes up from the last axis, and n does not meet m", None),
        ("z = A ⊙ C", "⊙ lines shapes up from the last axis, and n does not meet p", None),
        ("z = xᵀ xᵀ", "two rows", None),
        ("z = T A", "side by side means the matrix product", None),
        ("z = A ⊗ x", "⊗ is of two vectors or of two matrices", None),
        ("cost = inner(A, C)", "inner wants two of one shape", None),
        ("z = outer(A, x)", "outer wants two vectors", None),
        ("v = x @ A", "n does not meet m", None),
    ],
)
def test_shapes_that_do_not_meet(line: str, message: str, help: str | None) -> None:
    found = issue(line)
    assert found.code == "shape-mismatch"
    assert message in found.message
    assert len(found.others) == 2
    assert help is None or help in (found.help or "")


def test_rank_four_by_rank_two_offers_the_indices() -> None:
    found = issue("z = f'(z) ⊙ ∂z/∂w")
    assert found.message == (
        "f'(z) is m×n, ∂z/∂w is m×n×p×n; ⊙ lines shapes up from the last axis, and m does not meet p."
    )
    assert found.help == (
        "written with indices, f'(z[i,j]) ∂z[i,j]/∂w[p,q] is fine (ij,ijpq->ijpq): did you mean that?"
    )
    found = issue("z = (∂M/∂w) w")
    assert found.help == (
        "written with indices, ∂M[i,k]/∂w[p,q] w[k,j] is fine (ikpq,kj->ijpq): did you mean that?"
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("cost = tr(A)", "shape-mismatch"),
        ("cost = det(A)", "shape-mismatch"),
        ("z = A^-1", "shape-mismatch"),
        ("x = x^-1", "shape-mismatch"),
        ("z = inv(x)", "shape-mismatch"),
        ("z = S^(1/2)", "matrix-power"),
        ("z = T.T", "rank"),
        ("z = softmax(A)", "axis"),
        ("z = sum(A, axis=2)", "axis"),
        ("cost = tr(S, R)", "arguments"),
        ("cost = tr(I)", "no-range"),
        ("z = expm(S)", "not-yet"),
        ("cost = norm(A, p=1)", "norm"),
    ],
)
def test_other_errors(line: str, code: str) -> None:
    assert issue(line).code == code


# --- the two sides of an equation -----------------------------------------------------------------


def test_only_a_number_fills_a_tensor() -> None:
    read = equation("∂cost/∂x = 0")
    assert read.right.expression == ZERO and read.right.indices == read.left.indices == read.free
    assert equation("x = 1").right.expression == ONE
    assert equation("x = 1 / n").mismatch is None
    found = equation("x = lam").mismatch
    assert found is not None and "never broadcast" in (found.help or "")


@pytest.mark.parametrize(
    ("line", "left", "right"),
    [
        ("z = Aᵀ", "m×n", "n×m"),
        ("x = yᵀ", "a column of n", "a row of n"),
        ("x = sum(A, axis=1)", "a column of n", "a column of m"),
        ("z = x", "m×n", "a column of n"),
        ("cost = x", "a scalar", "a column of n"),
    ],
)
def test_shapes_of_sides_that_differ_are_handed_on(line: str, left: str, right: str) -> None:
    read = equation(line)
    assert read.mismatch is not None and read.mismatch.code == "shape-mismatch"
    assert (words(read.left), words(read.right)) == (left, right)
    assert left in read.mismatch.message and right in read.mismatch.message


def test_both_sides_have_the_same_free_indices() -> None:
    read = equation("z = A C w")
    assert [index.name for index in read.free] == ["i", "j"]
    assert all(index.serial == 0 for index in read.free)
    assert read.left.expression == Ref("z", read.free)
    assert equation("xᵀ = xᵀ + yᵀ").left.row


def test_scalars_may_differ_in_notation() -> None:
    assert equation("cost = sum[i] x[i]").free == ()
    assert equation("xᵀ y = x[i] y[i]").free == ()
    assert equation("2 = sum[i] x[i]").left.expression == Const(equation("x = 2").right.expression.value)  # type: ignore[union-attr]


# --- derivatives ----------------------------------------------------------------------------------


def test_derivatives_without_indices() -> None:
    assert words(equation("∂cost/∂w = 0").left) == "p×n"
    assert words(equation("∂z/∂w = 0").left) == "m×n×p×n"
    assert equation("∂g/∂x = A").left.expression == Ref("∂g/∂x", equation("∂g/∂x = A").free)
    turned = equation("∂g/∂x = Aᵀ", "denominator")
    assert turned.mismatch is None
    assert turned.left.expression == Ref("∂g/∂x", (turned.free[1], turned.free[0]))
    assert words(equation("∂cost/∂w = 0", "denominator").left) == "p×n"
    for hessian in ("∂²cost/∂x∂y = S", "∂²cost/∂x∂xᵀ = S", "∂(∂cost/∂x)/∂x = S"):
        assert equation(hessian).mismatch is None
    assert equation("(∂cost/∂x)ᵀ = xᵀ").left.row
    assert words(equation("∂g/∂lam = g").left) == "a column of m"


def test_expressions_under_a_derivative() -> None:
    read = equation("∂(xᵀ S x)/∂x = (S + Sᵀ) x")
    assert read.derivatives[0].name == "∂‹1›/∂x"
    assert read.definitions[0].indices == ()
    jacobian = equation("∂(A x)/∂x = A")
    assert jacobian.mismatch is None
    assert jacobian.definitions[0].shape == (Dimension("m"),)
    assert isinstance(equation("∂f(x)/∂x = diag(f'(x))").definitions[0].expression, Apply)
    assert issue("∂z/∂W = 0").code == "unknown-tensor"


def test_a_row_becomes_a_column_as_a_step() -> None:
    _, shape, remarks = step("uᵀ A")
    assert shape == (Dimension("n"),) and "row" in remarks[0]


def test_ones_around_what_is_no_matrix() -> None:
    found = issue("∂cost/∂w = 1ᵀ (∂z/∂w) 1")
    assert found.message.startswith("1ᵀ A 1 sums all entries of a matrix A, and ∂z/∂w is m×n×p×n")
    assert found.help == (
        "written with indices, sum[i,j] ∂z[i,j]/∂w[p,q] sums over i,j and leaves p, q: did you mean that?"
    )
