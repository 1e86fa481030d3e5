"""Formulas on one line: what `text` and `ascii` share. They differ in their glyphs only.

Every part is printed as a `Piece`, and put in parentheses where it binds less than its surroundings need,
so that what is printed parses back to the same expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.expression import (
    ONE,
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    constant,
    multiply,
    negate,
    power,
    size,
    subtract,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import BUILTINS, OWN
from tensorgrad_cli.notation.names import word_for
from tensorgrad_cli.render import derivatives, operations, products
from tensorgrad_cli.render.naming import Names, Naming, counted, free_names, named, position, positions
from tensorgrad_cli.render.pieces import ATOM, FACTOR, NOTHING, PRODUCT, TERM, Piece, merged, wrapped
from tensorgrad_cli.render.terms import factors_of, ordered, signed
from tensorgrad_cli.render.told import unpinned

__all__ = ["Glyphs", "Linear", "by_signs", "is_hidden", "primes", "unhidden"]

_COMPARISONS = frozenset({"<", "<=", ">", ">=", "=", "!="})
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


class Glyphs(Struct, frozen=True):
    """The signs of a notation."""

    delta: str
    pi: str
    transpose: str
    hadamard: str
    ascii: bool


class Linear:
    """Prints expressions and equations with some glyphs.

    With `implied`, a sum that the language implies is not written; else every Σ stands there. `loose` are free
    indices whose range nothing in the formula tells.
    """

    def __init__(
        self, naming: Naming, glyphs: Glyphs, implied: bool, loose: frozenset[Index] = frozenset()
    ) -> None:
        self.naming = naming
        self.glyphs = glyphs
        self.implied = implied
        self.loose = loose
        # Pieces of what stands in several places, by identity; each expression is kept, so that its id stays
        # taken. A divisor is looked at twice, and what a product rule reads stands again and again.
        self._pieces: dict[tuple[int, bool, tuple[tuple[Index, str], ...]], tuple[Expression, Piece]] = {}
        self._explicit: Linear | None = None

    def equation(self, equation: Equation) -> str:
        """`w̄[k,j] = x[i,k] z̄[i,j]`."""
        names = free_names(equation.indices)
        left = self.reference(equation.tensor, equation.indices, names)
        return f"{left.text} = {self.inner(equation.expression, names).text}"

    def expression(self, expression: Expression) -> str:
        """An expression, its free indices by their own names."""
        return self.inner(expression, free_names(expression.free)).text

    def explicit(self) -> Linear:
        """The same printer with every sum written."""
        if not self.implied:
            return self
        if self._explicit is None:
            self._explicit = Linear(self.naming, self.glyphs, False, self.loose)
        return self._explicit

    # --- nodes

    def piece(self, e: Expression, names: Names, summand: bool = False) -> Piece:
        """An expression. `summand`: it stands alone in a line, a parenthesis or an argument, or as a term of a
        sum there, where a product sums what the language implies."""
        if isinstance(e, Const | Ref | Delta):
            return self._piece(e, names, summand)
        key = (id(e), summand, tuple(names.items()))
        known = self._pieces.get(key)
        if known is None:
            known = self._pieces[key] = (e, self._piece(e, names, summand))
        return known[1]

    def _piece(self, e: Expression, names: Names, summand: bool) -> Piece:
        match e:
            case Const(value):
                return self.number(value)
            case Ref(tensor, indices):
                return self.reference(tensor, indices, names)
            case Delta(left, right):
                pair = positions((left, right), names, self.naming)
                return self.indexed(f"{self.delta()}[{pair}]", (left, right), names)
            case Apply():
                return self.call(e, names)
            case Op():
                return operations.operation(self, e, names)
            case Product():
                return products.product(self, (), e.factors, names, summand)
            case Sum():
                return self.summed(e, names, summand)
            case Add(terms):
                return self.terms(terms, names)
            case _:
                assert_never(e)

    def inner(self, e: Expression, names: Names) -> Piece:
        """An expression that stands alone: in parentheses of its own, as an argument, on a side."""
        return self.piece(e, names, summand=True)

    def delta(self) -> str:
        """The name of the Kronecker delta: another one where a declared name hides ours."""
        if "delta" not in self.naming.taken:
            return self.glyphs.delta
        return "eye" if "eye" not in self.naming.taken else "(I)"

    def name(self, name: str) -> str:
        """A name in this notation."""
        return name.removesuffix(OWN) if self.glyphs.ascii else self.naming.spelling(name)

    def number(self, value: Fraction) -> Piece:
        """A number: a numeral, a fraction or a negative one."""
        if value < 0:
            return Piece(str(value), TERM)
        return Piece(str(value), ATOM if value.denominator == 1 else PRODUCT)

    def indexed(self, text: str, places: Sequence[Position], names: Names) -> Piece:
        """Something with brackets: all that stands in them is open."""
        stands = counted(places, names)
        twice = frozenset(name for name, number in stands.items() if number > 1)
        return Piece(text, ATOM, stands, frozenset(stands), twice, plain=True)

    def reference(self, tensor: str, indices: Sequence[Position], names: Names) -> Piece:
        """An entry of a tensor; of a derivative, `∂z[i,j]/∂w[p,q]`."""
        derivative = self.naming.derivatives.get(tensor)
        if derivative is not None:
            return derivatives.derivative(self, derivative, indices, names)
        if tensor in self.naming.definitions:
            return wrapped(self.inner(derivatives.defined(self.naming, tensor, indices), names), 5)
        if tensor == RANGE:
            return self.indexed(position(indices[0], names, self.naming), indices, names)
        if not indices:
            return Piece(self.name(tensor), ATOM, plain=True, bare=tensor)
        text = f"{self.name(tensor)}[{positions(indices, names, self.naming)}]"
        return self.indexed(text, indices, names)

    # --- functions and powers

    def call(self, e: Apply, names: Names) -> Piece:
        """A function applied, a power, π or a mask."""
        if e.function == "pow" and not any(e.order):
            base, exponent = e.arguments
            if isinstance(exponent, Const) and exponent.value < 0:
                return products.product(self, (), (e,), names, False)
            return self.raised(base, exponent, names)
        if e.function == "pi":
            return self.pi()
        if e.function in ("=", "!="):
            return self.piece(by_signs(e), names)
        if e.function in self.naming.taken and e.order == (0,):
            e = unhidden(e, self.naming.taken)
        arguments = [self.inner(argument, names) for argument in e.arguments]
        stands = merged(argument.stands for argument in arguments)
        if e.function in _COMPARISONS:
            left, right = arguments
            text = f"[{left.text} {e.function} {right.text}]"
            return Piece(text, ATOM, stands, frozenset(stands), plain=True)
        opened = NOTHING.union(*(argument.opened for argument in arguments))
        inside = ", ".join(argument.text for argument in arguments)
        if e.function == "abs" and "abs" in self.naming.taken:
            # A bar inside bars needs parentheses.
            inside = f"({inside})" if "|" in inside else inside
            return Piece(f"|{inside}|", ATOM, stands, opened)
        text = f"{self.name(e.function)}{primes(e.order)}({inside})"
        return Piece(text, ATOM, stands, opened, plain=True)

    def pi(self) -> Piece:
        """π; where a declared name hides it, the arc whose cosine is -1."""
        if "pi" in self.naming.taken:
            return Piece("acos(-1)", ATOM)
        return Piece(self.glyphs.pi, ATOM, bare="pi")

    def raised(self, base: Expression, exponent: Expression, names: Names) -> Piece:
        """A power; its exponent is no negative number."""
        below = self.piece(base, names)
        if exponent == ONE:
            return below
        below = wrapped(below, ATOM)
        if isinstance(exponent, Const):
            text, above = self.exponent(exponent.value), Piece("", ATOM)
        else:
            above = self.inner(exponent, names)
            text = f"^{above.text}" if self.is_exponent(above) else f"^({above.text})"
        stands = merged((below.stands, above.stands))
        return Piece(below.text + text, FACTOR, stands, below.opened | above.opened)

    def exponent(self, value: Fraction | int) -> str:
        """A number as an exponent: `²`, `^2`, `^(1/2)`."""
        text = str(value)
        if len(text) > 3 or not text.lstrip("-").isdigit():
            return f"^({text})"
        return f"^{text}" if self.glyphs.ascii else text.translate(_RAISED)

    def is_exponent(self, piece: Piece) -> bool:
        """Whether a piece needs no parentheses as an exponent: a name that is no transpose and no call."""
        return bool(piece.bare) and piece.text != "T" and not self.called(piece)

    def called(self, piece: Piece) -> bool:
        """Whether a parenthesis right behind the piece would be taken for its arguments."""
        name = piece.bare
        if not name or name == "pi":
            return False
        return name in self.naming.functions or (name not in self.naming.ranks and name in BUILTINS)

    # --- sums

    def terms(self, terms: Sequence[Expression], names: Names) -> Piece:
        """Terms joined by their signs."""
        text, pieces = "", []
        for k, term in enumerate(ordered(terms)):
            negative, part = signed(term)
            piece = self.piece(part, names, summand=True)
            if negative:
                piece = wrapped(piece, PRODUCT)
            pieces.append(piece)
            sign = ("-" if negative else "") if k == 0 else (" - " if negative else " + ")
            if k > 0 and piece.text.startswith("-"):
                sign, piece = " - ", replace(piece, text=piece.text[1:])
            text += sign + piece.text
        opened = NOTHING.union(*(piece.opened for piece in pieces))
        return Piece(text, TERM, merged(piece.stands for piece in pieces), opened)

    def summed(self, e: Sum, names: Names, summand: bool) -> Piece:
        """A sum, written or implied; a size by its name."""
        if e.body == ONE and len(e.indices) == 1 and e.indices[0].serial < 0:
            return self.size(e.indices[0].dimension, names)
        return products.product(self, e.indices, factors_of(e.body), named(e.indices, names), summand)

    def bound(self, indices: Sequence[Index], body: Expression, names: Names) -> str:
        """What stands in the brackets of a sum or an operation: its indices, with their ranges where the body does
        not tell them."""
        ranged = unpinned(indices, body, self.loose)
        return ",".join(
            f"{names[index]}:{self.range(index.dimension)}" if index in ranged else names[index]
            for index in indices
        )

    def range(self, dimension: Dimension) -> str:
        """A dimension as the range of an index, where nothing hides it; a computed one multiplied out."""
        if not dimension.terms:
            return self.name(dimension.name)
        return " + ".join(
            " ".join([str(number)] * (number != 1 or not factors) + [self.name(name) for name in factors])
            for number, factors in dimension.terms
        )

    def size(self, dimension: Dimension, names: Names) -> Piece:
        """The size of a dimension by its name; as a sum of ones where another name hides it."""
        if dimension.terms:
            parts = (
                multiply(constant(number), *(size(Dimension(name)) for name in factors))
                for number, factors in dimension.terms
            )
            return self.piece(add(*parts), names)
        if dimension.fixed is not None:
            return self.number(Fraction(dimension.fixed))
        name = dimension.name
        if name in self.naming.ranks or name in self.naming.functions or name in ("I", "ones", "pi"):
            index = named((e.indices[0] for e in (size(dimension),) if isinstance(e, Sum)), names)
            (letter,) = set(index.values()) - set(names.values())
            return Piece(f"{self.sum()}[{letter}:{self.name(name)}] 1", PRODUCT)
        return Piece(self.name(name), ATOM, plain=True, bare=name)

    def sum(self) -> str:
        """The sign of a written sum."""
        return self.sign("Σ")

    def sign(self, sign: str) -> str:
        """A sign, which nothing hides; in ASCII a word for it that is no name."""
        return word_for(sign, self.naming.taken) if self.glyphs.ascii else sign


def by_signs(e: Apply) -> Expression:
    """Whether two values are the same or not, in functions that the language reads: 1 - sign(b - a)²."""
    left, right = e.arguments
    square = power(Apply("sign", (0,), (subtract(right, left),)), constant(2))
    return square if e.function == "!=" else Add((ONE, negate(square)))


def unhidden(e: Apply, taken: frozenset[str]) -> Apply:
    """A function of ours whose name is hidden by a declared one, as the derivative of another: sign is abs'."""
    for name, row in FUNCTIONS.items():
        if name not in taken and row.derivatives[0] == f"{e.function}({row.parameters[0]})":
            return Apply(name, (1,), e.arguments)
    return e


def is_hidden(part: Expression, taken: frozenset[str]) -> bool:
    """Whether a function or an operation of ours has no spelling, because a declared name hides its own."""
    match part:
        case Apply(function, order):
            hidden = function in taken and function not in ("pow", "pi", "abs")
            return hidden and (order != (0,) or unhidden(part, taken) is part)
        case Op(operation):
            return operation in taken and operation not in ("prod", "inv")
        case _:
            return False


def primes(order: Sequence[int]) -> str:
    """How a function's derivative is written: f'', or C.1.2 of several arguments."""
    if len(order) == 1:
        return "'" * order[0]
    return "".join(f".{k + 1}" * n for k, n in enumerate(order))
