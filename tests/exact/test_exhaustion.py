"""All pairs of thousands of random small formulas: what is equal in the model is equal in the reals.

This is the test of `design/PROOF.md` that found every mistake in the model's laws within a minute. The
formulas are evaluated once in one batch of the model and once in floating point at twelve points.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import (
    Add,
    Apply,
    Const,
    Expression,
    Product,
    Ref,
    add,
    constant,
    divide,
    multiply,
    power,
    subtract,
)
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.exact.batches import Batch, Mode
from tensorgrad_cli.exact.claims import Claims
from tensorgrad_cli.exact.field import FIELDS
from tensorgrad_cli.exact.residues import EXPONENT, VALUE

TENSORS = {
    "x": Tensor("x", ()),
    "y": Tensor("y", ()),
    "v": Tensor("v", (), values="positive"),
}
UNARY = "exp log sqrt abs sign relu step tanh sigmoid softplus sin cos erf f".split()
BINARY: tuple[Callable[[Expression, Expression], Expression], ...] = (
    add,
    subtract,
    multiply,
    divide,
    lambda a, b: Apply("max", (0, 0), (a, b)),
    lambda a, b: Apply("min", (0, 0), (a, b)),
)
LEAVES = (Ref("x"), Ref("y"), Ref("v"), Ref("x"), Ref("y"), Ref("v"), *map(constant, (1, 2, -1)))
EXPONENTS = (2, 3, -1, -2)
POINTS = 12
# Pairs are compared in blocks of rows, densely in the first draws and then only those that are left.
ROWS, DENSE = 250, 7
# As many draws must be kept as a decision wants of formulas with two signs.
KEPT = 98
# What is equal in the plain model is equal in the strict one, whose draws are some of the plain one's.
STRICT = ((Mode.STRICT, VALUE), (Mode.STRICT, EXPONENT))
ALL = (*STRICT, (Mode.PLAIN, VALUE), (Mode.PLAIN, EXPONENT))


def random_formula(rng: np.random.Generator, depth: int) -> Expression:
    choice = rng.random()
    if depth == 0 or choice < 0.15:
        return LEAVES[rng.integers(len(LEAVES))]
    inner = random_formula(rng, depth - 1)
    if choice < 0.5:
        return Apply(UNARY[rng.integers(len(UNARY))], (0,), (inner,))
    if choice < 0.6:
        return power(inner, constant(int(EXPONENTS[rng.integers(len(EXPONENTS))])))
    other = random_formula(rng, int(rng.integers(depth)))
    return BINARY[rng.integers(len(BINARY))](inner, other)


# --- the reals ------------------------------------------------------------------------------------

_erf = np.vectorize(math.erf, otypes=[float])


def short_of(function: Callable[[Any], Any], *bounds: float) -> Callable[[Any], Any]:
    """A function that comes near its bounds and never takes them: no value where rounding says that it does, for
    `step(1 - erf(v))` would be 0 there and is 1."""

    def value(x: Any) -> Any:
        y = function(x)
        return np.where(np.isin(y, bounds), np.nan, y)

    return value


REAL: dict[str, Callable[..., Any]] = {
    "exp": short_of(np.exp, 0.0),
    "log": lambda x: np.log(np.where(x > 0, x, np.nan)),
    "sqrt": lambda x: np.sqrt(np.where(x >= 0, x, np.nan)),
    "abs": np.abs,
    "sign": np.sign,
    "relu": lambda x: np.where(x > 0, x, 0 * x),
    "step": lambda x: (1 + np.sign(x)) / 2,
    "tanh": short_of(np.tanh, -1.0, 1.0),
    "sigmoid": short_of(lambda x: 1 / (1 + np.exp(-x)), 0.0, 1.0),
    "softplus": short_of(lambda x: np.log1p(np.exp(x)), 0.0),
    "sin": np.sin,
    "cos": np.cos,
    "erf": short_of(
        lambda x: np.where(np.isfinite(x), _erf(np.where(np.isfinite(x), x, 0)), np.nan), -1.0, 1.0
    ),
    "f": lambda x: np.sin(1.3 * x + 0.7) + 0.3 * x * x,
    "max": np.maximum,
    "min": np.minimum,
}


def real_value(expression: Expression, points: dict[str, Any], memo: dict[Expression, Any]) -> Any:
    """The value at all points and the largest magnitude on the way, which scales the rounding."""
    found = memo.get(expression)
    if found is not None:
        return found
    if isinstance(expression, Const):
        value = np.full(POINTS, float(expression.value))
        found = value, np.abs(value)
    elif isinstance(expression, Ref):
        value = points[expression.tensor]
        found = value, np.abs(value)
    else:
        match expression:
            case Add(parts) | Product(parts):
                combine = np.add if isinstance(expression, Add) else np.multiply
            case Apply(_, _, parts):
                combine = None
            case _:
                raise AssertionError(expression)
        inner = [real_value(part, points, memo) for part in parts]
        if combine is not None:
            value = inner[0][0]
            for other, _ in inner[1:]:
                value = combine(value, other)
        elif expression.function == "pow":
            value = inner[0][0] ** float(expression.arguments[1].value)
        else:
            value = REAL[expression.function](*(_resolved(expression.function, *i) for i in inner))
        size = np.abs(value)
        for _, other in inner:
            size = np.maximum(size, other)
        found = value, size
    memo[expression] = found
    return found


def _resolved(function: str, value: Any, size: Any) -> Any:
    """An argument, without a value where a jump would be made by rounding: step(y / y - 1) is 1/2."""
    rounding = (value != 0) & (np.abs(value) < 1e-9 * size)
    return np.where(rounding, np.nan, value) if function in ("step", "sign") else value


# --- all pairs ------------------------------------------------------------------------------------


def equal_pairs(values: Any, kept: Any, least: int) -> set[tuple[int, int]]:
    """Pairs of rows that agree wherever both are kept, in at least `least` columns."""
    count, draws = values.shape
    found: set[tuple[int, int]] = set()
    small = values.astype(np.int32)
    for start in range(0, count, ROWS):
        rows = slice(start, start + ROWS)
        same = np.triu(np.ones((min(ROWS, count - start), count - start), bool), 1)
        for d in range(DENSE):
            differ = small[rows, d, None] != small[None, start:, d]
            differ &= kept[rows, d, None]
            differ &= kept[None, start:, d]
            same &= ~differ
        first, second = np.nonzero(same)
        first, second = first + start, second + start
        for d in range(DENSE, draws):
            agree = (values[first, d] == values[second, d]) | ~(kept[first, d] & kept[second, d])
            first, second = first[agree], second[agree]
        for begin in range(0, len(first), 50000):
            a, b = first[begin : begin + 50000], second[begin : begin + 50000]
            enough = (kept[a] & kept[b]).sum(axis=1) >= least
            found.update(zip(a[enough].tolist(), b[enough].tolist(), strict=True))
    return found


def model_values(batch: Batch, mode: Mode, kind: int, formulas: list[Expression]) -> tuple[Any, Any]:
    model = batch.evaluator(mode)
    count = batch.draws.count
    values = np.zeros((len(formulas), count), np.int64)
    kept = np.ones((len(formulas), count), bool)
    for k, formula in enumerate(formulas):
        model.forget()  # what the strict round knows of the signs of one formula is not for the next
        residues = model.value(formula, kind)
        values[k] = residues.values
        if residues.kept is not None:
            kept[k] = residues.kept
    return values, kept


def run(
    count: int, seed: int, each: int, models: Any
) -> tuple[int, int, list[tuple[Expression, Expression]]]:
    """The numbers of really equal pairs and of those proved, and the pairs that the model wrongly takes for equal."""
    rng = np.random.default_rng(seed)
    written = list(dict.fromkeys(random_formula(rng, 3) for _ in range(count)))
    claims = Claims((), TENSORS, {}, {}, seed)
    expanded = [claims.expanded(formula) for formula in written]
    batch = claims.batches.batch(FIELDS[:4], each, 0, {}, relaxed=False, keep=True)
    draws = rng.permutation(batch.draws.count)
    proved: set[tuple[int, int]] = set()
    for mode, kind in models:
        values, kept = model_values(batch, mode, kind, expanded)
        proved |= equal_pairs(values[:, draws], kept[:, draws], KEPT)
    points = {
        "x": rng.normal(size=POINTS) * 1.3,
        "y": rng.normal(size=POINTS) * 1.3,
        "v": np.exp(rng.normal(size=POINTS)),
    }
    memo: dict[Expression, Any] = {}
    with np.errstate(all="ignore"):
        real = [real_value(formula, points, memo) for formula in written]
        value = np.array([r[0] for r in real])
        size = np.array([r[1] for r in real])
        finite = np.isfinite(value)
        wrong = []
        for a, b in sorted(proved):
            gap = np.abs(value[a] - value[b])
            both = finite[a] & finite[b] & (size[a] < 1e9) & (size[b] < 1e9)
            if np.any(gap[both] > 1e-7 * (1 + size[a] + size[b])[both]):
                wrong.append((written[a], written[b]))
    return really_equal(value, finite), len(proved), wrong


def really_equal(value: Any, finite: Any) -> int:
    whole = value[finite.all(axis=1)]
    keys = {}
    for row in whole:
        key = tuple(float(f"{entry:.6g}") + 0.0 for entry in row)
        keys[key] = keys.get(key, 0) + 1
    return sum(n * (n - 1) // 2 for n in keys.values())


def test_no_pair_of_five_thousand_formulas_is_wrongly_equal() -> None:
    equal, proved, wrong = run(5000, seed=1, each=60, models=STRICT)
    assert not wrong
    assert proved > equal / 2 > 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 5))
def test_no_pair_of_twenty_thousand_formulas_is_wrongly_equal(seed: int) -> None:
    equal, proved, wrong = run(20000, seed=seed, each=60, models=ALL)
    assert not wrong
    assert proved > equal / 2


def test_plain_evaluation_does_not_take_a_bound_for_a_value() -> None:
    points = {"v": np.full(POINTS, 7.0)}
    short = subtract(constant(1), Apply("erf", (0,), (Ref("v"),)))
    value, _ = real_value(Apply("step", (0,), (short,)), points, {})
    assert not np.isfinite(value).any()
    value, _ = real_value(Apply("step", (0,), (subtract(Ref("v"), Ref("v")),)), points, {})
    assert (value == 0.5).all()
    points = {"v": np.linspace(0.1, 5.0, POINTS)}
    one = multiply(Apply("sqrt", (0,), (Ref("v"),)), power(Ref("v"), constant(Fraction(-1, 2))))
    value, _ = real_value(Apply("sign", (0,), (subtract(one, constant(1)),)), points, {})
    assert np.isin(value[np.isfinite(value)], (0.0,)).all()
    assert not np.isfinite(value).all()
