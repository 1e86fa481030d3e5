"""Reads an array at positions: plain indices, diagonals, fixed and affine positions, gathers; outside is zero."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import Gather, Index, Position
from tensorgrad_cli.exact.field import Integers

__all__ = ["aligned", "moved", "places", "read"]

Size = Callable[[Index], int]
# The whole numbers that a gathered position has, with axes (draws, order…).
Gathered = Callable[[Gather, tuple[Index, ...]], Integers]


def aligned(values: Integers, order: tuple[Index, ...], target: tuple[Index, ...]) -> Integers:
    """The array with an axis of length 1 for every index of `target` that it lacks; both are ordered alike."""
    if order == target:
        return values
    shape = iter(values.shape[1:])
    return values.reshape(len(values), *(next(shape) if index in order else 1 for index in target))


def moved(values: Integers, order: tuple[Index, ...], target: tuple[Index, ...], size: Size) -> Integers:
    """The array with its axes in the order of `target`, repeated along indices that it lacks."""
    if order == target:
        return values
    present = [index for index in target if index in order]
    values = values.transpose(0, *(1 + order.index(index) for index in present))
    full = aligned(values, tuple(present), target)
    return np.broadcast_to(full, (len(values), *map(size, target)))


def read(
    values: Integers,
    positions: tuple[Position, ...],
    order: tuple[Index, ...],
    size: Size,
    gathered: Gathered,
) -> Integers:
    """The entries at positions, axes (draws, order…); `order` are the indices that stand in the positions."""
    plain = [position for position in positions if isinstance(position, Index)]
    if len(set(plain)) == len(positions) and all(
        size(index) == length for index, length in zip(plain, values.shape[1:], strict=True)
    ):
        return values.transpose(0, *(1 + plain.index(index) for index in order))
    found: list[Integers] = []
    inside: NDArray[np.bool_] | bool = True
    for position, length in zip(positions, values.shape[1:], strict=True):
        place = places(position, order, size, gathered)
        inside = inside & (place >= 0) & (place < length)
        found.append(np.clip(place, 0, length - 1))
    draw = np.arange(len(values)).reshape(-1, *(1 for _ in order))
    return np.where(inside, values[draw, *found], 0)


def places(position: Position, order: tuple[Index, ...], size: Size, gathered: Gathered) -> Integers:
    """A position as whole numbers, ready to meet arrays of axes (draws, order…)."""
    match position:
        case Index():
            shape = [size(position) if index == position else 1 for index in order]
            return np.arange(size(position)).reshape(1, *shape)
        case int():
            return np.full((1,) * (1 + len(order)), position)
        case Gather():
            return gathered(position, order)
        case affine:
            result = np.full((1,) * (1 + len(order)), affine.offset)
            for coefficient, index in affine.terms:
                result = result + coefficient * places(index, order, size, gathered)
            return result
