"""Claims and derivations: what somebody wrote, read, decided, and put into results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import permutations

from msgspec import Struct

from tensorgrad_cli.algebra.elaborate import (
    Elaborated,
    Side,
    elaborate_equation,
    elaborate_expression,
    elaborate_step,
)
from tensorgrad_cli.algebra.expression import Chain, Derivative, Equation, Index
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.occurrences import is_indexed
from tensorgrad_cli.algebra.sides import is_number
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation, parse_expression
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim
from tensorgrad_cli.verify.decide import Answer, Question, answer
from tensorgrad_cli.verify.workbench import Workbench

__all__ = [
    "Judged",
    "Line",
    "Reading",
    "attempt_claim",
    "judge",
    "judge_claim",
    "local_scope",
    "prepare",
    "read_claim",
    "read_line",
    "read_start",
]


class Line(Struct, frozen=True):
    """What a line of a derivation is an equation with: the text of the start, and the derivation's scope."""

    start: str
    scope: Scope


class Reading(Struct, frozen=True):
    """An equation as read: its sides, how it reads, and the axes of each side where they do not meet.

    `derivatives` are those that it asks for.
    """

    source: Source
    left: Side
    right: Side
    free: tuple[Index, ...]
    definitions: Chain
    remarks: tuple[str, ...]
    mismatch: Issue | None = None
    at: Chain = ()
    derivatives: tuple[Derivative, ...] = ()

    @property
    def question(self) -> Question:
        """The equation as a question to decide."""
        return Question(self.left.expression, self.right.expression, self.free, self.at)


class Judged(Struct, frozen=True):
    """A reading with its answer; an issue where it has no meaning. `layout` says that the sides are equal
    with their axes in another order: the order of the right side's axes that makes them so."""

    source: Source
    reading: Reading | None
    answer: Answer | None
    issue: Issue | None = None
    layout: tuple[int, ...] | None = None

    @property
    def verdict(self) -> str:
        """The verdict."""
        if self.layout is not None:
            return "refuted"
        return "ill-formed" if self.answer is None else self.answer.verdict

    @property
    def holds(self) -> bool:
        """Whether the equation was found to hold."""
        return self.verdict in ("proved", "verified")


def read_claim(
    bench: Workbench,
    source: Source,
    prefix: str,
    at: Mapping[str, Source] | None = None,
    scope: Scope | None = None,
) -> Reading:
    """Read a claim. Raises Issue where it cannot be read."""
    scope = scope or bench.scope
    tree = parse_equation(source, scope.vocabulary)
    elaborated: Elaborated = elaborate_equation(tree, scope, prefix)
    bench.calculus.extend(elaborated.definitions, elaborated.derivatives)
    given = tuple(_given(bench, name, text, f"{prefix}at", scope) for name, text in (at or {}).items())
    for equation, text in zip(given, (at or {}).values(), strict=True):
        _check_given(bench, equation, given, text, scope)
    return Reading(
        source,
        elaborated.left,
        elaborated.right,
        elaborated.free,
        elaborated.definitions,
        elaborated.remarks,
        elaborated.mismatch,
        given,
        elaborated.derivatives,
    )


def _given(bench: Workbench, name: str, text: Source, prefix: str, scope: Scope) -> Equation:
    """`w: expression`: the equation that gives a tensor its value at a point."""
    tree = parse_expression(text, scope.vocabulary)
    shape = bench.calculus.shapes[name]
    # In matrix notation the tensor's axes are known, so that `I` is as large as it; indices name their own.
    axes = tuple(Index(f"i{k}", dimension) for k, dimension in enumerate(shape))
    free = None if shape and is_indexed(tree) else axes
    side, derivatives, definitions, _ = elaborate_expression(tree, scope, free, matrix=True, prefix=prefix)
    if tuple(i.dimension for i in side.indices) != shape:
        raise Issue(
            "shape-mismatch",
            text.span(),
            f"{name} is {_shape(shape)}, what it is given is {_shape(tuple(i.dimension for i in side.indices))}",
            "write an expression of the same shape",
        )
    bench.calculus.extend(definitions, derivatives)
    return Equation(name, side.indices, side.expression)


def _check_given(bench: Workbench, equation: Equation, given: Chain, text: Source, scope: Scope) -> None:
    """A tensor is given by others: what it is given must not depend on it, through steps or the others given."""
    others = {other.tensor: other for other in given}
    waiting, seen = [equation], {equation.tensor}
    while waiting:
        names = references(waiting.pop().expression)
        found = {part.tensor: part for part in bench.calculus.closure(names)}
        names = names.union(*(references(part.expression) for part in found.values()))
        if equation.tensor in names:
            word = scope.spelling(equation.tensor)
            raise Issue(
                "self-reference",
                text.span(),
                f"what `{word}` is given depends on `{word}` itself",
                "write an expression in tensors that are not given, and in steps without them",
            )
        waiting += [others[name] for name in names & others.keys() - seen]
        seen |= names


def _shape(shape: tuple[object, ...]) -> str:
    return "×".join(getattr(d, "name", str(d)) for d in shape) or "a scalar"


def read_start(
    bench: Workbench, source: Source, prefix: str, scope: Scope
) -> tuple[Side, tuple[Derivative, ...], tuple[str, ...]]:
    """Read the start of a derivation: it, the derivatives that it asks for, and remarks. Raises Issue."""
    tree = parse_expression(source, scope.vocabulary)
    side, derivatives, definitions, remarks = elaborate_expression(tree, scope, prefix=prefix)
    bench.calculus.extend(definitions, derivatives)
    return side, derivatives, remarks


def read_line(bench: Workbench, source: Source, start: Side, prefix: str, scope: Scope) -> Reading:
    """Read a line of a derivation as an equation with its start. Raises Issue."""
    tree = parse_expression(source, scope.vocabulary)
    # Where the start is a scalar both notations fit, and nothing is free.
    free = None if start.matrix and not is_indexed(tree) else start.indices
    side, derivatives, definitions, remarks = elaborate_expression(
        tree, scope, free=free, matrix=None if not start.indices else start.matrix, prefix=prefix
    )
    bench.calculus.extend(definitions, derivatives)
    return _met(source, start, side, definitions, remarks, derivatives)


def _met(
    source: Source,
    left: Side,
    right: Side,
    definitions: Chain,
    remarks: tuple[str, ...],
    derivatives: tuple[Derivative, ...],
) -> Reading:
    """Two sides put together: the right one's axes renamed to the left one's where they meet."""
    mismatch = None
    have = tuple(i.dimension for i in right.indices)
    want = tuple(i.dimension for i in left.indices)
    if have == want and (left.row == right.row or len(want) != 1):
        right = _renamed(right, left.indices)
    elif not have and not right.expression.free and is_number(right.expression):
        right = Side(right.expression, left.indices, left.row, right.matrix)
    else:
        mismatch = Issue(
            "shape-mismatch",
            source.span(),
            f"the start is {_axes(left)}, this line is {_axes(right)}",
        )
    return Reading(source, left, right, left.indices, definitions, remarks, mismatch, derivatives=derivatives)


def _axes(side: Side) -> str:
    names = "×".join(i.dimension.name for i in side.indices) or "a scalar"
    return f"a row of {names}" if side.row and len(side.indices) == 1 else names


def _renamed(side: Side, indices: tuple[Index, ...]) -> Side:
    moved = substitute(side.expression, dict(zip(side.indices, indices, strict=True)))
    return Side(moved, indices, side.row, side.matrix)


def judge(bench: Workbench, reading: Reading) -> Judged:
    """Decide a reading; where the sides' shapes do not meet, look whether they do in another order of axes."""
    if reading.mismatch is None:
        return Judged(reading.source, reading, answer(bench, reading.question))
    for order in _orders(reading):
        right = _permuted(reading.right, order)
        question = Question(
            reading.left.expression,
            substitute(right.expression, dict(zip(right.indices, reading.left.indices, strict=True))),
            reading.left.indices,
            reading.at,
        )
        found = answer(bench, question)
        if found.holds:
            return Judged(reading.source, reading, found, None, order)
    return Judged(reading.source, reading, None, reading.mismatch)


def _permuted(side: Side, order: tuple[int, ...]) -> Side:
    return Side(side.expression, tuple(side.indices[k] for k in order), side.row, side.matrix)


def _orders(reading: Reading) -> Iterator[tuple[int, ...]]:
    """The orders of the right side's axes in which its shape is the left side's."""
    left = [i.dimension for i in reading.left.indices]
    right = [i.dimension for i in reading.right.indices]
    if not left or sorted(left) != sorted(right) or len(left) > 4:
        return
    for order in permutations(range(len(right))):
        if [right[k] for k in order] == left:
            yield order


def attempt_claim(bench: Workbench, claim: Claim, prefix: str) -> Reading | Issue:
    """Read a claim; what is wrong in it is a value, for it is a verdict."""
    try:
        reading = read_claim(bench, claim.source, prefix, claim.at)
        prepare(bench, reading)
        return reading
    except Issue as issue:
        return issue


def prepare(bench: Workbench, reading: Reading) -> None:
    """Work out the derivatives that a reading asks for, before any point or draw is made."""
    for expression in (
        reading.left.expression,
        reading.right.expression,
        *(equation.expression for equation in reading.at),
    ):
        low = lowered(expression, bench.scope)
        bench.require((low,))
        for name in sorted(references(low)):
            bench.calculus.resolve(name)


def judge_claim(bench: Workbench, source: Source, attempt: Reading | Issue) -> Judged:
    """Decide a claim that was read, or not; never raises for what is written in it."""
    if isinstance(attempt, Issue):
        return Judged(source, None, None, attempt)
    return judge(bench, attempt)


def local_scope(bench: Workbench, where: tuple[Source, ...]) -> Scope:
    """The scope of a derivation, its abbreviations added as steps. Raises Issue."""
    scope = bench.scope
    for source in where:
        tree = parse_equation(source, scope.vocabulary)
        name, spelling, equation, derivatives, definitions, _, _ = elaborate_step(tree, scope)
        if scope.shape(name) is not None:
            raise Issue(
                "duplicate-step",
                source.span(),
                f"{spelling} is a tensor or a step already",
                "choose another name for the abbreviation",
            )
        bench.calculus.extend(definitions, derivatives)
        bench.calculus.extend((equation,), ())
        scope = scope.with_step(name, equation.shape, spelling)
    return scope
