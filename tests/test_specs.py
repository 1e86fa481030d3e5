"""Every spec of the repository: as it expects at several seeds, and its true claims proved."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import Result, SpecReport

SPECS = sorted((Path(__file__).parent.parent / "specs").glob("*.yaml"))
SEEDS = (1, 2)
SLOW_SEEDS = (3, 4, 5, 6)
# Of the true claims of all specs together.
SHARE_PROVED = 0.95


@cache
def checked(path: Path, seed: int) -> SpecReport:
    spec, issues = read_path(path)
    assert spec is not None and not issues, [issue.message for issue in issues]
    return check_spec(spec, seed)


def unexpected(report: SpecReport) -> list[tuple[str, ...]]:
    failed = [result for result in report.checks if not result.passed]
    return [(r.id, r.source, str(r.expect), r.verdict, str(r.reason), r.message) for r in failed]


def true_claims(report: SpecReport) -> list[Result]:
    written = [result for result in report.checks if result.kind in ("claim", "derivation")]
    return [result for result in written if result.expect == "holds"]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_as_expected(path: Path, seed: int) -> None:
    report = checked(path, seed)
    assert report.verdict == "pass", unexpected(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW_SEEDS)
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_as_expected_at_more_seeds(path: Path, seed: int) -> None:
    report = checked(path, seed)
    assert report.verdict == "pass", unexpected(report)


@pytest.mark.parametrize("seed", SEEDS)
def test_true_claims_are_proved(seed: int) -> None:
    claims = [(path.stem, claim) for path in SPECS for claim in true_claims(checked(path, seed))]
    unproved = [(stem, claim.id, claim.source) for stem, claim in claims if claim.verdict != "proved"]
    assert len(unproved) <= (1 - SHARE_PROVED) * len(claims), unproved


def test_each_required_identity_is_a_claim_and_proved() -> None:
    """The list of issue 5: what the exact test has to be able to prove."""
    proved = {
        claim.source.replace(" ", "")
        for path in SPECS
        for claim in true_claims(checked(path, SEEDS[0]))
        if claim.verdict == "proved"
    }
    missing = [claim for claim in REQUIRED if claim.replace(" ", "") not in proved]
    assert not missing


REQUIRED = (
    "sqrt(v[i]) sqrt(v[i]) = v[i]",
    "v[i]^(-3/2) = (v[i]^(-1/2))^3",
    "exp(2 x[i]) = exp(x[i])^2",
    "exp(x[i]) exp(-x[i]) = 1",
    "log(exp(x[i])) = x[i]",
    "|x[i] y[i]| = |x[i]| |y[i]|",
    "sqrt(x[i]^2) = |x[i]|",
    "relu(x[i]) + relu(-x[i]) = |x[i]|",
    "1 - tanh(x[i])^2 = 4 / (exp(x[i]) + exp(-x[i]))^2",
    "sin(x[i] + y[i]) = sin(x[i]) cos(y[i]) + cos(x[i]) sin(y[i])",
    "softmax[i](x[i] + c) = softmax[i](x[i])",
    "logsumexp[i](x[i] + c) = c + logsumexp[i](x[i])",
    "-(sum[i] t[i] log(pr[i])) = logsumexp[i](x[i]) - (sum[i] t[i] x[i])",
    "det(A3 B3) = det(A3) det(B3)",
    "inv(A + U D V) = inv(A) - inv(A) U inv(inv(D) + V inv(A) U) V inv(A)",
    "tanh(z[i,j] + b[j]) = (exp(2 z[i,j] + 2 b[j]) - 1) / (exp(2 z[i,j] + 2 b[j]) + 1)",
    "D[i] = sum[j] P[i,j] dP[i,j]",
    "∂L/∂x[i,j] = gamma[j] ivar[j] (m dy[i,j] - (sum[k] dy[k,j]) - xhat[i,j] (sum[k] dy[k,j] xhat[k,j])) / m",
)


def test_the_matrix_cookbook_is_large_enough() -> None:
    report = checked(next(path for path in SPECS if path.stem == "matrix_cookbook"), SEEDS[0])
    assert len(true_claims(report)) >= 100
    assert all(result.note for result in true_claims(report))
