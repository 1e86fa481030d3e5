"""What is done to the text of a term: its sign turned, the term dropped, a coefficient put to it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from msgspec import Struct

from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.occurrences import children
from tensorgrad_cli.notation.tree import (
    Call,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Tree,
)
from tensorgrad_cli.verify.diagnoses.splice import Edit, Term, factors, is_number_like, removed

__all__ = [
    "Coefficient",
    "dropped",
    "inserted",
    "is_constant",
    "leading_numeral",
    "scaled",
    "turned",
    "written",
]


class Coefficient(Struct, frozen=True):
    """What a term has to be multiplied by: a number times a dimension to a power."""

    number: Fraction
    dimension: str | None = None
    exponent: Fraction = Fraction(0)


def written(c: Coefficient) -> str:
    """A coefficient as text: `2/m`, `sqrt(d)`."""
    if c.dimension is None:
        return str(c.number)
    power = {1: c.dimension, 2: f"{c.dimension}²"}.get(int(abs(c.exponent)), f"√{c.dimension}")
    if abs(c.exponent) == Fraction(1, 2):
        power = f"√{c.dimension}"
    if c.exponent < 0:
        return f"{c.number}/{power}" if c.number.denominator == 1 else f"{c.number} / {power}"
    return power if c.number == 1 else f"{c.number} {power}"


def inserted(term: Term, text: str) -> Edit:
    at = term.operand.span.start
    return Edit(at, at, text)


def turned(term: Term) -> list[Edit]:
    """The edits that turn the sign of a term round."""
    if isinstance(term.operand, Summed):
        return [Edit.at(term.operand.span, f"-({term.operand.span.text})")]
    if term.sign_at is None:
        return [inserted(term, "-")]
    new = "" if term.first and term.negative else " + " if term.negative else " - "
    if term.first and not term.negative:
        new = "-"
    return [Edit.at(term.sign_at, new)]


def dropped(term: Term) -> list[Edit]:
    """The edits that take a term out of its sum."""
    if term.alone:
        return [Edit.at(term.operand.span, "0")]
    if not term.first and term.sign_at is not None:
        return [Edit(term.sign_at.start, term.operand.span.end, "")]
    start = term.sign_at.start if term.sign_at is not None else term.operand.span.start
    rest = term.operand.span.source.text[term.operand.span.end :]
    blank = len(rest) - len(rest.lstrip())
    sign = rest[blank : blank + 1]
    after = rest[blank + 1 :]
    more = len(after) - len(after.lstrip())
    end = term.operand.span.end + blank + 1 + more
    return [Edit(start, end, "" if sign == "+" else "-")]


def scaled(term: Term, c: Coefficient) -> Iterator[list[Edit]]:
    """The edits that multiply a term by a coefficient, the plainest first."""
    yield from _taken_out(term, c)
    yield from _merged(term, c)
    yield _multiplied(term, c)


def _taken_out(term: Term, c: Coefficient) -> Iterator[list[Edit]]:
    """Take out a factor that is a number, a dimension or a root of one: it may be what is too many."""
    for factor in factors(term.operand):
        if _is_constant(factor.tree, c):
            yield [removed(factor)]


def _merged(term: Term, c: Coefficient) -> Iterator[list[Edit]]:
    """A factor that is a size or its root, raised to another power: `√d` for d."""
    if c.dimension is None or c.number != 1:
        return
    for factor in factors(term.operand):
        had = _root_of(factor.tree, c.dimension)
        if had is None:
            continue
        below = factor.before == "/"
        new = (-had if below else had) + c.exponent
        power = {Fraction(1): c.dimension, Fraction(1, 2): f"sqrt({c.dimension})"}.get(-new if below else new)
        if power is not None:
            yield [Edit.at(factor.tree.span, power)]


def _root_of(tree: Tree, dimension: str) -> Fraction | None:
    match tree:
        case Name(text) if text == dimension:
            return Fraction(1)
        case Call(function, (Name(text),)) if function.text == "sqrt" and text == dimension:
            return Fraction(1, 2)
        case Parenthesis(body):
            return _root_of(body, dimension)
        case _:
            return None


def _is_constant(tree: Tree, c: Coefficient) -> bool:
    match tree:
        case Number():
            return True
        case Name(text):
            return text == c.dimension
        case Parenthesis(body):
            return _is_constant(body, c) or is_number_like(body)
        case Call(function, (argument,)):
            return function.text == "sqrt" and _is_constant(argument, c)
        case Multiplied(Number(), ((_, operand),)):
            return isinstance(operand, Number) or _is_constant(operand, c)
        case _:
            return False


def is_constant(tree: Tree, scope: Scope) -> bool:
    """Whether a tree is made of numerals and sizes alone."""
    match tree:
        case Number():
            return True
        case Name(text):
            return text in scope.dimensions and scope.shape(text) is None
        case Call(function, (argument,)) if function.text == "sqrt":
            return is_constant(argument, scope)
        case Parenthesis() | Multiplied() | Juxtaposed() | Summed() | Signed() | Power():
            return all(is_constant(part, scope) for part in children(tree))
        case _:
            return False


def _multiplied(term: Term, c: Coefficient) -> list[Edit]:
    number, edits = c.number, []
    operand = term.operand
    numeral = leading_numeral(operand)
    if numeral is not None:
        tree, value = numeral
        number *= value
    magnitude = abs(number)
    front = "" if magnitude == 1 else f"{magnitude} "
    behind = ""
    if c.dimension is not None:
        name = c.dimension
        power = f"sqrt({name})" if abs(c.exponent) == Fraction(1, 2) else name
        if abs(c.exponent) == 2:
            power = f"{name}^2"
        if c.exponent > 0:
            front += f"{power} " if not name.isdecimal() else f"{power} * "
        else:
            behind = f" / {power}"
    if numeral is not None and operand.span == tree.span:
        edits.append(Edit.at(tree.span, f"{front or '1'}{behind}".strip()))
    elif numeral is not None:
        text = tree.span.source.text
        end = tree.span.end
        while text[end : end + 1] in (" ", "*"):
            end += 1
        edits.append(Edit(tree.span.start, end, front))
        edits.append(Edit(operand.span.end, operand.span.end, behind))
    elif isinstance(operand, Summed):
        edits.append(Edit.at(operand.span, f"{front}({operand.span.text}){behind}"))
    else:
        edits.append(Edit(operand.span.start, operand.span.start, front))
        edits.append(Edit(operand.span.end, operand.span.end, behind))
    if number < 0:
        edits = _negated(term, edits)
    return [e for e in edits if e.text or e.end > e.start]


def _negated(term: Term, edits: list[Edit]) -> list[Edit]:
    if term.sign_at is not None:
        new = "" if term.first and term.negative else " + " if term.negative else " - "
        return [*edits, Edit.at(term.sign_at, new)]
    first = edits[0]
    if first.start == term.operand.span.start:
        return [Edit(first.start, first.end, f"-{first.text}"), *edits[1:]]
    return [*edits, inserted(term, "-")]


def leading_numeral(tree: Tree) -> tuple[Tree, Fraction] | None:
    """The numeral that a product begins with, and its value."""
    match tree:
        case Number(value):
            return tree, value
        case Juxtaposed(factors_):
            return _numeral(factors_[0])
        case Multiplied(first, rest):
            if rest[0][0] == "/" and isinstance(first, Number):
                return None
            return leading_numeral(first) if isinstance(first, Juxtaposed) else _numeral(first)
        case _:
            return None


def _numeral(tree: Tree) -> tuple[Tree, Fraction] | None:
    match tree:
        case Number(value):
            return tree, value
        case Multiplied(Number(above), (("/", Number(below)),)):
            return tree, above / below
        case Parenthesis(body):
            inner = _numeral(body)
            return None if inner is None else (tree, inner[1])
        case _:
            return None
