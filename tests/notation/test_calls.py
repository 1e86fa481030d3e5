"""Names, calls and products with a parenthesis, primes, operations with brackets."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.notation.tree import Vocabulary

Reading = Callable[..., str]
IssueOf = Callable[..., tuple[str, str, str, str | None]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f(u)", "f(u)"),
        ("f (u) x", "(f(u) x)"),
        ("f'(u)", "f'(u)"),
        ("f''(u)", "f''(u)"),
        ("f″(u)", "f''(u)"),
        ("f’(u)", "f'(u)"),
        ("f' (u) (x)", "(f'(u) P(x))"),
        ("sigmoid'(z[i])", "sigmoid'(z[i])"),
        ("C.1(u, t)", "C.1(u, t)"),
        ("C.1.2(u, t) x", "(C.1.2(u, t) x)"),
        ("g (x - m)", "(g P({x - m}))"),
        ("g (x - m)^2", "(g (P({x - m})^2))"),
        ("m (x + 1)", "(m P({x + 1}))"),
        ("2 pi (x + 1)", "(2 pi P({x + 1}))"),
        ("linear(x, W, b)", "linear(x, W, b)"),
        ("conv2d(x, W, stride=2)", "conv2d(x, W, stride=2)"),
        ("sum(A, axis=0)", "sum(A, axis=0)"),
        ("var(A, axis=-1, ddof=1)", "var(A, axis=(-1), ddof=1)"),
        ("max(a, b)", "max(a, b)"),
        ("max[j](z[i,j])", "max[j](z[i,j])"),
        ("mean[i](a[i]) b[i]", "(mean[i](a[i]) b[i])"),
        ("norm[i](x[i], p=1)", "norm[i](x[i], p=1)"),
        ("max[p:2,q:2](x[2i+p,2j+q])", "max[p:2,q:2](x[{(2 i) + p},{(2 j) + q}])"),
        ("softmax[j] (z[i,j])", "softmax[j](z[i,j])"),
        ("tr(A B)", "tr((A B))"),
        ("inv(X)[k,l]", "inv(X)[k,l]"),
        ("exp(-x[i]^2 / 2)", "exp((-<(x[i]^2) / 2>))"),
        ("stop_gradient(u) u", "(stop_gradient(u) u)"),
        ("ŷ y_hat", "(y_hat y_hat)"),
        ("I ones", "(I ones)"),
        ("log(det(X))", "log(det(X))"),
        ("unknown x", "(unknown x)"),
        ("f(unknown)", "f(unknown)"),
        ("f(x + exp(y))", "f({x + exp(y)})"),
    ],
)
def test_calls(reading: Reading, text: str, expected: str) -> None:
    assert reading(text) == expected


def test_a_declared_function_hides_a_tensor(reading: Reading) -> None:
    both = Vocabulary(functions=frozenset("C"), tensors=frozenset("Cu"))
    assert reading("C(u)", both) == "C(u)"
    assert reading("C[i] (u)", both) == "(C[i] P(u))"
    assert reading("C * (u)", both) == "<C * P(u)>"


def test_a_declared_tensor_hides_what_is_ours(reading: Reading, vocabulary: Vocabulary) -> None:
    hiding = Vocabulary(
        tensors=frozenset(("gamma", "sum", "delta", "x")),
        builtins=vocabulary.builtins,
        layers=vocabulary.layers,
    )
    assert reading("γ (x)", hiding) == "(gamma P(x))"
    assert reading("γ[j] x", hiding) == "(gamma[j] x)"
    assert reading("sum[i] x", hiding) == "(sum[i] x)"
    assert reading("Σ[i] x", hiding) == "sum[i](x)"
    assert reading("delta (x)", hiding) == "(delta P(x))"


def test_a_declared_function_hides_what_is_ours(reading: Reading, vocabulary: Vocabulary) -> None:
    hiding = Vocabulary(
        functions=frozenset(("sum", "delta")), tensors=frozenset("x"), builtins=vocabulary.builtins
    )
    assert reading("sum(x)", hiding) == "sum(x)"
    assert reading("delta(x)", hiding) == "delta(x)"


def test_what_is_ours_hides_a_dimension(reading: Reading, vocabulary: Vocabulary) -> None:
    hidden = Vocabulary(
        dimensions=frozenset(("max", "e")), tensors=frozenset("x"), builtins=vocabulary.builtins
    )
    assert reading("max(x, 0)", hidden) == "max(x, 0)"
    assert reading("x / max", hidden) == "<x / max>"
    assert reading("e (x)", hidden) == "(e P(x))"


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "help"),
    [
        ("W'", "prime", "W'", "a prime is the derivative of a function, and `W` is none", "write `Wᵀ`"),
        ("W' x", "prime", "W'", "a prime is the derivative of a function, and `W` is none", "write `Wᵀ`"),
        ("W'(x)", "prime", "W'", "a prime is the derivative of a function, and `W` is none", "write `Wᵀ`"),
        (
            "(A B)'",
            "prime",
            "(A B)'",
            "a prime is the derivative of a function, and `(A B)` is none",
            "write `(A B)ᵀ`",
        ),
        (
            "A[i,j]'",
            "prime",
            "A[i,j]'",
            "a prime is the derivative of a function, and `A[i,j]` is none",
            "a transpose is written `Aᵀ`",
        ),
        ("x[i']", "prime", "i'", "an index has no prime", "give the index another letter or a number, `i2`"),
        ("f'", "function-argument", "f'", "`f'` needs its argument in parentheses", "write `f'(…)`"),
        ("f' z", "function-argument", "f'", "`f'` needs its argument in parentheses", "write `f'(…)`"),
        (
            "exp x",
            "function-argument",
            "exp x",
            "the function `exp` needs its argument in parentheses",
            "write `exp(x)`",
        ),
        (
            "exp -x",
            "function-argument",
            "exp",
            "the function `exp` needs its argument in parentheses",
            "write `exp(-x)`",
        ),
        (
            "f x[i]",
            "function-argument",
            "f x[i]",
            "the function `f` needs its argument in parentheses",
            "write `f(x[i])`",
        ),
        (
            "2 tr",
            "function-argument",
            "tr",
            "the function `tr` needs its argument in parentheses",
            "write `tr(…)`",
        ),
        (
            "log |X|",
            "function-argument",
            "log |X|",
            "the function `log` needs its argument in parentheses",
            "write `log(|X|)`",
        ),
        (
            "log det X",
            "function-argument",
            "log det X",
            "the function `log` needs its argument in parentheses",
            "write `logdet(X)`",
        ),
        (
            "log det(X) + c",
            "function-argument",
            "log det(X)",
            "the function `log` needs its argument in parentheses",
            "write `logdet(X)`",
        ),
        (
            "exp sin x",
            "function-argument",
            "exp sin x",
            "the function `exp` needs its argument in parentheses",
            "write `exp(sin(x))`",
        ),
        (
            "sin²(x)",
            "powered-function",
            "sin²",
            "`sin²` is a function without its argument",
            "write `sin(x)²`",
        ),
        (
            "sin^2 x",
            "powered-function",
            "sin^2",
            "`sin^2` is a function without its argument",
            "write `sin(x)^2`",
        ),
        (
            "sin⁻¹(x)",
            "powered-function",
            "sin⁻¹",
            "`sin⁻¹` is a function without its argument",
            "write `asin(x)` or `1/sin(x)`",
        ),
        (
            "f^-1(x)",
            "powered-function",
            "f^-1",
            "`f^-1` is a function without its argument",
            "write `1/f(x)`",
        ),
        (
            "expp(x)",
            "unknown-function",
            "expp",
            "there is no function, tensor or step named `expp`",
            "did you mean `exp`?",
        ),
        (
            "ln(x)",
            "unknown-function",
            "ln",
            "there is no function, tensor or step named `ln`",
            "did you mean `log`?",
        ),
        (
            "transpose(A)",
            "unknown-function",
            "transpose",
            "there is no function, tensor or step named `transpose`",
            "a transpose is written `Aᵀ` or `A.T`",
        ),
        (
            "h'(x)",
            "unknown-function",
            "h",
            "there is no function, tensor or step named `h`",
            "declare it: `functions: [h]`, or `h` among the tensors",
        ),
        (
            "dC(y)/dw",
            "unknown-function",
            "dC",
            "there is no function, tensor or step named `dC`",
            "a derivative is written `∂C(y)/∂x`",
        ),
        (
            "max[j] z[i,j]",
            "operation-parentheses",
            "max[j]",
            "`max[j]` needs parentheses around what it runs over",
            "write `max[j](z[i,j])`",
        ),
        (
            "f[i](x)",
            "function-brackets",
            "f[i]",
            "`f` is a function and takes no index brackets",
            "the brackets stand on what it is applied to: `f(x[i])`",
        ),
        (
            "delta(i,j)",
            "index-brackets",
            "delta(i,j)",
            "the indices of delta stand in square brackets",
            "write `delta[i,j]`",
        ),
        (
            "x.1",
            "not-a-function",
            "x.1",
            "`x.1` would be the derivative of a function in an argument, and `x` is no function",
            "an entry is written `x[0]`",
        ),
        ("C.1", "function-argument", "C.1", "`C.1` needs its arguments in parentheses", "write `C.1(…)`"),
        (
            "C.0(u)",
            "argument-number",
            "C.0",
            "the arguments of a function are counted from 1, as in `C.1(u, t)`",
            None,
        ),
        ("f()", "function-argument", "f()", "`f` has no argument", None),
        (
            "sum(axis=0, A)",
            "argument-order",
            "A",
            "an argument without a name stands after one with a name",
            None,
        ),
        ("sum(A, axis=0, axis=1)", "argument-twice", "axis", "`axis=` stands twice", None),
        ("∇f", "nabla", "∇f", "`∇f` does not say by what to differentiate", "write `∂f/∂x`"),
        ("∇ log(x)", "nabla", "∇ log", "`∇ log` does not say by what to differentiate", "write `∂(…)/∂x`"),
    ],
)
def test_issues(issue: IssueOf, text: str, code: str, place: str, message: str, help: str | None) -> None:
    assert issue(text) == (code, place, message, help)


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("sum[i,j] A[i,j]", "sum[i,j]", "a written one is `Σ[i,j] …`"),
        ("2 prod[i] (x[i])", "prod[i]", "a written one is `Π[i] …`"),
    ],
)
def test_a_written_sum_where_a_function_hides_ours(
    issue: IssueOf, text: str, message: str, help: str
) -> None:
    vocabulary = Vocabulary(functions=frozenset(("sum", "prod")), tensors=frozenset("Ax"))
    word = message.partition("[")[0]
    said = f"`{word}` is a function of the spec and takes no index brackets"
    assert issue(text, vocabulary) == ("function-brackets", message, said, help)
