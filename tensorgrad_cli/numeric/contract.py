"""Contractions of arrays: subscripts and shapes → a prepared call, cached.

Three or more operands take the pairwise order that opt_einsum finds (only then is it imported), unless all is so
small that looking for an order costs more than it saves; each pair goes to BLAS where it can, batch indices
included, else to a product or to NumPy's einsum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from msgspec import Struct

__all__ = ["Contractor", "contractor"]

Array = Any

# A copy of so many entries costs more than a call of BLAS.
_WORTH_A_CALL = 512
# So many products of entries take less time than finding the order of the cheapest ones.
_AT_ONCE = 1 << 12
# NumPy's einsum takes no more operands than so many (31 before NumPy 2), and no other letters.
_MOST_OPERANDS = 31
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
Pairing = Callable[[Array, Array], Array]


class Contractor(Struct, frozen=True, eq=False):
    """`call(operands)` contracts; `entries` is the number of entries of the largest set of
    intermediates alive at once, the result included. `view`: the result may share the operand's memory."""

    call: Callable[[Sequence[Array]], Array]
    entries: int
    view: bool = False


@lru_cache(maxsize=8192)
def contractor(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> Contractor:
    """The prepared contraction. No letter stands twice in one operand; every letter of the result stands in
    some operand. A letter is any character but `,`, `-` and `>`; an operand has at most 52."""
    left, out = subscripts.split("->")
    inputs = left.split(",")
    sizes = {
        letter: size
        for letters, shape in zip(inputs, shapes, strict=True)
        for letter, size in zip(letters, shape, strict=True)
    }
    if len(inputs) == 1:
        return _single(inputs[0], out, sizes)
    if len(inputs) == 2:
        pairing = _pairing(inputs[0], inputs[1], out, sizes)
        return Contractor(lambda operands: pairing(*operands), _entries(out, sizes))
    return _many(inputs, out, sizes)


def _respelt(subscripts: str) -> str:
    """Subscripts in letters that NumPy's einsum takes, of any others."""
    letters = dict.fromkeys(letter for letter in subscripts if letter not in ",->")
    if all(letter in _LETTERS for letter in letters):
        return subscripts
    return subscripts.translate(dict(zip(map(ord, letters), _LETTERS, strict=False)))


def _entries(letters: str, sizes: Mapping[str, int]) -> int:
    return math.prod(sizes[letter] for letter in letters)


def _single(letters: str, out: str, sizes: Mapping[str, int]) -> Contractor:
    summed = tuple(axis for axis, letter in enumerate(letters) if letter not in out)
    kept = "".join(letter for letter in letters if letter in out)
    turn = _permutation(kept, out)

    def call(operands: Sequence[Array]) -> Array:
        result = operands[0].sum(summed) if summed else operands[0]
        return result if turn is None else result.transpose(turn)

    return Contractor(call, _entries(out, sizes) if summed else 0, view=not summed)


def _many(inputs: list[str], out: str, sizes: Mapping[str, int]) -> Contractor:
    few = len(inputs) <= _MOST_OPERANDS and len(sizes) <= len(_LETTERS)
    if few and math.prod(sizes.values()) <= _AT_ONCE:
        subscripts = _respelt(f"{','.join(inputs)}->{out}")
        return Contractor(lambda operands: np.einsum(subscripts, *operands), _entries(out, sizes))
    pairings: list[tuple[int, int, Pairing]] = []
    alive = list(inputs)
    entries = most = 0
    made = [0] * len(inputs)  # entries of what was allocated for each operand that is alive
    for pair in _path(inputs, out, sizes):
        second, first = sorted(pair, reverse=True)
        b, a = alive.pop(second), alive.pop(first)
        size_b, size_a = made.pop(second), made.pop(first)
        needed = set(out).union(*alive)
        target = _natural(a, b, needed) if alive else out
        pairings.append((first, second, _pairing(a, b, target, sizes)))
        alive.append(target)
        made.append(_entries(target, sizes))
        entries += made[-1]
        most = max(most, entries)
        entries -= size_a + size_b

    def call(operands: Sequence[Array]) -> Array:
        arrays = list(operands)
        for first, second, pairing in pairings:
            b = arrays.pop(second)
            arrays.append(pairing(arrays.pop(first), b))
        return arrays[0]

    return Contractor(call, most)


def _path(inputs: list[str], out: str, sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
    if all(letter in out for letters in inputs for letter in letters):
        # Nothing is summed: multiply from the smallest on.
        return _by_size(inputs, sizes)
    # Imported here since it costs as much as a whole small check.
    from opt_einsum.paths import auto

    path = auto([frozenset(letters) for letters in inputs], frozenset(out), dict(sizes))
    return [pair for step in path for pair in _pairs(step)]


def _pairs(step: tuple[int, ...]) -> list[tuple[int, ...]]:
    if len(step) == 2:
        return [step]
    raise NotImplementedError(f"a path step of {len(step)} operands")


def _by_size(inputs: list[str], sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
    alive = [set(letters) for letters in inputs]
    path: list[tuple[int, ...]] = []
    while len(alive) > 1:
        order = sorted(range(len(alive)), key=lambda k: _entries("".join(alive[k]), sizes))
        first, second = sorted(order[:2])
        path.append((first, second))
        b = alive.pop(second)
        alive.append(alive.pop(first) | b)
    return path


def _natural(a: str, b: str, needed: set[str]) -> str:
    """The letters of a pair's result in the order in which matmul gives them."""
    batch = [letter for letter in a if letter in b and letter in needed]
    left = [letter for letter in a if letter not in b and letter in needed]
    right = [letter for letter in b if letter not in a and letter in needed]
    return "".join([*batch, *left, *right])


# --- pairs ----------------------------------------------------------------------------------------


def _pairing(a: str, b: str, out: str, sizes: Mapping[str, int]) -> Pairing:
    alone_a = tuple(axis for axis, letter in enumerate(a) if letter not in b and letter not in out)
    alone_b = tuple(axis for axis, letter in enumerate(b) if letter not in a and letter not in out)
    if alone_a or alone_b:
        inner = _pairing(_without(a, alone_a), _without(b, alone_b), out, sizes)
        return lambda x, y: inner(x.sum(alone_a) if alone_a else x, y.sum(alone_b) if alone_b else y)
    if all(letter in out for letter in a if letter in b):
        return _product(a, b, out)
    if not any(letter in b and letter in out for letter in a):
        return _matrix_product(a, b, out, sizes)
    if all(letter in b for letter in a) and all(letter in a for letter in b):
        subscripts = _respelt(
            f"{a},{b}->{out}"
        )  # a dot product for each batch entry: not worth a BLAS call each
        return lambda x, y: np.einsum(subscripts, x, y)
    batch = "".join(letter for letter in out if letter in a and letter in b)
    for owner, other in ((a, b), (b, a)):
        lead = _lead(owner, other, out)
        if lead and _entries(owner, sizes) >= _WORTH_A_CALL * _entries(lead + batch, sizes):
            return _batched_product(a, b, out, sizes, lead + batch)
    return _batched_product(a, b, out, sizes, batch)


def _without(letters: str, axes: tuple[int, ...]) -> str:
    return "".join(letter for axis, letter in enumerate(letters) if axis not in axes)


def _permutation(letters: str, target: str) -> tuple[int, ...] | None:
    return None if letters == target else tuple(letters.index(letter) for letter in target)


def _product(a: str, b: str, out: str) -> Pairing:
    spread_a, spread_b = _spread(a, out), _spread(b, out)
    if spread_a is None and spread_b is None:
        return np.multiply
    if spread_a is None and spread_b is not None:
        spread = spread_b
        return lambda x, y: x * spread(y)
    return lambda x, y: (spread_a(x) if spread_a else x) * (spread_b(y) if spread_b else y)


def _spread(letters: str, out: str) -> Callable[[Array], Array] | None:
    turn = _permutation(letters, "".join(letter for letter in out if letter in letters))
    selection = [slice(None) if letter in letters else None for letter in out]
    while selection and selection[0] is None:
        del selection[0]
    index = tuple(selection)
    if None in index:
        return lambda x: (x if turn is None else x.transpose(turn))[index]
    return None if turn is None else lambda x: x.transpose(turn)


def _matrix_product(a: str, b: str, out: str, sizes: Mapping[str, int]) -> Pairing:
    if out and out[0] in b:  # so that the result comes out in its own order where it can
        turned = _matrix_product_of(b, a, out, sizes)
        return lambda x, y: turned(y, x)
    return _matrix_product_of(a, b, out, sizes)


def _matrix_product_of(a: str, b: str, out: str, sizes: Mapping[str, int]) -> Pairing:
    left = "".join(letter for letter in a if letter not in b)
    right = "".join(letter for letter in b if letter not in a)
    lead = _lead(a, b, out)
    large = _entries(a, sizes) >= _WORTH_A_CALL * _entries(lead, sizes)
    if lead and large and _copied(a, left, "".join(c for c in a if c in b), sizes):
        return _batched_product(a, b, out, sizes, lead)
    orders = ["".join(c for c in a if c in b), "".join(c for c in b if c in a)]
    summed = min(orders, key=lambda order: _copied(a, left, order, sizes) + _copied(b, right, order, sizes))
    rows, columns = _as_matrix(a, left, summed, sizes), _as_matrix(b, summed, right, sizes)
    turn = _permutation(left + right, out)
    shape = tuple(sizes[letter] for letter in left + right)
    if len(left) <= 1 and len(right) <= 1:
        if rows is None and columns is None and turn is None:
            return np.dot
        shape = ()

    def call(x: Array, y: Array) -> Array:
        result = np.dot(x if rows is None else rows(x), y if columns is None else columns(y))
        if shape:
            result = result.reshape(shape)
        return result if turn is None else result.transpose(turn)

    return call


def _lead(a: str, b: str, out: str) -> str:
    """The letters that begin both the first operand and the result, and are not the second's."""
    length = 0
    while length < min(len(a), len(out)) and a[length] == out[length] and a[length] not in b:
        length += 1
    return a[:length]


def _copied(letters: str, kept: str, summed: str, sizes: Mapping[str, int]) -> int:
    return 0 if letters in (kept + summed, summed + kept) else _entries(letters, sizes)


def _as_matrix(
    letters: str, first: str, second: str, sizes: Mapping[str, int]
) -> Callable[[Array], Array] | None:
    """The array as (first, second), without an axis for none. None where it is that already."""
    shape = tuple(_entries(group, sizes) for group in (first, second) if group)
    plain = len(first) <= 1 and len(second) <= 1
    if letters == first + second:
        return None if plain else lambda x: x.reshape(shape)
    if letters == second + first:
        turned = shape[::-1]
        return (lambda x: x.T) if plain else (lambda x: x.reshape(turned).T)
    turn = _permutation(letters, first + second)
    return lambda x: x.transpose(turn).reshape(shape)


def _batched_product(a: str, b: str, out: str, sizes: Mapping[str, int], batch: str) -> Pairing:
    """matmul with batch letters in front, of both operands or of one only."""
    after = [letter for letter in out if letter not in batch]
    if after and after[0] in b:  # so that the result comes out in its own order where it can
        turned = _stacked_product(b, a, out, sizes, batch)
        return lambda x, y: turned(y, x)
    return _stacked_product(a, b, out, sizes, batch)


def _stacked_product(a: str, b: str, out: str, sizes: Mapping[str, int], batch: str) -> Pairing:
    left = "".join(letter for letter in a if letter not in b and letter not in batch)
    right = "".join(letter for letter in b if letter not in a and letter not in batch)
    summed = "".join(letter for letter in a if letter in b and letter not in batch)
    rows = _as_stack(a, "".join(letter for letter in batch if letter in a), left, summed, sizes)
    columns = _as_stack(b, "".join(letter for letter in batch if letter in b), summed, right, sizes)
    natural = batch + left + right
    shape = tuple(sizes[letter] for letter in natural)
    turn = _permutation(natural, out)

    def call(x: Array, y: Array) -> Array:
        result = np.matmul(rows(x), columns(y)).reshape(shape)
        return result if turn is None else result.transpose(turn)

    return call


def _as_stack(
    letters: str, batch: str, rows: str, columns: str, sizes: Mapping[str, int]
) -> Callable[[Array], Array]:
    shape = (*(sizes[letter] for letter in batch), _entries(rows, sizes), _entries(columns, sizes))
    turn = _permutation(letters, batch + rows + columns)

    def call(x: Array) -> Array:
        if turn is not None:
            x = x.transpose(turn)
        x = x.reshape(shape)
        if x.strides[-1] != x.itemsize and x.strides[-2] != x.itemsize:
            x = np.ascontiguousarray(x)  # else matmul does not call BLAS
        return x

    return call
