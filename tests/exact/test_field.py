"""The primes and their tables."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tensorgrad_cli.exact.field import FIELDS, Field, joined_tables, powers


def is_prime(n: int) -> bool:
    return n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1))


@pytest.mark.parametrize("field", FIELDS)
def test_moduli_are_primes_with_small_squares(field: Field) -> None:
    assert all(map(is_prime, field.moduli))
    assert field.p == 2 * field.q + 1 and (field.p + 1) % field.r == 0
    assert all(pow(n, field.q, field.p) == 1 for n in (2, 3, 5, 7, 11, 13))


def test_the_classes_alternate_and_differ_in_the_sign_of_root_two_minus_one() -> None:
    for place, field in enumerate(FIELDS):
        square = joined_tables((field,))
        root = int(square.square[int(square.logarithm[2]) * pow(2, -1, field.q) % field.q])
        assert root * root % field.p == 2 and square.character[root] == 1
        assert square.character[root - 1] == (-1 if place % 2 == 0 else 1)


@pytest.mark.parametrize("field", FIELDS[:2])
def test_powers_and_logarithms_are_inverse(field: Field) -> None:
    found = joined_tables((field,))
    exponents = np.arange(field.q)
    assert np.array_equal(found.logarithm[found.square], exponents)
    assert np.array_equal(found.logarithm[field.p - found.square], exponents)
    assert found.character.sum() == 0 and found.character[0] == 0
    assert np.all(found.character[found.square] == 1)


@pytest.mark.parametrize("field", FIELDS[:2])
def test_the_circle_is_a_group_of_order_r(field: Field) -> None:
    found = joined_tables((field,))
    cosine, sine = found.cosine.astype(np.int64), found.sine.astype(np.int64)
    assert np.all((cosine**2 + sine**2) % field.p == 1)
    assert len({*zip(cosine.tolist(), sine.tolist(), strict=True)}) == field.r
    i, j = 17, field.r - 5
    added = (cosine[i] * cosine[j] - sine[i] * sine[j]) % field.p
    assert added == cosine[(i + j) % field.r]


def test_powers_double() -> None:
    assert powers(3, 11, 1009).tolist() == [pow(3, k, 1009) for k in range(11)]


def test_joined_tables_are_laid_end_to_end() -> None:
    both = joined_tables(FIELDS[:2])
    second = joined_tables(FIELDS[1:2])
    start = both.value_start[1]
    assert np.array_equal(both.character[start:], second.character)
    assert joined_tables(FIELDS[:2]) is both
