from __future__ import annotations

import pytest

from tensorgrad_cli.algebra.elaborate import elaborate_equation
from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.logarithms import logs_spread
from tensorgrad_cli.algebra.normal import normal_form
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Source

N = Dimension("n")
SCOPE = Scope(
    tensors={
        **{name: Tensor(name, ()) for name in "stu"},
        "v": Tensor("v", (), values="positive"),
        "x": Tensor("x", (N,)),
    },
    dimensions={"n": N},
)


@pytest.mark.parametrize(
    ("claim", "assumed"),
    [
        ("log(exp(s) v) = s + log(v)", False),
        ("log(s v) = log(s) + log(v)", False),
        ("log(s t) = log(s) + log(t)", True),
        ("log(s / t) = log(s) - log(t)", True),
        ("log(1 / s) = -log(s)", False),
        ("log(s^3) = 3 log(s)", False),
        ("log(s^2) = 2 log(s)", True),
        ("log(v^2) = 2 log(v)", False),
        ("log(s^(2/3)) = 2/3 log(s)", True),
        ("log(sqrt(s)) = 1/2 log(s)", False),
        ("log(|s t|) = log(|s|) + log(|t|)", False),
        ("log(|s^2|) = 2 log(|s|)", False),
        ("log(|v|) = log(v)", False),
        ("log(2/3 s) = log(2) - log(3) + log(s)", False),
        ("log(1/(1 + exp(-s))) = -log(1 + exp(-s))", False),
        ("log(exp(-(s - t)^2 / (2 exp(2 u))) / exp(u)) = -(s - t)^2 / (2 exp(2 u)) - u", False),
        ("log(-s t) = log(-s t)", False),
        ("log(s + t) = log(s + t)", False),
        ("log(1) + exp(0) + tanh(0) + sin(0) + cos(0) = 2", False),
        ("log(sqrt(n) v / n) = log(v) - 1/2 log(n)", False),
        ("log(prod[i](x[i])) = Σ[i] log(x[i])", True),
        ("log(prod[i](exp(x[i]))) = Σ[i] x[i]", False),
    ],
)
def test_spread(claim: str, assumed: bool) -> None:
    found = elaborate_equation(parse_equation(Source("claim", claim), SCOPE.vocabulary), SCOPE)
    spread = logs_spread(found.left.expression, frozenset("v"))
    assert normal_form(spread.expression) == normal_form(found.right.expression)
    assert spread.assumed == assumed
