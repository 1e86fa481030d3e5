"""A product with its sums as a sequence of products of two: which first, and the subscripts of each."""

from __future__ import annotations

import string
from functools import lru_cache

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Index

__all__ = ["Contraction", "contractions", "ordered"]


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
    everything = sorted({index for operand in operands for index in operand})
    letter = dict(zip(everything, string.ascii_letters.replace("Z", ""), strict=False))

    def text(indices: tuple[Index, ...]) -> str:
        return "Z" + "".join(letter[index] for index in indices)

    left = list(operands)
    steps: list[Contraction] = []
    while len(left) > 1:
        first, second, kept = min(
            ((a, b, _kept(left, a, b, out)) for b in range(len(left)) for a in range(b)),
            key=lambda pair: (len(pair[2]), len(left[pair[0]]) + len(left[pair[1]])),
        )
        result = out if len(left) == 2 else kept
        steps.append(Contraction(first, second, f"{text(left[first])},{text(left[second])}->{text(result)}"))
        left = [operand for k, operand in enumerate(left) if k not in (first, second)] + [result]
    return tuple(steps)


def _kept(
    left: list[tuple[Index, ...]], first: int, second: int, out: tuple[Index, ...]
) -> tuple[Index, ...]:
    elsewhere = set(out).union(*(left[k] for k in range(len(left)) if k not in (first, second)))
    return tuple(sorted((set(left[first]) | set(left[second])) & elsewhere))
