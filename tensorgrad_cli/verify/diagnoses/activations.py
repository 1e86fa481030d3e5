"""Slips at an activation: its derivative missing, its value in that derivative's place, or its argument in its own."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.algebra.expression import Apply, Const, Equation, Expression, Index, Product, Ref
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.rewrite import reuse_steps, simplified
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.tree import Derivative, Indexed, Name, Tree
from tensorgrad_cli.render import matrix
from tensorgrad_cli.render.text import GLYPHS
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.missing_factors import as_one, axes_of, beside, is_atomic
from tensorgrad_cli.verify.diagnoses.splice import Edit, walk
from tensorgrad_cli.verify.diagnoses.truth import naming, printed_in, steps_about

__all__ = ["activation", "argument_for_value", "everywhere"]

# So many activations of a chain are looked at, those nearest to the loss first.
ACTIVATIONS = 6


def argument_for_value(draft: Draft) -> Iterator[Candidate]:
    """`1 - z²` for `1 - y²`, where y is f(z), and the other way round: the later steps first."""
    for step in reversed(draft.bench.calculus.steps):
        match step.expression:
            case Apply(_, _, (Ref(inner, indices),)) if indices == step.indices:
                pairs = ((inner, step.tensor), (step.tensor, inner))
            case _:
                continue
        for old, new in pairs:
            found = [_name(node) for node, _ in _mentions(draft.side, old)]
            if found:
                new, old = draft.scope.spelling(new), draft.scope.spelling(old)
                edits = [Edit.at(name.span, new) for name in found]
                yield Candidate("wrong-argument", f"{new} should stand for {old}", draft.replaced(edits))


def activation(draft: Draft) -> Iterator[Candidate]:
    """The derivative of a function that has a formula, as a factor. Tried before terms: where `1 - y²` is forgotten
    what is missing is a factor, though `-y²` times the claim would do as a term."""
    steps = steps_about(draft)
    slopes = list(dict.fromkeys(slope for step in steps for slope in _slopes(draft, step)))[:ACTIVATIONS]
    yield from beside(draft, tuple(part for slope in slopes for part in _parts(slope)))
    for step in steps:
        yield from _value_for_slope(draft, step)


def everywhere(draft: Draft) -> Iterator[Candidate]:
    """The same derivative of a function forgotten beside every mention of a tensor: of one that stands twice."""
    slopes = dict.fromkeys(slope for step in steps_about(draft) for slope in _slopes(draft, step))
    for slope in list(slopes)[:ACTIVATIONS]:
        for name in dict.fromkeys(n.text for n in walk(draft.side) if isinstance(n, Name)):
            found = list(_mentions(draft.side, name))
            written = [_written_at(draft, slope, places) for _, places in found]
            if len(found) > 1 and all(text is not None for text in written):
                sign = "" if "[" in draft.side.span.text else "⊙ "
                edits = [
                    Edit.at(n.span, f"({n.span.text} {sign}{text})")
                    for (n, _), text in zip(found, written, strict=True)
                ]
                what = f"the factor {written[0]} is missing beside every {found[0][0].span.text}"
                yield Candidate("missing-factor", what, draft.replaced(edits))


def _written_at(draft: Draft, slope: Expression, places: tuple[str, ...] | None) -> str | None:
    axes = axes_of(slope, tuple(sorted(slope.free)))
    if places is None:
        if not draft.matrix:
            return None
        written = matrix.matrix_of(slope, axes, naming(draft), GLYPHS)
        return written if written is None or is_atomic(written) else f"({written})"
    if len(places) != len(axes):
        return None
    return as_one(slope, printed_in(draft, slope, dict(zip(axes, places, strict=True))))


def _slopes(draft: Draft, step: Equation) -> Iterator[Expression]:
    """The derivatives of the functions applied in a step, at their arguments, with the steps' own names in them."""
    for part in subexpressions(lowered(step.expression, draft.scope)):
        slope = _slope(draft, part)
        if slope is not None:
            yield slope


def _slope(draft: Draft, part: Expression) -> Expression | None:
    match part:
        case Apply(function, (0,), (_,)) if function in FUNCTIONS:
            primed = lowered(Apply(function, (1,), part.arguments), draft.scope)
            slope = reuse_steps(simplified(primed), tuple(draft.bench.calculus.steps))
            return None if isinstance(slope, Const) else slope
        case _:
            return None


def _parts(slope: Expression) -> Iterator[Expression]:
    """A slope, and where it is a product (`y (1 - y)`) each of its factors."""
    yield slope
    if isinstance(slope, Product):
        yield from (factor for factor in slope.factors if not isinstance(factor, Const))


def _value_for_slope(draft: Draft, step: Equation) -> Iterator[Candidate]:
    """`f(z)` for `f'(z)`, where a step is f(z)."""
    slope = _slope(draft, lowered(step.expression, draft.scope))
    if slope is None:
        return
    for node, places in _mentions(draft.side, step.tensor):
        for part in _parts(slope):
            written = _written(draft, step, part, places)
            if written is None:
                continue
            text = draft.replaced([Edit.at(node.span, written)])
            if part is slope:
                what = (
                    f"{node.span.text} stands where the derivative of that function should: write {written}"
                )
                yield Candidate("wrong-function", what, text)
            else:
                yield Candidate("wrong-argument", f"{written} should stand for {node.span.text}", text)


def _mentions(side: Tree, tensor: str) -> Iterator[tuple[Name | Indexed, tuple[str, ...] | None]]:
    """Where a step stands outside of derivatives, with the positions written behind it."""
    derivatives = [node.span for node in walk(side) if isinstance(node, Derivative)]
    bases = set()
    for node in walk(side):
        if any(d.start <= node.span.start and node.span.end <= d.end for d in derivatives):
            continue
        match node:
            case Indexed(Name(text) as base, positions) if text == tensor:
                bases.add(base.span.start)
                yield node, tuple(position.span.text for position in positions)
            case Name(text) if text == tensor and node.span.start not in bases:
                yield node, None
            case _:
                pass


def _name(node: Name | Indexed) -> Name:
    return node if isinstance(node, Name) else _name(node.base)  # type: ignore[arg-type]


def _written(draft: Draft, step: Equation, slope: Expression, places: tuple[str, ...] | None) -> str | None:
    if draft.matrix and places is None:
        written = matrix.matrix_of(slope, step.indices, naming(draft), GLYPHS)
        return written if written is None or is_atomic(written) else f"({written})"
    if places is None or len(places) != len(step.indices):
        return None
    names = {i: place for i, place in zip(step.indices, places, strict=True) if isinstance(i, Index)}
    return as_one(slope, printed_in(draft, slope, names))
