"""Where piecewise functions branched: recorded at every point evaluated, compared between points.

A finite difference across a kink says nothing of the derivative at the centre, so a step whose branches
differ from the centre's is not used; a tie at the centre is a kink.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct

from tensorgrad_cli.numeric.steps import BATCH, Plan

__all__ = ["Branch", "recorded", "ties"]


class Branch(Struct, frozen=True, eq=False):
    """The branches that one function takes in the evaluation of one step.

    `number` tells the functions of a step apart. `codes` is an integer for each entry, a sign or the number
    of a branch, with the batch axis in front if `batched`; `tie` is where two branches meet exactly. Entries
    are those of the free indices of the function's argument, in the same order in every evaluation.
    """

    step: str
    number: int
    function: str
    codes: Any
    tie: Any
    batched: bool


def recorded(plan: Plan, slots: Sequence[Any], step: str) -> Iterable[Branch]:
    """The branches of a plan that was run."""
    for number, watch in enumerate(plan.watches):
        value = np.asarray(slots[watch.slot]).transpose(watch.permutation).real
        batched = BATCH in plan.axes[watch.slot]
        if not watch.numbered:
            codes = np.sign(value)
            yield Branch(step, number, watch.function, codes, codes == 0, batched)
            continue
        tie: Any = np.False_
        if watch.margin is not None:
            tie = np.asarray(slots[watch.margin]).transpose(watch.permutation).real == 0
        yield Branch(step, number, watch.function, value, tie, batched)


def ties(branches: Iterable[Branch]) -> tuple[tuple[Branch, tuple[int, ...]], ...]:
    """The exact ties of an unbatched evaluation, each with its first entry."""
    found = []
    for branch in branches:
        if np.any(branch.tie):
            entry = np.unravel_index(int(np.argmax(branch.tie)), branch.tie.shape)
            found.append((branch, tuple(int(place) for place in entry)))
    return tuple(found)
