"""One factor by which a term of the claim falls short, found in numbers before any text is written.

What a term should be is known: the truth without the claim's other terms. A factor is found by comparing that with
the term times each formula that stands in the truth or the steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice, permutations

import numpy as np
from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    ONE,
    Apply,
    Const,
    Delta,
    Expression,
    Index,
    Ref,
    add,
    negate,
    power,
)
from tensorgrad_cli.algebra.normal import normal_form
from tensorgrad_cli.algebra.walking import mapped, nodes, references
from tensorgrad_cli.notation.tree import Name, Signed, Summed
from tensorgrad_cli.render import matrix
from tensorgrad_cli.render.text import GLYPHS
from tensorgrad_cli.verify.diagnoses.coefficients import Shortfall, needed_coefficients, shortfalls
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft, is_derivative
from tensorgrad_cli.verify.diagnoses.missing_factors import as_one, axes_of, is_atomic, shape_of, turned
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_factor, positions, put
from tensorgrad_cli.verify.diagnoses.truth import (
    factors_of_truth,
    naming,
    printed_in,
    steps_about,
    written_out,
)

__all__ = ["jacobian_factor", "scalar_factor", "term_factor"]

# So many formulas are compared, of at most so many nodes.
ATOMS = 40
LONG = 40
# Of so many steps the Jacobian is worked out.
STEPS = 4
MINUS_ONE = Const(Fraction(-1))


class Atom(Struct, frozen=True):
    """A formula that may be a factor, the order of its axes, and its value at the first point."""

    expression: Expression
    axes: tuple[Index, ...]
    value: Array


def scalar_factor(draft: Draft) -> Iterator[Candidate]:
    """A number that the spec names, a norm or a temperature, is missing as a factor of a derivative, or divides it:
    explains more than a property under which that number would be one."""
    if not is_derivative(draft.other):
        return
    wanted = [short for short in shortfalls(draft) if short.term.operand.span == draft.side.span]
    for short in wanted[:1]:
        for atom in _atoms(draft):
            if not atom.axes:
                yield from _scaled(draft, short, atom)


def term_factor(draft: Draft) -> Iterator[Candidate]:
    """A term (or the whole side) lacks one factor. Tried before terms that may be missing: where `1 - y²` is
    forgotten, `-y²` times the claim would do as a term."""
    known = _atoms(draft)
    for short in shortfalls(draft):
        if not np.any(short.had):
            continue
        for atom in known:
            if atom.axes:
                yield from _entrywise(draft, short, atom)
                # A Jacobian that the truth is made of explains nothing as a factor.
                if isinstance(atom.expression, Ref) and atom.expression.tensor[0] not in "∂‹":
                    yield from _contracted(draft, short, atom)
            else:
                yield from _scaled(draft, short, atom)


def jacobian_factor(draft: Draft) -> Iterator[Candidate]:
    """What comes from upstream is not pulled back through a step between: `B w1 - b` for `(I - α A) (B w1 - b)`."""
    reading = draft.reading
    if reading is None or len(reading.free) > 2:
        return
    known = list(_jacobians(draft))
    for short in shortfalls(draft) if known else ():
        for atom in known if np.any(short.had) else ():
            yield from _contracted(draft, short, atom)


# --- formulas -----------------------------------------------------------------------------------------


def _atoms(draft: Draft) -> list[Atom]:
    known = draft.notes.get("atoms")
    if known is None:
        known = draft.notes["atoms"] = list(islice(_valued(draft, _formulas(draft)), ATOMS))
    assert isinstance(known, list)
    return known


def _formulas(draft: Draft) -> Iterator[Expression]:
    """What stands in the truth, then the steps it is about, what is one over either, and one minus a step."""
    factors = factors_of_truth(draft)
    yield from factors
    steps = [Ref(step.tensor, step.indices) for step in steps_about(draft)]
    yield from steps
    for part in (*factors, *steps):
        if not isinstance(part, Apply | Delta) or (isinstance(part, Apply) and part.function != "pow"):
            yield power(part, MINUS_ONE)
    for step in steps:
        yield add(ONE, negate(step))


def _jacobians(draft: Draft) -> Iterator[Atom]:
    """The derivatives of the steps between by what the truth is differentiated by, written out: `I - α A`."""
    side, calculus = draft.truth_side, draft.bench.calculus
    truth = side.expression if side is not None else None
    if not isinstance(truth, Ref) or truth.tensor not in calculus.asked:
        return
    whole = calculus.asked[truth.tensor]
    by = whole.denominators[-1]
    if len(calculus.shapes[by]) != 1:
        return
    spell = draft.scope.spelling
    before = {e.tensor for e in calculus.closure([whole.numerator])}
    for step in [s for s in reversed(calculus.steps) if s.tensor in before][:STEPS]:
        if step.shape != calculus.shapes[by] or step.tensor in (whole.numerator, by):
            continue
        written = f"∂{spell(step.tensor)}/∂{spell(by)}"
        reading = draft.read(f"{written} = {written}", new=True)
        out = None if reading is None else written_out(draft, reading.left.expression)
        if out is not None and reading is not None:
            short = normal_form(_in_one_order(draft, normal_form(out), reading.free))
            value = draft.evaluated(short, reading.free, draft.point(0))
            if value is not None and nodes(short) <= LONG:
                yield Atom(short, reading.free, value)


def _in_one_order(draft: Draft, e: Expression, free: tuple[Index, ...]) -> Expression:
    """The expression with the entries of tensors declared symmetric written in one order of their indices, the free
    ones first and as they stand in `free`. Only of what has no derivatives to be taken any more."""
    if not isinstance(e, Ref):
        return mapped(e, lambda part: _in_one_order(draft, part, free))
    tensor = draft.bench.spec.tensors.get(e.tensor)
    plain: list[Index] = [i for i in e.indices if isinstance(i, Index)]
    if tensor is None or tensor.structure not in ("symmetric", "spd", "diagonal") or len(plain) != 2:
        return e

    def place(index: Index) -> tuple[int, Index]:
        return (free.index(index) if index in free else len(free), index)

    ordered: list[Index] = sorted(plain, key=place)
    return Ref(e.tensor, tuple(ordered))


def _valued(draft: Draft, formulas: Iterator[Expression]) -> Iterator[Atom]:
    seen: set[Expression] = set()
    truth = draft.truth_side.expression if draft.truth_side is not None else None
    scaling = bool(needed_coefficients(draft))
    for formula in formulas:
        # Numbers made of sizes alone are coefficients.
        if formula in seen or not references(formula) or nodes(formula) > LONG or formula == truth:
            continue
        seen.add(formula)
        axes = axes_of(formula, tuple(sorted(formula.free)))
        # A number is no factor of what none makes right.
        if _may_stand(draft, axes) if axes else scaling:
            value = draft.evaluated(formula, axes, draft.point(0))
            if value is not None and np.isfinite(value).all():
                yield Atom(formula, axes, value)


def _may_stand(draft: Draft, axes: tuple[Index, ...]) -> bool:
    """Whether something with these axes may be multiplied with the claim, entry by entry or as a matrix from a side."""
    free = [index.dimension for index in draft.reading.free] if draft.reading is not None else []
    own = [axis.dimension for axis in axes]
    square = len(own) == 2 and own[0] == own[1] and own[0] in free
    return square or (len(own) <= 2 and all(free.count(d) >= own.count(d) for d in own))


# --- comparing ----------------------------------------------------------------------------------------


def _is(draft: Draft, short: Shortfall, had: Array) -> bool:
    return bool(np.abs(short.wanted - had).max() <= short.near)


def _scaled(draft: Draft, short: Shortfall, atom: Atom) -> Iterator[Candidate]:
    if not _is(draft, short, atom.value * short.had):
        return
    operand = short.term.operand
    below = _divisor(atom.expression)
    if below is not None:
        written = _written(draft, below, ())
        body = as_factor(operand) if _is_sum(short) else operand.span.text
        text, what = f"{body} / {written}", f"the factor 1/{written} is missing"
    else:
        written = _written(draft, atom.expression, ())
        text, what = f"{written} * {as_factor(operand)}", f"the factor {written} is missing"
    if written is not None:
        yield _instead(draft, short, text, what)


def _entrywise(draft: Draft, short: Shortfall, atom: Atom) -> Iterator[Candidate]:
    reading = draft.reading
    assert reading is not None
    places = range(len(reading.free))
    for chosen in permutations(places, len(atom.axes)):
        if any(reading.free[p].dimension != a.dimension for p, a in zip(chosen, atom.axes, strict=True)):
            continue
        if not _is(draft, short, _spread(atom.value, chosen, len(places)) * short.had):
            continue
        text = _beside(draft, short, atom, chosen)
        if text is not None:
            yield _instead(draft, short, text[0], f"the factor {text[1]} is missing")


def _spread(value: Array, chosen: Sequence[int], rank: int) -> Array:
    """An array with its axes moved to some of `rank` places, of length one along the others."""
    order = np.argsort(chosen)
    shape = [1] * rank
    for axis, place in enumerate(chosen):
        shape[place] = value.shape[axis]
    return np.transpose(value, order).reshape(shape)


def _beside(draft: Draft, short: Shortfall, atom: Atom, chosen: tuple[int, ...]) -> tuple[str, str] | None:
    """A term with an entry-by-entry factor, and that factor."""
    reading = draft.reading
    assert reading is not None
    body = as_factor(short.term.operand)
    if not draft.matrix:
        names = {axis: reading.free[p].name for axis, p in zip(atom.axes, chosen, strict=True)}
        written = as_one(atom.expression, printed_in(draft, atom.expression, names))
        body = short.term.operand.span.text if not _is_sum(short) else body
        return f"{written} {'* ' if body[:1].isdigit() else ''}{body}", written
    written_ = _written(draft, atom.expression, atom.axes)
    if written_ is None:
        return None
    if shape_of(draft, short.term.operand.span.text) == ():
        other = written_ if chosen == tuple(sorted(chosen)) else turned(written_)
        return (f"{body} {other}", other) if len(chosen) == len(reading.free) else None
    if len(chosen) == len(reading.free):
        other = turned(written_) if chosen != tuple(sorted(chosen)) else written_
        return f"({body} ⊙ {other})", other
    inside = written_[1:-1] if written_.startswith("(") and written_.endswith(")") else written_
    diagonal = f"diag({inside})"
    return (f"({diagonal} {body})" if chosen == (0,) else f"({body} {diagonal})"), diagonal


def _contracted(draft: Draft, short: Shortfall, atom: Atom) -> Iterator[Candidate]:
    """A matrix by which a term is to be multiplied."""
    reading = draft.reading
    assert reading is not None
    if len(atom.axes) != 2:
        return
    for place, index in enumerate(reading.free):
        for axis in (0, 1):
            if any(a.dimension != index.dimension for a in atom.axes):
                continue
            product = np.moveaxis(np.tensordot(atom.value, short.had, ((axis,), (place,))), 0, place)
            if _is(draft, short, product):
                found = _times(draft, short, atom, place, axis)
                if found is not None:
                    yield _instead(draft, short, found[0], f"the factor {found[1]} is missing")


def _times(draft: Draft, short: Shortfall, atom: Atom, place: int, axis: int) -> tuple[str, str] | None:
    reading = draft.reading
    assert reading is not None
    operand = short.term.operand
    if draft.matrix:
        written = _written(draft, atom.expression, atom.axes)
        if written is None:
            return None
        symmetric = np.allclose(atom.value, atom.value.T, rtol=1e-9, atol=0.0)
        left = written if axis == 1 or symmetric else turned(written)
        right = written if axis == 0 or symmetric else turned(written)
        body = as_factor(operand)
        return (f"({left} {body})", left) if place == 0 else (f"({body} {right})", right)
    free = reading.free[place]
    used = {
        p.text for side in (draft.side, draft.other) for _, _, p in positions(side) if isinstance(p, Name)
    }
    new = next(letter for letter in "kqrstuvabcdefgh" if letter not in used)
    names = {atom.axes[1 - axis]: free.name, atom.axes[axis]: new}
    written = as_one(atom.expression, printed_in(draft, atom.expression, names))
    edits = [
        Edit(p.span.start - operand.span.start, p.span.end - operand.span.start, new)
        for _, _, p in positions(operand)
        if isinstance(p, Name) and p.text == free.name
    ]
    body = put(operand.span.text, edits)
    return f"{written} ({body})" if _is_sum(short) else f"{written} {body}", written


def _is_sum(short: Shortfall) -> bool:
    return isinstance(short.term.operand, Summed | Signed)


# --- writing ------------------------------------------------------------------------------------------


def _instead(draft: Draft, short: Shortfall, text: str, what: str) -> Candidate:
    return Candidate("missing-factor", what, draft.replaced([Edit.at(short.term.operand.span, text)]))


def _divisor(expression: Expression) -> Expression | None:
    match expression:
        case Apply("pow", (0, 0), (base, Const(value))) if value < 0:
            return power(base, Const(-value))
        case _:
            return None


def _written(draft: Draft, expression: Expression, axes: tuple[Index, ...]) -> str | None:
    """A formula as one factor in the claim's notation."""
    if not draft.matrix:
        return as_one(expression, printed_in(draft, expression, {}))
    written = matrix.matrix_of(expression, axes, naming(draft), GLYPHS)
    return written if written is None or is_atomic(written) else f"({written})"
