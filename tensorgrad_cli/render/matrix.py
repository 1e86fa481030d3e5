"""Index notation back to matrix notation, where a formula has one: `xᵀ z̄` for Σᵢ x[i,k] z̄[i,j].

Factors are merged entry by entry where they carry the same indices, and a summed index that two factors
share is a matrix product; what does not come out as a scalar, a column or a matrix has no matrix form.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import assert_never

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
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.operations import OPERATIONS, is_on_matrices
from tensorgrad_cli.algebra.scalars import is_size
from tensorgrad_cli.render.ascii import GLYPHS as ASCII
from tensorgrad_cli.render.blocks import (
    ATOM,
    FACTOR,
    HADAMARD,
    MATMUL,
    SCALED,
    TERM,
    Block,
    Blocks,
    NoMatrixForm,
)
from tensorgrad_cli.render.derivatives import spelled
from tensorgrad_cli.render.linear import Glyphs, Linear, by_signs, is_hidden, primes, unhidden
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.render.pieces import ATOM as PIECE_ATOM
from tensorgrad_cli.render.pieces import Piece
from tensorgrad_cli.render.products import like_derivative
from tensorgrad_cli.render.sized import matrix_of_shape
from tensorgrad_cli.render.terms import factors_of, ordered
from tensorgrad_cli.render.text import GLYPHS as TEXT
from tensorgrad_cli.render.told import unpinned

__all__ = ["argument_of", "equation", "matrix_of"]


def equation(value: Equation, naming: Naming, *, ascii: bool = False) -> str | None:
    """`∂cost/∂w = xᵀ (C'(y) ⊙ f'(z))`, or None where the equation has no matrix form."""
    writer = _Writer(naming, ASCII if ascii else TEXT)
    if len(value.indices) > 2:
        return None
    try:
        left = writer.reference(value.tensor, value.indices)
        if isinstance(value.expression, Const):
            return f"{left.text} = {value.expression.value}"
        return f"{left.text} = {writer.whole(value.expression, left.axes).text}"
    except NoMatrixForm:
        return None


def matrix_of(expression: Expression, axes: Sequence[Index], naming: Naming, glyphs: Glyphs) -> str | None:
    """An expression with these axes in matrix notation; None where it has no such form."""
    try:
        return _Writer(naming, glyphs).whole(expression, tuple(axes)).text
    except NoMatrixForm:
        return None


def argument_of(expression: Expression, axes: Sequence[Index], naming: Naming, glyphs: Glyphs) -> str | None:
    """The same of an argument of an operation on matrices, which has to say how large it is."""
    try:
        return _Writer(naming, glyphs).argument(expression, tuple(axes)).text
    except NoMatrixForm:
        return None


class _Writer:
    def __init__(self, naming: Naming, glyphs: Glyphs) -> None:
        self.naming = naming
        self.glyphs = glyphs
        self.linear = Linear(naming, glyphs, implied=True)
        self.blocks = Blocks(glyphs, naming.taken)
        # By identity, what stands in several places; each expression is kept, so that its id stays taken.
        self._known: dict[int, tuple[Expression, Block]] = {}

    def whole(self, e: Expression, axes: tuple[Index, ...]) -> Block:
        """An expression as a block with exactly these axes."""
        block = self.block(e)
        if block.axes == axes:
            return block
        if len(axes) == 2 and block.axes == axes[::-1]:
            return self.blocks.transposed(block)
        raise NoMatrixForm

    def argument(self, e: Expression, axes: tuple[Index, ...]) -> Block:
        """An argument of an operation on matrices, which has to say how large it is."""
        if len(axes) != 2 or not unpinned(axes, e, frozenset()):
            return self.whole(e, axes)
        block, glyphs = self.block(e), self.glyphs
        rows, columns = (axis.dimension for axis in axes)
        sized = matrix_of_shape(rows, columns, self.naming, self.linear.name, glyphs.transpose)
        if sized is None:
            return self.whole(e, axes)
        text = block.text
        if len(block.axes) == 1:
            ones = self.blocks.word("ones")
            if block.axes == axes[:1]:
                text = f"{block.need(MATMUL)} {ones}{glyphs.transpose}"
            else:
                text = f"{ones} {block.need(ATOM)}{glyphs.transpose}"
        elif block.axes:
            text = self.whole(e, axes).text
        return Block(f"{text} + 0 {sized}", axes, TERM)

    def block(self, e: Expression) -> Block:
        """An expression as a block, with the axes that it has."""
        known = self._known.get(id(e))
        if known is None:
            known = self._known[id(e)] = (e, self._block(e))
        return known[1]

    def _block(self, e: Expression) -> Block:
        match e:
            case Const(value):
                plain = value.denominator == 1 and value >= 0
                return Block(str(value), (), ATOM if plain else TERM)
            case Ref(tensor, places):
                indices = tuple(place for place in places if isinstance(place, Index))
                if len(indices) != len(places) or len(places) > 2 or tensor == RANGE:
                    raise NoMatrixForm
                return self.reference(tensor, indices)
            case Delta(Index() as left, Index() as right) if "I" not in self.naming.taken:
                return Block("I", (left, right), ATOM, ("I", ATOM), unit=True)
            case Delta():
                raise NoMatrixForm
            case Apply():
                return self.applied(e)
            case Op():
                return self.operated(e)
            case Product(factors):
                return self.product(factors, ())
            case Sum(indices, body):
                return self.size(e) if is_size(e) else self.product(factors_of(body), indices)
            case Add(terms):
                return self.terms(terms)
            case _:
                assert_never(e)

    def size(self, e: Sum) -> Block:
        piece = self.linear.size(e.indices[0].dimension, {})
        if piece.strength != PIECE_ATOM:
            raise NoMatrixForm
        return Block(piece.text, (), ATOM, bare=piece.bare)

    def reference(self, tensor: str, indices: tuple[Index, ...]) -> Block:
        """A tensor as a whole, the diagonal of one, or the derivative of a scalar by one."""
        derivatives, ranks = self.naming.derivatives, self.naming.ranks
        if tensor in self.naming.definitions:
            raise NoMatrixForm
        d = derivatives.get(tensor)
        if d is None:
            text, strength, bare = self.linear.name(tensor), ATOM, tensor
        else:
            top, under = ranks.get(d.numerator, 0), sum(ranks.get(name, 0) for name in d.denominators)
            nested = d.numerator in derivatives or d.numerator in self.naming.definitions
            if nested or len(d.denominators) > 1 or (top and under and len(indices) > 2):
                raise NoMatrixForm
            below = [self.linear.name(name) for name in d.denominators]
            text = spelled(self.linear, d, self.linear.name(d.numerator), below)
            strength, bare = FACTOR, ""
            if top and under and self.naming.layout == "denominator":
                indices = indices[::-1]
        if len(set(indices)) == 1 and len(indices) == 2:
            return Block(f"{self.blocks.word('diag')}({text})", indices[:1], ATOM, diagonal=text)
        return Block(text, indices, strength, bare=bare if not indices else "")

    # --- functions and operations

    def applied(self, e: Apply) -> Block:
        if e.function == "pow" and not any(e.order):
            base, exponent = e.arguments
            if not isinstance(exponent, Const):
                return self.called(e)
            block = self.block(base)
            if exponent.value < 0:
                return self.reciprocal(block, -exponent.value)
            return self.raised(block, exponent.value)
        if e.function == "pi":
            piece = self.linear.pi()
            return Block(piece.text, (), ATOM, bare=piece.bare)
        if e.function in ("=", "!="):
            return self.block(by_signs(e))
        if e.function in ("<", "<="):
            raise NoMatrixForm
        if e.function in self.naming.taken and e.order == (0,):
            e = unhidden(e, self.naming.taken)
        return self.called(e)

    def called(self, e: Apply) -> Block:
        """A function entry by entry, its arguments as they lie."""
        self.blocks.word(e.function)
        blocks = [self.block(argument) for argument in e.arguments]
        axes = max((block.axes for block in blocks), key=len)
        for k, block in enumerate(blocks):
            if len(axes) == 2 and block.axes == axes[::-1]:
                blocks[k] = self.blocks.transposed(block)
            elif block.axes not in (axes, ()):
                raise NoMatrixForm
        inside = ", ".join(block.text for block in blocks)
        return Block(f"{self.linear.name(e.function)}{primes(e.order)}({inside})", axes, ATOM)

    def raised(self, block: Block, exponent: Fraction) -> Block:
        """A power entry by entry: `x²`, and `A**2` of a matrix, whose square is another one."""
        if exponent == 1:
            return block
        text = self.linear.exponent(exponent)
        if len(block.axes) == 2:
            number = str(exponent)
            text = f"**{number}" if number.isdigit() else f"**({number})"
        return Block(block.need(ATOM) + text, block.axes, FACTOR)

    def reciprocal(self, block: Block, exponent: Fraction) -> Block:
        raised = self.raised(block, exponent)
        under = raised.need(FACTOR)
        turned = self.blocks.transposed(raised).need(FACTOR) if len(block.axes) == 2 else ""
        return Block(f"1 / {under}", block.axes, HADAMARD, under=under, under_turned=turned)

    def operated(self, e: Op) -> Block:
        out = tuple(place for place in e.out if isinstance(place, Index))
        if e.operation not in OPERATIONS or len(set(out)) != len(e.out) or is_hidden(e, self.naming.taken):
            raise NoMatrixForm
        if is_on_matrices(e.operation):
            return self.on_matrices(e, out)
        if e.parameters:
            raise NoMatrixForm
        (bound,) = e.bound
        inner = self.block(e.arguments[0])
        rest = tuple(index for index in inner.axes if index != bound)
        if len(rest) == len(inner.axes) or rest == out:
            raise NoMatrixForm
        where = f", axis={inner.axes.index(bound)}" if rest else ""
        text = f"{e.operation}({inner.text}{where})"
        if not out:
            return Block(text, rest, ATOM)
        return Block(text, tuple(out[0] if index == bound else index for index in inner.axes), ATOM)

    def on_matrices(self, e: Op, out: tuple[Index, ...]) -> Block:
        at, texts = 0, []
        for argument, letters in zip(e.arguments, OPERATIONS[e.operation].inputs, strict=True):
            texts.append(self.argument(argument, e.bound[at : at + len(letters)]))
            at += len(letters)
        hidden = "inv" in self.naming.taken
        if e.operation == "inv" and (hidden or (texts[0].strength == ATOM and texts[0].text.isidentifier())):
            raised = ("^-1", "^-T") if self.glyphs.ascii else ("⁻¹", "⁻ᵀ")
            inverse, turned = (texts[0].need(ATOM) + sign for sign in raised)
            return Block(inverse, out, FACTOR, (turned, FACTOR))
        return Block(f"{e.operation}({', '.join(block.text for block in texts)})", out, ATOM)

    # --- sums and products

    def terms(self, terms: Sequence[Expression]) -> Block:
        blocks = [self.block(term) for term in ordered(terms)]
        axes = max((block.axes for block in blocks), key=len)
        out = ""
        for block in blocks:
            if len(axes) == 2 and block.axes == axes[::-1]:
                block = self.blocks.transposed(block)
            elif block.axes not in (axes, ()):
                raise NoMatrixForm
            negative = block.text.startswith("-")
            sign = " - " if negative else " + "
            out = out + sign + block.text[negative:] if out else block.text
        return Block(out, axes, TERM)

    def product(self, factors: Sequence[Expression], summed: Sequence[Index]) -> Block:
        """A product, its numbers and scalars in front, scalar divisors behind a bar."""
        coefficient = Fraction(1)
        scalars: list[Block] = []
        below: list[str] = []
        blocks: list[Block] = []
        for factor in factors:
            if isinstance(factor, Const):
                coefficient *= factor.value
                continue
            block = self.block(factor)
            if block.axes:
                blocks.append(block)
            elif block.under:
                below.append(block.under)
            else:
                scalars.append(block)
        body = self.blocks.contracted(blocks, summed)
        if body is None and summed:
            raise NoMatrixForm
        return self.scaled(coefficient, scalars, below, body)

    def scaled(
        self, coefficient: Fraction, scalars: Sequence[Block], below: Sequence[str], body: Block | None
    ) -> Block:
        sign, coefficient = "-" if coefficient < 0 else "", abs(coefficient)
        under = [str(coefficient.denominator)] * (coefficient.denominator != 1) + list(below)
        if body is not None and not scalars and coefficient == 1 and not under:
            return self.negated(body) if sign else body
        parts = list(scalars)
        over = coefficient.numerator
        if over != 1 or (not parts and (body is None or bool(body.under))):
            parts.insert(0, Block(str(over), (), ATOM))
        if body is not None and body.under:
            if under:
                raise NoMatrixForm
            text = f"{sign}{self.in_a_row(parts)} / {body.under}"
            return Block(text, body.axes, TERM if sign else HADAMARD)
        text, strength = self.over(parts, body, under)
        strength = TERM if sign else strength
        axes = body.axes if body is not None else ()
        if body is None or len(axes) < 2:
            return Block(sign + text, axes, strength)
        turned = self.over(parts, self.blocks.transposed(body), under)[0]
        return Block(sign + text, axes, strength, (sign + turned, strength))

    def negated(self, block: Block) -> Block:
        turned = self.blocks.transposed(block) if len(block.axes) == 2 else None
        back = None if turned is None else (f"-{turned.need(HADAMARD)}", TERM)
        return Block(f"-{block.need(HADAMARD)}", block.axes, TERM, back)

    def over(self, scalars: Sequence[Block], body: Block | None, under: Sequence[str]) -> tuple[str, int]:
        """Scalars, then the body, over the divisors."""
        parts = list(scalars)
        if body is not None:
            parts.append(Block(body.need(MATMUL), body.axes, FACTOR, bare=body.bare))
        text = self.in_a_row(parts)
        if not under:
            return text, parts[0].strength if len(parts) == 1 else SCALED
        divisor = under[0] if len(under) == 1 else f"({' '.join(under)})"
        return f"{text} / {f'({divisor})' if like_derivative(text, divisor) else divisor}", HADAMARD

    def in_a_row(self, parts: Sequence[Block]) -> str:
        """Factors side by side; a sign between them where they would run together."""
        text, before = "", None
        for part in parts:
            shown = part.need(FACTOR)
            if before is None:
                text = part.need(SCALED)
            elif shown[0].isdigit():
                text += f" ({shown})"
            elif shown[0] == "(" and self.linear.called(Piece(before.text, PIECE_ATOM, bare=before.bare)):
                text += f" * {shown}"
            else:
                text += f" {shown}"
            before = part
        return text
