"""What scalar functions do to residues: the laws of `residues` where there are any, else random oracles."""

from __future__ import annotations

from fractions import Fraction
from functools import cache, reduce
from typing import TYPE_CHECKING

import numpy as np

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Expression,
    Index,
    Product,
    Ref,
    Sum,
    subtract,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.exact.contract import ordered
from tensorgrad_cli.exact.field import Integers
from tensorgrad_cli.exact.reading import aligned
from tensorgrad_cli.exact.residues import ANGLE, EXPONENT, VALUE, Kept, Residues, both_kept

if TYPE_CHECKING:
    from tensorgrad_cli.exact.evaluate import Evaluator

__all__ = ["any_order", "applied", "whole_numbers"]

_HALF = Fraction(1, 2)


def applied(model: Evaluator, expression: Apply, kind: int) -> Residues:
    """The value of a function at its arguments, entry by entry."""
    if any(expression.order):
        return _oracle(model, expression, kind)
    match expression.function, expression.arguments:
        case "pi", ():
            return Residues(model.draws.pi[kind])
        case "pow", (base, exponent):
            return _power(model, expression, base, exponent, kind)
        case "exp", (exponent,):
            return _exponential(model, expression, exponent, kind)
        case "log", (argument,):
            return _logarithm(model, argument, kind)
        case ("sin" | "cos") as name, (angle,):
            return _wave(model, expression, angle, kind, sine=name == "sin")
        case "sign", (argument,):
            return _sign(model, argument, kind)
        case "abs", (argument,):
            return _times(model, model.value(argument, kind), _sign(model, argument, kind), kind)
        case "step", (argument,):
            return _step(model, argument, kind)
        case "relu", (argument,):
            return _times(model, model.value(argument, kind), _step(model, argument, kind), kind)
        case ("max" | "min") as name, (a, b):
            return _greater(model, a, b, kind, least=name == "min")
        case ("max" | "min") as name, arguments:
            return _greatest(model, expression, arguments, kind, least=name == "min")
        case ("<" | "<=" | "=" | "!=") as name, (a, b):
            return _compared(model, name, a, b, kind)
        case _:
            return _oracle(model, expression, kind)


# --- oracles --------------------------------------------------------------------------------------

# Leaves of the table that are odd, f(-x) = -f(x).
_ODD = frozenset(("erf", "asin", "atan"))
# Where a value is one of these on an open set (a step, a relu), it is a constant with a meaning of its own.
_SPECIAL = (0, 1, -1, 2)


def _oracle(model: Evaluator, expression: Apply, kind: int) -> Residues:
    """A function without laws: random, the same wherever name, order and argument values are."""
    order = ordered(expression.free)
    arrays: list[Integers] = []
    kept: Kept = None
    for argument in expression.arguments:
        part = model.value(argument, VALUE)
        arrays.append(aligned(part.values, ordered(argument.free), order))
        kept = both_kept(kept, part.kept)
    if len(arrays) == 1 and not any(expression.order) and expression.function in FUNCTIONS:
        return Residues(_row(model, expression.function, arrays[0], kind), kept)
    name = f"{expression.function} {expression.order}"
    return Residues(model.draws.oracle(name, kind, *arrays), kept)


def _row(model: Evaluator, name: str, argument: Integers, kind: int) -> Integers:
    """A leaf of the table: random but for its parity and the whole numbers that it has at small ones."""
    modulus = model.draws.modulus(VALUE, argument.ndim)
    negative = argument > modulus // 2
    if name in _ODD:
        result = model.draws.oracle(name, kind, np.where(negative, modulus - argument, argument))
        result = np.where(negative, -result, result)
    else:
        result = model.draws.oracle(name, kind, argument)
    for point, value in _special_values(name):
        result = np.where(argument == point % modulus, value, result)
    return model.draws.reduced(result, kind)


@cache
def _special_values(name: str) -> tuple[tuple[int, int], ...]:
    """Pairs (x, f(x)) of small whole numbers: erf(0) = 0, lgamma(1) = 0."""
    found: list[tuple[int, int]] = []
    with np.errstate(all="ignore"):
        for point in _SPECIAL:
            value = float(FUNCTIONS[name].numeric(np, np.array([float(point)]))[0])
            if value in (-1.0, 0.0, 1.0):
                found.append((point, int(value)))
    return tuple(found)


def _from_value(model: Evaluator, expression: Expression, kind: int) -> Residues:
    """A residue that has no meaning (exp(x) as an exponent): a random function of the value."""
    value = model.value(expression, VALUE)
    return Residues(model.draws.oracle("residue of", kind, value.values), value.kept)


# --- exponentials, roots, angles ------------------------------------------------------------------


def _power(
    model: Evaluator, expression: Apply, base: Expression, exponent: Expression, kind: int
) -> Residues:
    if isinstance(exponent, Const) and exponent.value.denominator == 1:
        return _whole_power(model, model.value(base, kind), int(exponent.value), kind)
    if kind != VALUE:
        return _from_value(model, expression, kind)
    order = ordered(expression.free)
    radicand, power = model.value(base, VALUE), model.value(exponent, EXPONENT)
    may_be_zero = isinstance(exponent, Const) and exponent.value > 0
    kept = _positive(model, base, radicand, or_zero=may_be_zero)
    values = aligned(radicand.values, ordered(base.free), order)
    exponents = aligned(power.values, ordered(exponent.free), order)
    return Residues(model.draws.real_power(values, exponents), both_kept(kept, power.kept))


def _whole_power(model: Evaluator, base: Residues, exponent: int, kind: int) -> Residues:
    if exponent < 0:
        inverse = model.draws.inverse(base.values, kind)
        base = Residues(inverse.values, both_kept(base.kept, inverse.kept))
    return Residues(model.draws.power(base.values, abs(exponent), kind), base.kept)


def _positive(model: Evaluator, argument: Expression, value: Residues, *, or_zero: bool = False) -> Kept:
    """The draws in which a radicand or a logarithm's argument is inside the domain."""
    character = model.draws.character(value.values)
    outside = character < 0 if or_zero else character <= 0
    if model.signs.of(argument).negative:
        outside = np.ones_like(outside, dtype=np.bool_)
    kept = both_kept(model.draws.any_entry(outside), model.consistent(argument, character))
    return both_kept(value.kept, kept)


def _exponential(model: Evaluator, expression: Expression, exponent: Expression, kind: int) -> Residues:
    if kind != VALUE:
        return _from_value(model, expression, kind)
    inner = model.value(exponent, EXPONENT)
    return Residues(model.draws.exponential(inner.values), inner.kept)


def _logarithm(model: Evaluator, argument: Expression, kind: int) -> Residues:
    value = model.value(argument, VALUE)
    kept = _positive(model, argument, value)
    if kind == EXPONENT:
        return Residues(model.draws.logarithm(value.values), kept)
    random = model.draws.oracle("log", kind, value.values)
    return Residues(np.where(value.values == 1, 0, random), kept)


def _wave(model: Evaluator, expression: Expression, angle: Expression, kind: int, *, sine: bool) -> Residues:
    if kind != VALUE:
        return _from_value(model, expression, kind)
    inner = model.value(angle, ANGLE)
    return Residues(model.draws.circle(inner.values, sine=sine), inner.kept)


# --- signs ----------------------------------------------------------------------------------------


def _times(model: Evaluator, a: Residues, b: Residues, kind: int) -> Residues:
    return Residues(model.draws.multiply(a.values, b.values, kind), both_kept(a.kept, b.kept))


def _character(model: Evaluator, argument: Expression) -> tuple[Integers, Kept]:
    """-1, 0 or 1; draws that contradict a known sign are dropped."""
    value = model.respecting(argument, model.value(argument, VALUE))
    character = model.draws.character(value.values)
    kept = both_kept(value.kept, model.consistent(argument, character))
    return character.astype(np.int64), kept


def _opaque_sign(model: Evaluator, argument: Expression, kind: int) -> Residues:
    """A random odd function of the value: x H(x²)."""
    value = model.value(argument, VALUE)
    square = model.draws.multiply(value.values, value.values, VALUE)
    sign = model.draws.multiply(value.values, model.draws.oracle("sign", VALUE, square), VALUE)
    if kind != VALUE:
        sign = model.draws.oracle("residue of", kind, sign)
    return Residues(sign, value.kept)


def _sign(model: Evaluator, argument: Expression, kind: int) -> Residues:
    if model.opaque:
        return _opaque_sign(model, argument, kind)
    character, kept = _character(model, argument)
    return Residues(model.draws.reduced(character, kind), kept)


def _step(model: Evaluator, argument: Expression, kind: int) -> Residues:
    """(1 + sign) / 2: 1/2 at zero, which a relu is on an open set, as in floating point."""
    sign = _sign(model, argument, kind)
    half = model.draws.shaped(model.draws.constant(_HALF, kind).values, sign.values.ndim)
    return Residues(model.draws.multiply(sign.values + 1, half, kind), sign.kept)


def _greater(model: Evaluator, a: Expression, b: Expression, kind: int, *, least: bool) -> Residues:
    """max(a, b) is b + (a - b) step(a - b), min(a, b) is a - (a - b) step(a - b)."""
    gap = subtract(a, b)
    excess = _times(model, model.value(gap, kind), _step(model, gap, kind), kind)
    base = a if least else b
    start = model.value(base, kind)
    order, inner = ordered(gap.free), ordered(base.free)
    values = aligned(start.values, inner, order) + (-excess.values if least else excess.values)
    return Residues(model.draws.reduced(values, kind), both_kept(start.kept, excess.kept))


def _greatest(
    model: Evaluator,
    expression: Apply,
    arguments: tuple[Expression, ...],
    kind: int,
    *,
    least: bool,
) -> Residues:
    """The winner among three or more; opaque: a random function of the values in any order."""
    order = ordered(expression.free)
    value = _stacked(model, arguments, order, VALUE)
    if model.opaque:
        return any_order(model, expression.function, value, kind)
    ranked = model.draws.reduced(-value.values, VALUE) if least else value.values
    winner, cycles = model.draws.winners(ranked)
    entries = value.values if kind == VALUE else _stacked(model, arguments, order, kind).values
    chosen = np.take_along_axis(entries, winner[..., None], axis=-1)[..., 0]
    return Residues(chosen, both_kept(value.kept, cycles))


def _stacked(
    model: Evaluator, arguments: tuple[Expression, ...], order: tuple[Index, ...], kind: int
) -> Residues:
    parts = [model.value(argument, kind) for argument in arguments]
    arrays = [
        aligned(part.values, ordered(argument.free), order)
        for part, argument in zip(parts, arguments, strict=True)
    ]
    kept = reduce(both_kept, (part.kept for part in parts))
    return Residues(np.stack(np.broadcast_arrays(*arrays), axis=-1), kept)


def any_order(model: Evaluator, name: str, value: Residues, kind: int) -> Residues:
    """A random function of the values along the last axis, whatever their order."""
    mixed = model.draws.oracle(name, VALUE, value.values).sum(axis=-1)
    reduced = model.draws.reduced(mixed, VALUE)
    return Residues(model.draws.oracle(name, kind, reduced), value.kept)


# --- comparisons ----------------------------------------------------------------------------------


def _compared(model: Evaluator, name: str, a: Expression, b: Expression, kind: int) -> Residues:
    if whole_numbers(model, a) and whole_numbers(model, b):
        return _compared_whole(model, name, a, b)
    match name:
        case "<":
            return _above(model, subtract(b, a), kind)
        case "<=":
            return _complement(model, _above(model, subtract(a, b), kind), kind)
        case "=":
            return _equal(model, a, b, kind)
        case _:
            return _complement(model, _equal(model, a, b, kind), kind)


def _above(model: Evaluator, gap: Expression, kind: int) -> Residues:
    """1 where a difference is positive, else 0: at zero too, unlike a step."""
    step = _step(model, gap, kind)
    return Residues(np.where(model.value(gap, VALUE).values == 0, 0, step.values), step.kept)


def _complement(model: Evaluator, value: Residues, kind: int) -> Residues:
    return Residues(model.draws.reduced(1 - value.values, kind), value.kept)


def _equal(model: Evaluator, a: Expression, b: Expression, kind: int) -> Residues:
    """1 where two values are the same; of opaque values elsewhere a random even function of their difference."""
    gap = model.value(subtract(a, b), VALUE)
    same = gap.values == 0
    if not model.opaque:
        return Residues(same.astype(np.int64), gap.kept)
    square = model.draws.multiply(gap.values, gap.values, VALUE)
    return Residues(np.where(same, 1, model.draws.oracle("equal", kind, square)), gap.kept)


def whole_numbers(model: Evaluator, expression: Expression) -> bool:
    """Whether an expression is made of positions and whole numbers, so that order among them is real."""
    match expression:
        case Const(value):
            return value.denominator == 1
        case Ref(tensor, _):
            declared = model.tensors.get(tensor)
            return tensor == RANGE or (declared is not None and declared.values == "integers")
        case Add(terms):
            return all(whole_numbers(model, term) for term in terms)
        case Product(factors):
            return all(whole_numbers(model, factor) for factor in factors)
        case Sum(_, body):
            return whole_numbers(model, body)
        case _:
            return False


def _compared_whole(model: Evaluator, name: str, a: Expression, b: Expression) -> Residues:
    gap = subtract(a, b)
    residue = model.value(gap, VALUE)
    modulus = model.draws.modulus(VALUE, residue.values.ndim)
    signed = np.where(residue.values > modulus // 2, residue.values - modulus, residue.values)
    match name:
        case "<":
            held = signed < 0
        case "<=":
            held = signed <= 0
        case "=":
            held = signed == 0
        case _:
            held = signed != 0
    return Residues(held.astype(np.int64), residue.kept)
