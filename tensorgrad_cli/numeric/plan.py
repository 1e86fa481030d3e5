"""Expression → plan. One product with its sums is one contraction; equal subexpressions are one slot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra import library
from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    fresh,
    subtract,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.numeric.products import Summand, plain, summands
from tensorgrad_cli.numeric.steps import (
    BATCH,
    TEMPORARIES,
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
    Watch,
    counted,
    drops,
    inputs,
    layout,
    letters,
    watched,
)

__all__ = ["COMPARISONS", "plan"]

COMPARISONS = ("<", "<=", "=", "!=")
_NONE: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def plan(
    expression: Expression,
    order: tuple[Index, ...],
    batched: frozenset[str] = _NONE,
    watch: bool = False,
    shaken: bool = False,
) -> Plan:
    """The plan of a lowered expression, for a result with the axes `order` (behind BATCH, where anything
    that is read is `batched`). With `watch` it also evaluates where piecewise functions branch; `shaken`, what
    functions make of numbers alone (π, log(2), 100/3 within exp) has the batch axis too.

    Raises NotImplementedError for shifted and gathered positions, ValueError for a free index that `order`
    lacks and for what is not lowered.
    """
    if not expression.free <= frozenset(order):
        lacking = sorted(index.name for index in expression.free - frozenset(order))
        raise ValueError(f"free indices without an axis: {', '.join(lacking)}")
    return _planned(expression, order, batched & references(expression), watch, shaken)


@lru_cache(maxsize=4096)
def _planned(
    expression: Expression, order: tuple[Index, ...], batched: frozenset[str], watch: bool, shaken: bool
) -> Plan:
    builder = _Builder(order, batched, watch, shaken)
    result = builder.value(expression)
    axes = builder.axes[result]
    whole = (BATCH, *order) if BATCH in axes else order
    indices = frozenset(whole).union(*builder.axes) - {BATCH}
    widest = [index.dimension for index in indices]
    for step in builder.steps:
        widest += counted(step)
    read = [inputs(step) for step in builder.steps]
    return Plan(
        steps=tuple(builder.steps),
        axes=tuple(builder.axes),
        drops=drops(read, {result, *watched(builder.watches)}),
        result=result,
        order=whole,
        layout=layout(axes, whole),
        missing=len(axes) < len(whole),
        names=tuple(sorted(references(expression))),
        batched=tuple(sorted(batched)),
        dimensions=tuple(sorted({name for dimension in set(widest) for name in dimension.names})),
        arrays=len(read) * (1 + TEMPORARIES) + sum(map(len, read)),
        widest=tuple(widest),
        watches=tuple(builder.watches),
    )


class _Part(Struct, frozen=True):
    """A summand in a slot, with its places."""

    slot: int
    negative: bool = False
    places: tuple[tuple[Index, Index | int], ...] = ()


class _Builder:
    """The steps so far. `order` is the order in which a contraction's indices stand if it may choose."""

    def __init__(self, order: Sequence[Index], batched: frozenset[str], watch: bool, shaken: bool) -> None:
        self.rank = {index: number for number, index in enumerate((BATCH, *order))}
        self.batched = batched
        self.watch = watch
        self.shaken = shaken
        self.steps: list[Step] = []
        self.axes: list[tuple[Index, ...]] = []
        self.watches: list[Watch] = []
        self.slots: dict[Expression, int] = {}

    def push(self, step: Step, axes: Iterable[Index]) -> int:
        """Append a step; its slot."""
        self.steps.append(step)
        self.axes.append(tuple(axes))
        return len(self.steps) - 1

    def ranked(self, indices: Iterable[Index]) -> tuple[Index, ...]:
        """Indices in the order of the result, the others behind."""
        return tuple(sorted(indices, key=lambda index: self.rank.get(index, len(self.rank))))

    def value(self, expression: Expression) -> int:
        """The slot of an expression."""
        slot = self.slots.get(expression)
        if slot is None:
            slot = self.slots[expression] = self._value(expression)
        return slot

    def _value(self, expression: Expression) -> int:
        match expression:
            case Const(value):
                return self.push(Number(value), ())
            case Ref(tensor, indices):
                return self._reference(tensor, indices)
            case Apply():
                return self._apply(expression)
            case Op():
                return self._operation(expression)
            case Delta() | Product() | Sum() | Add():
                return self._combined(list(self._parts(expression)))
            case _:
                assert_never(expression)

    # --- entries ----------------------------------------------------------------------------------

    def _reference(self, tensor: str, positions: tuple[Position, ...]) -> int:
        if tensor == RANGE:
            position = plain(positions[0])
            if isinstance(position, int):
                return self.push(Number(Fraction(position)), ())
            return self.push(Arange(position.dimension), (position,))
        front = (BATCH,) if tensor in self.batched else ()
        return self._view(tensor, (*front, *positions))

    def _view(self, source: str | int, positions: Sequence[Position]) -> int:
        """The step that reads a tensor or a slot at positions, one for each axis: the one place where an
        entry becomes an operand with axes."""
        places = [plain(position) for position in positions]
        fixed = tuple((axis, place) for axis, place in enumerate(places) if isinstance(place, int))
        labels = [place for place in places if isinstance(place, Index)]
        axes = tuple(dict.fromkeys(labels))
        return self.push(View(source, fixed, _diagonal(labels, axes)), axes)

    # --- products and sums ------------------------------------------------------------------------

    def _parts(self, expression: Expression) -> Iterable[_Part]:
        if isinstance(expression, Add):
            for term in expression.terms:
                yield from self._parts(term)
        elif isinstance(expression, Delta | Product | Sum):
            for summand in summands(expression):
                yield self._contraction(summand)
        else:
            yield _Part(self.value(expression))

    def _contraction(self, summand: Summand) -> _Part:
        slots = [self.value(factor) for factor in summand.factors]
        operands = tuple(slot for slot in slots if self.axes[slot])
        scalars = tuple(slot for slot in slots if not self.axes[slot])
        carried = dict.fromkeys(index for slot in operands for index in self.axes[slot])
        summed = set(summand.summed)
        sizes = summand.sizes + tuple(i.dimension for i in summand.summed if i not in carried)
        negative = summand.coefficient.numerator < 0
        coefficient = -summand.coefficient if negative else summand.coefficient
        free = self.ranked(index for index in carried if index not in summed)
        scaled = coefficient != 1 or bool(sizes or summand.within)
        if len(slots) == 1 and len(free) == len(carried) and not scaled:
            return _Part(slots[0], negative, summand.places)
        known: dict[Index, str] = {}
        inputs = ",".join([letters(self.axes[slot], known) for slot in operands])
        step = Contraction(
            operands,
            f"{inputs}->{letters(free, known)}",
            coefficient,
            scalars,
            sizes,
            summand.within,
            scaled or bool(scalars),
        )
        return _Part(self.push(step, free), negative, summand.places)

    def _combined(self, parts: list[_Part]) -> int:
        if not parts:
            return self.push(Number(Fraction(0)), ())
        if len(parts) == 1 and not (parts[0].negative or parts[0].places):
            return parts[0].slot
        # The largest on the whole result first: the others broadcast under it.
        parts.sort(key=lambda part: (bool(part.places), -len(self.axes[part.slot])))
        axes: dict[Index, None] = {}
        for part in parts:
            axes.update(dict.fromkeys(self.axes[part.slot]))
            axes.update(dict.fromkeys(i for pair in part.places for i in pair if isinstance(i, Index)))
        whole = tuple(axes)
        if any(part.places for part in parts):
            whole = self.ranked(whole)
        plain = tuple(self._term(part, whole) for part in parts if not part.places)
        placed = tuple(self._term(part, whole) for part in parts if part.places)
        return self.push(Accumulation(plain, placed, whole), whole)

    def _term(self, part: _Part, whole: tuple[Index, ...]) -> Term:
        places = dict(part.places)
        positions = [places.get(index, index) for index in whole]
        fixed = tuple((axis, place) for axis, place in enumerate(positions) if isinstance(place, int))
        labels = [place for place in positions if isinstance(place, Index)]
        distinct = tuple(dict.fromkeys(labels))
        shape = layout(self.axes[part.slot], distinct)
        return Term(part.slot, part.negative, shape, fixed, _diagonal(labels, distinct))

    # --- functions --------------------------------------------------------------------------------

    def _apply(self, expression: Apply) -> int:
        name, arguments = expression.function, expression.arguments
        if name == "pi" and not arguments:
            return self._spread(self.push(Number(None), ()))
        known = name in FUNCTIONS or name in COMPARISONS or name == "pow"
        if known and any(expression.order):
            raise ValueError(f"a derivative of {name} that is not lowered")
        if self.watch:
            self._watch_function(expression)
        if name == "pow" and isinstance(arguments[1], Const):
            base = self._spread(self.value(arguments[0]))
            return self._spread(self.push(Power(base, arguments[1].value), self.axes[base]))
        if name in COMPARISONS:
            return self._elementwise(expression, [self.value(argument) for argument in arguments])
        return self._spread(self._elementwise(expression, [self._spread(self.value(a)) for a in arguments]))

    def _elementwise(self, expression: Apply, slots: Sequence[int]) -> int:
        axes = self._union(slots)
        layouts = tuple(layout(self.axes[slot], axes) for slot in slots)
        return self.push(Elementwise(expression.function, expression.order, tuple(slots), layouts), axes)

    def _spread(self, slot: int) -> int:
        """The slot of the same value with the batch axis, where what does not differ is to be shaken too."""
        if not self.shaken or BATCH in self.axes[slot] or self._is_exact(slot):
            return slot
        return self.push(Spread(slot), (BATCH, *self.axes[slot]))

    def _is_exact(self, slot: int) -> bool:
        match self.steps[slot]:
            case View(source):
                return isinstance(source, str)
            case Arange():
                return True
            case Number(value):
                # 3/8 is a float, 1/3 is not.
                return value is not None and value.denominator.bit_count() == 1
            case _:
                return False

    def _union(self, slots: Iterable[int]) -> tuple[Index, ...]:
        largest_first = sorted((self.axes[slot] for slot in slots), key=lambda axes: -len(axes))
        return tuple(dict.fromkeys(index for axes in largest_first for index in axes))

    def _watch_function(self, expression: Apply) -> None:
        kinks: tuple[Expression, ...] = ()
        if expression.function in COMPARISONS:
            kinks = (subtract(*expression.arguments),)
        elif expression.function in FUNCTIONS and FUNCTIONS[expression.function].kinks:
            row = FUNCTIONS[expression.function]
            values = dict(zip(row.parameters, expression.arguments, strict=True))
            kinks = tuple(
                library.instantiate(kink, values) for kink in library.function_kinks(expression.function)
            )
        self._watch_zeros(expression.function, kinks)

    def _watch_zeros(self, name: str, kinks: Iterable[Expression]) -> None:
        for kink in kinks:
            if references(kink):  # a comparison of positions never changes
                slot = self.value(kink)
                self.watches.append(Watch(name, slot, self._sorted_axes(slot)))

    def _sorted_axes(self, slot: int) -> tuple[int, ...]:
        axes = self.axes[slot]
        return tuple(axes.index(i) for i in sorted(axes, key=lambda i: (i != BATCH, i)))

    # --- operations -------------------------------------------------------------------------------

    def _operation(self, expression: Op) -> int:
        row = OPERATIONS[expression.operation]
        groups = _groups(row.inputs, expression.bound)
        slots = tuple(self.value(argument) for argument in expression.arguments)
        outer = self.ranked(
            {
                index
                for slot, group in zip(slots, groups, strict=True)
                for index in self.axes[slot]
                if index not in group
            }
        )
        layouts, bound = [], []
        for slot, group in zip(slots, groups, strict=True):
            axes = self.axes[slot]
            bound.append(tuple((index.dimension, index not in axes) for index in group))
            layouts.append(_full_layout(axes, (*outer, *group)))
        flat = len(groups) == 1 and len(row.inputs[0]) == 1 and len(expression.bound) > 1
        step = Operation(
            expression.operation, slots, tuple(layouts), tuple(bound), expression.parameters, flat
        )
        out = tuple(fresh(p if isinstance(p, Index) else Index("o", Dimension("1"))) for p in expression.out)
        slot = self.push(step, (*outer, *out))
        if self.watch:
            self._watch_operation(expression, step, (*outer, *out))
        if not out:
            return slot
        return self._view(slot, (*outer, *expression.out))

    def _watch_operation(self, expression: Op, step: Operation, axes: tuple[Index, ...]) -> None:
        row = OPERATIONS[step.operation]
        if row.branch is None:
            self._watch_zeros(step.operation, library.operation_kinks(expression))
            return
        slot = self.push(replace(step, method="branch"), axes)
        margin = None if row.margin is None else self.push(replace(step, method="margin"), axes)
        self.watches.append(Watch(step.operation, slot, self._sorted_axes(slot), margin, numbered=True))


def _diagonal(labels: Sequence[Index], axes: Sequence[Index]) -> str | None:
    if len(labels) == len(axes):
        return None
    known: dict[Index, str] = {}
    return f"{letters(labels, known)}->{letters(axes, known)}"


def _groups(inputs: tuple[str, ...], bound: tuple[Index, ...]) -> list[tuple[Index, ...]]:
    if len(inputs) == 1:
        return [bound]
    groups, start = [], 0
    for letters_of_one in inputs:
        groups.append(bound[start : start + len(letters_of_one)])
        start += len(letters_of_one)
    return groups


def _full_layout(axes: tuple[Index, ...], target: tuple[Index, ...]) -> Layout | None:
    """A layout with every axis of the target there, as operations count axes from the end."""
    if len(axes) == len(target):
        return layout(axes, target)
    kept = [index for index in target if index in axes]
    return Layout(
        tuple(axes.index(index) for index in kept),
        tuple(slice(None) if index in axes else None for index in target),
    )
