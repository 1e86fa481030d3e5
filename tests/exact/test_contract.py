"""The order of the products of two that a contraction is made of."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from tensorgrad_cli.algebra.expression import Dimension, Index
from tensorgrad_cli.exact.contract import contractions


def test_more_indices_than_there_are_letters() -> None:
    """60 matrices in a row, two draws of each: every product is one of two, by letters that NumPy takes."""
    indices = [Index("i", Dimension("n"), k) for k in range(61)]
    rng = np.random.default_rng(1)
    left = [rng.integers(-1, 2, size=(2, 3, 3)).astype(object) for _ in range(60)]
    expected = left[0]
    for matrix in left[1:]:
        expected = expected @ matrix
    for step in contractions(tuple(pairwise(indices)), (indices[0], indices[-1])):
        product = np.einsum(step.subscripts, left[step.first], left[step.second])
        left = [one for k, one in enumerate(left) if k not in (step.first, step.second)] + [product]
    assert len(left) == 1
    assert (left[0] == expected).all()
