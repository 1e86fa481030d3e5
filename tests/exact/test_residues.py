"""The laws that residues obey."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from tensorgrad_cli.exact.field import FIELDS, Integers
from tensorgrad_cli.exact.linear import determinant, inverse_matrix, matrix_product
from tensorgrad_cli.exact.residues import ANGLE, EXPONENT, VALUE, Draws, both_kept

KINDS = (VALUE, EXPONENT, ANGLE)


@pytest.fixture
def draws() -> Draws:
    return Draws(FIELDS[:4], 5, np.random.default_rng(0))


def positive(draws: Draws, shape: tuple[int, ...]) -> Integers:
    root = draws.uniform(VALUE, shape, 1)
    return draws.multiply(root, root, VALUE)


def test_exponential_is_a_homomorphism_with_inverse(draws: Draws) -> None:
    a, b = (draws.uniform(EXPONENT, (3, 2)) for _ in "ab")
    left = draws.exponential(draws.reduced(a + b, EXPONENT))
    right = draws.multiply(draws.exponential(a), draws.exponential(b), VALUE)
    assert np.array_equal(left, right)
    assert np.array_equal(draws.logarithm(left), draws.reduced(a + b, EXPONENT))
    assert np.all(draws.character(left) == 1)


def test_every_draw_has_its_own_generator_angle_and_pi(draws: Draws) -> None:
    one = np.ones(draws.count, np.int64)
    for values in (draws.exponential(one), draws.circle(one, sine=False), draws.pi[VALUE]):
        assert len(set(values.tolist())) == draws.count


def test_roots_are_positive_and_powers_multiply(draws: Draws) -> None:
    v = positive(draws, (4,))
    third = draws.constant(Fraction(1, 3), EXPONENT).values[:, None]
    root = draws.real_power(v, third)
    assert np.array_equal(draws.power(root, 3, VALUE), v)
    assert np.all(draws.character(root) == 1)
    assert np.all(draws.real_power(np.zeros_like(v), third) == 0)


def test_signs_of_products_and_of_opposites(draws: Draws) -> None:
    a, b = (draws.uniform(VALUE, (6,), 1) for _ in "ab")
    product = draws.character(draws.multiply(a, b, VALUE))
    assert np.array_equal(product, draws.character(a) * draws.character(b))
    assert np.array_equal(draws.character(draws.reduced(-a, VALUE)), -draws.character(a))


def test_angles_add(draws: Draws) -> None:
    a, b = (draws.uniform(ANGLE, (3,)) for _ in "ab")
    cos_a, cos_b = (draws.circle(x, sine=False) for x in (a, b))
    sin_a, sin_b = (draws.circle(x, sine=True) for x in (a, b))
    left = draws.circle(draws.reduced(a + b, ANGLE), sine=True)
    assert np.array_equal(left, draws.reduced(sin_a * cos_b + cos_a * sin_b, VALUE))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 5)])
def test_inverses(draws: Draws, kind: int, shape: tuple[int, ...]) -> None:
    x = draws.uniform(kind, shape, 1)
    inverse = draws.inverse(x, kind)
    assert inverse.kept is None
    assert np.all(draws.multiply(x, inverse.values, kind) == 1)


def test_a_zero_drops_its_draw_only(draws: Draws) -> None:
    x = draws.uniform(VALUE, (3,), 1)
    x[2, 1] = 0
    inverse = draws.inverse(x, VALUE)
    assert inverse.kept is not None and np.flatnonzero(~inverse.kept).tolist() == [2]
    whole = draws.multiply(x, inverse.values, VALUE)
    assert np.all(whole[inverse.kept] == 1)


def test_oracles_are_functions_of_name_kind_and_arguments(draws: Draws) -> None:
    x = draws.uniform(VALUE, (4,), 1)
    again = draws.oracle("f", VALUE, x.copy())
    assert np.array_equal(draws.oracle("f", VALUE, x), again)
    assert not np.any(draws.oracle("g", VALUE, x) == again)
    assert np.all(draws.oracle("f", ANGLE, x) < draws.modulus(ANGLE, 2))
    y = draws.uniform(VALUE, (4,), 1)
    assert not np.any(draws.oracle("f", VALUE, x, y) == draws.oracle("f", VALUE, y, x))
    swapped = draws.oracle("f", VALUE, x[:, ::-1].copy())
    assert np.array_equal(swapped, again[:, ::-1])


def test_constants_are_fractions(draws: Draws) -> None:
    third = draws.constant(Fraction(1, 3), EXPONENT).values
    assert np.all(draws.reduced(3 * third, EXPONENT) == 1)
    impossible = draws.constant(Fraction(1, FIELDS[1].p), VALUE)
    assert impossible.kept is not None and impossible.kept.sum() == 15


def test_tournaments(draws: Draws) -> None:
    many = Draws(FIELDS[:2], 200, np.random.default_rng(1))
    x = many.uniform(VALUE, (3,), 1)
    winner, kept = many.winners(x)
    assert kept is not None
    # Of the eight tournaments of three, two are cycles.
    assert 0.68 < kept.mean() < 0.82
    best = np.take_along_axis(x, winner[:, None], axis=1)
    gap = many.character(many.reduced(best - x, VALUE))
    assert np.all(gap[kept] >= 0)
    shift = many.uniform(VALUE, (1,))
    moved, moved_kept = many.winners(many.reduced(x + shift, VALUE))
    assert np.array_equal(moved, winner) and np.array_equal(moved_kept, kept)


def test_equal_values_are_no_cycle(draws: Draws) -> None:
    winner, kept = draws.winners(np.zeros((draws.count, 4), np.int64))
    assert kept is None and np.all(winner == 0)


@pytest.mark.parametrize("kind", KINDS)
def test_determinants_and_inverse_matrices(draws: Draws, kind: int) -> None:
    a, b = (draws.uniform(kind, (2, 4, 4)) for _ in "ab")
    a[:, :, 0, 0] = 0  # a pivot has to be looked for
    product = determinant(matrix_product(a, b, kind, draws), kind, draws)
    parts = determinant(a, kind, draws), determinant(b, kind, draws)
    assert np.array_equal(product, draws.multiply(*parts, kind))
    inverse = inverse_matrix(a, kind, draws)
    assert inverse.kept is None
    identity = matrix_product(a, inverse.values, kind, draws)
    assert np.array_equal(identity, np.broadcast_to(np.eye(4, dtype=np.int64), identity.shape))


def test_small_determinants(draws: Draws) -> None:
    a = draws.uniform(VALUE, (2, 2))
    by_hand = draws.reduced(a[:, 0, 0] * a[:, 1, 1] - a[:, 0, 1] * a[:, 1, 0], VALUE)
    assert np.array_equal(determinant(a, VALUE, draws), by_hand)
    singular = np.ones_like(a)
    assert np.all(determinant(singular, VALUE, draws) == 0)
    kept = inverse_matrix(singular, VALUE, draws).kept
    assert kept is not None and not kept.any()


def test_draws_kept_by_both() -> None:
    first, second = np.array([True, False, True]), np.array([True, True, False])
    assert both_kept(None, None) is None
    assert both_kept(first, None) is first and both_kept(None, second) is second
    kept = both_kept(first, second)
    assert kept is not None and kept.tolist() == [True, False, False]
