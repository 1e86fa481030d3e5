"""The einsum subscripts of an expression, for people to read: `ip,jq->ijpq`, one for each summand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tensorgrad_cli.algebra.expression import (
    Add,
    Const,
    Delta,
    Expression,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    fresh,
    position_indices,
)
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.algebra.walking import children

__all__ = ["einsum_subscripts"]

_LETTERS = "ijklmnpqrstuvwxyzabcdefghoABCDEFGHIJKLMNOPQRSTUVWXYZ"


def einsum_subscripts(expression: Expression, order: Sequence[Index]) -> tuple[str, ...]:
    """For each summand its operands and the result: entries and deltas by their positions, functions,
    powers, operations and parentheses by their free indices; numbers have no operand.

    The result has the indices `order`, all of them: those that a summand lacks, along which it is repeated,
    are the last operand's, which is ones (`jp,i->ijp`). Letters are the indices' names where those are single
    letters and not taken.
    """
    terms = expression.terms if isinstance(expression, Add) else (expression,)
    return tuple(_subscripts(term, order) for term in terms)


def _subscripts(term: Expression, order: Sequence[Index]) -> str:
    used = set(term.free)
    factors = list(_factors(term, used))
    operands = [_operand(factor) for factor in factors]
    carried = dict.fromkeys(index for operand in operands for index in operand)
    ones = tuple(index for index in order if index not in carried)
    if ones:
        operands.append(ones)
    letters = _letters([*order, *carried])
    inputs = ",".join("".join(letters[index] for index in operand) for operand in operands)
    return f"{inputs}->{''.join(letters[index] for index in order)}"


def _letters(indices: Iterable[Index]) -> dict[Index, str]:
    found: dict[Index, str] = {}
    others: list[Index] = []
    for index in dict.fromkeys(indices):
        if len(index.name) == 1 and index.name not in found.values():
            found[index] = index.name
        else:
            others.append(index)
    free = [letter for letter in _LETTERS if letter not in found.values()]
    # Beyond 52 there is no einsum to show; the name itself says at least what is meant.
    names = [*free, *(index.name for index in others)]
    return {**found, **dict(zip(others, names, strict=False))}


def _factors(expression: Expression, used: set[Index]) -> Iterable[Expression]:
    """The operands of a product, its sums' bodies included; bound indices are renamed where one is taken."""
    match expression:
        case Const():
            return
        case Product(factors):
            for factor in factors:
                yield from _factors(factor, used)
        case Sum(indices, body):
            if not used.isdisjoint(indices):
                renamed = {index: fresh(index) for index in indices}
                indices, body = tuple(renamed.values()), substitute(freshened(body), renamed)
            used.update(indices)
            yield from _factors(body, used)
        case _:
            yield expression


def _operand(factor: Expression) -> tuple[Index, ...]:
    """The indices of an operand: all of an entry's, the free ones of others as they are met."""
    if isinstance(factor, Ref | Delta):
        return tuple(_met(factor))
    return tuple(index for index in dict.fromkeys(_met(factor)) if index in factor.free)


def _met(part: Expression) -> Iterable[Index]:
    for child in children(part):
        yield from _met(child)
    positions: Sequence[Position] = ()
    match part:
        case Ref(_, indices):
            positions = indices
        case Delta(left, right):
            positions = (left, right)
        case Op():
            positions = part.out
        case _:
            pass
    for position in positions:
        if isinstance(position, Index):
            yield position
        else:
            yield from sorted(position_indices((position,)))
