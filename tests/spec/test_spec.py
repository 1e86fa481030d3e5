"""What a good spec means: defaults, names, every key."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import CheckOptions, DimensionFact, Spec
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.run import check_spec

QUESTION = """\
title: Does this calculus argument involving rank-4 tensors make sense?
dims: {m: 5, p: '>= n', n: ['> 1', '< 9']}
tensors:
  x: {shape: [m, p], constant: true}
  w: [p, n]
  b: [n]
functions: [f, 'C(u) = u^2 / 2']
chain:
  - z[i,j] = x[i,k] w[k,j] + b[j]   # index notation
  - {step: y = f(z), note: entry by entry}
  - cost = sum[i,j] C(y[i,j])
hessian: true
claims:
  - ∂cost/∂w = xᵀ (y ⊙ f'(z))
  - claim: 'this = is no formula'
    expect: ill-formed
    note: kept for later
    at: {w: 2}
derivations:
  - title: the question's steps
    start: ∂cost/∂w[p,q]
    steps:
      - = y[i,j] ∂y[i,j]/∂w[p,q]
      - {step: '= 0', expect: refuted}
    where:
      - δ = y
    first-wrong: 2
implementations:
  - {of: ∂cost/∂w, call: 'model.layers:gradient'}
layout: denominator
check: {points: 5, seed: 7, method: complex, mode: projected, rtol: 1e-6, max_memory: 2GiB}
"""


def read_text(text: str) -> Spec:
    spec, issues = read(Source("specs/some.yaml", text))
    assert not issues, [issue.rendered() for issue in issues]
    assert spec is not None
    return spec


def test_every_key_of_a_spec() -> None:
    spec = read_text(QUESTION)
    assert spec.title.startswith("Does this")
    assert spec.dims["m"] == DimensionFact(5)
    assert spec.dims["p"] == DimensionFact(conditions=((">=", "n"),))
    assert spec.dims["n"] == DimensionFact(conditions=((">", "1"), ("<", "9")))
    assert [step.name for step in spec.chain] == ["z", "y", "cost"]
    assert spec.chain[1].note == "entry by entry"
    assert spec.scope.abstract == {"f": 1}
    assert set(spec.scope.defined) == {"C"}
    assert spec.loss == "cost"
    assert spec.wrt == ("w", "b")
    assert spec.hessian == (("w", "w"), ("w", "b"), ("b", "b"))
    assert [claim.expect for claim in spec.claims] == ["holds", "ill-formed"]
    assert spec.claims[1].at["w"].text == "2"
    (derivation,) = spec.derivations
    assert [line.source.text for line in derivation.lines] == ["y[i,j] ∂y[i,j]/∂w[p,q]", "0"]
    assert [line.expect for line in derivation.lines] == [None, "refuted"]
    assert derivation.first_wrong == 2
    assert derivation.where[0].text == "δ = y"
    assert spec.implementations[0][1] == "model.layers:gradient"
    assert spec.layout == "denominator"
    assert spec.check == CheckOptions(5, 7, "complex", "projected", "float64", 1e-6, None, 2 << 30)
    assert spec.remarks == ()


def test_a_line_of_a_derivation_knows_its_column() -> None:
    line = read_text(QUESTION).derivations[0].lines[0]
    span = line.source.span(0, 1)
    assert (span.line, span.column) == (23, 11)


def test_defaults() -> None:
    spec = read_text("tensors: {t: {shape: [n], values: integers}, w: [n]}\nchain:\n  - z = 2 w\n")
    assert spec.title == "some.yaml"
    assert spec.loss is None
    assert spec.wrt == ("w",)
    assert spec.check == CheckOptions()
    assert spec.layout == "numerator"


def test_words_of_yaml_1_1_are_names() -> None:
    spec = read_text(
        "dims: {n: 3}\ntensors:\n  y: [n]\n  n: [no]\n  on: [y]\nchain:\n  - z = sum(y) sum(n) sum(on)\n"
    )
    assert list(spec.tensors) == ["y", "n", "on"]
    assert spec.tensors["n"].shape[0].name == "no"


def test_numbers_in_a_shape_are_dimensions() -> None:
    spec = read_text("tensors: {x: [012, n], c: []}\nchain:\n  - z = sum(x)\n")
    assert [dimension.fixed for dimension in spec.tensors["x"].shape] == [12, None]
    assert spec.tensors["c"].shape == ()
    assert set(spec.dimensions) == {"n"}


def test_greek_and_accents_are_one_name() -> None:
    spec = read_text("tensors: {ω: [n], x̄: [n]}\nchain:\n  - ŷ = omega + x_bar\nwrt: [omega]\n")
    assert list(spec.tensors) == ["omega", "x_bar"]
    assert spec.wrt == ("omega",)
    assert spec.scope.spelling("y_hat") == "ŷ"


def test_a_condition_follows_from_orthonormal_columns() -> None:
    spec = read_text("tensors: {Q: {shape: [n, k], structure: orthonormal}}\nchain:\n  - z = Q\n")
    assert spec.dims["n"].conditions == ((">=", "k"),)


def test_a_comment_that_looks_like_a_formula_is_remarked_on() -> None:
    text = "tensors: {x: [n]}\nchain:\n  - z = x #+ 1\n  - c = sum(z)   # a comment\n"
    assert read_text(text).remarks == ("line 3: ` #` begins a comment in YAML; `#+ 1` is not read",)


def test_what_hides_what_is_remarked_on() -> None:
    text = """\
dims: {m: 3, unused: 4}
tensors: {C: [m], m: [], exp: [m]}
functions: [C, tanh]
chain:
  - det = sum(C(exp))
"""
    assert read_text(text).remarks == (
        "`C(…)` is a call of the function; the tensor's product is `C * (…)`",
        "`tanh` is the function that the spec declares, not ours",
        "`m` in a formula is the tensor, not the size of the dimension",
        "`exp` is the tensor, and hides our `exp`",
        "`det` is the step, and hides our `det`",
        "`dims` has a size for `unused`, and no tensor has that dimension",
    )


def test_reading_imports_no_array_library() -> None:
    code = (
        "import sys; from tensorgrad_cli.source import Source; from tensorgrad_cli.spec.read import read\n"
        "spec, _ = read(Source('s', 'tensors: {x: [n]}\\nchain: [c = sum(x)]'))\n"
        "assert spec is not None\n"
        "assert not {'numpy', 'scipy', 'rich', 'opt_einsum'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


PIECES = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ": ",
        "- ",
        '"',
        "'",
        " #",
        "\n",
        "\n  ",
        "|",
        ">",
        "&a",
        "*a",
        "!x",
        "@",
        "=",
        "∂",
        "ᵀ",
        "\t",
        "-1",
    ]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(QUESTION)), st.integers(0, 6), PIECES), min_size=1, max_size=4))
def test_a_damaged_spec_gives_issues_and_never_a_traceback(damages: list[tuple[int, int, str]]) -> None:
    text = QUESTION
    for place, length, piece in damages:
        text = text[:place] + piece + text[place + length :]
    spec, issues = read(Source("specs/some.yaml", text))
    assert (spec is None) == bool(issues)
    for issue in issues:
        assert issue.rendered().startswith(f"error[{issue.code}]: ")


def test_a_dimension_that_only_a_steps_shape_names() -> None:
    text = "tensors: {a: []}\nchain: [{step: 'h[i] = a', shape: [p]}, 's = sum[i] h[i]^2']\nclaims: [∂s/∂a = 2 p a]\n"
    spec, issues = read(Source("spec.yaml", text))
    assert spec is not None, issues
    assert "p" in spec.dimensions
    report = check_spec(spec)
    assert report.verdict == "pass" and report.checks[-1].verdict == "proved"
