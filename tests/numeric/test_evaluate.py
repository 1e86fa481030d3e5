"""Evaluation against loops over entries that know nothing of plans, contractions or views."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tensorgrad_cli.algebra.expression import (
    ONE,
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Equation,
    Index,
    Op,
    Product,
    Ref,
    Sum,
    add,
    constant,
    fresh,
    mask,
    multiply,
    negate,
    power,
    size,
    summation,
)
from tensorgrad_cli.numeric.branches import ties
from tensorgrad_cli.numeric.evaluate import (
    AbstractFunction,
    Environment,
    TooLarge,
    chain_memory,
    evaluate,
    evaluate_chain,
)

A, B, C = Dimension("a"), Dimension("b"), Dimension("c")
SIZES = {"a": 2, "b": 3, "c": 4}
SHAPES = {
    "s": (),
    "u": (A,),
    "v": (B,),
    "w": (C,),
    "Q": (A, A),
    "R": (B, B),
    "M": (A, B),
    "N": (B, C),
    "T": (A, B, C),
    "S": (C, A, A),
}
FUNCTIONS = {"f": AbstractFunction("f", 1, 3), "g": AbstractFunction("g", 2, 3)}
FREE = tuple(Index(name, dimension) for name, dimension in [("i", A), ("j", A), ("k", B), ("l", B), ("m", C)])


def arrays(seed: int = 0, batch: int | None = None) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    front = () if batch is None else (batch,)
    return {
        name: rng.uniform(-1, 1, (*front, *(SIZES[d.name] for d in shape))) for name, shape in SHAPES.items()
    }


def environment(seed: int = 0) -> Environment:
    return Environment(arrays(seed), sizes=SIZES, functions=FUNCTIONS)


# --- the reference --------------------------------------------------------------------------------


def entry(expression, at, given):
    """The value of an expression where the indices have the values `at`."""

    def positions(items):
        return [at[item] if isinstance(item, Index) else item for item in items]

    match expression:
        case Const(value):
            return float(value)
        case Ref(tensor, indices):
            place = positions(indices)
            if tensor == RANGE:
                return float(place[0])
            array = given[tensor]
            inside = all(p < n for p, n in zip(place, array.shape, strict=True))
            return array[tuple(place)] if inside else 0.0
        case Delta(left, right):
            a, b = positions((left, right))
            return float(a == b)
        case Apply(function, order, arguments):
            values = [entry(argument, at, given) for argument in arguments]
            if function == "pow":
                return values[0] ** values[1]
            if function == "pi":
                return math.pi
            if function in ("<", "<=", "=", "!="):
                a, b = values
                return float({"<": a < b, "<=": a <= b, "=": a == b, "!=": a != b}[function])
            return FUNCTIONS[function](order, *values)
        case Product(factors):
            return math.prod(entry(factor, at, given) for factor in factors)
        case Add(terms):
            return sum(entry(term, at, given) for term in terms)
        case Sum(indices, body):
            ranges = [range(SIZES[index.dimension.name]) for index in indices]
            return sum(
                entry(body, {**at, **dict(zip(indices, places, strict=True))}, given)
                for places in itertools.product(*ranges)
            )
    raise AssertionError(expression)


def reference(expression, order, given):
    shape = tuple(SIZES[index.dimension.name] for index in order)
    out = np.empty(shape)
    for places in np.ndindex(*shape):
        out[places] = entry(expression, dict(zip(order, places, strict=True)), given)
    return out


# --- random expressions ---------------------------------------------------------------------------


@st.composite
def expressions(draw, scope=FREE, depth=3):
    kinds = ["ref", "ref", "delta", "const"]
    if depth:
        kinds += ["product", "product", "add", "sum", "sum", "apply", "mask"]
    kind = draw(st.sampled_from(kinds))
    inner = expressions(scope=scope, depth=depth - 1)
    if kind == "const":
        return Const(draw(st.sampled_from([Fraction(2), Fraction(-1, 3), Fraction(-1), Fraction(1)])))
    if kind == "ref":
        name = draw(st.sampled_from(sorted(SHAPES)))
        return Ref(name, tuple(draw(_position(scope, d)) for d in SHAPES[name]))
    if kind == "delta":
        dimension = draw(st.sampled_from([A, B, C]))
        return Delta(draw(_position(scope, dimension)), draw(_position(scope, dimension)))
    if kind == "mask":
        dimension = draw(st.sampled_from([A, B]))
        sign = draw(st.sampled_from(["<", "<=", "=", "!="]))
        return mask(draw(_position(scope, dimension)), sign, draw(_position(scope, dimension)))
    if kind == "product":
        return multiply(*draw(st.lists(inner, min_size=2, max_size=4)))
    if kind == "add":
        return add(*draw(st.lists(inner, min_size=2, max_size=3)))
    if kind == "sum":
        bound = fresh(Index("q", draw(st.sampled_from([A, B, C]))))
        return summation((bound,), draw(expressions(scope=(*scope, bound), depth=depth - 1)))
    function = draw(st.sampled_from(["f", "g", "pow", "size"]))
    if function == "size":
        return multiply(size(draw(st.sampled_from([A, B]))), draw(inner))
    if function == "pow":
        return power(draw(inner), constant(draw(st.sampled_from([2, 3]))))
    arity = FUNCTIONS[function].arity
    order = tuple(draw(st.integers(0, 2)) for _ in range(arity))
    return Apply(function, order, tuple(draw(inner) for _ in range(arity)))


def _position(scope, dimension):
    fitting = [index for index in scope if index.dimension == dimension]
    return st.one_of(st.sampled_from(fitting), st.sampled_from([*fitting, 0, 1, 5]))


def close(value, expected):
    scale = max(1.0, float(np.max(np.abs(expected), initial=0.0)))
    np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-11 * scale)


@settings(max_examples=150, deadline=None)
@given(expressions(), st.permutations(FREE))
def test_random_expressions_agree_with_loops(expression, order):
    free = tuple(index for index in order if index in expression.free or index.name == "j")
    close(evaluate(expression, free, environment()), reference(expression, free, arrays()))


@settings(max_examples=80, deadline=None)
@given(expressions(), st.sets(st.sampled_from(sorted(SHAPES))))
def test_a_batch_is_as_good_as_a_loop(expression, batched):
    many = arrays(1, batch=3)
    base = environment().with_arrays({name: many[name] for name in batched}, batched)
    order = tuple(sorted(expression.free))
    value = evaluate(expression, order, base)
    for point in range(3):
        one = environment().with_arrays({name: many[name][point] for name in batched})
        expected = evaluate(expression, order, one)
        close(value[point] if value.ndim > len(order) else value, expected)


@settings(max_examples=40, deadline=None)
@given(expressions(depth=2), st.sampled_from(["float32", "longdouble", "complex128"]))
def test_the_dtype_follows_the_arrays(expression, dtype):
    given_arrays = {name: array.astype(dtype) for name, array in arrays().items()}
    order = tuple(sorted(expression.free))
    value = evaluate(expression, order, environment().with_arrays(given_arrays))
    expected = evaluate(expression, order, environment())
    np.testing.assert_allclose(value.real, expected, rtol=1e-4, atol=1e-4)
    if any(isinstance(part, Ref) and part.tensor != RANGE for part in [expression]):
        assert value.dtype == np.dtype(dtype)


# --- named cases ----------------------------------------------------------------------------------

I, J, K, L, M = FREE


def bound(index):
    return fresh(index)


def test_a_product_with_its_sums():
    k, m = bound(K), bound(M)
    expression = summation(
        (k, m), multiply(constant(2), Ref("T", (I, k, m)), Ref("N", (k, m)), Ref("v", (k,)))
    )
    given_arrays = arrays()
    expected = 2 * np.einsum("ikm,km,k->i", given_arrays["T"], given_arrays["N"], given_arrays["v"])
    close(evaluate(expression, (I,), environment()), expected)


def test_deltas_stand_on_a_diagonal_of_the_result():
    expression = multiply(Ref("M", (I, K)), Delta(I, J), Delta(K, L))
    value = evaluate(expression, (I, J, K, L), environment())
    close(value, np.einsum("ik,ij,kl->ijkl", arrays()["M"], np.eye(2), np.eye(3)))


def test_a_delta_at_a_fixed_position_writes_one_entry():
    close(evaluate(multiply(Ref("s"), Delta(K, 1)), (K,), environment()), arrays()["s"] * np.eye(3)[1])
    assert not evaluate(Delta(K, 7), (K,), environment()).any()
    k = bound(K)
    beyond = summation((k,), multiply(Apply("f", (0,), (Ref("v", (k,)),)), Delta(k, 7)))
    assert evaluate(beyond, (), environment()) == 0


def test_softmax_s_derivative_is_multiplied_out_over_its_delta():
    k = bound(K)
    difference = add(Delta(k, L), negate(Ref("v", (L,))))
    expression = summation((k,), multiply(Ref("M", (I, k)), Ref("v", (k,)), difference))
    given_arrays = arrays()
    expected = np.einsum("ik,k,kl->il", given_arrays["M"], given_arrays["v"], np.eye(3) - given_arrays["v"])
    close(evaluate(expression, (I, L), environment()), expected)


def test_the_same_sum_twice_in_a_product_is_a_square():
    k = bound(K)
    total = summation((k,), Ref("v", (k,)))
    close(evaluate(Product((total, total)), (), environment()), arrays()["v"].sum() ** 2)


def test_sizes_and_sums_that_nothing_carries():
    assert evaluate(multiply(size(B), size(B), power(size(C), constant(-1))), (), environment()) == 9 / 4
    k = bound(K)
    close(evaluate(summation((k,), Ref("u", (I,))), (I,), environment()), 3 * arrays()["u"])


def test_what_lacks_an_index_is_repeated_along_it():
    value = evaluate(Ref("v", (K,)), (I, K), environment())
    close(value, np.tile(arrays()["v"], (2, 1)))
    assert evaluate(ONE, (I, K), environment()).shape == (2, 3)


def test_diagonals_and_fixed_positions_are_read_without_a_copy():
    env = environment()
    diagonal = evaluate(Ref("Q", (I, I)), (I,), env)
    assert np.shares_memory(diagonal, env.arrays["Q"])
    assert np.shares_memory(evaluate(Ref("M", (1, K)), (K,), env), env.arrays["M"])
    close(diagonal, np.diag(arrays()["Q"]))


def test_whole_numbers_in_arrays_count_as_reals():
    env = environment().with_arrays({"v": np.array([1, 2, 4])})
    close(evaluate(power(Ref("v", (K,)), constant(-1)), (K,), env), [1, 0.5, 0.25])


def test_nothing_warns_and_what_is_not_finite_is_returned():
    env = environment().with_arrays({"v": np.array([0.0, -1.0, 1e308])})
    inverse = evaluate(power(Ref("v", (K,)), constant(-1)), (K,), env)
    assert np.isinf(inverse[0])
    root = evaluate(power(Ref("v", (K,)), Const(Fraction(1, 2))), (K,), env)
    assert np.isnan(root[1])
    assert np.isinf(evaluate(multiply(constant(10), Ref("v", (K,))), (K,), env)[2])
    assert np.isinf(evaluate(power(constant(0), constant(-1)), (), env))
    singular = Op("inv", (I, J), (I, J), (multiply(Ref("s"), Ref("Q", (I, J))),))
    zero = env.with_arrays({"s": np.zeros(())})
    assert np.isnan(evaluate(singular, (I, J), zero)).all()


def test_rows_of_the_tables():
    k, m = bound(K), bound(M)
    given_arrays = arrays()
    tanh = Apply("tanh", (0,), (Ref("M", (I, K)),))
    close(evaluate(tanh, (K, I), environment()), np.tanh(given_arrays["M"]).T)
    larger = Apply("max", (0, 0), (Ref("u", (I,)), Ref("v", (K,))))
    close(evaluate(larger, (I, K), environment()), np.maximum.outer(given_arrays["u"], given_arrays["v"]))
    top = Op("max", (k,), (), (Ref("M", (I, k)),))
    close(evaluate(top, (I,), environment()), given_arrays["M"].max(axis=1))
    both = Op("max", (k, m), (), (Ref("T", (I, k, m)),))
    close(evaluate(both, (I,), environment()), given_arrays["T"].max(axis=(1, 2)))
    exponentials = np.exp(given_arrays["M"])
    soft = Op("softmax", (k,), (K,), (Ref("M", (I, k)),))
    close(
        evaluate(soft, (K, I), environment()),
        (exponentials / exponentials.sum(axis=1, keepdims=True)).T,
    )
    i, j = bound(I), bound(J)
    inverse = Op("inv", (i, j), (J, I), (Ref("S", (M, i, j)),))
    close(
        evaluate(inverse, (M, I, J), environment()),
        np.linalg.inv(given_arrays["S"]).swapaxes(1, 2),
    )
    trace = summation((M,), Op("inv", (i, j), (0, 0), (Ref("S", (M, i, j)),)))
    close(evaluate(trace, (), environment()), np.linalg.inv(given_arrays["S"])[:, 0, 0].sum())
    k1, k2 = bound(K), bound(K)
    rows = Dimension("a*b", ((1, ("a", "b")),))
    r = Index("r", rows)
    columns = Index("t", Dimension("b*b", ((1, ("b", "b")),)))
    kron = Op("kron", (i, k, k1, k2), (r, columns), (Ref("M", (i, k)), Ref("R", (k1, k2))))
    value = evaluate(kron, (r, columns), environment())
    assert value.shape == (6, 9)
    close(value, np.kron(given_arrays["M"], given_arrays["R"]))


def test_an_operation_over_what_lacks_its_index():
    k = bound(K)
    close(
        evaluate(Op("logsumexp", (k,), (), (Ref("u", (I,)),)), (I,), environment()),
        arrays()["u"] + math.log(3),
    )


def chain():
    k, i, k2 = bound(K), bound(I), bound(K)
    return (
        Equation("z", (I, L), summation((k,), multiply(Ref("M", (I, k)), Ref("R", (k, L))))),
        Equation("y", (I, L), Apply("f", (0,), (Ref("z", (I, L)),))),
        Equation("t", (L,), Apply("f", (0,), (Ref("v", (L,)),))),
        Equation("c", (), summation((i, k2), multiply(Ref("y", (i, k2)), Ref("t", (k2,))))),
    )


def test_a_chain_and_only_some_of_it():
    whole = evaluate_chain(chain(), environment())
    close(whole.arrays["z"], arrays()["M"] @ arrays()["R"])
    assert whole.arrays["c"].shape == ()
    assert {"z", "y"} <= set(evaluate_chain(chain(), environment(), only=["y"]).arrays)
    assert "t" not in evaluate_chain(chain(), environment(), only=["y"]).arrays


def test_a_batch_recomputes_only_what_depends_on_it():
    centre = evaluate_chain(chain(), environment())
    many = arrays(5, batch=4)["R"]
    batched = evaluate_chain(chain(), centre.with_arrays({"R": many}, ["R"]))
    assert batched.batched == {"R", "z", "y", "c"}
    assert batched.arrays["t"] is centre.arrays["t"]
    for point in range(4):
        alone = evaluate_chain(chain(), environment().with_arrays({"R": many[point]}))
        close(batched.arrays["c"][point], alone.arrays["c"])


def test_a_batched_step_is_cut_free_from_its_equation():
    centre = evaluate_chain(chain(), environment())
    z = centre.arrays["z"] + np.array([0.0, 1.0])[:, None, None]
    batched = evaluate_chain(chain(), centre.with_arrays({"z": z}, ["z"]))
    assert batched.arrays["z"] is z
    close(batched.arrays["c"][0], centre.arrays["c"])
    assert batched.arrays["c"][1] != batched.arrays["c"][0]


def test_a_complex_step_is_the_derivative():
    centre = evaluate_chain(chain(), environment())
    step = 1e-30
    moved = np.broadcast_to(arrays()["R"], (9, 3, 3)).astype(complex)
    moved = moved + 1j * step * np.eye(9).reshape(9, 3, 3)
    value = evaluate_chain(chain(), centre.with_arrays({"R": moved}, ["R"])).arrays["c"]
    i, p = bound(I), Index("p", B)
    gradient = summation(
        (i,),
        multiply(Ref("M", (i, p)), Apply("f", (1,), (Ref("z", (i, L)),)), Ref("t", (L,))),
    )
    close((value.imag / step).reshape(3, 3), evaluate(gradient, (p, L), centre))


def test_too_large_is_refused_before_anything_is_allocated():
    big = Environment({"u": np.zeros(1 << 20), "v": np.zeros(1 << 20)}, sizes={"a": 1 << 20, "b": 1 << 20})
    with pytest.raises(TooLarge) as caught:
        evaluate(multiply(Ref("u", (I,)), Ref("v", (K,))), (I, K), big)
    assert caught.value.needed == 8 << 40
    with pytest.raises(TooLarge):
        evaluate(Delta(I, J), (I, J), big)
    with pytest.raises(TooLarge, match="for z"):
        evaluate_chain((Equation("z", (I, J), Delta(I, J)),), big)
    k = bound(K)  # the same product, summed, fits
    summed = summation((k,), multiply(Ref("u", (I,)), Ref("v", (k,))))
    assert evaluate(summed, (I,), big).shape == (1 << 20,)
    # What an operation repeats along its indices would be stored, or take time, too.
    i = bound(I)
    with pytest.raises(TooLarge):
        evaluate(Op("max", (i, k), (), (constant(1),)), (), big)


def test_the_memory_of_a_chain_is_known_without_running_it():
    centre = evaluate_chain(chain(), environment())
    batched = centre.with_arrays({"R": np.zeros((1, 3, 3))}, ["R"])
    few, many = (chain_memory(chain(), batched, count) for count in (10, 1000))
    assert few >= 10 * (6 + 6 + 1) * 8  # the arrays of z, y and c that stay
    assert 99 * few < many < 101 * few


def test_branches_are_recorded_and_compared():
    k = bound(K)
    equations = (
        Equation("y", (I, K), Apply("relu", (0,), (Ref("M", (I, K)),))),
        Equation("p", (I,), Op("max", (k,), (), (Ref("M", (I, k)),))),
        Equation("n", (K,), mask(K, "<=", 1)),
    )
    start = np.array([[1.0, -1.0, 0.5], [2.0, 3.0, -4.0]])
    env = Environment({"M": start}, sizes=SIZES)
    centre: list = []
    there = evaluate_chain(equations, env, branches=centre)
    assert [(branch.step, branch.function) for branch in centre] == [("y", "relu"), ("p", "max")]
    assert not ties(centre)
    moved = np.stack([start, start + 0.1, start + 2.0, start * [1.0, 0.5, 1.0]])
    points: list = []
    evaluate_chain(equations, there.with_arrays({"M": moved}, ["M"]), branches=points)
    same = [
        all((a.codes[k] == b.codes).all() for a, b in zip(points, centre, strict=True))
        for k in range(len(moved))
    ]
    assert same == [True, True, False, False]


def test_an_exact_tie_is_named():
    k = bound(K)
    relu = Apply("relu", (0,), (Ref("M", (I, K)),))
    top = Op("max", (k,), (), (Ref("M", (I, k)),))
    start = np.array([[1.0, -1.0, 1.0], [2.0, 0.0, -4.0]])
    env = Environment({"M": start}, sizes=SIZES)
    found: list = []
    evaluate_chain((Equation("y", (I, K), relu), Equation("p", (I,), top)), env, branches=found)
    assert [(branch.step, entry) for branch, entry in ties(found)] == [("y", (1, 1)), ("p", (0,))]


@pytest.mark.parametrize("arity", [1, 2, 3])
def test_abstract_functions_have_exact_derivatives(arity):
    f = AbstractFunction("f", arity, 1)
    point = np.linspace(0.3, 1.1, arity)
    for order in itertools.product(range(3), repeat=arity):
        for argument in range(arity):
            higher = tuple(n + (k == argument) for k, n in enumerate(order))
            moved = point.astype(complex)
            moved[argument] += 1e-30j
            close(f(order, *moved).imag / 1e-30, f(higher, *point))


def test_abstract_functions_are_generic():
    f, same, other = (
        AbstractFunction("f", 2, 1),
        AbstractFunction("f", 2, 1),
        AbstractFunction("f", 2, 2),
    )
    assert f((0, 0), 0.3, 0.4) == same((0, 0), 0.3, 0.4) != other((0, 0), 0.3, 0.4)
    assert f((0, 0), 0.3, 0.4) != f((0, 0), 0.4, 0.3)
    assert f((0, 0), 0.0, 0.0) != 0
    assert AbstractFunction("g", 2, 1)((0, 0), 0.3, 0.4) != f((0, 0), 0.3, 0.4)
