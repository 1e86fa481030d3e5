"""Claims and derivations read.

This module imports no NumPy, so that a process may read while another one imports it.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import (
    Elaborated,
    elaborate_equation,
    elaborate_expression,
    elaborate_step,
)
from tensorgrad_cli.algebra.expression import Chain, Derivative, Equation, Index
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.occurrences import is_indexed
from tensorgrad_cli.algebra.side import Side
from tensorgrad_cli.algebra.sides import is_number
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.walking import references
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation, parse_expression
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Claim, Derivation
from tensorgrad_cli.spec.model import Line as DerivationLine
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.readings import ReadDerivation, Reading

__all__ = [
    "attempt_claim",
    "local_scope",
    "prepare",
    "read_claim",
    "read_derivation",
    "read_line",
    "read_start",
]


def read_claim(
    ground: Ground,
    source: Source,
    prefix: str,
    at: Mapping[str, Source] | None = None,
    scope: Scope | None = None,
) -> Reading:
    """Read a claim. Raises Issue where it cannot be read."""
    scope = scope or ground.scope
    tree = parse_equation(source, scope.vocabulary)
    elaborated: Elaborated = elaborate_equation(tree, scope, prefix)
    ground.calculus.extend(elaborated.definitions, elaborated.derivatives)
    given = tuple(_given(ground, name, text, f"{prefix}at", scope) for name, text in (at or {}).items())
    for equation, text in zip(given, (at or {}).values(), strict=True):
        _check_given(ground, equation, given, text, scope)
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


def _given(ground: Ground, name: str, text: Source, prefix: str, scope: Scope) -> Equation:
    """`w: expression`: the equation that gives a tensor its value at a point."""
    tree = parse_expression(text, scope.vocabulary)
    shape = ground.calculus.shapes[name]
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
    ground.calculus.extend(definitions, derivatives)
    return Equation(name, side.indices, side.expression)


def _check_given(ground: Ground, equation: Equation, given: Chain, text: Source, scope: Scope) -> None:
    """A tensor is given by others: what it is given must not depend on it, through steps or the others given."""
    others = {other.tensor: other for other in given}
    waiting, seen = [equation], {equation.tensor}
    while waiting:
        names = references(waiting.pop().expression)
        found = {part.tensor: part for part in ground.calculus.closure(names)}
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
    ground: Ground, source: Source, prefix: str, scope: Scope
) -> tuple[Side, tuple[Derivative, ...], tuple[str, ...]]:
    """Read the start of a derivation: it, the derivatives that it asks for, and remarks. Raises Issue."""
    tree = parse_expression(source, scope.vocabulary)
    side, derivatives, definitions, remarks = elaborate_expression(tree, scope, prefix=prefix)
    ground.calculus.extend(definitions, derivatives)
    return side, derivatives, remarks


def read_line(ground: Ground, source: Source, start: Side, prefix: str, scope: Scope) -> Reading:
    """Read a line of a derivation as an equation with its start. Raises Issue."""
    tree = parse_expression(source, scope.vocabulary)
    # Where the start is a scalar both notations fit, and nothing is free.
    free = None if start.matrix and not is_indexed(tree) else start.indices
    side, derivatives, definitions, remarks = elaborate_expression(
        tree, scope, free=free, matrix=None if not start.indices else start.matrix, prefix=prefix
    )
    ground.calculus.extend(definitions, derivatives)
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


def attempt_claim(ground: Ground, claim: Claim, prefix: str) -> Reading | Issue:
    """Read a claim; what is wrong in it is a value, for it is a verdict."""
    try:
        reading = read_claim(ground, claim.source, prefix, claim.at)
        prepare(ground, reading)
        return reading
    except Issue as issue:
        return issue


def prepare(ground: Ground, reading: Reading) -> None:
    """Work out the derivatives that a reading asks for, before any point or draw is made."""
    for expression in (
        reading.left.expression,
        reading.right.expression,
        *(equation.expression for equation in reading.at),
    ):
        low = lowered(expression, ground.scope)
        ground.require((low,))
        for name in sorted(references(low)):
            ground.calculus.resolve(name)


def local_scope(ground: Ground, where: tuple[Source, ...]) -> Scope:
    """The scope of a derivation, its abbreviations added as steps. Raises Issue."""
    scope = ground.scope
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
        ground.calculus.extend(definitions, derivatives)
        ground.calculus.extend((equation,), ())
        scope = scope.with_step(name, equation.shape, spelling)
    return scope


def read_derivation(ground: Ground, number: int, derivation: Derivation) -> ReadDerivation:
    """Read a derivation; never raises for what is written in it."""
    try:
        scope = local_scope(ground, derivation.where)
        start, derivatives, remarks = read_start(ground, derivation.start, f"d{number}.0.", scope)
    except Issue as issue:
        return ReadDerivation(number, derivation, issue, (issue,) * len(derivation.lines))
    lines = [
        _read(ground, line, start, f"d{number}.{k}.", scope) for k, line in enumerate(derivation.lines, 1)
    ]
    if lines and not isinstance(lines[0], Issue):
        # What is to be said of the start is said of the first line, which is an equation with it.
        lines[0] = replace(
            lines[0],
            derivatives=(*derivatives, *lines[0].derivatives),
            remarks=(*remarks, *lines[0].remarks),
        )
    return ReadDerivation(number, derivation, start, tuple(lines), scope)


def _read(ground: Ground, line: DerivationLine, start: Side, prefix: str, scope: Scope) -> Reading | Issue:
    try:
        reading = read_line(ground, line.source, start, prefix, scope)
        prepare(ground, reading)
        return reading
    except Issue as issue:
        return issue
