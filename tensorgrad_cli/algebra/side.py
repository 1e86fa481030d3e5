"""One side of an equation as read: what elaboration gives, and all that needs no elaboration knows of it."""

from __future__ import annotations

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Expression, Index

__all__ = ["Side"]


class Side(Struct, frozen=True):
    """One side: `indices` are its axes in order, `row` a row vector, `matrix` whether in matrix notation."""

    expression: Expression
    indices: tuple[Index, ...]
    row: bool = False
    matrix: bool = False
