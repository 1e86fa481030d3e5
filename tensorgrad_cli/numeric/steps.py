"""Plans: an expression as a flat list of steps on arrays, made once and run often.

A plan knows names, axes and einsum subscripts, no numbers and no sizes. A batch of environments is one more
index, `BATCH`, of the tensors that differ from one point to the next: every step treats it like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import assert_never

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension, Index

__all__ = [
    "BATCH",
    "TEMPORARIES",
    "Accumulation",
    "Arange",
    "Contraction",
    "Elementwise",
    "Layout",
    "Number",
    "Operation",
    "Plan",
    "Power",
    "Step",
    "Term",
    "View",
    "Watch",
    "counted",
    "drops",
    "inputs",
    "layout",
    "letters",
    "watched",
]

# No name that a reader may give to a dimension.
BATCH = Index("‹batch›", Dimension("‹batch›"), -2)


# Temporaries of a scalar function or an operation, in arrays of its result's size.
TEMPORARIES = 2


class Layout(Struct, frozen=True):
    """How an array's axes come to stand under those of a result: transposed, then new axes of length 1."""

    permutation: tuple[int, ...] | None
    selection: tuple[slice | None, ...] | None


class View(Struct, frozen=True):
    """A tensor (by name) or a slot read at positions: whole numbers first, then diagonals. No copy."""

    source: str | int
    fixed: tuple[tuple[int, int], ...] = ()
    diagonal: str | None = None


class Arange(Struct, frozen=True):
    """The positions 0, 1, … of a dimension."""

    dimension: Dimension


class Number(Struct, frozen=True):
    """An exact number, or π where there is none."""

    value: Fraction | None


class Spread(Struct, frozen=True):
    """A slot that is the same at every point of the batch, with the batch axis in front: so that each of the
    copies at which rounding is measured has it rounded otherwise."""

    source: int


class Contraction(Struct, frozen=True):
    """One einsum, times a coefficient, numbers in slots and sizes; zero unless `within` holds."""

    operands: tuple[int, ...]
    subscripts: str
    coefficient: Fraction
    scalars: tuple[int, ...]
    sizes: tuple[Dimension, ...]
    within: tuple[tuple[Dimension, int], ...]
    scaled: bool  # whether anything but the operands comes in


class Power(Struct, frozen=True):
    """Each entry to a power that is known."""

    base: int
    exponent: Fraction


class Elementwise(Struct, frozen=True):
    """A function of slots, entry by entry, broadcast by the names of their axes."""

    function: str
    order: tuple[int, ...]
    arguments: tuple[int, ...]
    layouts: tuple[Layout | None, ...]


class Operation(Struct, frozen=True):
    """A row of OPERATIONS on slots laid out as (outer axes, bound axes).

    `bound` are the dimensions of each argument's bound axes, with True where the argument lacks the axis
    and is repeated along it. `flat`: the bound axes count as one. `method` is the row's function to call.
    """

    operation: str
    arguments: tuple[int, ...]
    layouts: tuple[Layout | None, ...]
    bound: tuple[tuple[tuple[Dimension, bool], ...], ...]
    parameters: tuple[tuple[str, Fraction], ...]
    flat: bool
    method: str = "numeric"


class Term(Struct, frozen=True):
    """A summand of an accumulation, written to a fixed position or a diagonal of the result where given."""

    slot: int
    negative: bool
    layout: Layout | None
    fixed: tuple[tuple[int, int], ...] = ()
    diagonal: str | None = None


class Accumulation(Struct, frozen=True):
    """The sum of terms broadcast by the names of their axes, of those on the whole result, then of those
    with a place in it."""

    terms: tuple[Term, ...]
    placed: tuple[Term, ...]
    axes: tuple[Index, ...]


Step = View | Arange | Number | Spread | Contraction | Power | Elementwise | Operation | Accumulation


class Watch(Struct, frozen=True):
    """The branch of a piecewise function: the slot of an expression whose sign it is or, of an operation,
    the slots of its branch number and of the margin to the next one; axes permuted to a fixed order."""

    function: str
    slot: int
    permutation: tuple[int, ...]
    margin: int | None = None
    numbered: bool = False


class Plan(Struct, frozen=True, eq=False):
    """Steps; step k fills slot k. `axes` are those of each slot, `drops` the slots no longer needed after it.

    The result has the axes of slot `result` transposed by `permutation` and repeated where `missing`.
    `names` are the tensors that are read, `batched` those of them that have the batch axis in front,
    `dimensions` the names of dimensions whose sizes matter. No more than `arrays` arrays are alive at once,
    temporaries included, each of no more entries than one with the axes `widest` and that of the batch.
    """

    steps: tuple[Step, ...]
    axes: tuple[tuple[Index, ...], ...]
    drops: tuple[tuple[int, ...], ...]
    result: int
    order: tuple[Index, ...]
    layout: Layout | None
    missing: bool
    names: tuple[str, ...]
    batched: tuple[str, ...]
    dimensions: tuple[str, ...]
    arrays: int
    widest: tuple[Dimension, ...]
    watches: tuple[Watch, ...] = ()


_ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
# The letters after those, which `contractor` takes and NumPy's einsum does not: no separator is among them.
_FURTHER = 0x4E00


def letters(indices: Sequence[Index], known: dict[Index, str]) -> str:
    """The einsum letters of indices; new ones are added to `known`."""
    for index in indices:
        if index not in known:
            number = len(known)
            known[index] = _ALPHABET[number] if number < len(_ALPHABET) else chr(_FURTHER + number)
    return "".join([known[index] for index in indices])


def layout(axes: Sequence[Index], target: Sequence[Index]) -> Layout | None:
    """The layout that puts `axes` under `target`, which has all of them. None where nothing is to do."""
    kept = [index for index in target if index in axes]
    permutation = tuple(axes.index(index) for index in kept)
    selection = [slice(None) if index in axes else None for index in target]
    while selection and selection[0] is None:  # leading axes broadcast by themselves
        del selection[0]
    transposed = permutation != tuple(range(len(permutation)))
    extended = None in selection
    if not (transposed or extended):
        return None
    return Layout(permutation if transposed else None, tuple(selection) if extended else None)


def counted(step: Step) -> tuple[Dimension, ...]:
    """The dimensions whose sizes a step needs besides those of its axes."""
    match step:
        case Contraction():
            return step.sizes + tuple(dimension for dimension, _ in step.within)
        case Operation():
            return tuple(dimension for group in step.bound for dimension, _ in group)
        case View() | Number() | Spread() | Power() | Elementwise() | Accumulation() | Arange():
            return ()
        case _:
            assert_never(step)


def inputs(step: Step) -> tuple[int, ...]:
    """The slots that a step reads."""
    match step:
        case View(source):
            return (source,) if isinstance(source, int) else ()
        case Contraction(operands):
            return operands + step.scalars
        case Power(base):
            return (base,)
        case Spread(source):
            return (source,)
        case Elementwise() | Operation():
            return step.arguments
        case Accumulation(terms, placed):
            return tuple(term.slot for term in terms + placed)
        case Arange() | Number():
            return ()
        case _:
            assert_never(step)


def watched(watches: Iterable[Watch]) -> set[int]:
    """The slots that watches look at."""
    kept = set()
    for watch in watches:
        kept |= {watch.slot} if watch.margin is None else {watch.slot, watch.margin}
    return kept


def drops(read: Sequence[tuple[int, ...]], kept: set[int]) -> tuple[tuple[int, ...], ...]:
    """For each step, given the slots that each step reads, those not needed after it, but for those to
    be kept."""
    last: dict[int, int] = {}
    for number, slots in enumerate(read):
        last[number] = number
        for slot in slots:
            last[slot] = number
    after: list[list[int]] = [[] for _ in read]
    for slot, number in last.items():
        if slot not in kept:
            after[number].append(slot)
    return tuple(map(tuple, after))
