"""Terms that the truth has and the claim lacks, and whole paths of the chain rule."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import numpy as np

from tensorgrad_cli.algebra.expression import Expression, add
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
    Name,
    Parenthesis,
    Power,
    Transposed,
    Tree,
)
from tensorgrad_cli.verify.diagnoses.coefficients import largest, ratio_of
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft
from tensorgrad_cli.verify.diagnoses.near import NEAR
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    positions,
    walk,
)
from tensorgrad_cli.verify.diagnoses.truth import (
    by_a_derivative,
    forms,
    printed,
    terms_of,
)

__all__ = ["missing_term", "partial"]

# So many pieces of an equation are looked at.
PIECES = 16
_PIECES = (Bars, Call, Derivative, Indexed, Name, Parenthesis, Power, Transposed)


def missing_term(draft: Draft) -> Iterator[Candidate]:
    """The truth is the claim and one more of its own terms (or two of them)."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or not np.any(claim):
        return
    lacking = truth - claim
    number = _constant(draft, lacking)
    if number is not None:
        end = draft.side.span.end
        joined = f" - {-number}" if number < 0 else f" + {number}"
        what = f"the term {number} is missing"
        yield Candidate("missing-term", what, draft.replaced([Edit(end, end, joined)]))
    for form in forms(draft):
        parts = terms_of(form)
        # A derivative by a derivative cannot be written; a later form has it written out.
        if len(parts) < 2 or by_a_derivative(draft, form):
            continue
        point = draft.point(0)
        values = [draft.evaluated(part, reading.free, point) for part in parts]
        for count in (1, 2):
            for chosen in combinations(range(len(parts)), count):
                if count == len(parts):
                    continue
                arrays = [values[k] for k in chosen]
                if any(a is None for a in arrays):
                    continue
                total = np.sum([a for a in arrays if a is not None], axis=0)
                if draft.close(total, lacking, largest(truth)):
                    yield from _with_terms(draft, [parts[k] for k in chosen])
    yield from _missing_piece(draft, lacking)
    for node in walk(draft.side):
        if isinstance(node, Parenthesis):
            for one in ("+ 1", "- 1"):
                end = node.body.span.end
                text = draft.replaced([Edit(end, end, f" {one}")])
                yield Candidate("missing-term", f"the term 1 is missing in {node.span.text}", text)


def _missing_piece(draft: Draft, lacking: Array) -> Iterator[Candidate]:
    """What is missing is a piece of the equation, or a product of two, perhaps with a number."""
    pieces = list(_pieces(draft, lacking.shape))
    near = draft.near * largest(draft.truth) if draft.truth is not None else 0.0
    for k, (written, value) in enumerate(pieces):
        yield from _pieced(draft, written, ratio_of(lacking, value, near))
        if draft.matrix and lacking.ndim:
            continue
        for other, factor in pieces[k:]:
            product = written if other == written else f"{written} {other}"
            product = f"{written}^2" if other == written else product
            yield from _pieced(draft, product, ratio_of(lacking, value * factor, near))


def _pieces(draft: Draft, shape: tuple[int, ...]) -> Iterator[tuple[str, Array]]:
    """The factors that stand in the equation and have the shape of the claim, with their values."""
    free = {index.name for index in draft.reading.free} if draft.reading is not None else set()
    seen = {draft.other.span.text, draft.side.span.text}
    for side in (draft.tree.right, draft.tree.left):
        for node in walk(side):
            written = node.span.text
            if not isinstance(node, _PIECES) or written in seen or len(seen) > PIECES:
                continue
            seen.add(written)
            if any(isinstance(p, Name) and p.text not in free for _, _, p in positions(node)):
                continue
            pair = draft.values(draft.with_side(written))
            if pair is not None and pair[1].shape == shape:
                yield written, pair[1]


def _pieced(draft: Draft, written: str, ratio: float | None) -> Iterator[Candidate]:
    number = None if not ratio else Fraction(ratio).limit_denominator(12)
    if not ratio or not number or abs(float(number) - ratio) > NEAR * abs(ratio):
        return
    size = abs(number)
    term = written if size == 1 else f"{size} {written}"
    end = draft.side.span.end
    text = draft.replaced([Edit(end, end, f" {'-' if number < 0 else '+'} {term}")])
    yield Candidate("missing-term", f"the term {'-' if number < 0 else ''}{term} is missing", text)


def _constant(draft: Draft, lacking: Array) -> Fraction | None:
    """The small number that all entries are, where there is one."""
    if not np.isfinite(lacking).all():
        return None
    number = Fraction(float(lacking.flat[0])).limit_denominator(12)
    same = number != 0 and draft.close(lacking, np.full(lacking.shape, float(number)))
    return number if same and abs(number) <= 12 else None


def _with_terms(draft: Draft, parts: list[Expression]) -> Iterator[Candidate]:
    reading = draft.reading
    assert reading is not None
    written = printed(draft, simplified(add(*parts)), reading.free)
    if written is None:
        what = "a term is missing" if len(parts) == 1 else "terms are missing"
        yield Candidate("missing-term", what, None)
        return
    what = f"the term {written} is missing" if len(parts) == 1 else f"the terms {written} are missing"
    joined = f" - {written[1:]}" if written.startswith("-") else f" + {written}"
    end = draft.side.span.end
    yield Candidate("missing-term", what, draft.replaced([Edit(end, end, joined)]))
    yield Candidate("missing-term", what, None)


def partial(draft: Draft) -> Iterator[Candidate]:
    """The claim is the derivative of the step's own equation, other steps held. Of a claim at a point only where that
    equation has the variable in it: the derivative is zero at any other point as well, else."""
    for node in walk(draft.other):
        if isinstance(node, Derivative) and not node.own and len(node.denominators) == 1:
            if draft.judged.reading is not None and draft.judged.reading.at and not _is_in(draft, node):
                continue
            above, below = node.numerator.span.text, node.denominators[0].span.text
            text = draft.replaced([Edit.at(node.span, f"∂⁺{above}/∂{below}")])
            if draft.read(text, new=True) is not None:
                what = f"it holds with ∂⁺ for ∂: {_paths(draft, node)}"
                yield Candidate("partial-derivative", what, text)


def _paths(draft: Draft, node: Derivative) -> str:
    """In words which steps in the numerator's own equation depend on the denominator as well."""
    above, below = _base(node.numerator), _base(node.denominators[0])
    calculus = draft.bench.calculus
    if above is None or below is None or above.text not in calculus.equations:
        return "the paths through the steps between are missing"
    direct = references(calculus.equations[above.text].expression)
    through = [
        draft.scope.spelling(name)
        for name in calculus.equations
        if name in direct
        and name[0] != "‹"
        and any(below.text in references(e.expression) for e in calculus.closure([name]))
    ]
    if len(through) == 1:
        return f"the path through {through[0]} is missing"
    *first, last = through or ["the steps between"]
    names = f"{', '.join(first)} and {last}" if first else last
    return f"the paths through {names} are missing"


def _is_in(draft: Draft, node: Derivative) -> bool:
    """Whether the numerator's own equation has the denominator in it."""
    above, below = _base(node.numerator), _base(node.denominators[0])
    if above is None or below is None:
        return False
    equation = draft.bench.calculus.equations.get(above.text)
    return equation is not None and below.text in references(equation.expression)


def _base(tree: Tree) -> Name | None:
    return next((part for part in walk(tree) if isinstance(part, Name)), None)
