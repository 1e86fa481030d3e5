"""Values as residues, many draws at once, and the laws they obey.

A value is known modulo p (as itself), modulo q (as an exponent) and modulo r (as an angle); which of the
three an array holds is its `kind`. Every array has the draws as its leading axis. A draw is one model of the
reals of its own: a prime, a generator of the squares, an angle, a π and a key for its random oracles.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from tensorgrad_cli.exact.field import Field, Integers, Tables, joined_tables

__all__ = ["ANGLE", "EXPONENT", "VALUE", "Draws", "Kept", "Residues", "both_kept"]

VALUE, EXPONENT, ANGLE = 0, 1, 2

# Which draws are still inside the domain and contradict no known sign; None is all of them.
Kept = NDArray[np.bool_] | None

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_MIX = np.uint64(0x94D049BB133111EB)


class Residues(Struct, frozen=True):
    """Residues of one kind, shape (draws, …), and the draws that were not dropped on the way."""

    values: Integers
    kept: Kept = None


def both_kept(a: Kept, b: Kept) -> Kept:
    """The draws that both keep."""
    if a is None or a is b:
        return b
    return a if b is None else a & b


def _mixed(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    # The finaliser of splitmix64: every bit of the result depends on every bit of the state.
    state ^= state >> np.uint64(30)
    state *= _FIRST_MIX
    state ^= state >> np.uint64(27)
    state *= _SECOND_MIX
    state ^= state >> np.uint64(31)
    return state


class Draws:
    """`each` draws for each of some primes, the draws of one prime next to each other."""

    def __init__(self, fields: tuple[Field, ...], each: int, rng: np.random.Generator) -> None:
        self.fields = fields
        self.each = each
        self.count = each * len(fields)
        self.field_of = np.repeat(np.arange(len(fields)), each)
        self._moduli = tuple(
            np.repeat(np.array([field.moduli[kind] for field in fields], np.int64), each)
            for kind in (VALUE, EXPONENT, ANGLE)
        )
        self._shaped: dict[tuple[int, int], Integers] = {}
        self._constants: dict[tuple[Fraction, int], Residues] = {}
        self.rng = rng
        self._seed = int(rng.integers(1 << 62))
        self._key = rng.integers(0, 1 << 63, self.count, dtype=np.uint64)
        # A generator g^s of the squares and an angle c^t for each draw, s and t not zero.
        self._generator = rng.integers(1, self._moduli[EXPONENT])
        self._angle = rng.integers(1, self._moduli[ANGLE])
        root = rng.integers(1, self._moduli[VALUE])
        self.pi = (
            root * root % self._moduli[VALUE],
            rng.integers(1, self._moduli[EXPONENT]),
            rng.integers(1, self._moduli[ANGLE]),
        )

    def begin(self, *parts: object) -> None:
        """Have what is drawn next follow from some parts, whatever was drawn before."""
        self.rng = np.random.default_rng([self._seed, zlib.crc32(repr(parts).encode())])

    # --- shapes ---------------------------------------------------------------------------------

    def shaped(self, vector: Integers, rank: int) -> Integers:
        """One number for each draw, shape (draws,), against arrays of `rank` axes, the draws' included."""
        return vector.reshape((-1,) + (1,) * (rank - 1))

    def modulus(self, kind: int, rank: int) -> Integers:
        """The modulus of each draw, ready to meet an array of `rank` axes."""
        found = self._shaped.get((kind, rank))
        if found is None:
            found = self._shaped[kind, rank] = self.shaped(self._moduli[kind], rank)
        return found

    def reduced(self, values: Integers, kind: int) -> Integers:
        """The array reduced; overwritten where that is possible."""
        modulus = self.modulus(kind, values.ndim)
        if len(values) != self.count or not values.flags.writeable:
            return values % modulus
        return np.remainder(values, modulus, out=values)

    def any_entry(self, wrong: NDArray[np.bool_]) -> Kept:
        """Keeps the draws none of whose entries is wrong."""
        bad: NDArray[np.bool_] = np.any(wrong.reshape(len(wrong), -1), axis=1)
        return ~bad if bad.any() else None

    # --- ring operations ------------------------------------------------------------------------

    def constant(self, value: Fraction, kind: int) -> Residues:
        """A rational number, shape (draws,); a draw whose modulus divides its denominator is dropped."""
        found = self._constants.get((value, kind))
        if found is None:
            found = self._constants[value, kind] = self._constant(value, kind)
        return found

    def _constant(self, value: Fraction, kind: int) -> Residues:
        numbers, whole = [], []
        for field in self.fields:
            modulus = field.moduli[kind]
            denominator = value.denominator % modulus
            whole.append(denominator != 0)
            inverse = pow(denominator, -1, modulus) if denominator else 0
            numbers.append(value.numerator * inverse % modulus)
        values = np.repeat(np.array(numbers, np.int64), self.each)
        return Residues(values, None if all(whole) else np.repeat(np.array(whole), self.each))

    def uniform(self, kind: int, shape: Sequence[int], low: int = 0) -> Integers:
        """Independent residues from `low` on, shape (draws, *shape)."""
        full = (self.count, *shape)
        return self.rng.integers(low, self.modulus(kind, len(full)), full)

    def multiply(self, a: Integers, b: Integers, kind: int) -> Integers:
        """The product entry by entry."""
        return self.reduced(a * b, kind)

    def power(self, base: Integers, exponent: int, kind: int) -> Integers:
        """A whole power, not negative, by squaring."""
        result = np.ones_like(base)
        while exponent:
            if exponent & 1:
                result = self.multiply(result, base, kind)
            exponent >>= 1
            if exponent:
                base = self.multiply(base, base, kind)
        return result

    def inverse(self, values: Integers, kind: int) -> Residues:
        """1 / x entry by entry, shape kept; draws with a zero are dropped.

        All entries of one prime are inverted together: products up a tree, one inverse at its top, and
        down again (Montgomery's trick, vectorised).
        """
        values = np.broadcast_to(values, (self.count, *values.shape[1:]))
        zero = values == 0
        kept = self.any_entry(zero)
        rows = np.where(zero, 1, values).reshape(len(self.fields), -1)
        modulus = np.array([[field.moduli[kind]] for field in self.fields], np.int64)
        levels = [rows]
        while levels[-1].shape[1] > 1:
            level = levels[-1]
            if level.shape[1] % 2:
                level = levels[-1] = np.concatenate([level, np.ones_like(level[:, :1])], axis=1)
            levels.append(level[:, ::2] * level[:, 1::2] % modulus)
        top = [pow(int(row[0]), -1, int(m[0])) for row, m in zip(levels[-1], modulus, strict=True)]
        inverse = np.array(top, np.int64)[:, None]
        for level in reversed(levels[:-1]):
            below = np.empty_like(level)
            below[:, ::2] = inverse[:, : level.shape[1] // 2] * level[:, 1::2] % modulus
            below[:, 1::2] = inverse[:, : level.shape[1] // 2] * level[:, ::2] % modulus
            inverse = below
        return Residues(inverse[:, : rows.shape[1]].reshape(values.shape), kept)

    # --- the laws of the reals ------------------------------------------------------------------

    @cached_property
    def _tables(self) -> Tables:
        return joined_tables(self.fields)

    @cached_property
    def _starts(self) -> tuple[Integers, Integers, Integers]:
        tables = self._tables
        starts = (tables.value_start, tables.square_start, tables.angle_start)
        return tuple(np.array(start, np.int64)[self.field_of] for start in starts)  # type: ignore[return-value]

    @cached_property
    def _generator_inverse(self) -> Integers:
        return self.inverse(self._generator, EXPONENT).values

    def _at(self, kind: int, index: Integers) -> Integers:
        return index + self.shaped(self._starts[kind], index.ndim)

    def character(self, values: Integers) -> NDArray[np.int8]:
        """1 where the value is positive, -1 where it is negative, 0 where it is zero."""
        return self._tables.character[self._at(VALUE, values)]

    def exponential(self, exponents: Integers) -> Integers:
        """g^x of exponents: values."""
        scaled = exponents * self.shaped(self._generator, exponents.ndim)
        return self._square(self.reduced(scaled, EXPONENT))

    def logarithm(self, values: Integers) -> Integers:
        """The x with g^x = |value|: exponents."""
        raw = self._tables.logarithm[self._at(VALUE, values)].astype(np.int64)
        raw *= self.shaped(self._generator_inverse, raw.ndim)
        return self.reduced(raw, EXPONENT)

    def real_power(self, values: Integers, exponents: Integers) -> Integers:
        """Positive values (and zeros, which stay) to any exponents: values."""
        raw = self._tables.logarithm[self._at(VALUE, values)].astype(np.int64)
        result = self._square(self.reduced(raw * exponents, EXPONENT))
        return np.where(values == 0, 0, result)

    def _square(self, exponents: Integers) -> Integers:
        return self._tables.square[self._at(EXPONENT, exponents)].astype(np.int64)

    def circle(self, angles: Integers, *, sine: bool) -> Integers:
        """The cosine or sine of angles: values."""
        scaled = angles * self.shaped(self._angle, angles.ndim)
        table = self._tables.sine if sine else self._tables.cosine
        return table[self._at(ANGLE, self.reduced(scaled, ANGLE))].astype(np.int64)

    # --- random oracles -------------------------------------------------------------------------

    def oracle(self, name: str, kind: int, *arguments: Integers) -> Integers:
        """A random function of values, entry by entry: one for each draw, name and kind.

        The name is to hold all that tells functions apart, such as the order of a derivative.
        """
        rank = max([argument.ndim for argument in arguments], default=1)
        start = np.uint64(zlib.crc32(f"{kind}:{name}".encode()) * 0x100000001 & (2**64 - 1))
        state = _mixed(self._key ^ start).reshape((-1,) + (1,) * (rank - 1))
        for argument in arguments:
            state = _mixed(state + (argument.astype(np.uint64) + np.uint64(1)) * _GOLDEN)
        return self.reduced((state >> np.uint64(2)).astype(np.int64), kind)

    # --- order ----------------------------------------------------------------------------------

    def winners(self, values: Integers) -> tuple[Integers, Kept]:
        """Where along the last axis the largest value stands, shape (draws, …); draws with a cycle go.

        a beats b where a - b is positive; equal values (two units of a relu at zero) go by position.
        """
        n = values.shape[-1]
        gap = self.reduced(values[..., :, None] - values[..., None, :], VALUE)
        position = np.arange(n)
        first = position[:, None] < position[None, :]
        order = self.character(gap)
        beats = (order > 0) | ((order == 0) & first)
        wins = beats.sum(axis=-1)
        transitive = n * (n - 1) * (2 * n - 1) // 6
        kept = self.any_entry((wins * wins).sum(axis=-1) != transitive)
        return wins.argmax(axis=-1), kept
