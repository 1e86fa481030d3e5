"""Logarithms spread over products, quotients, powers and roots, before the exact test draws values.

The exact test knows log as the inverse of exp in the exponents; with the logarithms of products taken
apart it proves more. Not for printing: nobody wants `log(2 a / b)` torn to pieces.
"""

from __future__ import annotations

from fractions import Fraction

from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    Apply,
    Const,
    Expression,
    Op,
    Product,
    Sum,
    add,
    constant,
    multiply,
)
from tensorgrad_cli.algebra.scalars import based, function_of_number, inverse_functions, positive
from tensorgrad_cli.algebra.walking import mapped

__all__ = ["Spread", "logs_spread"]


class Spread(Struct, frozen=True):
    """The expression with its logarithms spread. Where `assumed`, it is equal only where certain factors
    are positive that are not known to be: its domain may be smaller."""

    expression: Expression
    assumed: bool


def logs_spread(expression: Expression, positive_tensors: frozenset[str] = frozenset()) -> Spread:
    """log(a b) = log a + log b, log(a^n) = n log a, log √a = ½ log a, log exp a = a, and numbers folded.

    `positive_tensors` are known to have positive entries.
    """
    spreading = _Spreading(positive_tensors)
    return Spread(spreading.spread(expression), spreading.assumed)


class _Spreading:
    def __init__(self, tensors: frozenset[str]) -> None:
        self.tensors = tensors
        self.assumed = False
        self._done: dict[Expression, Expression] = {}

    def spread(self, expression: Expression) -> Expression:
        known = self._done.get(expression)
        if known is None:
            inner = mapped(expression, self.spread)
            match inner:
                case Apply("log", (0,), (argument,)):
                    known = self.log(argument)
                case _:
                    known = function_of_number(inner) or inverse_functions(inner) or inner
            self._done[expression] = known
        return known

    def log(self, argument: Expression) -> Expression:
        """The logarithm of an argument whose own logarithms are spread."""
        base, exponent = based(argument)
        if base is not argument:
            return self._log_power(base, exponent)
        match argument:
            case Const(value) if value > 0 and value != 1 and value.denominator != 1:
                over = _plain_log(Const(Fraction(value.numerator)))
                return add(over, multiply(constant(-1), _plain_log(constant(value.denominator))))
            case Product(factors) if not (isinstance(factors[0], Const) and factors[0].value < 0):
                self._assume(factors)
                return add(*(self.log(factor) for factor in factors))
            case Apply("sqrt", (0,), (inner,)):
                return multiply(Const(Fraction(1, 2)), self.log(inner))
            case Apply("abs", (0,), (inner,)):
                return self._log_abs(inner)
            case Op("prod", bound, (), (inner,), ()):
                self._assume((inner, inner))
                return Sum(bound, self.log(inner))
            case _:
                return _plain_log(argument)

    def _log_power(self, base: Expression, exponent: Fraction) -> Expression:
        # a² is positive where a is not; a³, 1/a and √a are positive only where a is.
        if exponent.numerator % 2 == 0:
            self._assume((base, base))
        return multiply(Const(exponent), self.log(base))

    def _log_abs(self, inner: Expression) -> Expression:
        base, exponent = based(inner)
        if base is not inner and exponent.denominator == 1:
            return multiply(Const(exponent), self._log_abs(base))
        if isinstance(inner, Product):
            return add(*(self._log_abs(factor) for factor in inner.factors))
        if isinstance(inner, Const):
            return self.log(Const(abs(inner.value)))
        if positive(inner, self.tensors):
            return self.log(inner)
        return _plain_log(Apply("abs", (0,), (inner,)))

    def _assume(self, factors: tuple[Expression, ...]) -> None:
        # A product is positive where its factors are: if all but one are known to be, nothing is assumed.
        unknown = [factor for factor in factors if not positive(factor, self.tensors)]
        self.assumed = self.assumed or len(unknown) > 1


def _plain_log(argument: Expression) -> Expression:
    plain = Apply("log", (0,), (argument,))
    return function_of_number(plain) or inverse_functions(plain) or plain
