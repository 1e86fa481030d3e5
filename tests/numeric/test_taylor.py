"""Remainders fall like the square of the step for a right derivative only."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.taylor import taylor


def cost(p):
    return np.sin(p).sum(axis=1, keepdims=True)


def test_slopes_of_right_and_wrong_derivatives():
    x, v = np.linspace(0.1, 1.5, 6), np.linspace(-1.0, 1.2, 6)
    right = np.cos(x) @ v
    found = taylor(cost, x, v, np.array([right]), noise=1e-15)
    assert found.slope == pytest.approx(2.0, abs=0.1)
    assert taylor(cost, x, v, np.array([1.1 * right])).slope == pytest.approx(1.0, abs=0.2)
    assert len(found.steps) == len(found.zeroth) == len(found.first)


def test_a_linear_function_leaves_no_remainder():
    found = taylor(lambda p: p, np.ones(2), np.ones(2), np.ones(2), noise=1e-16)
    assert np.isnan(found.slope)
