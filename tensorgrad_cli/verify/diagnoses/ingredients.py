"""What the sides of a claim are made of, down to the tensors: slips in what stands nowhere in it need not be tried."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Apply, Const, Expression, Index, Op, Ref
from tensorgrad_cli.algebra.walking import occurring, references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.verify.diagnoses.draft import Draft

__all__ = ["Ingredients", "ingredients", "on_the_way"]

_ROOTS = frozenset({"sqrt", "rsqrt", "hypot"})
_NORMS = frozenset({"norm", "normalize", "std"})
_INVERTED = frozenset({"inv", "det", "logdet"})


class Ingredients(Struct, frozen=True):
    """Whether roots stand in the sides or in what they depend on, inverses of matrices (or what has one in its
    derivative, or a matrix whose inverse is its transpose), and entries with one index in two places."""

    roots: bool = False
    inverses: bool = False
    diagonals: bool = False


def ingredients(draft: Draft) -> Ingredients:
    """What a claim is made of; of one that cannot be read, everything. Worked out once."""
    known = draft.notes.get("ingredients")
    if known is None:
        known = draft.notes["ingredients"] = _found(draft)
    assert isinstance(known, Ingredients)
    return known


def _found(draft: Draft) -> Ingredients:
    if draft.reading is None:
        return Ingredients(roots=True, inverses=True, diagonals=True)
    roots, diagonals = False, False
    inverses = any(tensor.structure is not None for tensor in draft.bench.spec.tensors.values())
    for node in on_the_way(draft):
        match node:
            case Apply("pow", _, (_, exponent)):
                roots |= not isinstance(exponent, Const) or exponent.value.denominator != 1
            case Apply(function):
                roots |= function in _ROOTS
            case Op(operation):
                roots |= operation in _NORMS
                inverses |= operation in _INVERTED
            case Ref(_, positions):
                named = [position for position in positions if isinstance(position, Index)]
                diagonals |= len(named) > len(set(named))
            case _:
                pass
    return Ingredients(roots, inverses, diagonals)


def on_the_way(draft: Draft) -> Iterator[Expression]:
    """All that stands in the sides, which can be read, and in the equations that they depend on."""
    reading = draft.reading
    assert reading is not None
    sides = [lowered(side.expression, draft.scope) for side in (reading.left, reading.right)]
    equations = draft.bench.calculus.closure(references(sides[0]) | references(sides[1]))
    for part in chain(sides, (equation.expression for equation in equations)):
        yield from occurring(part)
