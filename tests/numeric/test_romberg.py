"""The triangle: what is chosen, and that its bar covers it."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.romberg import SAFETY, extrapolate

STEPS = [2.0**-e for e in (5, 8, 11, 14)]


def quotients(f, x, steps=STEPS):
    return np.array([[(f(x + h) - f(x - h)) / (2 * h)] for h in steps])


def test_a_smooth_function_converges():
    chosen = extrapolate(quotients(np.sin, 0.7), np.full((4, 1), 1e-16) / np.array(STEPS)[:, None], STEPS)
    assert abs(chosen.values[0] - np.cos(0.7)) <= chosen.bars[0] < 1e-10


def test_exact_quotients_leave_only_noise():
    chosen = extrapolate(np.full((4, 1), 3.0), np.full((4, 1), 1e-9), STEPS)
    assert chosen.values[0] == 3.0
    assert chosen.truncation[0] == 0.0
    assert SAFETY * 3e-9 < chosen.bars[0] < 2 * SAFETY * 3e-9


def test_one_sided_quotients_are_extrapolated_in_h():
    one_sided = np.array([[(np.exp(h) - 1.0) / h] for h in STEPS])
    chosen = extrapolate(one_sided, np.full((4, 1), 1e-16) / np.array(STEPS)[:, None], STEPS, power=1)
    assert abs(chosen.values[0] - 1.0) <= chosen.bars[0] < 1e-7


def test_unusable_steps_are_left_out():
    values = quotients(np.sin, 0.7)
    values[0] = np.nan
    chosen = extrapolate(values, np.full((4, 1), 1e-13), STEPS)
    assert chosen.first[0] >= 1
    assert abs(chosen.values[0] - np.cos(0.7)) <= chosen.bars[0]


def test_a_single_step_says_nothing():
    values = np.full((4, 1), np.nan)
    values[2] = 1.0
    chosen = extrapolate(values, np.full((4, 1), 1e-16), STEPS)
    assert np.isnan(chosen.values[0]) and np.isinf(chosen.bars[0])


def test_small_steps_contradict_large_ones_that_agree():
    values = np.array([[0.0], [0.0], [1.0], [1.0]])
    chosen = extrapolate(values, np.full((4, 1), 1e-9), STEPS)
    assert chosen.values[0] == pytest.approx(1.0)


def test_a_small_step_without_neighbours_contradicts_large_ones_that_agree():
    steps = [2.0**-e for e in (5, 8, 11, 14, 17)]
    # The two largest steps are on plateaus; the next was discarded on either side of the smallest but one.
    values = np.array([[1e-4], [1.1e-4], [np.nan], [1.0], [np.nan]])
    chosen = extrapolate(values, np.full((5, 1), 1e-9), steps)
    assert abs(chosen.values[0] - 1.0) <= chosen.bars[0]
    # It confirms what it is near to.
    values = np.array([[1.0 + h * h] for h in steps])
    values[2] = values[4] = np.nan
    chosen = extrapolate(values, np.full((5, 1), 1e-13), steps)
    assert abs(chosen.values[0] - 1.0) <= chosen.bars[0] < 1e-2
