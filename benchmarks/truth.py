"""What an equation is worth without the verifier: plain evaluation on full grids, in extended precision.

The judge of the planted mistakes. It has draws of its own and evaluates steps, derivatives and claims entry by
entry, operation by operation: it knows no plans, no bars, no normal forms and no exact test. It shares with the
verifier how a formula is read, the rows of functions and the formulas of derivatives; but a mutant's right side
is compared with the right side of the claim that it was made from, which was judged by hand, so that the formula
of a derivative hardly ever stands between the two.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from by_hand import BY_HAND, COMPARED
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Chain,
    Const,
    Delta,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.numeric.abstract import AbstractFunction
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

Array = NDArray[Any]

# A side that is off by this part of the truth's largest entry differs; by less than that, it does not. What lies
# between is left open: structured tensors are drawn in double precision.
DIFFERENT = 1e-9
SAME = 1e-12
# A gap that double precision agrees with to this part is no rounding; one that is so much larger there is.
STEADY, SHRUNK = 0.1, 0.03
# Sides smaller than this at a point (a saturated or a dead function) say nothing; nor do those that are so small a
# part of the largest number met on the way (cosh(x)² - sinh(x)² far out).
NOTHING = 1e-12
LOST = 1e-13
# So many draws at ordinary scales, and so many far out, where clips and hinges change their branch.
NEAR, FAR = 3, 4
# The judge's seeds are none of the verifier's.
APART = 7_919

Real = type[np.floating[Any]]
LONG: Real = np.longdouble
SHORT: Real = np.float64


JUMPS = frozenset(("step", "sign", *COMPARED))


class Side(Struct, frozen=True):
    """The values of one side of an equation, the largest number met on the way, and whether a sign was taken of what
    is zero or may be (there the side has no value)."""

    values: Array
    top: float
    unsure: bool


class Values:
    """What the names of a spec are worth at one draw, each worked out when it is first asked for."""

    def __init__(self, bench: Workbench, point: Point, given: Chain, real: Real) -> None:
        self.bench = bench
        self.real = real
        self.sizes = point.sizes
        self.functions = point.environment.functions
        self.given = {equation.tensor: equation for equation in given}
        self._top = 0.0
        self._unsure = False
        self._doubts: set[str] = set()
        self._tops: dict[str, float] = {}
        self.arrays: dict[str, Array] = {
            name: _typed(point.environment.arrays[name], real)
            for name in bench.spec.tensors
            if name not in self.given
        }

    def named(self, name: str) -> Array:
        """A tensor, a step or a derivative."""
        if name not in self.arrays:
            if name not in self.given:
                self.bench.calculus.resolve(name)
            equation = self.given.get(name) or self.bench.calculus.equations[name]
            body = lowered(equation.expression, self.bench.scope)
            before, self._unsure = self._unsure, False
            self.arrays[name], self._tops[name] = self.measured(body, equation.indices)
            if self._unsure:
                self._doubts.add(name)
            self._unsure |= before
        self._unsure |= name in self._doubts
        self._top = max(self._top, self._tops.get(name, 0.0))
        return self.arrays[name]

    def measured(self, expression: Expression, axes: Sequence[Index]) -> tuple[Array, float]:
        """A lowered expression on the full grid of the given axes, and the largest number met on the way."""
        outer, self._top = self._top, 0.0
        array = self.grid(expression, axes)
        found, self._top = self._top, max(outer, self._top)
        return array, found

    def side(self, expression: Expression, axes: Sequence[Index]) -> Side:
        """A side of an equation."""
        self._unsure = False
        return Side(*self.measured(expression, axes), self._unsure)

    def grid(self, expression: Expression, axes: Sequence[Index]) -> Array:
        """A lowered expression on the full grid of the given axes."""
        shape = tuple(self._size(index) for index in axes)
        array = np.broadcast_to(self._value(expression, tuple(axes)), shape)
        size = np.abs(array)
        self._top = max(self._top, float(size.max(initial=0.0, where=np.isfinite(size))))
        return array

    def _size(self, index: Index) -> int:
        return index.dimension.size(self.sizes)

    def _place(self, position: Any, axes: Sequence[Index]) -> Any:
        """A position as whole numbers along its axis of the grid."""
        if not isinstance(position, Index):
            return int(position)
        shape = [1] * len(axes)
        shape[axes.index(position)] = -1
        return np.arange(self._size(position)).reshape(shape)

    def _value(self, e: Expression, axes: tuple[Index, ...]) -> Any:
        match e:
            case Const(number):
                return self.real(number.numerator) / self.real(number.denominator)
            case Ref(tensor, (Index() as index,)) if tensor == RANGE:
                return self._place(index, axes).astype(self.real)
            case Ref(tensor, indices):
                array = self.named(tensor)
                return array[tuple(self._place(p, axes) for p in indices)] if indices else array
            case Delta(left, right):
                return np.asarray(self._place(left, axes) == self._place(right, axes)).astype(self.real)
            case Add(parts):
                return sum(self.grid(p, axes) for p in parts)
            case Product(parts):
                total: Any = self.real(1)
                for p in parts:
                    total = total * self._value(p, axes)
                return total
            case Sum(indices, body):
                full = self.grid(body, (*axes, *indices))
                return full.sum(axis=tuple(range(len(axes), full.ndim)))
            case Apply(function, order, arguments):
                if function in JUMPS:
                    return self._applied(function, order, [self._jumping(a, axes) for a in arguments])
                values = [self._value(a, axes) for a in arguments]
                return self._applied(function, order, values)
            case Op():
                return self._operated(e, axes)
        raise TypeError(e)

    def _jumping(self, argument: Expression, axes: tuple[Index, ...]) -> Array:
        """What a sign is taken of, without a value where it is zero or may be: whether a step is 0, 1 or 1/2 there is
        a convention, and what is zero has any sign in floating point."""
        array, top = self.measured(argument, axes)
        zero = np.abs(array) <= LOST * top
        self._unsure |= bool(zero.any())
        return np.where(zero, np.nan, array)

    def _applied(self, function: str, order: tuple[int, ...], arguments: list[Any]) -> Any:
        if function == "pi":
            return np.arccos(self.real(-1))
        if function in COMPARED:
            return COMPARED[function](*arguments).astype(self.real)
        if function == "pow" and not any(order):
            return np.power(*arguments)
        if function in FUNCTIONS and not any(order):
            row = FUNCTIONS[function].numeric
            try:
                return row(np, *arguments)
            except TypeError:
                # SciPy has some of them in double precision only.
                return self.real(1) * row(np, *(np.asarray(a, float) for a in arguments))
        abstract: AbstractFunction = self.functions[function]
        return abstract(order, *arguments)

    def _operated(self, e: Op, axes: tuple[Index, ...]) -> Any:
        """An operation on the last axes of its arguments, read at its positions."""
        batch = tuple(sorted(frozenset[Index]().union(*(a.free for a in e.arguments)) - set(e.bound)))
        bound, arguments = list(e.bound), []
        for argument, letters in zip(e.arguments, OPERATIONS[e.operation].inputs, strict=True):
            own = tuple(bound.pop(0) for _ in letters)
            arguments.append(self.grid(argument, (*batch, *own)))
        array = BY_HAND[e.operation](*arguments, **{name: float(value) for name, value in e.parameters})
        places = tuple(self._place(p, axes) for p in (*batch, *e.out))
        return array[places] if places else array


def _typed(array: Any, real: Real) -> Array:
    """In some precision; whole numbers stay what they are, for they may be positions."""
    value = np.asarray(array)
    return value.astype(real) if np.issubdtype(value.dtype, np.floating) else value


class Judge:
    """Compares equations of one spec at points of its own."""

    def __init__(self, bench: Workbench, readings: Sequence[Reading]) -> None:
        self.bench = bench
        self._drawn = Workbench(bench.spec, bench.seed + APART)
        for reading in readings:
            self._drawn.require(
                lowered(side.expression, bench.scope) for side in (reading.left, reading.right)
            )
        # Abstract functions may have got their arguments from a claim.
        self._drawn.arity = {**bench.arity, **self._drawn.arity}
        self._values: dict[tuple[int, Chain], tuple[Values, Values]] = {}

    def values(self, given: Chain) -> Iterator[tuple[Values, Values]]:
        """The draws, with some tensors given by expressions, each in extended and in double precision."""
        points = (*self._drawn.points[:NEAR], *self._drawn.branch_points[:FAR])
        for k, point in enumerate(points):
            if (k, given) not in self._values:
                self._values[k, given] = (
                    Values(self.bench, point, given, LONG),
                    Values(self.bench, point, given, SHORT),
                )
            yield self._values[k, given]

    def holds(self, reading: Reading) -> bool | None:
        """Whether the sides of an equation are equal; None where that is left open."""
        left, right = reading.left.expression, reading.right.expression
        return self._same((left, reading.free), (right, reading.free), reading.at)

    def differ_at(self, truth: Reading, mutant: Reading, point: Point) -> bool:
        """Whether a mutant differs at a point: a counterexample is looked at, not believed."""
        given = mutant.at
        values = Values(self.bench, point, given, LONG), Values(self.bench, point, given, SHORT)
        right = (mutant.right.expression, mutant.free)
        others = [(mutant.left.expression, mutant.free)]
        others += [(truth.right.expression, truth.free)] if _same_left(truth, mutant) else []
        return any(self._compared([other, right], [values]) == {"different"} for other in others)

    def unharmed(self, truth: Reading, mutant: Reading) -> bool | None:
        """Whether the mutant of a true claim is as true as the claim.

        Raises AssertionError where the right sides say something else than the sides of the mutant.
        """
        whole = self.holds(mutant)
        if not _same_left(truth, mutant):
            return whole
        right = self._same(
            (truth.right.expression, truth.free), (mutant.right.expression, mutant.free), mutant.at
        )
        assert right is None or whole is None or right == whole, mutant.source.text
        left = (mutant.left.expression, mutant.free)
        # Where the left side has no value that can be told, nobody knows what it is equal to.
        return right if "same" in self._compared([left, left], self.values(mutant.at)) else whole

    def _same(
        self,
        one: tuple[Expression, tuple[Index, ...]],
        other: tuple[Expression, tuple[Index, ...]],
        given: Chain,
    ) -> bool | None:
        found = self._compared([one, other], self.values(given))
        if "different" in found:
            return False
        return True if "same" in found and "open" not in found else None

    def _compared(
        self,
        sides: Sequence[tuple[Expression, tuple[Index, ...]]],
        points: Iterable[tuple[Values, Values]],
    ) -> set[str]:
        """What is seen of two sides at some points, until they differ."""
        low = [(lowered(e, self.bench.scope), axes) for e, axes in sides]
        found: set[str] = set()
        with np.errstate(all="ignore"):
            for long, short in points:
                found.add(_seen(*([v.side(e, axes) for e, axes in low] for v in (long, short))))
                if "different" in found:
                    break
        return found


def _seen(exact: Sequence[Side], rounded: Sequence[Side]) -> str:
    """What two sides, in two precisions, look like: 'same', 'different', 'open', or 'nothing' is to be seen."""
    long, short = ([side.values for side in sides] for sides in (exact, rounded))
    finite = np.logical_and.reduce([np.isfinite(side) for side in (*long, *short)])
    top = max(side.top for side in exact)
    unsure = any(side.unsure for side in (*exact, *rounded))
    if not finite.any():
        return "open" if unsure else "nothing"
    (a, b), (c, d) = [[side[finite].astype(LONG) for side in sides] for sides in (long, short)]
    gap, short_gap = a - b, c - d
    scale = max(np.abs(a).max(), np.abs(b).max())
    worst = np.argmax(np.abs(gap))
    size = np.abs(gap[worst])
    if scale < max(NOTHING, LOST * top):
        return "nothing"
    if size <= SAME * scale:
        # An entry may be small beside the others and wrong all the same.
        entries = np.maximum(np.abs(a), np.abs(b))
        odd = (np.abs(gap) > DIFFERENT * entries) & (np.abs(gap - short_gap) <= STEADY * np.abs(gap))
        return "open" if unsure or odd.any() else "same"
    if size <= SHRUNK * np.abs(short_gap).max():
        return "nothing"
    steady = np.abs(gap[worst] - short_gap[worst]) <= STEADY * size
    return "different" if steady and size > DIFFERENT * scale else "open"


def _same_left(truth: Reading, mutant: Reading) -> bool:
    """Whether two equations have the same left side, as written and as read."""
    left = truth.source.text.partition("=")[0] + "="
    dimensions = [[index.dimension for index in reading.free] for reading in (truth, mutant)]
    return mutant.source.text.startswith(left) and dimensions[0] == dimensions[1]
