"""What a check says, as values: verdict, proof, error, counterexample, diagnosis, result, report.

The field names are those of the JSON report, which is the public contract.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

__all__ = [
    "LEFT_AND_RIGHT",
    "Counterexample",
    "Diagnosis",
    "Error",
    "Formula",
    "Problem",
    "Proof",
    "Report",
    "Result",
    "SpecReport",
]

# What the two sides of an equation without a derivative are called: (the claim's value, what it is compared with).
LEFT_AND_RIGHT = ("right", "left")


class Formula(Struct, frozen=True):
    """A formula in several notations; `matrix` is None where it has none."""

    text: str
    latex: str
    matrix: str | None = None
    einsum: tuple[str, ...] = ()


class Proof(Struct, frozen=True):
    """How a claim was proved: 'normal-form', or 'exact' with its bound on the chance of an error."""

    by: str
    bound: float | None = None


class Error(Struct, frozen=True):
    """What the numbers said. `resolution` is the smallest relative error that would have been caught."""

    max_abs: float
    max_rel: float
    bar: float
    resolution: float
    evaluations: int
    method: str
    mode: str
    missed: float | None = None


class Counterexample(Struct, frozen=True):
    """The worst entry: where, both values, their ratio, the sizes; `picture` shows which entries disagree. `sides` is
    what the text report calls the two values."""

    at: Mapping[str, int]
    claim: float
    derivative: float
    ratio: float | None
    dims: Mapping[str, int]
    seed: int | None = None
    picture: tuple[str, ...] = ()
    sides: tuple[str, str] = ("claim", "derivative")


class Diagnosis(Struct, frozen=True):
    """Which slip explains a wrong claim; `suggestion` is a whole claim that was checked to hold, or None."""

    kind: str
    message: str
    suggestion: str | None = None


class Result(Struct, frozen=True, kw_only=True):
    """The outcome of one check; see the JSON contract for each field.

    `details` are further lines for the text report (a pullback, a kink's slopes), pairs (label, text).
    """

    id: str
    kind: str
    verdict: str
    expect: str | None = "holds"
    passed: bool
    reason: str | None = None
    line: int | None = None
    column: int | None = None
    source: str = ""
    reading: str = ""
    remarks: tuple[str, ...] = ()
    domain: str | None = None
    of: str | None = None
    wrt: tuple[str, ...] = ()
    rank: int | None = None
    shape: tuple[int, ...] | None = None
    formula: Formula | None = None
    proof: Proof | None = None
    error: Error | None = None
    follows: bool | None = None
    diagnosis: Diagnosis | None = None
    counterexample: Counterexample | None = None
    note: str | None = None
    message: str = ""
    details: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0


class Problem(Struct, frozen=True):
    """An error of a spec: the place, the code, the message and one hint; `text` is it with its source line."""

    path: str
    line: int | None
    column: int | None
    code: str
    message: str
    hint: str | None = None
    text: str = ""


class SpecReport(Struct, frozen=True):
    """All results of one spec. `verdict` is 'pass', 'fail' or 'error'.

    `steps` are the chain's equations as read, pairs (name, text), for reports that print the chain; `notes`
    what the spec says of some of them, by name; `summaries` are sentences about a derivation as a whole; `names` are
    those that the spec declares, in ASCII.
    """

    path: str
    title: str
    verdict: str
    dims: Mapping[str, int]
    remarks: tuple[str, ...] = ()
    checks: tuple[Result, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()
    notes: Mapping[str, str] = {}
    summaries: tuple[str, ...] = ()
    seconds: float = 0.0
    note: str | None = None
    names: frozenset[str] = frozenset()


class Report(Struct, frozen=True):
    """The report of a run over specs. `internal` says that two of our own methods disagreed or a check crashed."""

    version: str
    verdict: str
    seed: int
    specs: tuple[SpecReport, ...]
    errors: tuple[Problem, ...] = ()
    seconds: float = 0.0
    internal: bool = False
