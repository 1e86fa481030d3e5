"""What tests of formulas share: printing one and reading it back, all that a spec prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import Elaborated, elaborate_equation
from tensorgrad_cli.algebra.expression import Apply, Derivative, Equation, Expression, Index, Ref, constant
from tensorgrad_cli.algebra.library import Scope, derivative_name
from tensorgrad_cli.algebra.normal import equal, normal_form
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.tensors import Tensor
from tensorgrad_cli.algebra.walking import mapped
from tensorgrad_cli.calculus.derivative import lowered
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.render import ascii, matrix, text
from tensorgrad_cli.render.naming import Naming
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.model import Spec
from tensorgrad_cli.verify.chain_formulas import chain_checks, written
from tensorgrad_cli.verify.formulas import bar
from tensorgrad_cli.verify.formulas import reading as reading_of
from tensorgrad_cli.verify.ground import Ground
from tensorgrad_cli.verify.read_claims import attempt_claim, read_derivation
from tensorgrad_cli.verify.readings import Reading
from tensorgrad_cli.verify.workbench import Workbench

Check = Callable[[Equation, Scope, Naming], None]


def _by_content(expression: Expression, naming: Naming) -> Expression:
    """The expression with each derivative named by what it is: a derivative of a first derivative is a second one,
    and an expression under a ∂ is called by its normal form."""
    if isinstance(expression, Ref):
        derivative = naming.derivatives.get(expression.tensor)
        definition = naming.definitions.get(derivative.numerator) if derivative is not None else None
        if derivative is not None and definition is not None and isinstance(definition.expression, Ref):
            return _of_entry(expression, derivative, definition, definition.expression, naming)
        return Ref(_content(expression.tensor, naming), expression.indices)
    return mapped(expression, lambda part: _by_content(part, naming))


def _of_entry(
    expression: Ref, derivative: Derivative, definition: Equation, entry: Ref, naming: Naming
) -> Expression:
    """The derivative of an expression under a ∂ that is an entry only: that of the tensor."""
    rank = len(definition.indices)
    places = dict(zip(definition.indices, expression.indices[:rank], strict=True))
    moved = substitute(entry, places)
    assert isinstance(moved, Ref)
    name = derivative_name(_content(moved.tensor, naming), derivative.denominators, derivative.own)
    return Ref(name, (*moved.indices, *expression.indices[rank:]))


def _content(name: str, naming: Naming) -> str:
    outer = naming.derivatives.get(name)
    if outer is None:
        definition = naming.definitions.get(name)
        return name if definition is None else _defined(definition, naming)
    inner = naming.derivatives.get(outer.numerator)
    if inner is None or outer.own or inner.own:
        return derivative_name(_content(outer.numerator, naming), outer.denominators, outer.own)
    return derivative_name(_content(inner.numerator, naming), inner.denominators + outer.denominators)


def _defined(definition: Equation, naming: Naming) -> str:
    expression = definition.expression
    places = {index: Index(f"_{k}", index.dimension) for k, index in enumerate(definition.indices)}
    return f"‹{normal_form(_by_content(substitute(expression, places), naming))!r}›"


def _read_naming(read: Elaborated) -> Naming:
    return Naming(
        derivatives={derivative.name: derivative for derivative in read.derivatives},
        definitions={definition.tensor: definition for definition in read.definitions},
    )


# Primes of our functions are the functions that they are.
PLAIN = Scope()


def same(one: Expression, other: Expression) -> bool:
    one, other = _with_pi(lowered(one, PLAIN)), _with_pi(lowered(other, PLAIN))
    return equal(one, other) or equal(simplified(one), simplified(other))


def _with_pi(expression: Expression) -> Expression:
    """The arc that π is printed as where a declared name hides it is π."""
    if expression == Apply("acos", (0,), (constant(-1),)):
        return Apply("pi", (), ())
    return mapped(expression, _with_pi)


def _read(written: str, scope: Scope) -> Elaborated:
    try:
        read = elaborate_equation(parse_equation(Source("printed", written), scope.vocabulary), scope)
    except Issue as issue:
        raise AssertionError(f"{written}\n{issue.code}: {issue.message}") from issue
    assert read.mismatch is None, f"{written}\n{read.mismatch}"
    return read


def _check(equation: Equation, scope: Scope, naming: Naming) -> None:
    """Every notation on one line, sums implied and written, reads back as the same equation."""
    declared = equation.tensor.startswith("∂") or scope.shape(equation.tensor) is not None
    if not declared:
        scope = scope.with_step(equation.tensor, equation.shape, naming.spelling(equation.tensor))
    wanted = _by_content(equation.expression, naming)
    for notation in (text, ascii):
        for implied in (True, False):
            written = notation.equation(equation, naming, implied=implied)
            read = _read(written, scope)
            left = read.left.expression
            assert isinstance(left, Ref), written
            assert len(left.indices) == len(equation.indices), written
            assert left.tensor == _content(equation.tensor, naming), written
            renamed = dict(zip(equation.indices, left.indices, strict=True))
            right = _by_content(read.right.expression, _read_naming(read))
            assert same(right, substitute(wanted, renamed)), f"{written}\n{right}\n{wanted}"


def _check_matrix(equation: Equation, scope: Scope, naming: Naming) -> None:
    """Matrix notation, where there is any, reads back as the same equation."""
    if scope.shape(equation.tensor) is None and not equation.tensor.startswith("∂"):
        scope = scope.with_step(equation.tensor, equation.shape, naming.spelling(equation.tensor))
    for ascii_only in (False, True):
        written = matrix.equation(equation, naming, ascii=ascii_only)
        if written is None:
            continue
        read = _read(written, scope)
        left = read.left.expression
        assert isinstance(left, Ref), written
        assert left.tensor == _content(equation.tensor, naming), written
        renamed = dict(zip(equation.indices, left.indices, strict=True))
        wanted = substitute(_by_content(equation.expression, naming), renamed)
        right = _by_content(read.right.expression, _read_naming(read))
        assert same(right, wanted), f"{written}\n{right}\n{wanted}"


@pytest.fixture(scope="session")
def matrix_reads_back() -> Check:
    return _check_matrix


@pytest.fixture(scope="session")
def reads_back() -> Check:
    return _check


def with_bars(scope: Scope) -> Scope:
    """The scope with the cotangent of every tensor and step."""
    shapes = {name: tensor.shape for name, tensor in scope.tensors.items()} | dict(scope.steps)
    bars = [Tensor(bar(name, scope), shape) for name, shape in shapes.items()]
    return replace(scope, tensors=scope.tensors | {bar.name: bar for bar in bars})


# --- all that a spec prints -----------------------------------------------------------------------


def _formulas(ground: Ground) -> Iterator[tuple[Equation, Naming]]:
    """Steps, Jacobians, pullbacks, totals in one formula and as a chain, Hessians."""
    for step in ground.spec.chain:
        yield ground.calculus.equations[step.name], ground.naming(step.definitions)
    for check in chain_checks(ground):
        equation, under, naming = written(ground, check)
        yield from ((part, naming) for part in (equation, *under))


def _readings(bench: Workbench) -> Iterator[tuple[Reading, Scope]]:
    """Claims and lines of derivations, as read, each with the scope that its names have."""
    for number, claim in enumerate(bench.spec.claims, 1):
        attempt = attempt_claim(bench, claim, f"{number}.")
        if not isinstance(attempt, Issue):
            yield attempt, bench.scope
    for number, derivation in enumerate(bench.spec.derivations, 1):
        read = read_derivation(bench, number, derivation)
        if read.scope is not None:
            yield from ((line, read.scope) for line in read.lines if not isinstance(line, Issue))


def _check_spec(spec: Spec) -> None:
    """Every formula of a spec reads back, in every notation that is read, and so does what reports say of how a
    line was read."""
    bench = Workbench(spec, 0)
    scope = with_bars(bench.scope)
    for equation, naming in _formulas(bench):
        _check(equation, scope, naming)
        _check_matrix(equation, scope, naming)
    for reading, own in _readings(bench):
        if reading.mismatch is None:
            _check_reading(reading, own, bench.naming(reading.definitions))


def _check_reading(reading: Reading, scope: Scope, naming: Naming) -> None:
    sides = reading.left.expression, reading.right.expression
    written = reading_of(*sides, naming)
    read = _read(written, scope)
    found = _read_naming(read)
    for side, wanted in zip((read.left.expression, read.right.expression), sides, strict=True):
        assert same(_by_content(side, found), _by_content(wanted, naming)), f"{written}\n{side}\n{wanted}"


@pytest.fixture(scope="session")
def all_reads_back() -> Callable[[Spec], None]:
    return _check_spec


@pytest.fixture(scope="session")
def barred() -> Callable[[Scope], Scope]:
    return with_bars
