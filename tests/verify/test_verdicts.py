"""Specs whose claims were judged by mathematics: each has the verdict that it says, at several seeds.

They try to break the verifier: textbook derivations, layers, and every ruling of the language, each with its
true and its false readings. The quick ones hold what was once answered wrongly.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.run import check_spec
from tensorgrad_cli.verify.verdict import SpecReport

SPECS = sorted((Path(__file__).parent / "verdicts").glob("*.yaml"))
QUICK = (
    "at_a_number",
    "at_the_identity",
    "branches",
    "declared_functions_hide",
    "discrete_signs",
    "given_by_itself",
    "groupnorm",
    "inverse_of_a_wide_matrix",
    "jumps_of_rounding",
    "kinks_on_the_diagonal",
    "pi_as_policy",
    "roots_and_kinks",
    "rounded_constants",
    "saturated",
    "scalar_starts",
    "sizes_as_facts",
    "std_has_a_derivative",
    "thin_domains",
    "underflow",
)
SEEDS = (2, 3)
SHARE_PROVED = 0.98


@cache
def checked(path: Path, seed: int) -> SpecReport:
    spec, issues = read_path(path)
    assert spec is not None and not issues, [issue.message for issue in issues]
    return check_spec(spec, seed)


def unexpected(report: SpecReport) -> list[tuple[str, ...]]:
    failed = [result for result in report.checks if not result.passed]
    return [(r.id, r.source, str(r.expect), r.verdict, str(r.reason), r.message) for r in failed]


@pytest.mark.parametrize("path", [path for path in SPECS if path.stem in QUICK], ids=lambda path: path.stem)
def test_as_judged(path: Path) -> None:
    report = checked(path, 1)
    assert report.verdict == "pass", unexpected(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_as_judged_at_more_seeds(path: Path, seed: int) -> None:
    report = checked(path, seed)
    assert report.verdict == "pass", unexpected(report)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_true_ones_are_proved(seed: int) -> None:
    written = [r for path in SPECS for r in checked(path, seed).checks if r.kind in ("claim", "derivation")]
    true = [r for r in written if r.expect == "holds"]
    unproved = [(r.id, r.source) for r in true if r.verdict != "proved"]
    assert len(unproved) <= (1 - SHARE_PROVED) * len(true), unproved
