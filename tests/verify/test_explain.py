"""One check in full: what `explain` says of every kind of check."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import Derivative
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.explain import check_ids, explain_check, near_ids
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.taylor import plot, remainders
from tensorgrad_cli.verify.workbench import Workbench

SPECS = Path(__file__).parent.parent.parent / "specs"
TEXT = """\
tensors: {x: [m, n], w: [n], t: [m], A: [n, n]}
chain:
  - y = x w
  - h = tanh(y)
  - cost = sum[i] (h[i] - t[i])^2 / m
hessian: [[t, t]]
wrt: [w, t]
claims:
  - ∂cost/∂h = 2 (h - t) / m
  - {claim: ∂cost/∂h = (h - t) / m, expect: refuted, note: the 2 is gone}
  - ∂cost/∂w = x (h - t)
  - tanh(w) = (exp(w) - exp(-w)) / (exp(w) + exp(-w))
  - {claim: '∂cost/∂h = 0', at: {t: h}}
  - ∂²cost/∂t[i]∂t[j] = 2 delta[i,j] / m
derivations:
  - title: with a slip
    start: ∂cost/∂w[j]
    steps:
      - = ∂cost/∂y[i] x[i,j]
      - = ∂cost/∂h[i] x[i,j]
      - = 2 (h[i] - t[i]) x[i,j] / m
      - = (h[i] - t x[i,j]
"""


@cache
def spec() -> Spec:
    found, issues = read(Source("specs/some.yaml", TEXT))
    assert found is not None, [issue.rendered() for issue in issues]
    return found


def explained(id_: str) -> str:
    text = explain_check(spec(), id_, 1)
    assert text is not None
    assert text.endswith("\n\nseed 1\n")
    return text


def test_every_check_has_an_explanation_with_its_verdict() -> None:
    results = {result.id: result for result in check_spec(spec(), 1).checks}
    assert list(results) == check_ids(spec())
    for id_, result in results.items():
        head = explained(id_).splitlines()[0]
        assert head.startswith(f"{id_} of specs/some.yaml") and f": {result.verdict}" in head


@pytest.mark.parametrize(
    "id_", ["claim:0", "claim:99", "claim:x", "derivation:1", "derivation:2.1", "step:w/x", ""]
)
def test_no_such_check(id_: str) -> None:
    assert explain_check(spec(), id_, 1) is None


def test_near_ids() -> None:
    assert near_ids(spec(), "gradent:w")[0] == "gradient:w"


def test_a_claim_that_holds() -> None:
    text = explained("claim:1")
    assert "left   ∂cost/∂h[i]" in text and "free   i over m" in text
    assert "normal form  equal: a proof" in text
    assert "both   " in text


def test_a_refuted_claim() -> None:
    text = explained("claim:2")
    assert text.startswith("claim:2 of specs/some.yaml, line 10: refuted, as expected\n  the 2 is gone\n")
    assert "right - left, simplified\n" in text
    assert "normal form  different, which proves nothing" in text
    assert "numbers      different" in text
    assert "Numbers at the worst entry\n  at i=" in text


def test_an_ill_formed_claim_shows_its_place() -> None:
    text = explained("claim:3")
    assert ": ill-formed, not as expected" in text
    assert "error[shape-mismatch]" in text and "--> specs/some.yaml:11:16" in text


def test_a_claim_proved_by_the_exact_test() -> None:
    text = explained("claim:4")
    assert "exact test   equal at all sizes, signs and values drawn, wrong with a chance below" in text


def test_a_claim_at_a_point() -> None:
    text = explained("claim:5")
    assert "at     t = h[" in text and "not asked: this is a claim at a point" in text
    # `tanh` is no rational function, yet with h put in for t nothing is left of it.
    assert "exact test   equal with the given values put in" in text and "wrong with a chance below" in text


def test_a_line_of_a_derivation_is_compared_twice() -> None:
    second, third, fourth = (explained(f"derivation:1.{k}") for k in (2, 3, 4))
    assert "start: ∂cost/∂w[j]" in second
    assert "Line 2 against the start" in second and "Line 2 against line 1" in second
    assert "it does not follow (refuted)" in second
    assert "it follows (proved)" in third
    assert "one of the two has no meaning" in fourth and "error[unbalanced]" in fourth
    assert "against line" not in explained("derivation:1.1")


def test_a_step_in_every_notation() -> None:
    text = explained("step:h/y")
    for label in ("as read", "ascii", "latex", "matrix", "einsum", "rank", "pullback"):
        assert f"\n  {label}" in text
    assert "dh[i]/dy[p]" in text and "\\frac{\\partial" in text
    assert "Differences (central" in text and "off by" in text
    assert "the remainder shrinks with slope 2.0" in text
    assert " o" in text and " x" in text


def test_a_linear_step_leaves_nothing() -> None:
    assert "nothing remains but rounding" in explained("step:y/w")


def test_a_gradient_and_a_hessian() -> None:
    assert "through" in explained("gradient:w")
    assert "∂²cost/∂t" in explained("hessian:t,t")


def test_the_slope_tells_a_wrong_derivative() -> None:
    """The meta-test: with the Jacobian of another point the remainder shrinks as h only."""
    bench = Workbench(spec(), 1)
    own = Derivative(derivative_name("h", ("y",), True), "h", ("y",), True)
    bench.calculus.extend((), (own,))
    bench.calculus.resolve(own.name)
    point = bench.points[0]
    right = remainders(bench, own, point)
    assert right is not None and right.slope is not None and abs(right.slope - 2) < 0.1
    wrong_array = 1.01 * point.value(own.name)
    point.environment = point.environment.with_arrays({own.name: wrong_array})
    wrong = remainders(bench, own, point)
    assert wrong is not None and wrong.slope is not None and abs(wrong.slope - 1) < 0.1
    assert all(len(line) < 80 for line in plot(wrong))


def test_a_plot_of_nothing() -> None:
    bench = Workbench(spec(), 1)
    own = Derivative(derivative_name("y", ("w",), True), "y", ("w",), True)
    bench.calculus.extend((), (own,))
    bench.calculus.resolve(own.name)
    found = remainders(bench, own, bench.points[0])
    assert found is not None and found.slope is None
    assert np.all(found.rests < found.floor)
    assert list(plot(found))


def test_the_question_is_answered() -> None:
    text = (SPECS / "rank4_question.yaml").read_text(encoding="utf-8")
    question, _ = read(Source("specs/rank4_question.yaml", text))
    assert question is not None
    said = explain_check(question, "claim:7")
    assert said is not None
    assert "C'(ŷ) is m×n, ∂ŷ/∂w is m×n×p×n" in said and "did you mean that?" in said
