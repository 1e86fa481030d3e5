"""Where an expression is real: the arguments of roots and logarithms that have to be positive."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tensorgrad_cli.algebra.expression import Apply, Const, Expression
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import function_domain, instantiate
from tensorgrad_cli.algebra.walking import subexpressions
from tensorgrad_cli.exact.definitions import NATIVE
from tensorgrad_cli.exact.signs import Signs

__all__ = ["conditions"]


def conditions(expressions: Iterable[Expression], signs: Signs) -> tuple[Expression, ...]:
    """The expressions that have to be positive for the expanded `expressions` to be real, without those that
    are known to be."""
    found: dict[Expression, None] = {}
    for expression in expressions:
        for part in subexpressions(expression):
            if isinstance(part, Apply) and not any(part.order):
                for argument in _arguments(part):
                    if signs.of(argument).lowest_sign < 0:
                        found[argument] = None
    return tuple(found)


def _arguments(part: Apply) -> Iterator[Expression]:
    match part.function, part.arguments:
        case "log", (argument,):
            yield argument
        case "pow", (base, exponent):
            if not (isinstance(exponent, Const) and exponent.value.denominator == 1):
                yield base
        case name, arguments if name in FUNCTIONS and name not in NATIVE:
            values = dict(zip(FUNCTIONS[name].parameters, arguments, strict=True))
            for condition, _ in function_domain(name):
                yield instantiate(condition, values)
