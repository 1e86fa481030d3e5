"""The JSON report keeps its contract: every key that LANGUAGE.md names is there, of its type."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from tensorgrad_cli import __version__
from tensorgrad_cli.report import json as format_
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read, read_path
from tensorgrad_cli.verify.reports import problem_of, report_of, unreadable
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Counterexample, Report

ROOT = Path(__file__).parent.parent.parent
NAMES = ("rank4_question", "mlp", "quadratic_form", "least_squares")
NUMBER = (int, float, str)
NONE = type(None)

REPORT = {
    "tool": str, "schema": int, "version": str, "verdict": str, "seed": int, "seconds": float, "specs": list,
    "errors": list,
}  # fmt: skip
SPEC = {
    "path": str,
    "title": str,
    "verdict": str,
    "dims": dict,
    "remarks": list,
    "checks": list,
    "seconds": float,
}
CHECK: dict[str, Any] = {
    "id": str, "kind": str, "verdict": str, "expect": (str, NONE), "pass": bool, "reason": (str, NONE),
    "line": (int, NONE), "column": (int, NONE), "source": str, "reading": str, "remarks": list,
    "domain": (str, NONE), "of": (str, NONE), "wrt": list, "rank": (int, NONE), "shape": (list, NONE),
    "formula": (dict, NONE), "proof": (dict, NONE), "error": (dict, NONE), "follows": (bool, NONE),
    "diagnosis": (dict, NONE), "counterexample": (dict, NONE),
}  # fmt: skip
FORMULA = {"text": str, "latex": str, "matrix": (str, NONE), "einsum": list}
PROOF = {"by": str, "bound": (float, NONE)}
ERROR = {
    "max_abs": NUMBER, "max_rel": NUMBER, "bar": NUMBER, "resolution": NUMBER, "evaluations": int, "method": str,
    "mode": str,
}  # fmt: skip
COUNTEREXAMPLE = {"at": dict, "claim": NUMBER, "derivative": NUMBER, "ratio": (*NUMBER, NONE), "dims": dict}
DIAGNOSIS = {"kind": str, "message": str, "suggestion": (str, NONE)}
PROBLEM = {
    "path": str, "line": (int, NONE), "column": (int, NONE), "code": str, "message": str, "hint": (str, NONE)
}  # fmt: skip
KINDS = {"step", "gradient", "hessian", "claim", "derivation", "values", "implementation"}
VERDICTS = {"proved", "verified", "refuted", "ill-formed", "inconclusive"}
REASONS = {None, "kink", "unresolved", "vacuous", "domain", "internal"}
DIAGNOSES = {
    "factor", "sign", "transpose", "missing-term", "extra-term", "missing-factor", "extra-factor", "wrong-index",
    "wrong-function", "wrong-argument", "sum", "inverse", "order", "product", "diagonal-only", "layout",
    "mean-or-sum", "partial-derivative", "missing-assumption", "unknown",
}  # fmt: skip


@cache
def report() -> Report:
    specs, problems = [], []
    for name in NAMES:
        spec, _ = read_path(str(ROOT / "specs" / f"{name}.yaml"))
        assert spec is not None
        specs.append(check_spec(spec))
    bad = Source("bad.yaml", "tensors: {x: [n]}\nchain: ['y = x +']\n")
    _, issues = read(bad)
    problems = [problem_of(issue, "bad.yaml") for issue in issues]
    return report_of([*specs, unreadable("bad.yaml")], problems, 20_240_501, 1.5)


@pytest.fixture(scope="module")
def tree() -> Any:
    return json.loads(format_.render(report()), parse_constant=refuse)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def has(value: Any, keys: dict[str, Any]) -> None:
    for key, type_ in keys.items():
        assert key in value, f"{key} is missing"
        assert isinstance(value[key], type_), f"{key} is {value[key]!r}"
        if type_ in (int, str, (int, NONE)):
            assert not isinstance(value[key], bool)


def test_the_whole(tree: Any) -> None:
    has(tree, REPORT)
    assert (tree["tool"], tree["schema"], tree["version"]) == ("tensorgrad-cli", 1, __version__)
    assert (tree["verdict"], tree["seed"]) == ("error", 20_240_501)
    assert [spec["verdict"] for spec in tree["specs"]] == ["pass"] * len(NAMES) + ["error"]


def test_specs(tree: Any) -> None:
    for spec in tree["specs"]:
        has(spec, SPEC)
        assert all(isinstance(size, int) for size in spec["dims"].values())
    assert tree["specs"][-1]["checks"] == []


def checks(tree: Any) -> list[Any]:
    return [check for spec in tree["specs"] for check in spec["checks"]]


def test_checks(tree: Any) -> None:
    for check in checks(tree):
        has(check, CHECK)
        assert check["kind"] in KINDS and check["verdict"] in VERDICTS and check["reason"] in REASONS
        assert check["expect"] in {None, "holds", *VERDICTS}
        assert check["id"].startswith(f"{check['kind']}:")
        assert all(isinstance(name, str) for name in check["wrt"])
        assert all(isinstance(size, int) for size in check["shape"] or [])


def test_parts_of_checks(tree: Any) -> None:
    for check in checks(tree):
        for key, keys in (
            ("formula", FORMULA), ("proof", PROOF), ("error", ERROR), ("counterexample", COUNTEREXAMPLE),
            ("diagnosis", DIAGNOSIS),
        ):  # fmt: skip
            if check[key] is not None:
                has(check[key], keys)
        if check["proof"] is not None:
            assert check["proof"]["by"] in ("normal-form", "exact") and check["verdict"] == "proved"
        if check["diagnosis"] is not None:
            assert check["diagnosis"]["kind"] in DIAGNOSES
        if check["counterexample"] is not None:
            assert all(isinstance(k, int) for k in check["counterexample"]["at"].values())


def test_the_note_of_a_step_stands_with_it_and_its_checks(tree: Any) -> None:
    noted = {(spec["path"], step["name"]): step["note"] for spec in tree["specs"] for step in spec["steps"]}
    assert any(noted.values()) and None in noted.values()
    for spec in tree["specs"]:
        for check in spec["checks"]:
            if check["kind"] == "step":
                assert check["note"] == noted[spec["path"], check["of"]]


def test_each_part_stands_where_it_should(tree: Any) -> None:
    for check in checks(tree):
        if check["kind"] in ("step", "gradient", "hessian"):
            assert (
                check["formula"] is not None and check["of"] and check["wrt"] and check["error"] is not None
            )
        if check["kind"] == "derivation" and check["verdict"] != "ill-formed":
            assert isinstance(check["follows"], bool)
        if check["kind"] == "claim":
            assert check["follows"] is None
            assert check["line"] is not None and check["column"] is not None and check["source"]
        if check["verdict"] == "proved":
            assert check["proof"] is not None


def test_errors(tree: Any) -> None:
    (problem,) = tree["errors"]
    has(problem, PROBLEM)
    assert (problem["path"], problem["line"], problem["code"]) == ("bad.yaml", 2, "unexpected-end")


def test_numbers_that_json_lacks_are_strings() -> None:
    whole = report()
    spec = whole.specs[0]
    example = Counterexample({"k": 2}, float("nan"), float("-inf"), float("inf"), {"n": 3})
    odd = replace(spec, checks=(replace(spec.checks[0], counterexample=example),))
    text = format_.render(replace(whole, specs=(odd,)))
    found = json.loads(text, parse_constant=refuse)["specs"][0]["checks"][0]["counterexample"]
    assert (found["claim"], found["derivative"], found["ratio"]) == ("nan", "-inf", "inf")


def test_text_is_utf_8_with_one_line_feed_at_its_end(tree: Any) -> None:
    text = format_.render(report())
    assert "∂cost/∂w" in text and text.endswith("}\n") and not text.endswith("\n\n")
