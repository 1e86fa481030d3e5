"""Planted mistakes: every claim that is wrong by a slip is found out, no true one is, and the slips are named.

The suite takes a sample at one seed; the slow one 2,000 mutants at ten seeds. `benchmarks/planted.py` does the
work, prints the rates and can be run at length.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from planted import (  # noqa: E402
    HOLDS,
    WRONG,
    Outcome,
    Planted,
    differs,
    has_kind,
    is_false_alarm,
    is_missed,
    plain,
)
from slips import SLIPS  # noqa: E402

SPECS = sorted((ROOT / "specs").glob("*.yaml"))
MUTANTS = 200
# Of so many of them the diagnosis is asked for too.
DIAGNOSED = 80
NAMED = 0.9


@cache
def planted(seed: int) -> Planted:
    return Planted(SPECS, seed)


@cache
def outcomes(seed: int, diagnosed: int) -> list[Outcome]:
    suite = planted(seed)
    with np.errstate(all="ignore"):
        return [
            suite.outcome(bench, spec, claim, mutant, k < diagnosed)
            for k, (spec, bench, claim, mutant) in enumerate(suite.sample(MUTANTS))
        ]


def assert_sound(seed: int, diagnosed: int) -> None:
    found = outcomes(seed, diagnosed)
    assert not [o for o in found if is_missed(o)]
    assert not [o for o in found if is_false_alarm(o)]
    assert not [o for o in found if o.suggestion is not None and o.suggested not in HOLDS]


def assert_named(found: list[Outcome]) -> None:
    slips = [o for o in found if o.verdict in WRONG and has_kind(o)]
    missed = [o for o in slips if o.kind not in o.mutant.kinds]
    assert len(missed) <= (1 - NAMED) * len(slips), missed


def test_wrong_claims_are_found_out_and_suggestions_hold() -> None:
    assert_sound(1, DIAGNOSED)


def test_slips_are_named() -> None:
    assert_named(outcomes(1, DIAGNOSED)[:DIAGNOSED])


def test_true_claims_are_not_called_wrong() -> None:
    alarms, count = planted(1).false_alarms()
    assert not alarms
    assert count > 0


def test_every_slip_is_planted() -> None:
    assert {mutant.slip for _, _, _, mutant in planted(1).mutants()} == set(SLIPS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_seeds(seed: int) -> None:
    assert_sound(seed, MUTANTS)
    alarms, _ = planted(seed).false_alarms()
    assert not alarms


@pytest.mark.slow
def test_slips_are_named_at_ten_seeds() -> None:
    assert_named([o for seed in range(1, 11) for o in outcomes(seed, MUTANTS)])


def test_plain_evaluation_agrees_with_true_claims() -> None:
    # The judge of the mutants is itself judged by claims that are true.
    count = 0
    for _, bench, _, attempt, _ in planted(1).claims():
        if not isinstance(attempt, Exception) and attempt.mismatch is None and not attempt.at:
            count += 1
            assert differs(bench, attempt) is not True, attempt.source.text
    assert count > 0
    assert plain.__doc__
