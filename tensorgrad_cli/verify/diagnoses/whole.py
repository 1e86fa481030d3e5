"""Slips of a whole side: its axes in another order, the diagonal of a Jacobian alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import combinations, permutations

import numpy as np

from tensorgrad_cli.algebra.expression import Index, Ref, multiply
from tensorgrad_cli.algebra.library import derivative_name
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.chain import jacobian
from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Juxtaposed,
    Multiplied,
    Name,
    Parenthesis,
    Signed,
    Summed,
    Transposed,
    Tree,
)
from tensorgrad_cli.verify.diagnoses.coefficients import largest, ratio_of
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft
from tensorgrad_cli.verify.diagnoses.near import NEAR
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_power_base, is_number_like, positions

__all__ = [
    "axes_in_another_order",
    "diagonal_alone",
    "diagonal_and_factor",
    "own_entries_alone",
    "transposed",
]


def axes_in_another_order(draft: Draft) -> Iterator[Candidate]:
    """The sides are equal but for the order of the axes."""
    if draft.judged.layout is not None:
        what = "equal up to layout: the sides differ in the order of their axes alone"
        for side in turned_round(draft, draft.side):
            yield Candidate("layout", what, draft.with_side(side))
        return
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or not 2 <= truth.ndim <= 4:
        return
    for order in _orders(reading.free):
        if draft.close(truth, np.transpose(claim, order)):
            moved = [k for k in range(truth.ndim) if order[k] != k]
            yield from _reordered(draft, order, moved)


def _orders(free: Sequence[Index]) -> Iterator[tuple[int, ...]]:
    plain = tuple(range(len(free)))
    for order in permutations(plain):
        if order != plain and all(free[a].dimension == free[b].dimension for a, b in enumerate(order)):
            yield order


def _reordered(draft: Draft, order: tuple[int, ...], moved: Sequence[int]) -> Iterator[Candidate]:
    reading = draft.reading
    assert reading is not None
    kind = _kind(draft, moved)
    names = [reading.free[k].name for k in moved]
    if draft.matrix:
        for side in turned_round(draft, draft.side):
            what = f"equal up to layout: the side is transposed: write {side}"
            yield Candidate(kind, what, draft.with_side(side))
    else:
        what = f"the indices {' and '.join(names)} have changed places"
        # Axis k of the truth is axis order[k] of the claim: the index there is called by the name of k.
        new = {reading.free[order[k]].name: reading.free[k].name for k in range(len(order))}
        text = draft.replaced(
            Edit.at(place.span, new[place.text])
            for _, _, place in positions(draft.side)
            if isinstance(place, Name) and place.text in new
        )
        yield Candidate(kind, f"equal up to layout: {what}", text)


def _kind(draft: Draft, moved: Sequence[int]) -> str:
    """`transpose` for a scalar's derivative by a square matrix (and where no derivative is), else `layout`."""
    side = draft.truth_side
    asked = draft.bench.calculus.asked
    if side is None or not isinstance(side.expression, Ref) or side.expression.tensor not in asked:
        return "transpose"
    derivative = asked[side.expression.tensor]
    shapes = draft.bench.calculus.shapes
    start = len(shapes[derivative.numerator])
    if any(k < start for k in moved) or start:
        return "layout"
    for by in derivative.denominators:
        if all(start <= k < start + len(shapes[by]) for k in moved):
            return "transpose"
        start += len(shapes[by])
    return "layout"


def transposed(tree: Tree) -> str:
    """The text of a tree, transposed."""
    if isinstance(tree, Transposed) and not tree.inverse:
        return tree.base.span.text
    return f"{as_power_base(tree)}ᵀ"


def turned_round(draft: Draft, tree: Tree) -> Iterator[str]:
    """A side transposed: its matrices in reverse where it is made of plain products, else all of it at once."""
    inside = _turned(draft, tree)
    if inside is not None:
        yield inside
    yield transposed(tree)


def _turned(draft: Draft, tree: Tree) -> str | None:
    match tree:
        case Juxtaposed(parts):
            scalars = [part.span.text for part in parts if _is_scalar(draft, part)]
            rest = [part for part in parts if not _is_scalar(draft, part)]
            if not all(
                isinstance(part, Name | Transposed | Parenthesis | Derivative | Call) for part in rest
            ):
                return None
            return " ".join([*scalars, *(_bare(part) for part in reversed(rest))])
        case Multiplied(first, rest) if all(s == "/" and _is_scalar(draft, part) for s, part in rest):
            turned = _turned(draft, first)
            return None if turned is None else turned + tree.span.source.text[first.span.end : tree.span.end]
        case Summed(first, rest):
            turns = [_turned(draft, part) for part in (first, *(part for _, part in rest))]
            if any(turn is None for turn in turns):
                return None
            return "".join(
                [str(turns[0]), *(f" {sign} {turn}" for (sign, _), turn in zip(rest, turns[1:], strict=True))]
            )
        case Signed(sign, operand):
            turned = _turned(draft, operand)
            return None if turned is None else f"{sign}{turned}"
        case Name() | Transposed() | Derivative():
            return transposed(tree)
        case _:
            return None


def _bare(tree: Tree) -> str:
    """A factor transposed, a derivative without the parentheses that its transpose needed."""
    match tree:
        case Transposed(Parenthesis(Derivative() as inner), False):
            return inner.span.text
        case _:
            return transposed(tree)


def _is_scalar(draft: Draft, tree: Tree) -> bool:
    match tree:
        case Name(text):
            return not draft.scope.shape(text)
        case Call(function, (argument,)) if function.text == "sqrt":
            return _is_scalar(draft, argument)
        case _:
            return is_number_like(tree)


def diagonal_alone(draft: Draft) -> Iterator[Candidate]:
    """The claim is right on the diagonal and zero off it; the truth is not."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or not np.isfinite(truth).all():
        return
    free = reading.free
    pairs = [p for p in combinations(range(len(free)), 2) if free[p[0]].dimension == free[p[1]].dimension]
    for a, b in pairs:
        on = on_diagonal(truth.shape, a, b)
        off_truth, off_claim = truth[~on], claim[~on]
        if (
            not off_truth.size
            or not draft.close(truth[on], claim[on])
            or draft.close(off_truth, 0 * off_truth)
        ):
            continue
        if not np.any(off_claim) and np.any(truth[on]):
            names = f"{free[a].name} = {free[b].name}"
            yield Candidate(
                "diagonal-only",
                f"right on the diagonal, {names}, only: the entries off it are missing",
                None,
            )


def diagonal_and_factor(draft: Draft) -> Iterator[Candidate]:
    """The claim is zero off the diagonal, where the truth is not, and on it wrong by one factor."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None or not np.isfinite(truth).all():
        return
    free = reading.free
    for a, b in combinations(range(len(free)), 2):
        if free[a].dimension != free[b].dimension:
            continue
        on = on_diagonal(truth.shape, a, b)
        if np.any(claim[~on]) or draft.close(truth[~on], 0 * truth[~on]) or not np.any(claim[on]):
            continue
        near = draft.near * max(largest(truth), largest(claim))
        ratio = ratio_of(truth[on], claim[on], near)
        if not ratio or draft.close(truth[on], claim[on]):
            continue
        names = f"{free[a].name} = {free[b].name}"
        said = _named_ratio(draft, ratio)
        yield Candidate(
            "diagonal-only",
            f"right on the diagonal, {names}, but for {said}: the entries off it are missing",
            None,
        )


def _named_ratio(draft: Draft, ratio: float) -> str:
    """A number in words: a small fraction, a scalar of the spec or one over it."""
    number = Fraction(ratio).limit_denominator(12)
    if number and abs(float(number) - ratio) <= NEAR * abs(ratio):
        return "the sign" if number == -1 else f"the factor {number}"
    for name in (*draft.scope.tensors, *draft.scope.steps):
        if draft.scope.shape(name) == ():
            value = draft.evaluated(Ref(name, ()), (), draft.point(0))
            if value is not None and value != 0:
                for text, number_ in ((name, float(value)), (f"1/{name}", 1 / float(value))):
                    if abs(number_ - ratio) <= NEAR * abs(ratio):
                        return f"the factor {text}"
    return "a factor that is the same for all of them"


def own_entries_alone(draft: Draft) -> Iterator[Candidate]:
    """A pullback through the diagonal of a step's Jacobian alone: `p ⊙ (1 - p) ⊙ p̄` through a softmax."""
    side, claim, calculus = draft.truth_side, draft.claimed, draft.bench.calculus
    truth = side.expression if side is not None else None
    if claim is None or not isinstance(truth, Ref) or truth.tensor not in calculus.asked:
        return
    whole = calculus.asked[truth.tensor]
    if len(whole.denominators) != 1 or calculus.shapes[whole.numerator]:
        return
    (by,) = whole.denominators
    for step in calculus.steps:
        upstream = derivative_name(whole.numerator, (step.tensor,))
        if by not in references(step.expression) or step.shape != calculus.shapes[by]:
            continue
        if upstream not in calculus.equations:
            continue
        slope = jacobian(step, by, step.shape, tuple(calculus.steps))
        own, others = slope.indices[: len(step.shape)], slope.indices[len(step.shape) :]
        on = substitute(slope.expression, dict(zip(others, own, strict=True)))
        value = draft.evaluated(multiply(on, Ref(upstream, own)), own, draft.point(0))
        if value is not None and draft.close(value, claim):
            name = draft.scope.spelling(step.tensor)
            what = f"only the diagonal of ∂{name}/∂{draft.scope.spelling(by)} is in it: the entries off it are missing"
            yield Candidate("diagonal-only", what, None)


def on_diagonal(shape: tuple[int, ...], a: int, b: int) -> Array:
    """The mask of the entries whose positions on two axes are the same."""
    grid = np.indices(shape)
    return np.asarray(grid[a] == grid[b])
