"""The report of a run from those of its specs, and what is said where there is none. Imports no NumPy."""

from __future__ import annotations

from collections.abc import Iterable

from tensorgrad_cli import __version__
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.verdict import Problem, Report, SpecReport

__all__ = ["DEFAULT_SEED", "problem_of", "report_of", "seed_of", "unreadable"]

DEFAULT_SEED = 20_240_501


def seed_of(spec: Spec, seed: int | None) -> int:
    """The seed of the call, else of the spec, else the default."""
    if seed is not None:
        return seed
    return DEFAULT_SEED if spec.check.seed is None else spec.check.seed


def unreadable(path: str) -> SpecReport:
    """The report of a spec that could not be read."""
    return SpecReport(path=path, title=path, verdict="error", dims={})


def problem_of(issue: Issue, path: str) -> Problem:
    """An issue as the report has it."""
    root = issue.span.root() if issue.span is not None else None
    return Problem(
        path=root.source.path if root is not None else path,
        line=issue.span.line if issue.span is not None else None,
        column=issue.span.column if issue.span is not None else None,
        code=issue.code,
        message=issue.message,
        hint=issue.help,
        text=issue.rendered(path),
    )


def report_of(specs: Iterable[SpecReport], errors: Iterable[Problem], seed: int, seconds: float) -> Report:
    """The report of a run."""
    reports = tuple(specs)
    problems = tuple(errors)
    verdicts = {report.verdict for report in reports}
    worst = "error" if "error" in verdicts or problems else "fail" if "fail" in verdicts else "pass"
    internal = any(r.reason == "internal" for s in reports for r in s.checks)
    return Report(
        version=__version__,
        verdict=worst if reports else "error",
        seed=seed,
        specs=reports,
        errors=problems,
        seconds=seconds,
        internal=internal,
    )
