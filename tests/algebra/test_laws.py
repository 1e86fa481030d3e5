"""Properties that every rewriting keeps, on random expressions: value, well-formedness, one normal form.

`LAWS=2000 pytest tests/algebra/test_laws.py` looks harder.
"""

from __future__ import annotations

import math
import os
import random
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from itertools import product
from zlib import crc32

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Affine,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    constant,
    fresh,
    mask,
    multiply,
    power,
    size,
    summation,
)
from tensorgrad_cli.algebra.invariants import check
from tensorgrad_cli.algebra.matching import alike, blind
from tensorgrad_cli.algebra.normal import equal, normal_form
from tensorgrad_cli.algebra.rewrite import RULES, difference, reuse_steps, simplified
from tensorgrad_cli.algebra.scalars import is_size
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import mapped, references, subexpressions

M, N, TWO = Dimension("m"), Dimension("n"), Dimension("2")
# The rows of a range of n - m + 1, as a convolution has them.
RANGED = Dimension("n-m+1", ((1, ("n",)), (-1, ("m",)), (1, ())))
FREE = (Index("i", M), Index("j", N), Index("k", M), Index("l", TWO))
SIZES = ({"m": 2, "n": 3}, {"m": 3, "n": 4})
TENSORS: Mapping[str, tuple[Dimension, ...]] = {
    "s": (),
    "a": (M,),
    "b": (N,),
    "c": (TWO,),
    "W": (M, N),
    "A": (M, M),
}

Value = Fraction | float


# --- a reference evaluator: one entry at a time, exact where that can be -----------------------------


class Undefined(Exception):
    """The expression has no real value here."""


class Entries:
    """Values of all tensors, drawn by their names: no array, no library."""

    def __init__(
        self,
        seed: int,
        sizes: Mapping[str, int],
        positive: bool = True,
        steps: Mapping[str, Equation] = {},
    ) -> None:
        self.seed = seed
        self.sizes = sizes
        self.positive = positive
        self.steps = steps

    def entry(self, name: str, places: tuple[int, ...]) -> Fraction:
        number = crc32(repr((self.seed, name, places)).encode())
        sign = 1 if self.positive or number % 2 else -1
        return sign * Fraction(1 + number // 2 % 97, 1 + number // 194 % 13)

    def value(self, e: Expression, at: Mapping[Index, int]) -> Value:
        match e:
            case Const(value):
                return value
            case Ref(tensor, positions):
                places = tuple(self.place(position, at) for position in positions)
                if tensor in self.steps:
                    step = self.steps[tensor]
                    return self.value(step.expression, dict(zip(step.indices, places, strict=True)))
                return Fraction(places[0]) if tensor == RANGE else self.entry(tensor, places)
            case Delta(left, right):
                return Fraction(self.place(left, at) == self.place(right, at))
            case Product(factors):
                return self.product_of(self.value(factor, at) for factor in factors)
            case Add(terms):
                return sum((self.value(term, at) for term in terms), Fraction(0))
            case Sum(indices, body):
                inner = self.within(indices, at)
                return sum((self.value(body, point) for point in inner), Fraction(0))
            case Apply(function, order, arguments):
                return applied(function, order, [self.value(part, at) for part in arguments])
            case Op(_, bound, out, (argument,)):
                # Any function of the array and the position will do.
                table = [self.value(argument, point) for point in self.within(bound, at)]
                place = sum(5 * self.place(position, at) for position in out)
                return max(table) + sum((v * (place + k) for k, v in enumerate(table)), Fraction(0))
            case _:
                raise AssertionError(e)

    def place(self, position: Position, at: Mapping[Index, int]) -> int:
        match position:
            case Index():
                return at[position]
            case int():
                return position
            case Affine(terms, offset):
                return offset + sum(coefficient * at[index] for coefficient, index in terms)
            case Gather(tensor, inner):
                places = tuple(self.place(p, at) for p in inner)
                return int(self.entry(tensor, places).numerator % 2)

    def within(self, indices: tuple[Index, ...], at: Mapping[Index, int]) -> Iterator[Mapping[Index, int]]:
        ranges = [range(index.dimension.size(self.sizes)) for index in indices]
        for places in product(*ranges):
            yield {**at, **dict(zip(indices, places, strict=True))}

    @staticmethod
    def product_of(values: Iterator[Value]) -> Value:
        result: Value = Fraction(1)
        for value in values:
            result = result * value
        return result


def applied(function: str, order: tuple[int, ...], values: list[Value]) -> Value:
    if function == "pow":
        base, exponent = values
        if base == 0 and exponent < 0:
            raise Undefined
        if base < 0 and Fraction(exponent).denominator != 1:
            raise Undefined
        return base ** (int(exponent) if exponent == int(exponent) else exponent)
    if function == "sqrt":
        return applied("pow", (0, 0), [values[0], Fraction(1, 2)])
    if function in ("<", "<=", "=", "!="):
        a, b = values
        return Fraction({"<": a < b, "<=": a <= b, "=": a == b, "!=": a != b}[function])
    # An abstract function and its derivatives: all different, none of them even or odd.
    (u,) = values
    return (u + 1 + sum(order)) ** 2 * Fraction(3, 7) - u


def values_of(e: Expression, entries: Entries) -> list[Value]:
    return [entries.value(e, point) for point in entries.within(FREE, {})]


def same(left: list[Value], right: list[Value]) -> bool:
    def close(a: Value, b: Value) -> bool:
        if isinstance(a, float) or isinstance(b, float):
            return math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-8)
        return a == b

    return all(close(a, b) for a, b in zip(left, right, strict=True))


# --- random expressions -----------------------------------------------------------------------------


@st.composite
def expressions(draw: st.DrawFn, roots: bool = False) -> Expression:
    return draw_expression(draw, FREE, 3, roots)


def draw_expression(draw: st.DrawFn, scope: tuple[Index, ...], depth: int, roots: bool) -> Expression:
    inner = partial(draw_expression, draw, depth=depth - 1, roots=roots)
    kinds = ["ref", "ref", "delta", "const"]
    if depth:
        kinds += ["product", "product", "sum", "sum", "add", "add", "function", "power", "op", "mask"]
    match draw(st.sampled_from(kinds)):
        case "ref":
            name = draw(st.sampled_from(sorted(TENSORS)))
            return Ref(name, tuple(draw_position(draw, scope, d) for d in TENSORS[name]))
        case "delta":
            dimension = draw(st.sampled_from((M, N, TWO)))
            left = draw_position(draw, scope, dimension)
            delta = Delta(left, draw_position(draw, scope, dimension))
            return delta if delta.left != delta.right else constant(1)
        case "const":
            few = [constant(k) for k in (-1, 0, 1, 2, 3)]
            return draw(st.sampled_from([*few, size(M), size(RANGED)]))
        case "product":
            return multiply(*(inner(scope) for _ in range(draw(st.integers(2, 3)))))
        case "add":
            return add(*(inner(scope) for _ in range(draw(st.integers(2, 3)))))
        case "sum":
            bound = tuple(
                fresh(Index(draw(st.sampled_from("ijp")), draw(st.sampled_from((M, M, N, TWO)))))
                for _ in range(draw(st.integers(1, 2)))
            )
            return summation(bound, inner(scope + bound))
        case "function":
            return Apply("f", (draw(st.integers(0, 1)),), (inner(scope),))
        case "op":
            axis = fresh(Index("j", draw(st.sampled_from((M, N)))))
            out = draw(st.sampled_from(((), (draw_position(draw, scope, axis.dimension),))))
            return Op("max", (axis,), out, (inner((*scope, axis)),))
        case "mask":
            left, right = (draw(st.sampled_from([i for i in scope if i.dimension == M])) for _ in "ab")
            return mask(left, draw(st.sampled_from(("<", "<=", "=", "!="))), right)
        case _:
            exponents = [Fraction(-2), Fraction(-1), Fraction(2)]
            exponents += [Fraction(1, 2), Fraction(-3, 2)] if roots else []
            return power(inner(scope), Const(draw(st.sampled_from(exponents))))


def draw_position(draw: st.DrawFn, scope: tuple[Index, ...], dimension: Dimension) -> Position:
    among: list[Position] = []
    among += [i for i in scope if i.dimension == dimension] * 3
    if dimension == TWO:
        among += [Gather("t", (FREE[0],)), Affine(((1, FREE[0]), (1, FREE[2])), -1)]
    return draw(st.sampled_from([*among, 0]))


def shuffled(e: Expression, rng: random.Random) -> Expression:
    """The same expression written otherwise: factors, terms, sums, sides and names in another order."""
    match e:
        case Const() | Ref():
            return e
        case Delta(left, right):
            return Delta(right, left) if rng.random() < 0.5 else Delta(left, right)
        case Apply(function, order, arguments):
            return Apply(function, order, tuple(shuffled(part, rng) for part in arguments))
        case Op(operation, bound, out, arguments, parameters):
            inner = tuple(shuffled(part, rng) for part in arguments)
            return freshened(Op(operation, bound, out, inner, parameters))
        case Product(factors):
            return multiply(*rng.sample([shuffled(part, rng) for part in factors], len(factors)))
        case Add(terms):
            return add(*rng.sample([shuffled(part, rng) for part in terms], len(terms)))
        case Sum(indices, body):
            if indices[0].serial < 0:
                return e
            names = {i: fresh(Index(rng.choice("uvw"), i.dimension)) for i in indices}
            mixed = rng.sample(list(names.values()), len(names))
            return Sum(tuple(mixed), substitute(shuffled(body, rng), names))
    raise AssertionError(e)


FEW = settings(max_examples=int(os.environ.get("LAWS", "20")), deadline=None)


def evaluated(e: Expression, seed: int = 0) -> list[list[Value]]:
    try:
        return [values_of(e, Entries(seed, sizes)) for sizes in SIZES]
    except (Undefined, OverflowError):
        assume(False)
        raise


@FEW
@given(expressions(roots=True))
def test_simplified_keeps_the_value(e: Expression) -> None:
    check(e)
    before = evaluated(e)
    tidy = check(simplified(e))
    assert all(map(same, before, evaluated(tidy)))
    assert simplified(tidy) == tidy


@FEW
@given(expressions(roots=True))
def test_normal_form_keeps_the_value(e: Expression) -> None:
    before = evaluated(e)
    assert all(map(same, before, evaluated(check(normal_form(e)))))


@FEW
@given(expressions(), st.randoms(use_true_random=False))
def test_one_normal_form(e: Expression, rng: random.Random) -> None:
    other = check(shuffled(e, rng))
    form = normal_form(e)
    assert normal_form(other) == form
    assert normal_form(form) == form
    assert equal(e, other)


@FEW
@given(expressions())
def test_the_normal_form_does_not_mind_simplification(e: Expression) -> None:
    assert equal(simplified(e), e)


@FEW
@given(expressions(), st.randoms(use_true_random=False))
def test_alike_whatever_the_order(e: Expression, rng: random.Random) -> None:
    other = shuffled(e, rng)
    assert blind(e) == blind(other)
    assert alike(e, other)


@FEW
@given(expressions(), st.randoms(use_true_random=False))
def test_alike_and_equal_only_what_is(e: Expression, rng: random.Random) -> None:
    parts = list(subexpressions(e))
    other = shuffled(planted(e, parts[rng.randrange(len(parts))], rng), rng)
    if alike(e, other) or equal(e, other):
        assert all(map(same, evaluated(e), evaluated(other)))


def planted(e: Expression, part: Expression, rng: random.Random) -> Expression:
    """The expression with a mistake in one part (everywhere where that stands), or in none."""
    if e != part:
        return mapped(e, lambda inner: planted(inner, part, rng))
    match e:
        case Ref(tensor, (Index() as left, Index() as right)):
            return Ref(tensor, (right, left) if left.dimension == right.dimension else (left, 0))
        case Sum(indices, body):
            return multiply(constant(2), Sum(indices, body))
        case Add(terms):
            return add(*terms[1:], multiply(constant(-1), terms[0]))
        case Product(factors):
            return multiply(*factors[1:])
        case Apply("<" | "<=" as sign, order, arguments):
            return Apply("<" if sign == "<=" else "<=", order, arguments)
        case _:
            return multiply(constant(rng.choice((-1, 2))), e)


@FEW
@given(expressions(), st.randoms(use_true_random=False))
def test_nothing_is_left_of_a_difference_of_one_thing(e: Expression, rng: random.Random) -> None:
    assert difference(e, freshened(e)) == constant(0)
    assert equal(difference(e, shuffled(e, rng)), constant(0))


@FEW
@given(expressions(roots=True))
def test_every_rule_alone_keeps_the_value(e: Expression) -> None:
    for part in subexpressions(e):
        if part.free <= frozenset(FREE):
            for rule in RULES:
                changed = rule(part)
                if changed is not None:
                    assert all(map(same, evaluated(part), evaluated(check(changed)))), rule


@FEW
@given(expressions(), expressions(), st.randoms(use_true_random=False))
def test_steps_are_recognised_in_any_order(e: Expression, other: Expression, rng: random.Random) -> None:
    body = simplified(e)
    assume(len(list(subexpressions(body))) > 3)
    step = Equation("step", tuple(sorted(body.free, key=str)), body)
    whole = add(other, Apply("f", (0,), (shuffled(body, rng),)))
    before = evaluated(whole)
    found = check(reuse_steps(whole, (step,)))
    after = [values_of(found, Entries(0, sizes, steps={"step": step})) for sizes in SIZES]
    assert all(map(same, before, after))
    if any(isinstance(part, Op | Sum | Add) for part in subexpressions(body) if not is_size(part)):
        assert "step" in references(found)


@pytest.mark.parametrize("positive", [True, False])
@FEW
@given(expressions())
def test_signs_do_not_matter(positive: bool, e: Expression) -> None:
    try:
        entries = Entries(1, SIZES[0], positive)
        before = values_of(e, entries)
        assert same(before, values_of(simplified(e), entries))
        assert same(before, values_of(normal_form(e), entries))
    except Undefined:
        assume(False)
