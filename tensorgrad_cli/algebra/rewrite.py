"""Rewriting for printing and evaluation: what a person would tidy up, and nothing that hides the thread.

The reader's order of factors and terms is kept; products of parentheses are multiplied out only where a
Kronecker delta goes away by it. The laws are the small functions in RULES, each true for all values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from tensorgrad_cli.algebra.expression import RANGE, Chain, Const, Equation, Expression, Ref, subtract
from tensorgrad_cli.algebra.matching import shared
from tensorgrad_cli.algebra.reuse import reused
from tensorgrad_cli.algebra.scalars import SCALAR_RULES
from tensorgrad_cli.algebra.sums import SUM_RULES, one_sum
from tensorgrad_cli.algebra.terms import TERM_RULES
from tensorgrad_cli.algebra.walking import mapped

__all__ = ["RULES", "Rule", "difference", "one_sum", "reuse_steps", "simplified"]

Rule = Callable[[Expression], Expression | None]

RULES: tuple[Rule, ...] = SCALAR_RULES + TERM_RULES + SUM_RULES


def simplified(expression: Expression) -> Expression:
    """The expression with deltas summed, sums joined, like terms and powers collected, numbers folded."""
    if len(_DONE) > _REMEMBERED:
        _DONE.clear()
        _SETTLED.clear()
    return _simplified(expression)


def difference(left: Expression, right: Expression) -> Expression:
    """left - right, tidied up: what a claim has too much."""
    return simplified(subtract(simplified(left), simplified(right)))


def reuse_steps(expression: Expression, equations: Chain) -> Expression:
    """The expression, simplified, with what the equations compute called by their names: `1 - tanh(z[i,j])²`
    is `1 - y[i,j]²` where one of them is `y[i,j] = tanh(z[i,j])`. Give none that is not to be named."""
    tidy = tuple(Equation(e.tensor, e.indices, _tidy_side(e)) for e in equations)
    return simplified(reused(simplified(expression), tidy))


@lru_cache(maxsize=1024)
def _tidy_side(equation: Equation) -> Expression:
    return simplified(equation.expression)


# What has been simplified, and into what: chains, claims and their diagnoses share most of their parts. The
# results by identity too, so that none is looked up by walking it.
_DONE: dict[Expression, Expression] = {}
_SETTLED: dict[int, Expression] = {}
_REMEMBERED = 20_000


def _is_leaf(expression: Expression) -> bool:
    """Whether no rule is of such an expression."""
    return isinstance(expression, Const) or (isinstance(expression, Ref) and expression.tensor != RANGE)


def _simplified(expression: Expression) -> Expression:
    if id(expression) in _SETTLED or _is_leaf(expression):
        return expression
    known = _DONE.get(expression)
    if known is not None:
        return known
    current = shared(mapped(expression, _simplified))
    for rule in RULES:
        changed = rule(current)
        if changed is not None:
            current = _simplified(changed)
            break
    _DONE[expression] = current
    _SETTLED[id(current)] = current
    return current
