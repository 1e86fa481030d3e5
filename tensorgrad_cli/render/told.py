"""Which indices a formula gives a range, as its reader finds them: by an entry, through a delta, along an operation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from tensorgrad_cli.algebra.expression import RANGE, Delta, Expression, Index, Op, Position, Ref, Sum
from tensorgrad_cli.algebra.operations import is_on_matrices
from tensorgrad_cli.algebra.walking import occurring

__all__ = ["unpinned", "untold"]


def unpinned(indices: Sequence[Index], body: Expression, loose: frozenset[Index]) -> tuple[Index, ...]:
    """The bound indices whose range nothing in the body tells: it has to be written. `loose` are the indices around
    it whose range nothing tells either."""
    parts: list[Expression] = []
    missing = set(indices)
    for part in occurring(body):
        parts.append(part)
        missing.difference_update(_entry(part))
        if not missing:
            # Told near the beginning, mostly: the rest need not be looked at.
            return ()
    around = body.free.difference(indices, loose)
    told = _spread(around.union(*map(_entry, parts)), _ties(parts))
    return tuple(index for index in indices if index not in told)


def untold(sides: Iterable[Expression]) -> tuple[frozenset[Index], tuple[Index, ...]]:
    """The free indices whose range no entry on any of the sides tells; and, of those that no written range of a sum or
    an operation tells either, one of each group that deltas hold together."""
    whole = tuple(sides)
    parts = [part for side in whole for part in occurring(side)]
    ties = list(_ties(parts))
    free = frozenset[Index]().union(*(side.free for side in whole))
    loose = free - _spread(frozenset[Index]().union(*map(_entry, parts)), ties)
    if not loose:
        return loose, ()
    told = _spread(frozenset(index for part in parts for index in _bound(part)), ties)
    chosen: list[Index] = []
    for index in sorted(loose - told):
        if index not in told:
            chosen.append(index)
            told = _spread(told | {index}, ties)
    return loose, tuple(chosen)


def _bound(part: Expression) -> tuple[Index, ...]:
    match part:
        case Sum(indices):
            return indices
        case Op() if not is_on_matrices(part.operation):
            return part.bound
        case _:
            return ()


def _entry(part: Expression) -> Iterator[Index]:
    """The indices that stand in an entry, which gives them their range."""
    places: tuple[Position, ...] = ()
    if isinstance(part, Ref) and part.tensor != RANGE:
        places = part.indices
    elif isinstance(part, Op) and is_on_matrices(part.operation):
        places = part.out
    return (place for place in places if isinstance(place, Index))


def _ties(parts: Iterable[Expression]) -> Iterator[tuple[Index, Index]]:
    """Pairs of indices of one range: those of a delta, what an operation binds and where it is read."""
    for part in parts:
        pairs: Iterable[tuple[Position, Position]] = ()
        if isinstance(part, Delta):
            pairs = ((part.left, part.right),)
        elif isinstance(part, Op) and not is_on_matrices(part.operation):
            pairs = zip(part.bound, part.out, strict=False)
        yield from ((a, b) for a, b in pairs if isinstance(a, Index) and isinstance(b, Index))


def _spread(told: frozenset[Index], ties: Iterable[tuple[Index, Index]]) -> frozenset[Index]:
    """What is told with all that is tied to it."""
    found, waiting = set(told), list(ties)
    while True:
        left = [pair for pair in waiting if not found.intersection(pair)]
        if len(left) == len(waiting):
            return frozenset(found)
        found.update(index for pair in waiting if found.intersection(pair) for index in pair)
        waiting = left
