"""What the text report says, line by line, each line of pieces (text, style); how they look is decided in `text`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from tensorgrad_cli.report.fold import Line
from tensorgrad_cli.source import cells
from tensorgrad_cli.verify.remarks import INDEPENDENT
from tensorgrad_cli.verify.verdict import (
    LEFT_AND_RIGHT,
    Counterexample,
    Error,
    Problem,
    Report,
    Result,
    SpecReport,
)

__all__ = ["lines", "summary"]

MARKS = {"proved": "✓", "verified": "✓", "refuted": "✗", "ill-formed": "✗", "inconclusive": "?"}
_READ = (("claim", "Claims"), ("derivation", "Derivations"))
_DERIVED = (("gradient", "Total derivatives"), ("hessian", "Second derivatives"))
_OUTSIDE = (("values", "Gradients computed elsewhere"), ("implementation", "Implementations"))
_LABEL = 10
_SHORT = 10  # characters of a ratio that is worth reading
_PICTURES = 12  # lines of a picture of disagreeing entries at most


def lines(report: Report, verbosity: int = 0) -> Iterator[Line]:
    """The report: errors, specs, the summary last. Of several specs those that pass are a line each, unless
    more is asked for; with verbosity -1 only what fails is said, with -2 nothing."""
    if verbosity <= -2:
        return
    for problem in report.errors:
        yield from _problem(problem)
    several = len(report.specs) > 1 and verbosity <= 0
    for spec in report.specs:
        if spec.verdict == "error":
            continue
        if several and spec.verdict == "pass":
            if verbosity == 0:
                yield _brief(spec)
            continue
        failing = verbosity < 0 or (several and bool(spec.checks))
        yield from _spec(spec, verbosity, failing)
    if several and verbosity == 0 and any(spec.verdict == "pass" for spec in report.specs):
        yield []
    yield summary(report)


def _problem(problem: Problem) -> Iterator[Line]:
    """An error of a spec as a document."""
    head, excerpt, help_ = _parts(problem.text)
    headline, _, message = head.partition(": ")
    yield [(f"{headline}: ", "error"), (message, "")]
    for text in excerpt:
        yield [(text, "verbatim")]
    if help_:
        yield [("help: ", "help"), (help_, "")]
    yield []


def _parts(text: str) -> tuple[str, list[str], str]:
    """The headline, the excerpt and the help of a rendered issue."""
    head, *rest = text.splitlines() or [""]
    help_ = rest.pop().removeprefix("help: ") if rest and rest[-1].startswith("help: ") else ""
    return head, rest, help_


# --- a spec


def _brief(spec: SpecReport) -> Line:
    return [("✓ ", "good"), (spec.path, ""), (f"  {_counted(spec.checks)}", "quiet")]


def _spec(spec: SpecReport, verbosity: int, failing: bool) -> Iterator[Line]:
    """One spec: its head, the chain with its derivatives, the totals, claims and derivations."""
    shown = [c for c in spec.checks if not (failing and c.passed)]
    if not shown and verbosity < 0 and spec.checks:
        return
    # Without a title of its own a spec has its file's name, which the path says already.
    title = "" if os.path.basename(spec.path) == spec.title else f"  {spec.title}"
    yield [(spec.path, "title"), (title, "")]
    if spec.note and not failing:
        yield [("  ", ""), (" ".join(spec.note.split()), "quiet")]
    if spec.dims:
        sizes = "  ".join(f"{name} = {size}" for name, size in spec.dims.items())
        yield [("  ", ""), (sizes, "quiet")]
    told = _Told()
    if not failing:
        for remark in told.new(spec.remarks):
            yield [("  remark: ", "quiet"), (remark, "quiet")]
    if not spec.checks:
        yield [("  nothing to check", "bad")]
    yield from _chain(spec, shown, verbosity, failing, told)
    for kind, title in _DERIVED:
        checks = [c for c in shown if c.kind == kind]
        if checks:
            yield from _titled(title)
            for check in checks:
                yield from _derived(check, verbosity, told)
    for kind, title in (*_READ, *_OUTSIDE):
        checks = [c for c in shown if c.kind == kind]
        if checks:
            yield from _titled(title)
            yield from (
                _derivations(spec, checks, verbosity, told)
                if kind == "derivation"
                else _read(spec, checks, verbosity, told)
            )
    yield []


class _Told:
    """Which remarks on the convention of structured tensors a report has made: each is made once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def new(self, remarks: Sequence[str]) -> Iterator[str]:
        """The remarks without those that were made before."""
        for remark in remarks:
            if remark not in self._said:
                yield remark
            if remark.endswith(INDEPENDENT):
                self._said.add(remark)


def _titled(title: str) -> Iterator[Line]:
    yield []
    yield [(f"  {title}", "title")]


def _chain(
    spec: SpecReport, shown: list[Result], verbosity: int, failing: bool, told: _Told
) -> Iterator[Line]:
    checks = [c for c in shown if c.kind == "step"]
    for name, text in spec.steps:
        own = [c for c in checks if c.of == name]
        if failing and not own:
            continue
        yield []
        yield [("  ", ""), (text, "title")]
        if name in spec.notes:
            yield [("    ", ""), (" ".join(spec.notes[name].split()), "quiet")]
        for check in own:
            yield from _derived(check, verbosity, told)


# --- derivatives that the chain brings with it


def _derived(check: Result, verbosity: int, told: _Told) -> Iterator[Line]:
    """A derivative: formula, rank, shape, subscripts; its pullback; what differences say."""
    formula = check.formula
    if formula is None:
        yield [("    ", ""), *_verdict(check, 0), ("  ", ""), (check.id, "quiet")]
        yield from _said(check)
        return
    yield [("    ", ""), (formula.text, "formula")]
    if check.kind != "step" and formula.matrix:
        yield _labelled("matrix", formula.matrix)
    shape = "×".join(map(str, check.shape or ()))
    facts = [shape, *formula.einsum] if shape else list(formula.einsum)
    yield _labelled(f"rank {check.rank}" if check.shape else "scalar", "   ".join(facts), "quiet")
    yield from _details(check)
    for remark in told.new(check.remarks):
        yield [("      ", ""), (remark, "quiet")]
    yield [("    ", ""), *_verdict(check, 0), ("  ", ""), (_agreement(check.error), "quiet")]
    if not check.passed:
        yield from _said(check)
    yield from _more(check, verbosity)


def _labelled(label: str, text: str, style: str = "formula") -> Line:
    return [(f"      {label:<{_LABEL}}", "quiet"), (text, style)]


def _details(check: Result) -> Iterator[Line]:
    """The pullback, the chain of cotangents, a kink: equal labels once, equations aligned at their `=`."""
    through = [text.partition(" = ") for label, text in check.details if label == "through"]
    wide = max((cells(left) for left, _, _ in through), default=0)
    before = ""
    for label, text in check.details:
        shown = "" if label == before or label == "matrix" else label
        if label == "through":
            left, equals, right = text.partition(" = ")
            text = f"{left}{' ' * (wide - cells(left))}{equals}{right}" if wide <= 24 else text
        yield _labelled(shown, text, "" if label == "kink" else "formula")
        before = label


def _agreement(error: Error | None) -> str:
    if error is None:
        return ""
    said = []
    # An error as large as the value itself, or larger, says nothing.
    if error.max_rel < 1:
        said.append("exactly" if error.max_rel == 0 else f"to {error.max_rel:.1e}")
    if error.resolution < 1:
        said.append(f"an error of {error.resolution:.1e} would show")
    return "; ".join(said)


# --- claims, lines of derivations, what was computed elsewhere


def _read(spec: SpecReport, checks: Sequence[Result], verbosity: int, told: _Told) -> Iterator[Line]:
    wide = max(cells(_word(check)) for check in checks)
    ids = max(len(check.id) for check in checks)
    for check in checks:
        source = " ".join(check.source.split())
        if check.kind == "derivation" and not source.startswith("="):
            source = f"= {source}"
        yield [
            ("    ", ""),
            *_verdict(check, wide),
            (f"  {check.id:<{ids}}  ", "quiet"),
            (source or (check.formula.text if check.formula else ""), "formula"),
        ]
        yield from _under(check, spec, verbosity, told)


def _derivations(spec: SpecReport, checks: Sequence[Result], verbosity: int, told: _Told) -> Iterator[Line]:
    """Derivations one by one, what is to be said of the whole before its lines."""
    numbers: dict[str, list[Result]] = {}
    for check in checks:
        numbers.setdefault(check.id.partition(":")[2].partition(".")[0], []).append(check)
    for number, own in numbers.items():
        at = int(number) - 1 if number.isdigit() else -1
        if 0 <= at < len(spec.summaries):
            yield [("    ", ""), (spec.summaries[at], "")]
        yield from _read(spec, own, verbosity, told)


def _under(check: Result, spec: SpecReport, verbosity: int, told: _Told) -> Iterator[Line]:
    """What stands under a claim: how it was read, why it is wrong, what was expected."""
    expected = check.passed and check.expect not in ("holds", None)
    note = " ".join(check.note.split()) if check.note else ""
    if expected:
        yield [("      as expected", "good"), (f": {note}" if note else "", "quiet")]
    elif note:
        yield [("      ", ""), (note, "quiet")]
    if check.reading and (verbosity >= 1 or not check.passed):
        yield [("      read as  ", "quiet"), (check.reading, "formula")]
    if check.proof is not None and verbosity >= 1:
        by = {"normal-form": "equal normal forms", "exact": "the exact test"}.get(
            check.proof.by, check.proof.by
        )
        bound = f", wrong with a chance below {check.proof.bound:.0e}" if check.proof.bound else ""
        yield [("      ", ""), (f"proved by {by}{bound}", "quiet")]
    if check.domain:
        yield [("      ", ""), (check.domain, "quiet")]
    for remark in told.new(check.remarks):
        if remark != "equal up to layout":
            yield [("      ", ""), (remark, "quiet")]
    if check.verdict in ("refuted", "ill-formed", "inconclusive"):
        yield from _why(check, verbosity)
    if not check.passed:
        expect = "to hold" if check.expect == "holds" else str(check.expect)
        yield [(f"      expected {expect}", "bad"), *_explain(check, spec)]
    yield from _more(check, verbosity)


def _explain(check: Result, spec: SpecReport) -> Line:
    if check.line is None:
        return []
    return [("   ", ""), (f"tensorgrad explain {spec.path} {check.id}", "quiet")]


def _why(check: Result, verbosity: int) -> Iterator[Line]:
    diagnosis = check.diagnosis
    if diagnosis is None or diagnosis.message != check.message:
        yield from _said(check, briefly=check.passed and verbosity < 1)
    if check.follows is not None and not check.id.endswith(".1"):
        if check.follows:
            # A line that follows from a wrong one has no slip of its own.
            yield [("      ", ""), ("it follows from the line before", "")]
            return
        yield [("      ", ""), ("it does not follow from the line before", "")]
    if check.counterexample is not None:
        yield from _example(check.counterexample)
    if diagnosis is None:
        return
    said = (
        diagnosis.message
        if diagnosis.message == check.message or diagnosis.message not in check.message
        else ""
    )
    if diagnosis.kind != "unknown" or said:
        yield [("      ", ""), (f"{diagnosis.kind}: {said}" if said else diagnosis.kind, "help")]
    if diagnosis.suggestion:
        yield [("      right is  ", "help"), (diagnosis.suggestion, "formula")]


def _said(check: Result, briefly: bool = False) -> Iterator[Line]:
    """The message of a check. Of an issue that was expected only what is wrong and the help."""
    if not check.message:
        return
    head, excerpt, help_ = _parts(check.message)
    if not head.startswith("error["):
        for text in check.message.splitlines():
            yield [("      ", ""), (text, "")]
        return
    headline, _, message = head.partition(": ")
    yield [("      ", ""), *([] if briefly else [(f"{headline}: ", "error")]), (message, "")]
    for text in [] if briefly else excerpt:
        yield [(f"      {text}", "verbatim")]
    if help_:
        yield [("      ", ""), *([] if briefly else [("help: ", "help")]), (help_, "help" if briefly else "")]


def compared(example: Counterexample) -> str:
    """Both values of an entry, with as many digits as tell them apart, and their ratio; in the order of the sides
    where neither is a derivative."""
    first, second = example.sides
    claim, derivative = _told_apart(example.claim, example.derivative)
    said = [f"{first} {claim}", f"{second} {derivative}"]
    if example.sides == LEFT_AND_RIGHT:
        said.reverse()
    if example.ratio is not None:
        ratio = _told_apart(example.ratio, 1.0)[0]
        off = abs(example.claim - example.derivative)
        # Of a ratio of 1.00000000031 the difference says more.
        said.append(f"ratio {ratio}" if len(ratio) <= _SHORT else f"off by {off:.2g}")
    return ", ".join(said)


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers with six digits, or with one more than the first that differs."""
    digits = next((k for k in range(5, 17) if f"{a:.{k}g}" != f"{b:.{k}g}"), 16) + 1
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def _example(example: Counterexample) -> Iterator[Line]:
    place = ", ".join(f"{name}={value}" for name, value in example.at.items())
    where = f"at {place}: " if place else ""
    sizes = ", ".join(f"{name} = {size}" for name, size in example.dims.items())
    seed = "" if example.seed is None else f"; seed {example.seed}" if sizes else f"seed {example.seed}"
    yield [
        (f"      {where}{compared(example)}", ""),
        (f"   ({sizes}{seed})", "quiet"),
    ]
    rows = example.picture
    telling = any("." in row for row in rows) and any("x" in row for row in rows)
    if telling and len(rows) <= _PICTURES:
        for row in rows:
            yield [("        ", "verbatim"), *((c, "bad" if c == "x" else "quiet") for c in row)]


# --- verdicts


def _word(check: Result) -> str:
    return check.verdict + (f" ({check.reason})" if check.reason else "")


def _verdict(check: Result, wide: int) -> Line:
    word = _word(check)
    pad = " " * max(0, wide - cells(word))
    expected = check.passed and check.expect not in ("holds", None)
    style = "good" if expected else check.verdict
    return [(f"{MARKS.get(check.verdict, '?')} {word}{pad}", style)]


def _more(check: Result, verbosity: int) -> Iterator[Line]:
    if verbosity >= 1 and check.error is not None:
        e = check.error
        asked = f", {e.evaluations} evaluations" if e.evaluations else ""
        shows = f", would show {e.resolution:.2e}" if e.resolution < 1 else ""
        text = f"{e.method}: largest error {e.max_abs:.2e}, bar {e.bar:.2e}{shows}{asked}"
        yield [("      ", ""), (text, "quiet")]
    if verbosity >= 2:
        yield [("      ", ""), (f"{1000 * check.seconds:.1f} ms", "quiet")]


def _counted(checks: Sequence[Result]) -> str:
    counts: dict[str, int] = {}
    for check in checks:
        counts[check.verdict] = counts.get(check.verdict, 0) + 1
    return " · ".join(f"{counts[v]} {v}" for v in MARKS if v in counts)


def summary(report: Report) -> Line:
    """One line: how many of each verdict, how many not as expected, specs, time, seed."""
    checks = [check for spec in report.specs for check in spec.checks]
    parts = [_counted(checks) or "nothing to check"]
    failed = sum(not check.passed for check in checks)
    if checks:
        parts.append(f"{failed} not as expected" if failed else "all as expected")
    if report.errors:
        parts.append(_number(len(report.errors), "error"))
    tail = f"   {_number(len(report.specs), 'spec')}, {report.seconds:.2f} s   seed {report.seed}"
    return [(" · ".join(parts), "good" if report.verdict == "pass" else "bad"), (tail, "quiet")]


def _number(number: int, thing: str) -> str:
    return f"{number} {thing}{'s' if number != 1 else ''}"
