"""Whatever is printed on one line reads back as the same expression: made-up expressions of every node class."""

from __future__ import annotations

import os
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Apply,
    Const,
    Delta,
    Derivative,
    Dimension,
    Equation,
    Expression,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    add,
    divide,
    fresh,
    multiply,
    negate,
    power,
    size,
    summation,
)
from tensorgrad_cli.algebra.library import BUILTINS, Scope
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.render.naming import Naming

Check = Callable[[Equation, Scope, Naming], None]

M, N, P = (Dimension(name) for name in "mnp")
FREE = (Index("i", M), Index("j", N), Index("k", P), Index("l", P))
LETTERS = "ijkl"


def world(shapes: dict[str, tuple[Dimension, ...]], spellings: dict[str, str]) -> tuple[Scope, Naming]:
    scope = Scope(
        tensors={name: Tensor(name, shape) for name, shape in shapes.items()},
        dimensions={"m": M, "n": N, "p": P},
        abstract={"f": 1, "C": 2},
        spellings=spellings,
    )
    derivatives = {
        d.name: d
        for d in (
            Derivative("∂c/∂w", "c", ("w",)),
            Derivative("∂x/∂v", "x", ("v",)),
            Derivative("∂⁺c/∂v", "c", ("v",), True),
            Derivative("∂²c/∂v∂w", "c", ("v", "w")),
        )
    }
    ranks = {name: len(shape) for name, shape in shapes.items()} | {"∂c/∂w": 2}
    declared = {*shapes, "f", "C"}
    taken = frozenset(declared & {*BUILTINS, "delta", "eye", "ones", "I", "sum"})
    functions, dimensions = frozenset({"f", "C"}), frozenset("mnp")
    return scope, Naming(spellings, ranks, derivatives, {}, taken, functions, dimensions)


BASE = {"x": (M, P), "w": (P, N), "v": (P,), "u": (P,), "A": (P, P), "c": (), "T": (), "z": (M, N)}
WORLDS = {
    "plain": world(BASE, {}),
    "accents": world(
        BASE | {"y_hat": (M, N), "omega": (P,), "x1": (P,), "y_hat_bar": (M, N), "epsilon": ()},
        {"y_hat": "ŷ", "omega": "ω", "x1": "x₁", "epsilon": "ε"},
    ),
    "hidden": world(
        BASE
        | dict.fromkeys(("f", "sum", "d", "p", "dc", "pi", "eye"), ())
        | {"delta": (P,), "C": (P,), "dx": (M, P), "prod": (P,), "dv": ()},
        {"delta": "δ", "pi": "π"},
    ),
}
DERIVATIVES = {"∂c/∂w": (P, N), "∂x/∂v": (M, P, P), "∂⁺c/∂v": (P,), "∂²c/∂v∂w": (P, P, N)}
NUMBERS = st.sampled_from([Fraction(n) for n in ("2", "-1", "1/2", "-3/2", "10", "5")])
EXPONENTS = st.sampled_from([Fraction(n) for n in ("2", "3", "-1", "-2", "1/2", "-1/2", "3/2", "1000")])


@st.composite
def entry(draw: st.DrawFn, env: tuple[Index, ...], shapes: dict[str, tuple[Dimension, ...]]) -> Expression:
    tensor = draw(st.sampled_from(sorted(shapes)))
    places: list[Index | int] = []
    for dimension in shapes[tensor]:
        fitting = [index for index in env if index.dimension == dimension]
        number = not fitting or draw(st.integers(0, 7)) == 0
        places.append(draw(st.integers(0, 1)) if number else draw(st.sampled_from(fitting)))
    return Ref(tensor, tuple(places))


@st.composite
def leaf(draw: st.DrawFn, env: tuple[Index, ...], shapes: dict[str, tuple[Dimension, ...]]) -> Expression:
    match draw(st.integers(0, 11)):
        case 0:
            return Const(draw(NUMBERS))
        case 1:
            return size(draw(st.sampled_from((M, N, P))))
        case 2:
            return Apply("pi", (), ())
        case 3:
            return draw(entry(env, DERIVATIVES))
        case 4:
            one = draw(st.sampled_from(env))
            others = [index for index in env if index.dimension == one.dimension and index != one]
            return Delta(one, draw(st.sampled_from(others))) if others else Delta(one, 0)
        case _:
            return draw(entry(env, shapes))


def bound(draw: st.DrawFn) -> Index:
    return fresh(Index(draw(st.sampled_from(LETTERS)), draw(st.sampled_from((M, N, P)))))


@st.composite
def applied(
    draw: st.DrawFn, env: tuple[Index, ...], shapes: dict[str, tuple[Dimension, ...]], depth: int
) -> Expression:
    inner = expressions(env, shapes, depth - 1)
    match draw(st.integers(0, 5)):
        case 0:
            return power(divisor(draw(inner)), Const(draw(EXPONENTS)))
        case 1:
            return power(draw(inner), draw(inner))
        case 2:
            order = draw(st.sampled_from([(0, 0), (1, 0), (0, 2), (1, 1)]))
            return Apply("C", order, (draw(inner), draw(inner)))
        case 3:
            return Apply("max", (0, 0), (draw(inner), draw(inner)))
        case 4:
            return Apply(draw(st.sampled_from(("tanh", "exp", "sqrt"))), (0,), (draw(inner),))
        case _:
            return Apply("f", (draw(st.integers(0, 2)),), (draw(inner),))


@st.composite
def operated(
    draw: st.DrawFn, env: tuple[Index, ...], shapes: dict[str, tuple[Dimension, ...]], depth: int
) -> Expression:
    matrix = (Index("a", P, -5), Index("b", P, -5))
    renamed = tuple(fresh(index) for index in matrix)
    square = Op("inv", renamed, (0, 1), (Ref("A", renamed),))
    fitting = [index for index in env if index.dimension == P]
    match draw(st.integers(0, 4)):
        case 0:
            name = draw(st.sampled_from(("det", "logdet")))
            return Op(name, renamed, (), (Ref("A", renamed),))
        case 1 if fitting:
            places = tuple(draw(st.sampled_from([*fitting, 0])) for _ in range(2))
            return Op("inv", square.bound, places, square.arguments)
        case 2:
            index = bound(draw)
            body = draw(expressions((*env, index), shapes, depth - 1))
            place = draw(st.sampled_from([0, *(i for i in env if i.dimension == index.dimension)]))
            name = draw(st.sampled_from(("softmax", "cumsum", "log_softmax", "normalize")))
            return Op(name, (index,), (place,), (pinned(body, index),))
        case _:
            index = bound(draw)
            body = draw(expressions((*env, index), shapes, depth - 1))
            name, parameters = draw(
                st.sampled_from(
                    (
                        ("max", ()),
                        ("prod", ()),
                        ("logsumexp", ()),
                        ("norm", (("p", Fraction(3, 2)),)),
                        ("std", (("ddof", Fraction(1)),)),
                    )
                )
            )
            return Op(name, (index,), (), (pinned(body, index),), parameters)


def divisor(e: Expression) -> Expression:
    """What one may divide by: the normal form makes no promise for zero, which numbers and deltas may be."""
    plain = isinstance(e, Ref | Op) or (isinstance(e, Apply) and e.function != "pow")
    return e if plain or e == size(M) else add(e, Ref("c"))


def pinned(body: Expression, index: Index) -> Expression:
    """The body with the index in it, so that its range is known."""
    entries = {"m": Ref("x", (index, 0)), "n": Ref("w", (0, index)), "p": Ref("v", (index,))}
    return add(body, entries[index.dimension.name])


@st.composite
def expressions(
    draw: st.DrawFn, env: tuple[Index, ...], shapes: dict[str, tuple[Dimension, ...]], depth: int
) -> Expression:
    if depth == 0:
        return draw(leaf(env, shapes))
    inner = expressions(env, shapes, depth - 1)
    match draw(st.integers(0, 10)):
        case 0:
            return draw(leaf(env, shapes))
        case 1:
            return add(draw(inner), draw(inner), draw(inner))
        case 2:
            return Add((draw(inner), Product((Const(Fraction(-1)), draw(inner)))))
        case 3:
            return negate(draw(inner))
        case 4:
            return divide(draw(inner), multiply(divisor(draw(inner)), divisor(draw(inner))))
        case 5:
            return Product((draw(inner), draw(inner)))
        case 6 | 7:
            indices = tuple(bound(draw) for _ in range(draw(st.integers(1, 2))))
            body = expressions((*env, *indices), shapes, depth - 1)
            return summation(indices, multiply(draw(body), draw(body)))
        case 8:
            return draw(operated(env, shapes, depth))
        case 9:
            return draw(applied(env, shapes, depth))
        case _:
            return multiply(draw(inner), draw(inner), draw(inner))


@pytest.mark.parametrize("name", sorted(WORLDS))
@given(data=st.data())
@settings(max_examples=int(os.environ.get("EXAMPLES", "80")), deadline=None)
def test_reads_back(name: str, data: st.DataObject, reads_back: Check) -> None:
    scope, naming = WORLDS[name]
    shapes = {tensor: declared.shape for tensor, declared in scope.tensors.items()}
    expression = data.draw(expressions(FREE, shapes, data.draw(st.integers(0, 3))))
    # Every free index stands on the left; the right side repeats along those that it lacks.
    reads_back(Equation("out", FREE, expression), scope, naming)


def test_size_hidden_by_a_tensor(reads_back: Check) -> None:
    scope, naming = WORLDS["hidden"]
    reads_back(Equation("out", FREE, multiply(size(P), Ref("p"), Sum((FREE[2],), ONE))), scope, naming)
