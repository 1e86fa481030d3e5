"""How much memory a plan takes, known from the sizes alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import assert_never

from tensorgrad_cli.algebra.expression import Index
from tensorgrad_cli.numeric.contract import contractor
from tensorgrad_cli.numeric.steps import (
    BATCH,
    TEMPORARIES,
    Accumulation,
    Arange,
    Contraction,
    Elementwise,
    Number,
    Operation,
    Plan,
    Power,
    Spread,
    View,
)

__all__ = ["allocated", "at_most"]


def allocated(plan: Plan, sizes: Mapping[str, int], batch: int, itemsize: int = 8) -> tuple[int, int]:
    """The bytes alive at most while a plan runs, its inputs not counted, and those of its result."""
    peak, result = _entries(plan, tuple([sizes[name] for name in plan.dimensions]), batch)
    return peak * itemsize, result * itemsize


def at_most(plan: Plan, sizes: Mapping[str, int], batch: int, itemsize: int = 8) -> int:
    """A number of bytes that a plan does not exceed, known without a look at its steps."""
    largest = math.prod([dimension.size(sizes) for dimension in plan.widest])
    return plan.arrays * largest * batch * itemsize


@lru_cache(maxsize=8192)
def _entries(plan: Plan, values: tuple[int, ...], batch: int) -> tuple[int, int]:
    sizes = dict(zip(plan.dimensions, values, strict=True))

    def size(index: Index) -> int:
        return batch if index == BATCH else index.dimension.size(sizes)

    def product(axes: tuple[Index, ...]) -> int:
        return math.prod(map(size, axes))

    held: dict[int, int] = {}
    alive = peak = 0
    for slot, (step, axes, drops) in enumerate(zip(plan.steps, plan.axes, plan.drops, strict=True)):
        result = extra = 0
        match step:
            case View() | Number():
                pass
            case Contraction():
                result = product(axes)
                if len(step.operands) > 1:
                    shapes = tuple(tuple(map(size, plan.axes[k])) for k in step.operands)
                    extra = max(0, contractor(step.subscripts, shapes).entries - result)
            case Elementwise():
                result = product(axes)
                extra = max([result, *(product(plan.axes[k]) for k in step.arguments)]) * TEMPORARIES
            case Operation():
                result = product(axes)
                # What an argument is repeated along takes time, and where axes are flattened memory.
                repeated = [
                    math.prod([dimension.size(sizes) for dimension, lacks in bound if lacks])
                    for bound in step.bound
                ]
                taken = [product(plan.axes[k]) * n for k, n in zip(step.arguments, repeated, strict=True)]
                extra = max(result, *taken) * TEMPORARIES
            case Power() | Accumulation() | Arange() | Spread():
                result = product(axes)
            case _:
                assert_never(step)
        alive += result
        peak = max(peak, alive + extra)
        held[slot] = result
        for dropped in drops:
            alive -= held.pop(dropped, 0)
    return peak, product(plan.axes[plan.result])
