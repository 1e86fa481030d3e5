"""The dimension of each index while a formula is read: unknown at first, pinned by the tensors it stands in.

An index whose dimension is not known yet carries a placeholder dimension. `Ranges` is a union-find over
placeholders; `resolved` rebuilds an expression with the dimensions found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    Add,
    Affine,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    fresh,
    multiply,
    power,
    size,
    summation,
)
from tensorgrad_cli.source import Issue, Span

__all__ = ["Ranges", "over", "shape_words", "times"]

_PLACEHOLDER = "\0"


class Ranges:
    """What is known so far of the dimensions of the indices of one formula."""

    def __init__(self) -> None:
        self._parent: dict[Dimension, Dimension] = {}
        # By placeholder: where it was pinned and by which index; the delta by which an index met another one.
        self._evidence: dict[Dimension, tuple[Span, str]] = {}
        self._ties: dict[Dimension, Span] = {}
        self._free: set[Dimension] = set()
        self._origin: dict[Dimension, tuple[str, Span]] = {}
        self._products: dict[Dimension, tuple[Dimension, Dimension]] = {}
        self._count = itertools.count()

    def unknown(self, name: str, span: Span) -> Dimension:
        """A dimension that is not known yet; `name` and `span` say whose, for the message if it stays so."""
        dimension = Dimension(f"{_PLACEHOLDER}{next(self._count)}")
        self._origin[dimension] = (name, span)
        return dimension

    def free(self, name: str, span: Span) -> Index:
        """A free index of a dimension not known yet."""
        index = Index(name, self.unknown(name, span))
        self._free.add(index.dimension)
        return index

    def bound(self, name: str, span: Span) -> Index:
        """A fresh bound index of a dimension not known yet."""
        return fresh(Index(name, self.unknown(name, span)))

    def find(self, dimension: Dimension) -> Dimension:
        """The dimension itself where it is known, else the placeholder that stands for it."""
        while dimension in self._parent:
            dimension = self._parent[dimension]
        if dimension in self._products:
            left, right = map(self.find, self._products[dimension])
            if self.known(left) and self.known(right):
                self._parent[dimension] = times(left, right)
                return self._parent[dimension]
        return dimension

    def product(self, left: Dimension, right: Dimension, span: Span) -> Dimension:
        """The dimension whose size is the product of two, of which one may not be known yet (`kron(I, A)`)."""
        if self.known(left) and self.known(right):
            return times(self.find(left), self.find(right))
        made = self.unknown("I", span)
        self._products[made] = (left, right)
        return made

    def known(self, dimension: Dimension) -> bool:
        """Whether the dimension has been pinned."""
        return not self.find(dimension).name.startswith(_PLACEHOLDER)

    def meet(self, index: Index, dimension: Dimension, span: Span) -> None:
        """Pins an index to the dimension of the axis that it stands on in `span`.

        Raises `index-dimension` where it met another dimension before.
        """
        last = index.dimension
        while last in self._parent and self._parent[last] in self._origin:
            last = self._parent[last]
        found, wanted = self.find(index.dimension), self.find(dimension)
        if found == wanted:
            return
        if not self.known(found):
            if self.known(wanted) or wanted in self._products:
                self._pin(found, wanted)
                self._evidence[found] = (span, index.name)
            else:
                # The index stays what is asked for, so that a message names it.
                self._parent[wanted] = found
                self._ties.setdefault(index.dimension, span)
                self._ties.setdefault(wanted, span)
            return
        if not self.known(wanted) and self._pin(wanted, found):
            return
        raise self._conflict(index, last, found, wanted, span)

    def _conflict(
        self, index: Index, last: Dimension, found: Dimension, wanted: Dimension, span: Span
    ) -> Issue:
        """The error of an index that meets a second dimension; `last` is where the first is known from."""
        over = wanted.name if self.known(wanted) else "another dimension"
        where = self._evidence.get(last)
        if where is None:
            message = f"the index {index.name} runs over {found.name}, but meets {over} in {span.text}"
            return Issue("index-dimension", span, message)
        place, other = where
        others = ((place, f"{other} is {found.name} here"),)
        tie = self._ties.get(index.dimension)
        if other != index.name and tie is not None:
            return Issue(
                "index-dimension",
                span,
                f"{index.name} runs over {over} in {span.text} and {other} over {found.name} in {place.text}, "
                f"but {tie.text} wants one dimension for its indices",
                "rename one of the indices, or give both axes the same dimension",
                (*others, (tie, "one dimension here")),
            )
        return Issue(
            "index-dimension",
            span,
            f"the index {index.name} meets {found.name} in {place.text} and {over} in {span.text}",
            "a dimension is a type: rename one of the indices, or give both axes the same dimension",
            others,
        )

    def same(self, pairs: Iterable[tuple[Dimension, Dimension]]) -> bool:
        """Whether the dimensions of all pairs can be the same; makes them so, or leaves all as it was."""
        before = dict(self._parent)
        for left, right in pairs:
            a, b = self.find(left), self.find(right)
            if a == b:
                continue
            unknown, other = (a, b) if not self.known(a) else (b, a)
            if self.known(unknown) or not self._pin(unknown, other):
                self._parent = before
                return False
        return True

    def _pin(self, unknown: Dimension, dimension: Dimension) -> bool:
        """Makes an unknown dimension another one; of a product the factor not known yet is found by division."""
        if unknown in self._products and self.known(dimension):
            left, right = map(self.find, self._products[unknown])
            factor, other = (left, right) if self.known(right) else (right, left)
            quotient = over(dimension, other) if self.known(other) else None
            if quotient is None or not self.same(((factor, quotient),)):
                return False
        self._parent[unknown] = dimension
        return True

    def dimension(self, dimension: Dimension) -> Dimension:
        """The dimension found. Raises `no-range` where none was."""
        found = self.find(dimension)
        if self.known(found):
            return found
        name, span = self._origin[found]
        if name in ("I", "ones"):
            entry = "delta[i,j]" if name == "I" else "ones[i]"
            help = f"write {entry}, with indices that a tensor or a written range gives their size"
            raise Issue("no-range", span, f"nothing says how large {name} is here", help)
        raise Issue(
            "no-range",
            span,
            f"the index {name} has no range: nothing here is a tensor that it indexes",
            f"index a tensor by {name}; of a step `shape: [n]` beside it gives the range too"
            if found in self._free
            else f"write the range, as in sum[{name}:3] …, or index a tensor by {name}",
        )

    def index(self, index: Index) -> Index:
        """The index with the dimension found."""
        found = self.dimension(index.dimension)
        return index if found == index.dimension else Index(index.name, found, index.serial)

    def position(self, position: Position) -> Position:
        """The position with the dimensions found."""
        match position:
            case Index():
                return self.index(position)
            case int():
                return position
            case Affine(terms, offset):
                return Affine(tuple((c, self.index(i)) for c, i in terms), offset)
            case Gather(tensor, inner):
                return Gather(tensor, tuple(self.position(p) for p in inner))
            case _:
                assert_never(position)

    def resolved(self, expression: Expression) -> Expression:
        """The expression with the dimensions found. Raises `no-range` where an index has none."""
        match expression:
            case Const():
                return expression
            case Ref(tensor, indices):
                return Ref(tensor, tuple(self.position(p) for p in indices))
            case Delta(left, right):
                return Delta(self.position(left), self.position(right))
            case Apply(function, order, arguments):
                inner = tuple(self.resolved(a) for a in arguments)
                if function == "pow" and order == (0, 0):
                    return power(inner[0], inner[1])
                return Apply(function, order, inner)
            case Op(operation, bound, out, arguments, parameters):
                return Op(
                    operation,
                    tuple(self.index(i) for i in bound),
                    tuple(self.position(p) for p in out),
                    tuple(self.resolved(a) for a in arguments),
                    parameters,
                )
            case Product(factors):
                return multiply(*(self.resolved(f) for f in factors))
            case Sum(indices, body):
                if len(indices) == 1 and indices[0].serial < 0:
                    return size(self.dimension(indices[0].dimension))
                return summation((self.index(i) for i in indices), self.resolved(body))
            case Add(terms):
                return add(*(self.resolved(t) for t in terms))
            case _:
                assert_never(expression)

    def words(self, axes: Iterable[Index], row: bool = False) -> str:
        """A shape in words: 'a scalar', 'a column of n', 'a row of n', 'm×n'."""
        found = (self.find(axis.dimension) for axis in axes)
        return shape_words((d if self.known(d) else Dimension("?") for d in found), row)


def shape_words(shape: Iterable[Dimension], row: bool = False) -> str:
    """A shape in words: 'a scalar', 'a column of n', 'a row of n', 'm×n'."""
    names = [dimension.name for dimension in shape]
    if not names:
        return "a scalar"
    if len(names) == 1:
        return f"a {'row' if row else 'column'} of {names[0]}"
    return "×".join(names)


def times(left: Dimension, right: Dimension) -> Dimension:
    """The dimension whose size is the product of two: the rows of a Kronecker product."""
    gathered: dict[tuple[str, ...], int] = {}
    for a, names in _polynomial(left):
        for b, others in _polynomial(right):
            key = tuple(sorted(names + others))
            gathered[key] = gathered.get(key, 0) + a * b
    return _dimension(gathered)


def plus(left: Dimension, right: Dimension) -> Dimension:
    """The dimension whose size is the sum of two."""
    gathered: dict[tuple[str, ...], int] = {}
    for coefficient, names in (*_polynomial(left), *_polynomial(right)):
        gathered[names] = gathered.get(names, 0) + coefficient
    return _dimension(gathered)


def over(product: Dimension, factor: Dimension) -> Dimension | None:
    """The dimension that times `factor` is `product`; None where there is none of whole size."""
    (coefficient, names), *more = _polynomial(product)
    (divisor, others), *rest = _polynomial(factor)
    left = list(names)
    for name in others:
        if name not in left:
            return None
        left.remove(name)
    if more or rest or coefficient % divisor:
        return None
    return _dimension({tuple(left): coefficient // divisor})


def _polynomial(dimension: Dimension) -> tuple[tuple[int, tuple[str, ...]], ...]:
    if dimension.fixed is not None:
        return ((dimension.fixed, ()),)
    return dimension.terms or ((1, (dimension.name,)),)


def _dimension(terms: Mapping[tuple[str, ...], int]) -> Dimension:
    """The dimension of a size: a whole number, a named one, or a polynomial in names."""
    if set(terms) <= {()}:
        return Dimension(str(terms.get((), 0)))
    if len(terms) == 1:
        ((names, coefficient),) = terms.items()
        if len(names) == coefficient == 1:
            return Dimension(names[0])
    ordered = sorted((names, c) for names, c in terms.items())
    texts = ("·".join(([str(c)] if c != 1 or not names else []) + list(names)) for names, c in ordered)
    return Dimension(" + ".join(texts), tuple((c, names) for names, c in ordered))
