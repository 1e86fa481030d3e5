"""Where an expression is real and finite: what is said of the arguments of roots and logarithms, and of divisors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Apply, Const, Expression
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import function_domain, instantiate
from tensorgrad_cli.algebra.walking import occurring
from tensorgrad_cli.exact.definitions import COMPARISONS, NATIVE
from tensorgrad_cli.exact.intervals import Interval
from tensorgrad_cli.exact.signs import Signs

__all__ = ["Requirement", "conditions", "together"]

# Where these jump at zero a root's end point need not be as the points beside it.
_JUMPS = frozenset(("sign", "step", *COMPARISONS))


class Requirement(Struct, frozen=True):
    """That an expression is '>', '>=' or '!=' zero."""

    expression: Expression
    sign: str


def conditions(expressions: Iterable[Expression], signs: Signs) -> tuple[Requirement, ...]:
    """What has to hold for the expanded `expressions` to be real and finite, without what is known to."""
    found = []
    for expression in expressions:
        for part in occurring(expression):
            if isinstance(part, Apply) and not any(part.order):
                found += [need for need in _needs(part) if not _is_known(need, signs.of(need.expression))]
            if isinstance(part, Apply) and part.function in _JUMPS:
                found.append(Requirement(part, "jump"))
    return tuple(dict.fromkeys(found))


def together(needs: Iterable[Requirement]) -> tuple[Requirement, ...]:
    """Requirements with one for each expression, the strictest. Draws are never at the end of a root's domain: where
    some function jumps, an equation is not said to hold there."""
    signs: dict[Expression, set[str]] = {}
    for need in needs:
        signs.setdefault(need.expression, set()).add(need.sign)
    open_ = any("jump" in found for found in signs.values())
    out = []
    for expression, found in signs.items():
        if ">" in found or found == {">=", "!="} or (">=" in found and open_):
            out.append(Requirement(expression, ">"))
        elif found != {"jump"}:
            out.append(Requirement(expression, ">=" if ">=" in found else "!="))
    return tuple(out)


def _is_known(need: Requirement, interval: Interval) -> bool:
    if need.sign == "!=":
        return interval.lowest_sign > 0 or interval.highest_sign < 0
    return interval.lowest_sign >= 0


def _needs(part: Apply) -> Iterator[Requirement]:
    match part.function, part.arguments:
        case "log", (argument,):
            yield Requirement(argument, ">")
        case "pow", (base, Const(exponent)) if exponent.denominator == 1:
            if exponent < 0:
                yield Requirement(base, "!=")
        case "pow", (base, Const(exponent)) if exponent > 0:
            yield Requirement(base, ">=")
        case "pow", (base, _):
            yield Requirement(base, ">")
        case name, arguments if name in FUNCTIONS and name not in NATIVE:
            values = dict(zip(FUNCTIONS[name].parameters, arguments, strict=True))
            for condition, sign in function_domain(name):
                yield Requirement(instantiate(condition, values), sign)
        case _:
            pass
