"""Wrong entries of large gradients are found in few evaluations."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.localise import halve, localise

N = 4000


def cost(p):
    return np.tanh(p).sum(axis=1, keepdims=True)


@pytest.fixture
def point():
    x = np.random.default_rng(0).standard_normal(N)
    return x, (1 / np.cosh(x) ** 2)[:, None]


@pytest.mark.parametrize("entry", [0, 1717, N - 1])
def test_one_wrong_entry_takes_few_evaluations(point, entry):
    x, claim = point
    claim[entry] *= 1.01
    found = localise(cost, x, claim)
    assert found.entries == (entry,)
    assert not found.dense
    assert found.evaluations < 1000


def test_ten_wrong_entries_are_found_exactly(point):
    x, claim = point
    wrong = np.sort(np.random.default_rng(4).choice(N, 10, replace=False))
    claim[wrong] *= 1.0 + np.linspace(-0.5, 0.6, 10)[:, None]
    found = localise(cost, x, claim)
    assert found.entries == tuple(wrong)
    assert len(found.blocks) == 10


def test_an_error_everywhere_is_dense(point):
    x, claim = point
    found = localise(cost, x, 1.001 * claim)
    assert found.dense
    assert found.evaluations < 1000


def test_a_right_gradient_has_no_wrong_entry(point):
    x, claim = point
    assert localise(cost, x, claim).blocks == ()


def test_a_small_gradient_is_searched_to_its_entries():
    x = np.array([0.3, -0.4, 1.0])
    claim = (1 / np.cosh(x) ** 2)[:, None]
    claim[1] = 7.0
    assert localise(cost, x, claim).entries == (1,)
    assert localise(cost, x[:1], 2 * claim[:1]).entries == (0,)


def test_columns_of_a_jacobian_are_localised():
    rng = np.random.default_rng(6)
    a, x = rng.standard_normal((500, 4)), rng.standard_normal(500)
    claim = a.copy()
    claim[77, 2] += 1e-5
    assert localise(lambda p: p @ a, x, claim).entries == (77,)


def test_an_error_seen_only_as_a_sum_is_a_block():
    blocks, dense = halve(lambda rows: np.count_nonzero(rows, axis=1) >= 4, np.ones(16))
    assert not dense or blocks
    blocks, dense = halve(lambda rows: np.count_nonzero(rows, axis=1) >= 60, np.ones(240))
    assert all(stop - start >= 60 for start, stop in blocks)


def test_directions_are_made_in_bounded_memory():
    heights = []

    def disagree(rows):
        heights.append(rows.nbytes)
        return rows[:, 5] != 0

    blocks, _ = halve(disagree, np.ones(1000), max_memory=2**17)
    assert blocks == ((5, 6),)
    assert max(heights) <= 2**17
