"""A product with its sums, made ready to be one contraction: numbers gathered, sums hoisted, deltas gone.

A Kronecker delta is never an operand. Inside a sum it is a substitution of indices (union-find on the
positions that deltas join); where it links free indices, the summand says at which diagonal or which fixed
position of the result its value stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Affine,
    Const,
    Delta,
    Dimension,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    fresh,
)
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import occurring

__all__ = ["Summand", "plain", "summands"]

# An addition with deltas among its terms is multiplied out over them, up to so many summands.
_MOST_SUMMANDS = 32


class Summand(Struct, frozen=True):
    """coefficient x sizes x the sum over `summed` of the product of the factors.

    Factors are Ref, Apply, Op and Add only. The value stands where each index of `places` equals what it is
    mapped to (an index that the factors carry, or a whole number), elsewhere the summand is zero; all of it
    is zero unless each position of `within` is inside its dimension.
    """

    coefficient: Fraction
    factors: tuple[Expression, ...]
    summed: tuple[Index, ...]
    sizes: tuple[Dimension, ...]
    places: tuple[tuple[Index, Index | int], ...]
    within: tuple[tuple[Dimension, int], ...]


def plain(position: Position) -> Index | int:
    """An index or a whole number; the one place where other positions are still refused."""
    if isinstance(position, Affine | Gather):
        raise NotImplementedError("shifted and gathered positions are not evaluated yet")
    return position


def summands(expression: Expression) -> tuple[Summand, ...]:
    """The contractions whose sum a Delta, a Product, a Sum or any other expression is."""
    work = _Work(expression.free)
    work.gather(expression)
    return tuple(_finished(work, _MOST_SUMMANDS))


class _Work:
    """A product while it is taken apart. `free` are the indices of the whole."""

    def __init__(self, free: Iterable[Index]) -> None:
        self.free = frozenset(free)
        self.coefficient = ONE.value
        self.factors: list[Expression] = []
        self.summed: dict[Index, None] = {}
        self.used = set(self.free)
        self.sizes: list[Dimension] = []
        self.places: dict[Index, Index | int] = {}
        self.within: list[tuple[Dimension, int]] = []

    def copy(self, factors: Iterable[Expression]) -> _Work:
        """The same work with other factors."""
        other = _Work(self.free)
        other.coefficient = self.coefficient
        other.summed, other.used = dict(self.summed), set(self.used)
        other.sizes, other.within = list(self.sizes), list(self.within)
        other.places = dict(self.places)
        for factor in factors:
            other.gather(factor)
        return other

    def gather(self, expression: Expression) -> None:
        """Take in a factor: products flattened, sums hoisted, their indices renamed where one is taken."""
        match expression:
            case Const(value):
                self.coefficient *= value
            case Product(factors):
                for factor in factors:
                    self.gather(factor)
            case Sum(indices, body):
                self.sizes += [index.dimension for index in indices if index.serial == -1]
                bound = [index for index in indices if index.serial != -1]
                if not self.used.isdisjoint(bound):
                    renamed = {index: fresh(index) for index in bound}
                    body = substitute(freshened(body), renamed)
                    bound = list(renamed.values())
                self.used.update(bound)
                self.summed.update(dict.fromkeys(bound))
                self.gather(body)
            case _:
                self.factors.append(expression)

    def resolve(self) -> None:
        """Substitute until no factor is a delta."""
        while deltas := [factor for factor in self.factors if isinstance(factor, Delta)]:
            moved = self._joined(_classes(deltas))
            rest = [factor for factor in self.factors if not isinstance(factor, Delta)]
            self.factors = []
            for factor in rest:
                self.gather(_substituted(factor, moved))
            for index, place in self.places.items():
                if isinstance(place, Index):
                    self.places[index] = moved.get(place, place)
            self.places.update({i: p for i, p in moved.items() if i in self.free})

    def _joined(self, classes: Iterable[set[Index | int]]) -> dict[Index, Index | int]:
        moved: dict[Index, Index | int] = {}
        for members in classes:
            numbers = [member for member in members if isinstance(member, int)]
            indices = sorted(member for member in members if isinstance(member, Index))
            if len(numbers) > 1:
                self.coefficient = Fraction(0)
            if numbers:
                chosen: Index | int = numbers[0]
                self.within += [(index.dimension, numbers[0]) for index in indices]
            else:
                chosen = next((index for index in indices if index in self.free), indices[0])
            for index in indices:
                if index != chosen:
                    moved[index] = chosen
                    self.summed.pop(index, None)
        return moved


def _classes(deltas: Sequence[Delta]) -> list[set[Index | int]]:
    classes: list[set[Index | int]] = []
    for delta in deltas:
        joined: set[Index | int] = {plain(delta.left), plain(delta.right)}
        apart = []
        for members in classes:
            # A number joins nothing to anything: `delta[i,0] delta[j,0]` leaves i and j apart.
            if any(isinstance(member, Index) for member in members & joined):
                joined |= members
            else:
                apart.append(members)
        classes = [*apart, joined]
    return classes


def _substituted(factor: Expression, moved: Mapping[Index, Index | int]) -> Expression:
    if not isinstance(factor, Ref | Delta):
        names = {*moved, *moved.values()}
        if not names.isdisjoint(_bound(factor)):
            factor = freshened(factor)
    return substitute(factor, moved)


def _bound(expression: Expression) -> set[Index]:
    found: set[Index] = set()
    for part in occurring(expression):
        if isinstance(part, Sum):
            found.update(part.indices)
        elif isinstance(part, Op):
            found.update(part.bound)
    return found


def _finished(work: _Work, most: int) -> list[Summand]:
    work.resolve()
    if work.coefficient == 0:
        return []
    for number, factor in enumerate(work.factors):
        if isinstance(factor, Add) and any(map(_exposes_delta, factor.terms)):
            branches = _branches(factor)
            if len(branches) > most:
                break
            others = work.factors[:number] + work.factors[number + 1 :]
            found = []
            for branch in branches:
                found += _finished(work.copy([*others, branch]), most // len(branches))
            return found
    return [
        Summand(
            work.coefficient,
            tuple(work.factors),
            tuple(work.summed),
            tuple(work.sizes),
            tuple(work.places.items()),
            tuple(work.within),
        )
    ]


def _branches(addition: Add) -> list[Expression]:
    with_delta = [term for term in addition.terms if _exposes_delta(term)]
    rest = [term for term in addition.terms if not _exposes_delta(term)]
    return [*with_delta, add(*rest)] if rest else with_delta


@lru_cache(maxsize=1 << 14)
def _exposes_delta(expression: Expression) -> bool:
    match expression:
        case Delta():
            return True
        case Product(parts) | Add(parts):
            return any(map(_exposes_delta, parts))
        case Sum(_, body):
            return _exposes_delta(body)
        case _:
            return False
