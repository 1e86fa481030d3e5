"""The normal form: a polynomial of atoms, multiplied out, deltas summed, bound indices named canonically.

Two expressions of one normal form are equal. It need not know every law: what it does not prove the exact
test may. It gives up on an expression that would have too many terms, and then proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from typing import assert_never

from tensorgrad_cli.algebra.canonical import lettered, ordered, text
from tensorgrad_cli.algebra.expression import (
    RANGE,
    Add,
    Apply,
    Const,
    Delta,
    Dimension,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    constant,
    multiply,
    power,
    size,
    subtract,
)
from tensorgrad_cli.algebra.matching import alike
from tensorgrad_cli.algebra.polynomial import (
    Exponent,
    Monomial,
    Part,
    Polynomial,
    TooLarge,
    Work,
    atom,
    content,
    expression_of,
    factor_of,
    falls,
    monomial_of,
    number,
    plus,
    primitive_parts,
    raised,
    scaled,
    times,
)
from tensorgrad_cli.algebra.scalars import (
    based,
    comparison_decided,
    factors_of,
    function_of_number,
    inverse_functions,
    is_size,
    range_at_number,
)
from tensorgrad_cli.algebra.substitution import substitute
from tensorgrad_cli.algebra.sums import components, delta_decided, fits

__all__ = ["equal", "normal_form"]

_TERMS = 2000
_PRODUCTS = 10000
_COPIES = 4


def normal_form(expression: Expression) -> Expression:
    """The canonical form of the expression; the expression itself where that would be too large."""
    form = _canonical(expression)
    return expression if form is None else lettered(form)


def equal(left: Expression, right: Expression) -> bool:
    """Whether the two are proved equal by their normal forms. False says that it is not known."""
    if alike(left, right):
        return True
    first = _canonical(left)
    return first is not None and first == _canonical(right)


# The claims of a spec have sides in common, and a claim's sides are compared as written and with derivatives
# written out.
@lru_cache(maxsize=1024)
def _canonical(expression: Expression) -> Expression | None:
    try:
        work = Work(_TERMS, _PRODUCTS)
        return expression_of(_settled(_expanded(expression, work), work))
    except TooLarge:
        return None


# --- one node at a time -----------------------------------------------------------------------------


def _expanded(expression: Expression, work: Work) -> Polynomial:
    match expression:
        case Const(value):
            return number(value)
        case Ref() | Delta():
            done = range_at_number(expression) or delta_decided(expression)
            return atom(ordered(expression)) if done is None else _expanded(done, work)
        case Add(terms):
            return plus((_expanded(term, work) for term in terms), work)
        case Product(factors):
            return _product(factors, work)
        case Sum(indices, body):
            if is_size(expression):
                return _size(indices[0].dimension)
            names = {index: _temporary(index, work) for index in indices}
            inner = _expanded(substitute(body, names), work)
            return _summed(frozenset(names.values()), inner, work)
        case Apply():
            return _applied(expression, work)
        case Op(operation, bound, out, arguments, parameters):
            names = {index: _temporary(index, work) for index in bound}
            inside = tuple(_inner(substitute(argument, names), work) for argument in arguments)
            return atom(ordered(Op(operation, tuple(names.values()), out, inside, parameters)))
        case _:
            assert_never(expression)


def _temporary(index: Index, work: Work) -> Index:
    # A name for a bound index until its sum is ordered; no reader's name has a dollar sign.
    work.names += 1
    return Index("$", index.dimension, work.names)


def _inner(expression: Expression, work: Work) -> Expression:
    return expression_of(_settled(_expanded(expression, work), work))


def _size(dimension: Dimension) -> Polynomial:
    if not dimension.terms:
        fixed = dimension.fixed
        return atom(size(dimension)) if fixed is None else number(Fraction(fixed))
    total: Polynomial = {}
    for coefficient, names in dimension.terms:
        ones = [(size(Dimension(name)), (Fraction(1), False)) for name in names]
        for monomial, c in monomial_of(ones).items():
            total[monomial] = total.get(monomial, Fraction(0)) + coefficient * c
    return {monomial: c for monomial, c in total.items() if c}


def _applied(expression: Apply, work: Work) -> Polynomial:
    match expression:
        case Apply("pow", (0, 0), (base, Const(exponent))):
            return raised(_expanded(base, work), exponent, work)
        case Apply("sqrt", (0,), (argument,)):
            return raised(_expanded(argument, work), Fraction(1, 2), work)
        case Apply("<=", (0, 0), (left, right)):
            return _complement(Apply("<", (0, 0), (right, left)), work)
        case Apply("!=", (0, 0), (left, right)):
            return _complement(Apply("=", (0, 0), (left, right)), work)
        case Apply("=", (0, 0), (left, right)) if _delta_of_mask(expression) is None:
            # As it is printed: 1 - sign(u)² has the laws of a mask, and signs are compared.
            return _complement(power(Apply("sign", (0,), (subtract(right, left),)), constant(2)), work)
        case Apply("sign", (0,), (argument,)):
            return _sign(_expanded(argument, work), work)
        case Apply(function, order, arguments):
            plain = Apply(function, order, tuple(_inner(part, work) for part in arguments))
            for rule in _FUNCTION_RULES:
                changed = rule(plain)
                if changed is not None:
                    return _expanded(changed, work)
            return atom(ordered(plain))


def _sign(argument: Polynomial, work: Work) -> Polynomial:
    """sign(2u) = sign(u), sign(-u) = -sign(u)."""
    if not argument:
        return {}
    odd = Fraction(-1) if falls(argument) else Fraction(1)
    inner = expression_of(_settled(scaled(argument, odd / content(argument)), work))
    if isinstance(inner, Const):
        return number(odd)
    return scaled(atom(ordered(Apply("sign", (0,), (inner,)))), odd)


def _complement(mask: Expression, work: Work) -> Polynomial:
    return plus((number(Fraction(1)), scaled(_expanded(mask, work), Fraction(-1))), work)


def _delta_of_mask(expression: Expression) -> Expression | None:
    # [i = j] = δ[i,j], [i = 0] = δ[i,0].
    match expression:
        case Apply("=", (0, 0), (left, right)):
            a, b = _range_position(left), _range_position(right)
            if isinstance(b, Index):
                a, b = b, a
            if isinstance(a, Index) and b is not None and fits(a, b, ()):
                return Delta(a, b)
        case _:
            pass
    return None


def _range_position(expression: Expression) -> Index | int | None:
    match expression:
        case Ref(tensor, (Index() as index,)) if tensor == RANGE:
            return index
        case Const(value) if value.denominator == 1:
            return int(value)
        case _:
            return None


def _constant_power(expression: Expression) -> Expression | None:
    # An exponent that has turned out to be a number.
    match expression:
        case Apply("pow", (0, 0), (_, Const())):
            return expression
        case _:
            return None


_FUNCTION_RULES = (
    _constant_power,
    function_of_number,
    inverse_functions,
    comparison_decided,
    _delta_of_mask,
)


def _product(factors: Iterable[Expression], work: Work) -> Polynomial:
    pieces: list[tuple[Polynomial, Fraction]] = []
    for factor in factors:
        base, exponent = _root_based(factor)
        pieces.append((_expanded(base, work), exponent))
    # Next to (a + b)^-1 a factor a + b is not multiplied out before the two have met.
    divided = any(len(p) > 1 and (e < 0 or e.denominator > 1) for p, e in pieces)
    parts: list[Part] = []
    result = number(Fraction(1))
    for polynomial, exponent in pieces:
        if divided and len(polynomial) > 1:
            coefficient, own = primitive_parts(polynomial, exponent, work)
            parts += own
            result = scaled(result, coefficient)
        else:
            result = times(result, raised(polynomial, exponent, work), work)
    return times(result, monomial_of(parts), work) if parts else result


def _root_based(factor: Expression) -> tuple[Expression, Fraction]:
    match factor:
        case Apply("sqrt", (0,), (argument,)):
            return argument, Fraction(1, 2)
        case _:
            return based(factor)


# --- sums -------------------------------------------------------------------------------------------


def _summed(indices: frozenset[Index], polynomial: Polynomial, work: Work) -> Polynomial:
    """The polynomial summed over indices that stand free in its atoms."""
    terms = polynomial.items()
    return plus((scaled(_summed_monomial(indices, m, work), c) for m, c in terms), work)


def _summed_monomial(indices: frozenset[Index], monomial: Monomial, work: Work) -> Polynomial:
    if not indices:
        return {monomial: Fraction(1)}
    for delta in _deltas(monomial):
        rest = monomial - {(delta, (Fraction(1), False))}
        others = [base for base, _ in rest]
        for index, position in ((delta.left, delta.right), (delta.right, delta.left)):
            if isinstance(index, Index) and index in indices and fits(index, position, others):
                moved = _substituted(rest, {index: position}, work)
                return _summed(indices - {index}, moved, work)
    return _closed(indices, monomial, work)


def _deltas(monomial: Monomial) -> list[Delta]:
    found = [base for base, exponent in monomial if isinstance(base, Delta) and exponent[0] == 1]
    return sorted(found, key=text)


def _substituted(monomial: Monomial, replacement: Mapping[Index, Position], work: Work) -> Polynomial:
    kept = [part for part in monomial if part[0].free.isdisjoint(replacement)]
    result = monomial_of(kept)
    for base, (value, rooted) in monomial:
        if not base.free.isdisjoint(replacement):
            inner = _expanded(substitute(base, replacement), work)
            if rooted and value.denominator == 1:
                root = raised(raised(inner, Fraction(1, 2), work), Fraction(2), work)
                result = times(result, root, work)
                value -= 1
            result = times(result, raised(inner, value, work), work)
    return result


def _closed(indices: frozenset[Index], monomial: Monomial, work: Work) -> Polynomial:
    # The sum of a product without deltas: sums in it opened, then one sum for each connected part.
    bound = set(indices)
    parts: list[Part] = []
    for base, exponent in monomial:
        copies = int(exponent[0]) if _is_open(base, exponent, indices) else 0
        if isinstance(base, Sum) and copies:
            for _ in range(copies):
                names = {index: _temporary(index, work) for index in base.indices}
                bound |= set(names.values())
                inner = ordered(substitute(base.body, names))
                parts += [_part(factor) for factor in factors_of(inner)]
        else:
            parts.append((base, exponent))
    ((opened, coefficient),) = monomial_of(parts).items()
    outside = [part for part in opened if part[0].free.isdisjoint(bound)]
    inside = [factor_of(*part) for part in opened if not part[0].free.isdisjoint(bound)]
    used = sorted(index for index in bound if any(index in f.free for f in inside))
    result = number(coefficient)
    for index in bound.difference(used):
        result = times(result, _size(index.dimension), work)
    for own, factors in components(used, inside):
        outside.append((ordered(Sum(own, multiply(*factors))), (Fraction(1), False)))
    return times(result, monomial_of(outside), work)


def _is_open(base: Expression, exponent: Exponent, indices: frozenset[Index]) -> bool:
    value, rooted = exponent
    small = not rooted and value.denominator == 1 and 1 <= value <= _COPIES
    return small and isinstance(base, Sum) and not base.free.isdisjoint(indices)


def _part(factor: Expression) -> Part:
    # What `factor_of` has made of an atom's power, read again.
    base, exponent = based(factor)
    root, half = based(base)
    if root is not base:
        return root, (half * exponent, True)
    return base, (exponent, exponent.denominator != 1)


# --- deltas of free indices -------------------------------------------------------------------------


def _settled(polynomial: Polynomial, work: Work) -> Polynomial:
    """δ[i,j] f(j) as δ[i,j] f(i): next to a delta only one of its indices is used."""
    parts: list[Polynomial] = []
    for monomial, coefficient in polynomial.items():
        move = _move(monomial)
        if move is None:
            parts.append({monomial: coefficient})
            continue
        delta, index, position = move
        rest = monomial - {(delta, (Fraction(1), False))}
        moved = times(_substituted(rest, {index: position}, work), atom(delta), work)
        parts.append(scaled(_settled(moved, work), coefficient))
    return plus(parts, work)


def _move(monomial: Monomial) -> tuple[Delta, Index, Position] | None:
    for delta in _deltas(monomial):
        others = [base for base, _ in monomial if base is not delta]
        sides = (delta.left, delta.right)
        for index, position in sorted((sides, sides[::-1]), key=_reluctance, reverse=True):
            if (
                isinstance(index, Index)
                and not isinstance(position, Gather)
                and fits(index, position, others)
            ):
                if any(index in other.free for other in others):
                    return delta, index, position
                break
    return None


def _reluctance(sides: tuple[Position, Position]) -> tuple[bool, bool, str, int]:
    # Which of two positions goes: an index rather than a number, the sum's before a free one.
    position = sides[0]
    if isinstance(position, Index):
        return True, position.name == "$", position.name, position.serial
    return False, False, "", 0
