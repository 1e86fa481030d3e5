"""Value numbering: what a step of the chain already computes is called by the step's name.

`tanh(z[i,j])` becomes `y[i,j]` where the chain has `y[i,j] = tanh(z[i,j])`; `exp(z[i]) exp(z[j]) / s²` becomes
`p[i] p[j]` where it has `p[i] = exp(z[i]) / s`. Steps are found by signatures in a dictionary, and only what
has the signature of a step is compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from functools import lru_cache

from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    Add,
    Apply,
    Chain,
    Const,
    Delta,
    Equation,
    Expression,
    Index,
    Product,
    Ref,
    Sum,
    multiply,
    negate,
    power,
)
from tensorgrad_cli.algebra.matching import Binding, blind, matches, shared
from tensorgrad_cli.algebra.scalars import based, factors_of, is_size, powers_collected, split_coefficient
from tensorgrad_cli.algebra.sums import one_sum
from tensorgrad_cli.algebra.walking import mapped, occurring

__all__ = ["reused"]

Powers = tuple[tuple[Expression, Fraction], ...]


class _Step(Struct, frozen=True):
    """A step to be recognised: its right side, in terms of the steps before it, and that as powers."""

    tensor: str
    indices: tuple[Index, ...]
    body: Expression
    coefficient: Fraction
    powers: Powers

    def ref(self, binding: Binding) -> Ref:
        """The entry of the step that the binding of its indices points at."""
        return Ref(self.tensor, tuple(binding[index] for index in self.indices))


class _Table(Struct, frozen=True):
    """The steps by the signature of the right side, or of one factor where it is a product or a power."""

    whole: Mapping[int, tuple[_Step, ...]]
    products: Mapping[int, tuple[_Step, ...]]


def reused(expression: Expression, equations: Chain) -> Expression:
    """The expression in terms of the steps; it and the right sides have been simplified before."""
    return _renamed(expression, _table(equations), {})


@lru_cache(maxsize=64)
def _table(equations: Chain) -> _Table:
    whole: dict[int, tuple[_Step, ...]] = {}
    products: dict[int, tuple[_Step, ...]] = {}
    table = _Table(whole, products)
    for equation in equations:
        step = _step(equation, _renamed(equation.expression, table, {}))
        if step is None:
            continue
        if isinstance(step.body, Product) or _is_power(step.body):
            key = max((base for base, _ in step.powers), key=_weight)
            products[blind(key)] = (*products.get(blind(key), ()), step)
        else:
            whole[blind(step.body)] = (*whole.get(blind(step.body), ()), step)
    return table


def _step(equation: Equation, body: Expression) -> _Step | None:
    # A step worth recognising: not a name for an entry or for a product of entries, nothing repeated along.
    if body.free != frozenset(equation.indices) or _weight(body) == 0:
        return None
    coefficient, rest = split_coefficient(body)
    powers = tuple(based(factor) for factor in factors_of(rest))
    return _Step(equation.tensor, equation.indices, body, coefficient, powers)


def _weight(expression: Expression) -> int:
    # How many parts are more than entries, numbers and sizes, their products, quotients and whole powers.
    plain = (Const, Ref, Delta, Product)
    count = 0
    for part in occurring(expression):
        if _is_power(part):
            count += based(part)[1].denominator != 1
        else:
            count += not isinstance(part, plain) and not is_size(part)
    return count


def _is_power(expression: Expression) -> bool:
    return isinstance(expression, Apply) and based(expression)[0] is not expression


def _renamed(expression: Expression, table: _Table, done: dict[Expression, Expression]) -> Expression:
    known = done.get(expression)
    if known is None:
        current = shared(mapped(expression, lambda part: _renamed(part, table, done)))
        product = isinstance(current, Product) or _is_power(current)
        known = shared(_divided(current, table) if product else _named(current, table))
        done[expression] = known
    return known


def _named(expression: Expression, table: _Table) -> Expression:
    found = _found(expression, table)
    if found is not None:
        return found
    if isinstance(expression, Add):
        opposite = _found(negate(expression), table)
        if opposite is not None:
            return negate(opposite)
    return expression


def _found(expression: Expression, table: _Table) -> Expression | None:
    for step in table.whole.get(blind(expression), ()):
        for binding in matches(step.body, expression, {}, frozenset(step.indices)):
            return step.ref(binding)
    return None


# --- products ---------------------------------------------------------------------------------------


def _divided(expression: Expression, table: _Table) -> Expression:
    # A product or a power with as many steps taken out as there are in it. Where it has sums, part of a
    # step may stand before and part of it behind the Σ.
    found = _quotient(expression, table)
    if any(isinstance(factor, Sum) and not is_size(factor) for factor in factors_of(found)):
        joined = one_sum(found)
        if isinstance(joined, Sum):
            body = _quotient(joined.body, table)
            return found if body == joined.body else Sum(joined.indices, body)
    return found


def _quotient(expression: Expression, table: _Table) -> Expression:
    coefficient, rest = split_coefficient(expression)
    powers: Powers = tuple(based(factor) for factor in factors_of(rest))
    changed = False
    while True:
        candidates = (s for base, _ in powers for s in table.products.get(blind(base), ()))
        step, smaller = _first_quotient(coefficient, powers, candidates)
        if step is None:
            break
        coefficient /= step.coefficient
        powers = smaller
        changed = True
    if not changed:
        return expression
    product = multiply(Const(coefficient), *(power(base, Const(e)) for base, e in powers))
    return powers_collected(product) or product


def _first_quotient(
    coefficient: Fraction, powers: Powers, steps: Iterable[_Step]
) -> tuple[_Step | None, Powers]:
    for step in steps:
        if step.coefficient in (1, coefficient):
            for binding, places in _quotients(step.powers, powers, {}, frozenset(step.indices)):
                return step, _without(powers, places, step.ref(binding))
    return None, powers


Places = tuple[tuple[int, Fraction], ...]


def _quotients(
    wanted: Powers, powers: Powers, binding: Binding, open_: frozenset[Index]
) -> Iterator[tuple[Binding, Places]]:
    """Every way to find the wanted powers among the powers: the binding, and how much of which is used."""
    if not wanted:
        yield binding, ()
        return
    (base, exponent), others = wanted[0], wanted[1:]
    look = blind(base)
    for k, (other, present) in enumerate(powers):
        if blind(other) == look and present / exponent >= 1:
            left = (*powers[:k], (other, present - exponent), *powers[k + 1 :])
            for found in matches(base, other, binding, open_):
                for whole, places in _quotients(others, left, found, open_):
                    yield whole, ((k, exponent), *places)


def _without(powers: Powers, places: Places, ref: Ref) -> Powers:
    exponents = [exponent for _, exponent in powers]
    for k, used in places:
        exponents[k] -= used
    first = min(k for k, _ in places)
    listed: list[tuple[Expression, Fraction]] = []
    for k, (base, _) in enumerate(powers):
        if k == first:
            listed.append((ref, Fraction(1)))
        if exponents[k]:
            listed.append((base, exponents[k]))
    return tuple(listed)
