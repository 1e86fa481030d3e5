"""Equations, definitions, and the factors that are neither names nor derivatives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from tensorgrad_cli.notation.parse import left_name, parse_definition, parse_equation, parse_expression
from tensorgrad_cli.notation.tree import Call, Derivative, IndexRange, Name, Number, Power, Vocabulary
from tensorgrad_cli.source import Issue, Source, Span

Reading = Callable[..., str]
IssueOf = Callable[..., tuple[str, str, str, str | None]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z[i,j] = x[i,k] w[k,j] + b[j]", "z[i,j] = {(x[i,k] w[k,j]) + b[j]}"),
        ("y = f(z)", "y = f(z)"),
        ("sum[j] P[i,j] = 1", "sum[j](P[i,j]) = 1"),
        ("c = [t[i] = v]", "c = [t[i] = v]"),
        ("[i = j] = delta[i,j]", "[i = j] = delta[i,j]"),
        ("c = sum(A, axis=0)", "c = sum(A, axis=0)"),
        ("sum(A, axis=0) = c", "sum(A, axis=0) = c"),
        ("h[-1,i] = h0[i]", "h[(-1),i] = h0[i]"),
        ("∂cost/∂w = xᵀ (C'(y) ⊙ f'(z))", "∂(cost; w) = (xᵀ P(<C'(y) ⊙ f'(z)>))"),
        ("a\n  = b\n  + c", "a = {b + c}"),
    ],
)
def test_the_equals_sign_is_the_first_one_outside_all_brackets(
    equation: Reading, text: str, expected: str
) -> None:
    assert equation(text) == expected


@pytest.mark.parametrize(
    ("text", "code", "place", "message"),
    [
        ("a + b", "no-equation", "a + b", "there is no equals sign outside the brackets"),
        ("[i = j]", "no-equation", "[i = j]", "there is no equals sign outside the brackets"),
        ("= b", "no-equation", "=", "nothing stands on the left of the equals sign"),
        ("a == b", "equals-sign", "==", "an equation has a single equals sign"),
        ("a = b = c", "equals-sign", "=", "an equals sign cannot stand here"),
        ("a <= b", "comparison", "<=", "`<=` cannot stand here"),
        ("a =", "unexpected-end", "", "the formula ends where something should follow"),
        ("", "unexpected-end", "", "the formula ends where something should follow"),
        ("(a = b) c", "equals-sign", "(a = b)", "an equals sign stands in a parenthesis"),
        ("f(a + c = b) = c", "equals-sign", "=", "an equals sign cannot stand here"),
    ],
)
def test_no_equations(vocabulary: Vocabulary, text: str, code: str, place: str, message: str) -> None:
    with pytest.raises(Issue) as caught:
        parse_equation(Source("formula", text), vocabulary)
    assert caught.value.span is not None
    assert (caught.value.code, caught.value.span.text, caught.value.message) == (code, place, message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x[i,0]", "x[i,0]"),
        ("x[-1]", "x[(-1)]"),
        ("x[2i+k-1]", "x[{(2 i) + k - 1}]"),
        ("x[2(i+1)]", "x[(2 P({i + 1}))]"),
        ("E[t[i],j]", "E[t[i],j]"),
        ("z[i,t[i]]", "z[i,t[i]]"),
        ("x[exp,sum]", "x[exp,sum]"),
        ("delta[i+k,p] δ[t[i],v]", "(delta[{i + k},p] delta[t[i],v])"),
        ("ones[i] eye[i,j]", "(ones[i] eye[i,j])"),
        ("(Vᵀ V)[a,b]", "P((Vᵀ V))[a,b]"),
        ("x.T y", "(xᵀ y)"),
        ("x^T y", "(xᵀ y)"),
        ("xᵀ y", "(xᵀ y)"),
        ("x^(T)", "(x^P(T))"),
        ("x**T", "(x**T)"),
        ("A⁻¹ b", "((A^-1) b)"),
        ("A^-1 b", "((A^(-1)) b)"),
        ("A⁻ᵀ", "A⁻ᵀ"),
        ("A^-T", "A⁻ᵀ"),
        ("A^-1[i,j]", "(A^(-1))[i,j]"),
        ("A²ᵀ", "(A^2)ᵀ"),
        ("A^2ᵀ", "(A^2)ᵀ"),
        ("1ᵀ C(y) 1", "(1ᵀ C(y) 1)"),
        ("[i <= j] x[i]", "([i <= j] x[i])"),
        ("x[i] [i≤j]", "(x[i] [i <= j])"),
        ("x[i][i == j]", "(x[i] [i = j])"),
        ("[z[i] > 0]", "[z[i] > 0]"),
        ("[t[i] != 2i + 1]", "[t[i] != {(2 i) + 1}]"),
        ("[g (x - 1) >= f(u)]", "[(g P({x - 1})) >= f(u)]"),
        ("|a| |b|", "(|a| |b|)"),
        ("|a||b|", "(|a| |b|)"),
        ("|a b| c", "(|(a b)| c)"),
        ("|a (|b|) c|", "|(a P(|b|) c)|"),
        ("|a |b| c|", "(|a| b |c|)"),
        ("|x[i]|^2", "(|x[i]|^2)"),
        ("‖x‖²", "(‖x‖^2)"),
        ("||x||^2", "(‖x‖^2)"),
        ("‖ |x| ‖", "‖|x|‖"),
        ("√x[i] y", "(sqrt(x[i]) y)"),
        ("√(a + b)", "sqrt(P({a + b}))"),
        ("√2 x", "(sqrt(2) x)"),
        ("2√√x", "(2 sqrt(sqrt(x)))"),
    ],
)
def test_factors(reading: Reading, text: str, expected: str) -> None:
    assert reading(text) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.1", Fraction(1, 10)),
        ("1e-3", Fraction(1, 1000)),
        ("1e−3", Fraction(1, 1000)),
        ("2.5E+1", 25),
        (".5", Fraction(1, 2)),
        ("3.", 3),
        ("1e-30", Fraction(1, 10**30)),
        ("9" * 100, int("9" * 100)),
        ("007", 7),
        ("1e999", 10**999),
    ],
)
def test_a_numeral_is_the_rational_that_it_writes(vocabulary: Vocabulary, text: str, value: Fraction) -> None:
    tree = parse_expression(Source("formula", text), vocabulary)
    assert isinstance(tree, Number)
    assert tree.value == value


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("9" * 101, "long-numeral", "9" * 101),
        ("9" * 200_000, "long-numeral", "9" * 200_000),
        ("0." + "1" * 100, "long-numeral", "0." + "1" * 100),
        ("1e1000", "large-exponent", "1e1000"),
        ("x^1000", "large-exponent", "1000"),
        ("x^-1000", "large-exponent", "1000"),
        ("x¹⁰⁰⁰", "large-exponent", "¹⁰⁰⁰"),
    ],
)
def test_numerals_have_limits(issue: IssueOf, text: str, code: str, place: str) -> None:
    assert issue(text)[:2] == (code, place)


@pytest.mark.parametrize(
    ("text", "code", "place", "help"),
    [
        ("x[i][j]", "two-brackets", "x[i][j]", "write `x[i,j]`"),
        ("x[]", "no-index", "[]", "a scalar is written without brackets"),
        ("x[i:3]", "range", "i:3", "write `sum[i:3] …` and here `i`"),
        (
            "x[:,1]",
            "syntax",
            ":",
            "a range is written in a sum, `sum[k:3] …`; an entry has a position for every index, no slice",
        ),
        ("x[i j, ]", "syntax", "]", None),
        ("2[i]", "syntax", "[", "brackets stand behind a tensor (`x[i]`) or hold a comparison (`[i <= j]`)"),
        ("[i] x", "syntax", "[", "brackets stand behind a tensor (`x[i]`) or hold a comparison (`[i <= j]`)"),
        ("[0 <= i < n]", "comparison", "<", "write `[0 <= i] [i < n]`"),
        ("x < y", "comparison", "<", "a comparison is a mask and stands in square brackets: `[x > 0]`"),
        ("f(x > 0)", "comparison", ">", "a comparison is a mask and stands in square brackets: `[x > 0]`"),
        ("(a, b)", "comma", "(a, b)", "indices are written in square brackets, `x[i,j]`"),
        ("()", "empty-parenthesis", "()", None),
        ("√x^2", "powered-root", "√x^2", "write `sqrt(x^2)` or `sqrt(x)^2`"),
        ("√(x + y)²", "powered-root", "√(x + y)²", "write `sqrt((x + y)²)` or `sqrt(x + y)²`"),
        ("√-x", "root", "√-", "write `√(-…)`"),
        ("x^", "unexpected-end", "", "an exponent is one factor with an optional sign"),
        ("x^--1", "syntax", "-", "an exponent is one factor with an optional sign"),
        ("||", "syntax", "||", None),
    ],
)
def test_issues(issue: IssueOf, text: str, code: str, place: str, help: str | None) -> None:
    if text == "||":
        assert issue(text)[0] == "unbalanced"
        return
    found = issue(text)
    assert (found[0], found[1], found[3]) == (code, place, help)


def test_a_definition_has_parameters_that_hide_everything_else(vocabulary: Vocabulary) -> None:
    source = Source("formula", "C(u, t) = (u - t)^2 / 2")
    name, parameters, body = parse_definition(source, vocabulary)
    assert (name.text, [p.text for p in parameters], body.span.text) == ("C", ["u", "t"], "(u - t)^2 / 2")
    hiding = Source("formula", "h(f, exp, m, ŷ) = f (1) exp (m) ŷ")
    name, parameters, body = parse_definition(hiding, vocabulary)
    assert [p.text for p in parameters] == ["f", "exp", "m", "y_hat"]
    assert not isinstance(body, Call)
    assert body.span.text == "f (1) exp (m) ŷ"


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("C = 2", "C = 2", "a function is a name, or is defined as in `C(u, t) = (u - t)^2 / 2`"),
        ("C(u)", "C(u)", "a function is a name, or is defined as in `C(u, t) = (u - t)^2 / 2`"),
        ("C(2) = 2", "2", "the parameters of a function are names with commas between them"),
        ("C(u,) = 2", "(u,)", "a parameter is missing"),
        ("C() = 2", "()", "a parameter is missing"),
        ("C(u v) = 2", "v", "the parameters of a function are names with commas between them"),
        ("C(u, u) = 2", "u", "the parameter `u` stands twice"),
    ],
)
def test_no_definitions(vocabulary: Vocabulary, text: str, place: str, message: str) -> None:
    with pytest.raises(Issue) as caught:
        parse_definition(Source("formula", text), vocabulary)
    assert caught.value.code == "function-definition"
    assert caught.value.span is not None
    assert (caught.value.span.text, caught.value.message) == (place, message)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("z[i,j] = x[i,k] w[k,j]", ("z", "z", "z", ("i", "j"))),
        ("  ŷ = f(z)", ("y_hat", "ŷ", "ŷ", None)),
        ("h[t-1, i] = 2", ("h", "h", "h", ("t-1", "i"))),
        ("e[i, t[i,j]] = 2", ("e", "e", "e", ("i", "t[i,j]"))),
        ("z[] = 2", ("z", "z", "z", ())),
        ("z[i = 2", ("z", "z", "z", None)),
        ("C(u, t) = 2", ("C", "C", "C", None)),
        ("z ?? garbage", ("z", "z", "z", None)),
    ],
)
def test_the_name_on_the_left(text: str, expected: tuple[object, ...]) -> None:
    name, spelling, span, indices = left_name(Source("formula", text))
    assert (name, spelling, span.text, indices) == expected


@pytest.mark.parametrize(("text", "place"), [("∂c/∂w = 2", "∂c/∂w"), ("2 = x", "2"), ("", ""), ("= x", "=")])
def test_no_name_on_the_left(text: str, place: str) -> None:
    with pytest.raises(Issue) as caught:
        left_name(Source("formula", text))
    assert caught.value.code == "step-name"
    assert caught.value.span is not None
    assert caught.value.span.text == place


# Round trip: every part of a formula, cut out by its span, is read as the same part.

names = st.sampled_from(["x", "w", "a", "ŷ", "lam", "pi", "m"])
positions = st.sampled_from(["i", "j", "0", "2i+k-1", "t[i]"])
entries = st.builds(
    "{}[{}]".format,
    st.sampled_from(["x", "A", "δ"]),
    st.lists(positions, min_size=1, max_size=3).map(",".join),
)
numerals = st.sampled_from(["2", "0.1", "1e-3", ".5"])
leaves = st.one_of(
    names, entries, numerals, st.sampled_from(["[i <= j]", "∂cost/∂w[k,j]", "dcost/dx", "d cost/d x"])
)


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    product_signs = st.sampled_from(["*", " / ", "@", " ⊙ ", "·"])
    return st.one_of(
        st.builds("({})".format, inner),
        st.builds("({}) ({})".format, inner, inner),
        st.builds("{} {}".format, names, inner),
        st.builds("{} + {}".format, inner, inner),
        st.builds("{} − {}".format, inner, inner),
        st.builds("-{}".format, inner),
        st.builds("({}){}({})".format, inner, product_signs, inner),
        st.builds("({}){}{}".format, inner, product_signs, names),
        st.builds(
            "({}){}".format,
            inner,
            st.sampled_from(["^2", "²", "⁻¹", "ᵀ", "^-1", ".T", "**x", "^(1/2)", "[i,j]"]),
        ),
        st.builds("sum[i] {}".format, inner),
        st.builds("f'({})".format, inner),
        st.builds("C.1({}, {})".format, inner, inner),
        st.builds("max[j]({})".format, inner),
        st.builds("sum({}, axis=0)".format, inner),
        st.builds("|({})|".format, inner),
        st.builds("1/2 ({})".format, inner),
        st.builds("∂({})/∂x[k]".format, inner),
        st.builds("√({})".format, inner),
    )


formulas = st.recursive(leaves, larger, max_leaves=12)


def without_spans(value: object) -> object:
    if isinstance(value, Span):
        return None
    if isinstance(value, Struct):
        return (type(value), *(without_spans(getattr(value, name)) for name in value.__struct_fields__))
    if isinstance(value, tuple):
        return tuple(without_spans(item) for item in value)
    return value


def parts(tree: object) -> Iterator[Struct]:
    """The tree and all trees in it that are expressions on their own."""
    if isinstance(tree, tuple):
        for item in tree:
            yield from parts(item)
    elif isinstance(tree, IndexRange):
        return
    elif isinstance(tree, Struct):
        yield tree
        skipped = {"function"} if isinstance(tree, Call) else set()
        if isinstance(tree, Power) and tree.spelling == "superscript":
            skipped = {"exponent"}
        if isinstance(tree, Call) and tree.keywords:
            skipped.add("keywords")
        for name in tree.__struct_fields__:
            if name not in skipped:
                yield from parts(getattr(tree, name))


@settings(max_examples=300, deadline=None)
@given(formulas)
def test_every_part_is_read_again_as_it_was(text: str) -> None:
    vocabulary = ROUND_TRIP
    try:
        tree = parse_expression(Source("formula", text), vocabulary)
    except Issue as found:
        assert found.span is not None
        assert found.span.end <= len(text)
        assert found.rendered()
        return
    assert tree.span.text == text.strip()
    for part in parts(tree):
        span: Span = part.span  # type: ignore[attr-defined]
        again = parse_expression(Source("part", span.text), vocabulary)
        assert without_spans(again) == without_spans(part), span.text


ROUND_TRIP = Vocabulary(
    functions=frozenset("fC"),
    tensors=frozenset(("x", "w", "a", "y_hat", "lam", "A", "cost", "t")),
    dimensions=frozenset("m"),
)


@settings(max_examples=500, deadline=None)
@given(st.text(alphabet="xfdmi∂Σ/()[]|‖^²ᵀ'.,:=<+-* 12√∇", max_size=25))
def test_any_text_is_read_or_is_an_issue(text: str) -> None:
    for parse in (parse_expression, parse_equation, parse_definition):
        source = Source("formula", text)
        try:
            parse(source, ROUND_TRIP)
        except Issue as found:
            assert found.span is not None
            assert 0 <= found.span.start <= found.span.end <= len(text)
            assert found.rendered()


def test_what_a_derivative_keeps(vocabulary: Vocabulary) -> None:
    tree = parse_expression(Source("formula", "dz[i,j]/dw[p,q] x"), vocabulary).factors[0]  # type: ignore[union-attr]
    assert isinstance(tree, Derivative)
    assert tree.span.text == "dz[i,j]/dw[p,q]"
    assert tree.numerator.span.text == "z[i,j]"
    assert tree.denominators[0].span.text == "w[p,q]"
    assert isinstance(tree.numerator, Struct)
    assert not isinstance(tree.numerator, Name)
