"""What the checks of a spec begin with, as values: its derivatives, its claims read, its formulas printed.

It may come from another process by pickle. Whoever takes it needs none of the modules that made it, so this one
imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Derivative, Dimension
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Claim, Spec
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.readings import ReadDerivation, Reading
from tensorgrad_cli.verify.verdict import Formula, SpecReport

__all__ = ["ChainCheck", "Checked", "Formulas", "Options", "Outcome", "Prepared", "Printed", "Read"]


class ChainCheck(Struct, frozen=True):
    """One derivative to print and to check: `kind` is 'step', 'gradient' or 'hessian'."""

    id: str
    kind: str
    derivative: Derivative


class Printed(Struct, frozen=True):
    """The formulas of a derivative. `axes` are those of its entry: the name of each index and its dimension; `under`
    are further lines, pairs of label and text: the pullback of a step, the chain of a gradient."""

    reading: str
    formula: Formula
    remarks: tuple[str, ...]
    axes: tuple[tuple[str, Dimension], ...]
    under: tuple[tuple[str, str], ...]


class Prepared(Struct, frozen=True):
    """What the checks of a spec begin with; `claims` stand with their readings."""

    ground: Ground
    checks: tuple[ChainCheck, ...]
    claims: tuple[tuple[Claim, Reading | Issue], ...]
    derivations: tuple[ReadDerivation, ...]


class Options(Struct, frozen=True):
    """How a spec is checked: `claims` are further ones, so many `processes` work on it (None stands for as many as there
    are cores where arrays are small, else for one: each has copies of its own)."""

    claims: tuple[str, ...] = ()
    seed: int | None = None
    allow_python: bool = False
    processes: int | None = None


class Checked(Struct, frozen=True):
    """What comes of a spec: its report, none where it cannot be read, what is wrong with it, and its own seed."""

    report: SpecReport | None
    issues: tuple[Issue, ...]
    seed: int | None


class Read(Protocol):
    """Reads a spec, without the arrays that it names where they are not to be loaded."""

    def __call__(self, *, load_data: bool = True) -> tuple[Spec | None, tuple[Issue, ...]]: ...


# What was printed of checks, by their ids.
Formulas = Mapping[str, Printed]
# A prepared spec, or none where it cannot be read, and what is wrong with it.
Outcome = tuple[Prepared | None, tuple[Issue, ...]]
