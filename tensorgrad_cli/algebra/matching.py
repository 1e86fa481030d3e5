"""Which expressions are the same but for the names of indices and the order of factors and terms.

A *signature* is a number that such expressions share, so that they are found in a dictionary; `matches`
compares two of one signature properly. Signatures are the same in every run (no string is hashed by
Python), so that whatever is ordered by them is ordered the same way everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import assert_never
from zlib import crc32

from tensorgrad_cli.algebra.expression import (
    Add,
    Affine,
    Apply,
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
)

__all__ = [
    "SYMMETRIC",
    "Binding",
    "alike",
    "blind",
    "dimension_colour",
    "matches",
    "name_colour",
    "shared",
    "signature",
]

# Comparisons whose sides may change places.
SYMMETRIC = frozenset({"=", "!="})

Binding = Mapping[Index, Position]
Colour = Callable[[Index], int]


@lru_cache(maxsize=4096)
def name_colour(name: str) -> int:
    """A name as a number, the same in every run."""
    return crc32(name.encode())


@lru_cache(maxsize=4096)
def dimension_colour(dimension: Dimension) -> int:
    """A dimension as a number."""
    return name_colour(dimension.name)


def signature(expression: Expression, colour: Colour) -> int:
    """A number that is the same for expressions which differ in the order of factors and terms alone;
    an index counts as its colour."""
    return _combined(expression, colour, lambda part: signature(part, colour))


def _combined(expression: Expression, colour: Colour, of: Callable[[Expression], int]) -> int:
    match expression:
        case Const(value):
            return hash((1, value.numerator, value.denominator))
        case Ref(tensor, indices):
            return hash((2, name_colour(tensor), *(_position(p, colour) for p in indices)))
        case Delta(left, right):
            return hash((3, *sorted((_position(left, colour), _position(right, colour)))))
        case Apply(function, order, arguments):
            values = [of(argument) for argument in arguments]
            if function in SYMMETRIC:
                values.sort()
            return hash((4, name_colour(function), *order, *values))
        case Op(operation, bound, out, arguments, parameters):
            head = [name_colour(operation), *(colour(index) for index in bound)]
            for name, number in parameters:
                head += (name_colour(name), number.numerator, number.denominator)
            positions = [_position(position, colour) for position in out]
            return hash((5, *head, *positions, *(of(argument) for argument in arguments)))
        case Product(factors):
            return hash((6, *sorted(of(factor) for factor in factors)))
        case Sum(indices, body):
            return hash((7, *sorted(colour(index) for index in indices), of(body)))
        case Add(terms):
            return hash((8, *sorted(of(term) for term in terms)))
        case _:
            assert_never(expression)


def _position(position: Position, colour: Colour) -> int:
    match position:
        case Index():
            return colour(position)
        case int():
            return hash((11, position))
        case Affine(terms, offset):
            return hash((12, offset, *sorted(hash((c, colour(index))) for c, index in terms)))
        case Gather(tensor, inner):
            return hash((13, name_colour(tensor), *(_position(p, colour) for p in inner)))
        case _:
            assert_never(position)


@lru_cache(maxsize=1 << 15)
def blind(expression: Expression) -> int:
    """The signature to which all indices of one dimension look alike."""
    return _combined(expression, _blind_colour, blind)


def _blind_colour(index: Index) -> int:
    return dimension_colour(index.dimension)


@lru_cache(maxsize=1 << 15)
def shared(expression: Expression) -> Expression:
    """The one object that stands for all that are equal, where their parts do already: in a formula that nests
    deeply equal parts are then the same part, and no comparison or look-up has to walk them."""
    return expression


def alike(left: Expression, right: Expression) -> bool:
    """Whether two expressions are the same but for the names of bound indices and the order of factors
    and terms."""
    if left is right:
        return True
    # Signatures and hashes are kept; a comparison walks both.
    if left.free != right.free or blind(left) != blind(right):
        return False
    if hash(left) == hash(right) and left == right:
        return True
    return next(matches(left, right, {}, frozenset()), None) is not None


def matches(
    pattern: Expression, target: Expression, binding: Binding, open_: frozenset[Index]
) -> Iterator[Binding]:
    """Every way to read the target as the pattern with its indices `open_` replaced by indices of the
    target. `binding` is what is settled so far."""
    if pattern.free.isdisjoint(open_) and (
        pattern is target or (hash(pattern) == hash(target) and pattern == target)
    ):
        yield binding
        return
    match pattern, target:
        case Ref(), Ref():
            if pattern.tensor == target.tensor:
                yield from _positions(pattern.indices, target.indices, binding, open_)
        case Delta(), Delta():
            sides = (pattern.left, pattern.right)
            yield from _positions(sides, (target.left, target.right), binding, open_)
            yield from _positions(sides, (target.right, target.left), binding, open_)
        case Apply(), Apply():
            if (pattern.function, pattern.order) == (target.function, target.order):
                yield from _ordered(pattern.arguments, target.arguments, binding, open_)
                if pattern.function in SYMMETRIC:
                    yield from _ordered(pattern.arguments, target.arguments[::-1], binding, open_)
        case Op(), Op():
            yield from _operations(pattern, target, binding, open_)
        case Sum(), Sum():
            if len(pattern.indices) == len(target.indices):
                inner = open_ | frozenset(pattern.indices)
                for found in matches(pattern.body, target.body, binding, inner):
                    if _scoped(pattern.indices, target.indices, found):
                        yield _without(found, pattern.indices)
        case Product(), Product():
            yield from _shuffled(pattern.factors, target.factors, binding, open_)
        case Add(), Add():
            yield from _shuffled(pattern.terms, target.terms, binding, open_)
        case _:
            pass


def _operations(pattern: Op, target: Op, binding: Binding, open_: frozenset[Index]) -> Iterator[Binding]:
    if (pattern.operation, pattern.parameters) != (target.operation, target.parameters):
        return
    if [i.dimension for i in pattern.bound] != [i.dimension for i in target.bound]:
        return
    for found in _positions(pattern.out, target.out, binding, open_):
        inner: Binding = {**found, **dict(zip(pattern.bound, target.bound, strict=True))}
        within = open_ | frozenset(pattern.bound)
        for whole in _ordered(pattern.arguments, target.arguments, inner, within):
            if _scoped(pattern.bound, target.bound, whole):
                yield _without(whole, pattern.bound)


def _scoped(bound: tuple[Index, ...], other: tuple[Index, ...], binding: Binding) -> bool:
    # The bound indices stand for the bound ones of the target, and nothing else does.
    images = [binding[index] for index in bound if index in binding]
    unused = sorted(index.dimension for index in bound if index not in binding)
    if unused != sorted(index.dimension for index in other if index not in images):
        return False
    own = set(bound)
    inside = all(image in other for image in images) and len(set(images)) == len(images)
    return inside and all(v not in other for index, v in binding.items() if index not in own)


def _without(binding: Binding, bound: tuple[Index, ...]) -> Binding:
    return {index: image for index, image in binding.items() if index not in bound}


def _ordered(
    parts: Sequence[Expression],
    others: Sequence[Expression],
    binding: Binding,
    open_: frozenset[Index],
) -> Iterator[Binding]:
    if len(parts) != len(others):
        return
    if not parts:
        yield binding
        return
    for found in matches(parts[0], others[0], binding, open_):
        yield from _ordered(parts[1:], others[1:], found, open_)


def _shuffled(
    parts: Sequence[Expression],
    others: Sequence[Expression],
    binding: Binding,
    open_: frozenset[Index],
) -> Iterator[Binding]:
    if len(parts) != len(others):
        return
    if not parts:
        yield binding
        return
    look = blind(parts[0])
    for k, other in enumerate(others):
        if blind(other) == look:
            for found in matches(parts[0], other, binding, open_):
                yield from _shuffled(parts[1:], (*others[:k], *others[k + 1 :]), found, open_)


def _positions(
    parts: Sequence[Position],
    others: Sequence[Position],
    binding: Binding,
    open_: frozenset[Index],
) -> Iterator[Binding]:
    if len(parts) != len(others):
        return
    found: Binding | None = binding
    for part, other in zip(parts, others, strict=True):
        if found is None:
            return
        found = _settled(part, other, found, open_)
    if found is not None:
        yield found


def _settled(part: Position, other: Position, binding: Binding, open_: frozenset[Index]) -> Binding | None:
    match part, other:
        case Index(), Index():
            if part not in open_:
                return binding if part == other else None
            known = binding.get(part)
            if known is not None:
                return binding if known == other else None
            return {**binding, part: other} if part.dimension == other.dimension else None
        case Affine(), Affine():
            # In the order in which they stand: enough, since they come from one another by renaming.
            if part.offset != other.offset or len(part.terms) != len(other.terms):
                return None
            found: Binding | None = binding
            for (c, index), (d, image) in zip(part.terms, other.terms, strict=True):
                if c != d or found is None:
                    return None
                found = _settled(index, image, found, open_)
            return found
        case Gather(), Gather():
            if part.tensor != other.tensor:
                return None
            return next(_positions(part.positions, other.positions, binding, open_), None)
        case _:
            return binding if part == other else None
