"""Central differences: bars that hold, at every scale, near kinks and edges, in bounded memory."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.numeric import complex_step
from tensorgrad_cli.numeric.difference import directional, jacobian, scales
from tensorgrad_cli.numeric.projection import directions


def violations(cases, true_jacobian, seeds, method):
    """Entries whose error exceeds the bar, the number of entries, all relative bars."""
    broken, count, relative = [], 0, []
    for seed in seeds:
        for case in cases(seed):
            truth = true_jacobian(case)
            found = method(case, seed)
            wrong = ~(np.abs(found.values - truth) <= found.bars)
            broken += [(seed, case.name, *map(int, at)) for at in np.argwhere(wrong)]
            count += wrong.size
            moving = truth != 0
            with np.errstate(over="ignore"):
                relative += list((found.bars[moving] / np.abs(truth[moving])).astype(float))
    return broken, count, relative


def central(case, seed):
    return jacobian(case.f, case.x, seed=seed)


def test_no_bar_is_violated(cases, true_jacobian):
    broken, count, relative = violations(cases, true_jacobian, range(2), central)
    assert broken == []
    assert count > 10_000
    assert np.median(relative) < 1e-9


@pytest.mark.slow
def test_no_bar_is_violated_in_a_hundred_thousand_entries(cases, true_jacobian):
    broken, count, relative = violations(cases, true_jacobian, range(100, 120), central)
    assert broken == []
    assert count > 100_000
    assert np.median(relative) < 1e-9


def test_no_bar_of_a_direction_is_violated(cases, true_jacobian):
    for case in cases(7):
        rows = directions(scales(case.x), 4, seed=7)
        truth = rows.astype(np.longdouble) @ true_jacobian(case)
        found = directional(case.f, case.x, rows)
        assert np.all(np.abs(found.values - truth) <= found.bars), case.name


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("output", [1e-6, 1.0, 1e6])
def test_a_tanh_is_resolved_at_every_scale(size, output):
    x = np.linspace(-1.0, 1.3, 12) * size
    found = jacobian(lambda p: output * np.tanh(p / size).sum(axis=1, keepdims=True), x)
    truth = (output / size / np.cosh(x / size) ** 2)[:, None]
    assert np.all(np.abs(found.values - truth) <= found.bars)
    assert np.all(found.bars <= 1e-8 * truth)


def test_an_even_function_at_zero_is_resolved():
    found = jacobian(lambda p: np.sum(p * p, axis=1, keepdims=True), np.zeros(3))
    assert np.all(found.values == 0.0)
    assert np.all(found.bars < 1e-14)


def test_a_constant_stands_still():
    found = jacobian(lambda p: np.ones((len(p), 2)), np.arange(3.0))
    assert found.still.all()
    assert np.all(found.values == 0.0)
    assert np.all(found.bars > 0.0)


def test_a_function_finer_than_the_first_steps_is_followed():
    x = np.array([0.3, -0.7])
    for frequency in (1e2, 1e4, 1e6, 1e8):
        found = jacobian(lambda p, w=frequency: np.sin(w * p), x)
        truth = np.diag(frequency * np.cos(frequency * x))
        assert np.all(np.abs(found.values - truth) <= found.bars), frequency


def test_plateaus_on_both_sides_do_not_pretend_to_agree():
    x = np.array([19.0, 30.0, -25.0])
    found = jacobian(np.tanh, x)
    truth = np.diag(np.exp(np.log(4.0) - 2.0 * np.abs(x)))
    assert np.all(np.abs(found.values - truth) <= found.bars)


def test_a_bend_that_names_no_branch_is_not_mistaken_for_rounding():
    def top(p):
        return p.max(axis=1, keepdims=True)

    found = jacobian(top, np.array([590470.6, 618786.4, -2e5]))
    assert np.all(np.abs(found.values[:, 0] - [0.0, 1.0, 0.0]) <= found.bars[:, 0])


def test_the_edge_of_a_domain_leaves_one_side():
    found = jacobian(lambda p: p * np.sqrt(p), np.array([1e-9, 2.0]))
    truth = np.diag(1.5 * np.sqrt(np.array([1e-9, 2.0])))
    assert np.all(np.abs(found.values - truth) <= found.bars)
    assert not found.lost.any()


def test_outside_a_domain_lines_are_lost():
    found = jacobian(np.log, np.array([-1.0, 2.0]))
    assert found.lost[0] and np.isnan(found.values[0, 0])


def relu(p):
    """max(p, 0) with its branches."""
    return np.maximum(p, 0.0), np.sign(p)


@pytest.mark.parametrize("distance", [1e-3, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_near_a_kink_the_slope_of_its_own_side_is_found(distance, side):
    x = np.array([side * distance, 1.0])
    found = jacobian(lambda p: tuple_sum(p), x)
    assert not found.kinks.any()
    assert found.values[0, 0] == pytest.approx(float(side > 0), abs=1e-9)
    assert found.bars[0, 0] < 1e-6


def tuple_sum(p):
    values, branches = relu(p)
    return values.sum(axis=1, keepdims=True), branches


def test_between_two_kinks_small_steps_are_used():
    def clip(p):
        return np.clip(p, 0.0, 1e-4), np.sign(p) + np.sign(p - 1e-4)

    found = jacobian(clip, np.array([5e-5]), scale=np.ones(1))
    assert abs(found.values[0, 0] - 1.0) <= found.bars[0, 0] < 1e-6


def test_a_tie_is_a_kink_with_both_slopes():
    found = jacobian(tuple_sum, np.array([0.0, 1.0]), groups=(2,))
    assert list(found.kinks) == [True, False]
    assert np.isnan(found.values[0, 0])
    assert found.slopes is not None
    assert found.slopes[:, 0, 0] == pytest.approx([0.0, 1.0], abs=1e-6)
    assert found.values[1, 0] == pytest.approx(1.0, abs=1e-9)


def test_a_tie_of_a_maximum_is_a_kink():
    def highest(p):
        return p.max(axis=1, keepdims=True), p.argmax(axis=1)

    found = jacobian(highest, np.array([1.0, 1.0, 0.5]))
    assert list(found.kinks) == [True, True, False]
    assert found.values[2, 0] == 0.0


def test_a_tie_that_bends_nothing_has_a_derivative():
    found = jacobian(lambda p: (np.maximum(p, 0.0) ** 2, np.sign(p)), np.array([0.0]), scale=np.ones(1))
    assert found.kinks[0]
    assert abs(found.values[0, 0]) <= found.bars[0, 0]


def test_relu_nets_at_any_distance_from_a_kink_are_never_contradicted():
    rng = np.random.default_rng(3)
    w2 = rng.standard_normal((6, 2))
    for distance in (1e-3, 1e-5, 1e-7, 1e-9, 1e-11, 1e-13, 0.0):
        x = rng.standard_normal((3, 4))
        w1 = rng.standard_normal((4, 6))
        w1[0, 0] -= (x[0] @ w1[:, 0] - distance) / x[0, 0]

        def net(p, x=x):
            z = np.einsum("mi,bij->bmj", x, p.reshape(-1, 4, 6))
            return (np.maximum(z, 0.0) @ w2).reshape(len(p), -1), np.sign(z).reshape(len(p), -1)

        found = jacobian(net, w1)
        gate = (x @ w1 > 0).astype(float)
        truth = np.einsum("mi,mj,jk->ijmk", x, gate, w2).reshape(24, 6)
        sure = ~np.isnan(found.values)
        apart = np.abs(found.values - truth) > found.bars
        assert not np.any(apart & sure & ~found.kinks[:, None]), distance


def test_memory_bounds_the_batch():
    sizes = []

    def f(p):
        sizes.append(len(p))
        return np.tanh(p).sum(axis=1, keepdims=True)

    x = np.random.default_rng(0).standard_normal(300)
    found = jacobian(f, x, max_memory=2**17)
    assert max(sizes) * x.nbytes <= 2**17
    assert np.all(np.abs(found.values[:, 0] - 1 / np.cosh(x) ** 2) <= found.bars[:, 0])


@pytest.mark.parametrize("method", [directional, complex_step.directional])
def test_outputs_that_do_not_fit_at_once_are_looked_at_in_turn(method):
    rng = np.random.default_rng(0)
    x, matrix = rng.standard_normal(40), rng.standard_normal((40, 5000))
    rows = directions(scales(x), seed=1)

    def f(points):
        return np.sin(points @ matrix), np.sign(np.real(points[:, :3]))

    found = method(f, x, rows, max_memory=2**20)
    truth = (rows @ matrix) * np.cos(x @ matrix)
    assert found.values.shape == truth.shape and found.noise.shape == found.centre.shape == truth.shape[1:]
    assert np.all(np.abs(found.values - truth) <= found.bars)
    assert np.all(found.bars <= 1e-8 * np.abs(truth).max())
    once = method(f, x, rows)
    assert found.evaluations > 2 * once.evaluations
    assert np.median(found.bars / once.bars) < 4


def test_many_lines_take_about_six_evaluations_each():
    x = np.random.default_rng(0).standard_normal(3000)
    found = jacobian(lambda p: np.tanh(p @ np.ones((3000, 1)) / 50), x, max_memory=2**26)
    assert found.evaluations < 6.5 * x.size


def test_perturbations_replace_points():
    x = np.random.default_rng(0).standard_normal(20)
    calls = []

    def perturb(which, steps):
        calls.append(len(which))
        return (np.sin(x).sum() - np.sin(x[which]) + np.sin(x[which] + steps))[:, None]

    found = jacobian(lambda p: np.sin(p).sum(axis=1, keepdims=True), x, perturb=perturb)
    assert sum(calls) >= 6 * x.size
    assert np.all(np.abs(found.values[:, 0] - np.cos(x)) <= found.bars[:, 0])


def test_scales_are_powers_of_two_floored_by_the_tensor():
    x = np.array([3.0, 1e-9, -5.0, 0.0, 0.0, 1e6])
    found = scales(x, groups=(3, 2, 1))
    assert list(found) == [2.0, 2.0, 4.0, 1.0, 1.0, 2.0**19]


def test_the_same_seed_gives_the_same_numbers():
    x = np.random.default_rng(5).standard_normal(9)
    first, second = (jacobian(np.tanh, x, seed=4) for _ in range(2))
    assert np.array_equal(first.values, second.values) and np.array_equal(first.bars, second.bars)
    assert first.evaluations == second.evaluations


def test_no_inputs_give_an_empty_jacobian():
    found = jacobian(lambda p: np.ones((len(p), 3)), np.zeros(0))
    assert found.values.shape == (0, 3)


@pytest.mark.parametrize("power", range(10, 22, 2))
@pytest.mark.parametrize("f", [lambda x: 1.0 / (1.0 + np.exp(-x)), np.tanh], ids=["sigmoid", "tanh"])
def test_a_zero_among_large_numbers(f, power):
    """Its steps are those of its tensor's size: far outside the bend at zero, where both sides are flat."""
    x = np.array([0.0, 2.0**power])
    found = jacobian(f, x)
    truth = 0.25 if f(0.0) == 0.5 else 1.0
    assert abs(found.values[0, 0] - truth) <= found.bars[0, 0] <= 1e-8


def test_values_whose_squares_underflow():
    rng = np.random.default_rng(0)
    for x in rng.uniform(19.0, 26.0, (50, 3)):
        found = jacobian(lambda p: np.exp(-p * p), x)
        wide = x.astype(np.longdouble)
        truth = -2.0 * wide * np.exp(-wide * wide)
        for k in range(3):
            assert abs(found.values[k, k] - truth[k]) <= found.bars[k, k]


def test_a_function_that_rounding_holds_is_no_zero_where_its_inner_size_is_known():
    x = np.array([1e-9, 1e-8, 3e-8])
    found = jacobian(lambda p: np.log(1.0 + p * p), x, inside=1.0)
    for k in range(3):
        assert abs(found.values[k, k] - 2.0 * x[k]) <= found.bars[k, k]


def test_a_peak_far_narrower_than_its_tensor_is_large():
    """Both sides of it are 0 at every step that its scale suggests."""
    x = np.array([0.5, 1e6])
    found = jacobian(lambda p: np.exp(-p * p), x)
    assert abs(found.values[0, 0] + np.exp(-0.25)) <= found.bars[0, 0] <= 1e-6
