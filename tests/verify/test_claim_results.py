"""What a result says of a claim besides its verdict: domain, counterexample, what floating point sees."""

from __future__ import annotations

import re

import pytest

from tensorgrad_cli.report.lines import compared, lines
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.reports import report_of
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Counterexample, Result, SpecReport

SPEC = """\
tensors:
  x: [n]
  y: [n]
  s: []
  v: {shape: [], values: positive}
  A: [n, n]
  W: [m, n]
chain:
  - z = W x
  - q = zᵀ z
"""


def checked(claim: str) -> SpecReport:
    spec, issues = read(Source("spec.yaml", f'{SPEC}claims: ["{claim}"]'))
    assert spec is not None, [issue.message for issue in issues]
    return check_spec(spec, 3)


def result(claim: str) -> Result:
    return checked(claim).checks[-1]


def said(claim: str) -> str:
    report = report_of([checked(claim)], (), 3, 0.0)
    return "\n".join("".join(text for text, _ in line) for line in lines(report))


@pytest.mark.parametrize(
    ("claim", "domain"),
    [
        ("log(s^2) = 2 log(s)", "where s > 0"),
        ("sqrt(s)^2 = s", "where s ≥ 0"),
        ("sqrt(s) = s^(1/2)", "where s ≥ 0"),
        ("1/s = s/s^2", "where s ≠ 0"),
        ("x / s = (1/s) x", "where s ≠ 0"),
        ("1/sqrt(s) = s^(-1/2)", "where s > 0"),
        ("sqrt(s)/s = 1/sqrt(s)", "where s > 0"),
        # A root's end point is not taken in where something jumps: sign(0) is 0.
        ("sign(s) sqrt(s) sqrt(s) sqrt(s) = s sqrt(s)", "where s > 0"),
        ("sqrt(v)^2 = v", None),
        ("1/v = v/v^2", None),
        ("exp(s) / exp(2 s) = exp(-s)", None),
        ("log(1 + s^2) = log1p(s^2)", None),
        ("s + s = 2 s", None),
        ("∂q/∂x = 2 Wᵀ z", None),
    ],
)
def test_domain(claim: str, domain: str | None) -> None:
    found = result(claim)
    assert found.verdict == "proved" and found.domain == domain


def test_an_identity_has_sides_and_a_derivative_a_claim() -> None:
    assert (
        "left" in said("tr(A) = 2 tr(A)") and "derivative" not in said("tr(A) = 2 tr(A)").split("Claims")[1]
    )
    text = said("∂q/∂x = 3 Wᵀ z").split("Claims")[1]
    assert "claim" in text and "derivative" in text and "left" not in text


def test_left_and_right_are_those_of_the_equation() -> None:
    found = result("tr(A) = 2 tr(A)").counterexample
    assert found is not None and found.claim == 2 * found.derivative
    assert compared(found).startswith(f"left {found.derivative:.6g}, right {found.claim:.6g}")


def test_a_derivative_on_the_right_is_the_derivative() -> None:
    """Of `3 Wᵀ z = ∂q/∂x` the left side is what is claimed."""
    turned, plain = result("3 Wᵀ z = ∂q/∂x").counterexample, result("∂q/∂x = 3 Wᵀ z").counterexample
    assert turned is not None and plain is not None
    assert turned.ratio == pytest.approx(1.5) and plain.ratio == pytest.approx(1.5)
    assert turned.claim == pytest.approx(1.5 * turned.derivative)


@pytest.mark.parametrize("error", [1e-3, 1e-6, 1e-9, 1e-12, 3e-15, -1e-8])
@pytest.mark.parametrize("value", [1.0, 2.5, -1e-7, 123456789.0])
def test_what_is_printed_differs(value: float, error: float) -> None:
    wrong = value * (1 + error)
    text = compared(Counterexample({}, wrong, value, wrong / value, {}))
    first, second, last = text.split(", ")
    assert first.split()[1] != second.split()[1]
    assert last.startswith("off by") or last.split()[1] != "1"


def test_what_only_exact_arithmetic_tells_apart_says_so() -> None:
    found = result("∂q/∂x = 2.000000000000000000001 Wᵀ z")
    assert found.verdict == "refuted" and found.counterexample is None
    assert "in exact arithmetic alone: in floating point both sides are" in found.message


def test_a_layout_names_an_entry_and_its_counterpart() -> None:
    found = result("∂q/∂W = 2 x zᵀ")
    assert found.verdict == "refuted"
    assert re.search(r"is at \[(\d), (\d)\] on the left and at \[\2, \1\] on the right", found.message)
    assert found.diagnosis is not None and found.diagnosis.suggestion == "∂q/∂W = 2 z xᵀ"
    assert "a column on the left, a row on the right" in result("∂q/∂x = 2 zᵀ W").message
