"""The value of an expression in the finite model, for all draws of a batch at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import assert_never

import numpy as np
from numpy.typing import NDArray

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.contract import contractions, ordered
from tensorgrad_cli.exact.field import Integers
from tensorgrad_cli.exact.functions import applied
from tensorgrad_cli.exact.inputs import Inputs
from tensorgrad_cli.exact.operations import operated
from tensorgrad_cli.exact.order import contradicting, relation
from tensorgrad_cli.exact.reading import aligned, moved, places, read
from tensorgrad_cli.exact.residues import VALUE, Draws, Kept, Residues, both_kept
from tensorgrad_cli.exact.signs import Signs

__all__ = ["Evaluator", "Undefined"]

_MOST_CHARACTERS = 48


class Undefined(LookupError):
    """An expression reads a name that is neither a tensor nor a step, or a step reads itself."""


class Evaluator:
    """Values of expanded expressions in one batch: one `Draws`, one assignment of sizes.

    Arrays have the draws first and then the free indices in their order (`contract.ordered`). `opaque`: signs
    are random odd functions and no draw is dropped for one; else the sign of x is its character.
    `strict`: a draw is dropped where the character of any value contradicts what is known of its sign.
    """

    def __init__(
        self,
        draws: Draws,
        sizes: Mapping[str, int],
        tensors: Mapping[str, Tensor],
        inputs: Inputs,
        equation: Callable[[str], Equation | None],
        signs: Signs,
        *,
        opaque: bool = False,
        strict: bool = False,
    ) -> None:
        self.draws = draws
        self.signs = signs
        self.opaque = opaque
        self.strict = strict
        self.tensors = tensors
        self.inputs = inputs
        self._sizes = sizes
        self._equation = equation
        self._lengths: dict[Dimension, int] = {}
        self._values: dict[tuple[Expression, int], Residues] = {}
        self._steps: dict[tuple[str, int], Residues | None] = {}
        # The characters used so far.
        self._characters: dict[Expression, NDArray[np.int8]] = {}

    def forget(self) -> None:
        """Drops the values of expressions; those of steps stay, but in the strict round, where the draws that they
        keep follow from the signs met before."""
        self._values.clear()
        if self.strict:
            self._steps.clear()
            self._characters.clear()

    def size(self, index: Index) -> int:
        """The number of values of an index."""
        found = self._lengths.get(index.dimension)
        if found is None:
            found = self._lengths[index.dimension] = index.dimension.size(self._sizes)
        return found

    def value(self, expression: Expression, kind: int) -> Residues:
        """The residues of one kind. Raises Undefined."""
        key = (expression, kind)
        found = self._values.get(key)
        if found is None:
            found = self._node(expression, kind)
            if self.strict and kind == VALUE and not isinstance(expression, Ref | Delta):
                found = self.respecting(expression, found)
            self._values[key] = found
        return found

    def respecting(self, expression: Expression, value: Residues) -> Residues:
        """The value, without the draws in which its character contradicts the known sign."""
        interval = self.signs.of(expression)
        lowest, highest = interval.lowest_sign, interval.highest_sign
        if lowest == -1 and highest == 1:
            return value
        character = self.draws.character(value.values)
        kept = self.draws.any_entry((character < lowest) | (character > highest))
        return Residues(value.values, both_kept(value.kept, kept))

    def consistent(self, argument: Expression, character: NDArray[np.int8]) -> Kept:
        """In the strict round the draws in which this sign and those found so far can all be true."""
        if not self.strict or len(self._characters) > _MOST_CHARACTERS:
            return None
        kept: Kept = None
        for other, found in self._characters.items():
            if other.free == argument.free and other != argument:
                known = relation(argument, other, self.signs)
                if known is not None:
                    wrong = contradicting(known, character, found)
                    kept = both_kept(kept, self.draws.any_entry(wrong))
        self._characters[argument] = character
        return kept

    def _node(self, expression: Expression, kind: int) -> Residues:
        match expression:
            case Const(value):
                return self.draws.constant(value, kind)
            case Ref():
                return self._entry(expression, kind)
            case Delta():
                return self._delta(expression)
            case Apply():
                return applied(self, expression, kind)
            case Op():
                return operated(self, expression, kind)
            case Product(factors):
                return self._contracted(factors, expression.free, frozenset(), kind)
            case Sum(indices, Product(factors)):
                return self._contracted(factors, expression.free, frozenset(indices), kind)
            case Sum(indices, body):
                return self._contracted((body,), expression.free, frozenset(indices), kind)
            case Add():
                return self._added(expression, kind)
            case _:
                assert_never(expression)

    # --- entries --------------------------------------------------------------------------------

    def _entry(self, ref: Ref, kind: int) -> Residues:
        order = ordered(ref.free)
        if ref.tensor == RANGE:
            (position,) = ref.indices
            place = places(position, order, self.size, self.gathered)
            full = (self.draws.count, *map(self.size, order))
            return Residues(self.draws.reduced(np.broadcast_to(place, full), kind))
        if self._equation(ref.tensor) is not None:
            whole = self._step(ref.tensor, kind)
        elif ref.tensor in self.tensors:
            whole = self.inputs.entries(ref.tensor, kind)
        else:
            raise Undefined(ref.tensor)
        return Residues(read(whole.values, ref.indices, order, self.size, self.gathered), whole.kept)

    def _step(self, name: str, kind: int) -> Residues:
        """A step's residues, axes (draws, its own indices in order)."""
        key = (name, kind)
        if key not in self._steps:
            self._steps[key] = None
            equation = self._equation(name)
            assert equation is not None
            inner = self.value(equation.expression, kind)
            order = ordered(equation.expression.free)
            self._steps[key] = Residues(moved(inner.values, order, equation.indices, self.size), inner.kept)
        found = self._steps[key]
        if found is None:
            raise Undefined(name)
        return found

    def gathered(self, position: Gather, order: tuple[Index, ...]) -> Integers:
        if position.tensor not in self.tensors:
            raise Undefined(position.tensor)
        chosen = self.inputs.choice(position.tensor)
        inner = [places(p, order, self.size, self.gathered) for p in position.positions]
        draw = np.arange(self.draws.count).reshape(-1, *(1 for _ in order))
        clipped = [np.clip(p, 0, n - 1) for p, n in zip(inner, chosen.shape[1:], strict=True)]
        picked: Integers = chosen[draw, *clipped]
        return picked

    def _delta(self, delta: Delta) -> Residues:
        order = ordered(delta.free)
        left = places(delta.left, order, self.size, self.gathered)
        right = places(delta.right, order, self.size, self.gathered)
        full = (self.draws.count, *map(self.size, order))
        return Residues(np.broadcast_to((left == right).astype(np.int64), full))

    # --- sums and products ----------------------------------------------------------------------

    def _added(self, expression: Add, kind: int) -> Residues:
        order = ordered(expression.free)
        total: Integers | None = None
        kept: Kept = None
        for term in expression.terms:
            part = self.value(term, kind)
            kept = both_kept(kept, part.kept)
            values = aligned(part.values, ordered(term.free), order)
            total = values if total is None else total + values
        assert total is not None
        return Residues(self.draws.reduced(total, kind), kept)

    def _contracted(
        self,
        factors: tuple[Expression, ...],
        free: frozenset[Index],
        summed: frozenset[Index],
        kind: int,
    ) -> Residues:
        """The product of factors summed over indices; those that no factor has multiply by their size."""
        parts = [self.value(factor, kind) for factor in factors]
        kept: Kept = None
        for part in parts:
            kept = both_kept(kept, part.kept)
        orders = tuple(ordered(factor.free) for factor in factors)
        order = ordered(free)
        if len(parts) == 1:
            values = self._summed(parts[0].values, orders[0], order, kind)
        elif not summed:
            values = self._multiplied([p.values for p in parts], orders, order, kind)
        else:
            arrays = [part.values for part in parts]
            for step in contractions(orders, order):
                pair = np.einsum(step.subscripts, arrays[step.first], arrays[step.second])
                left = [a for k, a in enumerate(arrays) if k not in (step.first, step.second)]
                arrays = [*left, self.draws.reduced(pair, kind)]
            values = arrays[0]
        repeats = 1
        for index in summed.difference(*orders):
            repeats *= self.size(index)
        return Residues(values if repeats == 1 else self.draws.reduced(values * repeats, kind), kept)

    def _summed(
        self, values: Integers, order: tuple[Index, ...], target: tuple[Index, ...], kind: int
    ) -> Integers:
        axes = tuple(1 + k for k, index in enumerate(order) if index not in target)
        return self.draws.reduced(values.sum(axis=axes), kind) if axes else values

    def _multiplied(
        self,
        arrays: list[Integers],
        orders: tuple[tuple[Index, ...], ...],
        order: tuple[Index, ...],
        kind: int,
    ) -> Integers:
        # Operands of like axes first, so that small ones meet before they are repeated along large ones.
        ranked = sorted(range(len(arrays)), key=lambda k: len(orders[k]))
        indices = orders[ranked[0]]
        result = arrays[ranked[0]]
        for k in ranked[1:]:
            both = order if len(orders[k]) == len(order) else ordered(frozenset((*indices, *orders[k])))
            left, right = aligned(result, indices, both), aligned(arrays[k], orders[k], both)
            result, indices = self.draws.multiply(left, right, kind), both
        return aligned(result, indices, order)
