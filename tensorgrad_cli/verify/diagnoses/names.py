"""Slips in what stands in one place: a transpose, an index, a function, its argument."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tensorgrad_cli.algebra.expression import Apply, Product, Ref
from tensorgrad_cli.algebra.occurrences import children
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Indexed,
    IndexRange,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Transposed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.missing_factors import index_dimensions
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_factor, positions, walk
from tensorgrad_cli.verify.diagnoses.truth import forms
from tensorgrad_cli.verify.diagnoses.whole import transposed

__all__ = [
    "function_missing",
    "index_pair",
    "mentions",
    "other_argument",
    "other_axis",
    "other_function",
    "other_index",
    "other_variable",
    "transpose",
    "transpose_two",
]


DELTAS = ("delta", "δ", "eye")

# --- transposes ---------------------------------------------------------------------------------------


def transpose(draft: Draft) -> Iterator[Candidate]:
    """A factor is transposed and should not be, or the other way round."""
    if "[" in draft.side.span.text:
        yield from index_pair(draft)
    places = list(_transposable(draft.side))
    for place in places:
        yield _turned(draft, (place,))


def transpose_two(draft: Draft) -> Iterator[Candidate]:
    """Two factors are transposed that should not be, or the other way round."""
    places = list(_transposable(draft.side))
    for pair in combinations(places, 2):
        if _apart(*pair):
            yield _turned(draft, pair)


def _turned(draft: Draft, places: tuple[Tree, ...]) -> Candidate:
    said = " and ".join(
        f"{place.base.span.text} is not to be transposed"
        if isinstance(place, Transposed)
        else f"{place.span.text} is to be transposed: write {transposed(place)}"
        for place in places
    )
    edits = [Edit.at(place.span, transposed(place)) for place in places]
    return Candidate("transpose", said, draft.replaced(edits))


def _apart(a: Tree, b: Tree) -> bool:
    return a.span.end <= b.span.start or b.span.end <= a.span.start


def _transposable(tree: Tree) -> Iterator[Tree]:
    """Names, derivatives and parentheses that a transpose may follow, and what is transposed; in matrix notation."""
    match tree:
        case Transposed(base, inverse):
            if not inverse:
                yield tree
            yield from _inside(base)
        case Name() | Derivative():
            yield tree
        case Number() | Indexed():
            return
        case Parenthesis(body):
            yield tree
            yield from _transposable(body)
        case Call(_, arguments):
            yield tree
            for argument in arguments:
                yield from _transposable(argument)
        case Power(base):
            yield tree
            yield from _inside(base)
        case Signed(_, operand):
            yield from _transposable(operand)
        case Juxtaposed(parts):
            for part in parts:
                yield from _transposable(part)
        case Multiplied(first, rest) | Summed(first, rest):
            for part in (first, *(p for _, p in rest)):
                yield from _transposable(part)
        case _:
            return


def _inside(base: Tree) -> Iterator[Tree]:
    if isinstance(base, Parenthesis):
        yield from _transposable(base.body)


def index_pair(draft: Draft) -> Iterator[Candidate]:
    """Two positions of one entry have changed places."""
    for node in _entries(draft.side):
        for a, b in combinations(range(len(node.positions)), 2):
            first, second = node.positions[a].span, node.positions[b].span
            if first.text == second.text:
                continue
            edits = [Edit.at(first, second.text), Edit.at(second, first.text)]
            what = f"{first.text} and {second.text} have changed places in {node.span.text}"
            yield Candidate("transpose", what, draft.replaced(edits))


def _entries(tree: Tree) -> Iterator[Indexed]:
    seen: dict[int, Indexed] = {}
    for node, _, _ in positions(tree):
        seen.setdefault(node.span.start, node)
    yield from seen.values()


# --- indices ------------------------------------------------------------------------------------------


def other_index(draft: Draft) -> Iterator[Candidate]:
    """One index should be another one that runs over the same dimension, or a position is shifted."""
    dimensions = index_dimensions(draft)
    every = {p.text for _, _, p in positions(draft.tree.left) if isinstance(p, Name)}
    every |= {p.text for _, _, p in positions(draft.tree.right) if isinstance(p, Name)}
    for node in walk(draft.side):
        if isinstance(node, WrittenSum):
            yield from _other_bound(draft, node.indices, sorted(every))
        if isinstance(node, Call) and node.indices is not None:
            yield from _other_bound(draft, node.indices, sorted(every))
    for node, _, place in _repeated_first(draft.side):
        if isinstance(place, Name):
            mine = dimensions.get(place.text, set())
            beside = {p.span.text for p in node.positions} if node.base.span.text in DELTAS else set()
            for name in sorted(every - {place.text} - beside):
                if not mine or mine & dimensions.get(name, mine):
                    what = f"{place.text} in {node.span.text} should be {name}"
                    yield Candidate("wrong-index", what, draft.replaced([Edit.at(place.span, name)]))
        elif not isinstance(place, Number):
            yield from _shifted(draft, node, place)


def _repeated_first(side: Tree) -> list[tuple[Indexed, int, Tree]]:
    """The positions of a side, those of an entry that stands there already before the others: a copy of it with its
    indices left as they were."""
    every = list(positions(side))
    seen: set[str] = set()
    repeated = set()
    for node in dict.fromkeys(node for node, _, _ in every):
        if node.span.text in seen:
            repeated.add(node.span.start)
        seen.add(node.span.text)
    return sorted(every, key=lambda item: item[0].span.start not in repeated)


def _other_bound(draft: Draft, ranges: tuple[IndexRange, ...], every: list[str]) -> Iterator[Candidate]:
    for bound in ranges:
        for name in every:
            if name != bound.name.text:
                what = f"the sum is over {bound.name.text}, it should be over {name}"
                yield Candidate("wrong-index", what, draft.replaced([Edit.at(bound.name.span, name)]))


def other_axis(draft: Draft) -> Iterator[Candidate]:
    """An operation is along the other axis than it should be."""
    for call in walk(draft.side):
        if isinstance(call, Call):
            for name, value in call.keywords:
                yield from _along(draft, call, name, value)


def _along(draft: Draft, call: Call, name: Name, value: Tree) -> Iterator[Candidate]:
    if name.text == "axis":
        for axis in ("0", "1"):
            if value.span.text != axis:
                what = f"{call.function.text} is over the axis {value.span.text}, it should be over {axis}"
                yield Candidate("wrong-index", what, draft.replaced([Edit.at(value.span, axis)]))
                if axis == "1":
                    # A row is repeated along the columns as it stands, a column along the rows is not.
                    edits = [Edit.at(value.span, axis), Edit(call.span.end, call.span.end, " 1ᵀ")]
                    yield Candidate(
                        "wrong-index", f"{what}, and repeated along the rows", draft.replaced(edits)
                    )


def _shifted(draft: Draft, node: Indexed, place: Tree) -> Iterator[Candidate]:
    """A shifted position: signs turned round, strides put in or taken out, one more or less."""
    written = place.span.text
    for changed in _positions_like(written, place):
        what = f"the position {written} in {node.span.text} should be {changed}"
        yield Candidate("wrong-index", what, draft.replaced([Edit.at(place.span, changed)]))


def _positions_like(written: str, place: Tree) -> Iterator[str]:
    for k, character in enumerate(written):
        if character in "+-":
            yield written[:k] + ("-" if character == "+" else "+") + written[k + 1 :]
    start = place.span.start
    for name in (n for n in walk(place) if isinstance(n, Name)):
        at = name.span.start - start
        for stride in ("2", "3"):
            if not written[:at][-1:].isdigit():
                yield written[:at] + stride + written[at:]
        before = len(written[:at]) - len(written[:at].rstrip("0123456789"))
        if before:
            yield written[: at - before] + written[at:]
    yield f"{written}+1"
    yield f"{written}-1"


# --- functions ----------------------------------------------------------------------------------------

_RELATED = (
    ("sin", "cos"),
    ("sinh", "cosh"),
    ("tanh", "sigmoid"),
    ("log", "exp"),
    ("relu", "step"),
    ("max", "min"),
    ("softmax", "log_softmax"),
    ("softplus", "sigmoid"),
)


def other_function(draft: Draft) -> Iterator[Candidate]:
    """A prime too many or too few, or another function."""
    for node in walk(draft.side):
        if not isinstance(node, Call):
            continue
        name = node.function
        end = name.span.end
        if node.indices is None and not node.partials and len(node.arguments) == 1:
            for primes in (node.primes + 1, node.primes - 1):
                if primes >= 0:
                    new = name.span.text + "'" * primes
                    what = f"{new} should stand for {name.span.text}{chr(39) * node.primes}"
                    yield Candidate(
                        "wrong-function",
                        what,
                        draft.replaced([Edit(name.span.start, end + node.primes, new)]),
                    )
        if name.text == "exp" and not node.primes and len(node.arguments) == 1:
            yield from _normalised(draft, node)
        for other in _others(draft, node):
            what = f"{other} should stand for {name.span.text} in {node.span.text}"
            yield Candidate("wrong-function", what, draft.replaced([Edit.at(name.span, other)]))


def _normalised(draft: Draft, node: Call) -> Iterator[Candidate]:
    """`exp(z[i,j])` where its sum should be divided by: a softmax."""
    argument = node.arguments[0]
    here = dict.fromkeys(p.text for _, _, p in positions(argument) if isinstance(p, Name))
    written = [f"softmax[{index}]({argument.span.text})" for index in here]
    if not here:
        written = [f"softmax({argument.span.text}{axis})" for axis in ("", ", axis=1", ", axis=0")]
    for new in written:
        what = f"{node.span.text} is not divided by its sum: write {new}"
        yield Candidate("wrong-function", what, draft.replaced([Edit.at(node.span, new)]))


def function_missing(draft: Draft) -> Iterator[Candidate]:
    """A function that is not applied, or should not be."""
    names: dict[str, None] = {}
    for form in (*forms(draft), *(step.expression for step in draft.bench.calculus.steps)):
        for part in subexpressions(form):
            if isinstance(part, Apply) and part.function.isidentifier() and len(part.arguments) == 1:
                names.setdefault(draft.scope.spelling(part.function) + "'" * part.order[0])
    for node in walk(draft.side):
        if not isinstance(node, Name | Indexed) or draft.scope.shape(_base(node)) is None:
            continue
        for name in names:
            what = f"{name} is missing: write {name}({node.span.text})"
            text = draft.replaced([Edit.at(node.span, f"{name}({node.span.text})")])
            yield Candidate("wrong-function", what, text)
    for node in walk(draft.side):
        if isinstance(node, Call) and node.indices is None and len(node.arguments) == 1:
            inside = node.arguments[0]
            what = f"{node.function.span.text} is not to be applied to {inside.span.text}"
            yield Candidate("wrong-function", what, draft.replaced([Edit.at(node.span, as_factor(inside))]))


def _base(node: Name | Indexed) -> str:
    if isinstance(node, Name):
        return node.text
    return node.base.text if isinstance(node.base, Name) else ""


def _others(draft: Draft, call: Call) -> Iterator[str]:
    name = call.function.text
    abstract = draft.scope.abstract
    for other, arity in abstract.items():
        if other != name and name in abstract and arity == abstract[name]:
            yield draft.scope.spelling(other)
    for pair in _RELATED:
        if name in pair and name not in abstract:
            yield pair[1 - pair.index(name)]


def other_argument(draft: Draft) -> Iterator[Candidate]:
    """Another tensor or step of the same shape should stand in a place, or in all places of one."""
    yield from _renamings(draft, within=False)


def other_variable(draft: Draft) -> Iterator[Candidate]:
    """A derivative is of another step, or by another one, than it should be."""
    yield from _renamings(draft, within=True)


def _renamings(draft: Draft, within: bool) -> Iterator[Candidate]:
    for name, found in mentions(draft.side, within).items():
        if draft.scope.shape(name) is None:
            continue
        for other in _of_shape(draft, name):
            new, old = draft.scope.spelling(other), draft.scope.spelling(name)
            kind, what = "wrong-argument", f"{new} should stand for {old}"
            if _is_times(draft, other, name):
                kind, what = (
                    "missing-factor",
                    f"{new}, which is {old} with one more factor, should stand for {old}",
                )
            if len(found) > 1:
                edits = [Edit.at(place.span, new) for place in found]
                yield Candidate(kind, what, draft.replaced(edits))
            for place in found:
                yield Candidate(kind, what, draft.replaced([Edit.at(place.span, new)]))


def mentions(tree: Tree, within: bool) -> dict[str, list[Name]]:
    """Where each name stands, outside of derivatives or within them."""
    found: dict[str, list[Name]] = {}

    def look(part: Tree, inside: bool) -> None:
        match part:
            case Indexed(base):
                look(base, inside)
            case Name(text):
                if inside == within:
                    found.setdefault(text, []).append(part)
            case Derivative():
                for piece in children(part):
                    look(piece, True)
            case _:
                for piece in children(part):
                    look(piece, inside)

    look(tree, False)
    return found


def _is_times(draft: Draft, step: str, tensor: str) -> bool:
    """Whether a step is a product of a tensor and something else."""
    equation = draft.bench.calculus.equations.get(step)
    if equation is None or not isinstance(equation.expression, Product):
        return False
    return any(isinstance(f, Ref) and f.tensor == tensor for f in equation.expression.factors)


def _of_shape(draft: Draft, name: str) -> list[str]:
    """The other tensors and steps of a tensor's shape, those that are one function away first."""
    shape = draft.scope.shape(name)
    every = (*draft.scope.tensors, *draft.scope.steps)
    near = {e.tensor for e in draft.bench.calculus.steps}
    found = [other for other in every if other != name and draft.scope.shape(other) == shape]
    if draft.judged.reading is None and draft.matrix and shape is not None:
        # What does not fit where it stands may stand for something of another shape.
        rank = len(shape)
        others = [o for o in every if o != name and len(draft.scope.shape(o) or ()) == rank and rank]
        found += [other for other in others if other not in found]
    return sorted(found, key=lambda other: other not in near)
