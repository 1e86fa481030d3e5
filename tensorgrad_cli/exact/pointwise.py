"""Dimensions along which an equation is many equations of the same form, one for each entry.

If no sum, delta, operation or position in an equation (or in those it depends on) meets two entries of a
dimension, it holds for all sizes of that dimension where it holds for size 1: each entry has inputs of its own.
With size 1 fewer radicands must be positive at once, and fewer discrete values are drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from tensorgrad_cli.algebra.expression import (
    Affine,
    Delta,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import occurring

__all__ = ["pointwise"]

Shapes = Callable[[str], tuple[Dimension, ...] | None]


def pointwise(
    sides: tuple[Expression, Expression],
    equations: Iterable[Equation],
    tensors: Mapping[str, Tensor],
    shape: Shapes,
) -> frozenset[Dimension]:
    """The named dimensions of which the sides' free indices, and those of the equations that they need, are
    the only ones. `tensors` are the inputs that are read."""
    equations = tuple(equations)
    found = {index.dimension for side in sides for index in side.free}
    found = {d for d in found if d.fixed is None and not d.terms}
    groups = [(sides, ()), *(((e.expression,), e.indices) for e in equations)]
    for expressions, indices in groups:
        standing = set(indices)
        for expression in expressions:
            for part in occurring(expression):
                standing |= part.free
                found -= _met(part, shape)
        dimensions = [index.dimension for index in standing]
        found -= _several(dimensions)
        found -= {Dimension(name) for d in dimensions if d.terms for name in d.names}
        if len(set(indices)) < len(indices):
            return frozenset()
    for tensor in tensors.values():
        found -= _facts(tensor)
    return frozenset(found)


def _met(part: Expression, shape: Shapes) -> set[Dimension]:
    """Dimensions of which a part meets more than the entry at one free index."""
    match part:
        case Sum(indices, _):
            return {index.dimension for index in indices}
        case Op(_, bound, out, _, _):
            return {index.dimension for index in bound} | _in(out)
        case Delta(left, right):
            return _in((left, right))
        case Ref(tensor, positions):
            dimensions = shape(tensor)
            if dimensions is None or len(dimensions) != len(positions):
                return _in(positions)
            pairs = list(zip(positions, dimensions, strict=True))
            met = {d for position, d in pairs if not isinstance(position, Index) or position.dimension != d}
            met |= _in(position for position in positions if not isinstance(position, Index))
            return met | _several(dimensions) | {Dimension(name) for d in met if d.terms for name in d.names}
        case _:
            return set()


def _in(positions: Iterable[Position]) -> set[Dimension]:
    """The dimensions of all indices in some positions."""
    found: set[Dimension] = set()
    for position in positions:
        match position:
            case Index():
                found.add(position.dimension)
            case Affine(terms, _):
                found |= {index.dimension for _, index in terms}
            case Gather(_, inner):
                found |= _in(inner)
            case _:
                pass
    return found


def _several(dimensions: Iterable[Dimension]) -> set[Dimension]:
    once: set[Dimension] = set()
    twice: set[Dimension] = set()
    for dimension in dimensions:
        (twice if dimension in once else once).add(dimension)
    return twice


def _facts(tensor: Tensor) -> set[Dimension]:
    """Dimensions along which a declared fact binds the entries of a tensor together."""
    found = _several(tensor.shape)
    if tensor.structure is not None:
        found |= set(tensor.shape[-2:])
    if tensor.values in ("onehot", "probabilities") and tensor.shape:
        found.add(tensor.shape[-1])
    if tensor.indexes is not None:
        found.add(tensor.indexes)
    return found
