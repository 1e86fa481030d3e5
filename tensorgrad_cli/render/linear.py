"""Formulas on one line: what `text` and `ascii` share. They differ in their glyphs only.

The printer hands the binding strength of the surroundings down and puts parentheses where a part binds
less, so that what it prints parses back to the same expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Derivative,
    Equation,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    substitute,
)
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.render.naming import (
    Names,
    Naming,
    free_names,
    named,
    position,
    positions,
)

__all__ = ["Glyphs", "Linear", "primes", "signed", "split"]

# Binding strength, from loose to tight.
TERM, FACTOR, ATOM = 1, 2, 3
_COMPARISONS = frozenset({"<", "<=", ">", ">=", "=", "!="})


class Glyphs(Struct, frozen=True):
    """The signs of a notation."""

    sum: str
    partial: str
    delta: str
    pi: str
    superscripts: bool
    transpose: str
    hadamard: str
    ascii: bool


class Linear:
    """Prints expressions and equations with some glyphs.

    With `implied`, a sum that the language implies is not written; else every Σ stands there.
    """

    def __init__(self, naming: Naming, glyphs: Glyphs, implied: bool) -> None:
        self.naming = naming
        self.glyphs = glyphs
        self.implied = implied

    # --- whole formulas

    def equation(self, equation: Equation) -> str:
        """`w̄[k,j] = x[i,k] z̄[i,j]`."""
        names = free_names(equation.indices)
        left = self.reference(equation.tensor, equation.indices, names)
        return f"{left} = {self.line(equation.expression, names)}"

    def line(self, expression: Expression, names: Names) -> str:
        """An expression that stands alone on its side."""
        return self.show(expression, names, TERM, summand=True)

    def expression(self, expression: Expression) -> str:
        """An expression, its free indices by their own names."""
        return self.line(expression, free_names(expression.free))

    # --- nodes

    def show(self, e: Expression, names: Names, strength: int, summand: bool = False) -> str:
        """An expression where at least `strength` is needed. `summand`: it stands alone in a line, a
        parenthesis or an argument, or as a term of a sum there."""
        match e:
            case Const(value):
                return self.number(value, strength)
            case Ref(tensor, indices):
                return self.reference(tensor, indices, names)
            case Delta(left, right):
                pair = positions((left, right), names, self.naming)
                return f"{self.delta()}[{pair}]"
            case Apply():
                return self.call(e, names, strength)
            case Op():
                return self.operation(e, names, strength)
            case Product():
                return self.product(e, names, strength, summand)
            case Sum():
                return self.summed(e, names, strength, summand)
            case Add(terms):
                return self.terms(terms, names, strength)
            case _:
                assert_never(e)

    def delta(self) -> str:
        """The name of the Kronecker delta: `eye` where a declared name hides ours."""
        return "eye" if "delta" in self.naming.taken else self.glyphs.delta

    def inner(self, e: Expression, names: Names) -> str:
        """An expression in parentheses of its own or as an argument."""
        return self.show(e, names, TERM, summand=True)

    def name(self, name: str) -> str:
        """A name in this notation."""
        return name if self.glyphs.ascii else self.naming.spelling(name)

    def number(self, value: Fraction, strength: int) -> str:
        text = str(value)
        plain = value.denominator == 1 and value >= 0
        if plain or strength == TERM:
            return text
        return f"({text})"

    def reference(self, tensor: str, indices: Sequence[Position], names: Names) -> str:
        """An entry of a tensor; of a derivative, `∂z[i,j]/∂w[p,q]`."""
        derivative = self.naming.derivatives.get(tensor)
        if derivative is not None:
            return self.derivative(derivative, indices, names)
        definition = self.naming.definitions.get(tensor)
        if definition is not None:
            moved = dict(zip(definition.indices, indices, strict=True))
            return f"({self.inner(substitute(definition.expression, moved), names)})"
        if tensor == RANGE:
            return position(indices[0], names, self.naming)
        brackets = f"[{positions(indices, names, self.naming)}]" if indices else ""
        return self.name(tensor) + brackets

    def derivative(self, d: Derivative, indices: Sequence[Position], names: Names) -> str:
        ranks = self.naming.ranks
        top = len(indices) - sum(ranks[name] for name in d.denominators)
        numerator = self.reference(d.numerator, indices[:top], names)
        if d.numerator in self.naming.derivatives:
            numerator = f"({numerator})"
        partial, below, at = self.glyphs.partial, "", top
        for name in d.denominators:
            below += partial + self.reference(name, indices[at : at + ranks[name]], names)
            at += ranks[name]
        order = len(d.denominators)
        raised = "" if order == 1 else self.exponent(str(order))
        own = ("+" if self.glyphs.ascii else "⁺") if d.own else ""
        space = " " if self.glyphs.ascii and partial == "d" else ""
        return f"{partial}{raised}{own}{space}{numerator}/{below}"

    def exponent(self, text: str) -> str:
        if self.glyphs.superscripts and not set(text) - set("-0123456789"):
            return text.translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
        plain = text.isdigit() or text.isidentifier()
        return f"^{text}" if plain else f"^({text})"

    def call(self, e: Apply, names: Names, strength: int) -> str:
        if e.function == "pow" and not any(e.order):
            return self.power(e, names, strength)
        if e.function == "pi":
            return self.glyphs.pi
        if e.function in _COMPARISONS:
            left, right = (self.inner(a, names) for a in e.arguments)
            return f"[{left} {e.function} {right}]"
        arguments = ", ".join(self.inner(argument, names) for argument in e.arguments)
        return f"{self.name(e.function)}{primes(e.order)}({arguments})"

    def power(self, e: Apply, names: Names, strength: int) -> str:
        base, exponent = e.arguments
        if isinstance(exponent, Const) and exponent.value < 0:
            return self.product(Product((e,)), names, strength, False)
        return self.raised(base, exponent, names)

    def raised(self, base: Expression, exponent: Expression, names: Names) -> str:
        if isinstance(exponent, Const) and exponent.value == 1:
            return self.show(base, names, ATOM)
        below = self.show(base, names, ATOM)
        if isinstance(base, Apply) and base.function == "pow":
            below = f"({self.inner(base, names)})"
        if isinstance(exponent, Const):
            return below + self.exponent(str(exponent.value))
        return f"{below}^({self.inner(exponent, names)})"

    # --- products and sums

    def terms(self, terms: Sequence[Expression], names: Names, strength: int) -> str:
        out = ""
        for k, term in enumerate(terms):
            negative, part = signed(term)
            text = self.show(part, names, TERM, summand=True)
            if negative and isinstance(part, Add):
                text = f"({text})"
            sign = " - " if negative else " + "
            out += text if k == 0 and not negative else (f"-{text}" if k == 0 else sign + text)
        return out if strength == TERM else f"({out})"

    def product(self, e: Product, names: Names, strength: int, summand: bool) -> str:
        return self.factors(e.factors, names, strength, ())

    def summed(self, e: Sum, names: Names, strength: int, summand: bool) -> str:
        size = self.size(e)
        if size is not None:
            return size
        bound = self.bind(e, names)
        factors = e.body.factors if isinstance(e.body, Product) else (e.body,)
        implied: tuple[Index, ...] = ()
        if self.implied and summand and strength == TERM:
            implied = tuple(i for i in e.indices if _implied(i, factors))
        written = tuple(i for i in e.indices if i not in implied)
        if written:
            # A written Σ takes the whole product: the others are written with it, for clarity.
            written = e.indices
        return self.factors(factors, bound, strength, written)

    def bind(self, e: Sum, names: Names) -> Names:
        """Names for the indices of a sum, unlike those in use around it."""
        return named(e.indices, names)

    def size(self, e: Sum) -> str | None:
        """The name of a size, where a sum is one."""
        if e.body == Const(Fraction(1)) and len(e.indices) == 1 and e.indices[0].serial < 0:
            dimension = e.indices[0].dimension
            if dimension.terms:
                return f"({dimension.name})"
            hidden = dimension.name in self.naming.ranks or dimension.name in self.naming.taken
            return f"(sum[i:{dimension.name}] 1)" if hidden else dimension.name
        return None

    def factors(
        self,
        factors: Sequence[Expression],
        names: Names,
        strength: int,
        written: Sequence[Index],
    ) -> str:
        """A product, its coefficient in front, what is divided by behind a bar, Σ before it all."""
        coefficient, above, below = split(factors)
        negative = coefficient < 0
        coefficient = abs(coefficient)
        if below or len(above) == 0:
            numerator = self.side(coefficient.numerator, above, names)
            if coefficient.denominator != 1 and below:
                below = [
                    (Const(Fraction(coefficient.denominator)), Fraction(1)),
                    *below,
                ]
            elif coefficient.denominator != 1:
                numerator = str(coefficient)
        else:
            lead = [] if coefficient == 1 else [str(coefficient)]
            numerator = " ".join([*lead, *(self.factor(f, names) for f in above)])
        text = numerator
        if below:
            denominator = self.denominator(below, names)
            text = f"{numerator} / {denominator}"
        if written:
            indices = ",".join(names[i] for i in written)
            text = f"{self.glyphs.sum}[{indices}] {text}"
        if negative:
            text = f"-{text}"
        composite = written or below or negative or len(above) + (coefficient != 1) > 1
        if strength == ATOM and composite:
            return f"({text})"
        if strength == FACTOR and (written or below or negative or coefficient.denominator != 1):
            return f"({text})"
        return text

    def side(self, coefficient: int, above: Sequence[Expression], names: Names) -> str:
        parts = [self.factor(f, names) for f in above]
        if coefficient != 1 or not parts:
            parts.insert(0, str(coefficient))
        return " ".join(parts)

    def factor(self, e: Expression, names: Names) -> str:
        text = self.show(e, names, FACTOR)
        if isinstance(e, Product | Sum) and not text.startswith("(") and " " in text:
            return f"({text})"
        return text

    def denominator(self, below: Sequence[tuple[Expression, Fraction]], names: Names) -> str:
        explicit = Linear(self.naming, self.glyphs, implied=False)
        parts = [explicit.raised(base, Const(n), names) for base, n in below]
        return parts[0] if len(parts) == 1 else f"({' '.join(parts)})"

    # --- operations

    def operation(self, e: Op, names: Names, strength: int) -> str:
        row = OPERATIONS.get(e.operation)
        matrix = row is not None and any(len(letters) > 1 for letters in row.inputs)
        extra = "".join(f", {name}={value}" for name, value in e.parameters)
        if matrix:
            return self.matrix_operation(e, names)
        if not e.out:
            bound = named(e.bound, names)
            indices = ",".join(bound[i] for i in e.bound)
            return f"{e.operation}[{indices}]({self.inner(e.arguments[0], bound)}{extra})"
        return self.along(e, names, strength, extra)

    def along(self, e: Op, names: Names, strength: int, extra: str) -> str:
        """`softmax[j](z[i,j])`; read at another place than its own index, through a delta."""
        free = e.arguments[0].free - frozenset(e.bound)
        plain = [p for p in e.out if isinstance(p, Index) and p not in free]
        if len(plain) == len(e.out) == len(set(plain)):
            own = {
                **names,
                **{b: names.get(p, p.name) for b, p in zip(e.bound, plain, strict=True)},
            }
            indices = ",".join(own[i] for i in e.bound)
            return f"{e.operation}[{indices}]({self.inner(e.arguments[0], own)}{extra})"
        bound = named(e.bound, names)
        indices = ",".join(bound[i] for i in e.bound)
        deltas = " ".join(
            f"{self.delta()}[{bound[b]},{position(p, names, self.naming)}]"
            for b, p in zip(e.bound, e.out, strict=True)
        )
        call = f"{e.operation}[{indices}]({self.inner(e.arguments[0], bound)}{extra})"
        text = f"{self.glyphs.sum}[{indices}] {deltas} {call}"
        return text if strength == TERM else f"({text})"

    def matrix_operation(self, e: Op, names: Names) -> str:
        from tensorgrad_cli.render.matrix import matrix_of

        row = OPERATIONS[e.operation]
        at, texts = 0, []
        for argument, letters in zip(e.arguments, row.inputs, strict=True):
            bound = e.bound[at : at + len(letters)]
            at += len(letters)
            text = matrix_of(argument, bound, self.naming, self.glyphs)
            if text is None:
                inner = named(bound, names)
                text = self.inner(argument, inner)
            texts.append(text)
        brackets = f"[{positions(e.out, names, self.naming)}]" if e.out else ""
        return f"{e.operation}({', '.join(texts)}){brackets}"


def primes(order: Sequence[int]) -> str:
    """How a function's derivative is written: f'', or C.1.2 of several arguments."""
    if len(order) == 1:
        return "'" * order[0]
    return "".join(f".{k + 1}" * n for k, n in enumerate(order))


def signed(e: Expression) -> tuple[bool, Expression]:
    """Whether a term is negative, and the term without its sign."""
    if isinstance(e, Const) and e.value < 0:
        return True, Const(-e.value)
    if isinstance(e, Sum):
        negative, body = signed(e.body)
        return negative, Sum(e.indices, body) if negative else e
    if isinstance(e, Product) and isinstance(e.factors[0], Const) and e.factors[0].value < 0:
        value = -e.factors[0].value
        rest = e.factors[1:]
        if value == 1 and len(rest) == 1:
            return True, rest[0]
        return True, Product(rest if value == 1 else (Const(value), *rest))
    return False, e


def split(
    factors: Sequence[Expression],
) -> tuple[Fraction, list[Expression], list[tuple[Expression, Fraction]]]:
    """The coefficient, the factors above the fraction bar, and (base, exponent) of those below it."""
    coefficient = Fraction(1)
    above: list[Expression] = []
    below: list[tuple[Expression, Fraction]] = []
    for factor in factors:
        match factor:
            case Const(value):
                coefficient *= value
            case Apply("pow", (0, 0), (base, Const(value))) if value < 0:
                below.append((base, -value))
            case _:
                above.append(factor)
    return coefficient, above, below


def _open(index: Index, e: Expression) -> int:
    """How often an index stands open in a factor, as the rule for implied sums counts it."""
    match e:
        case Ref(_, indices):
            return sum(p == index for p in indices)
        case Delta(left, right):
            return (left == index) + (right == index)
        case Sum(_, _) | Const():
            return 1 if index in e.free else 0
        case _:
            return 1 if index in e.free else 0


def _implied(index: Index, factors: Sequence[Expression]) -> bool:
    """Whether the language sums an index over this product without a written sum."""
    for factor in factors:
        if isinstance(factor, Apply) and factor.function == "pow" and index in factor.free:
            return False
        if isinstance(factor, Add | Apply | Op | Sum | Product) and index in factor.free:
            return _plainly_open(index, factors)
    return sum(_open(index, factor) for factor in factors) >= 2


def _plainly_open(index: Index, factors: Sequence[Expression]) -> bool:
    """Two entries, or an entry and a call of entries alone: the cases that need no thought of the reader."""
    simple = sum(_open(index, f) for f in factors if isinstance(f, Ref | Delta))
    calls = sum(
        1
        for f in factors
        if index in f.free and isinstance(f, Apply) and all(isinstance(a, Ref) for a in f.arguments)
    )
    others = sum(1 for f in factors if index in f.free) - calls
    entries = sum(1 for f in factors if isinstance(f, Ref | Delta) and index in f.free)
    return others == entries and simple + calls >= 2
