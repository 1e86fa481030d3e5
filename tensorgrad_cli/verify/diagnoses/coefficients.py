"""Slips in the coefficient of a term: its sign, a number, a dimension, or the whole term too many.

Every term of the claim, at any depth at which the claim is linear in it, is tried with the coefficient that
would make the claim right: there is one, the same for all entries, or there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension, Index, subexpressions
from tensorgrad_cli.notation.tree import (
    Call,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Summed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.draft import NEAR, Array, Candidate, Draft, close
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    Term,
    factors,
    is_number_like,
    removed,
    terms,
    walk,
)

__all__ = ["constant_factor", "dropped", "mean_or_sum", "sign", "term_too_many"]

LARGEST = 64
_EXPONENTS = (Fraction(-1), Fraction(1), Fraction(-1, 2), Fraction(1, 2), Fraction(-2), Fraction(2))


class Coefficient(Struct, frozen=True):
    """What a term has to be multiplied by: a number times a dimension to a power."""

    number: Fraction
    dimension: str | None = None
    exponent: Fraction = Fraction(0)


def needed_coefficients(draft: Draft) -> list[tuple[Term, float]]:
    """The terms of the claim with the coefficient that makes it right; worked out once."""
    known = draft.notes.get("coefficients")
    if known is None:
        known = draft.notes["coefficients"] = list(_needed(draft))
    assert isinstance(known, list)
    return known


def _needed(draft: Draft) -> Iterator[tuple[Term, float]]:
    truth, claim = draft.truth, draft.claimed
    if truth is None or claim is None or close(truth, claim):
        return
    if isinstance(draft.side, Summed):
        whole = _ratio(truth, claim, max(_size(truth), _size(claim)))
        if whole is not None:
            yield Term(draft.side, False, None, True, True, True), whole
    for term in terms(draft.side):
        if not term.linear:
            continue
        if term.operand.span == draft.side.span or (term.alone and term.first and _is_whole(draft, term)):
            without: Array | None = np.zeros_like(claim)
        else:
            pair = draft.values(draft.replaced([_inserted(term, "0 * ")]))
            without = None if pair is None else pair[1]
        if without is None or without.shape != truth.shape:
            continue
        found = _ratio(truth - without, claim - without, max(_size(truth), _size(claim)))
        if found is not None:
            yield term, found


def _is_whole(draft: Draft, term: Term) -> bool:
    if term.operand is draft.side:
        return True
    inside = draft.side
    while not isinstance(inside, Parenthesis) and inside.span != term.operand.span:
        step = getattr(inside, "operand", None)
        if step is None:
            return False
        inside = step
    return inside.span == term.operand.span


def _size(a: Array) -> float:
    finite = np.abs(a[np.isfinite(a)])
    return float(finite.max()) if finite.size else 0.0


def _ratio(wanted: Array, had: Array, scale: float) -> float | None:
    """The number by which `had` is `wanted`, where there is one for all entries."""
    good = np.isfinite(wanted) & np.isfinite(had)
    if not good.any():
        return None
    w, h = wanted[good].ravel(), had[good].ravel()
    size = float(h @ h)
    if size == 0.0:
        return None
    ratio = float(h @ w) / size
    if np.abs(w - ratio * h).max() > NEAR * scale:
        return None
    return 0.0 if abs(ratio) < NEAR else ratio


def _inserted(term: Term, text: str) -> Edit:
    at = term.operand.span.start
    return Edit(at, at, text)


# --- the slips ----------------------------------------------------------------------------------------


def sign(draft: Draft) -> Iterator[Candidate]:
    """One sign is wrong."""
    for term, ratio in needed_coefficients(draft):
        if abs(ratio + 1) < NEAR:
            what = (
                "the sign is wrong"
                if _whole(draft, term)
                else f"the sign of {term.operand.span.text} is wrong"
            )
            yield Candidate("sign", what, draft.replaced(turned(term, draft)))
    for term in terms(draft.side):
        if not term.linear:
            what = f"the sign of {term.operand.span.text} is wrong"
            yield Candidate("sign", what, draft.replaced(turned(term, draft)))


def _whole(draft: Draft, term: Term) -> bool:
    return term.alone and _is_whole(draft, term)


def turned(term: Term, draft: Draft) -> list[Edit]:
    """The edits that turn the sign of a term round."""
    if isinstance(term.operand, Summed):
        return [Edit.at(term.operand.span, f"-({term.operand.span.text})")]
    if term.sign_at is None:
        return [_inserted(term, "-")]
    new = "" if term.first and term.negative else " + " if term.negative else " - "
    if term.first and not term.negative:
        new = "-"
    return [Edit.at(term.sign_at, new)]


def term_too_many(draft: Draft) -> Iterator[Candidate]:
    """A term that should not be there."""
    for term, ratio in needed_coefficients(draft):
        if ratio == 0.0:
            text = draft.replaced(dropped(term))
            if _whole(draft, term):
                yield Candidate("extra-term", "it is zero", draft.with_side("0"))
            else:
                yield Candidate("extra-term", f"the term {term.operand.span.text} is one too many", text)


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


def mean_or_sum(draft: Draft) -> Iterator[Candidate]:
    """A mean where a sum should be, or the other way round."""
    for term, ratio in needed_coefficients(draft):
        for c in coefficients(draft, term, ratio):
            if c.dimension is not None and c.number == 1 and abs(c.exponent) == 1:
                what = _averaged(c)
                for text in _exchanged(draft, term):
                    yield Candidate("mean-or-sum", what, text)
                for edits in scaled(draft, term, c):
                    yield Candidate("mean-or-sum", what, draft.replaced(edits))
    for node in walk(draft.side):
        for edits in exchanged(node):
            yield Candidate(
                "mean-or-sum",
                f"{node.span.text} should be a {'sum' if _is_mean(node) else 'mean'}",
                draft.replaced(edits),
            )


def _averaged(c: Coefficient) -> str:
    if c.exponent == -1:
        return f"1/{c.dimension} is missing: a mean over {c.dimension}, not a sum"
    return f"1/{c.dimension} is too many: a sum over {c.dimension}, not a mean"


def _exchanged(draft: Draft, term: Term) -> Iterator[str]:
    for node in walk(term.operand):
        for edits in exchanged(node):
            yield draft.replaced(edits)


def exchanged(node: Tree) -> Iterator[list[Edit]]:
    """A mean as a sum, a sum as a mean."""
    match node:
        case Call(function, arguments, _, _, _, indices) if function.text in ("sum", "mean"):
            other = "mean" if function.text == "sum" else "sum"
            if indices is not None and other == "sum":
                # `sum[i] …` takes the product that follows; the parentheses stay around it.
                inside = arguments[0].span.text
                head = node.span.source.text[function.span.end : arguments[0].span.start].split("(")[0]
                yield [Edit.at(node.span, f"(sum{head} ({inside}))")]
            else:
                yield [Edit.at(function.span, other)]
        case WrittenSum("sum", indices, body):
            head = ",".join(i.span.text for i in indices)
            yield [Edit.at(node.span, f"mean[{head}]({body.span.text})")]
        case _:
            pass


def _is_mean(node: Tree) -> bool:
    return isinstance(node, Call) and node.function.text == "mean"


def constant_factor(draft: Draft) -> Iterator[Candidate]:
    """A number, or a dimension to some power, is missing or too many."""
    for term, ratio in needed_coefficients(draft):
        if ratio == 0.0 or abs(ratio + 1) < NEAR:
            continue
        where = "" if _whole(draft, term) else f" at {term.operand.span.text}"
        for c in coefficients(draft, term, ratio):
            what = f"the factor {written(c)} is missing{where}"
            for edits in scaled(draft, term, c):
                yield Candidate("factor", what, draft.replaced(edits))
    yield from _constant_in_general(draft)


def _constant_in_general(draft: Draft) -> Iterator[Candidate]:
    """A ratio of the sides that depends on the sizes alone, though we have no name for it."""
    for term, ratio in needed_coefficients(draft):
        if not _whole(draft, term) or ratio == 0.0:
            continue
        again = draft.redrawn_ratio()
        if again is not None and abs(again - ratio) <= NEAR * abs(ratio):
            turned_round = 1 / ratio
            shown = f"{ratio:.6g}" if abs(ratio) >= 1 else f"1/{turned_round:.6g}"
            yield Candidate("factor", f"the sides differ by a constant factor, here {shown}", None)


def coefficients(draft: Draft, term: Term, ratio: float) -> Iterator[Coefficient]:
    """What a number may stand for at two points: a small fraction, times a dimension or its root."""
    again = _again(draft, term)
    names = _dimensions(draft)
    found = [c for c in _possible(names, draft.point(0).sizes, ratio) if _stays(c, draft, names, again)]
    yield from sorted(found, key=_oddness)


def _possible(
    names: Mapping[str, Dimension], sizes: Mapping[str, int], ratio: float
) -> Iterator[Coefficient]:
    for name, dimension in names.items():
        for exponent in _EXPONENTS:
            rest = _fraction(ratio / dimension.size(sizes) ** float(exponent), 12)
            if rest is not None and (dimension.fixed is None or (abs(rest) == 1 and abs(exponent) == 1)):
                yield Coefficient(rest, name, exponent)
    whole = _fraction(ratio, LARGEST)
    if whole is not None:
        yield Coefficient(whole)
        return
    fine = _fraction(ratio, 10**6)
    if fine is not None and 0.5 < abs(ratio) < 2:
        yield Coefficient(fine)


def _stays(c: Coefficient, draft: Draft, names: Mapping[str, Dimension], again: float | None) -> bool:
    if again is None:
        return True
    value = float(c.number)
    if c.dimension is not None:
        value *= names[c.dimension].size(draft.point(1).sizes) ** float(c.exponent)
    return abs(value - again) <= NEAR * abs(again)


def _again(draft: Draft, term: Term) -> float | None:
    """The coefficient that a term needs at a second point; None where there is none."""
    if len(draft.bench.points) < 2:
        return None
    pair = draft.values(draft.text, 1)
    without: Array | float = 0.0
    if not (term.operand is draft.side or _whole(draft, term)):
        rest = draft.values(draft.replaced([_inserted(term, "0 * ")]), 1)
        without = rest[1] if rest is not None else 0.0
    if pair is None:
        return None
    truth, claim = pair
    return _ratio(truth - without, claim - without, max(_size(truth), _size(claim)))


def _oddness(c: Coefficient) -> tuple[int, int]:
    """A dimension alone first, then its root, then a number, then a number and a dimension."""
    height = abs(c.number.numerator) + c.number.denominator
    if c.dimension is None:
        return (2, height)
    if abs(c.number) == 1:
        return (0 if abs(c.exponent) == 1 else 1, height)
    return (3, height)


def _dimensions(draft: Draft) -> dict[str, Dimension]:
    """The dimensions in play, by name: declared ones and whole numbers."""
    found: dict[str, Dimension] = {}
    reading = draft.reading
    assert reading is not None
    for expression in (reading.left.expression, reading.right.expression):
        for part in subexpressions(expression):
            for index in getattr(part, "indices", ()):
                if isinstance(index, Index) and not index.dimension.terms:
                    found.setdefault(index.dimension.name, index.dimension)
    for tensor in draft.scope.tensors.values():
        for dimension in tensor.shape:
            if not dimension.terms and dimension.fixed is None:
                found.setdefault(dimension.name, dimension)
    return found


def _fraction(value: float, largest: int) -> Fraction | None:
    if not np.isfinite(value) or value == 0.0 or abs(value) > 1e6:
        return None
    near = Fraction(value).limit_denominator(largest)
    if near == 0 or abs(float(near) - value) > NEAR * abs(value) * 1e-2:
        return None
    return near


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


def scaled(draft: Draft, term: Term, c: Coefficient) -> Iterator[list[Edit]]:
    """The edits that multiply a term by a coefficient, the plainest first."""
    yield from _taken_out(term, c)
    yield _multiplied(term, c)


def _taken_out(term: Term, c: Coefficient) -> Iterator[list[Edit]]:
    """Take out a factor that is a number, a dimension or a root of one: it may be what is too many."""
    for factor in factors(term.operand):
        if _is_constant(factor.tree, c):
            yield [removed(factor)]


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


def _multiplied(term: Term, c: Coefficient) -> list[Edit]:
    number, edits = c.number, []
    operand = term.operand
    numeral = _leading_numeral(operand)
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
    return [*edits, _inserted(term, "-")]


def _leading_numeral(tree: Tree) -> tuple[Tree, Fraction] | None:
    match tree:
        case Number(value):
            return tree, value
        case Juxtaposed(factors_):
            return _numeral(factors_[0])
        case Multiplied(first, rest):
            if rest[0][0] == "/" and isinstance(first, Number):
                return None
            return _leading_numeral(first) if isinstance(first, Juxtaposed) else _numeral(first)
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
