"""Planted mistakes: true claims of the specs with one slip each, and what the verifier says of them.

usage: planted.py [--mutants N] [--seeds N] [--no-diagnosis] [SPEC…]

Prints the share of mutants that differ and are refuted (or ill-formed), the share of true claims that are
not, and how often the diagnosis names the slip. Whether a mutant differs at all is decided by a plain
evaluation in extended precision on full grids of indices, which knows nothing of plans, bars and normal
forms. tests/verify/test_planted.py runs a sample.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from slips import SLIPS

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.numeric.evaluate import evaluate
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.claims import Judged, Reading, attempt_claim, judge_claim
from tensorgrad_cli.verify.diagnose import diagnose
from tensorgrad_cli.verify.diagnoses.draft import is_derivative
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.workbench import Workbench

FOLDER = Path(__file__).parent.parent / "specs"


_serials = itertools.count(1)


HOLDS = ("proved", "verified")


WRONG = ("refuted", "ill-formed")


class Mutant(Struct, frozen=True):
    """A claim with a slip: which one, its text, and the kinds by which a diagnosis may name it.

    `kinds` is empty where the language has no kind for the slip.
    """

    slip: str
    text: str
    kinds: frozenset[str]


class Outcome(Struct, frozen=True):
    """What was said of a mutant. `differs` is what plain evaluation says, None where it says nothing."""

    spec: str
    claim: str
    mutant: Mutant
    differs: bool | None
    verdict: str
    kind: str | None
    suggestion: str | None
    suggested: str | None
    decided: float
    diagnosed: float


def plain(expression: Expression, axes: Sequence[Index], point: Point) -> Any:
    """An expression on the full grid of the given axes, in extended precision, operation by operation."""
    sizes = point.sizes
    long = np.longdouble

    def along(index: Index, axes: Sequence[Index]) -> Any:
        shape = [1] * len(axes)
        shape[axes.index(index)] = -1
        return np.arange(index.dimension.size(sizes)).reshape(shape)

    def place(position: Any, axes: Sequence[Index]) -> Any:
        return along(position, axes) if isinstance(position, Index) else int(position)

    def value(e: Expression, axes: tuple[Index, ...]) -> Any:
        match e:
            case Const(number):
                return long(number.numerator) / long(number.denominator)
            case Ref(tensor, (Index() as index,)) if tensor == RANGE:
                return along(index, axes).astype(long)
            case Ref(tensor, indices):
                point.ensure((tensor,))
                array = np.asarray(point.environment.arrays[tensor]).astype(long)
                return array[tuple(place(p, axes) for p in indices)] if indices else array
            case Delta(left, right):
                return np.asarray(place(left, axes) == place(right, axes)).astype(long)
            case Add(parts):
                return sum(value(p, axes) for p in parts)
            case Product(parts):
                total = long(1)
                for p in parts:
                    total = total * value(p, axes)
                return total
            case Sum(indices, body):
                inner = (*axes, *indices)
                shape = tuple(i.dimension.size(sizes) for i in inner)
                full = np.broadcast_to(value(body, inner), shape)
                return full.sum(axis=tuple(range(len(axes), len(inner))))
            case Apply("pow", (0, 0), (base, exponent)):
                return np.power(value(base, axes), value(exponent, axes))
            case Apply(function, _, arguments) if function in FUNCTIONS:
                return FUNCTIONS[function].numeric(np, *(value(a, axes) for a in arguments))
            case Apply() | Op():
                free = tuple(sorted(e.free))
                point.ensure(references(e))
                array = np.asarray(evaluate(e, free, point.environment)).astype(long)
                return array[tuple(along(i, axes) for i in free)] if free else array
        raise TypeError(e)

    shape = tuple(i.dimension.size(sizes) for i in axes)
    return np.broadcast_to(value(expression, tuple(axes)), shape)


def differs(bench: Workbench, reading: Reading) -> bool | None:
    """Whether the sides differ somewhere, by far more than extended precision loses; None: nobody knows."""
    sides = [lowered(side.expression, bench.scope) for side in (reading.left, reading.right)]
    near = far = True
    seen = False
    with np.errstate(all="ignore"):
        for number in range(2):
            point = bench.points[number % len(bench.points)]
            point = point.at(reading.at) if reading.at else point
            a, b = (plain(side, reading.free, point) for side in sides)
            if not (np.isfinite(a).all() and np.isfinite(b).all()):
                return None
            scale = np.maximum(np.abs(a).max(), np.abs(b).max())
            if scale < 1e-12:
                continue
            worst = np.abs(a - b).max()
            # Derivatives come in double precision: their rounding stands between the two, and is large where
            # a point is badly conditioned, but not at both.
            seen = True
            far &= bool(worst > 1e-9 * scale)
            near &= bool(worst <= 1e-12 * scale)
    return True if far and seen else False if near else None


class Planted:
    """The true claims of some specs at one seed, and their mutants."""

    def __init__(self, paths: Sequence[Path], seed: int) -> None:
        self.seed = seed
        self.specs: list[tuple[Spec, Workbench]] = []
        for path in paths:
            spec, _ = read_path(str(path))
            if spec is not None:
                self.specs.append((spec, Workbench(spec, seed)))

    def claims(self) -> Iterator[tuple[Spec, Workbench, Claim, Reading | Issue, str]]:
        """Every claim that is expected to hold."""
        for spec, bench in self.specs:
            for number, claim in enumerate(spec.claims, 1):
                if claim.expect == "holds":
                    prefix = f"c{number}."
                    yield spec, bench, claim, attempt_claim(bench, claim, prefix), prefix

    def false_alarms(self) -> tuple[list[str], int]:
        """The true claims that are refuted or called ill-formed, and how many there are."""
        found, count = [], 0
        with np.errstate(all="ignore"):
            for spec, bench, claim, attempt, _ in self.claims():
                count += 1
                judged = judge_claim(bench, claim.source, attempt)
                if judged.verdict in WRONG:
                    found.append(f"{spec.path}: {claim.source.text}: {judged.verdict}")
        return found, count

    def mutants(self) -> list[tuple[Spec, Workbench, Claim, Mutant]]:
        """Every mutant of every true claim, each text once."""
        out = []
        for spec, bench, claim, _, _ in self.claims():
            try:
                tree = parse_equation(Source("claim", claim.source.text), bench.scope.vocabulary)
            except Issue:
                continue
            if is_derivative(tree.right) and not is_derivative(tree.left):
                continue
            seen = {claim.source.text}
            for slip, (plant, kinds) in SLIPS.items():
                for text in plant(claim.source.text, tree.right, bench):
                    if text not in seen:
                        seen.add(text)
                        out.append((spec, bench, claim, Mutant(slip, text, kinds)))
        return out

    def sample(self, count: int) -> list[tuple[Spec, Workbench, Claim, Mutant]]:
        """So many mutants, every slip as often as it can be."""
        rng = np.random.default_rng([self.seed, 1])
        every = self.mutants()
        by_slip: dict[str, list[Any]] = {}
        for k in rng.permutation(len(every)):
            by_slip.setdefault(every[k][3].slip, []).append(every[k])
        chosen: list[Any] = []
        while len(chosen) < min(count, len(every)):
            for rest in by_slip.values():
                if rest and len(chosen) < count:
                    chosen.append(rest.pop())
        return chosen

    def outcome(self, bench: Workbench, spec: Spec, claim: Claim, mutant: Mutant, named: bool) -> Outcome:
        """What is said of one mutant."""
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
            suggested = self._checked(bench, suggestion, claim)
        differ = None
        if not isinstance(attempt, Issue) and attempt.mismatch is None:
            differ = differs(bench, attempt)
        return Outcome(
            spec.path,
            claim.source.text,
            mutant,
            differ,
            judged.verdict,
            kind,
            suggestion,
            suggested,
            decided - started,
            diagnosed - decided,
        )

    def _checked(self, bench: Workbench, text: str, claim: Claim) -> str:
        """The verdict of a suggestion as a claim of its own."""
        source = Source("suggestion", text)
        attempt = attempt_claim(bench, Claim(source, at=claim.at), f"g{next(_serials)}.")
        judged: Judged = judge_claim(bench, source, attempt)
        return judged.verdict


def has_kind(outcome: Outcome) -> bool:
    """Whether the language has a kind for the slip: not for a delta between two dimensions, for one."""
    if outcome.mutant.slip == "diagonal only" and outcome.verdict == "ill-formed":
        return False
    return bool(outcome.mutant.kinds) and outcome.differs is not False


def is_missed(outcome: Outcome) -> bool:
    """A mutant that differs and is not found out."""
    return outcome.differs is True and outcome.verdict not in WRONG


def is_false_alarm(outcome: Outcome) -> bool:
    """A mutant that is as true as its claim and is called wrong."""
    return outcome.differs is False and outcome.verdict == "refuted"


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=400)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first-seed", type=int, default=1)
    parser.add_argument("--no-diagnosis", action="store_true")
    parser.add_argument("-v", action="store_true")
    parser.add_argument("specs", nargs="*", type=Path)
    options = parser.parse_args()
    paths = options.specs or sorted(FOLDER.glob("*.yaml"))
    alarms: list[str] = []
    claims = 0
    outcomes: list[Outcome] = []
    with np.errstate(all="ignore"):
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            planted = Planted(paths, seed)
            found, count = planted.false_alarms()
            alarms += found
            claims += count
            for spec, bench, claim, mutant in planted.sample(options.mutants):
                outcomes.append(planted.outcome(bench, spec, claim, mutant, not options.no_diagnosis))
    report(outcomes, alarms, claims, options.v)


def report(outcomes: Sequence[Outcome], alarms: Sequence[str], claims: int, verbose: bool) -> None:
    """The rates, and every case that is not as it should be."""
    missed = [o for o in outcomes if is_missed(o)]
    false = [o for o in outcomes if is_false_alarm(o)]
    wrong = [o for o in outcomes if o.verdict in WRONG]
    kinded = [o for o in wrong if has_kind(o)]
    named = [o for o in kinded if o.kind in o.mutant.kinds]
    unsound = [o for o in outcomes if o.suggestion is not None and o.suggested not in HOLDS]
    for o in missed:
        print(f"MISSED {o.verdict}: {o.mutant.text}   [{o.mutant.slip}; {o.spec}]")
    for o in false:
        print(f"FALSE ALARM: {o.mutant.text}   [{o.mutant.slip}; {o.spec}]")
    for o in unsound:
        print(f"UNSOUND suggestion {o.suggested}: {o.suggestion}   for {o.mutant.text}   [{o.spec}]")
    for text in alarms:
        print(f"TRUE CLAIM REFUTED: {text}")
    if verbose:
        for o in kinded:
            if o.kind not in o.mutant.kinds:
                print(
                    f"named {o.kind} for {o.mutant.slip} ({o.verdict}, {o.diagnosed:.2f} s): {o.mutant.text}"
                    f"   was {o.claim}   suggests {o.suggestion}"
                )
    by_slip = Counter(o.mutant.slip for o in kinded)
    right = Counter(o.mutant.slip for o in named)
    for slip, count in by_slip.items():
        print(f"  {slip:16} {right[slip]:4} of {count:4} named")
    differing = sum(o.differs is not False for o in outcomes)
    print(f"{len(outcomes)} mutants, {differing} differ, {len(missed)} of them not found out")
    print(
        f"{claims} true claims, {len(alarms)} of them called wrong; {len(false)} harmless mutants called wrong"
    )
    print(f"{len(named)} of {len(kinded)} slips named ({len(named) / max(1, len(kinded)):.1%})")
    print(f"{sum(o.suggestion is not None for o in wrong)} suggestions, {len(unsound)} of them do not hold")
    for name in ("decided", "diagnosed"):
        slowest = sorted(wrong, key=lambda o: float(getattr(o, name)))
        if slowest:
            times = [float(getattr(o, name)) for o in slowest]
            print(
                f"{name} in {times[len(times) // 2]:.3f} s at the median, {times[-1]:.2f} s at most: "
                f"{slowest[-1].mutant.text}"
            )


if __name__ == "__main__":
    main()
