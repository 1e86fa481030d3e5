"""Changes to the text of a formula at the places that its syntax tree names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tensorgrad_cli.algebra.occurrences import children
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
    Juxtaposed,
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
    "Edit",
    "Factor",
    "Term",
    "as_factor",
    "as_power_base",
    "doubled",
    "factors",
    "is_number_like",
    "positions",
    "put",
    "removed",
    "terms",
    "walk",
]


class Edit(Struct, frozen=True):
    """The characters from `start` to `end` replaced by `text`."""

    start: int
    end: int
    text: str

    @staticmethod
    def at(span: Span, text: str) -> Edit:
        """The characters of a span replaced."""
        return Edit(span.start, span.end, text)


def put(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits done; they do not overlap."""
    for edit in sorted(edits, key=lambda e: (e.start, e.end), reverse=True):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return text


def walk(tree: Tree) -> Iterator[Tree]:
    """The tree and all trees in it, positions left out; outer ones first, from left to right."""
    yield tree
    inner = (tree.base,) if isinstance(tree, Indexed) else children(tree)
    for part in inner:
        yield from walk(part)


class Term(Struct, frozen=True):
    """A summand without its sign. `sign_at` is the place of its sign, None where it has none written;
    `first` says that no term stands before it."""

    operand: Tree
    negative: bool
    sign_at: Span | None
    first: bool
    alone: bool
    linear: bool


def terms(tree: Tree, linear: bool = True) -> Iterator[Term]:
    """The summands of a line, of its parentheses and of its arguments; outer ones first.

    `linear` says that the value of the line is linear in the term: no function, power or divisor is around.
    """
    yield from _terms_here(tree, linear)
    yield from _terms_inside(tree, linear)


def _terms_here(tree: Tree, linear: bool) -> Iterator[Term]:
    parts = [("+", tree.first), *tree.rest] if isinstance(tree, Summed) else [("+", tree)]
    end = tree.span.start
    for k, (sign, part) in enumerate(parts):
        negative, operand = sign == "-", part
        at = Span(part.span.source, end, part.span.start) if k else None
        while isinstance(operand, Signed):
            negative ^= operand.sign == "-"
            start = at.start if at is not None else operand.span.start
            at = Span(operand.span.source, start, operand.operand.span.start)
            operand = operand.operand
        yield Term(operand, negative, at, k == 0, len(parts) == 1, linear)
        end = part.span.end


def _terms_inside(tree: Tree, linear: bool) -> Iterator[Term]:
    match tree:
        case Parenthesis(body):
            yield from terms(body, linear) if _is_sum(body) else _terms_inside(body, linear)
        case Bars(body):
            yield from terms(body, False)
        case Call(function, arguments):
            inner = linear and function.text in _LINEAR
            for argument in arguments:
                yield from terms(argument, inner)
        case Power(base):
            yield from _terms_inside(base, False)
        case Multiplied(first, rest):
            yield from _terms_inside(first, linear)
            for sign, operand in rest:
                yield from _terms_inside(operand, linear and sign != "/")
        case Derivative():
            return
        case _:
            inside = (tree.base,) if isinstance(tree, Indexed) else children(tree)
            for part in inside:
                yield from _terms_inside(part, linear)


_LINEAR = frozenset({"sum", "mean", "tr", "diag", "vec", "transpose"})


def _is_sum(tree: Tree) -> bool:
    return isinstance(tree, Summed | Signed)


class Factor(Struct, frozen=True):
    """A factor of a product: what would have to go with it for the rest to stay a product.

    `before` is the written sign in front ('' for juxtaposition, None where it is the first); `product` is
    the product it stands in; `alone` says that it is all of it.
    """

    tree: Tree
    before: str | None
    product: Tree
    index: int
    count: int


def factors(tree: Tree) -> Iterator[Factor]:
    """The factors of every product in a tree, outer products first. A product of one factor counts where it
    is a whole line, a term, the body of a parenthesis or of a written sum."""
    for node in walk(tree):
        match node:
            case Juxtaposed(parts):
                for k, part in enumerate(parts):
                    yield Factor(part, "" if k else None, node, k, len(parts))
            case Multiplied(first, rest):
                yield Factor(first, None, node, 0, len(rest) + 1)
                for k, (sign, part) in enumerate(rest, 1):
                    yield Factor(part, sign, node, k, len(rest) + 1)
            case _:
                pass


def removed(factor: Factor) -> Edit:
    """The edit that takes a factor out of its product."""
    source = factor.tree.span.source
    parts = _operands(factor.product)
    k = factor.index
    if len(parts) == 1:
        return Edit.at(factor.tree.span, "1")
    if k:
        return Edit(parts[k - 1].span.end, parts[k].span.end, "")
    following = factor.product.rest[0][0] if isinstance(factor.product, Multiplied) else ""
    if following == "/":
        return Edit.at(factor.tree.span, "1")
    del source
    return Edit(parts[0].span.start, parts[1].span.start, "")


def _operands(product: Tree) -> tuple[Tree, ...]:
    match product:
        case Juxtaposed(parts):
            return parts
        case Multiplied(first, rest):
            return (first, *(part for _, part in rest))
        case _:
            return (product,)


def positions(tree: Tree) -> Iterator[tuple[Indexed, int, Tree]]:
    """Every position in brackets, with the entry it belongs to and its number; in derivatives too."""
    if isinstance(tree, Indexed):
        for k, position in enumerate(tree.positions):
            yield tree, k, position
        yield from positions(tree.base)
        return
    for part in children(tree):
        yield from positions(part)


def doubled(tree: Tree) -> list[Edit]:
    """The edits that take out parentheses around nothing but parentheses, around a whole side and a whole argument."""
    edits: list[Edit] = []
    arguments = {
        (a.span.start, a.span.end) for node in walk(tree) if isinstance(node, Call) for a in node.arguments
    }
    for node in walk(tree):
        whole = node is tree or (node.span.start, node.span.end) in arguments
        if isinstance(node, Parenthesis) and (isinstance(node.body, Parenthesis) or whole):
            start, end = node.span.start, node.span.end
            edits += [Edit(start, start + 1, ""), Edit(end - 1, end, "")]
    return edits


def is_number_like(tree: Tree) -> bool:
    """Whether a tree is a numeral or a quotient of numerals."""
    match tree:
        case Number():
            return True
        case Multiplied(Number(), ((sign, Number()),)):
            return sign == "/"
        case Parenthesis(body):
            return is_number_like(body)
        case _:
            return False


def as_factor(tree: Tree, text: str | None = None) -> str:
    """A tree's text as one factor: in parentheses where it binds less."""
    written = tree.span.text if text is None else text
    match tree:
        case Summed() | Signed() | Multiplied() | Juxtaposed() | WrittenSum():
            return f"({written})"
        case _:
            return written


def as_power_base(tree: Tree) -> str:
    """A tree's text as what a transpose or a power may follow."""
    match tree:
        case Name() | Parenthesis() | Call() | Indexed() | Number():
            return tree.span.text
        case Transposed() | Power() | Derivative():
            return f"({tree.span.text})"
        case _:
            return f"({tree.span.text})"
