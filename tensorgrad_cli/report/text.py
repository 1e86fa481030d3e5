"""The report for the terminal: lines that one can read aloud. The only module that knows rich.

A line is made of pieces, each with a style. Without colour the pieces are joined as they are and rich is
not imported; with colour they go through one console that reads no markup, so no index is ever eaten.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TextIO

from tensorgrad_cli.verify.verdict import Counterexample, Error, Problem, Report, Result, SpecReport

__all__ = ["lines", "render", "write"]

Piece = tuple[str, str]
Line = list[Piece]

_STYLES = {
    "proved": "bold green",
    "verified": "green",
    "refuted": "bold red",
    "ill-formed": "bold red",
    "inconclusive": "bold yellow",
    "error": "bold red",
    "title": "bold",
    "quiet": "dim",
    "formula": "",
    "good": "green",
    "bad": "red",
    "help": "cyan",
}
_MARKS = {"proved": "✓", "verified": "✓", "refuted": "✗", "ill-formed": "✗", "inconclusive": "?"}
_ASCII = {"✓": "+", "✗": "x", "·": "|", "×": "x", "…": "..."}


def render(report: Report, verbosity: int = 0) -> str:
    """The report as plain text, uncoloured and unwrapped."""
    return "".join(_plain(line) + "\n" for line in lines(report, verbosity))


def write(report: Report, stream: TextIO, *, verbosity: int = 0, colour: bool = False) -> None:
    """Print the report, coloured or not; marks are ASCII where the stream's encoding has no others."""
    content = list(lines(report, verbosity))
    if not _encodes(stream):
        content = [[(_ascii(text), style) for text, style in line] for line in content]
    if not colour:
        stream.write("".join(_plain(line) + "\n" for line in content))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream, markup=False, emoji=False, highlight=False, force_terminal=True, soft_wrap=True
    )
    for line in content:
        console.print(
            Text.assemble(*((text, _STYLES.get(style, "")) for text, style in line)), soft_wrap=True
        )


def _encodes(stream: TextIO) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        "✓✗·×Σ∂".encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _ascii(text: str) -> str:
    for sign, plain in _ASCII.items():
        text = text.replace(sign, plain)
    return text


def _plain(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()


def lines(report: Report, verbosity: int = 0) -> Iterator[Line]:
    """The report, line by line: what is as it should be briefly, failures in full, the summary last."""
    if verbosity <= -2:
        return
    for problem in report.errors:
        yield from problem_lines(problem)
    for spec in report.specs:
        if spec.verdict != "error":
            yield from spec_lines(spec, verbosity)
    yield summary(report)


def problem_lines(problem: Problem) -> Iterator[Line]:
    """An error of a spec as a document."""
    for number, text in enumerate(problem.text.splitlines()):
        style = "error" if number == 0 else "help" if text.startswith("help:") else ""
        yield [(text, style)]
    yield []


def spec_lines(spec: SpecReport, verbosity: int) -> Iterator[Line]:
    """One spec: its head, the chain with its derivatives, the totals, claims and derivations."""
    shown = [c for c in spec.checks if verbosity >= 0 or not c.passed]
    if verbosity < 0 and not shown:
        return
    yield [(spec.path, "title"), ("  ", ""), (spec.title if spec.title != spec.path else "", "title")]
    if spec.dims:
        yield [("  " + "  ".join(f"{name} = {size}" for name, size in spec.dims.items()), "quiet")]
    if verbosity >= 0:
        for remark in spec.remarks:
            yield [(f"  remark: {remark}", "quiet")]
    yield from _chain(spec, shown, verbosity)
    for kind, title in (
        ("gradient", "Total derivatives"),
        ("hessian", "Second derivatives"),
        ("claim", "Claims"),
        ("derivation", "Derivations"),
        ("values", "Gradients computed elsewhere"),
        ("implementation", "Implementations"),
    ):
        checks = [c for c in shown if c.kind == kind]
        if not checks:
            continue
        yield []
        yield [(f"  {title}", "title")]
        for check in checks:
            yield from _of_chain(check, verbosity) if check.formula else _of_reader(check, spec, verbosity)
        if kind == "derivation":
            for sentence in spec.summaries:
                yield [(f"    {sentence}", "")]
    yield []


def _chain(spec: SpecReport, shown: list[Result], verbosity: int) -> Iterator[Line]:
    checks = [c for c in shown if c.kind == "step"]
    for name, text in spec.steps:
        own = [c for c in checks if c.of == name]
        if verbosity < 0 and not own:
            continue
        yield []
        yield [("  ", ""), (text, "title")]
        for check in own:
            yield from _of_chain(check, verbosity)


def _of_chain(check: Result, verbosity: int) -> Iterator[Line]:
    """A derivative of the chain: formula, rank, shape, subscripts; its pullback; what differences say."""
    formula = check.formula
    assert formula is not None
    shape = "×".join(map(str, check.shape or ())) or "a scalar"
    subscripts = "  ".join(formula.einsum)
    facts = f"rank {check.rank}, {shape}" if check.shape else "a scalar"
    yield [("    ", ""), (formula.text, "formula")]
    if check.kind != "step" and formula.matrix:
        yield [("      ", ""), (formula.matrix, "formula")]
    yield [("      ", ""), (facts + (f", {subscripts}" if subscripts else ""), "quiet")]
    pullback = dict(check.details)
    if "pullback" in pullback:
        line = f"      pullback {pullback['pullback']}"
        if "matrix" in pullback:
            line += f"   or  {pullback['matrix']}"
        yield [(line, "formula")]
    for label, text in check.details:
        if label not in ("pullback", "matrix"):
            yield [(f"      {label} {text}", "formula")]
    yield [("      ", ""), *_verdict(check), (_numbers(check.error), "quiet")]
    yield from _more(check, verbosity)


def _of_reader(check: Result, spec: SpecReport, verbosity: int) -> Iterator[Line]:
    """A claim or a line of a derivation: as written, as read, the verdict and its reasons."""
    source = " ".join(check.source.split())
    if check.kind == "derivation" and not source.startswith("="):
        source = f"= {source}"
    yield [("    ", ""), *_verdict(check), (f"  {check.id}  ", "quiet"), (source, "formula")]
    if check.reading and (verbosity >= 1 or not check.passed):
        yield [(f"      read as  {check.reading}", "quiet")]
    if check.proof is not None and verbosity >= 1:
        bound = f", chance of error below {check.proof.bound:.1e}" if check.proof.bound else ""
        yield [(f"      proved by {check.proof.by}{bound}", "quiet")]
    if check.domain:
        yield [(f"      {check.domain}", "quiet")]
    if verbosity >= 0:
        for remark in check.remarks:
            yield [(f"      {remark}", "quiet")]
    if check.verdict in ("refuted", "ill-formed", "inconclusive"):
        yield from _why(check)
    if not check.passed:
        expect = "to hold" if check.expect == "holds" else str(check.expect)
        yield [(f"      expected {expect}", "bad")]
        if check.line is not None:
            yield [(f"      explain: tensorgrad explain {spec.path} {check.id}", "quiet")]
    if check.note and verbosity >= 1:
        yield [(f"      note: {check.note}", "quiet")]
    yield from _more(check, verbosity)


def _why(check: Result) -> Iterator[Line]:
    for text in check.message.splitlines():
        yield [(f"      {text}", "")]
    if check.counterexample is not None:
        yield from _example(check.counterexample)
    if check.diagnosis is not None:
        if check.diagnosis.message and check.diagnosis.message not in check.message:
            yield [(f"      {check.diagnosis.kind}: {check.diagnosis.message}", "help")]
        elif check.diagnosis.message:
            yield [(f"      diagnosis: {check.diagnosis.kind}", "help")]
        if check.diagnosis.suggestion:
            yield [("      right would be  ", "help"), (check.diagnosis.suggestion, "formula")]


def _example(example: Counterexample) -> Iterator[Line]:
    place = ", ".join(f"{name}={value}" for name, value in example.at.items())
    ratio = f", ratio {example.ratio:.6g}" if example.ratio is not None else ""
    where = f"at {place}: " if place else ""
    yield [
        (f"      {where}claim {example.claim:.6g}, derivative {example.derivative:.6g}{ratio}", ""),
        (f"   ({', '.join(f'{k} = {v}' for k, v in example.dims.items())}; seed {example.seed})", "quiet"),
    ]
    if sum(map(len, example.picture)) > 1 and any("." in row for row in example.picture):
        for row in example.picture:
            yield [("        ", ""), *((c, "bad" if c == "x" else "good") for c in row)]


def _verdict(check: Result) -> Line:
    mark = _MARKS.get(check.verdict, "?")
    reason = f" ({check.reason})" if check.reason else ""
    style = check.verdict if check.expect in ("holds", None) or not check.passed else "good"
    expected = ", as expected" if check.passed and check.expect not in ("holds", None) else ""
    return [(f"{mark} {check.verdict}{reason}{expected}", style)]


def _numbers(error: Error | None) -> str:
    if error is None:
        return ""
    return f"  error {error.max_rel:.1e}, would have seen {error.resolution:.1e}"


def _more(check: Result, verbosity: int) -> Iterator[Line]:
    if verbosity >= 1 and check.error is not None:
        e = check.error
        yield [
            (
                f"      {e.method}, {e.mode}: largest error {e.max_abs:.2e}, bar {e.bar:.2e}, "
                f"resolution {e.resolution:.2e}, {e.evaluations} evaluations",
                "quiet",
            )
        ]
    if verbosity >= 2:
        yield [(f"      {1000 * check.seconds:.1f} ms", "quiet")]


def summary(report: Report) -> Line:
    """One line: how many of each verdict, specs, time, seed."""
    counts: dict[str, int] = {}
    for spec in report.specs:
        for check in spec.checks:
            counts[check.verdict] = counts.get(check.verdict, 0) + 1
    parts = [f"{counts[v]} {v}" for v in _MARKS if v in counts] or ["nothing checked"]
    failed = sum(not check.passed for spec in report.specs for check in spec.checks)
    if failed:
        parts.append(f"{failed} not as expected")
    if report.errors:
        number = len(report.errors)
        parts.append(f"{number} error{'s' if number != 1 else ''}")
    number = len(report.specs)
    tail = f"   {number} spec{'s' if number != 1 else ''}, {report.seconds:.2f} s   seed {report.seed}"
    return [(" · ".join(parts), "good" if report.verdict == "pass" else "bad"), (tail, "quiet")]
