"""Derivations: each line against the start and against the line before, and what that says of the whole."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Derivation, Line
from tensorgrad_cli.verify.claim_results import claim_result, meets
from tensorgrad_cli.verify.claims import Judged, judge, judge_claim
from tensorgrad_cli.verify.readings import Line as EquationWith
from tensorgrad_cli.verify.readings import ReadDerivation, Reading
from tensorgrad_cli.verify.verdict import Result
from tensorgrad_cli.verify.workbench import Workbench

__all__ = ["derivation_results", "summary_of"]

WRONG = ("refuted", "ill-formed")


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
        results.append(_guarded_result(bench, read, k, line, judged, follows))
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
    read: ReadDerivation,
    k: int,
    line: Line,
    judged: Judged,
    follows: bool | None,
) -> Result:
    from tensorgrad_cli.verify.run import guarded

    return guarded(
        f"derivation:{read.number}.{k}",
        "derivation",
        lambda: _result(bench, read, k, line, judged, follows),
    )


def _result(
    bench: Workbench,
    read: ReadDerivation,
    k: int,
    line: Line,
    judged: Judged,
    follows: bool | None,
) -> Result:
    expect = _expected(line, k, read.derivation.first_wrong, judged.verdict)
    start = read.derivation.start.text
    return claim_result(
        bench,
        f"derivation:{read.number}.{k}",
        "derivation",
        judged,
        expect,
        line.note,
        follows=follows,
        line=EquationWith(start, read.scope) if read.scope is not None else None,
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
    unsure = [k for k, result in enumerate(results, 1) if not _right(result) and result.verdict not in WRONG]
    out = _account(results, wrong[0]) if wrong else []
    if unsure:
        out += [] if wrong else ["nothing is known to be wrong"]
        out.append(f"{_lines(unsure)} could not be decided")
    if expected is not None and wrong[:1] != [expected]:
        out.append(f"line {expected} was expected to be the first wrong one")
    return ["; ".join(out or ["every line holds"])]


def _right(result: Result) -> bool:
    return meets("holds", result.verdict)


def _account(results: Sequence[Result], first: int) -> list[str]:
    """What becomes of the first wrong line: what follows from it, what does not, what is right all the same."""
    out: list[str] = []
    told: Sequence[int] = (first,)
    mended = False
    for kind, lines in _runs(results, first):
        # `it` is the one line spoken of last, if it is the one before.
        before = "it" if tuple(told) == (lines[0] - 1,) else f"line {lines[0] - 1}"
        match kind:
            case "follows":
                verb = "follows" if len(lines) == 1 else "follow"
                out.append(f"{_lines(lines)} {verb} from {before} correctly")
            case "mended":
                out.append(f"{_lines(lines)} does not follow from {before} and is right")
                mended = True
            case "another slip":
                out.append(f"{_lines(lines)} does not follow from {before} and is wrong too")
            case "wrong again":
                out.append(f"{_lines(lines)} is wrong again")
            case _:
                out.append(f"{_lines(lines)} {'is' if len(lines) == 1 else 'are'} {kind}")
        told = lines
    head = f"line {first} is wrong" if mended else f"line {first} is the first wrong one"
    return [head, *out]


def _runs(results: Sequence[Result], first: int) -> list[tuple[str, list[int]]]:
    """The lines after the first wrong one in runs of one kind; right lines that follow from right ones, and
    lines that could not be decided, are left out."""
    runs: list[tuple[str, list[int]]] = []
    for k, (before, result) in enumerate(pairwise(results[first - 1 :]), first + 1):
        kind = _kind(before, result)
        if kind is None:
            continue
        if runs and runs[-1][0] == kind and runs[-1][1][-1] == k - 1 and kind in _GATHERED:
            runs[-1][1].append(k)
        else:
            runs.append((kind, [k]))
    return runs


_GATHERED = ("follows", "ill-formed", "wrong too")


def _kind(before: Result, result: Result) -> str | None:
    """What a line is, seen from the one before it."""
    if result.verdict == "ill-formed":
        return "ill-formed"
    if result.verdict in WRONG:
        if result.follows is None:
            return "wrong too"
        if result.follows:
            return "follows"
        return "wrong again" if _right(before) else "another slip"
    if not _right(result) or _right(before):
        return None
    return "mended" if result.follows is False else "right"


def _lines(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"line {numbers[0]}"
    return f"lines {', '.join(map(str, numbers[:-1]))} and {numbers[-1]}"
