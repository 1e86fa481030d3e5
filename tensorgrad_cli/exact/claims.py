"""A claim made ready for the test: expanded sides, the equations they need, sizes, measures, domain."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import Add, Apply, Dimension, Equation, Expression, Index, Op
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import occurring, references
from tensorgrad_cli.exact.batches import Batches, orthonormal_shapes
from tensorgrad_cli.exact.contract import ordered
from tensorgrad_cli.exact.definitions import Definitions
from tensorgrad_cli.exact.domain import Requirement, conditions, together
from tensorgrad_cli.exact.measure import Measure, Measures, pattern_bits, plus
from tensorgrad_cli.exact.pointwise import pointwise
from tensorgrad_cli.exact.signs import Signs
from tensorgrad_cli.exact.sizes import Condition, dimensions_of, least_sizes

__all__ = ["Claim", "Claims"]

# Of so many random bits every pattern is drawn often enough.
_MANY_BITS = 7.0


class Claim(Struct, frozen=True):
    """Two expanded sides and what the draws must provide for. `opaque_measure` is that of the opaque model.

    `spans` are the sets of indices of the arrays that come up, `arrays` the indices of those that have to be stored
    as they are: what a product is summed over need not be.
    """

    left: Expression
    right: Expression
    order: tuple[Index, ...]
    sizes: tuple[dict[str, int], ...]
    measure: Measure
    opaque_measure: Measure
    domain: tuple[Requirement, ...]
    spans: frozenset[frozenset[Index]]
    arrays: frozenset[tuple[Index, ...]]

    def weight(self, sizes: Mapping[str, int]) -> int:
        """The most entries that an array of one draw has."""
        return max((_entries(span, sizes) for span in self.spans), default=1)

    def stored(self, sizes: Mapping[str, int]) -> int:
        """The most entries of one draw that are stored at once."""
        return max((_entries(indices, sizes) for indices in self.arrays), default=1)


class _Need(Struct, frozen=True):
    dimensions: frozenset[Dimension]
    least: Mapping[str, int]
    references: frozenset[str]
    spans: frozenset[frozenset[Index]]
    arrays: frozenset[tuple[Index, ...]]
    domain: tuple[Requirement, ...]


class Claims:
    """Prepares claims over one chain; what is found of an equation is found once."""

    def __init__(
        self,
        equations: Iterable[Equation],
        tensors: Mapping[str, Tensor],
        minimum: Mapping[str, int],
        fixed: Mapping[str, int],
        seed: int,
        conditions: Iterable[Condition] = (),
    ) -> None:
        self._tensors = tensors
        self._minimum = minimum
        self._definitions = Definitions(
            equations, lambda definitions: Signs(tensors, definitions.equation, fixed)
        )
        equation = self._definitions.equation
        self._measures = Measures(tensors, equation)
        self._opaque_measures = Measures(tensors, equation, opaque=True)
        self.batches = Batches(tensors, equation, self._definitions.signs, fixed, seed, conditions)
        # Sizes of which something is said: a size, a smallest one, a condition.
        self._bound = {*minimum, *fixed}.union(*((name, other) for name, _, other in self.batches.conditions))
        self._needs: dict[Expression, _Need] = {}

    def expanded(self, expression: Expression) -> Expression:
        """The expression in the terms of the model."""
        return self._definitions.expanded(expression)

    def claim(self, left: Expression, right: Expression, free: tuple[Index, ...]) -> Claim:
        """The claim that two lowered expressions with free indices `free` are equal."""
        left, right = self._definitions.expanded(left), self._definitions.expanded(right)
        equations = self._needed((left, right))
        needs = [self._need(left), self._need(right)]
        needs += [self._need(equation.expression) for equation in equations]
        measure, opaque = (
            plus(measures.of(left), measures.of(right))
            for measures in (self._measures, self._opaque_measures)
        )
        sizes = self._sizes(needs, equations, free)
        if measure.discrete and not measure.signs:
            # All random bits are the inputs': no more of them count than there are patterns of these.
            if measure.bits > _MANY_BITS:
                sizes = self._of_few_patterns(needs, sizes)
            measure = replace(measure, bits=min(measure.bits, self._pattern_bits(needs, sizes)))
        return Claim(
            left,
            right,
            ordered(left.free | right.free | frozenset(free)),
            sizes,
            measure,
            opaque,
            together(condition for need in needs for condition in need.domain),
            frozenset().union(*(need.spans for need in needs), (frozenset(e.indices) for e in equations)),
            frozenset().union(*(need.arrays for need in needs)),
        )

    def narrowed(self, claim: Claim) -> Claim | None:
        """The claim with size 1 for the dimensions along which it is one equation for each entry; None where
        there are none."""
        equations = self._needed((claim.left, claim.right))
        needs = [self._need(e) for e in (claim.left, claim.right, *(e.expression for e in equations))]
        names = frozenset[str]().union(*(need.references for need in needs)) & self._tensors.keys()
        tensors = {name: self._tensors[name] for name in names}
        found = pointwise((claim.left, claim.right), equations, tensors, self._shape)
        ones = {d.name: 1 for d in found if d.name not in self._bound}
        if not ones:
            return None
        sizes = tuple({**given, **ones} for given in claim.sizes)
        measure = claim.measure
        if measure.discrete and not measure.signs:
            measure = replace(measure, bits=min(measure.bits, self._pattern_bits(needs, sizes)))
        return replace(claim, sizes=sizes, measure=measure)

    def _sizes(
        self, needs: list[_Need], equations: tuple[Equation, ...], free: tuple[Index, ...]
    ) -> tuple[dict[str, int], ...]:
        dimensions = {index.dimension for index in free}
        minimum = dict(self._minimum)
        names: set[str] = set()
        for need in needs:
            dimensions |= need.dimensions
            names |= need.references
            for name, size in need.least.items():
                minimum[name] = max(size, minimum.get(name, 0))
        for equation in equations:
            dimensions.update(equation.shape)
        tensors = [self._tensors[name] for name in sorted(names & self._tensors.keys())]
        for tensor in tensors:
            dimensions.update(tensor.shape)
            if tensor.indexes is not None:
                dimensions.add(tensor.indexes)
        return self.batches.sizes(frozenset(dimensions), minimum, orthonormal_shapes(tensors))

    def _of_few_patterns(
        self, needs: list[_Need], sizes: tuple[dict[str, int], ...]
    ) -> tuple[dict[str, int], ...]:
        """Those sizes at which all patterns of the discrete inputs can be met, where every dimension that
        varies still does."""
        few = tuple(given for given in sizes if self._pattern_bits(needs, (given,)) <= _MANY_BITS)
        varies = [name for name in (sizes[0] if sizes else ()) if len({given[name] for given in sizes}) > 1]
        return few if all(len({given[name] for given in few}) > 1 for name in varies) else sizes

    def _pattern_bits(self, needs: list[_Need], sizes: tuple[dict[str, int], ...]) -> float:
        names = frozenset[str]().union(*(need.references for need in needs)) & self._tensors.keys()
        totals = (sum(pattern_bits(self._tensors[name], given) for name in names) for given in sizes)
        return max(totals, default=0.0)

    def _need(self, side: Expression) -> _Need:
        found = self._needs.get(side)
        if found is None:
            found = self._needs[side] = _Need(
                dimensions_of(side),
                least_sizes(side, self._shape),
                references(side),
                frozenset(part.free for part in occurring(side)),
                frozenset(indices for part in occurring(side) if (indices := _stored(part))),
                conditions((side,), self._definitions.signs),
            )
        return found

    def _shape(self, name: str) -> tuple[Dimension, ...] | None:
        equation = self._definitions.equation(name)
        if equation is not None:
            return equation.shape
        return self._tensors[name].shape if name in self._tensors else None

    def _needed(self, sides: tuple[Expression, ...]) -> tuple[Equation, ...]:
        found: dict[str, Equation] = {}
        waiting = [name for side in sides for name in sorted(self._need(side).references)]
        while waiting:
            name = waiting.pop()
            equation = self._definitions.equation(name)
            if equation is not None and name not in found:
                found[name] = equation
                waiting.extend(sorted(self._need(equation.expression).references))
        return tuple(found.values())


def _stored(part: Expression) -> tuple[Index, ...]:
    """The indices of the largest array that a part takes, if not its result's alone: along the bound ones an operation
    repeats what lacks them, and each entry meets each in a tournament."""
    match part:
        case Op("max" | "min", bound):
            return (*part.free, *bound, *bound)
        case Op(_, bound):
            return (*part.free, *bound)
        case Apply() | Add():
            return tuple(part.free)
        case _:
            return ()


def _entries(indices: Iterable[Index], sizes: Mapping[str, int]) -> int:
    return math.prod(index.dimension.size(sizes) for index in indices)
