"""Walking an expression: what stands in it, rebuilt with its parts changed, what a chain depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from operator import attrgetter, is_
from typing import Any

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Chain,
    Const,
    Delta,
    Equation,
    Expression,
    Gather,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    multiply,
    power,
    summation,
)

__all__ = ["children", "mapped", "needed", "nodes", "occurring", "references", "subexpressions"]


# Looked up by class: a `match` tries the classes one after another, and every walk comes through here.
_INSIDE: dict[type, Callable[[Any], tuple[Expression, ...]]] = {
    Const: lambda _: (),
    Ref: lambda _: (),
    Delta: lambda _: (),
    Apply: attrgetter("arguments"),
    Op: attrgetter("arguments"),
    Product: attrgetter("factors"),
    Sum: lambda expression: (expression.body,),
    Add: attrgetter("terms"),
}


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside."""
    return _INSIDE[type(expression)](expression)


def mapped(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The expression with `change` done to each expression directly inside, rebuilt by the constructors
    that simplify; the same object where nothing changed."""
    kind = type(expression)
    before = _INSIDE[kind](expression)
    after = tuple([change(part) for part in before])
    return expression if all(map(is_, before, after)) else _REBUILT[kind](expression, after)


def _applied_anew(expression: Apply, arguments: tuple[Expression, ...]) -> Expression:
    if expression.function == "pow" and expression.order == (0, 0):
        return power(arguments[0], arguments[1])
    return Apply(expression.function, expression.order, arguments)


# By class too: the expression with other ones inside.
_REBUILT: dict[type, Callable[[Any, tuple[Expression, ...]], Expression]] = {
    Apply: _applied_anew,
    Op: lambda op, inner: Op(op.operation, op.bound, op.out, inner, op.parameters),
    Product: lambda _, factors: multiply(*factors),
    Sum: lambda expression, inner: summation(expression.indices, inner[0]),
    Add: lambda _, terms: add(*terms),
}


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """The expression and all that stands in it, outer ones first."""
    stack = [expression]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def occurring(expression: Expression) -> Iterator[Expression]:
    """The expression and all that stands in it, outer ones first, each object once: where a derivative reads
    the same part again and again, no more than the parts there are."""
    seen = {id(expression)}
    stack = [expression]
    while stack:
        current = stack.pop()
        yield current
        for part in reversed(children(current)):
            if id(part) not in seen:
                seen.add(id(part))
                stack.append(part)


def nodes(expression: Expression) -> int:
    """How many expressions stand in it, itself included, as often as they are written."""
    counts: dict[int, int] = {}
    stack = [expression]
    while stack:
        current = stack[-1]
        inner = children(current)
        waiting = [part for part in inner if id(part) not in counts]
        if waiting:
            stack += waiting
            continue
        counts[id(current)] = 1 + sum(counts[id(part)] for part in inner)
        stack.pop()
    return counts[id(expression)]


@lru_cache(maxsize=4096)
def references(expression: Expression) -> frozenset[str]:
    """The names of the tensors, steps and derivatives that an expression reads (`RANGE` left out)."""
    found: set[str] = set()
    for part in occurring(expression):
        if isinstance(part, Ref):
            found.add(part.tensor)
            found |= _gathered(part.indices)
        elif isinstance(part, Delta):
            found |= _gathered((part.left, part.right))
        elif isinstance(part, Op):
            found |= _gathered(part.out)
    found.discard(RANGE)
    return frozenset(found)


def _gathered(positions: Iterable[Position]) -> set[str]:
    found: set[str] = set()
    for position in positions:
        if isinstance(position, Gather):
            found.add(position.tensor)
            found |= _gathered(position.positions)
    return found


def needed(equations: Chain, names: Iterable[str]) -> Chain:
    """The equations, in their order, that the values of `names` depend on.

    `equations` stand in an order in which each refers to earlier ones only.
    """
    wanted = set(names)
    kept: list[Equation] = []
    for equation in reversed(equations):
        if equation.tensor in wanted:
            kept.append(equation)
            wanted |= references(equation.expression)
    return tuple(reversed(kept))
