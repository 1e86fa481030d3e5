"""Intervals of real numbers with open or closed ends, and how functions map them.

`signs` bounds expressions with them. Ends are fractions, so that polynomials of numbers are exact;
what functions make of them is rounded outward.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from msgspec import Struct

__all__ = [
    "ANY",
    "NONNEGATIVE",
    "PI",
    "POSITIVE",
    "Bound",
    "Interval",
    "absolute",
    "added",
    "between",
    "clipped",
    "greater",
    "increasing",
    "multiplied",
    "negated",
    "point",
    "reciprocal",
    "whole_power",
    "with_zero",
]

Bound = Fraction | float  # a float only where it is infinite

_INF = math.inf
_SLACK = Fraction(1, 10**12)
_LARGEST_DENOMINATOR = 1 << 200


class Interval(Struct, frozen=True):
    """The real numbers between two ends. `vanishing`: may be zero on an open set of the inputs (relu, masks).

    A value that is not vanishing and whose interval has zero in it is zero at most at exceptional inputs.
    """

    low: Bound
    high: Bound
    low_open: bool = True
    high_open: bool = True
    vanishing: bool = False

    @property
    def lowest_sign(self) -> int:
        """The least sign that a value in here has: -1, 0 or 1."""
        if self.low > 0 or (self.low == 0 and self.low_open):
            return 1
        return 0 if self.low == 0 else -1

    @property
    def highest_sign(self) -> int:
        """The greatest sign that a value in here has."""
        if self.high < 0 or (self.high == 0 and self.high_open):
            return -1
        return 0 if self.high == 0 else 1

    @property
    def positive(self) -> bool:
        """Whether all values are greater than zero."""
        return self.lowest_sign == 1

    @property
    def negative(self) -> bool:
        """Whether all values are less than zero."""
        return self.highest_sign == -1


ANY = Interval(-_INF, _INF)
POSITIVE = Interval(Fraction(0), _INF)
NONNEGATIVE = Interval(Fraction(0), _INF, low_open=False)
PI = Interval(Fraction(math.pi) - _SLACK, Fraction(math.pi) + _SLACK)


def point(value: Fraction) -> Interval:
    """One number."""
    return Interval(value, value, low_open=False, high_open=False, vanishing=value == 0)


def between(low: int, high: int, *, closed: bool = False, vanishing: bool = False) -> Interval:
    """The interval between two whole numbers, open unless closed."""
    return Interval(Fraction(low), Fraction(high), not closed, not closed, vanishing)


def _outward(value: Bound, down: bool) -> Bound:
    """An end with a denominator that stays small."""
    if isinstance(value, float) or value.denominator < _LARGEST_DENOMINATOR:
        return value
    slack = abs(value) * _SLACK
    wide = value - slack if down else value + slack
    scaled = wide * _LARGEST_DENOMINATOR
    return Fraction(math.floor(scaled) if down else math.ceil(scaled), _LARGEST_DENOMINATOR)


def _tidy(interval: Interval) -> Interval:
    low, high = _outward(interval.low, True), _outward(interval.high, False)
    if low is interval.low and high is interval.high:
        return interval
    return Interval(low, high, interval.low_open, interval.high_open, interval.vanishing)


def added(a: Interval, b: Interval) -> Interval:
    """a + b."""
    return _tidy(
        Interval(
            a.low + b.low,
            a.high + b.high,
            a.low_open or b.low_open,
            a.high_open or b.high_open,
            a.vanishing or b.vanishing,
        )
    )


def multiplied(a: Interval, b: Interval) -> Interval:
    """a b for independent a and b."""
    corners = [
        _corner(x, x_open, y, y_open)
        for x, x_open in ((a.low, a.low_open), (a.high, a.high_open))
        for y, y_open in ((b.low, b.low_open), (b.high, b.high_open))
    ]
    low, low_open = min(corners)  # of equal ends a closed one comes first
    high, not_open = max((value, not is_open) for value, is_open in corners)
    return _tidy(Interval(low, high, low_open, not not_open, a.vanishing or b.vanishing))


def _corner(x: Bound, x_open: bool, y: Bound, y_open: bool) -> tuple[Bound, bool]:
    if x == 0 or y == 0:
        attained = (x == 0 and not x_open) or (y == 0 and not y_open)
        return Fraction(0), not attained
    return x * y, x_open or y_open


def absolute(a: Interval) -> Interval:
    """|a|."""
    if a.lowest_sign >= 0:
        return a
    if a.highest_sign <= 0:
        return negated(a)
    high, closed = max((-a.low, not a.low_open), (a.high, not a.high_open))
    # Zero inside, but only at exceptional inputs where nothing vanishes.
    return Interval(Fraction(0), high, not a.vanishing, not closed, a.vanishing)


def reciprocal(a: Interval) -> Interval:
    """1 / a, where a is not zero."""
    if a.low == a.high == 0 or a.low < 0 < a.high:
        return Interval(-_INF, _INF, vanishing=a.vanishing)
    if a.high <= 0:
        return negated(reciprocal(negated(a)))
    low: Bound = Fraction(0) if a.high == _INF else 1 / Fraction(a.high)
    high: Bound = _INF if a.low == 0 else 1 / Fraction(a.low)
    return _tidy(Interval(low, high, a.high == _INF or a.high_open, a.low == 0 or a.low_open))


def whole_power(a: Interval, exponent: int) -> Interval:
    """a to a whole power."""
    if exponent < 0:
        return reciprocal(whole_power(a, -exponent))
    if abs(exponent) > 64:
        return POSITIVE if a.positive else (NONNEGATIVE if exponent % 2 == 0 else ANY)
    base = absolute(a) if exponent % 2 == 0 else a
    return _tidy(
        Interval(
            _raised(base.low, exponent),
            _raised(base.high, exponent),
            base.low_open,
            base.high_open,
            a.vanishing,
        )
    )


def _raised(value: Bound, exponent: int) -> Bound:
    return math.pow(value, exponent) if isinstance(value, float) else Fraction(value**exponent)


def with_zero(a: Interval) -> Interval:
    """The values of a and zero: what is read at positions that may be outside."""
    low_open = a.low_open if a.low < 0 else False
    high_open = a.high_open if a.high > 0 else False
    return Interval(min(a.low, Fraction(0)), max(a.high, Fraction(0)), low_open, high_open, vanishing=True)


def clipped(a: Interval, low: Bound, *, open_end: bool = True) -> Interval:
    """The part of a above `low`: what a radicand or a logarithm's argument is inside the domain."""
    if a.low > low:
        return a
    is_open = open_end if a.low < low else (a.low_open or open_end)
    return Interval(low, max(a.high, low), is_open, a.high_open, a.vanishing)


def negated(a: Interval) -> Interval:
    """-a."""
    return Interval(-a.high, -a.low, a.high_open, a.low_open, a.vanishing)


def greater(a: Interval, b: Interval) -> Interval:
    """The greater of a and b; the lesser is its mirror image."""
    low, low_open = max((a.low, a.low_open), (b.low, b.low_open))
    high, closed = max((a.high, not a.high_open), (b.high, not b.high_open))
    return Interval(low, high, low_open, not closed, a.vanishing or b.vanishing)


def increasing(a: Interval, function: Callable[[float], float], low: float, high: float) -> Interval:
    """The image of a under an increasing function with values strictly between `low` and `high`."""
    bottom, bottom_open = _image(a.low, a.low_open, function, low, high, down=True)
    top, top_open = _image(a.high, a.high_open, function, low, high, down=False)
    return Interval(bottom, top, bottom_open, top_open, a.vanishing)


def _image(
    end: Bound, end_open: bool, function: Callable[[float], float], low: float, high: float, *, down: bool
) -> tuple[Bound, bool]:
    limit: Bound = low if down else high
    if not isinstance(limit, float) or not math.isinf(limit):
        limit = Fraction(limit)
    value = _finite(end, function)
    if value is None:
        return limit, True
    if value.is_integer() and -1 <= end <= 1 and Fraction(end).denominator == 1:
        return Fraction(value), end_open  # exp(0), log(1), sqrt(1), atan(0): exact
    exact = Fraction(value)
    slack = abs(exact) * _SLACK
    inner = max(exact - slack, limit) if down else min(exact + slack, limit)
    return inner, True


def _finite(end: Bound, function: Callable[[float], float]) -> float | None:
    if math.isinf(end):
        return None
    try:
        value: float = function(float(end))
    except (OverflowError, ValueError):
        return None
    return None if math.isinf(value) or math.isnan(value) else value
