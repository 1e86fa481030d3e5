"""The report as one JSON object: the public contract for programs."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from tensorgrad_cli.verify.verdict import Problem, Report, Result, SpecReport

__all__ = ["render", "tree"]

SCHEMA = 1


def render(report: Report) -> str:
    """The report as indented JSON, UTF-8, one line feed at its end."""
    value = tree(report)
    try:
        encoded = msgspec.json.encode(value)
    except UnicodeEncodeError:
        # Bytes of the command line that are no UTF-8 come in as half characters.
        encoded = msgspec.json.encode(_whole(value))
    return msgspec.json.format(encoded, indent=2).decode() + "\n"


def tree(report: Report) -> dict[str, Any]:
    """The report as plain values. Numbers that JSON lacks are strings: 'nan', 'inf', '-inf'."""
    value = {
        "tool": "tensorgrad-cli",
        "schema": SCHEMA,
        "version": report.version,
        "verdict": report.verdict,
        "seed": report.seed,
        "seconds": round(report.seconds, 3),
        "specs": [_spec(spec) for spec in report.specs],
        "errors": [_problem(problem) for problem in report.errors],
    }
    finite: dict[str, Any] = _finite(value)
    return finite


def _spec(spec: SpecReport) -> dict[str, Any]:
    return {
        "path": spec.path,
        "title": spec.title,
        "note": spec.note,
        "verdict": spec.verdict,
        "dims": dict(spec.dims),
        "remarks": list(spec.remarks),
        "steps": [{"name": name, "reading": text, "note": spec.notes.get(name)} for name, text in spec.steps],
        "summaries": list(spec.summaries),
        "seconds": round(spec.seconds, 3),
        "checks": [_check(check) for check in spec.checks],
    }


def _check(check: Result) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(check)
    value["pass"] = value.pop("passed")
    value["details"] = [{"label": label, "text": text} for label, text in check.details]
    if value["counterexample"] is not None:
        del value["counterexample"]["sides"]
    value["seconds"] = round(check.seconds, 4)
    return value


def _problem(problem: Problem) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(problem)
    return value


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_whole(key): _whole(item) for key, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list) else value


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
