"""A matrix that tells how large another one is, where nothing in that does: `vec(I + 0 A)`."""

from __future__ import annotations

from collections.abc import Callable

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.render.naming import Naming

__all__ = ["matrix_of_shape"]


def matrix_of_shape(
    rows: Dimension, columns: Dimension, naming: Naming, name: Callable[[str], str], transpose: str
) -> str | None:
    """A factor that is a matrix of some shape: a declared tensor, its transpose, the outer product of two columns."""
    for tensor, shape in naming.shapes.items():
        if shape == (rows, columns):
            return name(tensor)
        if shape == (columns, rows):
            return name(tensor) + transpose
    left, right = (_column(dimension, naming, name) for dimension in (rows, columns))
    return None if left is None or right is None else f"({left} {right}{transpose})"


def _column(dimension: Dimension, naming: Naming, name: Callable[[str], str]) -> str | None:
    for tensor, shape in naming.shapes.items():
        if shape == (dimension,):
            return name(tensor)
    for tensor, shape in naming.shapes.items():
        if len(shape) == 2 and dimension in shape and "sum" not in naming.taken:
            return f"sum({name(tensor)}, axis={1 - shape.index(dimension)})"
    return None
