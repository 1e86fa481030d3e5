"""Slips of a whole side: its axes in another order, the diagonal of a Jacobian alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

import numpy as np

from tensorgrad_cli.algebra.expression import Index, Ref
from tensorgrad_cli.notation.tree import Juxtaposed, Name, Parenthesis, Transposed, Tree
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_power_base, is_number_like, positions

__all__ = ["axes_in_another_order", "diagonal_alone", "transposed"]


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
    """A side transposed: its matrices in reverse where it is a plain product of some, else all of it at once."""
    if isinstance(tree, Juxtaposed):
        scalars = [f for f in tree.factors if _is_scalar(draft, f)]
        rest = [f for f in tree.factors if f not in scalars]
        if all(isinstance(f, Name | Transposed | Parenthesis) for f in rest):
            yield " ".join([*(f.span.text for f in scalars), *(transposed(f) for f in reversed(rest))])
    yield transposed(tree)


def _is_scalar(draft: Draft, tree: Tree) -> bool:
    match tree:
        case Name(text):
            return not draft.scope.shape(text)
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


def on_diagonal(shape: tuple[int, ...], a: int, b: int) -> Array:
    """The mask of the entries whose positions on two axes are the same."""
    grid = np.indices(shape)
    return np.asarray(grid[a] == grid[b])
