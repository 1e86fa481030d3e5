"""The scope of a spec, the names of derivatives, and the rows of the tables as expressions."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction

import pytest

from tensorgrad_cli.algebra.expression import (
    ONE,
    Apply,
    Const,
    Dimension,
    Index,
    Op,
    Ref,
    add,
    constant,
    fresh,
    multiply,
    negate,
    power,
    subtract,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import (
    BUILTINS,
    Scope,
    UserFunction,
    derivative_name,
    function_definition,
    function_derivative,
    function_domain,
    function_kinks,
    instantiate,
    operation_derivative_at,
    operation_expanded,
)
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import references, subexpressions
from tensorgrad_cli.source import Source

M, N = Dimension("m"), Dimension("n")
x, y = Ref("x"), Ref("y")


def test_a_scope_knows_shapes() -> None:
    scope = Scope(tensors={"w": Tensor("w", (M, N))}, dimensions={"m": M, "n": N})
    later = scope.with_step("y_hat", (M,), "ŷ")
    assert scope.shape("y_hat") is None
    assert later.shape("y_hat") == (M,)
    assert later.shape("w") == (M, N)
    assert later.spelling("y_hat") == "ŷ"
    assert later.spelling("w") == "w"


def test_a_scope_has_a_vocabulary_of_its_own() -> None:
    square = UserFunction("C", ("u",), power(Ref("u"), constant(2)), Source("spec", "C(u) = u^2"))
    scope = Scope(
        tensors={"w": Tensor("w", ())},
        dimensions={"n": N},
        abstract={"f": 0},
        defined={"C": square},
    )
    words = scope.with_step("z", ()).vocabulary
    assert words.functions == {"f", "C"}
    assert words.tensors == {"w", "z"}
    assert words.dimensions == {"n"}
    assert words.builtins is BUILTINS
    assert scope.vocabulary.tensors == {"w"}


def test_every_row_is_a_word_of_the_language() -> None:
    for name in FUNCTIONS:
        assert BUILTINS[name] == ("operation" if name in OPERATIONS else "function")
    for name in OPERATIONS:
        assert BUILTINS[name] in ("operation", "matrix")
    for name in ("sum", "mean"):
        assert BUILTINS[name] == "operation"
    for name in ("tr", "diag", "outer", "inner", "inv", "kron", "vec", "det", "logdet"):
        assert BUILTINS[name] == "matrix"


@pytest.mark.parametrize(
    ("numerator", "denominators", "own", "expected"),
    [
        ("cost", ["w"], False, "∂cost/∂w"),
        ("cost", ["w", "b"], False, "∂²cost/∂w∂b"),
        ("cost", ["w", "w"], False, "∂²cost/∂w∂w"),
        ("c", ["u"], True, "∂⁺c/∂u"),
        ("‹1›", ["w"], False, "∂‹1›/∂w"),
        ("∂f/∂x", ["x"], False, "∂(∂f/∂x)/∂x"),
        ("f", ["x", "y", "z"], False, "∂³f/∂x∂y∂z"),
    ],
)
def test_derivatives_have_names(numerator: str, denominators: list[str], own: bool, expected: str) -> None:
    assert derivative_name(numerator, denominators, own) == expected


def test_formulas_become_expressions() -> None:
    assert function_derivative("tanh", 0) == subtract(ONE, power(y, constant(2)))
    assert function_derivative("sigmoid", 0) == multiply(y, subtract(ONE, y))
    assert function_derivative("log_sigmoid", 0) == Apply("sigmoid", (0,), (negate(x),))
    assert function_definition("exp") is None
    doubled = Apply("exp", (0,), (multiply(constant(2), x),))
    half = power(add(doubled, ONE), constant(-1))
    assert function_definition("tanh") == subtract(ONE, multiply(constant(2), half))


def test_domains_and_kinks_become_expressions() -> None:
    assert function_domain("log") == ((x, ">"),)
    assert function_domain("acosh") == ((subtract(x, ONE), ">"),)
    assert function_domain("exp") == ()
    assert function_kinks("relu6") == (x, subtract(x, constant(6)))
    assert function_kinks("max") == (subtract(Ref("a"), Ref("b")),)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_formulas_are_over_the_parameters(name: str) -> None:
    row = FUNCTIONS[name]
    known = set(row.parameters)
    for k in range(len(row.parameters)):
        assert references(function_derivative(name, k)) <= known | {"y"}
    expressions = [*function_kinks(name), *(condition for condition, _ in function_domain(name))]
    definition = function_definition(name)
    if definition is not None:
        expressions.append(definition)
    for expression in expressions:
        assert references(expression) <= known
        for part in subexpressions(expression):
            if isinstance(part, Apply):
                assert part.function in FUNCTIONS or part.function == "pi"


def test_a_template_takes_values() -> None:
    z = Ref("z", (Index("i", N),))
    value = Apply("tanh", (0,), (z,))
    slope = instantiate(function_derivative("tanh", 0), {"x": z, "y": value})
    assert slope == subtract(ONE, power(value, constant(2)))
    # A value that has the name of a parameter is not taken for it.
    swapped = instantiate(subtract(Ref("a"), Ref("b")), {"a": Ref("b"), "b": Ref("a")})
    assert swapped == subtract(Ref("b"), Ref("a"))
    # Numbers are folded.
    assert instantiate(power(Ref("a"), Ref("b")), {"b": constant(1), "a": z}) == z


def test_an_operations_derivative_has_its_positions() -> None:
    k, i, j = fresh(Index("k", N)), Index("k", N), Index("j", N)
    op = Op("softmax", (k,), (i,), (Ref("z", (k,)),))
    value = Op("softmax", (k,), (j,), (Ref("z", (k,)),))
    found = operation_derivative_at(op, 0, (j,))
    assert found.free == {i, j}
    assert value in set(subexpressions(found))
    assert op in set(subexpressions(found))


def test_an_operations_formula_takes_real_dimensions_and_parameters() -> None:
    three = Dimension("3")
    for dimension, expected in ((three, "3"), (N, None)):
        k = fresh(Index("k", dimension))
        op = Op("var", (k,), (), (Ref("z", (k,)),), (("ddof", Fraction(1)),))
        expanded = operation_expanded(op)
        indices = {i for part in subexpressions(expanded) for i in part.free}
        assert indices and {i.dimension for i in indices} == {dimension}
        numbers = {part.value for part in subexpressions(expanded) if isinstance(part, Const)}
        if expected:
            # A number of its own, so that nothing is left of the sum over ones.
            assert Fraction(1, 2) in numbers


def test_a_linear_operation_has_itself_at_a_unit_tensor_as_its_derivative() -> None:
    a, b = fresh(Index("a", M)), fresh(Index("b", N))
    long = Dimension("m*n", ((1, ("m", "n")),))
    i, k, j = Index("i", long), Index("k", M), Index("l", N)
    op = Op("vec", (a, b), (i,), (Ref("X", (a, b)),))
    found = operation_derivative_at(op, 0, (k, j))
    assert isinstance(found, Op)
    assert found.operation == "vec"
    assert found.out == (i,)
    assert found.free == {i, k, j}
    assert set(found.bound).isdisjoint(op.bound)


def test_the_library_imports_no_numpy() -> None:
    code = "import sys, tensorgrad_cli.algebra.library; print('numpy' in sys.modules, 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
