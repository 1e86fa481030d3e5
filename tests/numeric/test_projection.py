"""Random directions: derivatives along them, and the chance of a miss that they state."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from tensorgrad_cli.numeric.difference import scales
from tensorgrad_cli.numeric.projection import CHANCE, chance, directions, hidden_size, product, project


@pytest.mark.parametrize("method", ["central", "complex"])
def test_a_right_gradient_of_many_inputs_agrees(method):
    x = np.random.default_rng(0).standard_normal(5000)
    found = project(lambda p: np.sin(p).sum(axis=1, keepdims=True), x, method=method, groups=(2000, 3000))
    values, bars = product(found.directions, np.cos(x)[:, None])
    assert np.all(np.abs(values - found.differences.values) <= bars + found.differences.bars)
    assert found.differences.method == method
    assert found.differences.evaluations < 80


def test_one_wrong_entry_of_many_shows():
    x = np.random.default_rng(1).standard_normal(5000)
    found = project(lambda p: np.sin(p).sum(axis=1, keepdims=True), x)
    claim = np.cos(x)[:, None]
    claim[1234] *= 1.0 + 1e-4
    values, bars = product(found.directions, claim)
    assert np.any(np.abs(values - found.differences.values) > bars + found.differences.bars)


def test_directions_are_gaussian_and_scaled():
    scale = np.array([2.0**-20, 1.0, 2.0**20])
    rows = directions(scale, 4000, seed=3) / scale
    assert np.std(rows, axis=0) == pytest.approx([1.0] * 3, rel=0.05)
    assert np.mean(np.abs(rows) < 0.1) == pytest.approx(math.erf(0.1 / math.sqrt(2)), abs=0.01)


def test_points_along_directions_are_floating_point_numbers():
    x = np.random.default_rng(0).uniform(1.3, 1.7, 50)
    rows = directions(scales(x), 3)
    for step in (2.0**-5, 2.0**-11):
        assert np.all((x + step * rows) - x == step * rows)


def test_chances_of_independent_directions_multiply():
    bars = np.array([[1e-3], [2e-3]])
    expected = math.erf(1e-3 / math.sqrt(2)) * math.erf(2e-3 / math.sqrt(2))
    assert chance(bars, 1.0)[0] == pytest.approx(expected)
    assert chance(np.zeros((2, 1)), 1.0)[0] == 0.0


def test_the_hidden_size_has_its_chance():
    bars = np.array([[1e-12, 0.0], [3e-12, 0.0]])
    size = hidden_size(bars)
    assert chance(bars, size)[0] == pytest.approx(CHANCE, rel=0.01)
    assert size[1] == 0.0


@pytest.mark.slow
def test_the_stated_chance_of_a_miss_is_calibrated():
    rng = np.random.default_rng(9)
    n, runs, bar = 60, 400, 1e-3
    scale = np.exp2(rng.integers(-3, 4, n).astype(float))
    error = rng.standard_normal(n) / scale / math.sqrt(n)
    size = float(np.linalg.norm(scale * error))
    for relative in (0.5, 1.0, 2.0, 5.0):
        threshold = relative * bar * size / bar
        bars = np.full((2, 1), threshold)
        predicted = runs * float(chance(bars, size)[0])
        seen = sum(
            bool(np.all(np.abs(directions(scale, 2, seed=run) @ error) <= threshold)) for run in range(runs)
        )
        spread = math.sqrt(predicted * (1 - predicted / runs))
        assert abs(seen - predicted) <= 3 * spread + 1


@pytest.mark.slow
@pytest.mark.parametrize("method", ["central", "complex"])
def test_a_million_inputs_fit_in_bounded_memory(method):
    x = np.random.default_rng(0).standard_normal(10**6)
    tracemalloc.start()
    try:
        found = project(lambda p: np.tanh(p).sum(axis=1, keepdims=True), x, method=method, max_memory=2**28)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    values, bars = product(found.directions, 1 / np.cosh(x[:, None]) ** 2)
    assert np.all(np.abs(values - found.differences.values) <= bars + found.differences.bars)
    assert peak < 600 * 2**20
