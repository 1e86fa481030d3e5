"""Planted mistakes: true claims with one slip each, and what the verifier says of them.

usage: planted.py [--mutants N] [--seeds N] [--no-diagnosis] [SPEC…]

Prints the share of mutants that differ and are refuted (or ill-formed), the share of true claims that are
not, and how often the diagnosis names the slip. `corpus.py` has the true claims, `slips.py` the slips; whether a
mutant differs at all is decided by `truth.py`, which knows nothing of the verifier's decisions.
tests/verify/test_planted.py runs a sample.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from corpus import TrueClaim, paths, true_claims
from msgspec import Struct
from slips import SLIPS
from truth import Judge

from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim
from tensorgrad_cli.verify.claims import Judged, judge_claim
from tensorgrad_cli.verify.diagnose import diagnose
from tensorgrad_cli.verify.diagnoses.draft import is_derivative
from tensorgrad_cli.verify.read_claims import attempt_claim
from tensorgrad_cli.verify.readings import Reading

_serials = itertools.count(1)


HOLDS = ("proved", "verified")


WRONG = ("refuted", "ill-formed")


class Mutant(Struct, frozen=True):
    """A true claim with a slip: which one, its text, and the kinds by which a diagnosis may name it.

    `kinds` is empty where the language has no kind for the slip.
    """

    truth: TrueClaim
    slip: str
    text: str
    kinds: frozenset[str]


class Outcome(Struct, frozen=True):
    """What was said of a mutant. `differs` is what plain evaluation says, None where it leaves that open."""

    spec: str
    claim: str
    slip: str
    kinds: frozenset[str]
    text: str
    differs: bool | None
    verdict: str
    kind: str | None
    suggestion: str | None
    suggested: str | None
    decided: float
    diagnosed: float


class Planted:
    """The true claims of some specs at one seed, and their mutants."""

    def __init__(self, specs: Sequence[Path], seed: int) -> None:
        self.seed = seed
        self.claims = true_claims(specs, seed)
        self._judges: dict[str, Judge] = {}

    def judge(self, claim: TrueClaim) -> Judge:
        """The judge of a claim's spec."""
        path = claim.spec.path
        if path not in self._judges:
            every = [c.reading for c in self.claims if c.spec.path == path]
            self._judges[path] = Judge(claim.bench, [r for r in every if isinstance(r, Reading)])
        return self._judges[path]

    def false_alarms(self, claims: Sequence[TrueClaim] | None = None) -> list[str]:
        """The true claims, of all or of some, that are refuted or called ill-formed."""
        found = []
        with np.errstate(all="ignore"):
            for claim in self.claims if claims is None else claims:
                judged = judge_claim(claim.bench, claim.claim.source, claim.reading)
                if judged.verdict in WRONG:
                    found.append(f"{claim.spec.path}: {claim.text}: {judged.verdict}")
        return found

    def doubted(self, claims: Sequence[TrueClaim] | None = None) -> list[str]:
        """The true claims, of all or of some, that plain evaluation takes for false: the judge is judged by them."""
        return [
            f"{claim.spec.path}: {claim.text}"
            for claim in (self.claims if claims is None else claims)
            if isinstance(claim.reading, Reading)
            and claim.reading.mismatch is None
            and self.judge(claim).holds(claim.reading) is False
        ]

    @cached_property
    def mutants(self) -> list[Mutant]:
        """Every mutant of every true claim, each text of a spec once."""
        out: list[Mutant] = []
        seen = {(claim.spec.path, claim.text) for claim in self.claims}
        for claim in self.claims:
            for mutant in _mutants(claim):
                if (claim.spec.path, mutant.text) not in seen:
                    seen.add((claim.spec.path, mutant.text))
                    out.append(mutant)
        return out

    def sample(self, count: int) -> list[Mutant]:
        """So many mutants, every slip as often as it can be."""
        rng = np.random.default_rng([self.seed, 1])
        by_slip: dict[str, list[Mutant]] = {}
        for k in rng.permutation(len(self.mutants)):
            by_slip.setdefault(self.mutants[k].slip, []).append(self.mutants[k])
        chosen: list[Mutant] = []
        while len(chosen) < min(count, len(self.mutants)):
            for rest in by_slip.values():
                if rest and len(chosen) < count:
                    chosen.append(rest.pop())
        return chosen

    def outcome(self, mutant: Mutant, named: bool) -> Outcome:
        """What is said of one mutant; `named` asks for the diagnosis too."""
        bench, claim = mutant.truth.bench, mutant.truth.claim
        started = time.perf_counter()
        source = Source("mutant", mutant.text)
        attempt = attempt_claim(bench, Claim(source, at=claim.at), f"m{next(_serials)}.")
        judged = judge_claim(bench, source, attempt)
        decided = time.perf_counter()
        kind = suggestion = suggested = None
        if named and judged.verdict in WRONG:
            found = diagnose(bench, judged)
            if found is not None:
                kind, suggestion = found.kind, found.suggestion
        diagnosed = time.perf_counter()
        if suggestion is not None:
            suggested = _verdict(mutant.truth, suggestion)
        return Outcome(
            mutant.truth.spec.path,
            mutant.truth.text,
            mutant.slip,
            mutant.kinds,
            mutant.text,
            self._differs(mutant, attempt, judged),
            judged.verdict,
            kind,
            suggestion,
            suggested,
            decided - started,
            diagnosed - decided,
        )

    def _differs(self, mutant: Mutant, reading: Reading | Issue, judged: Judged) -> bool | None:
        truth = mutant.truth.reading
        if not (isinstance(truth, Reading) and isinstance(reading, Reading)):
            return None
        if reading.mismatch is not None:
            # A side of another shape, be it in the order of its axes alone.
            return True
        judge = self.judge(mutant.truth)
        unharmed = judge.unharmed(truth, reading)
        answer = judged.answer
        if unharmed is not False and answer is not None and answer.verdict == "refuted" and answer.point:
            # It may be that none of the judge's draws is on the branch that the counterexample is on.
            unharmed = False if judge.differ_at(truth, reading, answer.point) else unharmed
        return None if unharmed is None else not unharmed


def _mutants(claim: TrueClaim) -> Iterator[Mutant]:
    try:
        tree = parse_equation(Source("claim", claim.text), claim.bench.scope.vocabulary)
    except Issue:
        return
    if is_derivative(tree.right) and not is_derivative(tree.left):
        # What was written by hand stands on the left.
        return
    for slip, (plant, kinds) in SLIPS.items():
        for text in plant(claim.text, tree.right, claim.bench):
            yield Mutant(claim, slip, text, kinds)


def _verdict(truth: TrueClaim, text: str) -> str:
    """The verdict of a suggestion as a claim of its own."""
    source = Source("suggestion", text)
    attempt = attempt_claim(truth.bench, Claim(source, at=truth.claim.at), f"g{next(_serials)}.")
    return judge_claim(truth.bench, source, attempt).verdict


def has_kind(outcome: Outcome) -> bool:
    """Whether the language has a kind for the slip: not for a delta between two dimensions, for one."""
    if outcome.slip == "diagonal only" and outcome.verdict == "ill-formed":
        return False
    return bool(outcome.kinds) and outcome.differs is not False


def is_missed(outcome: Outcome) -> bool:
    """A mutant that differs and is not found out."""
    return outcome.differs is True and outcome.verdict not in WRONG


def is_false_alarm(outcome: Outcome) -> bool:
    """A mutant that is as true as its claim and is called wrong."""
    return outcome.differs is False and outcome.verdict == "refuted"


def is_open(outcome: Outcome) -> bool:
    """A mutant that can be read and of which plain evaluation does not know whether it differs."""
    return outcome.differs is None and outcome.verdict != "ill-formed"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=400, help="so many of each seed")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--no-diagnosis", action="store_true")
    parser.add_argument("-v", action="store_true", help="print the slips that are not named too")
    parser.add_argument("specs", nargs="*", type=Path)
    options = parser.parse_args()
    alarms: list[str] = []
    claims = 0
    outcomes: list[Outcome] = []
    with np.errstate(all="ignore"):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            planted = Planted(options.specs or paths(), seed)
            claims += len(planted.claims)
            alarms += [f"seed {seed}: {alarm}" for alarm in planted.false_alarms()]
            alarms += [f"seed {seed}, plain evaluation: {text}" for text in planted.doubted()]
            for mutant in planted.sample(options.mutants):
                outcomes.append(planted.outcome(mutant, not options.no_diagnosis))
                told(outcomes[-1], seed)
    report(outcomes, alarms, claims, options.v)


def told(o: Outcome, seed: int) -> None:
    """Print a mutant of which something wrong is said."""
    where = f"   [{o.slip}; was {o.claim}; {Path(o.spec).stem}, seed {seed}]"
    if is_missed(o):
        print(f"MISSED {o.verdict}: {o.text}{where}", flush=True)
    if is_false_alarm(o):
        print(f"FALSE ALARM: {o.text}{where}", flush=True)
    if is_open(o):
        print(f"open, {o.verdict}: {o.text}{where}", flush=True)
    if o.suggestion is not None and o.suggested not in HOLDS:
        print(f"UNSOUND suggestion {o.suggested}: {o.suggestion}   for {o.text}{where}", flush=True)


def report(outcomes: Sequence[Outcome], alarms: Sequence[str], claims: int, verbose: bool) -> None:
    """The rates, and every true claim that is called wrong."""
    wrong = [o for o in outcomes if o.verdict in WRONG]
    kinded = [o for o in wrong if has_kind(o)]
    named = [o for o in kinded if o.kind in o.kinds]
    unsound = [o for o in outcomes if o.suggestion is not None and o.suggested not in HOLDS]
    for text in alarms:
        print(f"TRUE CLAIM CALLED WRONG: {text}")
    if verbose:
        for o in kinded:
            if o.kind not in o.kinds:
                print(
                    f"named {o.kind} for {o.slip} ({o.verdict}, {o.diagnosed:.2f} s): {o.text}"
                    f"   was {o.claim}   suggests {o.suggestion}   [{Path(o.spec).stem}]"
                )
    planted, right = Counter(o.slip for o in kinded), Counter(o.slip for o in named)
    for slip, count in planted.items():
        print(f"  {slip:16} {right[slip]:4} of {count:4} named")
    differing = [o for o in outcomes if o.differs or o.verdict == "ill-formed"]
    harmless = [o for o in outcomes if o.differs is False]
    missed = sum(map(is_missed, outcomes))
    print(
        f"{len(outcomes)} mutants, {len(differing)} of them differ ({sum(map(is_open, outcomes))} more left open),"
        f" {missed} of these not found out: {1 - missed / max(1, len(differing)):.2%} found out"
    )
    print(f"{claims} true claims, {len(alarms)} of them called wrong: {len(alarms) / max(1, claims):.2%}")
    print(f"{len(harmless)} harmless mutants, {sum(map(is_false_alarm, outcomes))} of them called wrong")
    print(f"{len(named)} of {len(kinded)} slips named ({len(named) / max(1, len(kinded)):.1%})")
    print(f"{sum(o.suggestion is not None for o in wrong)} suggestions, {len(unsound)} of them do not hold")
    for name in ("decided", "diagnosed"):
        slowest = sorted(wrong, key=lambda o: float(getattr(o, name)))
        if slowest:
            times = [float(getattr(o, name)) for o in slowest]
            print(
                f"{name} in {times[len(times) // 2]:.3f} s at the median, {times[-1]:.2f} s at most: "
                f"{slowest[-1].text}"
            )


if __name__ == "__main__":
    main()
