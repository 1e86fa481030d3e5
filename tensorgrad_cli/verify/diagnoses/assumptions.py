"""Claims that hold only under a property that the tensors were not given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations, islice, permutations

import numpy as np

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Index,
    Op,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.numeric.environment import Environment
from tensorgrad_cli.numeric.evaluate import evaluate_chain
from tensorgrad_cli.numeric.sample import Unsatisfiable, draw_tensor
from tensorgrad_cli.verify.decide import Question, numbers
from tensorgrad_cli.verify.diagnoses.draft import Array, Candidate, Draft
from tensorgrad_cli.verify.diagnoses.ingredients import on_the_way
from tensorgrad_cli.verify.diagnoses.term_factors import scalar_factor
from tensorgrad_cli.verify.diagnoses.terms import other_size
from tensorgrad_cli.verify.points import Point
from tensorgrad_cli.verify.workbench import BRANCH_SCALES

__all__ = ["sums_to_zero", "unstated_property", "unstated_sign"]

# Points at which a claim must hold under the property before it is tried at all the further ones.
POINTS = 3
# Draws per dimension pair and tensor: more tensors than this are not looked at.
TENSORS = 12
# Symmetries of tensors of more axes are not looked for.
MOST_AXES = 4

# So many entries of tensors are held at once while suppositions are tried together.
TOGETHER = 1 << 16

Supposed = Callable[[dict[str, Array]], dict[str, Array]]


def unstated_property(draft: Draft) -> Iterator[Candidate]:
    """One tensor (or all square ones) with a property, under which the claim is true."""
    truth, claim = draft.truth, draft.claimed
    if truth is None or claim is None or draft.unseen:
        return
    names = _tensors(draft)
    for candidate in _under(draft, _suppositions(draft, names)):
        yield from scalar_factor(draft)
        yield candidate
    # A size written for another one is a wrong factor, though it would be right if both were the same.
    squares = tuple(_squares(draft, names))
    if not squares or any(c.text and draft.fits(c.text) for c in other_size(draft)):
        return
    further = _further(draft)
    for words, dimensions in squares:
        if _true_if_square(draft, *dimensions, further):
            yield Candidate("missing-assumption", f"holds only if {words}", None)


def unstated_sign(draft: Draft) -> Iterator[Candidate]:
    """One tensor that would have to be positive: `√(x²) = x`."""
    answer = draft.judged.answer
    if draft.reading is not None and answer is not None and not answer.exactly_different:
        plain = [t for t in _tensors(draft) if t.structure is None and t.values == "normal"]
        spell = draft.scope.spelling
        words = {t: ("the entries of " if t.shape else "", "are" if t.shape else "is") for t in plain}
        yield from _under(
            draft,
            ((f"{words[t][0]}{spell(t.name)} {words[t][1]} positive", _each((t,), np.abs)) for t in plain),
        )


def sums_to_zero(draft: Draft) -> Iterator[Candidate]:
    """The same for sums that are zero: tried late, since whatever is wrong in a factor of such a sum goes
    unseen under it."""
    truth, claim = draft.truth, draft.claimed
    if truth is not None and claim is not None and not draft.unseen:
        yield from _under(draft, _centrings(draft, _tensors(draft)))


def _under(draft: Draft, suppositions: Iterator[tuple[str, Supposed]]) -> Iterator[Candidate]:
    entries = sum(np.size(draft.point(0).environment.arrays[name]) for name in draft.point(0).tensors)
    while together := list(islice(suppositions, max(1, TOGETHER // max(entries, 1)))):
        near = _near_under(draft, [change for _, change in together])
        for (words, change), is_near in zip(together, near, strict=True):
            if is_near and _true_under(draft, change):
                yield Candidate("missing-assumption", f"holds only if {words}", None)


def _tensors(draft: Draft) -> tuple[Tensor, ...]:
    """The declared tensors that the claim depends on, without a structure, not given at a point."""
    reading = draft.reading
    assert reading is not None
    bench = draft.bench
    wanted = references(lowered(reading.left.expression, draft.scope)) | references(
        lowered(reading.right.expression, draft.scope)
    )
    found = set(wanted)
    for equation in bench.calculus.closure(wanted):
        found |= references(equation.expression)
    given = {equation.tensor for equation in reading.at}
    tensors = bench.spec.tensors.values()
    return tuple(t for t in tensors if t.name in found and t.name not in given)[:TENSORS]


def _suppositions(draft: Draft, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, Supposed]]:
    spell = draft.scope.spelling
    square = [t for t in tensors if _is_square(t)]
    for tensor in square:
        yield f"{spell(tensor.name)} is symmetric", _each((tensor,), _symmetric)
    if 1 < len(square) <= 3:
        words = " and ".join(spell(t.name) for t in square)
        yield f"{words} are symmetric", _each(tuple(square), _symmetric)
    for tensor in tensors:
        yield from _symmetries(tensor, spell(tensor.name))
    for tensor in tensors:
        if not _is_plain(tensor):
            continue
        name = spell(tensor.name)
        vector = len(tensor.shape) == 1
        subject = f"the entries of {name}" if vector else f"the rows of {name}"
        yield f"{subject} sum to one", _each((tensor,), _sums_to_one)
        if vector:
            yield f"{name} has norm one", _each((tensor,), _unit)
        if len(tensor.shape) == 2:
            yield f"the columns of {name} are orthonormal", _each((tensor,), _orthonormal)
            if _is_square(tensor):
                continue
            yield f"the rows of {name} are orthonormal", _each((tensor,), _orthonormal_rows)


def _symmetries(tensor: Tensor, name: str) -> Iterator[tuple[str, Supposed]]:
    """A tensor of more than two axes, symmetric in two of them or, where all are alike, in all."""
    shape, rank = tensor.shape, len(tensor.shape)
    if rank < 3 or rank > MOST_AXES or tensor.structure is not None or tensor.values != "normal":
        return
    for a, b in sorted(combinations(range(rank), 2), reverse=True):
        if shape[a] == shape[b]:
            yield f"{name} is symmetric in {_two_axes(a, b, rank)}", _each((tensor,), _symmetric_in((a, b)))
    if len(set(shape)) == 1:
        yield f"{name} is symmetric in all its axes", _each((tensor,), _symmetric_in(tuple(range(rank))))


def _two_axes(a: int, b: int, rank: int) -> str:
    if (a, b) == (rank - 2, rank - 1):
        return "its last two axes"
    if (a, b) == (0, 1):
        return "its first two axes"
    return f"its axes {a + 1} and {b + 1}"


def _symmetric_in(axes: tuple[int, ...]) -> Callable[[Array], Array]:
    def symmetric(array: Array) -> Array:
        orders = []
        for moved in permutations(axes):
            order = list(range(array.ndim))
            for place, axis in zip(axes, moved, strict=True):
                order[place] = axis
            orders.append(np.transpose(array, order))
        return np.asarray(sum(orders) / len(orders))

    return symmetric


def _centrings(draft: Draft, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, Supposed]]:
    spell = draft.scope.spelling
    for tensor in tensors:
        if _is_plain(tensor) and len(tensor.shape) <= 2 and not _is_linear_in(draft, tensor.name):
            name = spell(tensor.name)
            if len(tensor.shape) == 1:
                yield f"the entries of {name} sum to zero", _each((tensor,), _centred)
            else:
                yield f"the columns of {name} sum to zero", _each((tensor,), _centred_columns)
                yield f"the rows of {name} sum to zero", _each((tensor,), _centred)


def _is_square(tensor: Tensor) -> bool:
    shape = tensor.shape
    return len(shape) == 2 and shape[0] == shape[1] and tensor.structure is None and tensor.values == "normal"


def _is_plain(tensor: Tensor) -> bool:
    return (
        len(tensor.shape) >= 1
        and tensor.structure is None
        and tensor.values in ("normal", "uniform", "positive")
    )


def _each(tensors: tuple[Tensor, ...], change: Callable[[Array], Array]) -> Supposed:
    def supposed(arrays: dict[str, Array]) -> dict[str, Array]:
        return arrays | {t.name: change(np.asarray(arrays[t.name], dtype=float)) for t in tensors}

    return supposed


def _symmetric(a: Array) -> Array:
    return np.asarray((a + np.swapaxes(a, -1, -2)) / 2)


def _sums_to_one(a: Array) -> Array:
    return np.asarray(a + (1 - a.sum(axis=-1, keepdims=True)) / a.shape[-1])


def _unit(a: Array) -> Array:
    return np.asarray(a / np.linalg.norm(a))


def _centred(a: Array) -> Array:
    return np.asarray(a - a.mean(axis=-1, keepdims=True))


def _centred_columns(a: Array) -> Array:
    return np.asarray(a - a.mean(axis=0, keepdims=True))


def _orthonormal(a: Array) -> Array:
    if a.shape[0] < a.shape[1]:
        return a
    # Either sign of the determinant, as the draws have it: the property says nothing of that.
    q = np.linalg.qr(a)[0]
    q[:, 0] *= np.sign(a[0, 0])
    return np.asarray(q)


def _orthonormal_rows(a: Array) -> Array:
    return _orthonormal(a.T).T


def _is_linear_in(draft: Draft, name: str) -> bool:
    """Whether the truth doubles with a tensor: an upstream gradient, of which no property is to be expected."""
    doubled = _supposed(draft, [lambda arrays: arrays | {name: 2 * np.asarray(arrays[name], dtype=float)}])
    if doubled is None or draft.truth is None:
        return False
    return draft.close(doubled[0][0], 2 * draft.truth)


def _near_under(draft: Draft, changes: Sequence[Supposed]) -> list[bool]:
    """Under which suppositions truth and claim are near one another, and not zero, at the first point."""
    pair = _supposed(draft, changes)
    if pair is None:
        if len(changes) == 1:
            return [False]
        return [near for change in changes for near in _near_under(draft, [change])]
    return [
        draft.close(truth, claim) and bool(np.any(np.abs(truth) > 0))
        for truth, claim in zip(*pair, strict=True)
    ]


def _true_under(draft: Draft, change: Supposed) -> bool:
    if any(_decided(draft, change, draft.point(number)) != "equal" for number in range(POINTS)):
        return False
    # What is true of these draws alone (a trace that is positive at all of them) is seen at the further ones.
    further = (draft.bench.branch_points[number] for number in range(_further(draft)))
    return all(_decided(draft, change, point) != "different" for point in further)


def _further(draft: Draft) -> int:
    """At how many further points to look: at few where all functions are smooth everywhere."""
    points = len(draft.bench.branch_points)
    return min(POINTS, points) if all(map(_is_smooth, on_the_way(draft))) else points


def _is_smooth(node: Expression) -> bool:
    """Whether a node's own function or operation has neither kinks nor an edge of its domain."""
    match node:
        case Apply("pow", _, (_, exponent)):
            return isinstance(exponent, Const) and exponent.value.denominator == 1
        case Apply("<" | "<=" | "=" | "!="):
            return False
        case Apply(function):
            row = FUNCTIONS.get(function)
            return row is None or not (row.kinks or row.domain)
        case Op(operation):
            return not OPERATIONS[operation].kinks and OPERATIONS[operation].branch is None
        case _:
            return True


def _environment(change: Supposed, point: Point) -> Environment:
    base = point.environment
    arrays = {name: np.asarray(base.arrays[name]) for name in point.tensors}
    return Environment(change(arrays), frozenset(), base.sizes, base.functions, base.memory)


def _supposed(draft: Draft, changes: Sequence[Supposed]) -> tuple[Array, Array] | None:
    """Truth and claim at the first point under each of some suppositions, [supposition, …], without any bars."""
    reading = draft.reading
    if reading is None or reading.at:
        return None
    point = draft.point(0)
    base = point.environment
    arrays = {name: np.asarray(base.arrays[name]) for name in point.tensors}
    changed = [change(arrays) for change in changes]
    moving = {
        name: np.stack([each[name] for each in changed])
        for name, array in arrays.items()
        if any(each[name] is not array for each in changed)
    }
    batched = Environment(arrays | moving, frozenset(moving), base.sizes, base.functions, base.memory)
    pair = _plain(draft, batched)
    if pair is None:
        return None
    shape = (len(changes), *(index.dimension.size(point.sizes) for index in reading.free))
    return np.broadcast_to(pair[0], shape), np.broadcast_to(pair[1], shape)


def _plain(draft: Draft, environment: Environment) -> tuple[Array, Array] | None:
    """Truth and claim at some tensors, without any bars."""
    from tensorgrad_cli.numeric.evaluate import evaluate

    reading = draft.reading
    assert reading is not None
    sides = [lowered(side.expression, draft.scope) for side in (reading.left, reading.right)]
    names = references(sides[0]) | references(sides[1])
    try:
        filled = evaluate_chain(draft.bench.calculus.closure(names), environment)
        left, right = (np.asarray(evaluate(s, reading.free, filled), dtype=float) for s in sides)
    except (MemoryError, NotImplementedError, np.linalg.LinAlgError):
        return None
    return (right, left) if draft.flipped else (left, right)


def _decided(draft: Draft, change: Supposed, point: Point) -> str:
    """What the numbers say, within their bars, at a point under the supposition."""
    return _compared(draft, _environment(change, point))


def _compared(draft: Draft, environment: Environment) -> str:
    reading = draft.reading
    assert reading is not None
    point = Point(draft.bench.calculus, environment, draft.bench.spec.tensors)
    question = Question(
        lowered(reading.left.expression, draft.scope),
        lowered(reading.right.expression, draft.scope),
        reading.free,
    )
    return numbers(draft.bench, question, point)[0].verdict


# --- two dimensions alike -----------------------------------------------------------------------------


def _squares(draft: Draft, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, tuple[Dimension, Dimension]]]:
    spell = draft.scope.spelling
    counted = _counted(draft, tensors)
    seen = set()
    for tensor in tensors:
        if len(tensor.shape) != 2 or not (
            counted is None or counted.issuperset(d.name for d in tensor.shape)
        ):
            continue
        a, b = tensor.shape
        named = all(not d.terms and d.fixed is None for d in (a, b))
        if a != b and named and frozenset((a, b)) not in seen:
            seen.add(frozenset((a, b)))
            yield f"{spell(tensor.name)} is square, {a.name} = {b.name}", (a, b)


def _counted(draft: Draft, tensors: tuple[Tensor, ...]) -> set[str] | None:
    """The dimensions whose sizes are numbers in the formulas: whether two are of one size shows nowhere else in sums of
    products of entries and of functions of them. None where it may show otherwise."""
    if any(tensor.structure is not None for tensor in tensors):
        return None
    counted: set[str] = set()
    for node in on_the_way(draft):
        match node:
            case Sum(indices, body):
                counted.update(n for i in indices if i not in body.free for n in i.dimension.names)
            case Ref(tensor, positions) if tensor != RANGE and all(isinstance(p, Index) for p in positions):
                pass
            case Ref() | Delta() | Op():
                return None
            case _:
                pass
    return counted


def _true_if_square(draft: Draft, a: Dimension, b: Dimension, further: int) -> bool:
    """Whether the claim holds where two dimensions are alike, at some points and at `further` ones."""
    if draft.bench.spec.data or draft.reading is None or draft.reading.at:
        return False

    def redrawn(number: int, scale: float) -> Environment | None:
        base = draft.point(0).environment
        sizes = dict(base.sizes) | {b.name: base.sizes[a.name] + number % POINTS}
        sizes[a.name] = sizes[b.name]
        rng = np.random.default_rng([draft.bench.seed, 977, number])
        try:
            tensors = draft.bench.spec.tensors.values()
            arrays = {t.name: draw_tensor(t, sizes, rng, scale) for t in tensors}
        except Unsatisfiable:
            return None
        return Environment(arrays, frozenset(), sizes, base.functions, base.memory)

    for number in range(POINTS + further):
        environment = redrawn(number, 1.0 if number < POINTS else BRANCH_SCALES[number % len(BRANCH_SCALES)])
        if environment is None:
            return False
        if number == 0:
            pair = _plain(draft, environment)
            if pair is None or not draft.close(*pair):
                return False
        found = _compared(draft, environment)
        if found == "different" or (number < POINTS and found != "equal"):
            return False
    return True
