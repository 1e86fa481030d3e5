"""The complex step: bars that hold, and what it sees that differences cannot."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric import complex_step, difference
from tensorgrad_cli.numeric.complex_step import directional, jacobian, symmetry


def violations(cases, true_jacobian, seeds):
    broken, count, relative = [], 0, []
    for seed in seeds:
        for case in cases(seed):
            truth = true_jacobian(case)
            found = jacobian(case.f, case.x, seed=seed)
            wrong = ~(np.abs(found.values - truth) <= found.bars)
            broken += [(seed, case.name, *map(int, at)) for at in np.argwhere(wrong)]
            count += wrong.size
            moving = truth != 0
            with np.errstate(over="ignore"):
                relative += list((found.bars[moving] / np.abs(truth[moving])).astype(float))
    return broken, count, relative


def test_no_bar_is_violated(cases, true_jacobian):
    broken, count, relative = violations(cases, true_jacobian, range(2))
    assert broken == []
    assert count > 10_000
    assert np.median(relative) < 1e-11


@pytest.mark.slow
def test_no_bar_is_violated_in_a_hundred_thousand_entries(cases, true_jacobian):
    broken, count, relative = violations(cases, true_jacobian, range(100, 120))
    assert broken == []
    assert count > 100_000
    assert np.median(relative) < 1e-11


def test_it_agrees_with_differences(cases):
    for case in cases(11):
        central, stepped = difference.jacobian(case.f, case.x), jacobian(case.f, case.x)
        apart = np.abs(central.values - stepped.values)
        assert np.all(apart <= central.bars + stepped.bars), case.name


def test_a_small_term_of_a_large_sum_is_resolved():
    def f(p):
        return np.sum(1e6 * p[:, :1] ** 2 + 1e-6 * np.sin(p[:, 1:]), axis=1, keepdims=True)

    x = np.array([1.1, 0.4])
    stepped = jacobian(f, x)
    assert abs(stepped.values[1, 0] / (1e-6 * np.cos(0.4)) - 1) < 1e-12
    assert stepped.bars[1, 0] < 1e-11 * stepped.values[1, 0]


def test_a_rounding_that_small_moves_hide_widens_the_bar():
    def f(p):
        return (((1e6 + p) - 1e6) ** 2).sum(axis=1, keepdims=True)

    x = np.array([0.123456789])
    found = jacobian(f, x)
    assert abs(found.values[0, 0] - 2 * x[0]) <= found.bars[0, 0]


def test_a_tie_is_a_kink_and_its_neighbours_are_not():
    def f(p):
        positive = p.real > 0
        return np.where(positive, p, 0.0).sum(axis=1, keepdims=True), np.sign(p.real)

    found = jacobian(f, np.array([0.0, 1e-9, -2.0]), scale=np.ones(3))
    assert list(found.kinks) == [True, False, False]
    assert np.isnan(found.values[0, 0])
    assert found.slopes is not None
    assert found.slopes[:, 0, 0] == pytest.approx([0.0, 1.0], abs=1e-6)
    assert list(found.values[1:, 0]) == [1.0, 0.0]


def test_hessian_vector_products_of_a_gradient():
    a = np.random.default_rng(2).standard_normal((5, 5))
    v = np.random.default_rng(3).standard_normal((2, 5))
    found = directional(lambda p: p @ (a + a.T), np.ones(5), v)
    assert np.all(np.abs(found.values - v @ (a + a.T)) <= found.bars)
    assert np.all(found.bars < 1e-12)


def test_a_gradient_of_something_has_a_symmetric_derivative():
    a = np.random.default_rng(2).standard_normal((5, 5))
    x = np.random.default_rng(4).standard_normal(5)
    left, right, bar = symmetry(lambda p: np.tanh(p @ a) @ a.T, x)
    assert abs(left - right) <= bar < 1e-10 * abs(left)
    left, right, bar = symmetry(lambda p: np.tanh(p @ a), x)
    assert abs(left - right) > bar


def test_the_step_leaves_no_truncation():
    assert complex_step.STEP < 1e-30


@pytest.mark.parametrize("tiny", [1e-12, 1e-30, 1e-105, 1e-200])
def test_a_pole_beside_a_tiny_entry(tiny):
    x = np.array([tiny, 0.5, 1e-3, 0.2, 0.0])
    weights = np.array([1.0, 2.0, -1.0, 3.0])

    def logarithms(points):
        return (np.log(points[:, :4]) @ weights + points[:, 4])[:, None]

    truth = np.append(weights / x[:4], 1.0)
    found = jacobian(logarithms, x)
    assert np.all(np.abs(found.values[:, 0] - truth) <= found.bars[:, 0])
    assert np.all(found.bars[:, 0] < 1e-9 * np.abs(truth))
    directions = np.array([[1.0, 1.0, -1.0, 0.5, 2.0], [0.0, 1.0, 0.0, 0.0, 0.0]])
    along = directional(logarithms, x, directions)
    assert np.allclose(along.values[:, 0], directions @ truth, rtol=1e-9)
