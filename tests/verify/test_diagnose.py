"""Diagnoses: each slip is named by its kind, and every suggestion holds."""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from msgspec.structs import replace

from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.notation.tree import Vocabulary
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Claim
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify import diagnose as module
from tensorgrad_cli.verify.claims import Judged, judge_claim
from tensorgrad_cli.verify.diagnose import diagnose
from tensorgrad_cli.verify.diagnoses.ingredients import Ingredients
from tensorgrad_cli.verify.diagnoses.plain import says_nothing
from tensorgrad_cli.verify.read_claims import attempt_claim
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Diagnosis, Result
from tensorgrad_cli.verify.workbench import Workbench

DATA = yaml.safe_load((Path(__file__).parent / "diagnoses.yaml").read_text(encoding="utf-8"))
CASES: list[dict[str, Any]] = DATA["cases"]
KINDS = set(
    "factor sign transpose missing-term extra-term missing-factor extra-factor wrong-index wrong-function "
    "wrong-argument sum inverse order product diagonal-only layout mean-or-sum partial-derivative "
    "missing-assumption unknown".split()
)
# Specs whose notes say `diagnosis: KIND`: ours, and those of the folders in TENSORGRAD_SPECS.
FOLDERS = [
    str(Path(__file__).parent.parent.parent / "specs"),
    *os.environ.get("TENSORGRAD_SPECS", "").split(":"),
]
SPECS = [
    path
    for folder in FOLDERS
    if folder
    for path in sorted(Path(folder).glob("*.yaml"))
    if "diagnosis:" in path.read_text(encoding="utf-8")
]
NAMED = re.compile(r"diagnosis: ([a-z-]+)")


@cache
def bench_of(name: str) -> Workbench:
    text = yaml.safe_dump(DATA["specs"][name], allow_unicode=True, sort_keys=False)
    spec, issues = read(Source("diagnoses.yaml", text))
    assert spec is not None, [issue.message for issue in issues]
    return Workbench(spec, 5)


def judged(name: str, text: str) -> Judged:
    bench = bench_of(name)
    source = Source("claim", text)
    with np.errstate(all="ignore"):
        return judge_claim(bench, source, attempt_claim(bench, Claim(source), f"t{abs(hash(text))}."))


def diagnosed(name: str, text: str) -> Diagnosis | None:
    found = judged(name, text)
    assert found.verdict in ("refuted", "ill-formed")
    return diagnose(bench_of(name), found)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["claim"])
def test_slip_is_named(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORGRAD_TRACEBACK", "1")
    monkeypatch.setattr("tensorgrad_cli.verify.diagnose.SECONDS", 60.0)  # on a busy machine too
    found = diagnosed(case["spec"], case["claim"])
    assert found is not None
    assert found.kind == case["kind"], found
    assert case.get("says", "") in found.message
    # A derivative by a derivative is nothing that one can write.
    assert "∂∂" not in found.message
    if "suggests" in case:
        assert found.suggestion == case["suggests"]
    if found.suggestion is not None:
        assert judged(case["spec"], found.suggestion).holds


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["claim"])
def test_what_is_not_tried_would_not_have_held(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECONDS", "TRIALS"):
        monkeypatch.setattr(f"tensorgrad_cli.verify.diagnose.{name}", 10_000)
    found = diagnosed(case["spec"], case["claim"])
    for name in ("products", "terms", "powers", "extra_factors"):
        monkeypatch.setattr(f"tensorgrad_cli.verify.diagnoses.{name}.scales_in_vain", lambda *_: False)
    everything = Ingredients(roots=True, inverses=True, diagonals=True)
    for name in ("products", "powers", "missing_factors"):
        monkeypatch.setattr(f"tensorgrad_cli.verify.diagnoses.{name}.ingredients", lambda _: everything)
    assert diagnosed(case["spec"], case["claim"]) == found


def vocabulary() -> Vocabulary:
    known = bench_of("net").scope.vocabulary
    return replace(known, tensors=frozenset("aAbBcQuxy"), dimensions=frozenset())


@pytest.mark.parametrize(
    "text",
    [
        "det(Q) = det(Q) * 1",
        "det(Q) = 1 det(Q)",
        "x = (x + 0)",
        "sum[i] x[i]^2 = sum[i] x[i]^2",
        "sum[i] x[i]^2 = (sum[j] x[j]^2)",
        "a b / c = (a b) / c",
        "max[i](x[i]) = max[k](x[k])",
    ],
)
def test_what_is_always_so(text: str) -> None:
    assert says_nothing(parse_equation(Source("text", text), vocabulary()))


@pytest.mark.parametrize(
    "text",
    [
        "a b / c = a b c",
        "A B = A ⊙ B",
        "sum[i] x[i] y[j] = sum[j] x[i] y[j]",
        "a - b = a + b",
        "A^-1 = A^-2",
        "Aᵀ = A",
        "∂⁺c/∂u = ∂c/∂u",
        "f(x) = f'(x)",
        "a / b = a",
        "mean[i](x[i]) = sum[i] x[i]",
        "1 / a = a",
    ],
)
def test_what_is_not(text: str) -> None:
    assert not says_nothing(parse_equation(Source("text", text), vocabulary()))


@pytest.mark.parametrize("seed", range(6))
def test_what_is_true_of_some_draws_alone_is_no_property(seed: int) -> None:
    """That a trace is positive at the first points says nothing of orthonormal or symmetric matrices."""
    text = "tensors: {P: [n, n], A: [n, n], x: [n]}\nchain: ['q = xᵀ P A x']\n"
    spec, _ = read(Source("spec.yaml", text + "claims: ['abs(tr(P A)) = tr(P A)', 'det(P) = 1']"))
    assert spec is not None
    for result in check_spec(spec, seed).checks[-2:]:
        assert result.verdict == "refuted" and result.diagnosis is not None
        assert result.diagnosis.kind == "unknown", result.diagnosis


def test_every_kind_has_a_case() -> None:
    assert {case["kind"] for case in CASES} == KINDS


def test_unknown_shows_the_difference() -> None:
    found = diagnosed("net", "∂cost/∂s = exp(s) + t")
    assert found is not None and found.kind == "unknown"
    assert found.message.endswith("claim - derivative = exp(s[i,j]) + 2 t[i,j] - s[i,j]")
    assert found.suggestion is not None and judged("net", found.suggestion).holds


def test_what_cannot_be_parsed_has_no_diagnosis() -> None:
    found = judged("net", "∂cost/∂s = (s - t")
    assert found.verdict == "ill-formed"
    assert diagnose(bench_of("net"), found) is None


@pytest.mark.parametrize("name", sorted({*module.DIAGNOSES, *module.WITH_FEWER_AXES}))
def test_every_diagnosis_of_the_tables_exists(name: str) -> None:
    assert callable(module.named(name))


def test_a_crash_leaves_the_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: object) -> Any:
        raise ZeroDivisionError("oh")

    monkeypatch.delenv("TENSORGRAD_TRACEBACK", raising=False)
    monkeypatch.setattr(module, "named", lambda _: crash)
    found = diagnosed("net", "∂cost/∂s = t - s")
    assert found is not None and found.kind == "unknown"
    assert "ZeroDivisionError: oh" in found.message


def checked(text: str) -> dict[str, Result]:
    spec, issues = read(Source("spec.yaml", text))
    assert spec is not None, [issue.message for issue in issues]
    return {result.id: result for result in check_spec(spec, 3).checks}


def test_lines_of_a_derivation_are_diagnosed_as_whole_equations() -> None:
    results = checked(
        """
tensors: {A: [n, m], x: [m]}
chain: ["y = A x", "q = sum[i] y[i]^2"]
derivations:
  - start: ∂q/∂x[j]
    where: ["c[i] = 2 y[i]"]
    steps: ["= c[i] A[i,j]", "= y[i] A[i,j]", "= c[i] A[j,i]"]
"""
    )
    assert results["derivation:1.1"].diagnosis is None
    second, third = results["derivation:1.2"].diagnosis, results["derivation:1.3"].diagnosis
    assert second is not None and (second.kind, second.suggestion) == ("factor", "∂q/∂x[j] = 2 y[i] A[i,j]")
    assert third is not None and (third.kind, third.suggestion) == ("transpose", "∂q/∂x[j] = c[i] A[i,j]")


def test_equal_up_to_layout_is_said_first_for_square_shapes_too() -> None:
    results = checked("tensors: {A: [n, n]}\nchain: ['q = tr(A A A)']\nclaims: ['∂q/∂A = 3 A A']")
    result = results["claim:1"]
    assert result.verdict == "refuted"
    assert "equal up to layout" in result.remarks
    assert result.diagnosis is not None and result.diagnosis.kind == "transpose"


def test_a_claim_at_a_point_is_diagnosed_there() -> None:
    results = checked(
        """
tensors: {x: [n], y: [n]}
chain: ["q = sum[i] (x[i] - y[i])^2"]
claims: [{claim: "∂q/∂x = 4 y", at: {x: 2 y}}]
"""
    )
    found = results["claim:1"].diagnosis
    assert found is not None and (found.kind, found.suggestion) == ("factor", "∂q/∂x = 2 y")


def test_what_is_no_claim_about_the_point_is_not_suggested_of_it() -> None:
    results = checked(
        """
tensors: {x: [n], y: [n]}
chain: ["z = x ⊙ y", "r = z ⊙ x", "q = sum(r)"]
claims:
  - {claim: "∂q/∂x = 0", at: {y: x}}
  - {claim: "∂r[i]/∂x[j] = delta[i,j] y[i]^2", at: {x: y}}
"""
    )
    zero, partial = results["claim:1"].diagnosis, results["claim:2"].diagnosis
    assert zero is not None and zero.kind != "partial-derivative"
    assert "∂⁺" not in (zero.suggestion or "")
    assert partial is not None and partial.kind == "factor"


def test_what_is_wrong_with_the_point_is_no_slip_of_the_claim() -> None:
    results = checked(
        "tensors: {x: [n], y: [n]}\nchain: ['q = xᵀ y']\nclaims: [{claim: '∂q/∂x = 0', at: {y: x xᵀ}}]"
    )
    assert results["claim:1"].verdict == "ill-formed" and results["claim:1"].diagnosis is None


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_notes_of_the_specs_name_the_diagnosis(path: Path) -> None:
    spec, issues = read_path(str(path))
    if spec is None:
        pytest.skip(issues[0].message)
    wrong = [
        (result.id, result.source, named[1], result.diagnosis)
        for result in check_spec(spec, 3).checks
        if (named := NAMED.search(result.note or ""))
        and (result.diagnosis is None or result.diagnosis.kind != named[1])
    ]
    assert not wrong
