"""Terms that the truth has and the claim lacks, and whole paths of the chain rule."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations

import numpy as np

from tensorgrad_cli.algebra.expression import (
    Expression,
    add,
)
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.notation.tree import Call, Derivative, Indexed, Name
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft, close
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    positions,
    walk,
)
from tensorgrad_cli.verify.diagnoses.truth import (
    forms,
    printed,
    terms_of,
)

__all__ = ["missing_term", "partial"]


def missing_term(draft: Draft) -> Iterator[Candidate]:
    """The truth is the claim and one more of its own terms (or two of them)."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or not np.any(claim):
        return
    lacking = truth - claim
    number = _constant(lacking)
    if number is not None:
        end = draft.side.span.end
        joined = f" - {-number}" if number < 0 else f" + {number}"
        what = f"the term {number} is missing"
        yield Candidate("missing-term", what, draft.replaced([Edit(end, end, joined)]))
    yield from _missing_entry(draft, lacking)
    for form in forms(draft):
        parts = terms_of(form)
        if len(parts) < 2:
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
                if close(np.sum([a for a in arrays if a is not None], axis=0), lacking):
                    yield from _with_terms(draft, [parts[k] for k in chosen])


def _missing_entry(draft: Draft, lacking: Array) -> Iterator[Candidate]:
    """What is missing is an entry, or a call, that stands somewhere in the equation."""
    if draft.matrix or draft.reading is None:
        return
    free = {index.name for index in draft.reading.free}
    seen: set[str] = set()
    for side in (draft.tree.left, draft.tree.right):
        for node in walk(side):
            written = node.span.text
            if not isinstance(node, Indexed | Call) or written in seen:
                continue
            seen.add(written)
            if any(isinstance(p, Name) and p.text not in free for _, _, p in positions(node)):
                continue
            pair = draft.values(draft.with_side(written))
            for sign in (1, -1):
                if pair is not None and close(sign * pair[1], lacking):
                    end = draft.side.span.end
                    text = draft.replaced([Edit(end, end, f" {'-+'[sign > 0]} {written}")])
                    yield Candidate("missing-term", f"the term {written} is missing", text)


def _constant(lacking: Array) -> Fraction | None:
    """The small number that all entries are, where there is one."""
    if not np.isfinite(lacking).all():
        return None
    number = Fraction(float(lacking.flat[0])).limit_denominator(12)
    same = number != 0 and close(lacking, np.full(lacking.shape, float(number)))
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
    """The claim is the derivative of the step's own equation, other steps held."""
    for node in walk(draft.other):
        if isinstance(node, Derivative) and not node.own and len(node.denominators) == 1:
            above, below = node.numerator.span.text, node.denominators[0].span.text
            text = draft.replaced([Edit.at(node.span, f"∂⁺{above}/∂{below}")])
            if draft.read(text, new=True) is not None:
                yield Candidate(
                    "partial-derivative",
                    f"it holds with ∂⁺ for ∂: the paths through the steps between {above} and {below} are missing",
                    text,
                )
