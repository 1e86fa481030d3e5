"""What operations along indices and on matrices do to residues, where they have no definition in the notation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad_cli.algebra.expression import Index, Op
from tensorgrad_cli.exact.contract import ordered
from tensorgrad_cli.exact.field import Integers
from tensorgrad_cli.exact.functions import any_order
from tensorgrad_cli.exact.linear import determinant, inverse_matrix
from tensorgrad_cli.exact.reading import moved, read
from tensorgrad_cli.exact.residues import VALUE, Kept, Residues, both_kept

if TYPE_CHECKING:
    from tensorgrad_cli.exact.evaluate import Evaluator

__all__ = ["operated"]


def operated(model: Evaluator, expression: Op, kind: int) -> Residues:
    """The value of an operation, read at its positions."""
    outer = ordered(_outer(expression))
    result = _result(model, expression, outer, kind)
    whole = np.broadcast_to(result.values, (model.draws.count, *result.values.shape[1:]))
    positions = (*outer, *expression.out)
    entries = read(whole, positions, ordered(expression.free), model.size, model.gathered)
    return Residues(entries, result.kept)


def _outer(expression: Op) -> frozenset[Index]:
    free: frozenset[Index] = frozenset()
    for argument in expression.arguments:
        free |= argument.free
    return free - frozenset(expression.bound)


def _argument(
    model: Evaluator,
    expression: Op,
    place: int,
    outer: tuple[Index, ...],
    bound: Sequence[Index],
    kind: int,
) -> Residues:
    """An argument with axes (draws, outer…, bound…)."""
    argument = expression.arguments[place]
    value = model.value(argument, kind)
    values = moved(value.values, ordered(argument.free), (*outer, *bound), model.size)
    return Residues(values, value.kept)


def _result(model: Evaluator, expression: Op, outer: tuple[Index, ...], kind: int) -> Residues:
    """The operation's value with axes (draws, outer…, axes of the result)."""
    bound = expression.bound
    match expression.operation:
        case "kron":
            return _kronecker(model, expression, outer, kind)
        case "max" | "min" as name:
            return _extreme(model, expression, outer, kind, least=name == "min")
        case "prod" | "vec" | "cumsum" | "inv" | "det" as name:
            part = _argument(model, expression, 0, outer, bound, kind)
            return _of_one(model, name, part, len(bound), kind)
        case _:
            return _oracle(model, expression, outer, kind)


def _of_one(model: Evaluator, name: str, part: Residues, count: int, kind: int) -> Residues:
    draws = model.draws
    match name:
        case "prod":
            return Residues(_product(model, _flat(part.values, count), kind), part.kept)
        case "cumsum":
            return Residues(draws.reduced(part.values.cumsum(axis=-1), kind), part.kept)
        case "vec":
            swapped = part.values.swapaxes(-1, -2)
            return Residues(swapped.reshape(*swapped.shape[:-2], -1), part.kept)
        case "det":
            return Residues(determinant(part.values, kind, draws), part.kept)
        case _:
            inverse = inverse_matrix(part.values, kind, draws)
            return Residues(inverse.values, both_kept(part.kept, inverse.kept))


def _flat(values: Integers, count: int) -> Integers:
    """The last `count` axes as one."""
    return values.reshape(*values.shape[: values.ndim - count], -1)


def _product(model: Evaluator, values: Integers, kind: int) -> Integers:
    result = values[..., 0]
    for k in range(1, values.shape[-1]):
        result = model.draws.multiply(result, values[..., k], kind)
    return result


def _kronecker(model: Evaluator, expression: Op, outer: tuple[Index, ...], kind: int) -> Residues:
    bound = expression.bound
    a = _argument(model, expression, 0, outer, bound[:2], kind)
    b = _argument(model, expression, 1, outer, bound[2:], kind)
    blocks = a.values[..., :, None, :, None] * b.values[..., None, :, None, :]
    *batch, rows, inner_rows, columns, inner_columns = blocks.shape
    whole = blocks.reshape(*batch, rows * inner_rows, columns * inner_columns)
    return Residues(model.draws.reduced(whole, kind), both_kept(a.kept, b.kept))


def _extreme(
    model: Evaluator, expression: Op, outer: tuple[Index, ...], kind: int, *, least: bool
) -> Residues:
    """The winner of the tournament; opaque: a random function of the values in any order."""
    count = len(expression.bound)
    value = _argument(model, expression, 0, outer, expression.bound, VALUE)
    flat = _flat(value.values, count)
    if model.opaque:
        return any_order(model, expression.operation, Residues(flat, value.kept), kind)
    ranked = model.draws.reduced(-flat, VALUE) if least else flat
    winner, cycles = model.draws.winners(ranked)
    entries = flat
    if kind != VALUE:
        entries = _flat(_argument(model, expression, 0, outer, expression.bound, kind).values, count)
    chosen = np.take_along_axis(entries, winner[..., None], axis=-1)[..., 0]
    return Residues(chosen, both_kept(value.kept, cycles))


def _oracle(model: Evaluator, expression: Op, outer: tuple[Index, ...], kind: int) -> Residues:
    """An operation without laws (expm): a random function of all entries, the parameters and the position."""
    arrays: list[Integers] = []
    kept: Kept = None
    shape = tuple(model.size(p) if isinstance(p, Index) else 0 for p in expression.out)
    for place, argument in enumerate(expression.arguments):
        bound = [index for index in expression.bound if index in argument.free]
        part = _argument(model, expression, place, outer, bound, VALUE)
        kept = both_kept(kept, part.kept)
        flat = _flat(part.values, len(bound))
        arrays += [flat[..., k] for k in range(flat.shape[-1])]
    name = f"{expression.operation} {expression.parameters}"
    seed = model.draws.oracle(name, VALUE, *arrays)
    places = [np.arange(n) for n in shape]
    grid = np.zeros(shape, np.int64)
    for axis, place_of in enumerate(places):
        grid = grid * 1024 + place_of.reshape(-1, *(1 for _ in shape[axis + 1 :]))
    spread = seed.reshape(*seed.shape, *(1 for _ in shape))
    at = np.broadcast_to(grid, (*seed.shape, *shape))
    return Residues(model.draws.oracle(name, kind, np.broadcast_to(spread, at.shape), at), kept)
