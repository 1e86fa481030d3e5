"""Pieces of a formula on one line: the text, how tightly it binds, and which indices stand open in it.

Openness is what the language's rule for implied sums goes by (`algebra.implied_sums` has it on syntax
trees), so that a printer knows which sums a reader may leave unwritten.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

__all__ = [
    "ATOM",
    "FACTOR",
    "NOTHING",
    "PRODUCT",
    "TERM",
    "Piece",
    "implied",
    "merged",
    "of_product",
    "wrapped",
]

# How tightly a piece binds, from loose to tight: terms and signs, a product, one factor, what takes a power.
TERM, PRODUCT, FACTOR, ATOM = 1, 2, 3, 4

NOTHING: frozenset[str] = frozenset()


class Piece(Struct, frozen=True):
    """A printed part of a formula.

    `stands` counts the indices in it that nothing in it binds by writing, `opened` are those that stand open,
    `twice` those that stand twice in one tensor (a trace). `plain` is an entry, a delta, a derivative or a
    call: what a reader sees to be one factor of an implied sum. `bare` is the name, where it is a name alone.
    """

    text: str
    strength: int
    stands: Mapping[str, int] = {}
    opened: frozenset[str] = NOTHING
    twice: frozenset[str] = NOTHING
    plain: bool = False
    bare: str = ""


def wrapped(piece: Piece, strength: int) -> Piece:
    """The piece in parentheses where it binds less than needed."""
    if piece.strength >= strength:
        return piece
    return Piece(f"({piece.text})", ATOM, piece.stands, piece.opened)


def merged(counts: Iterable[Mapping[str, int]], without: Iterable[str] = ()) -> dict[str, int]:
    """Occurrences added up, without those of some names."""
    out: dict[str, int] = {}
    for count in counts:
        for name, number in count.items():
            out[name] = out.get(name, 0) + number
    for name in without:
        out.pop(name, None)
    return out


def of_product(text: str, strength: int, factors: Sequence[Piece], hidden: Iterable[str]) -> Piece:
    """The piece of a product; `hidden` are the names that its written sums bind."""
    stands = merged((factor.stands for factor in factors), hidden)
    opened = frozenset(name for name in stands if _open(factors, name))
    return Piece(text, strength, stands, opened)


def _open(factors: Sequence[Piece], name: str) -> bool:
    """Whether an index is left over in a product: it stands in one factor only, and once in that."""
    return any(name in factor.opened for factor in factors) and not _summed(factors, name)


def _summed(factors: Sequence[Piece], name: str) -> bool:
    opened = [factor for factor in factors if name in factor.opened]
    here = sum(name in factor.stands for factor in factors)
    return bool(opened) and (here > 1 or any(name in factor.twice for factor in opened))


def implied(name: str, above: Sequence[Piece], below: Sequence[Piece]) -> bool:
    """Whether a product sums an index without a written sum, and a reader sees at once that it does: it stands
    open in plain factors above the bar only."""
    if any(name in factor.stands for factor in below) or not _summed(above, name):
        return False
    return all(factor.plain and name in factor.opened for factor in above if name in factor.stands)
