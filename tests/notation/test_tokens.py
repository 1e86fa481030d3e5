import time

import pytest

from tensorgrad_cli.notation.parse import parse_expression
from tensorgrad_cli.notation.tokens import Tokens
from tensorgrad_cli.notation.tree import Vocabulary
from tensorgrad_cli.source import Issue, Source


def kinds(text: str) -> list[str]:
    return Tokens(Source("formula", text)).kinds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Σ ∑", ["Σ", "Σ"]),
        ("Π ∏", ["Π", "Π"]),
        ("− · × ⋅", ["-", "*", "*", "*"]),
        ("′ ’ ″", ["'", "'", "'"]),
        ("≤ ≥ ≠", ["<=", ">=", "!="]),
        ("xᵀ", ["name", "transpose"]),
        ("x²", ["name", "superscript"]),
        ("A⁻¹", ["name", "superscript"]),
        ("A⁻ᵀ", ["name", "inverse"]),
        ("x.T", ["name", "transpose"]),
        ("w̄ k", ["name", "name"]),
        ("C.1.2", ["partials"]),
        ("2exp", ["number", "name"]),
        ("2.5e-3x", ["number", "name"]),
        ("2.T", ["number", "transpose"]),
        ("a**b", ["name", "**", "name"]),
        ("|a||b|", ["|", "name", "bar", "|", "name", "bar"]),
        ("[i<=j] [i]", ["mask", "name", "<=", "name", "]", "[", "name", "]"]),
        ("[f(a=1)]", ["[", "name", "(", "name", "=", "number", ")", "]"]),
        ("", []),
        (" x\n\t+ y ", ["name", "+", "name"]),
    ],
)
def test_kinds(text: str, expected: list[str]) -> None:
    assert kinds(text) == [*expected, "end"]


@pytest.mark.parametrize(
    ("text", "place", "message", "help"),
    [
        ("(a + b", "(", "`(` is never closed", None),
        ("a)", ")", "`)` closes nothing", None),
        ("(a]", "]", "`(` is not closed before this `]`", None),
        ("x[i)", ")", "`[` is not closed before this `)`", None),
        ("(|a)", ")", "`|` is not closed before this `)`", "bars inside bars need parentheses"),
        ("|a", "|", "`|` is never closed", None),
        ("xᵢ", "ᵢ", "`ᵢ` (U+1D62) is not part of the notation", "an index stands in brackets: `x[i]`"),
        (
            "‖x‖₂",
            "₂",
            "`₂` (U+2082) is not part of the notation",
            "a subscript digit is part of a name: `x₁`",
        ),
        ("xⁿ", "ⁿ", "`ⁿ` (U+207F) is not part of the notation", "write `^n`"),
        ("½ x", "½", "`½` (U+00BD) is not part of the notation", "write `1/2`"),
        ("𝑥 y", "𝑥", "`𝑥` (U+1D465) is not part of the notation", "write `x`"),
        ("x^{2}", "{", "`{` is not part of the notation", "write parentheses for braces"),
        (
            "x \u0302",
            "\u0302",
            "U+0302 is not part of the notation",
            "an accent stands on a letter: `ŷ`, or `y_hat`",
        ),
        ("x\u200by", "\u200b", "U+200B is not part of the notation", None),
        (
            "np.exp(x)",
            ".",
            "`.` is not part of the notation",
            "behind a dot stands T (`x.T`) or the number of an argument (`C.1(u, t)`); functions have no prefix",
        ),
    ],
)
def test_issues(text: str, place: str, message: str, help: str | None) -> None:
    with pytest.raises(Issue) as caught:
        kinds(text)
    assert caught.value.span is not None
    assert (caught.value.span.text, caught.value.message, caught.value.help) == (place, message, help)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200_000,
        "(" * 100_000 + "x" + ")" * 100_000,
        "x[" * 100_000,
        "|(" * 100_000,
        "f(" * 100_000 + "x" + ")" * 100_000,
        "-" * 200_000 + "x",
        "x" + "^x" * 200_000,
        "x" + "ᵀ" * 200_000,
        "√" * 200_000 + "x",
        "sum[i] " * 100_000 + "x",
        "∂(" * 100_000,
        "(" * 201 + "x" + ")" * 201,
        "sum[i] " * 201 + "x",
        "x" + "^x" * 201,
    ],
)
def test_what_nests_too_deep_is_an_issue_and_fast(text: str) -> None:
    vocabulary = Vocabulary(functions=frozenset("f"), tensors=frozenset("x"))
    began = time.perf_counter()
    with pytest.raises(Issue) as caught:
        parse_expression(Source("formula", text), vocabulary)
    assert caught.value.code == "too-deep"
    assert caught.value.message == "formulas nest at most 200 deep"
    assert time.perf_counter() - began < 120


@pytest.mark.parametrize(
    "text",
    [
        "(" * 200 + "x" + ")" * 200,
        "f(" * 200 + "x" + ")" * 200,
        "(1 + 2 * " * 200 + "x" + ")" * 200,
        "x" + " + x" * 50_000,
        "x " * 50_000,
        "(x) " * 50_000,
        " " * 200_000 + "x" + " " * 200_000 + "+ x" + " " * 200_000,
        "∂(" * 150 + "x" + ")/∂x" * 150,
    ],
)
def test_what_is_long_but_not_deep_is_read(text: str) -> None:
    vocabulary = Vocabulary(functions=frozenset("f"), tensors=frozenset("x"))
    parse_expression(Source("formula", text), vocabulary)
