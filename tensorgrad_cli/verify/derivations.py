"""Derivations: each line against the start and against the line before, and what that says of the whole."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tensorgrad_cli.algebra.elaborate import Side
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Derivation, Line
from tensorgrad_cli.verify.claim_results import claim_result, meets
from tensorgrad_cli.verify.claims import (
    Judged,
    Reading,
    judge,
    judge_claim,
    local_scope,
    prepare,
    read_line,
    read_start,
)
from tensorgrad_cli.verify.verdict import Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["ReadDerivation", "derivation_results", "read_derivation", "summary_of"]

WRONG = ("refuted", "ill-formed")


class ReadDerivation(Struct, frozen=True):
    """A derivation as read: its start, and each line as an equation with the start; issues where it is not."""

    number: int
    derivation: Derivation
    start: Side | Issue
    lines: tuple[Reading | Issue, ...]


def read_derivation(bench: Workbench, number: int, derivation: Derivation) -> ReadDerivation:
    """Read a derivation; never raises for what is written in it."""
    try:
        scope = local_scope(bench, derivation.where)
        start, _, _ = read_start(bench, derivation.start, f"d{number}.0.", scope)
    except Issue as issue:
        return ReadDerivation(number, derivation, issue, (issue,) * len(derivation.lines))
    lines = tuple(
        _read(bench, line, start, f"d{number}.{k}.", scope) for k, line in enumerate(derivation.lines, 1)
    )
    return ReadDerivation(number, derivation, start, lines)


def _read(bench: Workbench, line: Line, start: Side, prefix: str, scope: Scope) -> Reading | Issue:
    try:
        reading = read_line(bench, line.source, start, prefix, scope)
        prepare(bench, reading)
        return reading
    except Issue as issue:
        return issue


def derivation_results(bench: Workbench, read: ReadDerivation) -> tuple[list[Result], list[str]]:
    """A result for each line, and sentences about the derivation as a whole."""
    results: list[Result] = []
    derivation, title = read.derivation, _title(read.number, read.derivation)
    before: Side | None = None if isinstance(read.start, Issue) else read.start
    held: bool | None = None
    for k, (line, attempt) in enumerate(zip(derivation.lines, read.lines, strict=True), 1):
        judged = _judged(bench, line, attempt)
        right = None if isinstance(attempt, Issue) or attempt.mismatch is not None else attempt.right
        follows = _follows(bench, line, before, right, judged, held, k)
        results.append(_guarded_result(bench, read.number, k, line, derivation, judged, follows))
        before, held = right, judged.holds
    if isinstance(read.start, Issue):
        return results, [f"{title}: the start has no meaning: {read.start.message}"]
    return results, [f"{title}: {s}" for s in summary_of(results, derivation.first_wrong)]


def _title(number: int, derivation: Derivation) -> str:
    return derivation.title or f"derivation {number}"


def _judged(bench: Workbench, line: Line, attempt: Reading | Issue) -> Judged:
    try:
        return judge_claim(bench, line.source, attempt)
    except MemoryError as error:
        issue = Issue("too-large", line.source.span(), f"too large to evaluate: {error}")
        return Judged(line.source, None, None, issue)


def _follows(
    bench: Workbench,
    line: Line,
    before: Side | None,
    side: Side | None,
    judged: Judged,
    held: bool | None,
    k: int,
) -> bool | None:
    """Whether a line equals the one before it; None where either has no meaning."""
    if side is None or before is None or judged.reading is None:
        return None
    if k == 1 or held:
        # The line before is the start, or equal to it.
        return judged.holds
    if judged.holds:
        return False
    pair = Reading(line.source, before, side, judged.reading.free, (), ())
    return judge(bench, pair).holds


def _guarded_result(
    bench: Workbench,
    number: int,
    k: int,
    line: Line,
    derivation: Derivation,
    judged: Judged,
    follows: bool | None,
) -> Result:
    from tensorgrad_cli.verify.run import guarded

    return guarded(
        f"derivation:{number}.{k}",
        "derivation",
        lambda: _result(bench, number, k, line, derivation, judged, follows),
    )


def _result(
    bench: Workbench,
    number: int,
    k: int,
    line: Line,
    derivation: Derivation,
    judged: Judged,
    follows: bool | None,
) -> Result:
    expect = _expected(line, k, derivation.first_wrong, judged.verdict)
    # A line that follows from a wrong one has no slip of its own.
    return claim_result(
        bench,
        f"derivation:{number}.{k}",
        "derivation",
        judged,
        expect,
        line.note,
        follows=follows,
    )


def _expected(line: Line, k: int, first_wrong: int | None, verdict: str) -> str | None:
    if line.expect is not None:
        return line.expect
    if first_wrong is None or k < first_wrong:
        return "holds"
    if k > first_wrong:
        return None
    return verdict if verdict in WRONG else "refuted"


def summary_of(results: Sequence[Result], expected: int | None) -> list[str]:
    """What the verdicts of the lines say together, in sentences."""
    wrong = [k for k, result in enumerate(results, 1) if result.verdict in WRONG]
    if not wrong:
        unsure = [k for k, result in enumerate(results, 1) if not meets("holds", result.verdict)]
        if unsure:
            return [f"nothing is known to be wrong; {_lines(unsure)} could not be decided"]
        return ["every line holds"]
    first = wrong[0]
    out = [f"line {first} is the first wrong one"]
    later = results[first:]
    follow = [k for k, r in enumerate(later, first + 1) if r.follows and r.verdict in WRONG]
    cancel = [k for k, r in enumerate(later, first + 1) if r.follows is False and meets("holds", r.verdict)]
    again = [k for k, r in enumerate(later, first + 1) if r.follows is False and r.verdict in WRONG]
    if follow:
        verb = "follows" if len(follow) == 1 else "follow"
        out.append(f"{_lines(follow)} {verb} from it correctly")
    for k in cancel:
        out.append(f"line {k} does not follow from the line before and is right")
    for k in again:
        out.append(f"line {k} does not follow from the line before either")
    if expected is not None and expected != first:
        out.append(f"expected was line {expected}")
    return ["; ".join(out)]


def _lines(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    return f"lines {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
