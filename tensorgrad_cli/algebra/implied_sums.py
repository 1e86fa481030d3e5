"""Which indices a product sums though nobody wrote the sum: the rule of open indices, on syntax trees.

An index stands *open* in a factor if it stands there without a partner; a partner is another occurrence
in the same product, its divisor included. Rule 1: a product sums an index that is open in one of its
factors, over all of them. Rule 2: if it is open in none, every factor sums its own. Rule 0, before both:
open twice above a fraction bar and only in closed pairs below it is an error.

Whether an index is open does not depend on which others are free, so everything here is a pure function
of the tree; whoever reads a product leaves out the names that are free or bound around it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import TypeVar, assert_never

from msgspec import Struct

from tensorgrad_cli.algebra.occurrences import ALONG, names_of, own_occurrences, place_of, terms_of
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
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
from tensorgrad_cli.source import Issue

__all__ = ["ImpliedSums"]

T = TypeVar("T")


class _Factor(Struct, frozen=True):
    """One factor of a product: how often each index stands in it, and which stand open.

    Names that written sums around it bind, in the same product, are left out.
    """

    tree: Tree
    below: bool
    stands: dict[str, int]
    opened: frozenset[str]

    def times(self, name: str) -> int:
        """How often an index counts: an entry may hold it twice, every other factor holds it once."""
        return self.stands[name] if isinstance(self.tree, Indexed) else int(name in self.stands)


def _factor_trees(tree: Tree, hidden: frozenset[str]) -> Iterator[tuple[Tree, bool, frozenset[str]]]:
    """The factors of a product; a written sum is no factor, those of its body are."""
    match tree:
        case Juxtaposed(factors):
            for factor in factors:
                yield from _factor_trees(factor, hidden)
        case Multiplied(first, rest):
            yield from _factor_trees(first, hidden)
            for sign, operand in rest:
                if sign == "/":
                    yield operand, True, hidden
                else:
                    yield from _factor_trees(operand, hidden)
        case Signed(_, operand):
            yield from _factor_trees(operand, hidden)
        case WrittenSum("sum", indices, body):
            yield from _factor_trees(body, hidden | names_of(indices))
        case _:
            yield tree, False, hidden


class ImpliedSums:
    """The rule, for the trees of one formula; what is found of a tree is remembered."""

    def __init__(self) -> None:
        # By identity: a tree's own hash would walk all of it. The tree is kept, so that its id stays taken.
        self._standing: dict[int, tuple[Tree, dict[str, int]]] = {}
        self._open: dict[int, tuple[Tree, frozenset[str]]] = {}

    def standing(self, tree: Tree) -> dict[str, int]:
        """How often each index stands in the tree, in the order of first occurrence; those that written sums
        and operations within it bind are left out."""
        return _remembered(self._standing, tree, self._find_standing)

    def _find_standing(self, tree: Tree) -> dict[str, int]:
        own, inside, hidden = own_occurrences(tree)
        found: dict[str, int] = {}
        for place in own:
            found[place.text] = found.get(place.text, 0) + 1
        for part in inside:
            for name, count in self.standing(part).items():
                if name not in hidden:
                    found[name] = found.get(name, 0) + count
        return found

    def open_names(self, tree: Tree) -> frozenset[str]:
        """The indices that stand open in a line, a parenthesis or an argument: in one of its summands."""
        return _remembered(self._open, tree, self._find_open)

    def _find_open(self, tree: Tree) -> frozenset[str]:
        found: set[str] = set()
        for term in terms_of(tree):
            factors = self._factors(term)
            names = set[str]().union(*(factor.opened for factor in factors))
            found |= {name for name in names if self._state(factors, name) == "open"}
        return frozenset(found)

    def _factors(self, tree: Tree) -> tuple[_Factor, ...]:
        out: list[_Factor] = []
        for factor, below, hidden in _factor_trees(tree, frozenset()):
            stands = {name: n for name, n in self.standing(factor).items() if name not in hidden}
            opened = self.open_in_factor(factor) - hidden if stands else frozenset()
            out.append(_Factor(factor, below, stands, opened))
        return tuple(out)

    def open_in_factor(self, tree: Tree) -> frozenset[str]:
        """The indices that stand open in one factor."""
        match tree:
            case Name() | Number():
                return frozenset()
            case Indexed() | Mask():
                return frozenset(self.standing(tree))
            case Parenthesis(body) | Bars(body):
                return self.open_names(body)
            case Call(function, arguments, _, _, _, indices):
                inside = frozenset[str]().union(*(self.open_names(argument) for argument in arguments))
                if indices is None:
                    return inside
                own = names_of(indices)
                return inside - own | (own if function.text in ALONG else frozenset())
            case WrittenSum("prod", indices, body):
                return self.open_names(body) - names_of(indices)
            case Power(base, exponent):
                return self.open_in_factor(base) | self.open_names(exponent)
            case Transposed(base):
                return self.open_in_factor(base)
            case Derivative(numerator, denominators):
                parts = (numerator, *denominators)
                return frozenset[str]().union(*(self.open_in_factor(part) for part in parts))
            case WrittenSum() | Signed() | Juxtaposed() | Multiplied() | Summed():
                return self.open_names(tree)
            case _:
                assert_never(tree)

    def _twice(self, tree: Tree, name: str) -> bool:
        """Whether an index stands twice in one tensor: a trace."""
        match tree:
            case Indexed():
                return self.standing(tree).get(name, 0) > 1
            case Derivative(Indexed() as numerator, denominators):
                parts = (numerator, *denominators)
                return sum(self.standing(part).get(name, 0) for part in parts) > 1
            case Derivative(numerator, denominators):
                below = sum(self.standing(part).get(name, 0) for part in denominators)
                return below + (name in self.open_in_factor(numerator)) > 1
            case _:
                return False

    def _state(self, factors: Collection[_Factor], name: str) -> str:
        """'summed' by the product (rule 1), 'open' (left over) or 'closed': every factor sums its own (rule 2)."""
        opened = [factor for factor in factors if name in factor.opened]
        if not opened:
            return "closed"
        here = sum(name in factor.stands for factor in factors)
        return "summed" if here > 1 or any(self._twice(factor.tree, name) for factor in opened) else "open"

    def summing(self, tree: Tree, name: str) -> Tree:
        """The smallest product that would sum an index that stands in the tree, were it not free there."""
        for term in terms_of(tree):
            for factor in self._factors(term):
                if name in factor.opened:
                    return term
                if name in factor.stands:
                    inside = own_occurrences(factor.tree)[1]
                    return self.summing(next(part for part in inside if name in self.standing(part)), name)
        return tree

    def of_product(self, tree: Tree, known: Collection[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The indices that a product sums by rule 1, and remarks. `known` are free or bound around it.

        Raises `unbound-index` for one that is left over, `ambiguous-sum` by rule 0.
        """
        names = [name for name in self.standing(tree) if name not in known]
        if not names:
            return (), ()
        factors = self._factors(tree)
        summed: list[str] = []
        remarks: list[str] = []
        for name in names:
            state = self._state(factors, name)
            if state == "closed":
                continue
            _check_bar(tree, factors, name)
            if state == "open":
                raise _left_over(tree, name)
            summed.append(name)
            count = sum(factor.times(name) for factor in factors if name in factor.stands)
            if count > 3:
                remarks.append(f"{name} stands {count} times in {tree.span.text}: one sum over all of it")
        return tuple(summed), tuple(remarks)


def _remembered(memory: dict[int, tuple[Tree, T]], tree: Tree, find: Callable[[Tree], T]) -> T:
    known = memory.get(id(tree))
    if known is None:
        known = memory[id(tree)] = (tree, find(tree))
    return known[1]


def _left_over(tree: Tree, name: str) -> Issue:
    text = tree.span.text
    return Issue(
        "unbound-index",
        place_of(tree, name),
        f"the index {name} is left over: it is not free, and stands in one factor only of {text}",
        f"write sum[{name}] {text} where it is to be summed",
    )


def _check_bar(tree: Tree, factors: Collection[_Factor], name: str) -> None:
    """Rule 0: `a[k] b[k] / (a[k] a[k])` has two readings."""
    here = [factor for factor in factors if name in factor.stands]
    above = sum(factor.times(name) for factor in here if not factor.below and name in factor.opened)
    below = [factor for factor in here if factor.below]
    if above < 2 or not below or any(name in factor.opened for factor in below):
        return
    divisor = below[0].tree.span
    text = divisor.source.text[tree.span.start : divisor.start]
    top = text.rstrip().removesuffix("/").rstrip()
    raise Issue(
        "ambiguous-sum",
        divisor,
        f"{tree.span.text} can be read in two ways: "
        f"{name} is open above the fraction bar and closed below it",
        f"write sum[{name}] {top} / {divisor.text} for one sum over the fraction, "
        f"or ({top}) / {divisor.text} for a sum above and a sum below",
    )
