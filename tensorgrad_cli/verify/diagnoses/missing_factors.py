"""Factors that the truth has and the claim lacks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, islice, product

from tensorgrad_cli.algebra.elaborate import elaborate_expression
from tensorgrad_cli.algebra.expression import (
    ONE,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Ref,
    add,
    negate,
)
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.notation.parse import parse_expression
from tensorgrad_cli.notation.tree import Call, Indexed, Name, Power, Tree, WrittenSum
from tensorgrad_cli.render import matrix
from tensorgrad_cli.render.text import GLYPHS
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.ingredients import ingredients
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    as_factor,
    factors,
    positions,
    terms,
    walk,
)
from tensorgrad_cli.verify.diagnoses.truth import (
    factors_of_truth,
    naming,
    printed_in,
)

__all__ = [
    "as_one",
    "axes_of",
    "beside",
    "index_dimensions",
    "is_atomic",
    "missing_delta",
    "missing_factor",
    "ones_or_identity",
    "shape_of",
    "turned",
]

ASSIGNMENTS = 6


PLACES = 10


ATOMS = 16


ENTRIES = 6


def missing_delta(draft: Draft) -> Iterator[Candidate]:
    """The claim is right where two indices are the same, and the truth is zero elsewhere."""
    truth, claim, reading = draft.truth, draft.claimed, draft.reading
    if truth is None or claim is None or reading is None:
        return
    from tensorgrad_cli.verify.diagnoses.whole import on_diagonal

    for a, b in combinations(range(truth.ndim), 2):
        i, j = reading.free[a], reading.free[b]
        if i.dimension == j.dimension and draft.close(truth, claim * on_diagonal(truth.shape, a, b)):
            delta = f"delta[{i.name},{j.name}]"
            inserted = f"{delta} {as_factor(draft.side)}"
            yield Candidate("missing-factor", f"the factor {delta} is missing", draft.with_side(inserted))


def missing_factor(draft: Draft) -> Iterator[Candidate]:
    """One factor of the truth put into a product of the claim."""
    atoms = (*factors_of_truth(draft)[:ATOMS], *_complements(draft))
    if draft.matrix:
        written = dict.fromkeys([*_written_atoms(draft, atoms), *_standing(draft)])
        yield from _matrix_factors(draft, list(written))
    else:
        yield from _indexed_factors(draft, (*atoms, *_deltas(draft)))
        yield from _indexed_factors(draft, tuple(_entries(draft))[:ENTRIES])


def _complements(draft: Draft) -> Iterator[Expression]:
    """`1 - p` for every step p in the claim."""
    mentioned = {node.text for node in walk(draft.side) if isinstance(node, Name)}
    for step in draft.bench.calculus.steps:
        if step.tensor in mentioned:
            yield add(ONE, negate(Ref(step.tensor, step.indices)))


def ones_or_identity(draft: Draft) -> Iterator[Candidate]:
    """In matrix notation: a column that should be repeated along the rows, a number that should be on a diagonal."""
    if not draft.matrix:
        return
    for node in walk(draft.side):
        if draft.reading is None and isinstance(node, Call | Name):
            new = f"{node.span.text} 1ᵀ"
            what = f"a column is not repeated along the rows by itself: write {new}"
            yield Candidate("missing-factor", what, draft.replaced([Edit.at(node.span, new)]))
    for term in terms(draft.side) if draft.reading is not None and len(draft.reading.free) == 2 else ():
        new = f"{as_factor(term.operand)} I"
        what = f"{term.operand.span.text} stands in every entry, it should on the diagonal only: write {new}"
        yield Candidate("missing-factor", what, draft.replaced([Edit.at(term.operand.span, new)]))


def beside(draft: Draft, atoms: tuple[Expression, ...]) -> Iterator[Candidate]:
    """Some given factors put into a product of the claim, one at a time."""
    if draft.matrix:
        yield from _matrix_factors(draft, list(dict.fromkeys(_written_atoms(draft, atoms))))
    else:
        yield from _indexed_factors(draft, atoms)


def _places(draft: Draft) -> list[Tree]:
    """What a factor may be put in front of: terms, and what stands in sums and means."""
    found: dict[tuple[int, int], Tree] = {}
    for term in terms(draft.side):
        found.setdefault((term.operand.span.start, term.operand.span.end), term.operand)
    for node in walk(draft.side):
        match node:
            case WrittenSum(_, _, body):
                found.setdefault((body.span.start, body.span.end), body)
            case Call(_, (argument,), _, _, _, indices) if indices is not None:
                found.setdefault((argument.span.start, argument.span.end), argument)
            case _:
                pass
    return list(found.values())[:PLACES]


def _indexed_factors(draft: Draft, atoms: tuple[Expression, ...]) -> Iterator[Candidate]:
    names = index_dimensions(draft)
    for atom in atoms:
        for place in _places(draft):
            for written in _assigned(draft, atom, names, place):
                front = f"{written} " if not _starts_with_number(place) else f"{written} * "
                body = place.span.text
                if type(place).__name__ in ("Summed", "Signed"):
                    body = f"({body})"
                what = f"the factor {written} is missing"
                yield Candidate(
                    "missing-factor", what, draft.replaced([Edit.at(place.span, f"{front}{body}")])
                )


def _entries(draft: Draft) -> Iterator[Expression]:
    """What stands in the claim itself: an entry of each tensor and step."""
    found = dict.fromkeys(
        node.base.text
        for node in walk(draft.side)
        if isinstance(node, Indexed) and isinstance(node.base, Name)
    )
    for name in found:
        shape = draft.scope.shape(name)
        if shape is not None:
            yield Ref(name, tuple(Index(f"i{k}", dimension) for k, dimension in enumerate(shape)))


def _starts_with_number(tree: Tree) -> bool:
    return tree.span.text[:1].isdigit()


def _deltas(draft: Draft) -> list[Expression]:
    reading = draft.reading
    free = reading.free if reading is not None else ()
    return [Delta(a, b) for a, b in combinations(free, 2) if a.dimension == b.dimension]


def index_dimensions(draft: Draft) -> dict[str, set[str]]:
    """The dimensions over which the indices of the claim run, by name."""
    reading = draft.judged.reading
    found: dict[str, set[str]] = {}
    if reading is None:
        return found
    for side in (reading.left, reading.right):
        for part in subexpressions(side.expression):
            for index in (*part.free, *getattr(part, "bound", ())):
                found.setdefault(index.name, set()).add(index.dimension.name)
    for index in reading.free:
        found.setdefault(index.name, set()).add(index.dimension.name)
    return found


def _assigned(draft: Draft, atom: Expression, names: dict[str, set[str]], place: Tree) -> Iterator[str]:
    """A factor with its indices called by those of the claim, in every way that their dimensions allow."""
    if isinstance(atom, Delta):
        if draft.reading is not None and atom.free <= frozenset(draft.reading.free):
            yield printed_in(draft, atom, {})
        return
    indices = sorted(atom.free)
    # Those that stand in the place itself first, the ones it sums over before the others.
    free = {index.name for index in draft.reading.free} if draft.reading is not None else set()
    here = {p.text for _, _, p in positions(place) if isinstance(p, Name)}
    choices = [
        sorted(
            (n for n, dimensions in names.items() if index.dimension.name in dimensions),
            key=lambda n, own=index.name: (n not in here, n != own, n in free),  # type: ignore[misc]
        )
        for index in indices
    ]
    diagonals = ingredients(draft).diagonals
    every = (chosen for chosen in product(*choices) if diagonals or len(set(chosen)) == len(chosen))
    for chosen in islice(every, ASSIGNMENTS):
        written = printed_in(draft, atom, dict(zip(indices, chosen, strict=True)))
        yield as_one(atom, written)


def as_one(e: Expression, written: str) -> str:
    """Printed text as one factor."""
    match e:
        case Ref() | Delta() | Op():
            return written
        case Apply("pow", (0, 0), (_, Const(value))) if value < 0:
            return f"({written})"
        case Apply(function) if function.isidentifier() and function != "pow":
            return written
        case Apply("pow"):
            return written
        case _:
            return f"({written})"


def _matrix_factors(draft: Draft, written: list[str]) -> Iterator[Candidate]:
    places = [(place, shape_of(draft, place.span.text)) for place in _matrix_places(draft)]
    for text in written:
        shape = shape_of(draft, text)
        if shape is None:
            continue
        for place, around in places:
            if around is None:
                continue
            for joined in _joined(text, shape, place, around, draft.reading is not None):
                upright = turned(text) not in joined
                what = f"the factor {text if upright else turned(text)} is missing"
                yield Candidate("missing-factor", what, draft.replaced([Edit.at(place.span, joined)]))


Shape = tuple[Dimension, ...]


def shape_of(draft: Draft, text: str) -> Shape | None:
    """The shape of a piece of matrix notation on its own; None where it has none."""
    try:
        tree = parse_expression(Source("piece", text), draft.scope.vocabulary)
        side = elaborate_expression(tree, draft.scope)[0]
    except Issue:
        return None
    return tuple(index.dimension for index in side.indices)


def _written_atoms(draft: Draft, atoms: tuple[Expression, ...]) -> Iterator[str]:
    """Factors of the truth in matrix notation."""
    names = naming(draft)
    for atom in atoms:
        axes = tuple(sorted(atom.free))
        if len(axes) > 2:
            continue
        written = matrix.matrix_of(atom, axes_of(atom, axes), names, GLYPHS)
        if written is not None:
            yield written if is_atomic(written) else f"({written})"


def _standing(draft: Draft) -> Iterator[str]:
    """Factors that stand in the claim itself, on either side."""
    for side in (draft.tree.left, draft.tree.right):
        for node in walk(side):
            match node:
                case Name(text):
                    shape = draft.scope.shape(text)
                    if shape is not None and len(shape) <= 2:
                        yield node.span.text
                case Power() if node.span.text.endswith(("^-1", "⁻¹")):
                    yield f"({node.span.text})"
                case Call(function) if function.text == "inv":
                    yield node.span.text
                case _:
                    pass


def axes_of(atom: Expression, axes: tuple[Index, ...]) -> tuple[Index, ...]:
    """The axes in the order in which the atom itself reads them."""
    order: dict[Index, None] = {}
    for part in subexpressions(atom):
        for index in getattr(part, "indices", ()):
            if index in axes:
                order.setdefault(index)
    return tuple(order) if len(order) == len(axes) else axes


def is_atomic(written: str) -> bool:
    return " " not in written or (written.endswith(")") and written.split("(")[0].isidentifier())


def _matrix_places(draft: Draft) -> list[Tree]:
    found: dict[tuple[int, int], Tree] = {}
    for term in terms(draft.side):
        found.setdefault((term.operand.span.start, term.operand.span.end), term.operand)
    for factor in factors(draft.side):
        found.setdefault((factor.tree.span.start, factor.tree.span.end), factor.tree)
    return list(found.values())[: 2 * PLACES]


def turned(text: str) -> str:
    """A factor transposed."""
    return f"{text}ᵀ" if text.isidentifier() or text.startswith("(") else f"({text})ᵀ"


def _joined(text: str, shape: Shape, place: Tree, around: Shape, keeps: bool) -> Iterator[str]:
    """A factor put beside a place, in every way that shapes allow. `keeps`: the place keeps its shape."""
    body = as_factor(place)
    if not shape:
        yield f"{text} * {place.span.text}" if _starts_with_number(place) else f"{text} {place.span.text}"
        return
    if not around:
        yield f"{place.span.text} {text}"
    other = turned(text)
    forms = [(text, shape)] if len(shape) == 1 else [(text, shape), (other, shape[::-1])]
    for written, form in forms:
        if form == around:
            yield f"({body} ⊙ {written})"
        if len(form) == 1 and len(around) == 2 and form[0] == around[0]:
            yield f"(diag({written}) {body})"
        square = len(form) == 2 and form[0] == form[1]
        if keeps and not square:
            continue
        if len(form) == 1 and len(around) == 2 and form[0] == around[-1]:
            yield f"({body} {written})"
        if len(form) == 1 and len(around) == 1:
            yield f"({written} {body})"
            yield f"({body} {written})"
        if len(form) == 2 and around and form[1] == around[0]:
            yield f"({written} {body})"
        if len(form) == 2 and around and around[-1] == form[0]:
            yield f"({body} {written})"
    if not keeps and len(shape) == 1 and len(around) == 1:
        yield f"({body} {other})"
        yield f"({other} {body})"
