"""What the tests of the printers share: printing a formula and reading it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import elaborate_equation
from tensorgrad_cli.algebra.expression import Apply, Equation, Expression, Ref, constant
from tensorgrad_cli.algebra.library import Scope, derivative_name
from tensorgrad_cli.algebra.normal import equal
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.render import ascii, matrix, text
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.source import Issue, Source

Check = Callable[[Equation, Scope, Naming], None]


def _as_second(expression: Expression, naming: Naming) -> Expression:
    """A derivative of a first derivative by the name of the second derivative that it is printed as."""
    if isinstance(expression, Ref):
        return Ref(_second(expression.tensor, naming), expression.indices)
    return mapped(expression, lambda part: _as_second(part, naming))


def _second(name: str, naming: Naming) -> str:
    outer = naming.derivatives.get(name)
    if outer is None:
        return name
    inner = naming.derivatives.get(outer.numerator)
    if inner is None or outer.own or inner.own:
        return derivative_name(outer.numerator, outer.denominators, outer.own)
    return derivative_name(inner.numerator, inner.denominators + outer.denominators)


def same(one: Expression, other: Expression) -> bool:
    one, other = _with_pi(one), _with_pi(other)
    return equal(one, other) or equal(simplified(one), simplified(other))


def _with_pi(expression: Expression) -> Expression:
    """The arc that π is printed as where a declared name hides it is π."""
    if expression == Apply("acos", (0,), (constant(-1),)):
        return Apply("pi", (), ())
    return mapped(expression, _with_pi)


def _check(equation: Equation, scope: Scope, naming: Naming) -> None:
    """Every notation on one line, sums implied and written, reads back as the same equation."""
    declared = equation.tensor.startswith("∂") or scope.shape(equation.tensor) is not None
    if not declared:
        scope = scope.with_step(equation.tensor, equation.shape, naming.spelling(equation.tensor))
    wanted = _as_second(equation.expression, naming)
    for notation in (text, ascii):
        for implied in (True, False):
            written = notation.equation(equation, naming, implied=implied)
            try:
                tree = parse_equation(Source("printed", written), scope.vocabulary)
                read = elaborate_equation(tree, scope)
            except Issue as issue:
                if issue.code == "not-yet":
                    continue
                raise AssertionError(f"{written}\n{issue.code}: {issue.message}\n{equation}") from issue
            assert read.mismatch is None, f"{written}\n{read.mismatch}"
            left = read.left.expression
            assert isinstance(left, Ref), written
            assert len(left.indices) == len(equation.indices), written
            assert left.tensor == _second(equation.tensor, naming), written
            renamed = dict(zip(equation.indices, left.indices, strict=True))
            right = read.right.expression
            assert same(right, substitute(wanted, renamed)), f"{written}\n{right}\n{wanted}"


def _check_matrix(equation: Equation, scope: Scope, naming: Naming) -> None:
    """Matrix notation, where there is any, reads back as the same equation."""
    if scope.shape(equation.tensor) is None and not equation.tensor.startswith("∂"):
        scope = scope.with_step(equation.tensor, equation.shape, naming.spelling(equation.tensor))
    for ascii_only in (False, True):
        written = matrix.equation(equation, naming, ascii=ascii_only)
        if written is None:
            continue
        try:
            read = elaborate_equation(parse_equation(Source("printed", written), scope.vocabulary), scope)
        except Issue as issue:
            raise AssertionError(f"{written}\n{issue.code}: {issue.message}\n{equation}") from issue
        assert read.mismatch is None, f"{written}\n{read.mismatch}"
        left = read.left.expression
        assert isinstance(left, Ref), written
        assert left.tensor == _second(equation.tensor, naming), written
        renamed = dict(zip(equation.indices, left.indices, strict=True))
        wanted = substitute(_as_second(equation.expression, naming), renamed)
        assert same(read.right.expression, wanted), f"{written}\n{read.right.expression}\n{wanted}"


@pytest.fixture(scope="session")
def matrix_reads_back() -> Check:
    return _check_matrix


@pytest.fixture(scope="session")
def reads_back() -> Check:
    return _check


def with_bars(scope: Scope) -> Scope:
    """The scope with the cotangent of every tensor and step."""
    shapes = {name: tensor.shape for name, tensor in scope.tensors.items()} | dict(scope.steps)
    bars = [Tensor(f"{name}_bar", shape) for name, shape in shapes.items()]
    return replace(scope, tensors=scope.tensors | {bar.name: bar for bar in bars})


@pytest.fixture(scope="session")
def barred() -> Callable[[Scope], Scope]:
    return with_bars
