"""Running plans: expressions and chains on arrays, at one point or at a whole batch of points at once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from tensorgrad_cli.algebra.expression import Chain, Expression, Index
from tensorgrad_cli.algebra.walking import needed, references
from tensorgrad_cli.numeric.abstract import AbstractFunction
from tensorgrad_cli.numeric.branches import Branch, recorded
from tensorgrad_cli.numeric.environment import Environment, TooLarge
from tensorgrad_cli.numeric.memory import allocated, at_most
from tensorgrad_cli.numeric.noise import Rounding
from tensorgrad_cli.numeric.plan import plan
from tensorgrad_cli.numeric.roundings import Roundings
from tensorgrad_cli.numeric.run import Run, run, shaken
from tensorgrad_cli.numeric.steps import Operation, Plan

__all__ = [
    "AbstractFunction",
    "Environment",
    "TooLarge",
    "chain_memory",
    "evaluate",
    "evaluate_chain",
    "evaluate_shaken",
    "inner_noise",
]

SHAKES = 4
# Rounding is uniform within half a last place, deviation 1/√12; moves by ±1, ±2, ±3 of them have √(14/3).
SHAKEN = math.sqrt(1 / 12) / math.sqrt(14 / 3)


def evaluate(
    expression: Expression,
    order: tuple[Index, ...],
    environment: Environment,
    xp: ModuleType = np,
    branches: list[Branch] | None = None,
) -> Any:
    """The values of a lowered expression, axes in the given order, behind the batch axis if anything it
    depends on has one. An index that the expression lacks is an axis along which the values are repeated.

    The dtype follows the arrays (integers count as float64). What is not finite is returned as such, and no
    warning leaks. The result may share memory with the environment: do not write to it. `branches` collects
    where piecewise functions branched. Raises TooLarge before anything is allocated, NotImplementedError for
    shifted and gathered positions.
    """
    made = plan(expression, order, environment.batched, branches is not None)
    with np.errstate(all="ignore"):
        return _run(made, Run(environment.arrays, environment, xp), "", branches)


def evaluate_chain(
    equations: Chain,
    environment: Environment,
    only: Iterable[str] | None = None,
    xp: ModuleType = np,
    branches: list[Branch] | None = None,
) -> Environment:
    """The environment with the arrays of the equations added: of all, or of `only` and what they need.

    Equations stand in an order in which each refers to earlier ones only. One whose array is there is
    computed again only if something that it reads has a batch axis and it has none itself: start from a chain
    evaluated at the centre, batch what is perturbed, and only the steps that depend on it are evaluated. A
    step that is itself given batched is cut free from its equation. Raises what `evaluate` raises.
    """
    wanted = equations if only is None else _needed(equations, frozenset(only))
    arrays = dict(environment.arrays)
    batched = environment.batched
    with np.errstate(all="ignore"):
        for equation in wanted:
            name = equation.tensor
            if name in arrays and (name in batched or batched.isdisjoint(references(equation.expression))):
                continue
            made = plan(equation.expression, equation.indices, batched, branches is not None)
            arrays[name] = _run(made, Run(arrays, environment, xp), name, branches)
            if made.batched:
                batched = batched | {name}
    return Environment(arrays, batched, environment.sizes, environment.functions, environment.memory)


def chain_memory(
    equations: Chain,
    environment: Environment,
    batch: int,
    only: Iterable[str] | None = None,
) -> int:
    """The bytes that `evaluate_chain` allocates at most for a batch of so many points, without running it:
    the arrays that stay, and the largest working set of one equation."""
    wanted = equations if only is None else _needed(equations, frozenset(only))
    there = set(environment.arrays)
    batched = environment.batched
    kept = most = 0
    for equation in wanted:
        name = equation.tensor
        if name in there and (name in batched or batched.isdisjoint(references(equation.expression))):
            continue
        made = plan(equation.expression, equation.indices, batched)
        peak, result = allocated(made, environment.sizes, batch)
        most = max(most, kept + peak)
        kept += result
        if made.batched:
            batched = batched | {name}
    return max(most, kept)


def evaluate_shaken(
    expression: Expression,
    order: tuple[Index, ...],
    environment: Environment,
    seed: int,
    copies: int,
    name: str = "",
) -> Any:
    """What `evaluate` gives where the batch is one point and `copies` less one of it: each copy but the first as if every
    intermediate result had been rounded otherwise. How far the copies part is a measure of the rounding."""
    made = plan(expression, order, environment.batched, shaken=True)
    work = Run(environment.arrays, environment, np)
    _fits(made, work, copies, name)
    with np.errstate(all="ignore"):
        return shaken(made, work, copies, Roundings(seed))


def inner_noise(
    equations: Chain, environment: Environment, name: str, moving: Iterable[str]
) -> tuple[Rounding, float]:
    """How far rounding inside the equations moves the array of `name` at the point, flattened, and the largest
    number met: only what depends on the names `moving` is rounded anew. The environment has the arrays
    of all names, none with a batch axis."""
    roundings = Roundings(20_240_501)
    copies = {
        by: np.broadcast_to(environment.arrays[by], (1 + SHAKES, *np.shape(environment.arrays[by])))
        for by in moving
    }
    now = environment.with_arrays(copies, copies)
    whole, sizes = True, [0.0]
    with np.errstate(all="ignore"):
        for equation in equations:
            made = plan(equation.expression, equation.indices, now.batched)
            whole = whole and not any(isinstance(step, Operation) for step in made.steps)
            array = shaken(made, Run(now.arrays, now, np), 1 + SHAKES, roundings, sizes)
            now = now.with_arrays({equation.tensor: array}, (equation.tensor,) if made.batched else ())
        array = np.asarray(now.arrays[name])
        if name not in now.batched:
            return Rounding(np.zeros(array.size), True), max(sizes)
        moved = array[1:] - array[0]
        spread = np.sqrt(np.mean(np.square(np.where(np.isfinite(moved), moved, 0.0)), axis=0))
        return Rounding(SHAKEN * spread.reshape(-1), whole), max(sizes)


@lru_cache(maxsize=1024)
def _needed(equations: Chain, names: frozenset[str]) -> Chain:
    return needed(equations, names)


def _run(made: Plan, work: Run, name: str, branches: list[Branch] | None) -> Any:
    batch = work.arrays[made.batched[0]].shape[0] if made.batched else 1
    _fits(made, work, batch, name)
    result, slots = run(made, work, batch)
    if branches is not None:
        branches.extend(recorded(made, slots, name))
    return result


def _fits(made: Plan, work: Run, batch: int, name: str) -> None:
    """Raise TooLarge where a plan takes more memory than is allowed."""
    environment, itemsize = work.environment, work.itemsize(made.names)
    if at_most(made, environment.sizes, batch, itemsize) <= environment.memory:
        return
    one, _ = allocated(made, environment.sizes, 1, itemsize)
    if 4 * one * batch <= environment.memory:
        return  # far below: a batch takes no more than so many points, whatever order its contractions take
    peak, _ = allocated(made, environment.sizes, batch, itemsize)
    if peak > environment.memory:
        raise TooLarge(peak, environment.memory, name)
