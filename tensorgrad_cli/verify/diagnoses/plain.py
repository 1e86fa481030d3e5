"""Suggestions as one would write them: no factor 1, no term 0, and never that something is itself."""

from __future__ import annotations

from fractions import Fraction

from tensorgrad_cli.algebra.occurrences import children
from tensorgrad_cli.notation.tree import (
    Call,
    EquationTree,
    Indexed,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Signed,
    Summed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.scaling import dropped
from tensorgrad_cli.verify.diagnoses.splice import Edit, doubled, factors, removed, terms

__all__ = ["says_nothing", "untidy"]


def untidy(side: Tree) -> list[Edit]:
    """The edits that take one thing out of a side that need not be there: a factor 1, a term 0, parentheses twice.
    Empty where there is none; one at a time, since they may lie within each other."""
    for factor in factors(side):
        if _is(factor.tree, 1) and factor.before != "/":
            following = factor.product.rest[0][0] if isinstance(factor.product, Multiplied) else ""
            if factor.index or following != "/":
                return [removed(factor)]
    for term in terms(side):
        if not term.alone and _is(term.operand, 0):
            return dropped(term)
    return doubled(side)


def _is(tree: Tree, value: int) -> bool:
    if isinstance(tree, Parenthesis):
        return _is(tree.body, value)
    return isinstance(tree, Number) and tree.value == value


def says_nothing(equation: EquationTree) -> bool:
    """Whether both sides are the same formula, but for parentheses, factors 1, terms 0 and the names of what is
    summed over."""
    return _form(equation.left, {}) == _form(equation.right, {})


Form = tuple[object, ...]


def _form(tree: Tree, bound: dict[str, str]) -> Form:
    match tree:
        case Number(value):
            return ("number", value)
        case Name(text):
            return ("name", bound.get(text, text))
        case Parenthesis(body):
            return _form(body, bound)
        case Signed("+", operand):
            return _form(operand, bound)
        case Juxtaposed() | Multiplied():
            return _product(tree, bound)
        case Summed(first, rest):
            parts = [("+", _form(first, bound)), *((sign, _form(part, bound)) for sign, part in rest)]
            kept = [part for part in parts if part[1] != ("number", Fraction(0))]
            if len(kept) == 1 and kept[0][0] == "+":
                return kept[0][1]
            return ("sum", *kept)
        case WrittenSum(kind, indices, body):
            inner = _renamed(bound, [i.name.text for i in indices])
            ranges = [None if i.range is None else _form(i.range, bound) for i in indices]
            return (kind, *ranges, _form(body, inner))
        case Call(function, arguments, keywords, primes, partials, indices):
            inner = _renamed(bound, [i.name.text for i in indices or ()])
            named = [(name.text, _form(value, bound)) for name, value in keywords]
            inside = [_form(argument, inner) for argument in arguments]
            return ("call", function.text, primes, partials, len(indices or ()), *named, *inside)
        case Indexed(base, positions):
            return ("entry", _form(base, bound), *(_form(position, bound) for position in positions))
        case _:
            own = getattr(tree, "sign", None), getattr(tree, "own", None), getattr(tree, "inverse", None)
            return (type(tree).__name__, *own, *(_form(part, bound) for part in children(tree)))


def _renamed(bound: dict[str, str], names: list[str]) -> dict[str, str]:
    return bound | {name: f"#{len(bound) + k}" for k, name in enumerate(names)}


def _product(tree: Juxtaposed | Multiplied, bound: dict[str, str]) -> Form:
    """The factors with the signs in front of them, those of inner products among them, factors 1 left out."""
    rest = tree.rest if isinstance(tree, Multiplied) else tuple(("", part) for part in tree.factors[1:])
    first = tree.first if isinstance(tree, Multiplied) else tree.factors[0]
    out: list[tuple[str, Form]] = []
    for sign, part in (("", first), *rest):
        form = _form(part, bound)
        if sign != "/" and form == ("number", Fraction(1)):
            continue
        inner = _factors(form) if sign != "/" else ((sign, form),)
        out += [(sign, inner[0][1]), *inner[1:]]
    if out and out[0][0] != "/":
        out[0] = ("", out[0][1])
    return out[0][1] if len(out) == 1 and out[0][0] != "/" else ("product", *out)


def _factors(form: Form) -> tuple[tuple[str, Form], ...]:
    match form:
        case ("product", *parts):
            return tuple(parts)  # type: ignore[arg-type]
        case _:
            return (("", form),)
