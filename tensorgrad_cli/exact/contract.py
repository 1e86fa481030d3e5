"""A product with its sums as a sequence of products of two: which first, and the subscripts of each."""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Index

__all__ = ["Contraction", "contractions", "ordered"]

_LETTERS = string.ascii_letters.replace("Z", "")


class Contraction(Struct, frozen=True):
    """Two operands, by their place in the list of those left, replaced by their product at its end."""

    first: int
    second: int
    subscripts: str


@lru_cache(maxsize=1 << 14)
def ordered(free: frozenset[Index]) -> tuple[Index, ...]:
    """The order of axes of every evaluated array: that of its indices."""
    return tuple(sorted(free))


@lru_cache(maxsize=1 << 14)
def contractions(operands: tuple[tuple[Index, ...], ...], out: tuple[Index, ...]) -> tuple[Contraction, ...]:
    """The steps that contract operands with these axes to one with the axes `out`, the least ones first.

    Two at a time, so that each product can be reduced before the next; an index is summed as soon as no
    other operand has it. 'Z' is the axis of the draws. The last operand left has exactly the axes `out`.
    """
    left = list(operands)
    # In how many operands each index stands; one of the result counts as in one more.
    stands = Counter(index for operand in operands for index in operand)
    stands.update(out)
    steps: list[Contraction] = []
    while len(left) > 1:
        first, second, kept = min(
            ((a, b, _kept(left[a], left[b], stands)) for b in range(len(left)) for a in range(b)),
            key=lambda pair: (len(pair[2]), len(left[pair[0]]) + len(left[pair[1]])),
        )
        result = out if len(left) == 2 else tuple(sorted(kept))
        steps.append(Contraction(first, second, _subscripts(left[first], left[second], result)))
        stands.subtract([*left[first], *left[second]])
        stands.update(result)
        left = [operand for k, operand in enumerate(left) if k not in (first, second)] + [result]
    return tuple(steps)


def _subscripts(first: tuple[Index, ...], second: tuple[Index, ...], result: tuple[Index, ...]) -> str:
    letter = dict(zip(sorted({*first, *second}), _LETTERS, strict=False))
    texts = ("Z" + "".join(letter[index] for index in indices) for indices in (first, second, result))
    return "{},{}->{}".format(*texts)


def _kept(first: tuple[Index, ...], second: tuple[Index, ...], stands: Mapping[Index, int]) -> list[Index]:
    """The indices of the product of two operands that something else has."""
    both = dict.fromkeys((*first, *second))
    return [index for index in both if stands[index] > (index in first) + (index in second)]
