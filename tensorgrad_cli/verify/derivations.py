"""Derivations: each line against the start and against the line before, and what that says of the whole."""

from __future__ import annotations

from collections.abc import Sequence

from tensorgrad_cli.algebra.elaborate import Side
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Derivation, Line
from tensorgrad_cli.verify.claim_results import claim_result, meets
from tensorgrad_cli.verify.claims import Judged, judge, local_scope, read_line, read_start
from tensorgrad_cli.verify.verdict import Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["derivation_results", "summary_of"]

WRONG = ("refuted", "ill-formed")


def derivation_results(
    bench: Workbench, number: int, derivation: Derivation
) -> tuple[list[Result], list[str]]:
    """A result for each line, and sentences about the derivation as a whole."""
    try:
        scope = local_scope(bench, derivation.where)
        start, _, _ = read_start(bench, derivation.start, f"d{number}.0.", scope)
    except Issue as issue:
        lines = [
            _result(bench, number, k, line, derivation, Judged(line.source, None, None, issue), None)
            for k, line in enumerate(derivation.lines, 1)
        ]
        return lines, [f"{_title(number, derivation)}: the start has no meaning: {issue.message}"]
    results: list[Result] = []
    before: Side | None = start
    judged_before: Judged | None = None
    for k, line in enumerate(derivation.lines, 1):
        judged, side = _judged(bench, line, start, f"d{number}.{k}.", scope)
        follows = _follows(bench, line, before, side, judged, judged_before, k)
        results.append(_guarded_result(bench, number, k, line, derivation, judged, follows))
        before, judged_before = side, judged
    return results, [
        f"{_title(number, derivation)}: {s}" for s in summary_of(results, derivation.first_wrong)
    ]


def _title(number: int, derivation: Derivation) -> str:
    return derivation.title or f"derivation {number}"


def _judged(
    bench: Workbench, line: Line, start: Side, prefix: str, scope: Scope
) -> tuple[Judged, Side | None]:
    try:
        reading = read_line(bench, line.source, start, prefix, scope)
        return judge(bench, reading), None if reading.mismatch is not None else reading.right
    except Issue as issue:
        return Judged(line.source, None, None, issue), None
    except MemoryError as error:
        issue = Issue("too-large", line.source.span(), f"too large to evaluate: {error}")
        return Judged(line.source, None, None, issue), None


def _follows(
    bench: Workbench,
    line: Line,
    before: Side | None,
    side: Side | None,
    judged: Judged,
    judged_before: Judged | None,
    k: int,
) -> bool | None:
    """Whether a line equals the one before it; None where either has no meaning."""
    if side is None or before is None:
        return None
    if k == 1:
        return judged.holds
    if judged_before is not None and judged_before.holds:
        # What is equal to a true line is true.
        return judged.holds
    if judged.holds:
        return False
    assert judged.reading is not None
    from tensorgrad_cli.verify.claims import Reading

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
