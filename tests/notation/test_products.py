"""Precedence, juxtaposition, division, signs and written sums."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tensorgrad_cli.notation.tree import Vocabulary

Reading = Callable[..., str]
IssueOf = Callable[..., tuple[str, str, str, str | None]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # 1. powers before signs, right to left, the exponent one factor with an optional sign
        ("-x^2", "(-(x^2))"),
        ("x^1/2", "<(x^1) / 2>"),
        ("x^(1/2)", "(x^P(<1 / 2>))"),
        ("2^3^x", "(2^(3^x))"),
        ("x^-2^2", "(x^(-(2^2)))"),
        ("x**-1 y", "((x**(-1)) y)"),
        ("x^f(u) y", "((x^f(u)) y)"),
        ("x^a[i]", "(x^a[i])"),
        ("2x[i]^2", "(2 (x[i]^2))"),
        ("(a + b)²", "(P({a + b})^2)"),
        ("x⁻¹²", "(x^-12)"),
        # 2. juxtaposition
        ("a b c", "(a b c)"),
        ("2 x[i] w[i]", "(2 x[i] w[i])"),
        ("(a)(b)", "(P(a) P(b))"),
        # 3. written signs, left to right
        ("Wᵀ b ⊙ s", "<(Wᵀ b) ⊙ s>"),
        ("A ⊙ B D", "<A ⊙ (B D)>"),
        ("a b / c", "<(a b) / c>"),
        ("a / b * c", "<a / b * c>"),
        ("a / b / c", "<a / b / c>"),
        ("a * b c", "<a * (b c)>"),
        ("A @ B ∘ D ⊗ E", "<A @ B ∘ D ⊗ E>"),
        ("a·b×c⋅x", "<a * b * c * x>"),
        # 4. a sign in front, also behind a written sign
        ("-a b / c", "(-<(a b) / c>)"),
        ("--a", "(-(-a))"),
        ("+a", "(+a)"),
        ("a * -b c", "<a * (-(b c))>"),
        ("a / -b * c", "<a / (-b) * c>"),
        ("a @ -b ⊙ -c", "<a @ (-b) ⊙ (-c)>"),
        ("-a * b", "(-<a * b>)"),
        # 5. plus and minus, whatever blanks stand around them
        ("a - b - c", "{a - b - c}"),
        ("x -y", "{x - y}"),
        ("x-y", "{x - y}"),
        ("x - -y", "{x - (-y)}"),
        ("a+b*c", "{a + <b * c>}"),
    ],
)
def test_precedence(reading: Reading, text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sum[i,j] x[i] y[j] - c", "{sum[i,j]((x[i] y[j])) - c}"),
        ("2 c sum[i] x[i] / y[i]", "(2 c sum[i](<x[i] / y[i]>))"),
        ("2 * sum[i] x[i] * y[i]", "<2 * sum[i](<x[i] * y[i]>)>"),
        ("sum[i] (a[i] - b[i])^2", "sum[i]((P({a[i] - b[i]})^2))"),
        ("sum[i] x[i] sum[j] y[j]", "sum[i]((x[i] sum[j](y[j])))"),
        ("-sum[i] x[i]", "(-sum[i](x[i]))"),
        ("a * -sum[i] x[i] * y", "<a * (-sum[i](<x[i] * y>))>"),
        ("sum[i] -x[i]", "sum[i]((-x[i]))"),
        ("(sum[i] x[i]) y", "(P(sum[i](x[i])) y)"),
        ("Σ[i] x[i]", "sum[i](x[i])"),
        ("∑[i] x[i]", "sum[i](x[i])"),
        ("∏[i] x[i] + c", "{prod[i](x[i]) + c}"),
        ("prod[i] 2 x[i]", "prod[i]((2 x[i]))"),
        ("prod[i] (x[i] + c)", "prod[i](P({x[i] + c}))"),
        ("prod[i] (x[i] + c)^2", "prod[i]((P({x[i] + c})^2))"),
        ("prod[i] x[i] (y[i])", "prod[i]((x[i] P(y[i])))"),
        ("sum[i](x[i]) c", "sum[i]((P(x[i]) c))"),
        ("sum[k:3] x[k]", "sum[k:3](x[k])"),
        ("sum[k:n,j] A[k,j]", "sum[k:n,j](A[k,j])"),
        ("exp(z[i]) / sum[j] exp(z[j])", "<exp(z[i]) / sum[j](exp(z[j]))>"),
        ("x[i] / sum[j] sum[k] A[j,k]^2 + c", "{<x[i] / sum[j](sum[k]((A[j,k]^2)))> + c}"),
        ("a / b * sum[j] c[j] x[j]", "<a / b * sum[j]((c[j] x[j]))>"),
    ],
)
def test_written_sums(reading: Reading, text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2 x", "(<1 / 2> x)"),
        ("1 / 2 x", "(<1 / 2> x)"),
        ("1/m sum[i] x[i]", "(<1 / m> sum[i](x[i]))"),
        ("n/3 sum[i] x[i]", "(<n / 3> sum[i](x[i]))"),
        ("-1/2 x^2 y", "(-(<1 / 2> (x^2) y))"),
        ("x - 3/2 log(y)", "{x - (<3 / 2> log(y))}"),
        ("1/n (x - y)", "(<1 / n> P({x - y}))"),
        ("1/2 x / y", "<(<1 / 2> x) / y>"),
        ("1/2 * x", "<1 / 2 * x>"),
        ("1/m", "<1 / m>"),
        ("exp(3/2 x)", "exp((<3 / 2> x))"),
    ],
)
def test_a_number_over_a_number_is_a_coefficient(reading: Reading, text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("text", "place", "message", "help"),
    [
        (
            "a / b c",
            "a / b c",
            "what `/ b` divides can be read in two ways",
            "write `a / (b c)` or `(a / b) c`",
        ),
        (
            "x + a b / -c y[i] z",
            "a b / -c y[i] z",
            "what `/ -c` divides can be read in two ways",
            "write `a b / (-c y[i] z)` or `(a b / -c) y[i] z`",
        ),
        ("1/2x", "1/2x", "`1/2x` can be read in two ways", "write `1/2 x` or `1 / (2 x)`"),
        (
            "1/2(x + y)",
            "1/2(x + y)",
            "`1/2(x + y)` can be read in two ways",
            "write `1/2 (x + y)` or `1 / (2 (x + y))`",
        ),
        ("1/a x", "1/a x", "what `/ a` divides can be read in two ways", "write `1 / (a x)` or `(1 / a) x`"),
        (
            "x / 1/2 y",
            "x / 1/2 y",
            "what `/ 2` divides can be read in two ways",
            "write `x / 1 / (2 y)` or `(x / 1 / 2) y`",
        ),
        (
            "a / sum[j] b[j] c[j]",
            "a / sum[j] b[j] c[j]",
            "after `/` a written sum ends the product and is one factor long",
            "write `a / (sum[j] b[j] c[j])` or `(a / sum[j] b[j]) c[j]`",
        ),
        (
            "a / sum[j] b[j] * c",
            "a / sum[j] b[j] * c",
            "after `/` a written sum ends the product and is one factor long",
            "write `a / (sum[j] b[j] * c)` or `(a / sum[j] b[j]) * c`",
        ),
    ],
)
def test_a_product_right_after_a_division_is_ambiguous(
    issue: IssueOf, text: str, place: str, message: str, help: str
) -> None:
    assert issue(text) == ("ambiguous-division", place, message, help)


def test_a_coefficient_is_of_numerals_and_dimensions(reading: Reading, issue: IssueOf) -> None:
    hidden = Vocabulary(tensors=frozenset("xm"), dimensions=frozenset("mdn"))
    assert issue("1/m x", hidden)[0] == "ambiguous-division"
    assert reading("1/d x", hidden) == "(<1 / d> x)"
    assert reading("n/d x", hidden) == "(<n / d> x)"


@pytest.mark.parametrize(
    ("text", "help"),
    [
        ("prod[i](x[i]) c", "write `(prod[i] (x[i])) c` or `prod[i] ((x[i]) c)`"),
        ("∏[i] (x[i] + c) / y", "write `(∏[i] (x[i] + c)) / y` or `∏[i] ((x[i] + c) / y)`"),
        ("prod[i] (x[i])^2 c", "write `(prod[i] (x[i])^2) c` or `prod[i] ((x[i])^2 c)`"),
    ],
)
def test_a_product_that_could_end_at_its_parenthesis(issue: IssueOf, text: str, help: str) -> None:
    code, place, message, offered = issue(text)
    assert (code, place, offered) == ("ambiguous-product", text, help)
    assert message.endswith("can end at its parenthesis or take all that follows")


@pytest.mark.parametrize(
    ("text", "code", "place", "help"),
    [
        ("2 3^2 x", "two-numerals", "2 3", "write `2 * 3`, or `23` for one numeral"),
        ("2 3 x", "two-numerals", "2 3", "write `2 * 3`, or `23` for one numeral"),
        ("Σ x[i]", "sum-indices", "Σ", "write `Σ[i] …`; a tensor may be named Sigma"),
        (
            "Σ(A)",
            "sum-indices",
            "Σ",
            "write `Σ[i] …`; the sum of all entries is `sum(A)`; a tensor may be named Sigma",
        ),
        ("sum x[i]", "function-argument", "sum", "write `sum[i] …`, or `sum(A)` of all entries"),
        ("x^sum[i] x[i]", "sum-parentheses", "sum", "write `(sum[i] …)`"),
        ("x^Σ[i] x[i]", "sum-parentheses", "Σ", "write `(sum[i] …)`"),
        ("sum[] x", "not-an-index", "[]", "name the indices to run over, such as `sum[i,j]`"),
        (
            "sum[i+1] x[i]",
            "not-an-index",
            "i+1",
            "these brackets hold the indices to run over, such as `sum[i,j]` or `sum[k:3]`",
        ),
        (
            "sum[i<=j] x[i]",
            "not-an-index",
            "[i<=j]",
            "write the condition as a factor, `sum[i] [i <= j] x[i]`, and a range as `sum[i:3] x[i]`",
        ),
        ("sum[i]", "unexpected-end", "", "write what to add up: `sum[i] x[i]`"),
        ("a +", "unexpected-end", "", None),
        ("a * / b", "syntax", "/", None),
        ("a b, c", "syntax", ",", "commas stand between indices, `x[i,j]`, and between arguments, `f(u, t)`"),
    ],
)
def test_issues(issue: IssueOf, text: str, code: str, place: str, help: str | None) -> None:
    found = issue(text)
    assert (found[0], found[1], found[3]) == (code, place, help)
