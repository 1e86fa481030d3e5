"""Drawn tensors have what is declared of them, in the model's sense."""

from __future__ import annotations

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.tensors import STRUCTURES, VALUES, Tensor
from tensorgrad_cli.exact.field import FIELDS, Integers
from tensorgrad_cli.exact.inputs import Inputs
from tensorgrad_cli.exact.linear import determinant, matrix_product
from tensorgrad_cli.exact.residues import ANGLE, EXPONENT, VALUE, Draws

N, M, K = Dimension("n"), Dimension("m"), Dimension("k")
SIZES = {"n": 4, "m": 3, "k": 5}
KINDS = (VALUE, EXPONENT, ANGLE)


def inputs(tensor: Tensor, *, relaxed: bool = False) -> tuple[Inputs, Draws]:
    draws = Draws(FIELDS[:4], 20, np.random.default_rng(3))
    return Inputs({tensor.name: tensor}, draws, SIZES, relaxed=relaxed), draws


def entries(tensor: Tensor, kind: int = VALUE) -> tuple[Integers, Draws]:
    made, draws = inputs(tensor)
    found = made.entries(tensor.name, kind)
    assert found.kept is None
    return found.values, draws


@pytest.mark.parametrize("values", VALUES)
@pytest.mark.parametrize("kind", KINDS)
def test_residues_are_reduced_and_drawn_once(values: str, kind: int) -> None:
    tensor = Tensor("t", (N, M), values=values, indexes=K)
    made, draws = inputs(tensor)
    found = made.entries("t", kind)
    assert found.values.shape == (80, 4, 3)
    assert np.all((found.values >= 0) & (found.values < draws.modulus(kind, 3)))
    assert made.entries("t", kind) is found


def test_positive_values_are_squares() -> None:
    values, draws = entries(Tensor("t", (N,), values="positive"))
    assert np.all(draws.character(values) == 1)


def test_uniform_values_lie_between_zero_and_one() -> None:
    values, draws = entries(Tensor("t", (N,), values="uniform"))
    assert np.all(draws.character(values) == 1)
    assert np.all(draws.character(draws.reduced(1 - values, VALUE)) == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_sum_to_one(kind: int) -> None:
    values, draws = entries(Tensor("t", (N, M), values="probabilities"), kind)
    assert np.all(draws.reduced(values.sum(axis=-1), kind) == 1)
    if kind == VALUE:
        assert np.all(draws.character(values) == 1)


def test_discrete_values_are_the_same_number_in_all_kinds() -> None:
    for values, allowed in (
        ("binary", {0, 1}),
        ("signs", {-1, 1}),
        ("onehot", {0, 1}),
        ("integers", set(range(5))),
    ):
        made, draws = inputs(Tensor("t", (N, M), values=values, indexes=K))
        chosen = made.choice("t")
        assert set(np.unique(chosen).tolist()) == allowed
        for kind in KINDS:
            assert np.array_equal(made.entries("t", kind).values, draws.reduced(chosen.copy(), kind))
        if values == "onehot":
            assert np.all(chosen.sum(axis=-1) == 1)


def test_relaxed_discrete_values_are_any_values_but_positions_stay_positions() -> None:
    made, _ = inputs(Tensor("t", (N,), values="onehot"), relaxed=True)
    assert made.entries("t", VALUE).values.max() > 1
    made, _ = inputs(Tensor("t", (N,), values="integers", indexes=K), relaxed=True)
    assert made.entries("t", VALUE).values.max() < 5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_structures(structure: str, kind: int) -> None:
    values, draws = entries(Tensor("t", (N, N), structure=structure), kind)
    turned = values.swapaxes(-1, -2)
    match structure:
        case "symmetric" | "spd":
            assert np.array_equal(values, turned)
        case "skew":
            assert np.all(draws.reduced(values + turned, kind) == 0)
        case "diagonal":
            assert np.count_nonzero(values) == 80 * 4
        case "lower":
            assert not np.triu(values, 1).any() and np.count_nonzero(values) == 80 * 10
        case "upper":
            assert not np.tril(values, -1).any() and np.count_nonzero(values) == 80 * 10
        case _:
            product = matrix_product(turned, values, kind, draws)
            assert np.array_equal(product, np.broadcast_to(np.eye(4, dtype=int), product.shape))


def test_positive_definite_minors_are_positive() -> None:
    values, draws = entries(Tensor("t", (N, N), structure="spd"))
    for size in range(1, 5):
        minor = determinant(values[:, :size, :size], VALUE, draws)
        assert np.all(draws.character(minor) == 1)


@pytest.mark.parametrize("kind", KINDS)
def test_orthonormal_columns_of_both_orientations(kind: int) -> None:
    values, draws = entries(Tensor("t", (N, M), structure="orthonormal"), kind)
    product = matrix_product(values.swapaxes(-1, -2), values, kind, draws)
    assert np.array_equal(product, np.broadcast_to(np.eye(3, dtype=int), product.shape))
    square, draws = entries(Tensor("t", (N, N), structure="orthonormal"), kind)
    orientation = determinant(square, kind, draws)
    sides = np.where(orientation == 1, 1, -1)
    assert np.array_equal(draws.reduced(sides.copy(), kind), orientation)
    assert {*sides.tolist()} == {1, -1}
