"""Formulas in ASCII, for any terminal and any source file: `dz[i,j]/dw[p,q] = x[i,p] delta[j,q]`."""

from __future__ import annotations

from tensorgrad_cli.algebra.expression import Equation, Expression
from tensorgrad_cli.render.linear import Glyphs, Linear
from tensorgrad_cli.render.naming import Naming

__all__ = ["GLYPHS", "equation", "expression"]

GLYPHS = Glyphs(
    delta="delta",
    pi="pi",
    transpose=".T",
    hadamard="*",
    ascii=True,
)


def equation(value: Equation, naming: Naming, *, implied: bool = True) -> str:
    """An equation; with `implied` False every sum is written out."""
    return Linear(naming, GLYPHS, implied).equation(value)


def expression(value: Expression, naming: Naming, *, implied: bool = True) -> str:
    """An expression, its free indices by their own names."""
    return Linear(naming, GLYPHS, implied).expression(value)
