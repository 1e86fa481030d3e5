"""Sizes of dimensions."""

from __future__ import annotations

import numpy as np

from tensorgrad_cli.algebra.expression import Dimension, Index, Ref
from tensorgrad_cli.exact.sizes import assignments, least_sizes

N, M, K, SIX = (Dimension(name) for name in ("n", "m", "k", "6"))


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_four_assignments_never_equal_sizes() -> None:
    for dimensions in ([N], [N, M], [N, M, K], [Dimension(f"d{i}") for i in range(9)]):
        found = assignments(dimensions, {}, {}, (), rng())
        assert len(found) == 4
        for sizes in found:
            assert sizes.keys() == {dimension.name for dimension in dimensions}
            assert len(set(sizes.values())) == len(sizes) and min(sizes.values()) >= 2
        # No claim about a sum or a product of all sizes holds by coincidence.
        assert len({sum(sizes.values()) for sizes in found}) > 1
        assert len({int(np.prod(list(sizes.values()))) for sizes in found}) > 1


def test_one_dimension_has_the_sizes_two_to_five() -> None:
    assert [sizes["n"] for sizes in assignments([N], {}, {}, (), rng())] == [2, 3, 4, 5]


def test_minimum_fixed_and_whole_dimensions() -> None:
    found = assignments([N, M, SIX], {"n": 4}, {"m": 7}, (), rng())
    assert all(sizes["n"] >= 4 and sizes["m"] == 7 and sizes["n"] != 7 for sizes in found)
    assert assignments([SIX], {}, {}, (), rng()) == ({},)


def test_computed_dimensions_and_orthonormal_ones() -> None:
    valid = Dimension("n - m + 1", ((1, ("n",)), (-1, ("m",)), (1, ())))
    for sizes in assignments([N, M, valid], {}, {}, (), rng()):
        assert sizes["n"] >= sizes["m"]
    for sizes in assignments([N, M], {}, {}, ((M, N),), rng()):
        assert sizes["m"] >= sizes["n"]
    impossible = Dimension("-n", ((-1, ("n",)),))
    assert assignments([N, impossible], {}, {}, (), rng()) == ()


def test_fixed_positions_want_room() -> None:
    shapes = {"x": (N, M)}
    found = least_sizes(Ref("x", (3, Index("j", M))), shapes.get)
    assert found == {"n": 4}


def test_conditions_of_the_spec() -> None:
    said = (("n", ">=", "m"), ("m", ">", "k"), ("k", ">=", "12"))
    for sizes in assignments([N, M, K], {}, {}, (), rng(), conditions=said):
        assert sizes["n"] >= sizes["m"] > sizes["k"] >= 12
    # m stands between the two, though nothing else has it.
    for sizes in assignments([N, K], {}, {}, (), rng(), conditions=said[:2]):
        assert sizes["n"] >= sizes["m"] > sizes["k"]
    assert [sizes["n"] for sizes in assignments([N], {}, {}, (), rng(), conditions=said[:2])] == [2, 3, 4, 5]
    assert assignments([N], {}, {}, (), rng(), conditions=(("n", "<", "2"),)) == ()
    assert all(
        sizes["n"] != 3 for sizes in assignments([N], {}, {}, (), rng(), conditions=(("n", "!=", "3"),))
    )
