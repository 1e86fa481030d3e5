"""The report as text: what it says, how it is folded, and that nothing of a formula is ever lost."""

from __future__ import annotations

import io
import os
import re
from functools import cache
from pathlib import Path

import pytest
from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.notation.tree import Vocabulary
from tensorgrad_cli.report import text
from tensorgrad_cli.report.fold import FORMULAS, Line, folded
from tensorgrad_cli.report.lines import lines
from tensorgrad_cli.report.plain import ascii_text, same_length
from tensorgrad_cli.source import Source, Span, cells
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify.reports import problem_of, report_of, unreadable
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Report

ROOT = Path(__file__).parent.parent.parent
SPECS = sorted((ROOT / "specs").glob("*.yaml"))
GOLDEN = Path(__file__).parent / "golden"
SMALL = {path.stem: path for path in SPECS}
QUESTION = "rank4_question"

WRONG = """\
title: What goes wrong
dims: {m: 2, n: 3}
tensors: {x: [m, n], w: [n], t: [m]}
chain:
  - y = x w
  - cost = sum[i] (y[i] - t[i])^2 / m
claims:
  - ∂cost/∂w = xᵀ (y - t) / m
  - claim: ∂cost/∂w = x (y - t)
    note: the shapes do not even meet
  - ∂cost/∂w[j] = 2 x[i,j] (y[i] - t[i] / m
  - ∂cost/∂w = 2 xᵀ (y - t) / m
derivations:
  - title: with two slips
    start: ∂cost/∂w[j]
    steps:
      - = 2 x[i,j] (y[i] - t[i]) / m
      - = x[i,j] (y[i] - t[i]) / m
      - = (x[i,j] y[i] - x[i,j] t[i]) / m
"""


@cache
def report(path: Path | None = None) -> Report:
    """The report of a spec of the repository, or of the one that goes wrong; its path and times fixed."""
    if path is None:
        spec, issues = read(Source("specs/wrong.yaml", WRONG))
    else:
        source = Source(f"specs/{path.name}", path.read_text(encoding="utf-8"))
        spec, issues = read(source)
    assert spec is not None and not issues
    checked = check_spec(spec)
    return report_of([replace(checked, seconds=0.0)], (), 20_240_501, 0.0)


def printed(report: Report, width: int | None = None, encoding: str = "utf-8", colour: bool = False) -> str:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, newline="\n")
    text.write(report, stream, colour=colour, width=width)
    stream.flush()
    return raw.getvalue().decode(encoding)


def masked(said: str) -> str:
    """The text without what rounding and the machine decide."""
    said = re.sub(r"(verified)\s+(?:exactly|to)[\s;].*?would\s+show", r"\1  #", said, flags=re.DOTALL)
    said = re.sub(r"\d(\.\d+)?e[-+]\d+|\binf\b", "#", said)
    said = re.sub(r"(claim|derivative|ratio)(\s+)-?\d[\d.]*", r"\1\2#", said)
    return re.sub(r"\d+\.\d\d s", "# s", said)


# --- golden texts: TENSORGRAD_GOLDEN=1 writes them anew, `git diff` shows what changed


@pytest.mark.parametrize(
    ("name", "spec", "width", "encoding"),
    [
        ("rank4_question", QUESTION, None, "utf-8"),
        ("rank4_question-40", QUESTION, 40, "utf-8"),
        ("rank4_question-ascii", QUESTION, None, "ascii"),
        ("least_squares", "least_squares", None, "utf-8"),
        ("least_squares-60", "least_squares", 60, "utf-8"),
        ("logistic_regression-80", "logistic_regression", 80, "utf-8"),
        ("wrong", None, None, "utf-8"),
        ("wrong-60", None, 60, "utf-8"),
        ("wrong-ascii-40", None, 40, "ascii"),
    ],
)
def test_golden(name: str, spec: str | None, width: int | None, encoding: str) -> None:
    said = masked(printed(report(SMALL[spec] if spec else None), width, encoding))
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("TENSORGRAD_GOLDEN"):
        path.write_text(said, encoding="utf-8")
    assert said == path.read_text(encoding="utf-8")


# --- nothing is lost


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_no_formula_loses_a_character_to_colour(path: Path) -> None:
    whole = report(path)
    plain, coloured = printed(whole), printed(whole, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    for check in whole.specs[0].checks:
        if check.formula is not None:
            assert check.formula.text in plain
        else:
            assert " ".join(check.source.split()) in plain
    for _, step in whole.specs[0].steps:
        assert step in plain


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_folding_takes_away_blanks_only(path: Path, width: int) -> None:
    whole = report(path)
    for line in lines(whole, 1):
        parts = list(folded(line, width))
        before = "".join(piece for piece, _ in line)
        after = " ".join("".join(piece for piece, _ in part).strip() for part in parts)
        assert re.sub(" +", " ", after.strip()) == re.sub(" +", " ", before.strip())


@pytest.mark.parametrize("width", [40, 60, 80])
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_folded_lines_fit(path: Path, width: int) -> None:
    """Only what has no place to fold is longer: a line of a file, or one long factor."""
    for line in lines(report(path)):
        if any(style == "verbatim" for _, style in line):
            continue
        for part in folded(line, width):
            said = "".join(piece for piece, _ in part).strip()
            if cells("".join(piece for piece, _ in part)) > width:
                longest = max(map(cells, said.split(" ")))
                assert longest > width // 3, said


def test_piped_text_is_never_folded() -> None:
    whole = report(SMALL["mlp"])
    assert max(map(len, printed(whole).splitlines())) > 80
    assert printed(whole) == text.render(whole)


def test_rich_reads_no_markup() -> None:
    whole = report()
    odd = "[bold]x[/bold] :x: z[i,j] = x[i,k] w[k,j] [/] http://example.org 'a' 1.5 None"
    spec = replace(whole.specs[0], title=odd)
    assert odd in re.sub(r"\x1b\[[0-9;]*m", "", printed(replace(whole, specs=(spec,)), colour=True))


def test_what_would_move_the_cursor_is_not_printed() -> None:
    whole = report()
    spec = replace(whole.specs[0], title="a\x1b[2Jb\rc\x07d\x9be")
    for colour in (False, True):
        said = printed(replace(whole, specs=(spec,)), colour=colour)
        assert "a\ufffd[2Jb\ufffdc\ufffdd\ufffde" in said


# --- folding


def fold(said: str, width: int, style: str = "formula") -> list[str]:
    return ["".join(piece for piece, _ in part) for part in folded([(said, style)], width)]


def test_a_formula_folds_under_its_right_hand_side() -> None:
    said = "  y[i,j] = a[i,k] b[k,j] + c[i,j] exp(d[i] + e[j]) - f[i] g[j] / h"
    assert fold(said, 40) == [
        "  y[i,j] = a[i,k] b[k,j]",
        "           + c[i,j] exp(d[i] + e[j])",
        "           - f[i] g[j] / h",
    ]


def test_a_product_folds_between_factors() -> None:
    said = "  w̄[k,j] = Σ[i] x[i,k] f'(z[i,j]) C'(ŷ[i,j]) ∂cost/∂s[i,j]"
    assert fold(said, 44) == ["  w̄[k,j] = Σ[i] x[i,k] f'(z[i,j]) C'(ŷ[i,j])", "           ∂cost/∂s[i,j]"]


def test_a_long_left_side_folds_at_the_equals_sign_of_itself() -> None:
    said = "  ∂second_layer[i,j]/∂weights[p,q] = x[i,p]"
    assert fold(said, 36) == ["  ∂second_layer[i,j]/∂weights[p,q]", "      = x[i,p]"]


def test_a_part_that_finds_no_room_under_the_right_hand_side_stands_further_left() -> None:
    said = "        ∂cost/∂w[p,q] = sum[i,j] ∂C(ŷ[i,j])/∂w[p,q]"
    assert fold(said, 40) == ["        ∂cost/∂w[p,q]", "        = sum[i,j] ∂C(ŷ[i,j])/∂w[p,q]"]


def test_what_is_left_behind_a_fold_is_folded_before_the_margin() -> None:
    said = "    ∂loss/∂Q[i,a] = (Σ[j] K[j,a] P[i,j] (V[j,c] G[i,c] - H[i,c])) / sqrt(d)"
    assert fold(said, 40)[:2] == ["    ∂loss/∂Q[i,a]", "                    = (Σ[j] K[j,a]"]


def test_nothing_folds_within_index_brackets_or_after_a_sign() -> None:
    said = "  y = alpha[i,j,k,l] + beta[i,j,k,l] * gamma[i,j,k,l]"
    for width in range(20, 60):
        for part in fold(said, width):
            assert part.count("[") == part.count("]")
            assert not part.rstrip().endswith(("+", "*", "="))


def test_prose_folds_between_words_under_its_beginning() -> None:
    line: Line = [("  remark: ", "quiet"), ("b[j] has no i and is repeated along i", "quiet")]
    assert ["".join(p for p, _ in part) for part in folded(line, 30)] == [
        "  remark: b[j] has no i and is",
        "          repeated along i",
    ]


def test_a_line_of_a_file_is_never_folded() -> None:
    assert fold("17 | " + "x " * 100, 40, "verbatim") == ["17 | " + "x " * 100]
    assert "verbatim" not in FORMULAS


# --- ASCII


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("∂cost/∂w[k,j] = Σ[i] x[i,k] ŷ[i,j]²", "dcost/dw[k,j] = sum[i] x[i,k] y_hat[i,j]^2"),
        ("w̄ = xᵀ z̄", "w_bar = x^T z_bar"),
        ("A⁻¹ ⊙ δ[i,j]", "A^-1 * delta[i,j]"),
        ("∂²c/∂x∂y", "d^2 c/dx dy"),
        ("∂²ŷ[i]/∂x[j]∂w̄[k]", "d^2 y_hat[i]/dx[j] dw_bar[k]"),
        ("∂⁺c/∂u", "d^+ c/du"),
        ("∂f'(u[i])/∂u[p] - ∂(a b)/∂a", "d f'(u[i])/du[p] - d(a b)/da"),
        ("√d x + √(d + 1) / √2", "sqrt(d) x + sqrt(d + 1) / sqrt(2)"),
        ("2 √√exp(x[i] (2))[j]", "2 sqrt(sqrt(exp(x[i] (2))[j]))"),
        ("∛|x| + √x.T + √f'(u)", "cbrt(|x|) + sqrt(x.T) + sqrt(f'(u))"),
        ("a root: √", "a root: sqrt()"),
        ("✓ proved · rank 2, 2×3", "+ proved | rank 2, 2x3"),
        ("plain[i]", "plain[i]"),
    ],
)
def test_ascii(said: str, plain: str) -> None:
    assert ascii_text(said) == plain


@pytest.mark.parametrize("named", ["", "d", "dx", "dc dx d", "d partial"])
@pytest.mark.parametrize(
    "said",
    [
        "∂²c/∂x∂y[p] = 0",
        "∂⁺c/∂x = c",
        "∂c/∂x = ∂y[p]/∂x",
        "∂vec(A)[i]/∂A[p,q] = ∂(A[p,q] y[i])/∂x",
        "∂f'(y[i])/∂y[p] = 0",
        "∂(∂c/∂y[i])/∂x = ∂²c/∂x∂xᵀ",
    ],
)
def test_derivatives_in_ascii_read_back(said: str, named: str) -> None:
    tensors = frozenset([*"cxyA", *named.split()])
    builtins = {"vec": "matrix"}
    vocabulary = Vocabulary(functions=frozenset("f"), tensors=tensors, builtins=builtins)
    written = ascii_text(said, tensors)
    assert written.isascii()
    trees = [parse_equation(Source("ascii", formula), vocabulary) for formula in (said, written)]
    assert without_spans(trees[0]) == without_spans(trees[1])


def test_a_root_in_ascii_is_a_power_where_its_word_is_a_name() -> None:
    assert ascii_text("√d x + ∛(a b)", ("sqrt", "x")) == "(d)^(1/2) x + cbrt(a b)"


@pytest.mark.parametrize("said", ["Σ[i] x[i] = c", "Π[i](x[i]) = c", "2 c Σ[i:3] x[i] = c"])
def test_a_sum_in_ascii_reads_back_where_its_word_is_a_name(said: str) -> None:
    vocabulary = Vocabulary(tensors=frozenset(("sum", "prod", "x", "c")))
    trees = [
        parse_equation(Source("ascii", formula), vocabulary)
        for formula in (said, ascii_text(said, vocabulary.tensors))
    ]
    assert without_spans(trees[0]) == without_spans(trees[1])


def without_spans(tree: object) -> object:
    """A syntax tree as its class and fields, where in the text they stand left out."""
    if isinstance(tree, tuple):
        return [without_spans(part) for part in tree]
    if not isinstance(tree, Struct):
        return tree
    fields = [field for field in tree.__struct_fields__ if not isinstance(getattr(tree, field), Span)]
    return [type(tree), *(without_spans(getattr(tree, field)) for field in fields)]


def test_a_quoted_line_keeps_its_columns() -> None:
    assert same_length("∂w̄[i] = x") == "?w[i] = x"


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_ascii_has_no_holes(path: Path) -> None:
    said = printed(report(path), encoding="ascii")
    assert said.isascii()
    for line in lines(report(path)):
        for piece, style in line:
            if style in FORMULAS:
                assert "?" not in ascii_text(piece), piece


# --- what is said


def test_the_question_reads_like_an_answer() -> None:
    said = printed(report(SMALL[QUESTION]))
    assert "C'(ŷ) is m×n, ∂ŷ/∂w is m×n×p×n" in said
    assert "(ij,ijpq->ijpq): did you mean that?" in said
    assert "x is m×p, C'(ŷ) ⊙ f'(z) is m×n" in said
    assert "every line holds" in said
    assert "error[" not in said
    assert said.splitlines()[-1].startswith("16 proved · ")


def test_an_unexpected_issue_is_shown_in_full() -> None:
    said = printed(report())
    assert "error[unbalanced]" in said and "--> specs/wrong.yaml:11:" in said
    assert "line 2 is the first wrong one; line 3 follows from it correctly" in said


def test_several_specs_that_pass_are_a_line_each() -> None:
    one = report(SMALL["quadratic_form"]).specs[0]
    two = report().specs[0]
    said = printed(report_of([one, two], (), 1, 0.0))
    assert said.splitlines()[0].startswith("✓ specs/quadratic_form.yaml  ")
    assert "claim:1" in said and "2 specs" in said.splitlines()[-1]
    assert "✓ proved" not in said.replace(said.splitlines()[0], "")


def test_an_unreadable_spec_is_an_error_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("tensors: {x: [n]}\nchain: ['y = x +']\n", encoding="utf-8")
    _, issues = read_path(str(path))
    said = printed(report_of([unreadable(str(path))], [problem_of(i, str(path)) for i in issues], 1, 0.0))
    assert said.startswith("error[unexpected-end]: ")
    assert f"--> {path}:2:" in said and said.splitlines()[-1].startswith(
        "nothing to check · 1 error   1 spec"
    )


def test_a_verdict_is_never_in_colour_alone() -> None:
    said = printed(report())
    for verdict in ("proved", "refuted", "ill-formed", "verified"):
        assert verdict in said


def test_quiet() -> None:
    assert list(lines(report(SMALL["quadratic_form"]), -1))[:-1] == []
    assert list(lines(report(), -2)) == []


# --- what is said beside the formulas

REMARKED = """\
tensors: {S: {shape: [n, n], structure: symmetric}, x: [n], u: [n]}
chain:
  - {step: z = S x, note: the symmetric   product}
  - {step: k = 3, note: a step without a derivative}
  - cost = xᵀ z + k
claims:
  - ∂cost/∂u = 0
  - ∂cost/∂S = x xᵀ
  - ∂⁺cost/∂S = 0
  - ∂(x[i] x[i])/∂u[j] = 0
  - ∂z/∂cost = 0
  - claim: ∂cost/∂S = x xᵀ + x xᵀ
    expect: refuted
derivations:
  - start: ∂cost/∂S
    steps: [= x xᵀ, = 1 x xᵀ]
"""


@cache
def remarked() -> Report:
    spec, _ = read(Source("remarked.yaml", REMARKED))
    assert spec is not None
    return report_of([check_spec(spec)], (), 0, 0.0)


def test_the_note_of_a_step_stands_under_its_equation() -> None:
    said = printed(remarked()).splitlines()
    for step, note in (("z[i]", "the symmetric product"), ("k = 3", "a step without a derivative")):
        (place,) = [k for k, line in enumerate(said) if line.startswith(f"  {step}")]
        assert said[place + 1] == f"    {note}"


@pytest.mark.parametrize(
    ("title", "first"),
    [("", "specs/wrong.yaml"), ("title: wrong", "specs/wrong.yaml  wrong")],
)
def test_the_name_of_a_file_is_said_once(title: str, first: str) -> None:
    spec, _ = read(Source("specs/wrong.yaml", f"{title}\ntensors: {{x: [n]}}\nchain: ['s = sum(x)']\n"))
    assert spec is not None
    said = printed(report_of([check_spec(spec)], (), 1, 0.0))
    assert said.splitlines()[0] == first


def test_the_convention_of_a_structured_tensor_is_named_once() -> None:
    remark = "S is symmetric; its entries vary independently in a derivative"
    assert printed(remarked()).count(remark) == 1
    (spec,) = remarked().specs
    made = [check.id for check in spec.checks if remark in check.remarks]
    assert made == ["step:z/S", "gradient:S", "claim:2", "claim:3", "claim:6", "derivation:1.1"]
    failing = replace(remarked(), specs=(replace(spec, checks=spec.checks[-1:]),))
    assert remark not in printed(failing)


def test_a_derivative_by_what_nothing_depends_on_is_remarked_on() -> None:
    (spec,) = remarked().specs
    remarks = {check.id: check.remarks for check in spec.checks}
    assert remarks["claim:1"] == ("cost does not depend on u: its derivative is zero",)
    assert "the equation of cost does not contain S: the derivative is zero" in remarks["claim:3"]
    assert remarks["claim:4"] == ("what stands under the ∂ does not depend on u: its derivative is zero",)
    assert remarks["claim:5"] == ("z does not depend on cost: its derivative is zero",)
    assert not any("does not depend" in remark for remark in remarks["claim:2"])
    assert "      cost does not depend on u: its derivative is zero" in printed(remarked()).splitlines()


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 1.0, 1.9e136])
def test_what_differences_cannot_resolve_is_not_said_to_show(value: float) -> None:
    (spec,) = remarked().specs
    check = next(check for check in spec.checks if check.kind == "gradient")
    assert check.error is not None
    blind = replace(check, error=replace(check.error, resolution=value, max_rel=value))
    of = replace(remarked(), specs=(replace(spec, checks=(blind,)),))
    for verbosity in (0, 1):
        said = "".join(piece for line in lines(of, verbosity) for piece, _ in line)
        assert "would show" not in said and "inf" not in said and "nan" not in said and "e+136" not in said
