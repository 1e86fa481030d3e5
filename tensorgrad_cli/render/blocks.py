"""Pieces of matrix notation and how they multiply: entry by entry, as matrices, as rows scaled by a diagonal."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Index
from tensorgrad_cli.render.linear import Glyphs

__all__ = ["ATOM", "FACTOR", "HADAMARD", "MATMUL", "SCALED", "TERM", "Block", "Blocks", "NoMatrixForm"]

# How tightly a block binds: terms, written products and fractions, scalars in front, matrix products, a
# factor, what takes a ᵀ.
TERM, HADAMARD, SCALED, MATMUL, FACTOR, ATOM = 0, 1, 2, 3, 4, 5


class NoMatrixForm(Exception):
    """The formula has no matrix form that we know."""


class Block(Struct, frozen=True):
    """A piece of matrix notation: its axes (none, one: a column, or two), and how tightly it binds.

    `turned` is its transpose, with its strength, where that has a spelling of its own. `under` is what a
    reciprocal divides by, `under_turned` the transpose of that, `diagonal` the matrix whose diagonal a column is,
    `bare` the name of a name alone, `unit` says that it is the unit matrix.
    """

    text: str
    axes: tuple[Index, ...]
    strength: int
    turned: tuple[str, int] | None = None
    under: str = ""
    under_turned: str = ""
    diagonal: str = ""
    bare: str = ""
    unit: bool = False

    def need(self, strength: int) -> str:
        """The text, in parentheses where it binds less than needed."""
        return self.text if self.strength >= strength else f"({self.text})"


class Blocks:
    """The products of blocks, in some glyphs. Methods raise `NoMatrixForm` where there is none."""

    def __init__(self, glyphs: Glyphs, taken: frozenset[str]) -> None:
        self.glyphs = glyphs
        self.taken = taken

    def word(self, word: str) -> str:
        """A word of ours, unless a declared name hides it."""
        if word in self.taken:
            raise NoMatrixForm
        return word

    def transposed(self, block: Block) -> Block:
        """The transpose; of a column the row, whose axis is the column's."""
        if block.under_turned:
            text, under = f"1 / {block.under_turned}", (block.under_turned, block.under)
            return Block(text, block.axes[::-1], HADAMARD, under=under[0], under_turned=under[1])
        text, strength = block.turned or (block.need(ATOM) + self.glyphs.transpose, ATOM)
        return Block(text, block.axes[::-1], strength, turned=(block.text, block.strength), unit=block.unit)

    def contracted(self, blocks: list[Block], summed: Sequence[Index]) -> Block | None:
        """The product of blocks summed over some indices, as one block; None of no blocks."""
        left = list(summed)
        blocks = self.merged(sorted(blocks, key=lambda block: bool(block.under)), left)
        while left:
            index = next((i for i in left if 0 < self.carriers(blocks, i) <= 2), None)
            if index is None:
                # Three carry it: one of them may be a column that scales the rows of another.
                blocks = self.scaled_by_one(blocks, left[0])
                continue
            left.remove(index)
            blocks = self.merged(self.eliminated(blocks, index, left), left)
        while sum(bool(block.axes) for block in blocks) > 1:
            blocks = self.joined(blocks)
        if len(blocks) > 1:
            blocks = [self.with_scalars(blocks)]
        return blocks[0] if blocks else None

    def carriers(self, blocks: Sequence[Block], index: Index) -> int:
        return sum(index in block.axes for block in blocks)

    # --- entry by entry

    def merged(self, blocks: Sequence[Block], summed: Sequence[Index]) -> list[Block]:
        """Blocks with the same axes multiplied entry by entry; not two columns with an inner product."""
        out: list[Block] = []
        for block in blocks:
            for k, other in enumerate(out):
                if block.axes and set(other.axes) == set(block.axes):
                    if self.is_inner(blocks, block, other, summed):
                        continue
                    out[k] = self.hadamard(other, block)
                    break
            else:
                out.append(block)
        return out

    def is_inner(self, blocks: Sequence[Block], a: Block, b: Block, summed: Sequence[Index]) -> bool:
        """Whether two columns, and nothing else, carry an index that is summed."""
        if len(a.axes) != 1 or a.axes[0] not in summed or a.under or b.under:
            return False
        return self.carriers(blocks, a.axes[0]) == 2

    def hadamard(self, left: Block, right: Block) -> Block:
        if left.under and not right.under:
            left, right = right, left
        if right.axes != left.axes:
            if right.under and not right.under_turned:
                raise NoMatrixForm
            right = self.transposed(right)
        if right.under:
            return Block(f"{left.need(HADAMARD)} / {right.under}", left.axes, HADAMARD)
        text = f"{left.need(HADAMARD)} {self.glyphs.hadamard} {right.need(SCALED)}"
        return Block(text, left.axes, HADAMARD)

    # --- sums

    def eliminated(self, blocks: Sequence[Block], index: Index, left: list[Index]) -> list[Block]:
        """One summed index gone: a matrix product of the two blocks that carry it, or a sum of one."""
        here = [block for block in blocks if index in block.axes]
        rest = [block for block in blocks if index not in block.axes]
        if len(here) == 2:
            return [*rest, self.multiplied(here[0], here[1], index)]
        (block,) = here
        others = [other for other in block.axes if other != index]
        if others and others[0] in left and not self.carriers(rest, others[0]):
            left.remove(others[0])
            return [*rest, Block(f"{self.word('sum')}({block.text})", (), ATOM)]
        if others:
            text = f"{self.word('sum')}({block.text}, axis={block.axes.index(index)})"
            return [*rest, Block(text, (others[0],), ATOM)]
        text = (
            f"{self.word('tr')}({block.diagonal})" if block.diagonal else f"{self.word('sum')}({block.text})"
        )
        return [*rest, Block(text, (), ATOM)]

    def multiplied(self, left: Block, right: Block, index: Index) -> Block:
        """Two blocks summed over an index that both carry, as a matrix product."""
        if len(left.axes) == len(right.axes) == 1:
            ways = [(left, right), (right, left)]
            products = [self.side_by_side(self.transposed(a), b, ()) for a, b in ways]
            return min(products, key=lambda product: len(product.text))
        if len(left.axes) == 1 or (len(right.axes) == 2 and left.axes[0] == index == right.axes[1]):
            left, right = right, left
        if left.axes[1] != index:
            left = self.transposed(left)
        if right.axes[0] != index:
            right = self.transposed(right)
        axes = (left.axes[0], *right.axes[1:])
        if left.unit or right.unit:
            kept = left if right.unit else right
            return Block(kept.text, axes, kept.strength, kept.turned, bare=kept.bare, unit=kept.unit)
        return self.side_by_side(left, right, axes)

    def side_by_side(self, left: Block, right: Block, axes: tuple[Index, ...]) -> Block:
        """A matrix product. Products of matrices, columns and rows are the same however they are grouped."""
        back = self.transposed(right), self.transposed(left)
        turned = (f"{back[0].need(MATMUL)} {back[1].need(MATMUL)}", MATMUL)
        return Block(f"{left.need(MATMUL)} {right.need(MATMUL)}", axes, MATMUL, turned if axes else None)

    # --- without sums

    def scaled_by_one(self, blocks: Sequence[Block], index: Index) -> list[Block]:
        """A column that carries the index taken into a matrix that does."""
        vector = next((b for b in blocks if b.axes == (index,)), None)
        matrix = next((b for b in blocks if len(b.axes) == 2 and index in b.axes), None)
        if vector is None or matrix is None:
            raise NoMatrixForm
        rest = [b for b in blocks if b is not vector and b is not matrix]
        return [*rest, self.scaled_rows(vector, matrix)]

    def joined(self, blocks: Sequence[Block]) -> list[Block]:
        """Two blocks made one: columns as an outer product, a column into a matrix with its axis."""
        vectors = [block for block in blocks if len(block.axes) == 1]
        matrices = [block for block in blocks if len(block.axes) == 2]
        if len(matrices) > 1 or not vectors:
            raise NoMatrixForm
        if matrices:
            return self.scaled_by_one(blocks, vectors[0].axes[0])
        if len(vectors) > 2:
            raise NoMatrixForm
        left, right = vectors
        outer = self.side_by_side(left, self.transposed(right), left.axes + right.axes)
        return [*(block for block in blocks if not block.axes), outer]

    def scaled_rows(self, vector: Block, matrix: Block) -> Block:
        """diag(v) A or A diag(v)."""
        text = f"{self.word('diag')}({vector.text})"
        if matrix.unit:
            return Block(text, matrix.axes, ATOM, (text, ATOM))
        diagonal = Block(text, vector.axes * 2, ATOM, (text, ATOM))
        if matrix.axes[0] == vector.axes[0]:
            return self.side_by_side(diagonal, matrix, matrix.axes)
        return self.side_by_side(matrix, diagonal, matrix.axes)

    def with_scalars(self, blocks: Sequence[Block]) -> Block:
        """Inner products and sums in front of what is left."""
        scalars = [block.need(FACTOR) for block in blocks if not block.axes]
        others = [block for block in blocks if block.axes]
        text = " ".join([*scalars, *(block.need(MATMUL) for block in others)])
        if not others or len(others[0].axes) < 2:
            return Block(text, others[0].axes if others else (), SCALED)
        turned = " ".join([*scalars, self.transposed(others[0]).need(MATMUL)])
        return Block(text, others[0].axes, SCALED, (turned, SCALED))
