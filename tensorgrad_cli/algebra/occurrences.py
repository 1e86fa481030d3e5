"""Where indices stand in a syntax tree, and what binds them lexically."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from typing import Any

from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
    IndexRange,
    Juxtaposed,
    Mask,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Transposed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.source import Span

__all__ = [
    "ALONG",
    "bound_names",
    "children",
    "is_indexed",
    "names_of",
    "own_occurrences",
    "place_of",
    "terms_of",
]

# Operations along an index that stays free: they bind nothing.
ALONG = ("softmax", "log_softmax", "normalize", "cumsum")


# Looked up by class, as in `walking`.
_INSIDE: dict[type, Callable[[Any], tuple[Tree, ...]]] = {
    Name: lambda _: (),
    Number: lambda _: (),
    Indexed: lambda tree: (tree.base, *tree.positions),
    Call: lambda tree: (*tree.arguments, *(value for _, value in tree.keywords)),
    WrittenSum: lambda tree: (tree.body,),
    Parenthesis: lambda tree: (tree.body,),
    Bars: lambda tree: (tree.body,),
    Signed: lambda tree: (tree.operand,),
    Power: attrgetter("base", "exponent"),
    Transposed: lambda tree: (tree.base,),
    Juxtaposed: attrgetter("factors"),
    Multiplied: lambda tree: (tree.first, *[operand for _, operand in tree.rest]),
    Summed: lambda tree: (tree.first, *[term for _, term in tree.rest]),
    Derivative: lambda tree: (tree.numerator, *tree.denominators),
    Mask: attrgetter("left", "right"),
}


def children(tree: Tree) -> tuple[Tree, ...]:
    """The trees directly inside, positions and ranges of indices included."""
    return _INSIDE[type(tree)](tree)


_BRACKETED = (Indexed, WrittenSum, Mask)


def is_indexed(tree: Tree) -> bool:
    """Whether anything in the tree carries index brackets: then its side is in index notation."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, _BRACKETED) or (isinstance(part, Call) and part.indices is not None):
            return True
        stack.extend(children(part))
    return False


def names_of(indices: Iterable[IndexRange]) -> frozenset[str]:
    """The names that a written sum or an operation binds."""
    return frozenset(index.name.text for index in indices)


def terms_of(tree: Tree) -> tuple[Tree, ...]:
    """The summands of a line, of a parenthesis or of an argument."""
    if isinstance(tree, Summed):
        return (tree.first, *(term for _, term in tree.rest))
    return (tree,)


def bound_names(tree: Tree) -> frozenset[str]:
    """The names that written sums and operations bind anywhere inside."""
    return _bound_here(tree).union(*(bound_names(part) for part in children(tree)))


def _bound_here(tree: Tree) -> frozenset[str]:
    match tree:
        case WrittenSum(_, indices):
            return names_of(indices)
        case Call(indices=indices) if indices is not None:
            return names_of(indices)
        case _:
            return frozenset()


def _position_names(positions: Iterable[Tree]) -> Iterator[Name]:
    for position in positions:
        match position:
            case Name():
                yield position
            case Indexed(_, inner):
                yield from _position_names(inner)
            case _:
                yield from _position_names(children(position))


def own_occurrences(tree: Tree) -> tuple[tuple[Name, ...], tuple[Tree, ...], frozenset[str]]:
    """The indices that stand in the brackets of the tree itself, the trees inside it in which more may stand,
    and the names that it binds there."""
    match tree:
        case Indexed(base, positions):
            return tuple(_position_names(positions)), () if isinstance(base, Name) else (base,), frozenset()
        case Mask(left, _, right):
            return tuple(_position_names((left, right))), (), frozenset()
        case Call(function, arguments, _, _, _, indices) if indices is not None:
            own = tuple(index.name for index in indices) if function.text in ALONG else ()
            return own, arguments, names_of(indices)
        case _:
            return (), children(tree), _bound_here(tree)


def place_of(tree: Tree, name: str) -> Span:
    """Where an index first stands; the whole tree where it does not."""
    return _place_of(tree, name) or tree.span


def _place_of(tree: Tree, name: str) -> Span | None:
    own, inside, hidden = own_occurrences(tree)
    for place in own:
        if place.text == name:
            return place.span
    if name in hidden:
        return None
    return next((found for part in inside if (found := _place_of(part, name)) is not None), None)
