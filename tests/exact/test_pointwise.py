"""Dimensions along which an equation is one equation for each entry."""

from __future__ import annotations

import pytest

from tensorgrad_cli.algebra.elaborate import elaborate_equation, elaborate_step
from tensorgrad_cli.algebra.expression import Dimension, Equation
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.pointwise import pointwise
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Source

N, M = Dimension("n"), Dimension("m")
TENSORS = {
    tensor.name: tensor
    for tensor in (
        Tensor("x", (N, M)),
        Tensor("a", (N,)),
        Tensor("b", (M,)),
        Tensor("S", (N, N)),
        Tensor("t", (M, N), values="onehot"),
        Tensor("p", (N, M), values="probabilities"),
    )
}


def read(text: str, scope: Scope) -> tuple[Scope, Equation]:
    tree = parse_equation(Source("step", text), scope.vocabulary)
    name, spelling, equation, *_ = elaborate_step(tree, scope)
    return scope.with_step(name, equation.shape, spelling), equation


def found(claim: str, *steps: str) -> set[str]:
    scope = Scope(tensors=TENSORS, dimensions={"n": N, "m": M})
    equations = []
    for step in steps:
        scope, equation = read(step, scope)
        equations.append(equation)
    shapes = {name: tensor.shape for name, tensor in TENSORS.items()} | dict(scope.steps)
    elaborated = elaborate_equation(parse_equation(Source("claim", claim), scope.vocabulary), scope)
    sides = (elaborated.left.expression, elaborated.right.expression)
    read_names = {name for name in TENSORS if name in claim or any(name in step for step in steps)}
    tensors = {name: TENSORS[name] for name in read_names}
    return {d.name for d in pointwise(sides, equations, tensors, shapes.get)}


@pytest.mark.parametrize(
    ("claim", "steps", "dimensions"),
    [
        ("x[i,j] = x[i,j] a[i] b[j]", (), {"n", "m"}),
        ("x[i,j] = sum[k] x[i,k]", (), {"n"}),
        ("x[i,j] = a[i] / n", (), {"m"}),
        ("a[i] = softmax[i](a[i])", (), set()),
        ("S[i,k] = a[i] a[k]", (), set()),
        ("a[i] = S[i,i]", (), set()),
        ("a[i] = x[i,0]", (), {"n"}),
        ("x[i,j] = t[j,i]", (), {"m"}),
        ("x[i,j] = p[i,j]", (), {"n"}),
        ("s[i] = a[i]", ("s[i] = sum[j] x[i,j] b[j]",), {"n"}),
        ("s[i] = a[i]", ("s[i] = a[i] - c", "c = sum[i] a[i]")[::-1], set()),
        ("x[i,j] = S[i,k] x[k,j]", (), {"m"}),
    ],
)
def test_which_dimensions(claim: str, steps: tuple[str, ...], dimensions: set[str]) -> None:
    assert found(claim, *steps) == dimensions
