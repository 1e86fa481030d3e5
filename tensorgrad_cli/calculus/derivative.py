"""The derivative of an expression: a page of calculus, one rule for each node.

Only leaves carry rules (the rows of `functions` and `operations`); what is composed of them is derived.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import assert_never

from tensorgrad_cli.algebra.expression import (
    ONE,
    ZERO,
    Add,
    Apply,
    Const,
    Delta,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    fresh,
    multiply,
    power,
    subtract,
    summation,
)
from tensorgrad_cli.algebra.functions import FUNCTIONS
from tensorgrad_cli.algebra.library import (
    Scope,
    UserFunction,
    function_derivative,
    instantiate,
    operation_derivative_at,
)
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.rewrite import simplified
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import children, mapped, references

__all__ = ["argument_indices", "derivative", "lowered"]

_COMPARISONS = frozenset({"<", "<=", ">", ">=", "=", "!="})


def derivative(expression: Expression, tensor: str, indices: Sequence[Index]) -> Expression:
    """∂expression/∂tensor[indices], all other names held constant; `indices` are new free indices.

    The expression is a lowered one. Nothing is simplified but zeros and ones.
    """
    target = tuple(indices)

    def rule(part: Expression) -> Expression:
        if tensor not in _names(part):
            return ZERO
        match part:
            case Const() | Delta():
                return ZERO
            case Ref(name, positions):
                return _entry(positions, target) if name == tensor else ZERO
            case Add(terms):
                return add(*(rule(term) for term in terms))
            case Sum(bound, body):
                return summation(bound, rule(body))
            case Product(factors):
                return add(*(_varied(factors, k, rule(factor)) for k, factor in enumerate(factors)))
            case Apply():
                return add(
                    *(
                        multiply(partial(part, k), inner)
                        for k, argument in enumerate(part.arguments)
                        if (inner := rule(argument)) != ZERO
                    )
                )
            case Op():
                return add(
                    *(
                        _through(part, k, rule(argument))
                        for k, argument in enumerate(part.arguments)
                        if tensor in _names(argument)
                    )
                )
            case _:
                assert_never(part)

    return rule(expression)


@lru_cache(maxsize=4096)
def _names(expression: Expression) -> frozenset[str]:
    own = references(expression) if isinstance(expression, Ref | Delta) else frozenset()
    return own.union(*(_names(part) for part in children(expression)))


def _entry(positions: Sequence[Position], target: Sequence[Index]) -> Expression:
    """∂x[positions]/∂x[target]: a delta for each axis."""
    return multiply(*(Delta(a, b) for a, b in zip(positions, target, strict=True)))


def _varied(factors: Sequence[Expression], k: int, inner: Expression) -> Expression:
    """One term of the product rule, the others in their places. Copies get bound indices of their own."""
    if inner == ZERO:
        return ZERO
    return multiply(*factors[:k], inner, *factors[k + 1 :])


def partial(call: Apply, k: int) -> Expression:
    """∂f(u, …)/∂(argument k), an expression of the same arguments."""
    name, order, arguments = call.function, call.order, call.arguments
    if name in _COMPARISONS or name == "pi":
        return ZERO
    if name == "pow":
        return _power_partial(call, k)
    if name in FUNCTIONS and not any(order):
        row = FUNCTIONS[name]
        values = dict(zip(row.parameters, arguments, strict=True))
        return instantiate(function_derivative(name, k), {**values, "y": call})
    raised = tuple(n + (j == k) for j, n in enumerate(order))
    return Apply(name, raised, arguments)


def _power_partial(call: Apply, k: int) -> Expression:
    base, exponent = call.arguments
    if k == 0:
        return multiply(exponent, power(base, subtract(exponent, ONE)))
    return multiply(call, Apply("log", (0,), (base,)))


def argument_indices(operation: Op, k: int) -> tuple[Index, ...]:
    """The bound indices that belong to argument k: all of them where it is the only argument."""
    if len(operation.arguments) == 1:
        return operation.bound
    counts = [len(letters) for letters in OPERATIONS[operation.operation].inputs]
    start = sum(counts[:k])
    return operation.bound[start : start + counts[k]]


def _through(operation: Op, k: int, inner: Expression) -> Expression:
    """The chain rule through an operation: Σ ∂op/∂(argument k at j) ∂(argument k at j)."""
    if inner == ZERO:
        return ZERO
    if OPERATIONS[operation.operation].multilinear:
        arguments = (*operation.arguments[:k], inner, *operation.arguments[k + 1 :])
        return Op(
            operation.operation,
            operation.bound,
            operation.out,
            arguments,
            operation.parameters,
        )
    bound = argument_indices(operation, k)
    renamed = {index: fresh(index) for index in bound}
    at = tuple(renamed.values())
    outer = operation_derivative_at(operation, k, at)
    return summation(at, multiply(outer, freshened(substitute(inner, renamed))))


def lowered(expression: Expression, scope: Scope) -> Expression:
    """The expression without the spec's own functions and without primes of functions that have a row.

    What is left under a prime is an abstract function: `sigmoid'(z)` becomes σ(z) (1 - σ(z)). A maximum of one value
    again and again becomes that value: it has no kink.
    """

    def down(part: Expression) -> Expression:
        inner = mapped(part, down)
        if isinstance(inner, Op):
            return _unrepeated(inner)
        if not isinstance(inner, Apply):
            return inner
        function = scope.applied.get(inner.function)
        if function is not None:
            body = lowered(_user_template(function, inner.order), scope)
            return instantiate(body, dict(zip(function.parameters, inner.arguments, strict=True)))
        if inner.function in scope.applied or not any(inner.order):
            return inner
        if inner.function == "pow" or inner.function in FUNCTIONS:
            template = _row_template(inner.function, inner.order)
            parameters = _parameters(inner.function)
            return instantiate(template, dict(zip(parameters, inner.arguments, strict=True)))
        return inner

    return down(expression)


def _unrepeated(operation: Op) -> Expression:
    if not OPERATIONS[operation.operation].idempotent:
        return operation
    (argument,) = operation.arguments
    bound = tuple(index for index in operation.bound if index in argument.free)
    if not bound:
        return argument
    return Op(operation.operation, bound, operation.out, operation.arguments, operation.parameters)


def _parameters(name: str) -> tuple[str, ...]:
    return ("x", "n") if name == "pow" else FUNCTIONS[name].parameters


@lru_cache(maxsize=256)
def _row_template(name: str, order: tuple[int, ...]) -> Expression:
    """A derivative of a function with a row, over its parameters."""
    parameters = _parameters(name)
    call = Apply(name, (0,) * len(order), tuple(Ref(parameter) for parameter in parameters))
    return _differentiated(call, parameters, order)


def _user_template(function: UserFunction, order: tuple[int, ...]) -> Expression:
    return _differentiated(function.body, function.parameters, order)


def _differentiated(body: Expression, parameters: Sequence[str], order: Sequence[int]) -> Expression:
    for parameter, times in zip(parameters, order, strict=True):
        for _ in range(times):
            body = simplified(derivative(body, parameter, ()))
    return body
