"""The primes of the finite model, and for each prime its tables of discrete logarithms and angles.

p = 2q + 1 and p + 1 = 120 r or 240 r with p, q, r prime; 2, 3, 5, 7, 11 and 13 are squares modulo p. The
squares modulo p play the positive numbers: a cyclic group of prime order q, so that each has exactly
one root of every order that is a square itself. The elements of order r on the norm-one circle of
F_p[i] play the angles. Tables are made when something first asks for them and kept for the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

__all__ = ["FIELDS", "Field", "Integers", "Tables", "joined_tables", "powers"]

Integers = NDArray[np.int64]

# √2 - 1 is a square modulo no prime of the first class and modulo every one of the second.
_FIRST = (167879, 273719, 461639, 1113719, 1241159, 1572359, 1721639)
_SECOND = (119759, 135119, 338159, 350159, 830639, 1096079, 1608239)


class Field(Struct, frozen=True, cache_hash=True):
    """The three moduli that belong to a prime p: of a value, of an exponent, of an angle."""

    p: int
    kind: int

    @property
    def q(self) -> int:
        """The order of the group of squares."""
        return (self.p - 1) // 2

    @property
    def r(self) -> int:
        """The order of the group of angles."""
        return (self.p + 1) // (120 * self.kind)

    @property
    def moduli(self) -> tuple[int, int, int]:
        """p, q and r."""
        return self.p, self.q, self.r


# Alternating between the two classes, small ones first: any prefix of length 2k is balanced.
FIELDS = tuple(
    field
    for first, second in zip(_FIRST, _SECOND, strict=True)
    for field in (Field(first, 1), Field(second, 2))
)


class Tables:
    """Tables of one or several primes, laid end to end so that one lookup serves draws of all of them; the three
    `start`s say where each prime's begin. Each is made when it is first looked at: few formulas need all.
    """

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        self.value_start, self.square_start, self.angle_start = (
            tuple(accumulate(lengths, initial=0))[:-1]
            for lengths in zip(*(f.moduli for f in fields), strict=True)
        )

    @cached_property
    def square(self) -> NDArray[np.int32]:
        """At k, g^k for one fixed generator g of the squares: 4, a square other than 1, generates them."""
        return _joined(powers(4, field.q, field.p) for field in self.fields)

    @cached_property
    def logarithm(self) -> NDArray[np.int32]:
        """At x, the k < q with g^k = ±x (0 at zero)."""
        made = []
        for field, square in self._squares():
            logarithm = np.zeros(field.p, np.int32)
            logarithm[square] = exponents = np.arange(field.q, dtype=np.int32)
            logarithm[field.p - square] = exponents
            made.append(logarithm)
        return _joined(made)

    @cached_property
    def character(self) -> NDArray[np.int8]:
        """At x, 1 for a square, -1 for no square, 0 for zero."""
        made = []
        for field, square in self._squares():
            character = np.full(field.p, -1, np.int8)
            character[square] = 1
            character[0] = 0
            made.append(character)
        return np.concatenate(made)

    @cached_property
    def cosine(self) -> NDArray[np.int32]:
        """At k, the first part of c^k for one fixed c of order r on the circle."""
        return _joined(cosine for cosine, _ in self._circles)

    @cached_property
    def sine(self) -> NDArray[np.int32]:
        """At k, the second part of c^k."""
        return _joined(sine for _, sine in self._circles)

    @cached_property
    def _circles(self) -> list[tuple[Integers, Integers]]:
        return [_circle(field) for field in self.fields]

    def _squares(self) -> Iterator[tuple[Field, NDArray[np.int32]]]:
        for field, start in zip(self.fields, self.square_start, strict=True):
            yield field, self.square[start : start + field.q]


def _joined(tables: Iterable[NDArray[Any]]) -> NDArray[np.int32]:
    return np.concatenate([table.astype(np.int32, copy=False) for table in tables])


def powers(base: int, count: int, modulus: int) -> Integers:
    """base^0, base^1, … base^(count - 1) modulo `modulus`, by doubling: array of shape (count,)."""
    result = np.ones(count, np.int64)
    known = 1
    while known < count:
        more = min(known, count - known)
        np.multiply(result[:more], pow(base, known, modulus), out=result[known : known + more])
        result[known : known + more] %= modulus
        known += more
    return result


def _times(a: tuple[int, int], b: tuple[int, int], p: int) -> tuple[int, int]:
    return (a[0] * b[0] - a[1] * b[1]) % p, (a[0] * b[1] + a[1] * b[0]) % p


def _circle_power(base: tuple[int, int], exponent: int, p: int) -> tuple[int, int]:
    result = (1, 0)
    while exponent:
        if exponent & 1:
            result = _times(result, base, p)
        base = _times(base, base, p)
        exponent >>= 1
    return result


def _angle(field: Field) -> tuple[int, int]:
    """An element of order r of the circle: (a + i)² / (a² + 1) has norm one, then the cofactor's power."""
    p = field.p
    for a in range(2, p):
        scale = pow(a * a + 1, -1, p)
        on_circle = ((a * a - 1) * scale % p, 2 * a * scale % p)
        angle = _circle_power(on_circle, (p + 1) // field.r, p)
        if angle != (1, 0):
            return angle
    raise ArithmeticError(f"no angle of order {field.r} modulo {p}")


def _circle(field: Field) -> tuple[Integers, Integers]:
    p, count = field.p, field.r
    base = _angle(field)
    cosine, sine = np.ones(count, np.int64), np.zeros(count, np.int64)
    known = 1
    while known < count:
        more = min(known, count - known)
        c, s = _circle_power(base, known, p)
        cosine[known : known + more] = (cosine[:more] * c - sine[:more] * s) % p
        sine[known : known + more] = (cosine[:more] * s + sine[:more] * c) % p
        known += more
    return cosine, sine


@lru_cache(maxsize=16)
def joined_tables(fields: tuple[Field, ...]) -> Tables:
    """The tables of several primes end to end, kept for the process."""
    return Tables(fields)
