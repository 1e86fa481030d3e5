"""Signs and steps of numbers that may be rounding and nothing else: what they jump by is no evidence."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from tensorgrad_cli.algebra.expression import Apply, Expression, subtract
from tensorgrad_cli.algebra.walking import references, subexpressions
from tensorgrad_cli.verify.certificate import EPS, JITTER_SAFETY, bar_of
from tensorgrad_cli.verify.points import Point

__all__ = ["unsettled"]

_JUMPS = frozenset(("sign", "step", "<", "<=", "=", "!="))


def unsettled(point: Point, expressions: Iterable[Expression], *, zeros: bool = False) -> bool:
    """Whether lowered expressions, or the equations behind them, take the sign of a number that is not zero and lies
    within its own rounding: √v √v - v is zero, and its floating-point sign mostly is not.

    With `zeros`, of a zero too that is no zero in a copy of the point: 1 - step(x), or 1 - tanh(x) far out.
    """
    whole = tuple(expressions)
    names = {name for expression in whole for name in references(expression)}
    equations = (equation.expression for equation in point.ordered(names))
    return any(_is_rounding(point, argument, zeros) for argument in _arguments((*whole, *equations)))


def _arguments(expressions: Iterable[Expression]) -> Iterator[Expression]:
    """What signs are taken of, each once."""
    seen: set[Expression] = set()
    for expression in expressions:
        for part in subexpressions(expression):
            if isinstance(part, Apply) and part.function in _JUMPS and part not in seen:
                seen.add(part)
                yield part.arguments[0] if len(part.arguments) == 1 else subtract(*part.arguments)


def _is_rounding(point: Point, argument: Expression, zeros: bool) -> bool:
    axes = tuple(sorted(argument.free))
    copies = point.evaluated(argument, axes)
    size = np.abs(copies[0])
    moved = np.any(copies != 0, axis=0) if zeros else size > 0
    rounding = np.maximum(bar_of(copies), JITTER_SAFETY * EPS * point.magnitude(argument, axes))
    return bool(np.any(moved & (size <= rounding)))
