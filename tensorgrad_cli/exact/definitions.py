"""Expressions in the terms that the finite model knows: composite functions by their definitions, logs spread.

A logarithm's value is an oracle in the model, so log(a b) = log a + log b has to be done on expressions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Apply,
    Const,
    Delta,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    add,
    constant,
    multiply,
    negate,
    power,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import function_definition, instantiate, operation_expanded
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import mapped, references
from tensorgrad_cli.exact.signs import Signs

__all__ = ["COMPARISONS", "NATIVE", "Definitions"]

COMPARISONS = ("<", "<=", "=", "!=")
# Functions that the model has laws for; `sqrt` becomes a power on the way.
NATIVE = frozenset(
    ("exp", "log", "pow", "sin", "cos", "abs", "sign", "step", "relu", "max", "min", "pi", *COMPARISONS)
)
_LARGEST_FACTOR = 1000


class Definitions:
    """Expands expressions and the equations of a chain, each once."""

    def __init__(self, equations: Iterable[Equation], signs: Callable[[Definitions], Signs]) -> None:
        self._written = {equation.tensor: equation for equation in equations}
        self._equations: dict[str, Equation] = {}
        self._open: set[str] = set()
        self._expanded: dict[Expression, Expression] = {}
        self.signs = signs(self)

    def equation(self, name: str) -> Equation | None:
        """The expanded equation of a step or derivative; None for an input."""
        found = self._equations.get(name)
        if found is not None or name not in self._written:
            return found
        written = self._written[name]
        if name in self._open:
            return written  # it reads itself
        self._open.add(name)
        found = Equation(name, written.indices, self.expanded(written.expression))
        self._open.discard(name)
        self._equations[name] = found
        return found

    def expanded(self, expression: Expression) -> Expression:
        """The expression in terms of what the model knows and of leaves."""
        found = self._expanded.get(expression)
        if found is None:
            found = self._expanded[expression] = self._expand(expression)
        return found

    def _expand(self, expression: Expression) -> Expression:
        match expression:
            case Const() | Ref() | Delta():
                return expression
            case Apply():
                return self._function(expression)
            case Op():
                by_definition = operation_expanded(expression)
                if by_definition != expression:
                    return self.expanded(by_definition)
                return mapped(expression, self.expanded)
            case Product():
                whole = mapped(expression, self.expanded)
                return self._roots_joined(whole) if isinstance(whole, Product) else whole
            case Sum() | Add():
                return mapped(expression, self.expanded)
            case _:
                assert_never(expression)

    def _function(self, expression: Apply) -> Expression:
        name, arguments = expression.function, tuple(map(self.expanded, expression.arguments))
        match name, arguments:
            case "sqrt", (argument,):
                return self._power(argument, constant(Fraction(1, 2)))
            case "pow", (base, exponent):
                return self._power(base, exponent)
            case "log", (argument,):
                return self.logarithm(argument)
            case "max" | "min", _:
                # Nested ones as one of many arguments: only so is it associative in the model.
                flat = tuple(part for a in arguments for part in _compared(name, a))
                return Apply(name, (0,) * len(flat), flat)
        row = FUNCTIONS.get(name)
        definition = None
        if row is not None and name not in NATIVE and not any(expression.order):
            definition = function_definition(name)
        if row is None or definition is None:
            return Apply(name, expression.order, arguments)
        values = dict(zip(row.parameters, arguments, strict=True))
        return self.expanded(instantiate(definition, values))

    # --- powers ---------------------------------------------------------------------------------
    # The model knows a root as a value only. So that √2 √2 is 2 as an exponent too, roots are joined here, of
    # positive bases only, since the domain is not to be lost.

    def _power(self, base: Expression, exponent: Expression) -> Expression:
        match base, exponent:
            case Apply("pow", (0, 0), (inner, Const(first))), Const(second):
                even = first.denominator == 1 and first.numerator % 2 == 0
                if second.denominator != 1 and even:  # √(x²) = |x|
                    return power(Apply("abs", (0,), (inner,)), Const(first * second))
                if first.denominator != 1 and self.signs.of(inner).positive:
                    return power(inner, Const(first * second))
            case Product(factors), Const(value) if value.denominator == 1 and any(map(_is_root, factors)):
                return self._roots_joined(multiply(*(self._power(f, exponent) for f in factors)))
        return power(base, exponent)

    def _roots_joined(self, product: Expression) -> Expression:
        if not isinstance(product, Product) or sum(map(_is_root, product.factors)) < 2:
            return product
        exponents: dict[Expression, Fraction] = {}
        others: list[Expression] = []
        for factor in product.factors:
            match factor:
                case Apply("pow", (0, 0), (base, Const(value))) if self.signs.of(base).positive:
                    exponents[base] = exponents.get(base, Fraction(0)) + value
                case _:
                    others.append(factor)
        joined = (power(base, Const(value)) for base, value in exponents.items())
        return multiply(*others, *joined)

    # --- logarithms -----------------------------------------------------------------------------

    def logarithm(self, argument: Expression) -> Expression:
        """log of an expanded argument, spread over products, powers and exponentials."""
        match argument:
            case Const(value) if value > 0:
                return _log_of_number(value)
            case Product(factors):
                return self._log_of_product(factors)
            case Apply("exp", (0,), (exponent,)):
                return exponent
            case Apply("pow", (0, 0), (base, Const(value) as exponent)):
                even = value.denominator == 1 and value.numerator % 2 == 0
                inner = self.log_of_magnitude(base) if even else self.logarithm(base)
                return multiply(exponent, inner)
            case Apply("pow", (0, 0), (base, exponent)):
                return multiply(exponent, self.logarithm(base))
            case Apply("abs", (0,), (inner,)):
                return self.log_of_magnitude(inner)
            case Ref():
                meaning = self._meaning(argument)
                return Apply("log", (0,), (argument,)) if meaning is None else self.logarithm(meaning)
            case _:
                return Apply("log", (0,), (argument,))

    def _log_of_product(self, factors: tuple[Expression, ...]) -> Expression:
        """Factors of a known sign stand on their own; the others stay together."""
        terms: list[Expression] = []
        together: list[Expression] = []
        sign = Fraction(1)
        for factor in factors:
            interval = self.signs.of(factor)
            if interval.positive:
                terms.append(self.logarithm(factor))
            elif interval.negative:
                terms.append(self.log_of_magnitude(factor))
                sign = -sign
            else:
                together.append(factor)
        rest = multiply(Const(sign), *together)
        if isinstance(rest, Product | Const):
            if rest != ONE:
                terms.append(Apply("log", (0,), (rest,)))
        else:
            terms.append(self.logarithm(rest))
        return add(*terms)

    def log_of_magnitude(self, argument: Expression) -> Expression:
        """log|argument|: all factors of a product stand on their own."""
        interval = self.signs.of(argument)
        if interval.positive:
            return self.logarithm(argument)
        match argument:
            case Const(value) if value != 0:
                return _log_of_number(abs(value))
            case Product(factors):
                return add(*map(self.log_of_magnitude, factors))
            case Apply("pow", (0, 0), (base, Const(value) as exponent)) if value.denominator == 1:
                return multiply(exponent, self.log_of_magnitude(base))
            case Apply("abs", (0,), (inner,)):
                return self.log_of_magnitude(inner)
            case Ref():
                meaning = self._meaning(argument)
                if meaning is not None:
                    return self.log_of_magnitude(meaning)
            case _:
                pass
        magnitude = negate(argument) if interval.negative else Apply("abs", (0,), (argument,))
        return Apply("log", (0,), (magnitude,))

    def _meaning(self, ref: Ref) -> Expression | None:
        """What a step's entry is equal to, where that is a product, a power or an exponential."""
        equation = None if ref.tensor in self._open else self.equation(ref.tensor)
        if equation is None or not all(isinstance(p, Index | int) for p in ref.indices):
            return None
        if ref.tensor in references(equation.expression):
            return None  # a step that reads itself has no other meaning
        match equation.expression:
            case Product() | Apply("exp" | "pow" | "abs") | Ref():
                places = dict(zip(equation.indices, ref.indices, strict=True))
                return substitute(freshened(equation.expression), places)
            case _:
                return None


def _compared(name: str, argument: Expression) -> tuple[Expression, ...]:
    """The arguments of a max that stands in a max."""
    match argument:
        case Apply(inner, _, arguments) if inner == name:
            return arguments
        case _:
            return (argument,)


def _is_root(expression: Expression) -> bool:
    match expression:
        case Apply("pow", (0, 0), (_, Const(value))):
            return value.denominator != 1
        case _:
            return False


def _log_of_number(value: Fraction) -> Expression:
    """log of a number by its prime factors, as far as they are small: log 1 is 0, log(3/4) = log 3 - 2 log 2."""
    terms = []
    for part, sign in ((value.numerator, 1), (value.denominator, -1)):
        for factor, times in _factors(part):
            log = Apply("log", (0,), (constant(factor),))
            terms.append(multiply(constant(sign * times), log))
    return add(*terms)


def _factors(number: int) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    divisor = 2
    while divisor * divisor <= number and divisor <= _LARGEST_FACTOR:
        times = 0
        while number % divisor == 0:
            number //= divisor
            times += 1
        if times:
            found.append((divisor, times))
        divisor += 1
    if number > 1:
        found.append((number, 1))
    return found
