"""Equations and derivations as they were read: what they say, before anything is decided."""

from __future__ import annotations

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Chain, Derivative, Index
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Derivation

__all__ = ["Line", "ReadDerivation", "Reading"]


class Line(Struct, frozen=True):
    """What a line of a derivation is an equation with: the text of the start, and the derivation's scope."""

    start: str
    scope: Scope


class Reading(Struct, frozen=True):
    """An equation as read: its sides, how it reads, and the axes of each side where they do not meet.

    `derivatives` are those that it asks for.
    """

    source: Source
    left: Side
    right: Side
    free: tuple[Index, ...]
    definitions: Chain
    remarks: tuple[str, ...]
    mismatch: Issue | None = None
    at: Chain = ()
    derivatives: tuple[Derivative, ...] = ()


class ReadDerivation(Struct, frozen=True):
    """A derivation as read: its start, and each line as an equation with the start; issues where it is not."""

    number: int
    derivation: Derivation
    start: Side | Issue
    lines: tuple[Reading | Issue, ...]
    scope: Scope | None = None
