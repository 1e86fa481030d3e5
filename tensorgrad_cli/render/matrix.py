"""Index notation back to matrix notation, where a formula has one: `xᵀ z̄` for Σᵢ x[i,k] z̄[i,j].

Factors are merged entry by entry where they carry the same indices, and a summed index that two factors
share is a matrix product; what does not come out as a scalar, a column or a matrix has no matrix form.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from msgspec import Struct

from tensorgrad_cli.algebra.expression import (
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
)
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.render.ascii import GLYPHS as ASCII
from tensorgrad_cli.render.derivatives import spelled
from tensorgrad_cli.render.linear import Glyphs, Linear, primes
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.render.text import GLYPHS as TEXT

__all__ = ["equation", "matrix_of"]

TERM, HADAMARD, MATMUL, ATOM = 0, 1, 2, 3


class _Block(Struct, frozen=True):
    """A piece of matrix notation: its axes (none, one: a column, or two), and how tightly it binds."""

    text: str
    axes: tuple[Index, ...]
    strength: int


class _NoMatrixForm(Exception):
    """The formula has no matrix form that we know."""


def equation(value: Equation, naming: Naming, *, ascii: bool = False) -> str | None:
    """`∂cost/∂w = xᵀ (C'(y) ⊙ f'(z))`, or None where the equation has no matrix form."""
    glyphs = ASCII if ascii else TEXT
    if len(value.indices) > 2:
        return None
    right = matrix_of(value.expression, value.indices, naming, glyphs)
    if right is None:
        return None
    derivative = naming.derivatives.get(value.tensor)
    left = Linear(naming, glyphs, implied=True).name(value.tensor)
    if derivative is not None:
        if naming.ranks.get(derivative.numerator, 0) or len(derivative.denominators) > 1:
            return None
        left = _derivative(value.tensor, naming, glyphs)
    return f"{left} = {right}"


def matrix_of(expression: Expression, axes: Sequence[Index], naming: Naming, glyphs: Glyphs) -> str | None:
    """An expression with these axes in matrix notation; None where it has no such form."""
    try:
        return _Writer(naming, glyphs).whole(expression, tuple(axes)).text
    except _NoMatrixForm:
        return None


def _derivative(name: str, naming: Naming, glyphs: Glyphs) -> str:
    derivative = naming.derivatives[name]
    if derivative.numerator in naming.derivatives or derivative.numerator in naming.definitions:
        raise _NoMatrixForm
    linear = Linear(naming, glyphs, implied=True)
    top = linear.name(derivative.numerator)
    return spelled(linear, derivative, top, [linear.name(d) for d in derivative.denominators])


class _Writer:
    def __init__(self, naming: Naming, glyphs: Glyphs) -> None:
        self.naming = naming
        self.glyphs = glyphs
        self.linear = Linear(naming, glyphs, implied=True)

    def whole(self, e: Expression, axes: tuple[Index, ...]) -> _Block:
        """An expression as a block with exactly these axes."""
        block = self.block(e)
        if block.axes == axes:
            return block
        if len(axes) == 2 and block.axes == axes[::-1]:
            return self.transposed(block)
        raise _NoMatrixForm

    def block(self, e: Expression) -> _Block:
        match e:
            case Const(value):
                plain = value.denominator == 1 and value >= 0
                return _Block(str(value), (), ATOM if plain else TERM)
            case Ref():
                return self.entry(e)
            case Delta(left, right):
                if isinstance(left, Index) and isinstance(right, Index):
                    return _Block("I", (left, right), ATOM)
                raise _NoMatrixForm
            case Apply():
                return self.applied(e)
            case Op():
                return self.operated(e)
            case Product(factors):
                return self.product(factors, ())
            case Sum(indices, body):
                size = None
                if size is not None:
                    return _Block(size, (), ATOM)
                return self.product(body.factors if isinstance(body, Product) else (body,), indices)
            case Add(terms):
                return self.terms(terms)

    def entry(self, e: Ref) -> _Block:
        indices = tuple(i for i in e.indices if isinstance(i, Index))
        if len(indices) != len(e.indices) or len(set(indices)) != len(indices) or len(indices) > 2:
            raise _NoMatrixForm
        derivative = self.naming.derivatives.get(e.tensor)
        if e.tensor in self.naming.definitions or e.tensor == "#":
            raise _NoMatrixForm
        if derivative is not None:
            if self.naming.ranks.get(derivative.numerator, 0) or len(derivative.denominators) > 1:
                raise _NoMatrixForm
            return _Block(_derivative(e.tensor, self.naming, self.glyphs), indices, ATOM)
        return _Block(self.linear.name(e.tensor), indices, ATOM)

    def applied(self, e: Apply) -> _Block:
        if e.function == "pow" and not any(e.order):
            base, exponent = e.arguments
            if not isinstance(exponent, Const):
                raise _NoMatrixForm
            block = self.block(base)
            if block.axes and exponent.value < 0:
                raise _NoMatrixForm
            raised = "**" if block.axes else "^"
            number = str(exponent.value)
            number = number if number.isdigit() else f"({number})"
            if not block.axes or len(block.axes) == 1:
                text = self.need(block, ATOM) + self.linear.exponent(str(exponent.value))
                return _Block(text, block.axes, ATOM)
            return _Block(f"{self.need(block, ATOM)}{raised}{number}", block.axes, ATOM)
        if e.function == "pi":
            return _Block(self.glyphs.pi, (), ATOM)
        if not e.function.isidentifier():
            raise _NoMatrixForm
        blocks = [self.block(argument) for argument in e.arguments]
        axes = max((b.axes for b in blocks), key=len)
        for block in blocks:
            if block.axes not in (axes, ()):
                raise _NoMatrixForm
        inside = ", ".join(block.text for block in blocks)
        return _Block(f"{self.linear.name(e.function)}{primes(e.order)}({inside})", axes, ATOM)

    def operated(self, e: Op) -> _Block:
        row = OPERATIONS.get(e.operation)
        if row is None or len(e.arguments) != 1:
            raise _NoMatrixForm
        if e.operation in ("inv", "det", "logdet") and all(isinstance(p, Index) for p in e.out):
            inner = self.whole(e.arguments[0], e.bound)
            out = tuple(p for p in e.out if isinstance(p, Index))
            if e.operation == "inv":
                return _Block(f"{e.operation}({inner.text})", out, ATOM)
            return _Block(f"{e.operation}({inner.text})", (), ATOM)
        if e.parameters:
            raise _NoMatrixForm
        inner = self.block(e.arguments[0])
        if not e.out and set(inner.axes) == set(e.bound):
            return _Block(f"{e.operation}({inner.text})", (), ATOM)
        if len(e.bound) != 1 or e.bound[0] not in inner.axes:
            raise _NoMatrixForm
        axis = inner.axes.index(e.bound[0])
        if not e.out:
            rest = tuple(i for i in inner.axes if i != e.bound[0])
            return _Block(f"{e.operation}({inner.text}, axis={axis})", rest, ATOM)
        (place,) = e.out
        if not isinstance(place, Index):
            raise _NoMatrixForm
        axes = tuple(place if i == e.bound[0] else i for i in inner.axes)
        where = "" if len(axes) == 1 else f", axis={axis}"
        return _Block(f"{e.operation}({inner.text}{where})", axes, ATOM)

    def terms(self, terms: Sequence[Expression]) -> _Block:
        blocks = [self.block(term) for term in terms]
        axes = max((b.axes for b in blocks), key=len)
        out = ""
        for k, block in enumerate(blocks):
            if block.axes != axes:
                if len(axes) == 2 and block.axes == axes[::-1]:
                    block = self.transposed(block)
                else:
                    raise _NoMatrixForm
            text = block.text
            if k == 0:
                out = text
            elif text.startswith("-"):
                out += " - " + text[1:]
            else:
                out += " + " + text
        return _Block(out, axes, TERM)

    def need(self, block: _Block, strength: int) -> str:
        return block.text if block.strength >= strength else f"({block.text})"

    def transposed(self, block: _Block) -> _Block:
        sign = self.glyphs.transpose
        if block.text.endswith(sign) and block.strength == ATOM:
            return _Block(block.text.removesuffix(sign), block.axes[::-1], ATOM)
        return _Block(self.need(block, ATOM) + sign, block.axes[::-1], ATOM)

    # --- products

    def product(self, factors: Sequence[Expression], summed: Sequence[Index]) -> _Block:
        coefficient = Fraction(1)
        scalars: list[str] = []
        below: list[str] = []
        blocks: list[_Block] = []
        for factor in factors:
            match factor:
                case Const(value):
                    coefficient *= value
                    continue
                case Apply("pow", (0, 0), (base, Const(value))) if value < 0 and not base.free:
                    block = self.block(base)
                    text = self.need(block, ATOM)
                    below.append(text if value == -1 else text + self.linear.exponent(str(-value)))
                    continue
            block = self.block(factor)
            if block.axes:
                blocks.append(block)
            else:
                scalars.append(self.need(block, MATMUL))
        body = self.contracted(blocks, list(summed))
        return self.scaled(coefficient, scalars, below, body)

    def scaled(
        self,
        coefficient: Fraction,
        scalars: list[str],
        below: list[str],
        body: _Block | None,
    ) -> _Block:
        sign = "-" if coefficient < 0 else ""
        coefficient = abs(coefficient)
        parts = list(scalars)
        if coefficient.denominator != 1:
            below = [str(coefficient.denominator), *below]
        if coefficient.numerator != 1 or (body is None and not parts):
            parts.insert(0, str(coefficient.numerator))
        if body is not None:
            if not parts and not below and not sign:
                return body
            parts.append(self.need(body, MATMUL))
        axes = body.axes if body is not None else ()
        text = " ".join(parts)
        strength = MATMUL if len(parts) > 1 else ATOM
        if below:
            text = f"{text} / {below[0] if len(below) == 1 else '(' + ' '.join(below) + ')'}"
            strength = HADAMARD
        return _Block(sign + text, axes, TERM if sign else strength)

    def contracted(self, blocks: list[_Block], summed: list[Index]) -> _Block | None:
        """Merge until one block is left. A summed index goes when at most two blocks carry it."""
        if not blocks:
            if summed:
                raise _NoMatrixForm
            return None
        while True:
            blocks = self.merged(blocks)
            index = next((i for i in summed if self.carriers(blocks, i) <= 2), None)
            if index is None:
                break
            summed.remove(index)
            blocks = self.eliminated(blocks, index)
        if summed:
            raise _NoMatrixForm
        return self.joined(blocks)

    def carriers(self, blocks: Sequence[_Block], index: Index) -> int:
        return sum(index in b.axes for b in blocks)

    def merged(self, blocks: list[_Block]) -> list[_Block]:
        """Blocks with the same axes multiplied entry by entry."""
        out: list[_Block] = []
        for block in blocks:
            for k, other in enumerate(out):
                if set(other.axes) == set(block.axes):
                    if other.axes != block.axes:
                        block = self.transposed(block)
                    text = f"{self.need(other, HADAMARD)} {self.glyphs.hadamard} {self.need(block, MATMUL)}"
                    out[k] = _Block(text, other.axes, HADAMARD)
                    break
            else:
                out.append(block)
        return out

    def eliminated(self, blocks: list[_Block], index: Index) -> list[_Block]:
        """One summed index gone: a matrix product of the two blocks that carry it, or a sum of one."""
        here = [b for b in blocks if index in b.axes]
        rest = [b for b in blocks if index not in b.axes]
        if not here:
            raise _NoMatrixForm
        if len(here) == 1:
            return [*rest, self.summed_over(here[0], index)]
        left, right = here
        return [*rest, self.multiplied(left, right, index)]

    def summed_over(self, block: _Block, index: Index) -> _Block:
        if len(block.axes) == 1:
            return _Block(f"sum({block.text})", (), ATOM)
        axis = block.axes.index(index)
        other = block.axes[1 - axis]
        return _Block(f"sum({block.text}, axis={axis})", (other,), ATOM)

    def multiplied(self, left: _Block, right: _Block, index: Index) -> _Block:
        """left and right summed over an index that both carry, as a matrix product."""
        if len(left.axes) == 1 and len(right.axes) == 1:
            first = self.need(self.transposed(_Block(left.text, left.axes, left.strength)), MATMUL)
            return _Block(f"{first} {self.need(right, ATOM)}", (), MATMUL)
        if len(left.axes) == 1:
            left, right = right, left
        if left.axes[1] != index and (len(right.axes) == 1 or right.axes[0] == index):
            left = self.transposed(left)
        elif left.axes[1] != index:
            left, right = right, left
        if len(left.axes) == 2 and left.axes[1] != index:
            left = self.transposed(left)
        if right.axes[0] != index:
            right = self.transposed(right)
        text = f"{self.need(left, MATMUL)} {self.need(right, ATOM if right.strength != MATMUL else MATMUL)}"
        return _Block(text, (left.axes[0], *right.axes[1:]), MATMUL)

    def joined(self, blocks: list[_Block]) -> _Block:
        """What is left without sums: one block, scalars in front, or two columns as an outer product."""
        scalars = [b for b in blocks if not b.axes]
        others = [b for b in blocks if b.axes]
        if len(others) == 2 and all(len(b.axes) == 1 for b in others):
            left, right = others
            turned = self.transposed(right)
            text = f"{self.need(left, MATMUL)} {self.need(turned, ATOM)}"
            others = [_Block(text, left.axes + right.axes, MATMUL)]
        elif len(others) == 2:
            others = [self.scaled_rows(others)]
        if len(others) > 1:
            raise _NoMatrixForm
        parts = [self.need(b, MATMUL) for b in (*scalars, *others)]
        if len(parts) == 1:
            return (scalars + others)[0]
        return _Block(" ".join(parts), others[0].axes if others else (), MATMUL)

    def scaled_rows(self, blocks: Sequence[_Block]) -> _Block:
        """A matrix and a column that carries one of its axes: diag(v) A or A diag(v)."""
        vector, matrix = sorted(blocks, key=lambda b: len(b.axes))
        if len(vector.axes) != 1 or vector.axes[0] not in matrix.axes:
            raise _NoMatrixForm
        diagonal = f"diag({vector.text})"
        if matrix.axes[0] == vector.axes[0]:
            return _Block(f"{diagonal} {self.need(matrix, MATMUL)}", matrix.axes, MATMUL)
        return _Block(f"{self.need(matrix, MATMUL)} {diagonal}", matrix.axes, MATMUL)
