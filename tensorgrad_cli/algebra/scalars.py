"""Rewrites of scalar functions and powers: small functions expression → expression | None.

Each holds wherever the expression itself has a real value. None changes where that is, but for exp(log u) = u,
for the poles of what cancels (u / u = 1), and for what is multiplied by zero.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from tensorgrad_cli.algebra.expression import (
    ONE,
    RANGE,
    ZERO,
    Add,
    Apply,
    Const,
    Delta,
    Expression,
    Op,
    Product,
    Ref,
    Sum,
    constant,
    multiply,
    power,
)
from tensorgrad_cli.algebra.matching import alike

__all__ = [
    "COMPARISONS",
    "SCALAR_RULES",
    "based",
    "factors_of",
    "is_idempotent",
    "is_sign",
    "is_size",
    "positive",
    "split_coefficient",
]

COMPARISONS = frozenset({"<", "<=", "=", "!="})

_VALUES: dict[tuple[str, int], int] = {
    ("exp", 0): 1,
    ("expm1", 0): 0,
    ("log", 1): 0,
    ("log1p", 0): 0,
    ("sqrt", 0): 0,
    ("sqrt", 1): 1,
    ("sin", 0): 0,
    ("cos", 0): 1,
    ("tan", 0): 0,
    ("asin", 0): 0,
    ("atan", 0): 0,
    ("sinh", 0): 0,
    ("cosh", 0): 1,
    ("tanh", 0): 0,
    ("erf", 0): 0,
    ("erfc", 0): 1,
    ("relu", 0): 0,
    ("abs", 0): 0,
}
_POSITIVE_FUNCTIONS = frozenset({"exp", "cosh", "sigmoid", "softplus"})


# --- what is known of an expression -----------------------------------------------------------------


def factors_of(expression: Expression) -> tuple[Expression, ...]:
    """The factors of a product; any other expression is the one factor of itself."""
    return expression.factors if isinstance(expression, Product) else (expression,)


def is_size(expression: Expression) -> bool:
    """Whether it is the size of a dimension, a sum of ones as `size` makes it."""
    return (
        isinstance(expression, Sum)
        and expression.body == ONE
        and len(expression.indices) == 1
        and expression.indices[0].serial < 0
    )


def based(factor: Expression) -> tuple[Expression, Fraction]:
    """A factor as a base and a rational exponent."""
    match factor:
        case Apply("pow", (0, 0), (base, Const(value))):
            return base, value
        case _:
            return factor, ONE.value


def split_coefficient(term: Expression) -> tuple[Fraction, Expression]:
    """A term as its number and the rest."""
    match term:
        case Const(value):
            return value, ONE
        case Product((Const(value), *rest)):
            return value, multiply(*rest)
        case _:
            return Fraction(1), term


def positive(expression: Expression) -> bool:
    """Whether the value is surely > 0 wherever there is one."""
    match expression:
        case Const(value):
            return value > 0
        case Apply("pow", (0, 0), (base, _)):
            return positive(base)
        case Apply("sqrt", (0,), (argument,)):
            return positive(argument)
        case Apply("pi"):
            return True
        case Apply(function, order):
            return function in _POSITIVE_FUNCTIONS and not any(order)
        case Product(parts) | Add(parts):
            return all(positive(part) for part in parts)
        case Sum(_, body):
            return positive(body)
        case Ref() | Delta() | Op():
            return False


def is_idempotent(expression: Expression) -> bool:
    """Whether it is 0 or 1, whatever its indices: a delta or a mask."""
    return isinstance(expression, Delta) or (
        isinstance(expression, Apply) and expression.function in COMPARISONS
    )


def is_sign(expression: Expression) -> bool:
    """Whether it is -1, 0 or 1, so that its third power is itself."""
    return isinstance(expression, Apply) and expression.function == "sign" and not any(expression.order)


# --- functions --------------------------------------------------------------------------------------


def range_at_number(expression: Expression) -> Expression | None:
    """The range at a whole number is that number."""
    match expression:
        case Ref(tensor, (int(number),)) if tensor == RANGE:
            return constant(number)
        case _:
            return None


def function_of_number(expression: Expression) -> Expression | None:
    """exp 0 = 1, log 1 = 0, |-2| = 2, relu of a number, sigmoid 0 = 1/2."""
    match expression:
        case Apply(function, (0,), (Const(value),)):
            if function == "abs":
                return Const(abs(value))
            if function == "relu":
                return Const(max(value, Fraction(0)))
            if function == "sign" and value != 0:
                return constant(1 if value > 0 else -1)
            if function == "sigmoid" and value == 0:
                return Const(Fraction(1, 2))
            if function == "sqrt" and value >= 0:
                root = _exact_power(value, Fraction(1, 2))
                return None if root is None else Const(root)
            if value.denominator == 1 and (function, int(value)) in _VALUES:
                return constant(_VALUES[function, int(value)])
        case _:
            pass
    return None


def comparison_decided(expression: Expression) -> Expression | None:
    """A mask of two numbers, or of a value with itself."""
    match expression:
        case Apply(sign, (0, 0), (left, right)) if sign in COMPARISONS:
            if left == right:
                return ONE if sign in ("=", "<=") else ZERO
            if isinstance(left, Const) and isinstance(right, Const):
                a, b = left.value, right.value
                holds = {"<": a < b, "<=": a <= b, "=": False, "!=": True}[sign]
                return ONE if holds else ZERO
        case _:
            pass
    return None


def inverse_functions(expression: Expression) -> Expression | None:
    """exp(log u) = u, log(exp u) = u."""
    match expression:
        case Apply("exp", (0,), (Apply("log", (0,), (inner,)),)):
            return inner
        case Apply("log", (0,), (Apply("exp", (0,), (inner,)),)):
            return inner
        case _:
            return None


# --- powers -----------------------------------------------------------------------------------------


def power_done(expression: Expression) -> Expression | None:
    """u^1 = u, u^0 = 1, 1^u = 1, powers of numbers, of powers, of masks, of products."""
    match expression:
        case Apply("pow", (0, 0), (base, Const(exponent))):
            done = power(base, Const(exponent))
            if done != expression:
                return done
            return _power_of(base, exponent)
        case Apply("pow", (0, 0), (Const(value), _)) if value == 1:
            return ONE
        case _:
            return None


def _power_of(base: Expression, exponent: Fraction) -> Expression | None:
    whole = exponent.denominator == 1
    if isinstance(base, Const) and base.value >= 0 and (base.value or exponent > 0):
        value = _exact_power(base.value, exponent)
        return None if value is None else Const(value)
    if exponent > 0 and is_idempotent(base):
        return base
    inner, first = based(base)
    if inner is not base:
        # (u^a)^b is u^(ab) for a whole b, but u^(1/2) squared has a smaller domain than u.
        kept = first.denominator == 1 or (first * exponent).denominator != 1
        return power(inner, Const(first * exponent)) if whole and kept else None
    if isinstance(base, Product) and whole:
        return multiply(*(power(factor, Const(exponent)) for factor in base.factors))
    return None


def _exact_power(value: Fraction, exponent: Fraction) -> Fraction | None:
    """value^exponent where that is rational and small."""
    if value in (0, 1):
        return value
    if abs(exponent.numerator) > 64 or exponent.denominator > 8:
        return None
    over = _exact_root(value.numerator, exponent.denominator)
    under = _exact_root(value.denominator, exponent.denominator)
    if over is None or under is None:
        return None
    return Fraction(over, under) ** exponent.numerator


def _exact_root(value: int, degree: int) -> int | None:
    if value.bit_length() > 256:
        return None
    root = isqrt(value) if degree == 2 else round(value ** (1 / degree))
    return root if root**degree == value else None


def powers_collected(expression: Expression) -> Expression | None:
    """u u = u², u^a u^b = u^(a+b), at the place of the first; δ δ = δ."""
    if not isinstance(expression, Product):
        return None
    bases: list[Expression] = []
    exponents: list[list[Fraction]] = []
    for factor in expression.factors:
        base, exponent = based(factor)
        for known, so_far in zip(bases, exponents, strict=True):
            if not isinstance(base, Const) and alike(known, base):
                so_far.append(exponent)
                break
        else:
            bases.append(base)
            exponents.append([exponent])
    if len(bases) == len(expression.factors):
        return None
    factors: list[Expression] = []
    for base, listed in zip(bases, exponents, strict=True):
        factors += [power(base, Const(e)) for e in _together(base, listed)]
    if len(factors) == len(expression.factors):
        return None
    return multiply(*factors)


def _together(base: Expression, exponents: list[Fraction]) -> list[Fraction]:
    total = sum(exponents, Fraction(0))
    if len(exponents) == 1:
        return exponents
    if is_idempotent(base) and all(exponent > 0 for exponent in exponents):
        return [Fraction(1)]
    whole = all(exponent.denominator == 1 for exponent in exponents)
    if whole or total.denominator != 1 or positive(base):
        return [total]
    return exponents


SCALAR_RULES = (
    range_at_number,
    function_of_number,
    comparison_decided,
    inverse_functions,
    power_done,
    powers_collected,
)
