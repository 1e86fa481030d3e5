"""What is known of the size and the sign of an expression: intervals by abstract interpretation.

The facts are the real values of constants, what is declared of tensors, and the ranges of functions. The
finite model drops every draw in which a sign that it uses contradicts one that is known here.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import reduce
from typing import Any, assert_never

from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Equation,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import children
from tensorgrad_cli.exact.intervals import (
    ANY,
    NONNEGATIVE,
    PI,
    POSITIVE,
    Bound,
    Interval,
    absolute,
    added,
    between,
    clipped,
    greater,
    increasing,
    multiplied,
    negated,
    point,
    reciprocal,
    whole_power,
    with_zero,
)

__all__ = ["Signs"]

_INF = math.inf
_UNKNOWN = Interval(-_INF, _INF, vanishing=True)
_MASK = between(0, 1, closed=True, vanishing=True)

_VALUES = {
    "normal": ANY,
    "uniform": between(0, 1),
    "positive": POSITIVE,
    "integers": Interval(Fraction(0), _INF, low_open=False, vanishing=True),
    "binary": _MASK,
    "signs": between(-1, 1, closed=True),
    "onehot": _MASK,
    "probabilities": between(0, 1),
}

# Increasing functions with their bounds; the end of the domain where it has one.
_INCREASING: dict[str, tuple[Callable[[float], float], float, float]] = {
    "exp": (math.exp, 0, _INF),
    "log": (math.log, -_INF, _INF),
    "sqrt": (math.sqrt, 0, _INF),
    "erf": (math.erf, -1, 1),
    "atan": (math.atan, -math.pi / 2, math.pi / 2),
    "asin": (math.asin, -math.pi / 2, math.pi / 2),
    "asinh": (math.asinh, -_INF, _INF),
    "sinh": (math.sinh, -_INF, _INF),
    "tanh": (math.tanh, -1, 1),
}
_FROM_ZERO = ("log", "sqrt")
_PIECES = frozenset(("abs", "sign", "step", "relu", "max", "min"))
_BOUNDED = {"erfc": between(0, 2), "acos": Interval(Fraction(0), PI.high)}


class Signs:
    """Intervals of expressions over some tensors and equations, each found once.

    The expressions are to be without composite functions (see `definitions`); `equation` gives the
    equation of a step, None for what is none; `fixed` has the sizes of those named dimensions that are known.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        equation: Callable[[str], Equation | None],
        fixed: Mapping[str, int],
    ) -> None:
        self._tensors = tensors
        self._equation = equation
        self._fixed = fixed
        self._found: dict[Expression, Interval] = {}
        self._steps: dict[str, Interval] = {}
        self._pieces: dict[Expression, bool] = {}
        self.relations: dict[tuple[Expression, Expression], Any] = {}  # kept here for `order`

    def of(self, expression: Expression) -> Interval:
        """The interval that all entries of an expression lie in."""
        found = self._found.get(expression)
        if found is None:
            found = self._interval(expression)
            if _mixes(expression) and self._piecewise(expression) != found.vanishing:
                found = replace(found, vanishing=not found.vanishing)
            self._found[expression] = found
        return found

    def _piecewise(self, expression: Expression) -> bool:
        """Whether pieces are in it, so that differences may be zero on an open set: |x| - x."""
        found = self._pieces.get(expression)
        if found is None:
            self._pieces[expression] = True  # for a step that reads itself
            found = _pieces(expression) or any(map(self._piecewise, children(expression)))
            if isinstance(expression, Ref):
                equation = self._equation(expression.tensor)
                inside = equation is not None and self._piecewise(equation.expression)
                found = inside or self.of(expression).vanishing
            self._pieces[expression] = found
        return found

    def _interval(self, expression: Expression) -> Interval:
        match expression:
            case Const(value):
                return point(value)
            case Ref():
                return self._entry(expression)
            case Delta():
                return _MASK
            case Apply():
                return self._applied(expression)
            case Op():
                return self._operated(expression)
            case Product(factors):
                return self._product(factors)
            case Sum(indices, body):
                result = self.of(body)
                for index in indices:
                    result = multiplied(result, self._repeats(index))
                return result
            case Add(terms):
                result = self.of(terms[0])
                for term in terms[1:]:
                    result = added(result, self.of(term))
                return result
            case _:
                assert_never(expression)

    def _product(self, factors: tuple[Expression, ...]) -> Interval:
        result = point(Fraction(1))
        for factor, times in Counter(factors).items():
            result = multiplied(result, whole_power(self.of(factor), times))
        return result

    def _repeats(self, index: Index) -> Interval:
        size = index.dimension.fixed
        if size is None:
            size = self._fixed.get(index.dimension.name)
        if size is not None:
            return point(Fraction(size))
        # At least one summand: what is positive stays so, and the sum has no upper bound.
        return Interval(Fraction(1), _INF, low_open=False)

    # --- entries --------------------------------------------------------------------------------

    def _entry(self, ref: Ref) -> Interval:
        if ref.tensor == RANGE:
            return _VALUES["integers"]
        equation = self._equation(ref.tensor)
        if equation is not None:
            interval = self._step(equation)
            shape = equation.shape
        elif ref.tensor in self._tensors:
            interval = self._declared(self._tensors[ref.tensor], ref.indices)
            shape = self._tensors[ref.tensor].shape
        else:
            return _UNKNOWN
        inside = all(
            isinstance(position, int) or (isinstance(position, Index) and position.dimension == dimension)
            for position, dimension in zip(ref.indices, shape, strict=False)
        )
        return interval if inside else with_zero(interval)

    def _step(self, equation: Equation) -> Interval:
        found = self._steps.get(equation.tensor)
        if found is None:
            self._steps[equation.tensor] = _UNKNOWN  # for an equation that refers to itself
            found = self._steps[equation.tensor] = self.of(equation.expression)
        return found

    def _declared(self, tensor: Tensor, positions: tuple[Position, ...]) -> Interval:
        interval = _VALUES.get(tensor.values, ANY)
        match tensor.structure:
            case None | "symmetric":
                return interval
            case "spd":
                return POSITIVE if len(positions) > 1 and positions[-1] == positions[-2] else ANY
            case "diagonal" | "lower" | "upper":
                return with_zero(interval)
            case "skew":
                return _UNKNOWN
            case _:
                return ANY

    # --- functions ------------------------------------------------------------------------------

    def _applied(self, expression: Apply) -> Interval:
        if any(expression.order):
            return _UNKNOWN
        arguments = [self.of(argument) for argument in expression.arguments]
        match expression.function, arguments:
            case "pow", [base, _]:
                return self._power(base, expression.arguments[1])
            case (("<" | "<=" | "=" | "!=" | "step"), _):
                return _MASK
            case "pi", _:
                return PI
            case "abs", [a]:
                return absolute(a)
            case "sign", [a]:
                return between(a.lowest_sign, a.highest_sign, closed=True, vanishing=a.vanishing)
            case "relu", [a]:
                return greater(a, point(Fraction(0)))
            case "max", _:
                return reduce(greater, arguments)
            case "min", _:
                return negated(reduce(greater, map(negated, arguments)))
            case ("sin" | "cos") as name, [a]:
                return _wave(math.sin if name == "sin" else math.cos, a)
            case name, [a] if name in _INCREASING:
                inside = clipped(a, Fraction(0)) if name in _FROM_ZERO else a
                return increasing(inside, *_INCREASING[name])
            case name, _:
                return _BOUNDED.get(name, _UNKNOWN)

    def _power(self, base: Interval, exponent: Expression) -> Interval:
        if not isinstance(exponent, Const):
            return POSITIVE
        value = exponent.value
        if value.denominator == 1:
            return whole_power(base, int(value))
        inside = clipped(base, Fraction(0), open_end=not base.vanishing)
        root = increasing(inside, lambda x: x ** float(abs(value)), 0, _INF)
        if inside.low == 0 and not inside.low_open:
            root = with_zero(root)
        return root if value > 0 else reciprocal(root)

    def _operated(self, expression: Op) -> Interval:
        body = self.of(expression.arguments[0])
        match expression.operation:
            case "max" | "min" | "vec":
                return body
            case "prod":
                return POSITIVE if body.positive else (NONNEGATIVE if body.low >= 0 else _UNKNOWN)
            case "kron":
                return multiplied(body, self.of(expression.arguments[1]))
            case "cumsum":
                return POSITIVE if body.positive else (NONNEGATIVE if body.low >= 0 else _UNKNOWN)
            case "det":
                return self._determinant(expression)
            case _:
                return _UNKNOWN

    def _determinant(self, expression: Op) -> Interval:
        match expression.arguments[0]:
            case Ref(tensor, indices) if indices == expression.bound and tensor in self._tensors:
                return POSITIVE if self._tensors[tensor].structure == "spd" else ANY
            case _:
                return ANY


def _mixes(expression: Expression) -> bool:
    """Whether a value may be zero where no part of it is."""
    match expression:
        case Add() | Sum() | Op():
            return True
        case Apply(name, _, _):
            return name not in ("pow", "abs", "exp", "pi")
        case _:
            return False


def _pieces(expression: Expression) -> bool:
    match expression:
        case Apply(name, order, _):
            return name in _PIECES or any(order) or (name not in FUNCTIONS and name != "pi")
        case Op(name, _, _, _, _):
            return name not in ("det", "inv", "prod", "vec", "kron", "cumsum")
        case Delta():
            return True
        case _:
            return False


def _wave(function: Callable[[float], float], a: Interval) -> Interval:
    """sin or cos: of a number its value, else all of [-1, 1]."""
    low, high = a.low, a.high
    if isinstance(low, float) or isinstance(high, float) or high - low > Fraction(1, 10**9):
        return Interval(Fraction(-1), Fraction(1), low_open=False, high_open=False)
    middle: Bound = (low + high) / 2
    slack = (high - low) + (1 + abs(Fraction(middle))) * Fraction(1, 10**12)
    value = Fraction(function(float(middle)))
    return Interval(value - slack, value + slack, low_open=False, high_open=False)
