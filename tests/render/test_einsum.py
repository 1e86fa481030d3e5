"""The einsum subscripts that are shown."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import (
    Apply,
    Const,
    Delta,
    Dimension,
    Index,
    Op,
    Ref,
    add,
    fresh,
    multiply,
    negate,
    power,
    size,
    summation,
)
from tensorgrad_cli.render.einsum import einsum_subscripts
from tensorgrad_cli.spec.read import read_path
from tensorgrad_cli.verify.chain_formulas import chain_checks, displayed
from tensorgrad_cli.verify.ground import Ground

SPECS = Path(__file__).parent.parent.parent / "specs"

M, N, P = Dimension("m"), Dimension("n"), Dimension("p")
I, J, K = Index("i", M), Index("j", N), Index("k", P)


def test_a_jacobian_shows_its_delta():
    p, q = Index("p", P), Index("q", N)
    assert einsum_subscripts(multiply(Ref("x", (I, p)), Delta(J, q)), (I, J, p, q)) == ("ip,jq->ijpq",)


def test_functions_are_operands_of_their_indices():
    i = fresh(I)

    def f(name):
        return Apply(name, (1,), (Ref(name, (i, J)),))

    expression = summation((i,), multiply(Ref("x", (i, K)), f("C"), f("f")))
    assert einsum_subscripts(expression, (K, J)) == ("ik,ij,ij->kj",)


def test_one_for_each_summand():
    k = fresh(K)
    expression = add(summation((k,), multiply(Ref("x", (I, k)), Ref("w", (k, J)))), negate(Ref("b", (J,))))
    assert einsum_subscripts(expression, (I, J)) == ("ik,kj->ij", "j,i->ij")


def test_what_a_summand_is_repeated_along_is_an_operand_of_ones():
    p = Index("p", N)
    assert einsum_subscripts(Delta(J, p), (I, J, p)) == ("jp,i->ijp",)
    assert einsum_subscripts(Const(Fraction(3)), (I, J)) == ("ij->ij",)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_result_has_the_rank_of_the_formula(path: Path):
    spec, _ = read_path(str(path), load_data=False)
    assert spec is not None
    ground = Ground(spec)
    for check in chain_checks(ground):
        equation, _ = displayed(ground, check)
        for written in einsum_subscripts(equation.expression, equation.indices):
            inputs, _, out = written.partition("->")
            arrays = [np.ones((1,) * len(operand)) for operand in inputs.split(",")]
            assert np.einsum(written, *arrays).ndim == len(out) == len(equation.indices), written


def test_letters_that_are_taken_or_too_long():
    row, again = Index("row", M), fresh(I)
    expression = summation((again,), multiply(Ref("A", (I, again)), Ref("B", (again, row))))
    assert einsum_subscripts(expression, (row, I)) == ("ik,kj->ji",)


def test_numbers_sizes_powers_positions_and_operations():
    k, j = fresh(K), fresh(J)
    soft = Op("softmax", (j,), (J,), (Ref("z", (I, j)),))
    assert einsum_subscripts(multiply(Const(Fraction(2)), soft, size(M)), (I, J)) == ("ij->ij",)
    expression = summation(
        (k,), multiply(power(Ref("x", (k,)), Const(Fraction(-1))), Ref("A", (k, 0)), Ref("s"))
    )
    assert einsum_subscripts(expression, ()) == ("k,k,->",)
    assert einsum_subscripts(summation((k,), Ref("Q", (k, k))), ()) == ("kk->",)


def test_the_same_sum_twice():
    k = fresh(K)
    total = summation((k,), Ref("v", (k,)))
    assert einsum_subscripts(multiply(total, total), ()) == ("k,i->",)
