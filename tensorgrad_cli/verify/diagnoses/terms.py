"""Slips in the coefficient of a term: its sign, a number, a dimension, a mean for a sum, or the whole term too many."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

from tensorgrad_cli.notation.tree import Call, Name, Number, Tree, WrittenSum
from tensorgrad_cli.verify.diagnoses.coefficients import (
    DIGITS,
    LARGEST,
    coefficients,
    is_whole,
    needed_coefficients,
    scales_in_vain,
)
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.near import NEAR
from tensorgrad_cli.verify.diagnoses.scaling import (
    Coefficient,
    dropped,
    is_constant,
    leading_numeral,
    scaled,
    turned,
    written,
)
from tensorgrad_cli.verify.diagnoses.splice import Edit, Term, factors, removed, terms, walk

__all__ = [
    "constant_factor",
    "constant_in_general",
    "mean_or_sum",
    "other_size",
    "sign",
    "term_too_many",
    "unseen",
]

# A factor without a name is constant if it is at so many further points.
REDRAWN = 4


def sign(draft: Draft) -> Iterator[Candidate]:
    """One sign is wrong."""
    for needed in needed_coefficients(draft):
        term = needed.term
        if needed.is_(-1.0):
            what = (
                "the sign is wrong"
                if is_whole(draft, term)
                else f"the sign of {term.operand.span.text} is wrong"
            )
            yield Candidate("sign", what, draft.replaced(turned(term)))
    for term in terms(draft.side):
        if not term.linear:
            what = f"the sign of {term.operand.span.text} is wrong"
            yield Candidate("sign", what, draft.replaced(turned(term)))


def term_too_many(draft: Draft) -> Iterator[Candidate]:
    """A term that should not be there."""
    for needed in needed_coefficients(draft):
        term = needed.term
        if needed.ratio == 0.0:
            text = draft.replaced(dropped(term))
            if is_whole(draft, term):
                yield Candidate("extra-term", "it is zero", draft.with_side("0"))
            else:
                yield Candidate("extra-term", f"the term {term.operand.span.text} is one too many", text)


def mean_or_sum(draft: Draft) -> Iterator[Candidate]:
    """A mean where a sum should be, or the other way round."""
    for needed in needed_coefficients(draft):
        term = needed.term
        for c in coefficients(draft, needed) if needed.ratio else ():
            if c.dimension is not None and c.number == 1 and abs(c.exponent) == 1:
                what = _averaged(c)
                for text in _exchanged(draft, term):
                    yield Candidate("mean-or-sum", what, text)
                for edits in scaled(term, c):
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
    for needed in needed_coefficients(draft):
        term = needed.term
        if needed.ratio == 0.0 or needed.is_(-1.0):
            continue
        where = "" if is_whole(draft, term) else f" at {term.operand.span.text}"
        for c in coefficients(draft, needed):
            what = _numeral_instead(term, c) or f"{missing_or_too_many(c)}{where}"
            for edits in scaled(term, c):
                yield Candidate("factor", what, draft.replaced(edits))
        yield from _constants_taken_out(draft, term)


def _numeral_instead(term: Term, c: Coefficient) -> str | None:
    """In words what a numeral should be: one that is a term, or that is near another one, 2.000001."""
    numeral = leading_numeral(term.operand)
    if numeral is None or c.dimension is not None:
        return None
    tree, value = numeral
    if tree is not term.operand and (value.denominator <= LARGEST or c.number * value == 1):
        return None
    return f"{tree.span.text} should be {c.number * value}"


def _constants_taken_out(draft: Draft, term: Term) -> Iterator[Candidate]:
    for factor in factors(term.operand):
        if is_constant(factor.tree, draft.scope) and factor.count > 1:
            what = f"the factor {factor.tree.span.text} is one too many"
            yield Candidate("factor", what, draft.replaced([removed(factor)]))


def missing_or_too_many(c: Coefficient) -> str:
    """A coefficient in words: what would have to be divided by is one too many."""
    upside_down = Coefficient(1 / c.number, c.dimension, -c.exponent)
    divided = c.exponent < 0 or (c.dimension is None and 0 < c.number < 1)
    if divided and abs(c.number.numerator) == 1 and c.dimension is None:
        return f"the factor {written(upside_down)} is one too many"
    if c.dimension is None and c.number.denominator > LARGEST:
        return _in_decimals(c.number)
    return f"the factor {written(c)} is missing"


def _in_decimals(number: Fraction) -> str:
    if 10**DIGITS % number.denominator == 0:
        return f"the factor {float(number):.15g} is missing"
    return f"the factor {float(1 / number):.15g} is one too many"


def constant_in_general(draft: Draft) -> Iterator[Candidate]:
    """A ratio of the sides that depends on the sizes alone, though we have no name for it: with as many digits as
    rounding leaves it."""
    for needed in needed_coefficients(draft):
        if not is_whole(draft, needed.term) or needed.ratio == 0.0 or needed.is_(-1.0):
            continue
        again = [draft.redrawn_ratio(number) for number in range(REDRAWN)]
        if all(r is not None and abs(r - needed.ratio) <= NEAR * abs(needed.ratio) for r in again):
            # Of the claim to the truth: what the claim is wrong by.
            wrong_by = 1 / needed.ratio
            digits = max(1, min(15, math.floor(-math.log10(needed.bar / abs(needed.ratio)))))
            shown = f"{wrong_by:.{digits}g}"
            yield Candidate("factor", f"the claim is {shown} times what it should be", None)


def other_size(draft: Draft) -> Iterator[Candidate]:
    """One size as a number stands for another: 1/n for 1/m."""
    sizes = [name for name in draft.scope.dimensions if draft.scope.shape(name) is None]
    for node in walk(draft.side):
        if isinstance(node, Name) and node.text in sizes and not scales_in_vain(draft, node):
            for other in sizes:
                if other != node.text:
                    what = f"the size {node.text} should be {other}"
                    yield Candidate("factor", what, draft.replaced([Edit.at(node.span, other)]))


def unseen(draft: Draft) -> Iterator[Candidate]:
    """A number or a term that should not be there, too small for floating point to see."""
    if not draft.unseen:
        return
    for factor in factors(draft.side):
        if is_constant(factor.tree, draft.scope) and factor.count > 1:
            what = f"the factor {factor.tree.span.text} is one too many"
            yield Candidate("factor", what, draft.replaced([removed(factor)]))
    for node in walk(draft.side):
        if isinstance(node, Number) and node.value.denominator > LARGEST:
            number = node.value.limit_denominator(LARGEST)
            if number == 0:
                continue
            what = f"{node.span.text} should be {number}"
            new = str(number) if number.denominator == 1 else f"({number})"
            yield Candidate("factor", what, draft.replaced([Edit.at(node.span, new)]))
    for term in terms(draft.side):
        if not term.alone:
            what = f"the term {term.operand.span.text} is one too many"
            yield Candidate("extra-term", what, draft.replaced(dropped(term)))
