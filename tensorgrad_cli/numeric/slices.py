"""A chain evaluated at many points that differ in one entry each, each step only as far as that entry reaches.

A moved entry of w changes one column of x w: that slice alone is computed anew. Where a step sums over the
slice's index, what it adds to the sum is exchanged; from there on whole arrays are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Chain,
    Equation,
    Expression,
    Index,
    Product,
    Ref,
    Sum,
    summation,
)
from tensorgrad_cli.algebra.walking import mapped, occurring, subexpressions
from tensorgrad_cli.numeric.environment import Environment
from tensorgrad_cli.numeric.evaluate import evaluate
from tensorgrad_cli.numeric.probe import Perturb

__all__ = ["sliced"]

Array = NDArray[Any]


class Exchanged(Struct, frozen=True):
    """A sum in which the moved slice is one term: `whole` at the point, and `term` that the slice gives. `linear`:
    the term of a difference of slices is the difference of the terms."""

    name: str
    order: tuple[Index, ...]
    whole: Array
    term: Expression
    linear: bool


class Stage(Struct, frozen=True):
    """How one equation is evaluated. `axis`: its result is a slice along that axis; None: a whole array.

    `needed` are names and axes whose slices at the moved position are read; `unrolled` the sliced names that are
    read as whole arrays.
    """

    equation: Equation
    expression: Expression
    order: tuple[Index, ...]
    axis: int | None
    needed: tuple[tuple[str, int], ...]
    exchanged: tuple[Exchanged, ...]
    unrolled: tuple[str, ...]


class Unsliceable(Exception):
    """An expression cannot be confined to a slice."""


def sliced(equations: Chain, base: Environment, by: str, numerator: str) -> Perturb | None:
    """The numerator's values [batch, m] as a function of coordinates of `by` and steps along them; None where no
    axis of `by` confines its effect to a slice. `base` has the values of everything at the point."""
    rank = np.asarray(base.arrays[by]).ndim
    plans = [_stages(equations, base, by, axis) for axis in range(rank)]
    confined = [sum(stage.axis is not None or bool(stage.exchanged) for stage in plan) for plan in plans]
    if not confined or max(confined) == 0:
        return None
    axis = int(np.argmax(confined))
    stages = plans[axis]

    def values(which: NDArray[np.intp], steps: Array) -> Array:
        return _evaluated(stages, base, by, axis, numerator, which, steps)

    return values


def _stages(equations: Chain, base: Environment, by: str, axis: int) -> list[Stage]:
    cut = {by: axis}
    whole: set[str] = set()
    stages: list[Stage] = []
    for equation in equations:
        names = {part.tensor for part in occurring(equation.expression) if isinstance(part, Ref)}
        stage = None
        if not names & whole:
            stage = _restricted(equation, cut) or _exchanging(equation, cut, base)
        if stage is None:
            unrolled = tuple(sorted(names & cut.keys()))
            stage = Stage(equation, equation.expression, equation.indices, None, (), (), unrolled)
        stages.append(stage)
        if stage.axis is None:
            whole.add(equation.tensor)
        else:
            cut[equation.tensor] = stage.axis
    return stages


def _slice_index(expression: Expression, cut: dict[str, int]) -> Index | None:
    """The one index that stands at the sliced axis of every sliced tensor; None where there is none."""
    found = {
        part.indices[cut[part.tensor]]
        for part in occurring(expression)
        if isinstance(part, Ref) and part.tensor in cut
    }
    index = found.pop() if len(found) == 1 else None
    return index if isinstance(index, Index) else None


def _restricted(equation: Equation, cut: dict[str, int]) -> Stage | None:
    index = _slice_index(equation.expression, cut)
    if index is None or index not in equation.indices:
        return None
    needed: dict[tuple[str, int], None] = {}
    try:
        expression = _confined(equation.expression, index, needed)
    except Unsliceable:
        return None
    order = tuple(i for i in equation.indices if i != index)
    return Stage(equation, expression, order, equation.indices.index(index), tuple(needed), (), ())


def _confined(expression: Expression, index: Index, needed: dict[tuple[str, int], None]) -> Expression:
    """The expression at one position of an index: tensors that have it are read as slices."""

    def change(part: Expression) -> Expression:
        if index not in part.free:
            return part
        if not isinstance(part, Ref):
            return mapped(part, change)
        axes = [axis for axis, position in enumerate(part.indices) if position == index]
        if part.tensor == RANGE or len(axes) != 1:
            raise Unsliceable
        needed[part.tensor, axes[0]] = None
        return Ref(_slice_name(part.tensor, axes[0]), part.indices[: axes[0]] + part.indices[axes[0] + 1 :])

    changed = change(expression)
    if index in changed.free:
        raise Unsliceable
    return changed


def _slice_name(name: str, axis: int) -> str:
    return f"{name} at {axis}"


def _exchanging(equation: Equation, cut: dict[str, int], base: Environment) -> Stage | None:
    """The equation with every sum over the slice's index replaced by its value with one term exchanged."""
    needed: dict[tuple[str, int], None] = {}
    exchanged: list[Exchanged] = []

    def change(part: Expression) -> Expression:
        if isinstance(part, Ref) and part.tensor in cut:
            raise Unsliceable
        if isinstance(part, Sum):
            index = _slice_index(part.body, cut)
            if index is not None and index in part.indices:
                rest = tuple(i for i in part.indices if i != index)
                term = summation(rest, _confined(part.body, index, needed))
                order = tuple(sorted(part.free))
                name = f"sum {len(exchanged)}"
                whole = np.asarray(evaluate(part, order, base))
                exchanged.append(Exchanged(name, order, whole, term, _linear(part.body, cut)))
                return Ref(name, order)
        return mapped(part, change)

    try:
        expression = change(equation.expression)
    except Unsliceable:
        return None
    if not exchanged:
        return None
    return Stage(equation, expression, equation.indices, None, tuple(needed), tuple(exchanged), ())


def _linear(body: Expression, cut: dict[str, int]) -> bool:
    """Whether the body is a product with the moved tensor as one factor."""
    inside = [part for part in subexpressions(body) if isinstance(part, Ref) and part.tensor in cut]
    return isinstance(body, Product) and len(inside) == 1 and inside[0] in body.factors


def _evaluated(
    stages: Sequence[Stage],
    base: Environment,
    by: str,
    axis: int,
    numerator: str,
    which: NDArray[np.intp],
    steps: Array,
) -> Array:
    count = len(which)
    at = np.asarray(base.arrays[by])
    place = np.unravel_index(which, at.shape)
    position = place[axis]
    moved = np.array(_taken(at, axis, position), dtype=np.result_type(at, steps))
    moved[(np.arange(count), *place[:axis], *place[axis + 1 :])] += steps
    slices: dict[str, tuple[int, Array]] = {by: (axis, moved)}
    wholes: dict[str, Array] = {}
    for stage in stages:
        old = {_slice_name(n, a): _taken(base.arrays[n], a, position) for n, a in stage.needed}
        new = {**old, **{_slice_name(n, a): array for n, (a, array) in slices.items()}}
        arrays = {**wholes, **{n: _unrolled(base.arrays[n], position, *slices[n]) for n in stage.unrolled}}
        for part in stage.exchanged:
            if part.linear:
                change = {n: new[n] - old[n] if new[n] is not old[n] else old[n] for n in old}
                terms = evaluate(part.term, part.order, base.with_arrays(change, change))
            else:
                after, before = (
                    np.asarray(evaluate(part.term, part.order, base.with_arrays(named, named)))
                    for named in (new, old)
                )
                terms = after - before
            arrays[part.name] = part.whole + terms
        arrays |= {name: new[name] for name in old}
        result = np.asarray(evaluate(stage.expression, stage.order, base.with_arrays(arrays, arrays)))
        result = np.broadcast_to(result, (count, *result.shape[result.ndim - len(stage.order) :]))
        if stage.axis is None:
            wholes[stage.equation.tensor] = result
        else:
            slices[stage.equation.tensor] = (stage.axis, result)
    if numerator in slices:
        return _unrolled(base.arrays[numerator], position, *slices[numerator]).reshape(count, -1)
    return wholes[numerator].reshape(count, -1)


def _taken(array: Array, axis: int, position: NDArray[np.intp]) -> Array:
    """The slices [batch, rest] of an array along an axis."""
    return np.moveaxis(np.asarray(array), axis, 0)[position]


def _unrolled(base: Array, position: NDArray[np.intp], axis: int, values: Array) -> Array:
    """The whole arrays [batch, …] that differ from `base` in one slice each."""
    whole = np.empty((len(position), *np.shape(base)), np.result_type(base, values))
    whole[:] = base
    np.moveaxis(whole, axis + 1, 1)[np.arange(len(position)), position] = values
    return whole
