"""Slips in the coefficient of a term: its sign, a number, a dimension, a mean for a sum, or the whole term too many."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.notation.tree import Call, Tree, WrittenSum
from tensorgrad_cli.verify.diagnoses.coefficients import coefficients, is_whole, needed_coefficients
from tensorgrad_cli.verify.diagnoses.draft import NEAR, Candidate, Draft
from tensorgrad_cli.verify.diagnoses.scaling import Coefficient, dropped, scaled, turned, written
from tensorgrad_cli.verify.diagnoses.splice import Edit, Term, terms, walk

__all__ = ["constant_factor", "mean_or_sum", "sign", "term_too_many"]


def sign(draft: Draft) -> Iterator[Candidate]:
    """One sign is wrong."""
    for term, ratio in needed_coefficients(draft):
        if abs(ratio + 1) < NEAR:
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
    for term, ratio in needed_coefficients(draft):
        if ratio == 0.0:
            text = draft.replaced(dropped(term))
            if is_whole(draft, term):
                yield Candidate("extra-term", "it is zero", draft.with_side("0"))
            else:
                yield Candidate("extra-term", f"the term {term.operand.span.text} is one too many", text)


def mean_or_sum(draft: Draft) -> Iterator[Candidate]:
    """A mean where a sum should be, or the other way round."""
    for term, ratio in needed_coefficients(draft):
        for c in coefficients(draft, term, ratio):
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
    for term, ratio in needed_coefficients(draft):
        if ratio == 0.0 or abs(ratio + 1) < NEAR:
            continue
        where = "" if is_whole(draft, term) else f" at {term.operand.span.text}"
        for c in coefficients(draft, term, ratio):
            what = f"{missing_or_too_many(c)}{where}"
            for edits in scaled(term, c):
                yield Candidate("factor", what, draft.replaced(edits))
    yield from _constant_in_general(draft)


def missing_or_too_many(c: Coefficient) -> str:
    """A coefficient in words: what would have to be divided by is one too many."""
    upside_down = Coefficient(1 / c.number, c.dimension, -c.exponent)
    divided = c.exponent < 0 or (c.dimension is None and abs(c.number) < 1)
    if divided and abs(c.number.numerator) == 1 and c.dimension is None:
        return f"the factor {written(upside_down)} is one too many"
    return f"the factor {written(c)} is missing"


def _constant_in_general(draft: Draft) -> Iterator[Candidate]:
    """A ratio of the sides that depends on the sizes alone, though we have no name for it."""
    for term, ratio in needed_coefficients(draft):
        if not is_whole(draft, term) or ratio == 0.0:
            continue
        again = draft.redrawn_ratio()
        if again is not None and abs(again - ratio) <= NEAR * abs(ratio):
            turned_round = 1 / ratio
            shown = f"{ratio:.6g}" if abs(ratio) >= 1 else f"1/{turned_round:.6g}"
            yield Candidate("factor", f"the sides differ by a constant factor, here {shown}", None)
