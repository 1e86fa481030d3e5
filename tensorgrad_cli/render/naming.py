"""What names a printed formula may use: spellings, what a derivative's name stands for, names of indices."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Affine, Derivative, Dimension, Equation, Gather, Index, Position
from tensorgrad_cli.notation.names import unicode_name

__all__ = ["Naming", "bar_spelling", "counted", "free_names", "named", "position", "positions"]

_LETTERS = "ijklmnpqrstuvabcdegh"


class Naming(Struct, frozen=True):
    """How the names of an expression are printed.

    `spellings` has the reader's spelling of each canonical name; `ranks` the number of indices of each
    tensor, step, definition and derivative; `derivatives` what the name of a derivative stands for;
    `definitions` the expressions that stand under a ∂. `taken` are words of ours that a declared name hides;
    `functions` are the declared ones, `dimensions` the named ones. `layout` is the order of the axes of a tensor's
    derivative by a tensor that is written without indices, `shapes` are those of the declared tensors.
    """

    spellings: Mapping[str, str] = {}
    ranks: Mapping[str, int] = {}
    derivatives: Mapping[str, Derivative] = {}
    definitions: Mapping[str, Equation] = {}
    taken: frozenset[str] = frozenset()
    functions: frozenset[str] = frozenset()
    dimensions: frozenset[str] = frozenset()
    layout: str = "numerator"
    shapes: Mapping[str, tuple[Dimension, ...]] = {}

    def spelling(self, name: str) -> str:
        """The name as the reader wrote it."""
        return self.spellings.get(name, name)


Names = Mapping[Index, str]


def free_names(indices: Iterable[Index]) -> dict[Index, str]:
    """A name for each free index: its own, or another where two have the same."""
    names: dict[Index, str] = {}
    for index in sorted(indices, key=lambda i: (i.serial, i.name, i.dimension)):
        names[index] = _free(index.name, names.values())
    return names


def named(indices: Iterable[Index], names: Names) -> dict[Index, str]:
    """The names with those of newly bound indices added, unlike any that is in use."""
    out = dict(names)
    for index in indices:
        out[index] = _free(index.name, out.values())
    return out


def _free(name: str, used: Iterable[str]) -> str:
    taken = set(used)
    return name if name not in taken else next(c for c in _candidates() if c not in taken)


def _candidates() -> Iterator[str]:
    yield from _LETTERS
    number = 1
    while True:
        yield from (f"{letter}{number}" for letter in _LETTERS)
        number += 1


def position(place: Position, names: Names, naming: Naming) -> str:
    """A position as text: `i`, `0`, `2i+k-1`, `t[i]`."""
    match place:
        case Index():
            return names.get(place, place.name)
        case int():
            return str(place)
        case Affine(terms, offset):
            parts: list[str] = []
            for coefficient, index in terms:
                sign = "-" if coefficient < 0 else "+" if parts else ""
                number = "" if abs(coefficient) == 1 else str(abs(coefficient))
                parts.append(f"{sign}{number}{names.get(index, index.name)}")
            if offset:
                parts.append(f"{offset:+d}")
            return "".join(parts)
        case Gather(tensor, inner):
            return f"{naming.spelling(tensor)}[{positions(inner, names, naming)}]"


def positions(places: Iterable[Position], names: Names, naming: Naming) -> str:
    """Positions with commas."""
    return ",".join(position(place, names, naming) for place in places)


def counted(places: Iterable[Position], names: Names) -> dict[str, int]:
    """How often each index stands in some positions."""
    counts: dict[str, int] = {}
    for place in places:
        for index in _standing(place):
            name = names.get(index, index.name)
            counts[name] = counts.get(name, 0) + 1
    return counts


def _standing(place: Position) -> Iterator[Index]:
    match place:
        case Index():
            yield place
        case Affine(terms):
            yield from (index for _, index in terms)
        case Gather(_, inner):
            for position_inside in inner:
                yield from _standing(position_inside)


def bar_spelling(bar: str, spelling: str) -> str:
    """How a cotangent is spelled: `w̄`, but `z1_bar`, `y_hat_bar` and `cost_bar`: a bar stands on a single letter
    only. `bar` is its canonical name, `spelling` the reader's of the tensor."""
    return unicode_name(bar) if len(spelling) == 1 and bar.count("_") == 1 else bar
