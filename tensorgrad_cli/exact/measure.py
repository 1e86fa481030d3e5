"""How hard two expressions are to tell apart by random draws, and which kinds of functions they have.

From the degree of a rational function follows the chance that it is zero at a random point though it is not
zero, at most degree / p; from the number of random signs that it multiplies, `bits`, the share
2^-bits of sign patterns at which it is not zero (a multilinear polynomial of degree d in signs is nonzero on at
least 2^-d of them). Both are upper bounds, crude but never too small for what they count.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import reduce
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Equation,
    Expression,
    Gather,
    Op,
    Position,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.tensors import Tensor

__all__ = ["Measure", "Measures", "pattern_bits"]

_LARGEST_SIZE = 6
_CHOICE_BITS = math.log2(_LARGEST_SIZE)
_RATIONAL_OPERATIONS = frozenset(("prod", "cumsum", "vec", "kron", "inv", "det"))
_SIGNED = frozenset(("sign", "abs", "step", "relu"))
_CAP = 1e9

# What is chosen at random among finitely many (a position that an integer tensor holds, whether an orthonormal
# matrix is reflected), with its number of bits.
Choice = tuple[Gather | str, float]


class Measure(Struct, frozen=True):
    """A quotient of two polynomials: their degrees, and the numbers of random signs in each.

    `rational`: only + - × ÷, whole powers, sums, deltas, abstract functions. `signs`, `roots`, `logs`, `waves`
    say whether such functions occur, `discrete` whether a fact about finitely many values is used;
    `choices` are of positions and of reflections.
    """

    top: float = 0
    bottom: float = 0
    bits: float = 0
    bottom_bits: float = 0
    rational: bool = True
    signs: bool = False
    roots: bool = False
    logs: bool = False
    waves: bool = False
    discrete: bool = False
    choices: frozenset[Choice] = frozenset()

    @property
    def random_bits(self) -> float:
        """The random signs and choices; a choice counts once, however often it is used."""
        return self.bits + sum(bits for _, bits in self.choices)

    @property
    def degree(self) -> float:
        """The degree of the whole quotient."""
        return self.top + self.bottom


def _flags(a: Measure, b: Measure) -> dict[str, Any]:
    return {
        "rational": a.rational and b.rational,
        "signs": a.signs or b.signs,
        "roots": a.roots or b.roots,
        "logs": a.logs or b.logs,
        "waves": a.waves or b.waves,
        "discrete": a.discrete or b.discrete,
        "choices": a.choices | b.choices,
    }


def times(a: Measure, b: Measure) -> Measure:
    """The measure of a product."""
    return Measure(
        min(a.top + b.top, _CAP),
        min(a.bottom + b.bottom, _CAP),
        min(a.bits + b.bits, _CAP),
        min(a.bottom_bits + b.bottom_bits, _CAP),
        **_flags(a, b),
    )


def plus(a: Measure, b: Measure) -> Measure:
    """The measure of a sum or difference, over the product of the denominators."""
    return Measure(
        min(max(a.top + b.bottom, b.top + a.bottom), _CAP),
        min(a.bottom + b.bottom, _CAP),
        min(max(a.bits + b.bottom_bits, b.bits + a.bottom_bits), _CAP),
        min(a.bottom_bits + b.bottom_bits, _CAP),
        **_flags(a, b),
    )


def _repeated(a: Measure, count: int) -> Measure:
    """The measure of a sum of `count` alike terms with denominators of their own."""
    return replace(
        a,
        top=min(a.top + (count - 1) * a.bottom, _CAP),
        bottom=min(count * a.bottom, _CAP),
        bits=min(a.bits + (count - 1) * a.bottom_bits, _CAP),
        bottom_bits=min(count * a.bottom_bits, _CAP),
    )


class Measures:
    """Measures of expanded expressions over some tensors and equations, each found once.

    `opaque`: of the model in which signs are random functions and discrete values any values.
    """

    def __init__(
        self,
        tensors: Mapping[str, Tensor],
        equation: Callable[[str], Equation | None],
        *,
        opaque: bool = False,
    ) -> None:
        self._opaque = opaque
        self._tensors = tensors
        self._equation = equation
        self._found: dict[Expression, Measure] = {}
        self._steps: dict[str, Measure] = {}

    def of(self, expression: Expression) -> Measure:
        """The measure of one expression."""
        found = self._found.get(expression)
        if found is None:
            found = self._found[expression] = self._measure(expression)
        return found

    def _measure(self, expression: Expression) -> Measure:
        match expression:
            case Const():
                return Measure()
            case Ref():
                return times(self._entry(expression), self._positions(expression.indices))
            case Delta(left, right):
                return self._positions((left, right))
            case Apply():
                return self._applied(expression)
            case Op():
                return self._operated(expression)
            case Product(factors):
                return self._all(times, factors)
            case Sum(indices, body):
                return _repeated(self.of(body), _LARGEST_SIZE ** min(len(indices), 3))
            case Add(terms):
                return self._all(plus, terms)
            case _:
                assert_never(expression)

    def _all(self, combine: Callable[[Measure, Measure], Measure], parts: Iterable[Expression]) -> Measure:
        return reduce(combine, map(self.of, parts))

    # --- entries --------------------------------------------------------------------------------

    def _entry(self, ref: Ref) -> Measure:
        if ref.tensor == RANGE:
            return Measure()
        equation = self._equation(ref.tensor)
        if equation is not None:
            if ref.tensor not in self._steps:
                self._steps[ref.tensor] = Measure(top=1)
                self._steps[ref.tensor] = self.of(equation.expression)
            return self._steps[ref.tensor]
        tensor = self._tensors.get(ref.tensor)
        return Measure(top=1) if tensor is None else _of_input(tensor, relaxed=self._opaque)

    def _positions(self, positions: Iterable[Position]) -> Measure:
        gathered = frozenset((gather, _CHOICE_BITS) for p in positions for gather in _gathers(p))
        return Measure(choices=gathered)

    # --- functions ------------------------------------------------------------------------------

    def _applied(self, expression: Apply) -> Measure:
        name, order = expression.function, expression.order
        if name == "pi":
            return Measure(top=1)
        inner = self._all(times, expression.arguments)
        if any(order):
            return _oracle(inner, rational=name not in FUNCTIONS)
        if name == "pow":
            return self._power(expression, inner)
        if name in _SIGNED:
            return self._sign_of(inner, with_value=name in ("abs", "relu"))
        if name in ("max", "min", "<", "<=", "=", "!="):
            return self._of_several(expression)
        if name == "log":
            return replace(_oracle(inner, rational=False), logs=True)
        if name in ("sin", "cos"):
            return replace(_oracle(inner, rational=False), waves=True)
        return _oracle(inner, rational=name not in FUNCTIONS)

    def _power(self, expression: Apply, inner: Measure) -> Measure:
        base = self.of(expression.arguments[0])
        match expression.arguments[1]:
            case Const(value) if value.denominator == 1:
                times_over = float(abs(value))
                top, bottom = (base.top, base.bottom) if value > 0 else (base.bottom, base.top)
                bits, bottom_bits = (
                    (base.bits, base.bottom_bits) if value > 0 else (base.bottom_bits, base.bits)
                )
                return replace(
                    base,
                    top=min(top * times_over, _CAP),
                    bottom=min(bottom * times_over, _CAP),
                    bits=min(bits * times_over, _CAP),
                    bottom_bits=min(bottom_bits * times_over, _CAP),
                )
            case _:
                return replace(_oracle(inner, rational=False), roots=True)

    def _of_several(self, expression: Apply) -> Measure:
        gap = self._all(plus, expression.arguments)
        if expression.function in ("max", "min"):
            signs = self._sign_of(gap, with_value=True)
            more = 0 if self._opaque else len(expression.arguments) - 2
            return replace(signs, bits=signs.bits + more)
        if all(map(self._whole, expression.arguments)):
            return replace(gap, top=0, bottom=0)
        return self._sign_of(gap, with_value=False)

    def _whole(self, expression: Expression) -> bool:
        match expression:
            case Const(value):
                return value.denominator == 1
            case Ref(tensor, _):
                declared = self._tensors.get(tensor)
                return tensor == RANGE or (declared is not None and declared.values == "integers")
            case Add() | Product() | Sum():
                parts = expression.terms if isinstance(expression, Add) else ()
                parts = expression.factors if isinstance(expression, Product) else parts
                parts = (expression.body,) if isinstance(expression, Sum) else parts
                return all(map(self._whole, parts))
            case _:
                return False

    def _sign_of(self, inner: Measure, *, with_value: bool) -> Measure:
        if self._opaque:
            sign = replace(_oracle(inner, rational=False), signs=True)
            return times(sign, inner) if with_value else sign
        return _sign_of(inner, with_value=with_value)

    def _operated(self, expression: Op) -> Measure:
        inner = self._all(times, expression.arguments)
        places = self._positions(expression.out)
        name, count = expression.operation, _LARGEST_SIZE
        if name in ("max", "min"):
            return replace(
                times(inner, places),
                bits=inner.bits + (0 if self._opaque else _CHOICE_BITS),
                rational=False,
                signs=True,
            )
        if name in ("inv", "det", "prod"):
            whole = inner
            for _ in range(count - 1):
                whole = times(whole, inner)
            if name == "inv":
                return replace(whole, top=whole.degree, bottom=whole.degree, bottom_bits=whole.bits)
            return times(whole, places)
        if name in _RATIONAL_OPERATIONS:
            return times(_repeated(inner, count) if name == "cumsum" else inner, places)
        return _oracle(times(inner, places), rational=False)


def _of_input(tensor: Tensor, *, relaxed: bool) -> Measure:
    """How the entries of an input depend on what is drawn independently."""
    if relaxed and tensor.values in ("binary", "signs", "onehot"):
        return Measure(top=1)
    if tensor.values in ("binary", "signs"):
        return Measure(bits=1, discrete=True)
    if tensor.values in ("onehot", "integers"):
        return Measure(bits=_CHOICE_BITS, discrete=True)
    if tensor.structure == "orthonormal":
        degree = 2 * _LARGEST_SIZE
        return Measure(top=degree, bottom=degree, choices=frozenset(((tensor.name, 1.0),)))
    if tensor.values in ("uniform", "probabilities"):
        return Measure(top=4, bottom=4)
    return Measure(top=2 if tensor.values == "positive" or tensor.structure == "spd" else 1)


def pattern_bits(tensor: Tensor, sizes: Mapping[str, int]) -> float:
    """The number of bits that choose all values of a tensor of finitely many ones; 0 for any other."""
    lengths = [dimension.size(sizes) for dimension in tensor.shape]
    match tensor.values:
        case "binary" | "signs":
            return float(math.prod(lengths))
        case "onehot":
            return math.prod(lengths[:-1]) * math.log2(lengths[-1])
        case "integers":
            values = 8 if tensor.indexes is None else tensor.indexes.size(sizes)
            return math.prod(lengths) * math.log2(values)
        case _:
            return 0.0


def _gathers(position: Position) -> Iterator[Gather]:
    match position:
        case Gather(_, inner):
            yield position
            for p in inner:
                yield from _gathers(p)
        case _:
            pass


def _oracle(inner: Measure, *, rational: bool) -> Measure:
    """A random function: a value of its own, once its arguments are told apart."""
    return replace(
        inner,
        top=1 + inner.degree,
        bottom=0,
        bits=inner.bits + inner.bottom_bits,
        bottom_bits=0,
        rational=inner.rational and rational,
    )


def _sign_of(inner: Measure, *, with_value: bool) -> Measure:
    """The sign of a value, or the value times it: one more random sign, once the value's own are fixed."""
    own = 1 + inner.bits + inner.bottom_bits
    return replace(
        inner,
        top=inner.top if with_value else 0,
        bottom=inner.bottom if with_value else 0,
        bits=own + (inner.bits if with_value else 0),
        bottom_bits=inner.bottom_bits if with_value else 0,
        rational=False,
        signs=True,
    )
