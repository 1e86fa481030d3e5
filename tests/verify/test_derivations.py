"""Derivations with planted errors: the first wrong line is named, and what follows from it is not blamed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.derivations import summary_of
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Result, SpecReport

DATA = yaml.safe_load((Path(__file__).parent / "derivations.yaml").read_text(encoding="utf-8"))
DERIVATIONS: list[dict[str, Any]] = DATA["derivations"]
LETTERS = {"proved": "h", "verified": "h", "refuted": "r", "ill-formed": "i", "inconclusive": "?"}
FOLLOWS = {True: "y", False: "n", None: "-"}
SEED = 7


@cache
def reports(name: str, seed: int) -> dict[str, tuple[list[Result], str]]:
    """All derivations of one of the specs: the lines' results and the summary, by title."""
    cases = [case for case in DERIVATIONS if case["spec"] == name]
    derivations = [
        {
            "title": case["title"],
            "start": case["start"],
            "steps": case["steps"],
            **({"first-wrong": first_wrong_of(case)} if first_wrong_of(case) else {}),
        }
        for case in cases
    ]
    spec = {**DATA["specs"][name], "derivations": derivations}
    report = checked(yaml.safe_dump(spec, allow_unicode=True, sort_keys=False), seed)
    lines = [
        [result for result in report.checks if result.id.startswith(f"derivation:{number}.")]
        for number in range(1, len(cases) + 1)
    ]
    return {
        case["title"]: (results, summary)
        for case, results, summary in zip(cases, lines, report.summaries, strict=True)
    }


def checked(text: str, seed: int) -> SpecReport:
    spec, issues = read(Source("derivations.yaml", text))
    assert spec is not None, [issue.message for issue in issues]
    # The chain's own derivatives are no matter here.
    return check_spec(replace(spec, wrt=(), hessian=()), seed)


def first_wrong_of(case: dict[str, Any]) -> int | None:
    return next((k for k, letter in enumerate(case["verdicts"], 1) if letter in "ri"), None)


def test_there_are_enough_of_them() -> None:
    assert sum(first_wrong_of(case) is not None for case in DERIVATIONS) >= 25
    assert sum("h" in case["verdicts"][first_wrong_of(case) or 99 :] for case in DERIVATIONS) >= 3


@pytest.mark.parametrize("case", DERIVATIONS, ids=lambda case: str(case["title"]))
def test_the_first_wrong_line_is_named(case: dict[str, Any]) -> None:
    results, summary = reports(case["spec"], SEED)[case["title"]]
    assert "".join([LETTERS[result.verdict] for result in results]) == case["verdicts"]
    assert "".join([FOLLOWS[result.follows] for result in results]) == case["follows"]
    assert summary == f"{case['title']}: {case['summary']}"


@pytest.mark.parametrize("case", DERIVATIONS, ids=lambda case: str(case["title"]))
def test_lines_after_the_expected_one_expect_nothing(case: dict[str, Any]) -> None:
    results, _ = reports(case["spec"], SEED)[case["title"]]
    first = first_wrong_of(case)
    assert all(result.passed for result in results)
    if first is not None:
        assert [result.expect for result in results[first:]] == [None] * (len(results) - first)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
@pytest.mark.parametrize("case", DERIVATIONS, ids=lambda case: str(case["title"]))
def test_at_other_seeds(case: dict[str, Any], seed: int) -> None:
    results, summary = reports(case["spec"], seed)[case["title"]]
    assert "".join([LETTERS[result.verdict] for result in results]) == case["verdicts"]
    assert "".join([FOLLOWS[result.follows] for result in results]) == case["follows"]
    assert summary == f"{case['title']}: {case['summary']}"


# --- the sentences ----------------------------------------------------------------------------------------


def summary(verdicts: str, follows: str, expected: int | None = None) -> str:
    names = {"h": "proved", "r": "refuted", "i": "ill-formed", "?": "inconclusive"}
    flags = {"y": True, "n": False, "-": None}
    results = [
        Result(
            id=f"derivation:1.{k}",
            kind="derivation",
            verdict=names[verdict],
            passed=True,
            follows=flags[flag],
        )
        for k, (verdict, flag) in enumerate(zip(verdicts, follows, strict=True), 1)
    ]
    (sentence,) = summary_of(results, expected)
    return sentence


@pytest.mark.parametrize(
    ("verdicts", "follows", "sentence"),
    [
        ("hhh", "yyy", "every line holds"),
        ("hhrrr", "yynyy", "line 3 is the first wrong one; lines 4 and 5 follow from it correctly"),
        ("hhrh", "yynn", "line 3 is wrong; line 4 does not follow from it and is right"),
        (
            "hrrrh",
            "ynyyn",
            "line 2 is wrong; lines 3 and 4 follow from it correctly;"
            " line 5 does not follow from line 4 and is right",
        ),
        (
            "hrhr",
            "ynnn",
            "line 2 is wrong; line 3 does not follow from it and is right; line 4 is wrong again",
        ),
        (
            "rhhrr",
            "nnyny",
            "line 1 is wrong; line 2 does not follow from it and is right; line 4 is wrong again;"
            " line 5 follows from it correctly",
        ),
        (
            "rr",
            "nn",
            "line 1 is the first wrong one; line 2 does not follow from it and is wrong too",
        ),
        ("hi", "y-", "line 2 is the first wrong one"),
        ("hiih", "y---", "line 2 is the first wrong one; line 3 is ill-formed; line 4 is right"),
        ("hir", "y--", "line 2 is the first wrong one; line 3 is wrong too"),
        ("h?h", "y-y", "nothing is known to be wrong; line 2 could not be decided"),
        ("hr?", "yn-", "line 2 is the first wrong one; line 3 could not be decided"),
    ],
)
def test_the_sentences(verdicts: str, follows: str, sentence: str) -> None:
    assert summary(verdicts, follows) == sentence


def test_another_line_was_expected() -> None:
    assert summary("hrr", "yny", expected=2) == summary("hrr", "yny")
    assert summary("hrr", "yny", expected=3).endswith("; line 3 was expected to be the first wrong one")
    assert summary("hh", "yy", expected=2) == "line 2 was expected to be the first wrong one"


def test_without_an_expectation_a_wrong_line_fails() -> None:
    text = (
        "tensors: {x: [n]}\nchain: ['s = sum[i] x[i]^2']\nderivations:\n"
        "  - {start: '∂s/∂x[k]', steps: ['= 2 x[k]', '= x[k]', '= 1/2 x[k] + 1/2 x[k]']}\n"
    )
    report = checked(text, SEED)
    assert [check.passed for check in report.checks if check.kind == "derivation"] == [True, False, False]
    assert report.verdict == "fail"


def test_a_start_without_meaning() -> None:
    report = checked(
        "tensors: {x: [n]}\nchain: ['s = sum[i] x[i]^2']\nderivations:\n"
        "  - {title: t, start: '∂s/∂q[i]', steps: ['= 2 x[i]']}\n",
        SEED,
    )
    (result,) = (check for check in report.checks if check.kind == "derivation")
    assert result.verdict == "ill-formed" and not result.passed
    assert report.summaries[0].startswith("t: the start has no meaning: ")


def test_where_abbreviates_within_its_derivation_only() -> None:
    text = (
        "tensors: {x: [n]}\nchain: ['s = (sum[i] x[i]^2)^2']\nderivations:\n"
        "  - {start: '∂s/∂x[k]', where: ['r = sum[i] x[i]^2', 'u[k] = 4 x[k]'], steps: ['= r u[k]']}\n"
        "  - {start: '∂s/∂x[k]', steps: ['= r u[k]']}\n"
    )
    report = checked(text, SEED)
    verdicts = [check.verdict for check in report.checks if check.kind == "derivation"]
    assert verdicts == ["proved", "ill-formed"]
