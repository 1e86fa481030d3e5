"""Slips in an exponent: a square forgotten, one too many, -1/2 for -3/2; and what stands beside a term under a root."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tensorgrad_cli.algebra.expression import Add, Expression, Index, Ref, add
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Indexed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Tree,
)
from tensorgrad_cli.verify.diagnoses.coefficients import scales_in_vain
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.ingredients import ingredients
from tensorgrad_cli.verify.diagnoses.splice import Edit, walk
from tensorgrad_cli.verify.diagnoses.truth import printed, printed_in

__all__ = ["exponent", "summand_inside"]

_STEPS = tuple(map(Fraction, (1, -1, 2, -2)))
_HALVES = (Fraction(1, 2), Fraction(-1, 2))


def exponent(draft: Draft) -> Iterator[Candidate]:
    """An exponent is one or two (or a half) too small, or too large."""
    below = _divisors(draft.side)
    # Where there are no roots none comes of a derivative.
    steps = (*_STEPS, *_HALVES) if ingredients(draft).roots else _STEPS
    for node, upside_down in _outside_derivatives(draft.side, below):
        had = _exponent(node)
        if had is None or scales_in_vain(draft, node):
            continue
        base, value = had
        for step in steps:
            new = value + step
            # From x to 1 and back again are factors; across zero nobody slips.
            if new * value <= 0 or abs(new) > 4:
                continue
            text = _power(draft, base, new)
            if text is None:
                continue
            grows = (abs(new) > abs(value)) == (value > 0) != upside_down
            kind = "missing-factor" if grows else "extra-factor"
            what = f"the exponent of {base.span.text} should be {new}, not {value}"
            yield Candidate(kind, what, draft.replaced([Edit.at(node.span, text)]))


def _exponent(node: Tree) -> tuple[Tree, Fraction] | None:
    match node:
        case Power(base, written):
            value = _number(written)
            return None if value is None else (base, value)
        case Name() | Indexed():
            return node, Fraction(1)
        case _:
            return None


def _number(tree: Tree) -> Fraction | None:
    match tree:
        case Number(value):
            return value
        case Signed(sign, operand):
            inner = _number(operand)
            return None if inner is None else -inner if sign == "-" else inner
        case Parenthesis(body):
            return _number(body)
        case Multiplied(first, (("/", second),)):
            above, below = _number(first), _number(second)
            return above / below if above is not None and below is not None and below else None
        case _:
            return None


def _power(draft: Draft, base: Tree, new: Fraction) -> str | None:
    """A base to a power; of a matrix in matrix notation entry by entry."""
    if draft.matrix and isinstance(base, Name):
        shape = draft.scope.shape(base.text)
        if shape is None:
            return None
        if len(shape) == 2:
            return f"{base.span.text}**{new}" if new.denominator == 1 and new > 0 else None
    if new == 1:
        return base.span.text
    plain = new.denominator == 1 and new > 0
    return f"{base.span.text}^{new}" if plain else f"{base.span.text}^({new})"


def _divisors(tree: Tree) -> list[Tree]:
    return [
        part for node in walk(tree) if isinstance(node, Multiplied) for sign, part in node.rest if sign == "/"
    ]


def _outside_derivatives(tree: Tree, divisors: list[Tree]) -> Iterator[tuple[Tree, bool]]:
    """Every place outside of derivatives that is no base of a power, and whether it stands in a divisor."""
    closed = [n.span for n in walk(tree) if isinstance(n, Derivative)]
    closed += [n.base.span for n in walk(tree) if isinstance(n, Power | Indexed)]
    closed += [n.function.span for n in walk(tree) if isinstance(n, Call)]
    for node in walk(tree):
        if not any(c.start <= node.span.start and node.span.end <= c.end for c in closed):
            inside = sum(d.span.start <= node.span.start and node.span.end <= d.span.end for d in divisors)
            yield node, inside % 2 == 1


def summand_inside(draft: Draft) -> Iterator[Candidate]:
    """`v` for `v + ε`: what a step adds to a tensor before it does anything with it."""
    sums = [
        part
        for step in draft.bench.calculus.steps
        for part in subexpressions(step.expression)
        if isinstance(part, Add)
    ]
    for node, _ in _outside_derivatives(draft.side, []):
        node = node.base if isinstance(node, Power) else node
        name = node if isinstance(node, Name) else node.base if isinstance(node, Indexed) else None
        if not isinstance(name, Name):
            continue
        for whole in sums:
            for k, part in enumerate(whole.terms):
                if not isinstance(part, Ref) or part.tensor != name.text:
                    continue
                rest = add(*whole.terms[:k], *whole.terms[k + 1 :])
                written = _rest(draft, node, part, rest)
                if written is None:
                    continue
                joined = f" - {written[1:]}" if written.startswith("-") else f" + {written}"
                what = f"the term {written} is missing beside {node.span.text}"
                text = draft.replaced([Edit.at(node.span, f"({node.span.text}{joined})")])
                yield Candidate("missing-term", what, text)


def _rest(draft: Draft, node: Tree, part: Ref, rest: Expression) -> str | None:
    if not isinstance(node, Indexed):
        indices = tuple(i for i in part.indices if isinstance(i, Index))
        return printed(draft, rest, indices) if draft.matrix else None
    names = {
        i: place.span.text
        for i, place in zip(part.indices, node.positions, strict=False)
        if isinstance(i, Index)
    }
    return printed_in(draft, rest, names) if rest.free <= names.keys() else None
