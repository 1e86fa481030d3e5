"""What the checks of a spec begin with, as values: its derivatives, its claims read, its formulas printed.

It may come from another process by pickle. Whoever takes it needs none of the modules that made it, so this one
imports none of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Derivative, Dimension
from tensorgrad_cli.source import Issue
from tensorgrad_cli.spec.model import Claim
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.readings import ReadDerivation, Reading
from tensorgrad_cli.verify.verdict import Formula

__all__ = ["ChainCheck", "Formulas", "Outcome", "Prepared", "Printed"]


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


# What was printed of checks, by their ids.
Formulas = Mapping[str, Printed]
# A prepared spec, or none where it cannot be read, and what is wrong with it.
Outcome = tuple[Prepared | None, tuple[Issue, ...]]
