"""Equal, different or undecided: every rule of the comparison, both ways."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric.compare import compare, is_linear, jitter_bar, rounding_bar
from tensorgrad_cli.numeric.difference import jacobian

TRUTH = np.array([[1.0, -2.0, 3.0], [0.5, 0.0, -1e-3]])
BAR = 1e-12


def test_equal_within_the_bars():
    found = compare(TRUTH + 5e-13, 0.0, TRUTH, BAR)
    assert (found.verdict, found.reason) == ("equal", None)
    assert found.max_abs == pytest.approx(5e-13, rel=1e-3)
    assert found.resolution < 1e-11


def test_both_bars_count():
    claim = TRUTH.copy()
    claim[0, 1] += 1.5e-12
    assert compare(claim, BAR, TRUTH, BAR).verdict == "equal"
    assert compare(claim, 0.0, TRUTH, BAR).verdict == "different"


def test_the_worst_entry_is_named():
    claim = TRUTH.copy()
    claim[0, 1] += 1e-6
    claim[1, 0] *= 2
    found = compare(claim, 0.0, TRUTH, BAR)
    assert found.verdict == "different"
    assert (found.worst, found.claim, found.truth) == ((1, 0), 1.0, 0.5)
    assert found.wrong is not None and found.wrong.sum() == 2


@pytest.mark.parametrize("scale", [1e-30, 1e-6, 1.0, 1e6, 1e30])
@pytest.mark.parametrize("error", [2.0, 1e-2, 1e-7])
def test_no_scale_hides_an_error(scale, error):
    claim = TRUTH * scale
    claim[0, 2] *= 1 + error
    assert compare(claim, BAR * scale, TRUTH * scale, BAR * scale).verdict == "different"
    assert compare(TRUTH * scale, BAR * scale, TRUTH * scale, BAR * scale).verdict == "equal"


def test_wide_bars_are_unresolved():
    found = compare(TRUTH, 0.0, TRUTH, 0.1)
    assert (found.verdict, found.reason) == ("undecided", "unresolved")


def test_a_row_that_is_resolved_accepts_its_small_entries():
    truth = np.array([[1.0, 1e-9], [2.0, 3.0]])
    assert compare(truth, 0.0, truth, 1e-8, row=(1,)).verdict == "equal"
    assert compare(truth[:1].T, 0.0, truth[:1].T, 1e-8, row=(1,)).verdict == "undecided"


def test_noise_against_noise_is_vacuous():
    found = compare(np.full(3, 1e-17), 1e-16, np.full(3, -2e-17), 1e-16)
    assert (found.verdict, found.reason) == ("undecided", "vacuous")


def test_a_known_zero_is_no_vacuity():
    noise = np.full(3, 1e-17)
    assert compare(np.zeros(3), 0.0, noise, 1e-16, known_zero=True).verdict == "equal"
    assert compare(np.zeros(3), 0.0, noise, 1e-16, known_zero=True, size=1.0).verdict == "equal"
    assert compare(np.zeros(3), 0.0, noise, 1e-16, known_zero=True, size=1e-12).verdict == "undecided"
    assert compare(np.zeros(3), 0.0, noise + 1.0, 1e-16, known_zero=True).verdict == "different"


def test_two_exact_zeros_agree():
    assert compare(np.zeros(3), 0.0, np.zeros(3), 0.0).verdict == "equal"
    still = np.ones(3, bool)
    assert compare(np.zeros(3), 0.0, np.zeros(3), 1e-14, still=still).verdict == "equal"
    assert compare(np.zeros(3), 0.0, np.zeros(3), 1e-14).verdict == "undecided"


def test_a_kink_is_never_refuted():
    truth, kinks = np.array([np.nan, 1.0, 2.0]), np.array([True, True, False])
    found = compare(np.array([0.5, 1.0, 2.0]), 0.0, truth, BAR, kinks=kinks)
    assert (found.verdict, found.reason) == ("undecided", "kink")
    assert compare(np.array([0.5, 7.0, 2.0]), 0.0, truth, BAR, kinks=kinks).reason == "kink"
    assert compare(np.array([0.5, 1.0, 2.5]), 0.0, truth, BAR, kinks=kinks).verdict == "different"
    assert compare(np.array([1.0, 2.0]), 0.0, truth[1:], BAR, kinks=kinks[1:]).verdict == "equal"


def test_what_has_no_truth_is_outside_the_domain():
    found = compare(np.ones(2), 0.0, np.array([1.0, np.nan]), BAR)
    assert (found.verdict, found.reason) == ("undecided", "domain")


def test_a_claim_that_is_no_number_is_different():
    found = compare(np.array([1.0, np.nan]), 0.0, np.ones(2), BAR)
    assert (found.verdict, found.worst) == ("different", (1,))


def test_tolerances_of_the_user():
    claim = TRUTH * (1 + 1e-5)
    assert compare(claim, 0.0, TRUTH, BAR, rtol=1e-4).verdict == "equal"
    assert compare(TRUTH + 1e-5, 0.0, TRUTH, BAR, atol=1e-4).verdict == "equal"


def test_a_float32_gradient_is_judged_by_its_rounding():
    truth = np.random.default_rng(0).standard_normal(100)
    claim = truth.astype(np.float32).astype(float)
    bar = rounding_bar(claim, "float32")
    assert compare(claim, bar, truth, BAR, accept=1e-4).verdict == "equal"
    claim[7] *= 1.001
    assert compare(claim, bar, truth, BAR, accept=1e-4).verdict == "different"


def test_shapes_must_be_the_same():
    with pytest.raises(ValueError, match="shape"):
        compare(np.ones(2), 0.0, np.ones(3), 0.0)


def test_an_empty_tensor_is_equal():
    assert compare(np.ones((0, 3)), 0.0, np.ones((0, 3)), 0.0).verdict == "equal"


def test_a_scalar_has_an_entry():
    assert compare(np.array(2.0), 0.0, np.array(1.0), BAR).worst == ()


def test_the_resolution_is_what_would_have_been_caught():
    found = compare(TRUTH, 1e-10, TRUTH, 1e-10)
    claim = TRUTH.copy()
    claim[0, 2] *= 1 + 1.01 * found.resolution
    assert compare(claim, 1e-10, TRUTH, 1e-10).verdict == "different"


def test_one_last_place_makes_a_bar():
    x = np.array([1000.3, 1000.1])
    bar = jitter_bar(lambda p: (p[:, :1] - p[:, 1:]) ** 2, x)
    exact = (np.longdouble(x[0]) - np.longdouble(x[1])) ** 2
    assert abs((x[0] - x[1]) ** 2 - exact) <= bar[0] < 1e-9
    assert jitter_bar(lambda p: p * 0.0, x, magnitudes=1.0)[0] > 0


def test_linearity_of_a_pullback():
    a = np.random.default_rng(0).standard_normal((3, 4))
    g = np.ones(3)
    assert is_linear(lambda c: c @ a, g)
    assert not is_linear(lambda c: c @ a + 1.0, g)
    assert not is_linear(lambda c: c * c, g)


@pytest.mark.parametrize("scale", [1e-6, 1e-4, 1.0, 1e4, 1e6])
def test_wrong_gradients_are_refuted_and_right_ones_accepted_at_every_scale(scale):
    rng = np.random.default_rng(1)
    x, w = rng.standard_normal((5, 3)), rng.standard_normal((3, 3))

    def cost(p):
        return scale * np.sum(np.tanh(x @ p.reshape(-1, 3, 3)) ** 2, axis=(1, 2))[:, None]

    y = np.tanh(x @ w)
    right = scale * 2 * x.T @ (y * (1 - y * y))
    truth = jacobian(cost, w)
    values, bars = truth.values.reshape(3, 3), truth.bars.reshape(3, 3)
    bar = jitter_bar(lambda p: scale * 2 * np.einsum("mi,bmj->bij", x, gated(x, p)), w).reshape(3, 3)
    assert compare(right, bar, values, bars).verdict == "equal"
    swapped = right.copy()
    swapped[0, 0], swapped[0, 1] = right[0, 1], right[0, 0]
    for wrong in (right.T, -right, 2 * right, right / 5, scale * 2 * x.T @ y, right * (1 + 1e-7), swapped):
        assert compare(wrong, bar, values, bars).verdict == "different"


def gated(x, p):
    y = np.tanh(x @ p.reshape(-1, 3, 3))
    return y * (1 - y * y)
