"""What must hold of every expression at every stage: run by the tests after each of them, and by -vv."""

from __future__ import annotations

from tensorgrad_cli.algebra.expression import (
    ONE,
    Add,
    Affine,
    Apply,
    Equation,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
)
from tensorgrad_cli.algebra.walking import children

__all__ = ["check", "check_equation"]


def check(expression: Expression, inside: frozenset[Index] = frozenset()) -> Expression:
    """The expression itself, if it is well formed; `inside` are bound indices whose binder is further out.

    Raises ValueError that says what is wrong and where.
    """
    unbound = sorted(index for index in expression.free - inside if index.serial != 0)
    if unbound:
        raise ValueError(f"the bound index {unbound[0]} stands outside of its sum: {expression}")
    dimensions: dict[str, Index] = {}
    for index in sorted(expression.free - inside):
        if dimensions.setdefault(index.name, index) != index:
            raise ValueError(f"the free index {index.name} has two dimensions: {expression}")
    _check(expression, inside)
    return expression


def check_equation(equation: Equation) -> Equation:
    """The equation itself, if its right side is well formed and has no index that the left side lacks."""
    check(equation.expression)
    if len(set(equation.indices)) < len(equation.indices):
        raise ValueError(f"an index stands twice on the left: {equation}")
    over = equation.expression.free - frozenset(equation.indices)
    if over:
        raise ValueError(f"{sorted(over)[0]} does not stand on the left: {equation}")
    return equation


def _check(expression: Expression, outside: frozenset[Index]) -> None:
    bound: tuple[Index, ...] = ()
    wrong: str | None = None
    match expression:
        case Sum(indices, body):
            bound = indices
            if not indices:
                wrong = "a sum over nothing"
            elif any(index.serial < 0 for index in indices) and (body != ONE or len(indices) > 1):
                wrong = "a size that is not a sum of ones"
        case Op(_, indices, out, _, _):
            bound = indices
            wrong = _wrong_positions(out)
        case Apply(function, order, arguments):
            if len(order) != len(arguments):
                wrong = f"{function} has {len(arguments)} arguments and an order of {len(order)}"
        case Product(parts) | Add(parts):
            if len(parts) < 2 or any(type(part) is type(expression) for part in parts):
                wrong = "a product or sum of fewer than two parts, or one that is not flat"
        case Ref(_, positions):
            wrong = _wrong_positions(positions)
        case _:
            pass
    if wrong is None and (len(set(bound)) < len(bound) or not outside.isdisjoint(bound)):
        wrong = "an index is bound within its own sum"
    if wrong is None and any(index.serial == 0 for index in bound):
        wrong = "a bound index without a serial of its own"
    if wrong is not None:
        raise ValueError(f"{wrong}: {expression}")
    for part in children(expression):
        _check(part, outside | frozenset(bound))


def _wrong_positions(positions: tuple[Position, ...]) -> str | None:
    for position in positions:
        match position:
            case Affine(terms, offset):
                plain = offset == 0 and len(terms) == 1 and terms[0][0] == 1
                if not terms or plain or any(coefficient == 0 for coefficient, _ in terms):
                    return "an affine position that is a plain one"
            case Gather(_, inner):
                return _wrong_positions(inner)
            case _:
                pass
    return None
