"""What the exact test decides, and how."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tensorgrad_cli.algebra.elaborate import elaborate_equation, elaborate_step
from tensorgrad_cli.algebra.expression import (
    Affine,
    Apply,
    Delta,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Ref,
    Sum,
    add,
    constant,
    mask,
    multiply,
    power,
    subtract,
)
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.decide import LARGEST_CHANCE, Decision, Session, decide
from tensorgrad_cli.exact.domain import Requirement
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.source import Source


class Chain:
    """Declared tensors and steps, read from the notation; claims are decided on one session."""

    def __init__(
        self,
        tensors: dict[str, Any],
        steps: Iterable[str] = (),
        functions: Iterable[str] = (),
        **options: Any,
    ) -> None:
        declared = {name: _tensor(name, facts) for name, facts in tensors.items()}
        self.dimensions = {d.name: d for tensor in declared.values() for d in tensor.shape}
        self.scope = Scope(tensors=declared, dimensions=self.dimensions, abstract=dict.fromkeys(functions, 1))
        equations: list[Equation] = []
        for line in steps:
            name, spelling, equation, *_ = elaborate_step(self._tree(line), self.scope)
            equations.append(equation)
            self.scope = self.scope.with_step(name, equation.shape, spelling)
        self.session = Session(tuple(equations), declared, **options)

    def _tree(self, line: str) -> Any:
        return parse_equation(Source("test", line), self.scope.vocabulary)

    def sides(self, claim: str) -> tuple[Expression, Expression, tuple[Index, ...]]:
        read = elaborate_equation(self._tree(claim), self.scope)
        assert read.mismatch is None
        return read.left.expression, read.right.expression, read.free

    def decide(self, claim: str) -> Decision:
        return self.session.decide(*self.sides(claim))


def _tensor(name: str, facts: Any) -> Tensor:
    facts = dict(facts) if isinstance(facts, dict) else {"shape": facts}
    shape = tuple(Dimension(str(size)) for size in facts.pop("shape"))
    return Tensor(name, shape, **facts)


# --- the two lists --------------------------------------------------------------------------------

SPEC = yaml.safe_load((Path(__file__).parent / "identities.yaml").read_text(encoding="utf-8"))
TRUE = [claim for claim in SPEC["claims"] if isinstance(claim, str)]
FALSE = [claim["claim"] for claim in SPEC["claims"] if isinstance(claim, dict)]


@pytest.fixture(scope="module")
def identities() -> Chain:
    return Chain(SPEC["tensors"], SPEC["chain"], SPEC["functions"])


@pytest.mark.parametrize("claim", TRUE)
def test_true_identities_are_proved(identities: Chain, claim: str) -> None:
    decision = identities.decide(claim)
    assert decision.outcome == "equal"
    assert decision.bound is not None and 0 < decision.bound < LARGEST_CHANCE


@pytest.mark.parametrize("claim", FALSE)
def test_false_identities_are_not(identities: Chain, claim: str) -> None:
    decision = identities.decide(claim)
    assert decision.outcome == ("different" if decision.rational else "unknown")
    assert decision.bound is None


@pytest.mark.parametrize("claim", ["max[k:30000](exp(c)) = exp(c)", "max[k:30000 n,l:30000](c) = c"])
def test_nothing_is_stored_that_would_take_gigabytes(claim: str) -> None:
    # In a tournament each entry meets each.
    tracemalloc.start()
    try:
        assert Chain({"c": [], "x": ["n"]}).decide(claim).outcome == "unknown"
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


# --- rational functions ---------------------------------------------------------------------------

PLAIN = {"x": ["n"], "y": ["n"], "A": ["n", "n"], "B": ["n", "m"], "c": []}


@pytest.fixture(scope="module")
def plain() -> Chain:
    return Chain(PLAIN, ["s = x[i] y[i]", "z[j] = x[i] B[i,j]"], ["f", "g"])


@pytest.mark.parametrize(
    "claim",
    [
        "(x + y)ᵀ (x + y) = xᵀ x + 2 s + yᵀ y",
        "det(inv(A)) det(A) = 1",
        "inv(A) A x = x",
        "f(x[i]) g'(y[i]) = g'(y[i]) f(x[i])",
        "f(z[j]) = f(x[i] B[i,j])",
        "prod[i] (x[i] y[i]) = (prod[i] x[i]) (prod[i] y[i])",
        "tr(A A) = A[i,j] A[j,i]",
        "(x[i]^2 - y[i]^2) / (x[i] - y[i]) = x[i] + y[i]",
        "kron(A, A)[i,j] = kron(A, A)[i,j]",
    ],
)
def test_rational_identities(plain: Chain, claim: str) -> None:
    decision = plain.decide(claim)
    assert decision.outcome == "equal" and decision.rational
    assert decision.bound is not None and 0 < decision.bound < 1e-60


@pytest.mark.parametrize(
    "claim",
    [
        "inv(A) x = A x",
        "f(x[i]) = g(x[i])",
        "f'(x[i]) = f(x[i])",
        "f(x[i] + y[i]) = f(x[i]) + f(y[i])",
        "n x[i] = 3 x[i]",
        "s = s + 1e-60",
        "x[i] = 273720 x[i]",
        "det(A) = det(A)^2",
    ],
)
def test_rational_differences_refute(plain: Chain, claim: str) -> None:
    decision = plain.decide(claim)
    assert decision.outcome == "different" and decision.rational


def test_a_factor_that_is_one_modulo_one_prime_is_caught_by_another() -> None:
    x = Ref("x")
    for p in (273719, 338159, 461639, 350159):
        false = multiply(constant(p + 1), x)
        for seed in range(3):
            assert decide(x, false, (), (), {"x": Tensor("x", ())}, seed=seed).outcome == "different"


# --- facts ----------------------------------------------------------------------------------------

FACTS = {
    "t": {"shape": ["n"], "values": "onehot"},
    "b": {"shape": ["n"], "values": "binary"},
    "e": {"shape": ["n"], "values": "signs"},
    "p": {"shape": ["n", "m"], "values": "probabilities"},
    "u": {"shape": ["n"], "values": "uniform"},
    "v": {"shape": ["n"], "values": "positive"},
    "S": {"shape": ["n", "n"], "structure": "symmetric"},
    "K": {"shape": ["n", "n"], "structure": "skew"},
    "P": {"shape": ["n", "n"], "structure": "spd"},
    "D": {"shape": ["n", "n"], "structure": "diagonal"},
    "L": {"shape": ["n", "n"], "structure": "lower"},
    "Q": {"shape": ["n", "m"], "structure": "orthonormal"},
    "O": {"shape": ["n", "n"], "structure": "orthonormal"},
    "A": ["n", "n"],
    "x": ["n"],
    "y": ["n"],
}


@pytest.fixture(scope="module")
def facts() -> Chain:
    return Chain(FACTS)


@pytest.mark.parametrize(
    "claim",
    [
        "t[i]^2 = t[i]",
        "sum[i] t[i] = 1",
        "t[i] t[j] = t[i] delta[i,j]",
        "b[i]^3 = b[i]",
        "e[i]^2 = 1",
        "sum[j] p[i,j] = 1",
        "log(1 - u[i]^2) = log(1 - u[i]) + log(1 + u[i])",
        "abs(u[i]) + abs(u[i] - 1) = 1",
        "sign(v[i]) = 1",
        "xᵀ S y = yᵀ S x",
        "xᵀ K x = 0",
        "inv(P) = inv(P)ᵀ",
        "abs(det(P)) = det(P)",
        "logdet(P) = log(det(P))",
        "det(D) = prod[i] D[i,i]",
        "det(L) = prod[i] L[i,i]",
        "Qᵀ Q = I",
        "O Oᵀ = I",
        "abs(det(O)) = 1",
        "det(O)^2 = 1",
        "log(prod[i] v[i]) = sum[i] log(v[i])",
    ],
)
def test_claims_that_hold_by_a_fact(facts: Chain, claim: str) -> None:
    assert facts.decide(claim).outcome == "equal"


@pytest.mark.parametrize(
    "claim",
    [
        "t[i] = 0",
        "t[0] = 1",
        "b[i] b[j] = b[i]",
        "e[0] e[1] = 1",
        "sum[i] p[i,j] = 1",
        "S[i,j] = 0",
        "det(O) = 1",
        "Q Qᵀ = I",
        "A = Aᵀ",
    ],
)
def test_claims_that_do_not(facts: Chain, claim: str) -> None:
    assert facts.decide(claim).outcome == "different"


# --- domain ---------------------------------------------------------------------------------------


def test_the_domain_is_reported() -> None:
    chain = Chain({"x": ["n"], "v": {"shape": ["n"], "values": "positive"}})
    decision = chain.decide("log(x[i]^2) = 2 log(x[i])")
    assert decision.outcome == "equal" and decision.domain_dropped
    assert decision.domain == (Requirement(Ref("x", (Index("i", Dimension("n")),)), ">"),)
    for claim in ("log(x[i]^2) = 2 log(abs(x[i]))", "log(v[i]^2) = 2 log(v[i])", "sqrt(x[i]^2) = abs(x[i])"):
        decision = chain.decide(claim)
        assert decision.outcome == "equal" and decision.domain == ()


def test_an_empty_domain_proves_nothing() -> None:
    chain = Chain({"x": [], "v": {"shape": [], "values": "positive"}})
    decision = chain.decide("log(-v) = x")
    assert decision.outcome == "unknown" and decision.note is not None


# --- signs ----------------------------------------------------------------------------------------


def test_many_signs_are_decided_in_the_opaque_model() -> None:
    weights = {f"W{k}": ["n", "n"] for k in range(4)}
    steps = ["h0 = relu(W0 x)", "h1 = relu(W1 h0)", "h2 = relu(W2 h1)", "h3 = relu(W3 h2)"]
    chain = Chain({"x": ["n"], **weights}, steps)
    decision = chain.decide("h3[i] = relu(W3[i,j] h2[j])")
    assert decision.outcome == "equal"
    assert decision.bound is not None and decision.bound < LARGEST_CHANCE
    assert chain.decide("h3[i] = relu(W2[i,j] h2[j])").outcome == "unknown"


@pytest.mark.parametrize(
    "claim",
    [
        "relu(x) relu(y) relu(z) = 0",
        "step(x) step(y) step(z) step(c) = 0",
        "max(x, y) max(y, z) max(z, x) = x y z",
        "sign(log(3) - 1) = -1",
        "max(sqrt(2) v, v) = v",
        "max(sqrt(3), sqrt(2)) = sqrt(2)",
        "abs(x) = x",
        "relu(x) relu(-x) = x",
        "step(x) step(x + 1) = step(x + 1)",
        "step(x) step(y) = step(x)",
        "sign(erf(relu(x))) = 1",
        "step(relu(x)) = step(x)",
        "step(x - relu(x)) = step(-1)",
        "sign(log(step(x) + 1)) = 1",
    ],
)
def test_rare_signs_are_found(claim: str) -> None:
    chain = Chain({**{name: [] for name in "xyzc"}, "v": {"shape": [], "values": "positive"}})
    assert chain.decide(claim).outcome == "unknown"


@pytest.mark.parametrize(
    "claim",
    [
        "max(sqrt(2), 1) = sqrt(2)",
        "sign(log(3) - 1) = 1",
        "relu(x) relu(-x) = 0",
        "relu(relu(x)) = relu(x)",
        "step(relu(x)) = (1 + step(x)) / 2",
        "max(max(x, y), z) = max(x, max(y, z))",
        "min(x, y) = -max(-x, -y)",
        "max(x, y) + min(x, y) = x + y",
        "sqrt(relu(x)) sqrt(relu(x)) = relu(x)",
        "exp(relu(x)) exp(-relu(-x)) = exp(x)",
        "step(x) - step(x - 6) = step(x) step(6 - x)",
        "step(x) step(x + 1) = step(x)",
        "relu(x) relu(-x - 1) = 0",
        "abs(x) step(x - 1) = x step(x - 1)",
        "sqrt(x - 1) abs(x) = sqrt(x - 1) x",
        "max(x, x + 1) = x + 1",
        "erf(-x) = -erf(x)",
        "gelu(x) - gelu(-x) = x",
        "erf(relu(x)) erf(relu(-x)) = 0",
    ],
)
def test_signs_and_order(claim: str) -> None:
    chain = Chain({name: [] for name in "xyz"})
    assert chain.decide(claim).outcome == "equal"


# --- positions, by hand ---------------------------------------------------------------------------

N, M = Dimension("n"), Dimension("m")
I, J, K = Index("i", N), Index("j", N), Index("k", N, 1)
TENSORS = {
    "x": Tensor("x", (N,)),
    "E": Tensor("E", (M, N)),
    "t": Tensor("t", (N,), values="integers", indexes=M),
}


def outcome(left: Expression, right: Expression, *free: Index, **options: Any) -> str:
    return decide(left, right, free, (), TENSORS, **options).outcome


def test_gathers_are_sums_with_deltas() -> None:
    row = Index("r", M, 2)
    gathered = Ref("E", (Gather("t", (I,)), J))
    summed = Sum((row,), multiply(Delta(Gather("t", (I,)), row), Ref("E", (row, J))))
    assert outcome(gathered, summed, I, J) == "equal"
    assert outcome(gathered, Ref("E", (Gather("t", (J,)), I)), I, J) == "different"


def test_shifted_reads_outside_are_zero() -> None:
    shifted = Ref("x", (Affine(((1, I),), -1),))
    summed = Sum((K,), multiply(Delta(K, Affine(((1, I),), -1)), Ref("x", (K,))))
    assert outcome(shifted, summed, I) == "equal"
    assert outcome(shifted, Ref("x", (I,)), I) == "different"
    first = Ref("x", (-1,))
    assert outcome(first, constant(0)) == "equal"


def test_masks_of_positions_are_exact() -> None:
    below = Sum((K,), multiply(mask(K, "<=", I), Ref("x", (K,))))
    running = Op("cumsum", (K,), (I,), (Ref("x", (K,)),))
    assert outcome(below, running, I) == "equal"
    strictly = Sum((K,), multiply(mask(K, "<", I), Ref("x", (K,))))
    assert outcome(add(strictly, Ref("x", (I,))), running, I) == "equal"
    assert outcome(strictly, running, I) == "different"


def test_diagonals_fixed_positions_and_operations_read_at_them() -> None:
    a, b = Index("a", N, 3), Index("b", N, 4)
    matrix = add(multiply(Ref("x", (a,)), Ref("x", (b,))), Delta(a, b))
    inverse = Op("inv", (a, b), (I, I), (matrix,))
    square = Sum((K,), power(Ref("x", (K,)), constant(2)))
    by_hand = subtract(
        constant(1),
        multiply(power(Ref("x", (I,)), constant(2)), power(add(square, constant(1)), constant(-1))),
    )
    assert outcome(inverse, by_hand, I) == "equal"
    third = Ref("x", (3,))
    assert outcome(third, Sum((K,), multiply(Delta(K, 3), Ref("x", (K,))))) == "equal"
    assert outcome(third, Ref("x", (2,))) == "different"


def test_max_along_an_index_and_its_derivative() -> None:
    top = Op("max", (K,), (), (Ref("x", (K,)),))
    hit = Apply("=", (0, 0), (Ref("x", (I,)), top))
    assert outcome(Sum((I,), multiply(hit, Ref("x", (I,)))), top) == "equal"
    assert outcome(Sum((I,), hit), constant(1)) == "equal"
    assert outcome(top, Ref("x", (0,))) == "unknown"


def test_masks_of_values_are_steps() -> None:
    x, y = Ref("x", (0,)), Ref("x", (1,))
    below, above = Apply("<", (0, 0), (x, y)), Apply("<", (0, 0), (y, x))
    assert outcome(add(below, above), constant(1)) == "equal"
    assert outcome(Apply("<=", (0, 0), (x, y)), subtract(constant(1), above)) == "equal"
    assert outcome(multiply(below, subtract(y, x)), Apply("relu", (0,), (subtract(y, x),))) == "equal"
    assert outcome(below, above) == "unknown"
    dead = Apply("relu", (0,), (x,))
    assert outcome(Apply("<", (0, 0), (constant(0), dead)), Apply("<", (0, 0), (constant(0), x))) == "equal"
    assert outcome(Apply("<=", (0, 0), (dead, constant(0))), Apply("<", (0, 0), (x, constant(0)))) == "equal"


# --- sizes, seeds, sessions -----------------------------------------------------------------------


def test_sizes_that_the_spec_fixes_are_used() -> None:
    x = Ref("x", (I,))
    size = Sum((Index("size", N, -1),), constant(1))
    left = multiply(size, x)
    assert outcome(left, multiply(constant(5), x), I) == "different"
    assert outcome(left, multiply(constant(5), x), I, fixed={"n": 5}) == "equal"
    assert outcome(left, multiply(constant(6), x), I, minimum={"n": 6}) == "different"


def test_the_seed_decides_everything() -> None:
    chain = [Chain(PLAIN, seed=7).decide("relu(x[i]) + relu(-x[i]) = abs(x[i])") for _ in range(2)]
    assert chain[0] == chain[1] and chain[0].outcome == "equal"


def test_names_without_a_value_are_not_decided() -> None:
    decision = decide(Ref("nothing"), constant(1), (), (), {})
    assert decision.outcome == "unknown" and "nothing" in (decision.note or "")
    itself = (Equation("s", (), add(Ref("s"), Apply("log", (0,), (Ref("s"),)))),)
    assert decide(Ref("s"), constant(1), (), itself, {}).outcome == "unknown"


def test_a_session_shares_the_values_of_steps() -> None:
    chain = Chain(PLAIN, ["z[i] = A[i,j] x[j]", "w[i] = exp(z[i])"])
    for k in range(1, 20):
        assert chain.decide(f"w[i]^{k} = exp({k} A[i,j] x[j])").outcome == "equal"
        assert chain.decide(f"w[i]^{k} = exp({k + 1} A[i,j] x[j])").outcome == "unknown"
