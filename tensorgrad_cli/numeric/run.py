"""The steps of a plan, carried out on arrays."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from types import ModuleType
from typing import Any, assert_never

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension, Index
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.numeric.contract import contractor
from tensorgrad_cli.numeric.environment import Environment
from tensorgrad_cli.numeric.roundings import Roundings
from tensorgrad_cli.numeric.steps import (
    BATCH,
    Accumulation,
    Arange,
    Contraction,
    Elementwise,
    Layout,
    Number,
    Operation,
    Plan,
    Power,
    Spread,
    Step,
    Term,
    View,
    inputs,
)

__all__ = ["Run", "run", "shaken"]

Array = Any


class Run(Struct, frozen=True, eq=False):
    """What a plan runs on: the arrays by name, the rest of the environment, the array namespace."""

    arrays: Mapping[str, Array]
    environment: Environment
    xp: ModuleType

    def itemsize(self, names: Sequence[str]) -> int:
        """The size of an entry of what is computed from these names."""
        return max([self.arrays[name].itemsize for name in names], default=8)

    def size(self, dimension: Dimension) -> int:
        """The size of a dimension."""
        return dimension.size(self.environment.sizes)

    def number(self, value: Fraction, names: Sequence[str]) -> Any:
        """A number as a Python float, or as a long double where those are computed with."""
        if any(self.arrays[name].dtype.char in "gG" for name in names):
            return np.longdouble(str(value.numerator)) / np.longdouble(str(value.denominator))
        return _float(value)


def _float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


# Sums of some hundred terms in two orders differ by no more than this part of them.
ROUNDINGS = 2.0**-42


def run(plan: Plan, work: Run, batch: int) -> tuple[Array, list[Array]]:
    """The result with the plan's order of axes, and the slots that were kept."""
    slots: list[Array] = []
    for step, drops in zip(plan.steps, plan.drops, strict=True):
        slots.append(_done(step, slots, work, plan, batch))
        for slot in drops:
            slots[slot] = None
    result = _laid(np.asarray(slots[plan.result]), plan.layout)
    if plan.missing:
        result = np.broadcast_to(result, _shape(plan.order, work, batch))
    return result, slots


def shaken(
    plan: Plan, work: Run, batch: int, roundings: Roundings, sizes: list[float] | None = None
) -> Array:
    """The result with each intermediate result of the points after the first moved by one to three last places,
    as if it had been rounded otherwise (Parker's Monte Carlo arithmetic). `sizes` collects the largest number of each
    step.

    What does not differ from point to point is not moved but where the plan spreads it. The rounding inside an
    operation or a sum is that of moved arguments.
    """
    slots: list[Array] = []
    for step, axes, drops in zip(plan.steps, plan.axes, plan.drops, strict=True):
        given = slots
        if isinstance(step, Operation | Contraction | Accumulation):
            given = list(slots)
            for k in _rounded_inside(step, slots, plan):
                given[k] = _moved(slots[k], plan.axes[k], roundings)
        value = _done(step, given, work, plan, batch)
        if not isinstance(step, View):
            if sizes is not None:
                sizes.append(_largest(value))
            # A whole number that no entry went into is taken as not rounded.
            moved = _moved(value, axes, roundings)
            value = np.where(value == np.rint(value), value, moved) if isinstance(step, Spread) else moved
        slots.append(value)
        for slot in drops:
            slots[slot] = None
    result = _laid(np.asarray(slots[plan.result]), plan.layout)
    return np.broadcast_to(result, _shape(plan.order, work, batch)) if plan.missing else result


def _rounded_inside(
    step: Operation | Contraction | Accumulation, slots: Sequence[Array], plan: Plan
) -> Iterable[int]:
    """The slots to move so that every product or term that is added up inside a step is rounded otherwise.

    Of a contraction the smallest operands that have all its summed indices: a product is rounded
    as its moved factor is. Where nothing is summed, the result is moved instead. So it is of a sum of two terms,
    which rounds once: `x[i] - x[j]` is exactly 0 where i = j.
    """
    if isinstance(step, Accumulation) and len(step.terms) + len(step.placed) <= 2:
        return ()
    if not isinstance(step, Contraction):
        return set(inputs(step))
    left, out = step.subscripts.split("->")
    names = left.split(",") if step.operands else []
    letters = dict(zip(step.operands, map(set, names), strict=True))
    moving = [slot for slot in letters if BATCH in plan.axes[slot]]
    summed = {letter for slot in moving for letter in letters[slot]}.difference(out)
    chosen = []
    for slot in sorted(moving, key=lambda slot: np.size(slots[slot])):
        if summed & letters[slot]:
            chosen.append(slot)
            summed -= letters[slot]
    return chosen


def _moved(value: Array, axes: Sequence[Index], roundings: Roundings) -> Array:
    """Every entry of the points after the first times a number that is one to three last places from 1."""
    if BATCH not in axes:
        return value
    value = np.asarray(value)
    moved = roundings.times(value)
    first = (slice(None),) * axes.index(BATCH) + (0,)
    moved[first] = value[first]
    return moved


def _largest(value: Array) -> float:
    size = np.abs(value)
    return float(np.max(size, initial=0.0, where=np.isfinite(size)))


def _done(step: Step, slots: Sequence[Array], work: Run, plan: Plan, batch: int) -> Array:
    match step:
        case View():
            return _viewed(step, slots, work)
        case Contraction():
            return _contracted(step, slots, work, plan)
        case Elementwise():
            return _applied(step, slots, work)
        case Power():
            return _power(slots[step.base], step.exponent, work, plan)
        case Accumulation():
            return _accumulated(step, slots, work, batch)
        case Number():
            return _pi(work, plan) if step.value is None else work.number(step.value, plan.names)
        case Spread(source):
            value = np.asarray(slots[source])
            return np.broadcast_to(value, (batch, *value.shape))
        case Arange():
            return np.arange(work.size(step.dimension), dtype=np.float64)
        case Operation():
            return _operated(step, slots, work)
        case _:
            assert_never(step)


def _shape(axes: Sequence[Index], work: Run, batch: int) -> tuple[int, ...]:
    return tuple([batch if index is BATCH else work.size(index.dimension) for index in axes])


def _laid(array: Array, how: Layout | None) -> Array:
    if how is None:
        return array
    array = np.asarray(array)  # a number has no axes to lay out
    if how.permutation is not None:
        array = array.transpose(how.permutation)
    return array if how.selection is None else array[how.selection]


def _pi(work: Run, plan: Plan) -> Any:
    if any(work.arrays[name].dtype.char in "gG" for name in plan.names):
        return np.arccos(np.longdouble(-1))
    return math.pi


# --- entries --------------------------------------------------------------------------------------


def _viewed(step: View, slots: Sequence[Array], work: Run) -> Array:
    source = work.arrays[step.source] if isinstance(step.source, str) else slots[step.source]
    if source.dtype.kind in "biu":
        source = source.astype(np.float64)
    if step.fixed:
        source = _at(source, step.fixed)
    return source if step.diagonal is None else np.einsum(step.diagonal, source)


def _at(source: Array, fixed: Sequence[tuple[int, int]]) -> Array:
    """The part at whole-number positions, a view; a read outside is zero."""
    if any(not 0 <= place < source.shape[axis] for axis, place in fixed):
        axes = [axis for axis, _ in fixed]
        kept = [size for axis, size in enumerate(source.shape) if axis not in axes]
        return np.zeros(kept, dtype=source.dtype)
    selection: list[Any] = [slice(None)] * source.ndim
    for axis, place in fixed:
        selection[axis] = place
    return source[(*selection, ...)]  # the ellipsis makes it a view, scalars too


# --- products and sums ----------------------------------------------------------------------------


def _contracted(step: Contraction, slots: Sequence[Array], work: Run, plan: Plan) -> Array:
    scale = _scale(step, slots, work, plan) if step.scaled else None
    if not step.operands:
        return 1.0 if scale is None else scale
    operands = [slots[slot] for slot in step.operands]
    made = contractor(step.subscripts, tuple([operand.shape for operand in operands]))
    result = made.call(operands)
    return result if scale is None else _scaled(result, scale, made.view)


def _scale(step: Contraction, slots: Sequence[Array], work: Run, plan: Plan) -> Any:
    scale = work.number(step.coefficient, plan.names)
    for slot in step.scalars:
        scale = scale * slots[slot]
    for dimension in step.sizes:
        scale = scale * work.size(dimension)
    inside = all(0 <= place < work.size(dimension) for dimension, place in step.within)
    return scale if inside else 0.0


def _scaled(array: Array, scale: Any, shared: bool) -> Array:
    if isinstance(scale, int | float) and isinstance(array, np.ndarray) and not shared:
        return np.multiply(array, scale, out=array)
    return array * scale


def _accumulated(step: Accumulation, slots: Sequence[Array], work: Run, batch: int) -> Array:
    total: Any = None
    for term in step.terms:
        value = _laid(slots[term.slot], term.layout)
        if total is None:
            total = np.negative(value) if term.negative else value
        elif term.negative:
            total = total - value
        else:
            total = total + value
    if not step.placed:
        return total
    dtype = np.result_type(*[slots[term.slot] for term in step.terms + step.placed])
    whole = np.zeros(_shape(step.axes, work, batch), dtype)
    if total is not None:
        whole[...] = total
    for term in step.placed:
        _place(whole, term, _laid(slots[term.slot], term.layout))
    return whole


def _place(whole: Array, term: Term, value: Array) -> None:
    """Add to the part of the result at fixed positions and on a diagonal, through a strided view."""
    if any(not 0 <= place < whole.shape[axis] for axis, place in term.fixed):
        return
    part = _at(whole, term.fixed) if term.fixed else whole
    if term.diagonal is not None:
        part = np.einsum(term.diagonal, part)
    if term.negative:
        part -= value
    else:
        part += value


# --- functions ------------------------------------------------------------------------------------


def _real(array: Array) -> Array:
    return array.real if isinstance(array, np.ndarray | np.generic) else array


def _applied(step: Elementwise, slots: Sequence[Array], work: Run) -> Array:
    arguments = [_laid(slots[slot], how) for slot, how in zip(step.arguments, step.layouts, strict=True)]
    if all(isinstance(argument, float) for argument in arguments):
        arguments = [np.float64(argument) for argument in arguments]
    name = step.function
    match name:
        case "pow":
            return work.xp.power(*arguments)
        case "<" | "<=" | "=" | "!=":
            left, right = map(_real, arguments)
            return _compared(name, left, right)
    row = FUNCTIONS.get(name)
    if row is not None:
        return row.numeric(work.xp, *arguments)
    value = work.environment.functions[name](step.order, *arguments)
    if isinstance(value, np.ndarray | np.generic):
        return value
    return np.broadcast_to(value, np.broadcast_shapes(*(np.shape(a) for a in arguments)))


def _compared(sign: str, left: Array, right: Array) -> Array:
    dtype = np.result_type(left, right)
    dtype = dtype if dtype.kind == "f" else np.dtype(np.float64)
    if sign in ("=", "!="):
        alike = _alike(left, right)
        return (alike if sign == "=" else ~alike).astype(dtype)
    return (left < right if sign == "<" else left <= right).astype(dtype)


def _alike(left: Array, right: Array) -> Array:
    """Equality up to a few roundings: the largest entry and the maximum may come from sums in another order."""
    size = np.maximum(np.abs(left), np.abs(right))
    return (left == right) | (np.abs(left - right) <= ROUNDINGS * size)


def _power(base: Array, exponent: Fraction, work: Run, plan: Plan) -> Array:
    if isinstance(base, float):
        base = np.float64(base)  # Python's own numbers raise where NumPy gives inf
    rising, times = exponent.numerator > 0, abs(exponent.numerator)
    if times == 1 and exponent.denominator == 2:
        result = np.sqrt(base)
    elif 1 <= times <= 4 and exponent.denominator == 1:
        result = base
        for _ in range(times - 1):  # faster than NumPy's power, and no less exact
            result = result * base
    else:
        return np.power(base, work.number(exponent, plan.names))
    return result if rising else 1 / result


def _operated(step: Operation, slots: Sequence[Array], work: Run) -> Array:
    row = OPERATIONS[step.operation]
    arguments = []
    lengths: tuple[int, ...] = ()
    for slot, how, bound in zip(step.arguments, step.layouts, step.bound, strict=True):
        array = np.asarray(_laid(slots[slot], how))
        lengths = tuple([work.size(dimension) for dimension, _ in bound])
        outer = array.shape[: array.ndim - len(lengths)]
        if any(repeated for _, repeated in bound):
            array = np.broadcast_to(array, (*outer, *lengths))
        if step.flat:
            array = array.reshape((*outer, math.prod(lengths)))
        arguments.append(array)
    if len(arguments) > 1:
        arguments = _same_outer(arguments, [len(bound) for bound in step.bound])
    parameters = {name: _parameter(value) for name, value in step.parameters}
    value = _called(getattr(row, step.method), work.xp, arguments, parameters)
    if step.flat and row.output:
        value = value.reshape((*value.shape[:-1], *lengths))
    return value


def _called(
    method: Callable[..., Any], xp: ModuleType, arguments: list[Array], parameters: Mapping[str, int | float]
) -> Array:
    try:
        return np.asarray(method(xp, *arguments, **parameters))
    except np.linalg.LinAlgError:
        # One singular matrix stops NumPy for a whole stack: take them one by one.
        (stack,) = arguments
        if stack.ndim == 2:
            return np.full_like(stack, np.nan)
        return np.stack([_called(method, xp, [matrix], parameters) for matrix in stack])


def _parameter(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)


def _same_outer(arguments: list[Array], counts: Sequence[int]) -> list[Array]:
    pairs = list(zip(arguments, counts, strict=True))
    outer = np.broadcast_shapes(*(a.shape[: a.ndim - count] for a, count in pairs))
    return [np.broadcast_to(a, (*outer, *a.shape[a.ndim - count :])) for a, count in pairs]
