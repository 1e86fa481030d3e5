"""What an expression is: index notation as immutable values. Eight node classes, closed.

    Const · Ref · Delta · Apply · Op · Product · Sum · Add

Constructors only store (and note the free indices); functions simplify. Every index carries its
dimension. A bound index is unique: whoever puts two expressions together under one product takes care
of that by `freshened`, and `invariants.check` tells where it was forgotten.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from fractions import Fraction
from typing import assert_never

from msgspec import Struct
from msgspec.structs import force_setattr

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
    "children",
    "constant",
    "divide",
    "fresh",
    "freshened",
    "mapped",
    "mask",
    "multiply",
    "needed",
    "negate",
    "position_indices",
    "power",
    "references",
    "size",
    "subexpressions",
    "substitute",
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


class Const(Struct, frozen=True, cache_hash=True):
    """An exact number."""

    value: Fraction

    @property
    def free(self) -> frozenset[Index]:
        """No free indices."""
        return _NONE


class Ref(Struct, frozen=True, cache_hash=True):
    """An entry of a tensor, a step or a derivative: `x[i,k]`, `∂cost/∂w[k,j]` (tensor '∂cost/∂w')."""

    tensor: str
    indices: tuple[Position, ...] = ()
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", position_indices(self.indices))


class Delta(Struct, frozen=True, cache_hash=True):
    """The Kronecker delta of two positions."""

    left: Position
    right: Position
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", position_indices((self.left, self.right)))


class Apply(Struct, frozen=True, cache_hash=True):
    """A scalar function of scalars, entry by entry.

    `order` says how often it is differentiated in each argument: (0,) is f(u), (2,) is f''(u), (0, 1) is
    C.2(u, t). Besides the rows of `functions`, the names 'pow' (any exponent), 'pi' (no argument) and the
    comparisons '<', '<=', '=', '!=' (value 1 or 0) are known everywhere.
    """

    function: str
    order: tuple[int, ...]
    arguments: tuple[Expression, ...]
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", _union(self.arguments))


class Op(Struct, frozen=True, cache_hash=True):
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
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        inner = _union(self.arguments) - frozenset(self.bound)
        force_setattr(self, "free", inner | position_indices(self.out))


class Product(Struct, frozen=True, cache_hash=True):
    """The product of two or more factors, kept flat by `multiply`."""

    factors: tuple[Expression, ...]
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", _union(self.factors))


class Sum(Struct, frozen=True, cache_hash=True):
    """The sum of the body over each of the indices, which it binds."""

    indices: tuple[Index, ...]
    body: Expression
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", self.body.free - frozenset(self.indices))


class Add(Struct, frozen=True, cache_hash=True):
    """The sum of two or more terms. A term without a free index that others have is repeated along it."""

    terms: tuple[Expression, ...]
    free: frozenset[Index] = _NONE

    def __post_init__(self) -> None:
        force_setattr(self, "free", _union(self.terms))


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


def _union(parts: Iterable[Expression]) -> frozenset[Index]:
    free = _NONE
    for part in parts:
        free = free | part.free
    return free


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
    coefficient = Fraction(1)
    for factor in factors:
        for part in factor.factors if isinstance(factor, Product) else (factor,):
            if isinstance(part, Const):
                coefficient *= part.value
            else:
                flat.append(part)
    if coefficient == 0:
        return ZERO
    if coefficient != 1 or not flat:
        flat.insert(0, Const(coefficient))
    return flat[0] if len(flat) == 1 else Product(tuple(flat))


def add(*terms: Expression) -> Expression:
    """The sum of terms: nested ones flattened, numbers gathered at the end, zeros dropped."""
    flat: list[Expression] = []
    total = Fraction(0)
    for term in terms:
        for part in term.terms if isinstance(term, Add) else (term,):
            if isinstance(part, Const):
                total += part.value
            else:
                flat.append(part)
    if total != 0 or not flat:
        flat.append(Const(total))
    return flat[0] if len(flat) == 1 else Add(tuple(flat))


def negate(expression: Expression) -> Expression:
    """-expression, spread over the terms of a sum."""
    if isinstance(expression, Add):
        return add(*(negate(term) for term in expression.terms))
    return multiply(Const(Fraction(-1)), expression)


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
    return multiply(left, power(right, Const(Fraction(-1))))


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


# --- walking --------------------------------------------------------------------------------------


def children(expression: Expression) -> tuple[Expression, ...]:
    """The expressions directly inside."""
    match expression:
        case Const() | Ref() | Delta():
            return ()
        case Apply():
            return expression.arguments
        case Op():
            return expression.arguments
        case Product():
            return expression.factors
        case Sum():
            return (expression.body,)
        case Add():
            return expression.terms
        case _:
            assert_never(expression)


def mapped(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """The expression with `change` done to each expression directly inside, rebuilt by the constructors
    that simplify; the same object where nothing changed."""
    before = children(expression)
    after = tuple(change(part) for part in before)
    if all(a is b for a, b in zip(before, after, strict=True)):
        return expression
    match expression:
        case Const() | Ref() | Delta():
            return expression
        case Apply():
            if expression.function == "pow" and expression.order == (0, 0):
                return power(after[0], after[1])
            return Apply(expression.function, expression.order, after)
        case Op():
            return Op(
                expression.operation,
                expression.bound,
                expression.out,
                after,
                expression.parameters,
            )
        case Product():
            return multiply(*after)
        case Sum():
            return summation(expression.indices, after[0])
        case Add():
            return add(*after)
        case _:
            assert_never(expression)


def subexpressions(expression: Expression) -> Iterator[Expression]:
    """The expression and all that stands in it, outer ones first."""
    stack = [expression]
    while stack:
        current = stack.pop()
        yield current
        stack.extend(reversed(children(current)))


def references(expression: Expression) -> frozenset[str]:
    """The names of the tensors, steps and derivatives that an expression reads (`RANGE` left out)."""
    found: set[str] = set()
    for part in subexpressions(expression):
        if isinstance(part, Ref):
            found.add(part.tensor)
            found |= _gathered(part.indices)
        elif isinstance(part, Delta):
            found |= _gathered((part.left, part.right))
        elif isinstance(part, Op):
            found |= _gathered(part.out)
    found.discard(RANGE)
    return frozenset(found)


def _gathered(positions: Iterable[Position]) -> set[str]:
    found: set[str] = set()
    for position in positions:
        if isinstance(position, Gather):
            found.add(position.tensor)
            found |= _gathered(position.positions)
    return found


def needed(equations: Chain, names: Iterable[str]) -> Chain:
    """The equations, in their order, that the values of `names` depend on.

    `equations` stand in an order in which each refers to earlier ones only.
    """
    wanted = set(names)
    kept: list[Equation] = []
    for equation in reversed(equations):
        if equation.tensor in wanted:
            kept.append(equation)
            wanted |= references(equation.expression)
    return tuple(reversed(kept))


# --- substitution ---------------------------------------------------------------------------------


def _moved(position: Position, replacement: Mapping[Index, Position]) -> Position:
    match position:
        case Index():
            return replacement.get(position, position)
        case int():
            return position
        case Affine(terms, offset):
            return _moved_affine(terms, offset, replacement)
        case Gather(tensor, inner):
            return Gather(tensor, tuple(_moved(p, replacement) for p in inner))
        case _:
            assert_never(position)


def _moved_affine(
    terms: tuple[tuple[int, Index], ...],
    offset: int,
    replacement: Mapping[Index, Position],
) -> Position:
    gathered: dict[Index, int] = {}
    for coefficient, index in terms:
        target = replacement.get(index, index)
        match target:
            case Index():
                gathered[target] = gathered.get(target, 0) + coefficient
            case int():
                offset += coefficient * target
            case Affine(inner, shift):
                offset += coefficient * shift
                for inner_coefficient, inner_index in inner:
                    gathered[inner_index] = gathered.get(inner_index, 0) + coefficient * inner_coefficient
            case Gather():
                raise ValueError("a gathered position inside an affine one")
            case _:
                assert_never(target)
    kept = tuple((c, i) for i, c in gathered.items() if c)
    if not kept:
        return offset
    if offset == 0 and len(kept) == 1 and kept[0][0] == 1:
        return kept[0][1]
    return Affine(kept, offset)


def substitute(expression: Expression, replacement: Mapping[Index, Position]) -> Expression:
    """The expression with free indices replaced by positions; bound ones are left as they are."""
    if not replacement or expression.free.isdisjoint(replacement):
        return expression
    match expression:
        case Const():
            return expression
        case Ref(tensor, indices):
            return Ref(tensor, tuple(_moved(position, replacement) for position in indices))
        case Delta(left, right):
            a, b = _moved(left, replacement), _moved(right, replacement)
            if a == b:
                return ONE
            if isinstance(a, int) and isinstance(b, int):
                return ZERO
            return Delta(a, b)
        case Op(operation, bound, out, arguments, parameters):
            return Op(
                operation,
                bound,
                tuple(_moved(position, replacement) for position in out),
                tuple(substitute(argument, replacement) for argument in arguments),
                parameters,
            )
        case Apply() | Product() | Sum() | Add():
            return mapped(expression, lambda part: substitute(part, replacement))
        case _:
            assert_never(expression)


def freshened(expression: Expression) -> Expression:
    """The same expression with every bound index renamed to a fresh one (sizes are left alone)."""
    match expression:
        case Const() | Ref() | Delta():
            return expression
        case Sum(indices, body):
            if all(index.serial < 0 for index in indices):
                return expression
            renamed = {index: fresh(index) for index in indices}
            return Sum(tuple(renamed.values()), substitute(freshened(body), renamed))
        case Op(operation, bound, out, arguments, parameters):
            renamed = {index: fresh(index) for index in bound}
            return Op(
                operation,
                tuple(renamed.values()),
                out,
                tuple(substitute(freshened(argument), renamed) for argument in arguments),
                parameters,
            )
        case Apply() | Product() | Add():
            return mapped(expression, freshened)
        case _:
            assert_never(expression)
