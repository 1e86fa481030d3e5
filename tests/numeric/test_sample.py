"""Drawn sizes and values have what was declared of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.tensors import STRUCTURES, VALUES, Tensor
from tensorgrad_cli.numeric.sample import (
    Fact,
    Unsatisfiable,
    draw,
    draw_sizes,
    draw_tensor,
    implied_facts,
)

M, N, B = Dimension("m"), Dimension("n"), Dimension("b")
SIZES = {"m": 5, "n": 3, "b": 2}


def rng(seed=0):
    return np.random.default_rng(seed)


# --- sizes ----------------------------------------------------------------------------------------


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12))
def test_sizes_are_distinct_and_at_least_two(seed, count):
    names = [f"d{number}" for number in range(count)]
    sizes = draw_sizes(names, {}, {}, rng(seed))
    assert len(set(sizes.values())) == count
    assert min(sizes.values()) >= 2
    assert max(sizes.values()) <= max(6, count + 1)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000))
def test_facts_hold(seed):
    facts = {
        "a": Fact(4),
        "b": Fact(None, ((">=", "c"), ("<", "9"))),
        "c": Fact(None, ((">=", "a"),)),
        "d": Fact(None, (("==", "c"),)),
        "e": Fact(1),
    }
    sizes = draw_sizes("abcdef", facts, {"f": 8}, rng(seed))
    assert sizes["a"] == 4 and sizes["e"] == 1
    assert sizes["a"] <= sizes["c"] <= sizes["b"] < 9
    assert sizes["d"] == sizes["c"]
    assert sizes["f"] >= 8


def test_all_of_a_spread_is_drawn_and_the_seed_decides():
    drawn = {draw_sizes(["a", "b"], {}, {}, rng(seed))["a"] for seed in range(60)}
    assert drawn == {2, 3, 4, 5, 6}
    assert draw_sizes("abc", {}, {}, rng(7)) == draw_sizes("cba", {}, {}, rng(7))


def test_what_cannot_be_is_said():
    with pytest.raises(Unsatisfiable, match="a, b"):
        draw_sizes("ab", {"a": Fact(None, ((">", "b"),)), "b": Fact(None, ((">", "a"),))}, {}, rng())


def test_orthonormal_columns_imply_that_there_are_no_more_than_rows():
    facts = implied_facts([Tensor("Q", (M, N), structure="orthonormal")], {"m": Fact(None, (("<", "9"),))})
    assert facts["m"].conditions == (("<", "9"), (">=", "n"))


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("values", ["normal", "positive"])
@pytest.mark.parametrize("front", [(), (B,)])
def test_structures(structure, values, front):
    columns = N if structure == "orthonormal" else M
    tensor = Tensor("X", (*front, M, columns), values=values, structure=structure)
    x = draw_tensor(tensor, SIZES, rng())
    turned = x.swapaxes(-1, -2)
    assert x.shape == tuple(dimension.size(SIZES) for dimension in tensor.shape)
    match structure:
        case "symmetric":
            assert (x == turned).all()
        case "skew":
            assert (x == -turned).all() and x.any()
        case "spd":
            eigenvalues = np.linalg.eigvalsh(x)
            assert (x == turned).all()
            assert eigenvalues.min() > 0.49 and eigenvalues.max() < 2.01
        case "diagonal":
            assert (x == x * np.eye(5)).all()
        case "lower":
            assert (x == np.tril(x)).all() and x.any()
        case "upper":
            assert (x == np.triu(x)).all() and x.any()
        case "orthonormal":
            np.testing.assert_allclose(
                turned @ x, np.broadcast_to(np.eye(3), (*x.shape[:-2], 3, 3)), atol=1e-14
            )


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("scale", [1.0, 1e-2, 30.0])
def test_values(values, scale):
    x = draw_tensor(Tensor("x", (M, N), values=values, indexes=B), SIZES, rng(), scale)
    assert x.shape == (5, 3)
    assert x.dtype == (np.int64 if values == "integers" else np.float64)
    match values:
        case "normal":
            assert 0.5 * scale < np.abs(x).mean() < 2 * scale
            assert np.abs(x).min() >= scale / 16
        case "positive":
            assert (x > 0).all() and 0.3 * scale < x.mean() < 3 * scale
        case "uniform":
            assert ((x > 0) & (x < 1)).all()
        case "integers":
            assert set(x.ravel()) == {0, 1}
        case "binary":
            assert set(x.ravel()) == {0.0, 1.0}
        case "signs":
            assert set(x.ravel()) == {-1.0, 1.0}
        case "onehot":
            assert (x.sum(axis=-1) == 1).all() and set(x.ravel()) == {0.0, 1.0}
        case "probabilities":
            np.testing.assert_allclose(x.sum(axis=-1), 1, atol=1e-15)
            assert (x > 0).all()


def test_scalars():
    for values in VALUES:
        x = draw_tensor(Tensor("s", (), values=values), {}, rng())
        assert np.shape(x) == () and isinstance(x, np.ndarray)


def test_data_are_used_as_they_are():
    data = np.arange(5)
    drawn = draw([Tensor("t", (M,)), Tensor("u", (M,))], SIZES, rng(), data={"t": data})
    assert drawn["t"] is data and drawn["u"].shape == (5,)
    again = draw([Tensor("u", (M,))], SIZES, rng())
    assert (again["u"] == drawn["u"]).all()


def test_structures_that_cannot_be():
    with pytest.raises(Unsatisfiable, match="3 x 5"):
        draw_tensor(Tensor("X", (N, M), structure="symmetric"), SIZES, rng())
    with pytest.raises(Unsatisfiable, match="5 columns of length 3"):
        draw_tensor(Tensor("X", (N, M), structure="orthonormal"), SIZES, rng())
    with pytest.raises(Unsatisfiable, match="two axes"):
        draw_tensor(Tensor("X", (N,), structure="spd"), SIZES, rng())
