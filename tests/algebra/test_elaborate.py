"""Index notation: which indices are free, where the others are summed, derivatives, steps; and every error.

A line is compared with the same line with every Σ written out, up to the names of bound indices.
"""

from __future__ import annotations

import pytest

from tensorgrad_cli.algebra.elaborate import (
    Elaborated,
    ElaboratedStep,
    elaborate_equation,
    elaborate_expression,
    elaborate_function,
    elaborate_step,
)
from tensorgrad_cli.algebra.expression import (
    ONE,
    Apply,
    Delta,
    Derivative,
    Dimension,
    Expression,
    Index,
    Op,
    Ref,
    Sum,
    size,
)
from tensorgrad_cli.algebra.invariants import check, check_equation
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped
from tensorgrad_cli.notation.parse import parse_equation, parse_expression
from tensorgrad_cli.source import Issue, Source

SHAPES = {
    **dict.fromkeys(("W", "V", "Q"), "m n"),
    **dict.fromkeys(("x", "a", "c", "g", "v"), "n"),
    **dict.fromkeys(("b", "u"), "m"),
    **dict.fromkeys(("A", "B", "S"), "n n"),
    "X": "q n",
    "p": "q",
    "r": "q",
    "h": "p",
    "U": "m p",
    "T": "m n p",
    "lam": "",
    "six": "6",
    "K": "2 3",
}
DIMENSIONS = {name: Dimension(name) for name in "mnpq"}


def scope(**changes: object) -> Scope:
    shapes = {name: tuple(map(Dimension, shape.split())) for name, shape in SHAPES.items()}
    tensors = {name: Tensor(name, shape) for name, shape in shapes.items()}
    fields = {"tensors": tensors, "dimensions": DIMENSIONS, "abstract": {"f": 0, "C": 0, "h2": 0}, **changes}
    made = Scope(**fields)  # type: ignore[arg-type]
    m, n = DIMENSIONS["m"], DIMENSIONS["n"]
    for name, shape in (("z", (m, n)), ("y", (m, n)), ("s", ()), ("cost", ())):
        made = made.with_step(name, shape)
    return made


def equation(text: str, where: Scope | None = None) -> Elaborated:
    where = where or scope()
    read = elaborate_equation(parse_equation(Source("line", text), where.vocabulary), where)
    for side in (read.left, read.right):
        check(side.expression)
        assert side.expression.free <= set(side.indices)
    for definition in read.definitions:
        check_equation(definition)
    return read


def issue(text: str, where: Scope | None = None) -> Issue:
    with pytest.raises(Issue) as caught:
        equation(text, where)
    assert caught.value.span is not None
    return caught.value


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


def same(line: str, written_out: str) -> None:
    assert renamed(equation(line).right.expression) == renamed(equation(written_out).right.expression)


# --- free indices and implied sums ----------------------------------------------------------------

TABLE = (
    ("u[i] = W[i,k] x[k] + b[i]", "u[i] = (sum[k] W[i,k] x[k]) + b[i]"),
    (
        "u[i] = sigmoid(W[i,k] x[k]) tanh(V[i,k] x[k])",
        "u[i] = sigmoid(sum[k] W[i,k] x[k]) tanh(sum[k] V[i,k] x[k])",
    ),
    (
        "u[i] = (W[i,k] x[k] + b[i]) (V[i,k] x[k] + b[i])",
        "u[i] = ((sum[k] W[i,k] x[k]) + b[i]) ((sum[k] V[i,k] x[k]) + b[i])",
    ),
    ("s = x[k] exp(a[k] c[k])", "s = sum[k] x[k] exp(a[k] c[k])"),
    (
        "A[a,b] = X[i,a] X[i,b] (p[i] r[i] + r[i])",
        "A[a,b] = sum[i] X[i,a] X[i,b] (p[i] r[i] + r[i])",
    ),
    ("s = (a[i] c[i])^2", "s = (sum[i] a[i] c[i])^2"),
    ("s = (a[i] c[i]) (g[i] v[i])", "s = (sum[i] a[i] c[i]) (sum[i] g[i] v[i])"),
    ("s = A[i,i] B[i,i]", "s = sum[i] A[i,i] B[i,i]"),
)

SENTENCES = (
    # free are the indices of the left side
    ("z[i,j] = W[i,j]", "z[i,j] = W[i,j]"),
    ("∂cost/∂W[i,j] = b[i] x[j]", "∂cost/∂W[i,j] = b[i] x[j]"),
    # a free index is not summed however often it stands
    ("u[i] = W[i,k] x[k] b[i] b[i]", "u[i] = sum[k] W[i,k] x[k] b[i] b[i]"),
    # a written sum binds lexically, and hides a free one
    ("x[i] = a[i] sum[i] c[i]", "x[i] = a[i] sum[k] c[k]"),
    # within it the index is like a free one
    ("s = sum[k] x[k] sigmoid(a[k] c[k])", "s = sum[j] x[j] sigmoid(a[j] c[j])"),
    ("s = sum[k] (W[i,k] x[k]) b[i]", "s = sum[i] sum[k] W[i,k] x[k] b[i]"),
    # the product of a written sum is part of the product around it
    ("s = x[j] sum[i] b[i] W[i,j]", "s = sum[j] x[j] sum[i] b[i] W[i,j]"),
    # an operation that uses its indices up binds them
    ("s = max[k](a[k] c[k])", "s = max[j](a[j] c[j])"),
    ("u[i] = max[k](W[i,j] A[j,k])", "u[i] = max[k](sum[j] W[i,j] A[j,k])"),
    # open in no factor: every factor sums its own
    ("s = exp(a[k] c[k]) lam", "s = exp(sum[k] a[k] c[k]) lam"),
    # a trace
    ("s = A[i,i]", "s = sum[i] A[i,i]"),
    ("s = exp(A[i,i])", "s = exp(sum[i] A[i,i])"),
    ("s = lam A[i,i]", "s = sum[i] lam A[i,i]"),
    # deltas, derivatives, what is divided by
    ("s = delta[i,j] A[i,j]", "s = sum[i,j] delta[i,j] A[i,j]"),
    ("s = x[k] / a[k]", "s = sum[k] x[k] / a[k]"),
    ("s = x[k] / (a[k] c[k])", "s = sum[k] x[k] / (a[k] c[k])"),
    ("s = (a[k] c[k]) / (a[k] a[k])", "s = (sum[k] a[k] c[k]) / (sum[k] a[k] a[k])"),
    ("s = a[k] c[k] / (x[l] x[l])", "s = sum[k] a[k] c[k] / (sum[l] x[l] x[l])"),
    ("x[i] = exp(x[i]) / sum[j] exp(x[j])", "x[i] = exp(x[i]) / (sum[j] exp(x[j]))"),
    ("s = ∂cost/∂y[i,j] W[i,j]", "s = sum[i,j] ∂cost/∂y[i,j] W[i,j]"),
    ("s = ∂x[i]/∂a[i]", "s = sum[i] ∂x[i]/∂a[i]"),
    # powers are one factor each
    ("s = a[i]^2 c[i]", "s = sum[i] a[i]^2 c[i]"),
    ("s = (W[i,k] x[k] + b[i]) b[i]", "s = sum[i] ((sum[k] W[i,k] x[k]) + b[i]) b[i]"),
    # each summand is on its own, one letter over two dimensions
    ("u[i] = W[i,k] x[k] + U[i,k] h[k]", "u[i] = (sum[k] W[i,k] x[k]) + (sum[j] U[i,j] h[j])"),
    # an operation along an index binds nothing: it is open there
    ("s = softmax[k](x[k]) a[k]", "s = sum[k] softmax[k](x[k]) a[k]"),
    ("u[i] = softmax[k](W[i,j] A[j,k]) x[k]", "u[i] = sum[k] softmax[k](sum[j] W[i,j] A[j,k]) x[k]"),
    # a sign is no factor
    ("s = -a[k] c[k]", "s = -(sum[k] a[k] c[k])"),
    ("s = a[k] * -c[k]", "s = sum[k] -a[k] c[k]"),
)


@pytest.mark.parametrize(("line", "written_out"), TABLE + SENTENCES)
def test_implied_sums(line: str, written_out: str) -> None:
    if line == "s = -a[k] c[k]":
        assert equation(line).right.expression.free == frozenset()
        return
    same(line, written_out)


@pytest.mark.parametrize("line", ["s = (a[i] - c[i])^2", "s = a[i]^2", "s = exp(x[i])", "s = A[i,i]^2"])
def test_an_index_that_is_left_over_offers_a_sum(line: str) -> None:
    found = issue(line)
    assert found.code == "unbound-index"
    assert "sum[i]" in (found.help or "")


def test_two_readings_across_a_fraction_bar() -> None:
    found = issue("s = a[k] c[k] / (a[k] a[k])")
    assert found.code == "ambiguous-sum"
    assert "sum[k] a[k] c[k] / (a[k] a[k])" in (found.help or "")
    assert "(a[k] c[k]) / (a[k] a[k])" in (found.help or "")


def test_nothing_on_a_left_side_is_summed_unless_written() -> None:
    read = equation("x[i] a[i] = x[i] a[i]")
    assert [index.name for index in read.free] == ["i"]
    assert equation("sum[j] W[i,j] = 1").free == (Index("i", DIMENSIONS["m"]),)
    diagonal = equation("∂x[i]/∂a[i] = x[i]")
    assert diagonal.left.expression == Ref("∂x/∂a", (Index("i", DIMENSIONS["n"]),) * 2)


def test_an_index_twice_on_the_left_and_nowhere_on_the_right() -> None:
    found = issue("x[i] a[i] = s")
    assert found.code == "index-twice"
    assert "sum[i] x[i] a[i]" in (found.help or "")
    assert equation("exp(x[i]) exp(-x[i]) = 1").free


@pytest.mark.parametrize(
    ("left", "product"),
    [
        ("x[i] a[i]", "x[i] a[i]"),
        ("lam + x[i] a[i]", "x[i] a[i]"),
        ("lam - 2 x[i] exp(a[i] c[i])", "2 x[i] exp(a[i] c[i])"),
        ("lam + softmax[i](x[i]) a[i]", "softmax[i](x[i]) a[i]"),
        ("lam + (a[i] c[i])^2", "a[i] c[i]"),
        ("lam exp(lam + A[i,i])", "A[i,i]"),
        ("lam ∂(lam + x[i] a[i])/∂lam", "x[i] a[i]"),
        ("x[j] sum[j] A[j,i] a[i]", "x[j] sum[j] A[j,i] a[i]"),
    ],
)
def test_the_sum_that_is_offered_is_of_the_product_that_would_have_it(left: str, product: str) -> None:
    """Written as offered, the left side is what the same formula is as a right side."""
    right = "x[j]" if left.startswith("x[j]") else "s"
    offered = f"sum[i] {product}"
    assert issue(f"{left} = {right}").help == f"write {offered} where it is to be summed"
    written = equation(f"{left.replace(product, offered)} = {right}")
    implied = equation(f"{right} = {left}")
    assert renamed(written.left.expression) == renamed(implied.right.expression)


def test_what_is_remarked_on() -> None:
    assert "hides the free index i" in equation("x[i] = a[i] sum[i] c[i]").remarks[0]
    assert "4 times" in equation("s = A[i,i] B[i,i]").remarks[0]
    assert equation("z[i,j] = W[i,j] + b[i]").remarks == ("b[i] has no j and is repeated along j",)
    assert equation("z[i,j] = W[i,j] + 1").remarks == ()
    assert equation("z[i,j] = lam").remarks == ("lam has no i and j and is repeated along i and j",)


def test_ranges() -> None:
    written = equation("s = sum[k:3] lam").right.expression
    assert isinstance(written, Sum) and written.indices[0].dimension == Dimension("3")
    assert issue("s = sum[i] lam").code == "no-range"
    assert issue("s = sum[k:3] x[k]").code == "index-dimension"
    same("s = sum[k:6] six[k]", "s = sum[k] six[k]")


# --- dimensions -----------------------------------------------------------------------------------


def test_an_index_that_meets_two_dimensions_names_both_tensors() -> None:
    found = issue("u[i] = W[i,k] b[k]")
    assert found.code == "index-dimension"
    assert "n in W[i,k]" in found.message and "m in b[k]" in found.message
    assert issue("z[i,j] = W[j,i] ").code == "index-dimension"


def test_delta_between_two_dimensions() -> None:
    assert issue("z[i,j] = W[i,j] delta[i,j]").code == "index-dimension"
    assert issue("z[i,j] = delta[i,j] W[i,j]").code == "index-dimension"


def test_a_size_is_a_number_and_a_name_in_brackets_is_an_index() -> None:
    assert equation("s = 1/m lam").right.expression == equation("s = 1 / m * lam").right.expression
    m = DIMENSIONS["m"]
    assert size(m) in equation("s = m lam").right.expression.factors  # type: ignore[union-attr]
    read = equation("u[m] = b[m] / sqrt(m)")
    assert [index.name for index in read.free] == ["m"]


def test_fixed_positions() -> None:
    assert equation("s = x[0]").right.expression == Ref("x", (0,))
    assert equation("s = K[1,2]").right.expression == Ref("K", (1, 2))
    for line in ("s = K[2,0]", "s = six[6]", "s = x[-1]"):
        assert issue(line).code == "position-out-of-range"


def test_deltas_and_ones() -> None:
    assert equation("A[i,j] = δ[i,j]").right.expression == Delta(
        Index("i", DIMENSIONS["n"]), Index("j", DIMENSIONS["n"])
    )
    same("A[i,j] = eye[i,j]", "A[i,j] = delta[i,j]")
    assert equation("x[i] = ones[i]").right.expression == ONE
    hidden = scope().with_step("delta", (DIMENSIONS["n"],) * 2)
    assert isinstance(equation("A[i,j] = delta[i,j]", hidden).right.expression, Ref)


def test_what_hides_what() -> None:
    where = scope(abstract={"x": 0})
    assert isinstance(equation("s = x(lam)", where).right.expression, Apply)
    assert equation("s = sum[i] x[i] * (lam)", where).right.expression.free == frozenset()


# --- operations -----------------------------------------------------------------------------------


def test_operations_over_indices() -> None:
    same("u[i] = mean[k](W[i,k])", "u[i] = (sum[k] W[i,k]) / n")
    found = equation("u[i] = std[k](W[i,k], ddof=1)").right.expression
    assert isinstance(found, Op) and found.operation == "std" and dict(found.parameters) == {"ddof": 1}
    same("s = mean[i,k](W[i,k])", "s = (sum[i,k] W[i,k]) / (m n)")
    along = equation("z[i,k] = softmax[k](W[i,k])").right.expression
    assert isinstance(along, Op) and along.out == (Index("k", DIMENSIONS["n"]),)
    assert along.bound[0].serial > 0
    product = equation("s = prod[k] x[k] a[k]").right.expression
    assert isinstance(product, Op) and product.operation == "prod"
    nested = equation("s = max[i,k](W[i,k])").right.expression
    assert isinstance(nested, Op) and isinstance(nested.arguments[0], Op)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("s = max(x[i])", "missing-brackets"),
        ("s = sum(x[i])", "missing-brackets"),
        ("s = tr(A[i,j])", "mixed-notation"),
        ("s = max[i](x[i], a[i])", "arguments"),
        ("s = max[i](x[i], ddof=1)", "keyword"),
        ("s = softmax[k](x[j]) a[j]", "unbound-index"),
    ],
)
def test_wrong_operations(line: str, code: str) -> None:
    assert issue(line).code == code


# --- functions ------------------------------------------------------------------------------------


def test_functions_and_their_derivatives() -> None:
    second = equation("x[i] = f''(x[i])").right.expression
    assert isinstance(second, Apply) and second.order == (2,)
    partial = equation("x[i] = C.1.2(x[i], a[i])").right.expression
    assert isinstance(partial, Apply) and partial.order == (1, 1)
    assert isinstance(equation("x[i] = max(x[i], a[i])").right.expression, Apply)
    assert equation("x[i] = |x[i]|").right.expression == equation("x[i] = abs(x[i])").right.expression
    assert issue("x[i] = f(x[i]) + f(x[i], a[i])").code == "arguments"
    assert issue("x[i] = exp(x[i], a[i])").code == "arguments"
    assert issue("x[i] = C'(x[i], a[i])").code == "arguments"


def test_a_function_that_a_spec_defines() -> None:
    function = elaborate_function(Source("f", "E(u, t) = (u - t)^2 / 2"), scope())
    assert function.parameters == ("u", "t")
    assert function.body.free == frozenset()
    where = scope(defined={"E": function})
    used = equation("x[i] = E(x[i], a[i])", where).right.expression
    assert isinstance(used, Apply) and used.order == (0, 0)
    with pytest.raises(Issue):
        elaborate_function(Source("f", "E(u) = u lam"), scope())
    with pytest.raises(Issue):
        elaborate_function(Source("f", "E(u) = u x[i]"), scope())


# --- derivatives ----------------------------------------------------------------------------------


def test_derivatives_are_asked_for() -> None:
    read = equation("∂z[i,j]/∂W[p,q] = delta[i,p] x[q] delta[j,q]")
    assert read.derivatives == (Derivative("∂z/∂W", "z", ("W",)),)
    assert [index.name for index in read.free] == ["i", "j", "p", "q"]
    own = equation("∂⁺z[i,j]/∂x[k] = 0")
    assert own.derivatives[0].own and own.derivatives[0].name == "∂⁺z/∂x"
    second = equation("∂²cost/∂x[i]∂b[j] = 0")
    assert second.derivatives[0].denominators == ("x", "b")
    for spelling in ("dcost/dx[i] = 0", "d cost/d x[i] = 0"):
        assert equation(spelling).left.expression == equation("∂cost/∂x[i] = 0").left.expression


def test_an_expression_under_a_derivative_is_a_definition() -> None:
    read = equation("∂cost/∂W[p,q] = sum[i,j] ∂C(y[i,j])/∂W[p,q]")
    (definition,) = read.definitions
    assert definition.tensor == "‹1›"
    assert [index.name for index in definition.indices] == ["i", "j"]
    assert all(index.serial == 0 for index in definition.indices)
    assert read.derivatives[1] == Derivative("∂‹1›/∂W", "‹1›", ("W",))
    product = equation("∂z[i,j]/∂x[q] = ∂(W[i,k] A[k,j])/∂x[q]")
    assert [index.name for index in product.definitions[0].indices] == ["i", "j"]
    nested = equation("∂²cost/∂b[j]∂W[p,q] = ∂(∂cost/∂W[p,q])/∂b[j]")
    assert nested.definitions[0].expression == Ref("∂cost/∂W", nested.definitions[0].indices)
    scalar = equation("∂(xᵀ A x)/∂x[k] = ∂(tr(A))/∂x[k]")
    assert [d.indices for d in scalar.definitions] == [(), ()]
    assert equation("∂(x[i])/∂a[j] = 0").definitions == ()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("∂z/∂W[p,q] = 0", "derivative-indices"),
        ("∂z[i,j]/∂W = 0", "derivative-indices"),
        ("∂(sum[k] x[k]^2)/∂x[k] = 0", "derivative-index-bound"),
        ("s = a[k] ∂(x[k] c[k])/∂x[k]", "derivative-index-bound"),
        ("∂cost/∂q[i] = 0", "derivative"),
        ("∂cost/∂W[p] = 0", "wrong-rank"),
    ],
)
def test_wrong_derivatives(line: str, code: str) -> None:
    assert issue(line).code == code


def test_a_scalar_needs_no_indices() -> None:
    assert equation("∂x[i]/∂lam = 0").left.expression == Ref("∂x/∂lam", (Index("i", DIMENSIONS["n"]),))
    assert equation("∂cost/∂x[i] = 0").left.expression.free


# --- matrix expressions within index notation -----------------------------------------------------


def test_matrix_expressions_with_brackets_behind() -> None:
    same("A[a,b] = (Wᵀ W)[a,b]", "A[a,b] = sum[i] W[i,a] W[i,b]")
    inverse = equation("A[k,l] = inv(A)[k,l]").right.expression
    assert isinstance(inverse, Op) and len(inverse.out) == 2
    same("A[i,j] = tr(A B) A[i,j]", "A[i,j] = (sum[k,l] A[k,l] B[l,k]) A[i,j]")
    same("x[i] = (xᵀ a) x[i]", "x[i] = (sum[k] x[k] a[k]) x[i]")
    same("x[i] = xᵀ a + x[i]", "x[i] = (sum[k] x[k] a[k]) + x[i]")


@pytest.mark.parametrize(
    ("line", "offer"),
    [
        ("x[i] = x", "x[i]"),
        ("x[i] = a[i] x", "x[i]"),
        ("z[i,j] = y[i,j] f(z)", "f(z[i,j])"),
        ("z[i,j] = y[i,j] ∂cost/∂z", "∂cost/∂z[p,q]"),
        ("z[i,j] = y[i,j] (Wᵀ W)", "(Wᵀ W)[i,j]"),
        ("z = W[i,j]", "z[i,j]"),
    ],
)
def test_a_bare_tensor_offers_its_brackets(line: str, offer: str) -> None:
    found = issue(line)
    assert found.code in ("missing-brackets", "mixed-notation")
    assert offer in (found.help or "")


# --- names and ranks ------------------------------------------------------------------------------


def test_unknown_names_have_suggestions() -> None:
    where = scope().with_step("weights", (DIMENSIONS["m"],))
    found = issue("u[i] = weight[i]", where)
    assert found.code == "unknown-tensor" and found.help == "did you mean weights?"
    assert issue("u[i] = m[i]").code == "unknown-tensor"


def test_wrong_rank_names_the_tensor_and_its_shape() -> None:
    found = issue("u[i] = W[i]")
    assert found.code == "wrong-rank"
    assert found.message == "W has 2 axes, [m, n], but 1 index stands in W[i]"
    assert issue("s = lam[i]").code == "wrong-rank"


@pytest.mark.parametrize(
    "line",
    [
        "s = sum[i] x[i+1]",
        "s = sum[i] x[six[i]]",
        "z[i,j] = [i <= j]",
        "s = sum[i] x[2i]",
        "s = sum([x > 0])",
        "z = linear(x, W, nothing)",
        "z[i,j] = tanh(conv2d(K, T, stride=2)[i,j])",
        "z = affine(x, W, b)",
    ],
)
def test_what_cannot_be_read_yet_says_so(line: str) -> None:
    found = issue(line)
    assert found.code == "not-yet" and "yet" in found.message


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("∂cost/∂f = 0", "f is a function"),
        ("∂cost/∂f[i] = 0", "f is a function"),
        ("∂z[i,j]/∂tanh = 0", "tanh is a function"),
        ("∂cost/∂m = 0", "m is a dimension"),
        ("∂cost/∂pi = 0", "pi is a number"),
        ("∂cost/∂tr = 0", "tr is an operation"),
        ("∂²cost/∂x∂logsumexp = 0", "logsumexp is an operation"),
    ],
)
def test_a_derivative_is_by_a_tensor_or_a_step(line: str, said: str) -> None:
    found = issue(line)
    assert found.code == "derivative"
    assert found.message == f"a derivative is by a tensor or a step, and {said}"


def test_a_layers_name_may_be_a_function_or_a_tensor() -> None:
    assert not equation("u = linear(u)", scope(abstract={"linear": 0})).mismatch
    assert not equation("b = pad b", scope().with_step("pad", ())).mismatch
    assert issue("b = pad b").code == "unknown-tensor"


# --- steps and lines ------------------------------------------------------------------------------


def step(text: str, shape: tuple[Dimension, ...] | None = None) -> ElaboratedStep:
    where = scope()
    tree = parse_equation(Source("step", text), where.with_step("new", ()).vocabulary)
    read = elaborate_step(tree, where, shape)
    check_equation(read[2])
    return read


def test_steps() -> None:
    name, spelling, found, *_, matrix = step("new[i,j] = W[i,j] + b[i]")
    assert (name, spelling, matrix) == ("new", "new", False)
    assert found.shape == (DIMENSIONS["m"], DIMENSIONS["n"])
    assert step("new = f(z)")[-1] is True
    assert step("new = sum[i] x[i]")[2].shape == ()
    filled = step("new[i] = 1", (DIMENSIONS["n"],))
    assert filled[2].shape == (DIMENSIONS["n"],)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("new[i] = 1", "no-range"),
        ("new[i,i] = A[i,i]", "repeated-index"),
        ("new[i] = new[i] + x[i]", "self-reference"),
        ("new[i] = W[i,j]", "unbound-index"),
        ("new[i] = Q x", "mixed-notation"),
        ("new[0] = lam", "not-yet"),
    ],
)
def test_wrong_steps(text: str, code: str) -> None:
    with pytest.raises(Issue) as caught:
        step(text)
    assert caught.value.code == code


def test_lines_of_a_derivation() -> None:
    where = scope()

    def tree(text: str) -> object:
        return parse_expression(Source("line", text), where.vocabulary)

    start, *_ = elaborate_expression(tree("∂cost/∂W[i,j]"), where)  # type: ignore[arg-type]
    assert [index.name for index in start.indices] == ["i", "j"] and not start.matrix
    line, *_ = elaborate_expression(tree("b[i] x[j] (a[k] c[k])"), where, start.indices)  # type: ignore[arg-type]
    assert line.indices == start.indices and line.expression.free == set(start.indices)
    with pytest.raises(Issue):
        elaborate_expression(tree("b[i] x[k]"), where, start.indices)  # type: ignore[arg-type]
    start, *_ = elaborate_expression(tree("∂cost/∂W"), where)  # type: ignore[arg-type]
    line, *_ = elaborate_expression(tree("b xᵀ"), where, start.indices, start.matrix)  # type: ignore[arg-type]
    assert line.indices == start.indices and line.matrix
    other, *_ = elaborate_expression(tree("x bᵀ"), where, start.indices, start.matrix)  # type: ignore[arg-type]
    assert other.indices != start.indices


def test_deep_nesting() -> None:
    deep = "(" * 190 + "x[i] a[k] a[k]" + ")" * 190
    assert equation(f"x[i] = {deep}").right.expression.free


@pytest.mark.parametrize(
    ("line", "help"),
    [
        ("A[i,j] = I[i,j]", "delta[i,j]"),
        ("s = e", "exp(1)"),
        ("s = sigm", "known here"),
        ("s = coost", "did you mean cost?"),
    ],
)
def test_an_unknown_name_has_the_help_that_fits(line: str, help: str) -> None:
    found = issue(line)
    assert found.code == "unknown-tensor"
    assert help in (found.help or "")
