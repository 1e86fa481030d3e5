"""What an expression is: index notation as immutable values. Eight node classes, closed.

    Const · Ref · Delta · Apply · Op · Product · Sum · Add

Constructors only store; functions simplify. The free indices are stored when they are first asked for. Every index carries its
dimension. A bound index is unique: whoever puts two expressions together under one product takes care
of that by `freshened`, and `invariants.check` tells where it was forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from typing import Generic, TypeVar, assert_never

from msgspec import Struct

__all__ = [
    "ONE",
    "RANGE",
    "ZERO",
    "Add",
    "Affine",
    "Apply",
    "Chain",
    "Const",
    "Delta",
    "Derivative",
    "Dimension",
    "Equation",
    "Expression",
    "Gather",
    "Index",
    "Op",
    "Position",
    "Product",
    "Ref",
    "Sum",
    "add",
    "constant",
    "divide",
    "fresh",
    "mask",
    "multiply",
    "negate",
    "position_indices",
    "power",
    "serials_from",
    "size",
    "subtract",
    "summation",
]


class Dimension(Struct, frozen=True, order=True, cache_hash=True):
    """The type of an index. Two dimensions meet only if they are the same one.

    A named dimension is `Dimension("m")`; a whole number in a shape is `Dimension("6")`, a dimension of
    its own. `terms` is empty for both; a computed one (the rows of a Kronecker product, a range of
    n - q + 1) has a name to print and its size as a polynomial: pairs (coefficient, names multiplied).
    """

    name: str
    terms: tuple[tuple[int, tuple[str, ...]], ...] = ()

    @property
    def fixed(self) -> int | None:
        """The size, where the dimension is a whole number."""
        return int(self.name) if not self.terms and self.name.isdecimal() else None

    @property
    def names(self) -> tuple[str, ...]:
        """The named dimensions that the size depends on."""
        if self.terms:
            return tuple(sorted({name for _, names in self.terms for name in names}))
        return () if self.fixed is not None else (self.name,)

    def size(self, sizes: Mapping[str, int]) -> int:
        """The size, given those of the named dimensions."""
        if self.terms:
            total = 0
            for coefficient, names in self.terms:
                part = coefficient
                for name in names:
                    part *= sizes[name]
                total += part
            return total
        size = sizes.get(self.name)
        if size is not None:
            return size
        fixed = self.fixed
        return sizes[self.name] if fixed is None else fixed


class Index(Struct, frozen=True, order=True, cache_hash=True):
    """An index: the name that the reader wrote, its dimension, and a serial number.

    A free index has serial 0. A bound index gets a serial of its own from `fresh`, so that no two bound
    indices of an expression are alike whatever their names; printers choose names that do not clash.
    """

    name: str
    dimension: Dimension
    serial: int = 0


class Affine(Struct, frozen=True, cache_hash=True):
    """The position `2i + k - 1`: pairs (coefficient, index) and an offset. Its reads outside are zero."""

    terms: tuple[tuple[int, Index], ...]
    offset: int


class Gather(Struct, frozen=True, cache_hash=True):
    """The position that an integer tensor holds: `t[i]` in `E[t[i], j]`."""

    tensor: str
    positions: tuple[Position, ...]


Position = Index | int | Affine | Gather

# The tensor of one index whose entry at i is i: a mask `[i <= j]` is Apply('<=', …) over two of them.
RANGE = "#"

_NONE: frozenset[Index] = frozenset()


T = TypeVar("T")


class Stored(Generic[T]):
    """A property worked out when it is first asked for: `functools.cached_property` without the lock that Python
    before 3.12 takes each time. Two threads would work out equal values."""

    def __init__(self, compute: Callable[..., T]) -> None:
        self.compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type | None = None) -> T:
        value = instance.__dict__[self.name] = self.compute(instance)
        return value


class Const(Struct, frozen=True, cache_hash=True):
    """An exact number."""

    value: Fraction

    @property
    def free(self) -> frozenset[Index]:
        """No free indices."""
        return _NONE


class Ref(Struct, frozen=True, cache_hash=True, dict=True):
    """An entry of a tensor, a step or a derivative: `x[i,k]`, `∂cost/∂w[k,j]` (tensor '∂cost/∂w')."""

    tensor: str
    indices: tuple[Position, ...] = ()

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return position_indices(self.indices)


class Delta(Struct, frozen=True, cache_hash=True, dict=True):
    """The Kronecker delta of two positions."""

    left: Position
    right: Position

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return position_indices((self.left, self.right))


class Apply(Struct, frozen=True, cache_hash=True, dict=True):
    """A scalar function of scalars, entry by entry.

    `order` says how often it is differentiated in each argument: (0,) is f(u), (2,) is f''(u), (0, 1) is
    C.2(u, t). Besides the rows of `functions`, the names 'pow' (any exponent), 'pi' (no argument) and the
    comparisons '<', '<=', '=', '!=' (value 1 or 0) are known everywhere.
    """

    function: str
    order: tuple[int, ...]
    arguments: tuple[Expression, ...]

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return _union(self.arguments)


class Op(Struct, frozen=True, cache_hash=True, dict=True):
    """An operation along indices: it binds `bound` in its arguments and is read at the positions `out`.

    `max[j](z[i,j])` has bound (j,), out (); `softmax[j](z[i,j])` has bound (j', ) inside its argument and out
    (j,); `inv(X)[k,l]` has bound (a, b) of the argument X[a,b] and out (k, l); `kron(A, B)[i,j]` has bound
    (a, b, c, d) of A[a,b] and B[c,d]. `parameters` are named numbers such as ('ddof', 1).
    """

    operation: str
    bound: tuple[Index, ...]
    out: tuple[Position, ...]
    arguments: tuple[Expression, ...]
    parameters: tuple[tuple[str, Fraction], ...] = ()

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        inner = _union(self.arguments) - frozenset(self.bound)
        return inner | position_indices(self.out)


class Product(Struct, frozen=True, cache_hash=True, dict=True):
    """The product of two or more factors, kept flat by `multiply`."""

    factors: tuple[Expression, ...]

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return _union(self.factors)


class Sum(Struct, frozen=True, cache_hash=True, dict=True):
    """The sum of the body over each of the indices, which it binds."""

    indices: tuple[Index, ...]
    body: Expression

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return self.body.free - frozenset(self.indices)


class Add(Struct, frozen=True, cache_hash=True, dict=True):
    """The sum of two or more terms. A term without a free index that others have is repeated along it."""

    terms: tuple[Expression, ...]

    @Stored
    def free(self) -> frozenset[Index]:
        """The free indices."""
        return _union(self.terms)


Expression = Const | Ref | Delta | Apply | Op | Product | Sum | Add


class Equation(Struct, frozen=True, cache_hash=True):
    """`tensor[indices] = expression`, each index a plain one, free in the expression or repeated along."""

    tensor: str
    indices: tuple[Index, ...]
    expression: Expression

    @property
    def shape(self) -> tuple[Dimension, ...]:
        """The dimensions of the left side."""
        return tuple(index.dimension for index in self.indices)


Chain = tuple[Equation, ...]


class Derivative(Struct, frozen=True, cache_hash=True):
    """A derivative that a formula asks for, as the tensor `name` with the numerator's indices first,
    then the denominators' in order. `own` is the derivative of the step's own equation (∂⁺).

    `calculus.chain` turns it into equations for `name`.
    """

    name: str
    numerator: str
    denominators: tuple[str, ...]
    own: bool = False


ZERO = Const(Fraction(0))
ONE = Const(Fraction(1))
_MINUS_ONE = Const(Fraction(-1))


def _union(parts: Iterable[Expression]) -> frozenset[Index]:
    return _NONE.union(*[part.free for part in parts])


def position_indices(positions: Iterable[Position]) -> frozenset[Index]:
    """The indices that stand in some positions."""
    found: set[Index] = set()
    for position in positions:
        match position:
            case Index():
                found.add(position)
            case Affine(terms):
                found.update(index for _, index in terms)
            case Gather(_, inner):
                found |= position_indices(inner)
            case int():
                pass
            case _:
                assert_never(position)
    return frozenset(found)


_serials = itertools.count(1)


def serials_from(least: int) -> int:
    """See to it that serials given from now on are at least as large: expressions made in another process have
    smaller ones. Returns the next."""
    global _serials
    least = max(least, next(_serials))
    _serials = itertools.count(least)
    return least


def fresh(index: Index) -> Index:
    """A bound index of the same name and dimension that no expression has yet."""
    return Index(index.name, index.dimension, next(_serials))


# --- constructors that simplify -------------------------------------------------------------------


def constant(value: int | Fraction) -> Const:
    """A number."""
    return Const(Fraction(value))


def multiply(*factors: Expression) -> Expression:
    """The product: nested ones flattened, numbers gathered in front, zero and one taken out."""
    flat: list[Expression] = []
    coefficient: Fraction | None = None
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Const):
                coefficient = part.value if coefficient is None else coefficient * part.value
            else:
                flat.append(part)
    if coefficient is not None:
        if not coefficient:
            return ZERO
        if coefficient != 1:
            flat.insert(0, Const(coefficient))
    if not flat:
        return ONE
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def add(*terms: Expression) -> Expression:
    """The sum of terms: nested ones flattened, numbers gathered at the end, zeros dropped."""
    flat: list[Expression] = []
    total: Fraction | None = None
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Const):
                total = part.value if total is None else total + part.value
            else:
                flat.append(part)
    if total:
        flat.append(Const(total))
    if not flat:
        return ZERO
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def negate(expression: Expression) -> Expression:
    """-expression, spread over the terms of a sum."""
    if isinstance(expression, Add):
        return add(*(negate(term) for term in expression.terms))
    return multiply(_MINUS_ONE, expression)


def subtract(left: Expression, right: Expression) -> Expression:
    """left - right."""
    return add(left, negate(right))


def power(base: Expression, exponent: Expression) -> Expression:
    """base to the exponent; the powers 0 and 1 and those of a number to a whole one are done."""
    if isinstance(exponent, Const):
        if exponent.value == 1:
            return base
        if exponent.value == 0:
            return ONE
        if isinstance(base, Const) and exponent.value.denominator == 1:
            whole = int(exponent.value)
            if abs(whole) <= 64 and (base.value != 0 or whole > 0):
                return Const(base.value**whole)
    return Apply("pow", (0, 0), (base, exponent))


def divide(left: Expression, right: Expression) -> Expression:
    """left / right, a product with the power -1."""
    return multiply(left, power(right, _MINUS_ONE))


def summation(indices: Iterable[Index], body: Expression) -> Expression:
    """The sum over indices, nested ones joined; a sum over none is its body."""
    joined = tuple(indices)
    if not joined or body == ZERO:
        return body
    if isinstance(body, Sum) and body.indices[0].serial >= 0:  # a size stays whole
        return Sum(joined + body.indices, body.body)
    return Sum(joined, body)


def size(dimension: Dimension) -> Expression:
    """The size of a dimension as an expression: a number, or the sum of 1 over an index."""
    fixed = dimension.fixed
    if fixed is not None:
        return constant(fixed)
    return Sum((_size_index(dimension),), ONE)


def _size_index(dimension: Dimension) -> Index:
    # One bound index for each dimension: sizes compare equal, and nothing in them can be captured.
    return Index("size", dimension, -1)


def mask(left: Index | int, sign: str, right: Index | int) -> Expression:
    """1 where the comparison of two positions holds, else 0."""

    def value(position: Index | int) -> Expression:
        return Ref(RANGE, (position,)) if isinstance(position, Index) else constant(position)

    return Apply(sign, (0, 0), (value(left), value(right)))
