"""Planted mistakes: every claim that is wrong by a slip is found out, no true one is, and the slips are named.

The suite takes the specs/ and a sample of their mutants at one seed; the slow tests take all true claims and 2,000
mutants at each of ten seeds.
`benchmarks/planted.py` does the work, prints the rates and can be run at length.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.model import Claim
from tensorgrad_cli.spec.read import read
from tensorgrad_cli.verify.read_claims import attempt_claim
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))

from corpus import paths  # noqa: E402
from planted import (  # noqa: E402
    HOLDS,
    WRONG,
    Outcome,
    Planted,
    has_kind,
    is_false_alarm,
    is_missed,
    is_open,
)
from slips import SLIPS  # noqa: E402
from truth import Judge  # noqa: E402

TRUE_CLAIMS = 500
# So many mutants of one seed; of so many of them the diagnosis is asked for too.
QUICK, QUICK_DIAGNOSED = 200, 80
SLOW, SLOW_DIAGNOSED = 2000, 100
NAMED = 0.9
# Of so many mutants plain evaluation may leave open whether they differ.
OPEN = 0.02
KINDS = set(
    "factor sign transpose missing-term extra-term missing-factor extra-factor wrong-index wrong-function "
    "wrong-argument sum inverse order product diagonal-only layout mean-or-sum partial-derivative "
    "missing-assumption".split()
)


@lru_cache(maxsize=1)
def planted(seed: int, every: bool = True) -> Planted:
    """The true claims of all specs, or of specs/ alone, and their mutants."""
    return Planted(paths() if every else sorted((ROOT / "specs").glob("*.yaml")), seed)


def outcomes(suite: Planted, count: int, diagnosed: int) -> list[Outcome]:
    with np.errstate(all="ignore"):
        found = [suite.outcome(mutant, k < diagnosed) for k, mutant in enumerate(suite.sample(count))]
    assert len({(o.spec, o.text) for o in found}) == count
    return found


def assert_found_out(found: list[Outcome]) -> None:
    assert {o.slip for o in found} == set(SLIPS)
    assert not [o for o in found if is_missed(o)]
    assert not [o for o in found if is_false_alarm(o)]
    assert not [o for o in found if o.suggestion is not None and o.suggested not in HOLDS]
    unknown = [o for o in found if is_open(o)]
    assert len(unknown) <= OPEN * len(found), unknown


def assert_named(found: list[Outcome]) -> None:
    slips = [o for o in found if o.verdict in WRONG and has_kind(o)]
    missed = [o for o in slips if o.kind not in o.kinds]
    assert len(missed) <= (1 - NAMED) * len(slips), missed


def test_mistakes_of_every_kind_are_planted() -> None:
    mutants = planted(1, every=False).mutants
    assert {mutant.slip for mutant in mutants} == set(SLIPS)
    assert set().union(*(mutant.kinds for mutant in mutants)) == KINDS


def test_wrong_claims_are_found_out_and_their_slips_named() -> None:
    found = outcomes(planted(1, every=False), QUICK, QUICK_DIAGNOSED)
    assert_found_out(found)
    assert_named(found[:QUICK_DIAGNOSED])


def test_true_claims_are_not_called_wrong() -> None:
    suite = planted(1, every=False)
    assert suite.false_alarms() == []
    assert suite.doubted() == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 11))
def test_ten_seeds(seed: int) -> None:
    suite = planted(seed)
    assert len({claim.text for claim in suite.claims}) >= TRUE_CLAIMS
    assert suite.false_alarms() == []
    assert suite.doubted() == []
    found = outcomes(suite, SLOW, SLOW_DIAGNOSED)
    assert_found_out(found)


@pytest.mark.slow
def test_slips_are_named_at_ten_seeds() -> None:
    assert_named(
        [o for seed in range(1, 11) for o in outcomes(planted(seed), SLOW_DIAGNOSED, SLOW_DIAGNOSED)]
    )


# --- the judge of the mutants -----------------------------------------------------------------------------

EQUATIONS = {
    "inv(A)ᵀ = A⁻ᵀ": True,
    "inv(A)ᵀ = inv(A)": False,
    "det(2 A) = det(A)": False,
    "logdet(A Aᵀ) = 2 logdet(A)": True,
    "∂(logdet(A))/∂A = A⁻ᵀ": True,
    "sum(softmax(x)) = 1": True,
    "log_softmax(x) = log(softmax(x))": True,
    "kron(A, A) = kron(A, Aᵀ)": False,
    "vec(A A) = kron(Aᵀ, I) vec(A)": True,
    "norm(x)^2 = xᵀ x": True,
    "var(x) = mean(x**2) - mean(x)^2": True,
    "std(x) = norm(x)": False,
    "max(x) = -min(-x)": True,
    "logsumexp(x) = max(x)": False,
    "f(x) = f'(x)": False,
    # A step of what is zero is a convention, of what rounds to zero a matter of luck: far out gelu(x) does.
    "step(gelu(x)) = step(x)": None,
    "step(relu(x)) = step(x)": None,
    "step(relu(x)) = 2 step(x)": False,
    "sign(sin(x)**2 + cos(x)**2 - 1) = 1": None,
    "sign(x) = 2 step(x) - 1": True,
    "sin(x)**2 = 1 - cos(x)**2": True,
    # Of two zeros nothing is known, nor of what is small enough to be the rounding of the draws.
    "x - x = 0": None,
    "f(x) = f(x) + 0.00000000001": None,
    "f(x) = f(x) + 0.0000001": False,
    "log(-exp(x)) = x": None,
}


@pytest.fixture(scope="module")
def bench() -> Workbench:
    text = "{tensors: {A: [m, m], x: [m]}, functions: [f], chain: ['c = sum(f(x)) + xᵀ A x']}"
    spec, issues = read(Source("plain.yaml", text))
    assert spec is not None, issues
    return Workbench(spec, 1)


@pytest.mark.parametrize("text", EQUATIONS)
def test_plain_evaluation(text: str, bench: Workbench) -> None:
    reading = attempt_claim(bench, Claim(Source("equation", text)), f"e{list(EQUATIONS).index(text)}.")
    assert isinstance(reading, Reading), reading
    assert Judge(bench, [reading]).holds(reading) is EQUATIONS[text]


def test_a_mutant_is_compared_with_its_claim(bench: Workbench) -> None:
    texts = ("∂c/∂A = x xᵀ", "∂c/∂A = x ⊗ x", "∂c/∂A = 1.000001 * (x xᵀ)", "∂⁺c/∂x = f'(x)")
    claim, same, other, left = (
        attempt_claim(bench, Claim(Source("equation", text)), f"u{k}.") for k, text in enumerate(texts)
    )
    judge = Judge(bench, [claim])
    assert judge.unharmed(claim, same) is True
    assert judge.unharmed(claim, other) is False
    assert judge.unharmed(claim, left) is False
