"""Difference tables measure the rounding noise they are meant to measure."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.noise import POINTS, deviations, grid, noise_of, points_of


def measured(f, x, seed=0):
    x = np.asarray(x, dtype=float)
    scale = np.exp2(np.floor(np.log2(np.maximum(np.abs(x), 1e-300))))
    rng = np.random.default_rng(seed)
    return noise_of(lambda p: (f(p), None), x, scale, f(x[None])[0], rng)


def test_grids_are_exactly_equidistant():
    x = np.array([1.7, -3e-7, 999.9, 1e6])
    for exponent in (-36, -20, -12):
        ends = grid(x, np.exp2(np.floor(np.log2(np.abs(x)))), exponent, np.random.default_rng(1))
        points = points_of(*ends, 0, POINTS)
        assert points.shape == (POINTS, 4)
        exact = points.astype(np.longdouble)
        assert np.all(np.diff(exact, n=2, axis=0) == 0)
        assert np.all(np.diff(exact, axis=0) != 0)


def test_every_order_sees_white_noise_alike():
    noise = np.random.default_rng(0).standard_normal((POINTS, 4000)) * 1e-9
    seen = np.sqrt(np.mean(np.square(deviations(noise)), axis=1))
    assert seen == pytest.approx([1e-9] * 3, rel=0.1)


@pytest.mark.parametrize("level", [1e-14, 1e-11, 1e-8])
def test_planted_noise_is_found(level):
    rng = np.random.default_rng(7)
    found = measured(lambda p: np.sin(p) + level * rng.standard_normal(p.shape), np.full(200, 0.7))
    assert 0.5 * level < np.median(found.sigma) < 4 * level


def test_noise_is_no_less_than_one_rounding():
    found = measured(lambda p: 0 * p + 3.0, [0.7])
    assert found.sigma[0] == pytest.approx(3.0 * 2**-52 / np.sqrt(12))


def test_cancelling_terms_are_heard():
    found = measured(lambda p: (1e6 + p) - 1e6, [0.7])
    assert 1e-11 < found.sigma[0] < 1e-9


def test_a_fast_function_is_rough_and_not_noisy():
    found = measured(np.sin, [1e6 + 0.3])
    assert found.rough
    assert found.sigma[0] < 1e-14


def test_a_smooth_function_is_not_rough():
    assert not measured(np.tanh, np.linspace(0.1, 2.0, 30)).rough
