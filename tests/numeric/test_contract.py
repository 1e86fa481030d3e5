"""Contractions against NumPy's einsum, whatever way they take."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.numeric.contract import contractor

SIZES = dict(zip("abcdef", [2, 3, 4, 5, 6, 7], strict=True))

# One of each way, and what failed before.
CASES = [
    "ab,bc->ac",
    "ab,bc->ca",
    "ba,bc->ac",
    "ba,cb->ac",
    "ab,b->a",
    "a,ab->b",
    "a,a->",
    "ab,ab->",
    "ab,ba->",
    "abc,cd->abd",
    "abc,bcd->ad",
    "abc,cbd->da",
    "bac,bd->acd",
    "abc,acd->abd",
    "cab,cda->dbca",
    "ab,ab->a",
    "ab,ab->b",
    "ab,a->b",
    "abc,ab->ac",
    "ab,ab->ab",
    "ab,ba->ba",
    "a,b->ab",
    "a,b->ba",
    "ab,b->ab",
    "ab,c->c",
    "ab->ba",
    "ab->",
    "abc->ca",
    "ab,bc,cd->ad",
    "ab,ab,ab->a",
    "ab,a,b->ab",
    "a,b,c,d->dbca",
    "ab,bc,ca->",
    "eab,ebc,ecd->ead",
    "ab,cd,e->ea",
]


def operands(subscripts, rng, dtype=float, reverse=False):
    arrays = []
    for letters in subscripts.split("->")[0].split(","):
        shape = [SIZES[letter] for letter in letters]
        array = rng.normal(size=shape[::-1]).T if reverse else rng.normal(size=shape)
        if dtype is complex:
            array = array + 1j * rng.normal(size=shape)
        arrays.append(array.astype(dtype))
    return arrays


def check(subscripts, arrays):
    value = contractor(subscripts, tuple(array.shape for array in arrays)).call(arrays)
    expected = np.einsum(subscripts, *arrays)
    assert np.shape(value) == expected.shape
    np.testing.assert_allclose(
        value, expected, rtol=1e-6 if arrays[0].dtype == np.float32 else 1e-11, atol=1e-5
    )


@pytest.mark.parametrize("subscripts", CASES)
@pytest.mark.parametrize("dtype", [float, complex, np.float32, np.longdouble])
@pytest.mark.parametrize("reverse", [False, True])
def test_cases(subscripts, dtype, reverse):
    check(subscripts, operands(subscripts, np.random.default_rng(1), dtype, reverse))


@st.composite
def contractions(draw):
    inputs = draw(
        st.lists(
            st.lists(st.sampled_from("abcdef"), unique=True, min_size=1, max_size=4), min_size=1, max_size=4
        )
    )
    letters = sorted({letter for one in inputs for letter in one})
    out = draw(st.lists(st.sampled_from(letters), unique=True, max_size=5))
    return ",".join("".join(one) for one in inputs) + "->" + "".join(out)


@settings(max_examples=200, deadline=None)
@given(contractions(), st.booleans())
def test_random_contractions(subscripts, reverse):
    check(subscripts, operands(subscripts, np.random.default_rng(2), float, reverse))


@pytest.mark.parametrize(
    "subscripts",
    [
        "ik,Bkj->Bij",
        "ik,Bij->Bkj",
        "Bkj,ik->Bij",
        "ik,CBkj->CBij",
        "i,Bij->Bj",
        "BCij,Ckj->BCik",
        "Cij,BCik->BCkj",
    ],
)
def test_a_stack_of_large_matrices_is_not_copied(subscripts):
    sizes = {"B": 3, "C": 2, "i": 30, "j": 40, "k": 50}
    rng = np.random.default_rng(3)
    arrays = [rng.normal(size=[sizes[c] for c in one]) for one in subscripts.split("->")[0].split(",")]
    check(subscripts, arrays)
    made = contractor(subscripts, tuple(array.shape for array in arrays))
    assert made.call(arrays).flags.c_contiguous


def test_the_intermediates_are_counted():
    made = contractor("ab,bc,cd->ad", ((10, 1000), (1000, 2), (2, 300)))
    assert made.entries == 10 * 2 + 10 * 300
    assert contractor("ab,bc->ac", ((10, 1000), (1000, 2))).entries == 20
    assert contractor("ab->ba", ((3, 4),)).view


@pytest.mark.parametrize("size", [2, 20])
def test_more_operands_and_letters_than_numpy_takes(size):
    """60 matrices in a row, with letters beyond the 52 of NumPy's einsum, and a vector under every second."""
    rng = np.random.default_rng(4)
    letters = [chr(0x4E00 + k) for k in range(61)]
    pairs = [a + b for a, b in pairwise(letters)]
    matrices = [rng.normal(size=(size, size)) / size for _ in pairs]
    vectors = [rng.normal(size=size) for _ in pairs[::2]]
    subscripts = ",".join([*pairs, *letters[:60:2]]) + f"->{letters[0]}{letters[-1]}"
    arrays = [*matrices, *vectors]
    value = contractor(subscripts, tuple(array.shape for array in arrays)).call(arrays)
    expected = np.eye(size)
    for k, matrix in enumerate(matrices):
        expected = expected @ (matrix * vectors[k // 2][:, None] if k % 2 == 0 else matrix)
    np.testing.assert_allclose(value, expected, rtol=1e-10)


@pytest.mark.parametrize(
    "subscripts", ["ab,bc,cd->ad", "ab,ab->a", "ab,ab,ab->a", "ab,ba->", "eab,ebc,ecd->ead"]
)
def test_a_letter_is_any_character(subscripts):
    arrays = operands(subscripts, np.random.default_rng(5))
    other = subscripts.translate({ord(letter): 0x4E00 + k for k, letter in enumerate("abcde")})
    shapes = tuple(array.shape for array in arrays)
    np.testing.assert_array_equal(
        contractor(other, shapes).call(arrays), contractor(subscripts, shapes).call(arrays)
    )
