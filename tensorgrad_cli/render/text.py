"""Formulas in Unicode, as a reader writes them: `∂z[i,j]/∂w[p,q] = x[i,p] δ[j,q]`."""

from __future__ import annotations

from tensorgrad_cli.algebra.expression import Equation, Expression, Index
from tensorgrad_cli.render.linear import Glyphs, Linear
from tensorgrad_cli.render.naming import Naming

__all__ = ["GLYPHS", "equation", "expression"]

GLYPHS = Glyphs(
    delta="δ",
    pi="π",
    transpose="ᵀ",
    hadamard="⊙",
    ascii=False,
)


def equation(value: Equation, naming: Naming, *, implied: bool = True) -> str:
    """An equation; with `implied` False every Σ is written out."""
    return Linear(naming, GLYPHS, implied).equation(value)


def expression(
    value: Expression, naming: Naming, *, implied: bool = True, loose: frozenset[Index] = frozenset()
) -> str:
    """An expression, its free indices by their own names; `loose` are those whose range nothing tells."""
    return Linear(naming, GLYPHS, implied, loose).expression(value)
