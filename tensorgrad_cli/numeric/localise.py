"""Which entries of a large claimed gradient are wrong: halve the blocks of inputs that disagree.

Along a random direction that is zero outside a block, claim and truth disagree if the block holds an error
above the bars. All live blocks of a level are tested in one batched call; w wrong entries of n cost about 2 w
log₂ n directions. Where most blocks disagree the error is everywhere and the search ends as dense.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.numeric import difference, projection
from tensorgrad_cli.numeric.probe import MAX_MEMORY, Array, Function, scales

__all__ = ["Localised", "halve", "localise"]

DENSE = 0.5
# Fewer blocks than this say nothing about density.
ENOUGH = 16


class Localised(Struct, frozen=True):
    """The wrong entries found, as blocks [start, stop) of inputs (single entries unless the bars forbade it).

    dense: most of the blocks of a level disagreed; the blocks are then those of that level.
    """

    blocks: tuple[tuple[int, int], ...]
    dense: bool
    evaluations: int

    @property
    def entries(self) -> tuple[int, ...]:
        """The single entries among the blocks."""
        return tuple(start for start, stop in self.blocks if stop - start == 1)


def halve(
    disagree: Callable[[Array], NDArray[np.bool_]],
    scale: Array,
    *,
    max_memory: int = MAX_MEMORY,
    seed: int = 0,
) -> tuple[tuple[tuple[int, int], ...], bool]:
    """The smallest blocks that disagree, and whether the search ended as dense.

    `disagree` maps directions [k, n] to booleans [k]. A block whose halves both agree though it does not (its
    error is seen only as a sum) is itself a result.
    """
    live, found = [(0, scale.size)], []
    rows_per_call = max(1, max_memory // (16 * 8 * scale.size))
    level = 0
    while live:
        halves = [half for block in live for half in split(block)]
        wrong: list[bool] = []
        for start in range(0, len(halves), rows_per_call):
            part = halves[start : start + rows_per_call]
            wrong += disagree(block_directions(part, scale, seed + level + start)).tolist()
        level += 1
        failing = [block for block, is_wrong in zip(halves, wrong, strict=True) if is_wrong]
        if 2**level >= ENOUGH and len(failing) > DENSE * min(2**level, scale.size) and scale.size > ENOUGH:
            return tuple(failing), True
        seen = set(failing)
        if level > 1:
            found += [block for block in live if not seen.intersection(split(block))]
        found += [block for block in failing if block[1] - block[0] == 1]
        live = [block for block in failing if block[1] - block[0] > 1]
    return tuple(sorted(found)), False


def split(block: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The two halves of a block, the block itself where it is one entry."""
    start, stop = block
    if stop - start == 1:
        return (block,)
    middle = (start + stop + 1) // 2
    return (start, middle), (middle, stop)


def block_directions(blocks: list[tuple[int, int]], scale: Array, seed: int) -> Array:
    """Gaussian directions [len(blocks), n], each zero outside its block."""
    rows = np.zeros((len(blocks), scale.size))
    for number, (start, stop) in enumerate(blocks):
        # A Gaussian near zero would hide a single wrong entry; magnitudes within a block of one do not matter.
        part = projection.directions(scale[start:stop], 1, seed=seed * 1_000_003 + number)[0]
        rows[number, start:stop] = scale[start:stop] if stop - start == 1 else part
    return rows


def localise(
    f: Function,
    x: Array,
    claim: Array,
    claim_bar: Array | float = 0.0,
    *,
    scale: Array | None = None,
    noise: Array | None = None,
    point_bytes: int | None = None,
    max_memory: int = MAX_MEMORY,
    seed: int = 0,
) -> Localised:
    """Where a claimed Jacobian [n, m] of f (as of `difference.jacobian`) is wrong.

    `noise` [m] is that of an earlier `Differences` at x; without it one is measured.
    """
    x = np.ascontiguousarray(x, dtype=float).reshape(-1)
    scale = scales(x) if scale is None else scale
    evaluations = 0

    def disagree(rows: Array) -> NDArray[np.bool_]:
        nonlocal evaluations, noise
        truth = difference.directional(
            f, x, rows, scale=scale, noise=noise, point_bytes=point_bytes, max_memory=max_memory, seed=seed
        )
        evaluations += truth.evaluations
        noise = truth.noise
        values, bars = projection.product(rows, claim, claim_bar)
        wrong: NDArray[np.bool_] = np.any(np.abs(values - truth.values) > bars + truth.bars, axis=1)
        return wrong

    blocks, dense = halve(disagree, scale, max_memory=max_memory, seed=seed)
    return Localised(blocks, dense, evaluations)
