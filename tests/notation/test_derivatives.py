"""All spellings of a derivative."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.notation.tree import Vocabulary

Reading = Callable[..., str]
IssueOf = Callable[..., tuple[str, str, str, str | None]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("∂cost/∂w", "∂(cost; w)"),
        ("∂ cost / ∂ w[k,j]", "∂(cost; w[k,j])"),
        ("∂z[i,j]/∂w[p,q]", "∂(z[i,j]; w[p,q])"),
        ("d cost/d w[k,j]", "∂(cost; w[k,j])"),
        ("d z[i,j]/d w[p,q]", "∂(z[i,j]; w[p,q])"),
        ("dcost/dw[k,j]", "∂(cost; w[k,j])"),
        ("dz[i,j]/dw[p,q]", "∂(z[i,j]; w[p,q])"),
        ("dŷ/dw", "∂(y_hat; w)"),
        ("dcost / d w", "∂(cost; w)"),
        ("d cost / dw", "∂(cost; w)"),
        ("d(x[i] w[i])/d w[k]", "∂(P((x[i] w[i])); w[k])"),
        ("d C(y[i])/d w[k]", "∂(C(y[i]); w[k])"),
        ("∂²cost/∂w[k,j]∂w[p,q]", "∂(cost; w[k,j], w[p,q])"),
        ("∂²cost/∂x ∂w", "∂(cost; x, w)"),
        ("∂^2 cost/∂x∂w", "∂(cost; x, w)"),
        ("∂²cost/∂x∂xᵀ", "∂(cost; x, xᵀ)"),
        ("∂²cost/∂x∂x^T", "∂(cost; x, xᵀ)"),
        ("d^2 cost/dx dx.T", "∂(cost; x, xᵀ)"),
        ("partial cost/partial w[k,j]", "∂(cost; w[k,j])"),
        ("partial^2 cost/partial x partial w", "∂(cost; x, w)"),
        ("partial² cost/∂x ∂w", "∂(cost; x, w)"),
        ("partial^+ c/partial u", "∂⁺(c; u)"),
        ("u2202^2 cost/u2202 x u2202 w", "∂(cost; x, w)"),
        ("partial(partial cost/partial x)/partial x", "∂(P(∂(cost; x)); x)"),
        ("A partial f(x)/partial x (x)", "(A ∂(f(x); x) P(x))"),
        ("d²cost/dw[k]dw[p]", "∂(cost; w[k], w[p])"),
        ("d^2 cost/d w[k] d w[p]", "∂(cost; w[k], w[p])"),
        ("∂⁺c/∂u", "∂⁺(c; u)"),
        ("∂^+ c/∂u", "∂⁺(c; u)"),
        ("d^+ c/d u", "∂⁺(c; u)"),
        ("∂(x[i,k] w[k,j])/∂w[p,q]", "∂(P((x[i,k] w[k,j])); w[p,q])"),
        ("∂(A x)[i]/∂x[j]", "∂(P((A x))[i]; x[j])"),
        ("∂(∂cost/∂x)/∂x", "∂(P(∂(cost; x)); x)"),
        ("∂C(y[i,j])/∂w[p,q]", "∂(C(y[i,j]); w[p,q])"),
        ("∂C.1(u, t)/∂u", "∂(C.1(u, t); u)"),
        ("∂f'(u)/∂u", "∂(f'(u); u)"),
        ("∂max[j](z[i,j])/∂z[p,q]", "∂(max[j](z[i,j]); z[p,q])"),
        ("∂inv(X)[k,l]/∂X[i,j]", "∂(inv(X)[k,l]; X[i,j])"),
        ("∂logdet(X)/∂X", "∂(logdet(X); X)"),
        ("𝜕cost/𝜕w", "∂(cost; w)"),
        # one factor, and what follows it is the next one
        ("x[i,k] dcost/dz[i,j] w", "(x[i,k] ∂(cost; z[i,j]) w)"),
        ("∂cost/∂z[i,j] f'(z[i,j])", "(∂(cost; z[i,j]) f'(z[i,j]))"),
        ("∂cost/∂w (A)", "(∂(cost; w) P(A))"),
        ("dcost/dw (A)", "(∂(cost; w) P(A))"),
        ("∂cost/∂b[i] ∂b[i]/∂c", "(∂(cost; b[i]) ∂(b[i]; c))"),
        ("∂cost/∂w / 2", "<∂(cost; w) / 2>"),
        ("x / ∂cost/∂w", "<x / ∂(cost; w)>"),
        ("x / dcost/dw", "<x / ∂(cost; w)>"),
        ("-∂cost/∂w", "(-∂(cost; w))"),
        ("(∂cost/∂w)ᵀ", "P(∂(cost; w))ᵀ"),
        ("(∂cost/∂w)[k,j]", "P(∂(cost; w))[k,j]"),
        ("sum(∂cost/∂w, axis=0)", "sum(∂(cost; w), axis=0)"),
        # no derivatives
        ("dO / dP", "<dO / dP>"),
        ("dO[i] / dP[i] x", None),
        ("d + x", "{d + x}"),
        ("x[d]", "x[d]"),
        ("x[partial]", "x[partial]"),
        ("sum[partial] x[partial,i]", "sum[partial](x[partial,i])"),
    ],
)
def test_spellings(reading: Reading, issue: IssueOf, text: str, expected: str | None) -> None:
    if expected is None:
        assert issue(text)[0] == "ambiguous-division"
    else:
        assert reading(text) == expected


def test_where_something_is_named_d_the_letter_alone_is_no_derivative(
    reading: Reading, issue: IssueOf
) -> None:
    tensor = Vocabulary(tensors=frozenset("dabw"))
    dimension = Vocabulary(tensors=frozenset("abw"), dimensions=frozenset("d"))
    for vocabulary in (tensor, dimension):
        assert issue("d a/d b", vocabulary)[0] == "ambiguous-division"
        assert reading("d a/d", vocabulary) == "<(d a) / d>"
        assert reading("da/db", vocabulary) == "∂(a; b)"
        assert reading("∂a/∂b", vocabulary) == "∂(a; b)"
    assert reading("d (a) / w", tensor) == "<(d P(a)) / w>"
    assert reading("∂a/∂d", tensor) == "∂(a; d)"


def test_what_is_declared_under_the_word_for_a_derivative_is_none(reading: Reading) -> None:
    for role in ("tensors", "dimensions"):
        names = {"tensors": frozenset("ax")}
        names[role] = names.get(role, frozenset()) | {"partial"}
        assert reading("partial a/partial", Vocabulary(**names)) == "<(partial a) / partial>"
    called = Vocabulary(tensors=frozenset("ax"), functions=frozenset(("partial",)))
    assert reading("partial(a) / x", called) == "<partial(a) / x>"


def test_a_closed_quotient_of_tensors_or_dimensions_stays_one(reading: Reading) -> None:
    vocabulary = Vocabulary(
        tensors=frozenset(("dist", "da", "db", "a", "b")), dimensions=frozenset(("d_k", "dim"))
    )
    assert reading("da/db", vocabulary) == "<da / db>"
    assert reading("dist / d_k", vocabulary) == "<dist / d_k>"
    assert reading("d1/d2", vocabulary) == "<d1 / d2>"
    assert reading("dim/d_k a", vocabulary) == "(<dim / d_k> a)"


@pytest.mark.parametrize(
    ("tensors", "text", "place", "message", "help"),
    [
        (
            "a b da",
            "da/db",
            "da/db",
            "`da/db` could be a derivative, but `da` is a tensor of its own and `db` is none",
            "a derivative is written `∂a/∂b`",
        ),
        (
            "a b db",
            "x + da[i]/db[i] x",
            "da[i]/db",
            "`da/db` could be a derivative, but `db` is a tensor of its own and `da` is none",
            "a derivative is written `∂a/∂b`",
        ),
        (
            "a",
            "da/dv",
            "da/dv",
            "`da/dv` is neither a derivative (there is no tensor `v`) nor a quotient of tensors",
            "a derivative is written `∂a/∂v`",
        ),
    ],
)
def test_a_closed_one_that_could_be_either(
    issue: IssueOf, tensors: str, text: str, place: str, message: str, help: str
) -> None:
    vocabulary = Vocabulary(tensors=frozenset(tensors.split()))
    assert issue(text, vocabulary) == ("ambiguous-derivative", place, message, help)


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "help"),
    [
        (
            "∂cost/∂wᵀ",
            "behind-derivative",
            "∂cost/∂wᵀ",
            "`ᵀ` behind a derivative could belong to all of it or to `w`",
            "write `(∂cost/∂w)ᵀ` or `∂cost/∂w`",
        ),
        (
            "dy/dx^2",
            "behind-derivative",
            "dy/dx^2",
            "`^2` behind a derivative could belong to all of it or to `x`",
            "write `(dy/dx)^2`",
        ),
        (
            "∂²cost/∂x²",
            "denominator",
            "∂²cost/∂x²",
            "a second derivative names both of its denominators",
            "write `∂x∂x`",
        ),
        (
            "∂²cost/∂x",
            "denominator",
            "∂²cost/∂x",
            "a second derivative has two denominators",
            "write `∂²c/∂x∂…`, or `∂` for a first one",
        ),
        (
            "∂³cost/∂x∂x∂x",
            "derivative-order",
            "³",
            "a derivative is a first or a second one",
            "write `∂(∂²c/∂x∂y)/∂z` for a third one",
        ),
        ("∂cost", "denominator", "∂cost", "the derivative `∂cost` has no denominator", "write `∂cost/∂x`"),
        ("∂cost w", "denominator", "∂cost", "the derivative `∂cost` has no denominator", "write `∂cost/∂x`"),
        (
            "∂cost/w",
            "denominator",
            "/w",
            "the denominator of a derivative begins with `∂` and a tensor",
            "write `∂a/∂b`",
        ),
        (
            "∂cost/∂(w)",
            "denominator",
            "(",
            "the denominator of a derivative is a tensor, with its indices in brackets",
            "write `∂a/∂b[i,j]`",
        ),
        (
            "∂x^2/∂x",
            "numerator",
            "x^2",
            "the numerator of a derivative is a tensor, a call or a parenthesis",
            "write `∂(x^2)/∂…`",
        ),
        (
            "∂sum[i] x[i]/∂x",
            "numerator",
            "sum[i] x[i]",
            "the numerator of a derivative is a tensor, a call or a parenthesis",
            "write `∂(sum[i] x[i])/∂…`",
        ),
        (
            "∂∂cost/∂x/∂y",
            "numerator",
            "∂",
            "what is differentiated stands in parentheses where it is a derivative itself",
            "write `∂(∂a/∂b)/∂c`, or `∂²a/∂b∂c`",
        ),
        (
            "∂/∂x cost",
            "numerator",
            "∂/∂x",
            "a derivative has what is differentiated above the fraction bar",
            "write `∂(…)/∂x`",
        ),
        (
            "d/dx[k] (a + b)",
            "numerator",
            "d/dx",
            "a derivative has what is differentiated above the fraction bar",
            "write `∂(…)/∂x`",
        ),
        (
            "a d²/d x cost",
            "numerator",
            "d²/d x",
            "a derivative has what is differentiated above the fraction bar",
            "write `∂(…)/∂x`",
        ),
        (
            "d²cost/dxdx",
            "denominator",
            "d²cost/dxdx",
            "`dxdx` is no denominator of a derivative: there is no tensor `xdx`",
            "write `∂a/∂b`, or `∂²a/∂b∂c` for a second one",
        ),
        (
            "2 d cost/dfoo x",
            "denominator",
            "d cost/dfoo",
            "`dfoo` is no denominator of a derivative: there is no tensor `foo`",
            "write `∂a/∂b`, or `∂²a/∂b∂c` for a second one",
        ),
        (
            "∂⁺²cost/∂x∂x",
            "derivative-order",
            "²",
            "the derivative of a step's own equation is a first one",
            "write `∂⁺(∂a/∂b)/∂c` for a second one",
        ),
        (
            "∂f/∂x",
            "function-argument",
            "f",
            "the function `f` is differentiated without its argument",
            "write `∂f(x)/∂x` or `f'(x)`",
        ),
        ("∂", "numerator", "∂", "the derivative has no numerator", "write `∂a/∂b`"),
    ],
)
def test_issues(issue: IssueOf, text: str, code: str, place: str, message: str, help: str) -> None:
    assert issue(text) == (code, place, message, help)
