"""Factors that the claim has and the truth lacks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from tensorgrad_cli.algebra.expression import Index, Ref
from tensorgrad_cli.notation.tree import Call, Derivative, Indexed, Name, Tree
from tensorgrad_cli.verify.diagnoses.coefficients import scales_in_vain
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    as_factor,
    factors,
    removed,
    walk,
)

__all__ = ["factor_to_divide", "factor_too_many"]


def factor_too_many(draft: Draft) -> Iterator[Candidate]:
    """One or two factors that should not be there, or a step that has one more than it should."""
    every = list(factors(draft.side))
    for factor in every:
        if not scales_in_vain(draft, factor.tree):
            what = f"the factor {factor.tree.span.text} is one too many"
            yield Candidate("extra-factor", what, draft.replaced([removed(factor)]))
    for a, b in pairwise(every):
        if a.product is b.product and a.count > 2 and a.before != "/" and b.before != "/":
            if a.index == 0:
                edits = [Edit(a.tree.span.start, every[every.index(b) + 1].tree.span.start, "")]
            else:
                edits = [Edit(removed(a).start, b.tree.span.end, "")]
            what = f"the factors {a.tree.span.text} and {b.tree.span.text} are too many"
            yield Candidate("extra-factor", what, draft.replaced(edits))
    for factor in every if draft.matrix else ():
        if factor.count > 1 and factor.before != "/":
            yield Candidate(
                "extra-factor",
                f"the factor {factor.tree.span.text} is one too many",
                draft.replaced([Edit.at(factor.tree.span, "1")]),
            )
    yield from _lighter_steps(draft)


def _lighter_steps(draft: Draft) -> Iterator[Candidate]:
    """`g[i,j]` is `γ[j] G[i,j]`: perhaps one of these was meant."""
    equations = {e.tensor: e for e in draft.bench.calculus.steps}
    derivatives = [n.span for n in walk(draft.side) if isinstance(n, Derivative)]
    for node in walk(draft.side):
        if any(d.start <= node.span.start and node.span.end <= d.end for d in derivatives):
            continue
        name, places = _entry(node)
        equation = equations.get(name or "")
        if equation is None or name is None:
            continue
        parts = getattr(equation.expression, "factors", ())
        for part in parts:
            if not isinstance(part, Ref) or part.tensor[0] in "∂‹#":
                continue
            spelled = draft.scope.spelling(part.tensor)
            if places is not None:
                where = dict(zip(equation.indices, places, strict=False))
                if not all(i in where for i in part.indices):
                    continue
                inside = ",".join(where[i] for i in part.indices if isinstance(i, Index))
                spelled += f"[{inside}]" if part.indices else ""
            what = f"{node.span.text} has a factor too many: write {spelled}"
            yield Candidate("extra-factor", what, draft.replaced([Edit.at(node.span, spelled)]))


def _entry(node: Tree) -> tuple[str | None, tuple[str, ...] | None]:
    match node:
        case Indexed(Name(text), positions):
            return text, tuple(p.span.text for p in positions)
        case Name(text):
            return text, None
        case _:
            return None, None


def factor_to_divide(draft: Draft) -> Iterator[Candidate]:
    """The claim is the truth times something that stands in it."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or draft.matrix:
        return
    for node in walk(draft.side):
        if not isinstance(node, Indexed | Call | Name):
            continue
        pair = draft.values(draft.with_side(f"{as_factor(draft.side)} / {node.span.text}"))
        if pair is not None and draft.close(*pair):
            text = draft.with_side(f"{as_factor(draft.side)} / {node.span.text}")
            yield Candidate("extra-factor", f"the factor {node.span.text} is one too many", text)
