"""Every row of the table of scalar functions: derivatives to second order, continuation, definition."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tensorgrad_cli.algebra.expression import Add, Apply, Const, Expression, Product, Ref
from tensorgrad_cli.algebra.functions import FUNCTIONS, Function
from tensorgrad_cli.algebra.library import (
    function_definition,
    function_derivative,
    function_domain,
    function_kinks,
)
from tensorgrad_cli.algebra.walking import subexpressions

# What the exact test evaluates by itself or as an oracle.
LEAVES = set(
    "exp log sqrt sin cos abs sign step max min pow relu asin atan erf lgamma digamma polygamma".split()
)

# Places to test at: near zero, in the middle, far out, and beside the kinks of the piecewise rows.
POINTS = [1e-6, 1e-3, 0.07, 0.3, 0.43, 0.62, 0.97, 1.3, 2.1, 2.7, 4.4, 5.7, 7.9, 13.0, 31.0, 97.0, 640.0]
POINTS += [-point for point in POINTS]


def value(expression: Expression, values: dict[str, Any]) -> Any:
    """The number that a scalar expression is."""
    match expression:
        case Const(number):
            return float(number)
        case Ref(name, ()):
            return values[name]
        case Apply("pi", (), ()):
            return math.pi
        case Apply("pow", (0, 0), (base, Const(exponent))) if exponent.denominator == 1:
            return value(base, values) ** int(exponent)
        case Apply(name, _, arguments):
            return FUNCTIONS[name].numeric(np, *(np.asarray(value(a, values)) for a in arguments))
        case Product(factors):
            product = 1.0
            for factor in factors:
                product = product * value(factor, values)
            return product
        case Add(terms):
            return sum(value(term, values) for term in terms)
        case _:
            raise AssertionError(expression)


def in_domain(row: Function, values: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Where all conditions of a row hold."""
    ok = np.ones(np.shape(values[row.parameters[0]]), bool)
    for condition, sign in function_domain(row.name):
        number = np.asarray(value(condition, values))
        ok &= number > 0 if sign == ">" else number >= 0
    return ok


def points(row: Function) -> dict[str, np.ndarray[Any, Any]]:
    """Arguments of a row that lie in its domain, away from its kinks, where its value is finite."""
    several = len(row.parameters) > 1
    some = np.array(POINTS if not several else [0.07, 0.43, 2.7, 13.0, -0.3, -0.62, -4.4, -31.0])
    if row.name == "polygamma":
        grid = np.meshgrid(np.array([1.0, 2.0, 3.0]), some)
    else:
        # Shifted apart, so that no two arguments are equal.
        grid = np.meshgrid(*(some * (1 + 0.11 * k) for k in range(len(row.parameters))))
    values = {name: axis.reshape(-1) for name, axis in zip(row.parameters, grid, strict=True)}
    with np.errstate(all="ignore"):
        ok = in_domain(row, values)
        for kink in function_kinks(row.name):
            ok &= np.abs(value(kink, values)) > 1e-7
        kept = {name: array[ok] for name, array in values.items()}
        y = np.real(row.numeric(np, *kept.values()))
    small = np.isfinite(y) & (np.abs(y) < 1e60)
    return {name: array[small] for name, array in kept.items()}


def derivative(row: Function, argument: int, values: dict[str, Any]) -> Any:
    """The derivative by the row's formula."""
    y = row.numeric(np, *values.values())
    out = value(function_derivative(row.name, argument), {**values, "y": y})
    return np.broadcast_to(out, np.shape(next(iter(values.values()))))


def differences(
    function: Any, values: dict[str, Any], name: str, row: Function, noise: Any
) -> tuple[Any, Any]:
    """Central differences with Richardson extrapolation, with error bars from the tableau and the rounding.

    Steps that leave the domain or cross a kink are not used; where none is left the bar is infinite.
    """
    centre = values[name]
    best = np.zeros_like(centre)
    bar = np.full_like(centre, np.inf)
    scale = np.minimum(np.abs(centre), 1)
    signs = [np.sign(value(kink, values)) for kink in function_kinks(row.name)]
    rounding = noise + jitter(function, values, name)
    column: list[Any] = []
    for k in range(1, 12):
        h = scale * 4.0**-k
        ends = [{**values, name: centre + s * h} for s in (1, -1)]
        inside = in_domain(row, ends[0]) & in_domain(row, ends[1])
        for end in ends:
            for kink, sign in zip(function_kinks(row.name), signs, strict=True):
                inside &= np.sign(value(kink, end)) == sign
        high, low = function(ends[0]), function(ends[1])
        slope = np.where(inside, (high - low) / (2 * h), np.nan)
        new = [slope]
        for j, old in enumerate(column, 1):
            new.append(new[-1] + (new[-1] - old) / (16.0**j - 1))
        size = np.maximum(np.abs(high), np.abs(low))
        noisy = (rounding + 1e-15 * size + 1e-300) / h
        for j in range(1, len(new)):
            error = np.abs(new[j] - new[j - 1]) + noisy
            better = error < bar
            best, bar = np.where(better, new[j], best), np.where(better, error, bar)
        column = new
    return best, 4 * bar


def jitter(function: Any, values: dict[str, Any], name: str) -> Any:
    """How much a function changes where one of its arguments moves by a few units in the last place."""
    moved = [function({**values, name: values[name] * (1 + k * 2.0**-52)}) for k in (-3, -2, -1, 1, 2, 3)]
    return np.max(np.abs(np.array(moved) - function(values)), axis=0)


def rounding_of_value(row: Function, argument: int, values: dict[str, Any]) -> Any:
    """How much the formula of a derivative changes where the value y moves by some units in the last place:
    1 - y² knows the slope of tanh far out only to the rounding of 1."""
    formula = function_derivative(row.name, argument)
    y = row.numeric(np, *values.values())
    moved = [value(formula, {**values, "y": y * (1 + k * 2.0**-52)}) for k in (-4, 4)]
    return np.max(np.abs(np.array(moved) - value(formula, {**values, "y": y})), axis=0)


def complex_step(function: Any, values: dict[str, Any], name: str) -> Any:
    """The derivative by a complex step."""
    h = 1e-30
    return np.imag(function({**values, name: values[name] + 1j * h})) / h


ALL = [(row, k) for row in FUNCTIONS.values() for k in range(len(row.parameters))]
IDS = [f"{row.name}.{k + 1}" for row, k in ALL]


@pytest.fixture(autouse=True)
def _no_overflow_noise() -> Iterator[None]:
    with np.errstate(all="ignore"):
        yield


def test_the_table_is_large_and_complete() -> None:
    assert len(FUNCTIONS) >= 40
    for name, row in FUNCTIONS.items():
        assert row.name == name
        assert len(row.derivatives) == len(row.parameters)
        assert "y" not in row.parameters
        assert (row.definition is None) == (name in LEAVES), name


@pytest.mark.parametrize(("row", "argument"), ALL, ids=IDS)
def test_derivatives_agree_with_differences_to_second_order(row: Function, argument: int) -> None:
    values = points(row)
    assert len(values[row.parameters[0]]) >= 5
    name = row.parameters[argument]
    if name == "n" or row.name == "stop_gradient":
        assert not np.any(derivative(row, argument, values))
        return
    rounding = rounding_of_value(row, argument, values)
    for function, expected, first_noise, own_bar in (
        (lambda v: row.numeric(np, *v.values()), derivative(row, argument, values), 0, rounding),
        (
            lambda v: derivative(row, argument, v),
            complex_derivative(row, argument, values),
            rounding,
            rounding,
        ),
    ):
        found, bar = differences(function, values, name, row, first_noise)
        assert np.all(np.isfinite(expected))
        wrong = np.abs(found - expected) > bar + own_bar + 1e-13 * np.abs(expected)
        assert not np.any(wrong), (values, found, expected, bar)
        resolved = bar <= 1e-6 * np.abs(expected) + 1e-12
        assert np.mean(resolved) > 0.4, row.name


def complex_derivative(row: Function, argument: int, values: dict[str, Any]) -> Any:
    """The derivative of the row's derivative, by a complex step of its formula."""
    return complex_step(lambda v: derivative(row, argument, v), values, row.parameters[argument])


@pytest.mark.parametrize(("row", "argument"), ALL, ids=IDS)
def test_the_complex_step_gives_the_derivative(row: Function, argument: int) -> None:
    values = points(row)
    name = row.parameters[argument]
    if name == "n" or row.name == "stop_gradient":
        return
    found = complex_step(lambda v: row.numeric(np, *v.values()), values, name)
    expected = derivative(row, argument, values)
    bar = 4 * jitter(lambda v: derivative(row, argument, v), values, name)
    bar += 4 * rounding_of_value(row, argument, values)
    # A quotient such as x/(1 + |x|) cancels in its imaginary part down to the rounding of y/x.
    y = np.abs(row.numeric(np, *values.values()))
    bar += 16 * np.finfo(float).eps * (np.abs(expected) + y / np.abs(values[name])) + 1e-300
    assert np.all(np.abs(found - expected) <= bar), (row.name, values, found, expected)


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_a_continuation_keeps_the_value(row: Function) -> None:
    values = points(row)
    moved = {name: array + 1e-30j for name, array in values.items()}
    if row.name == "polygamma":
        moved["n"] = values["n"]
    real, continued = row.numeric(np, *values.values()), row.numeric(np, *moved.values())
    np.testing.assert_allclose(np.real(continued), real, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize(
    "row", [row for row in FUNCTIONS.values() if row.definition], ids=lambda row: row.name
)
def test_a_definition_is_the_function(row: Function) -> None:
    values = points(row)
    moderate = np.all([np.abs(array) < 30 for array in values.values()], axis=0)
    values = {name: array[moderate] for name, array in values.items()}
    definition = function_definition(row.name)
    assert definition is not None
    np.testing.assert_allclose(
        value(definition, values), row.numeric(np, *values.values()), rtol=1e-10, atol=1e-10
    )


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_definitions_reach_leaves(row: Function) -> None:
    def depth(name: str, seen: tuple[str, ...]) -> None:
        assert name not in seen
        definition = function_definition(name)
        if definition is None:
            assert name in LEAVES
            return
        for part in subexpressions(definition):
            if isinstance(part, Apply) and part.function != "pi":
                assert part.order == (0,) * len(part.arguments)
                depth(part.function, (*seen, name))

    depth(row.name, ())


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_ordinary_numbers_give_no_warning(row: Function) -> None:
    values = points(row)
    with warnings.catch_warnings(), np.errstate(divide="warn", over="warn", invalid="warn"):
        warnings.simplefilter("error")
        row.numeric(np, *values.values())
        for k in range(len(row.parameters)):
            if np.all(np.abs(derivative(row, k, values)) < 1e100):
                derivative(row, k, values)


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("sigmoid", -800.0, 0.0),
        ("sigmoid", 800.0, 1.0),
        ("sigmoid", -700.0, math.exp(-700)),
        ("log_sigmoid", -800.0, -800.0),
        ("log_sigmoid", 800.0, 0.0),
        ("log_sigmoid", 40.0, -math.exp(-40)),
        ("softplus", 800.0, 800.0),
        ("softplus", -40.0, math.exp(-40)),
        ("silu", -800.0, 0.0),
        ("mish", 800.0, 800.0),
        ("tanh", 800.0, 1.0),
        ("elu", 800.0, 800.0),
        ("elu", -800.0, -1.0),
        ("elu", -1e-18, -1e-18),
        ("log1p", 1e-18, 1e-18),
        ("expm1", 1e-18, 1e-18),
        ("log_cosh", 800.0, 800.0 - math.log(2)),
        ("log_cosh", 1e-9, 5e-19),
        ("normal_cdf", -30.0, 4.906713927148187e-198),
        ("gelu", -30.0, -30 * 4.906713927148187e-198),
        ("step", 0.0, 0.5),
        ("relu", 0.0, 0.0),
        ("cbrt", -8.0, -2.0),
        ("huber", 1e9, 1e9 - 0.5),
    ],
)
def test_functions_are_stable_far_out(name: str, at: float, expected: float) -> None:
    for x in (np.array(at), np.array(at + 1e-200j)):
        found = np.real(FUNCTIONS[name].numeric(np, x))
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize(
    ("name", "at", "expected"),
    [
        ("sigmoid", -800.0, 0.0),
        ("sigmoid", -700.0, math.exp(-700)),
        ("log_sigmoid", 800.0, 0.0),
        ("log_sigmoid", 40.0, math.exp(-40)),
        ("softplus", 800.0, 1.0),
        ("softplus", -40.0, math.exp(-40)),
        ("tanh", 800.0, 0.0),
        ("elu", 800.0, 1.0),
        ("selu", 800.0, 1.0507009873554805),
        ("silu", 800.0, 1.0),
        ("silu", -800.0, 0.0),
        ("mish", -800.0, 0.0),
        ("gelu", -40.0, 0.0),
        ("gelu_tanh", -1e6, 0.0),
        ("log_cosh", -800.0, -1.0),
        ("huber", 1e17, 1.0),
    ],
)
def test_derivatives_are_stable_far_out(name: str, at: float, expected: float) -> None:
    found = derivative(FUNCTIONS[name], 0, {FUNCTIONS[name].parameters[0]: np.array(at)})
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-300)


def test_two_arguments_are_stable_too() -> None:
    assert FUNCTIONS["hypot"].numeric(np, np.array(3e200), np.array(4e200)) == pytest.approx(5e200)
    assert FUNCTIONS["logaddexp"].numeric(np, np.array(1000.0), np.array(-1000.0)) == 1000
    assert FUNCTIONS["xlogy"].numeric(np, np.array(0.0), np.array(0.0)) == 0


@pytest.mark.parametrize("row", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_is_not_a_number_stays_so(row: Function) -> None:
    if row.name == "polygamma":
        return
    assert np.isnan(row.numeric(np, *(np.array(np.nan) for _ in row.parameters)))


@pytest.mark.parametrize("name, slope", [("softplus", 0.5), ("log_sigmoid", 0.5), ("logaddexp", 0.5)])
@pytest.mark.parametrize("real", [0.0, -0.0])
def test_the_complex_step_of_a_smooth_function_made_of_parts_that_are_not(
    name: str, slope: float, real: float
) -> None:
    others = [np.zeros(1)] * (len(FUNCTIONS[name].parameters) - 1)
    found = FUNCTIONS[name].numeric(np, np.array([complex(real, 1e-30)]), *others)
    assert found.imag[0] / 1e-30 == pytest.approx(slope)
