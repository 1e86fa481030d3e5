"""Rewrites of sums and Kronecker deltas: small functions expression → expression | None.

What a sum may become: its factors that lack the index leave it, factors that share none of its indices
are sums of their own, and what is left is ONE sum over one product, however it was nested: that is what
einsum takes. Bound indices are unique on the way in and on the way out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tensorgrad_cli.algebra.expression import (
    ONE,
    RANGE,
    ZERO,
    Add,
    Affine,
    Apply,
    Const,
    Delta,
    Expression,
    Gather,
    Index,
    Op,
    Position,
    Product,
    Ref,
    Sum,
    add,
    multiply,
    position_indices,
    size,
    summation,
)
from tensorgrad_cli.algebra.scalars import factors_of, is_size
from tensorgrad_cli.algebra.substitution import freshened, substitute_all
from tensorgrad_cli.algebra.walking import subexpressions

__all__ = ["SUM_RULES", "components", "fits", "one_sum"]

# A product of parenthesised sums is multiplied out for the sake of its deltas up to that many terms.
_SPREAD = 64


def delta_decided(expression: Expression) -> Expression | None:
    """A delta of equal positions, of two numbers, of a number outside the range, of i + 1 and i."""
    if not isinstance(expression, Delta):
        return None
    left, right = expression.left, expression.right
    if left == right:
        return ONE
    difference = _difference(left, right)
    if difference is not None:
        return ZERO if difference else ONE
    for index, number in ((left, right), (right, left)):
        if isinstance(index, Index) and isinstance(number, int):
            fixed = index.dimension.fixed
            if number < 0 or (fixed is not None and number >= fixed):
                return ZERO
    return None


def _difference(left: Position, right: Position) -> int | None:
    # left - right where that is a number.
    total = 0
    terms: dict[Index, int] = {}
    for sign, position in ((1, left), (-1, right)):
        match position:
            case int():
                total += sign * position
            case Index():
                terms[position] = terms.get(position, 0) + sign
            case Affine(inner, offset):
                total += sign * offset
                for coefficient, index in inner:
                    terms[index] = terms.get(index, 0) + sign * coefficient
            case Gather():
                return None
    return None if any(terms.values()) else total


def sum_separated(expression: Expression) -> Expression | None:
    """Σ[i,j] a b[i] c[j] = a (Σ[i] b[i]) (Σ[j] c[j]); an index that the body lacks gives its size."""
    if not isinstance(expression, Sum) or is_size(expression):
        return None
    body = expression.body
    unused = [i for i in expression.indices if i.serial < 0 or i not in body.free]
    used = [i for i in expression.indices if i.serial >= 0 and i in body.free]
    outside = [factor for factor in factors_of(body) if factor.free.isdisjoint(used)]
    inside = [factor for factor in factors_of(body) if not factor.free.isdisjoint(used)]
    parts = components(used, inside)
    if not unused and not outside and len(parts) == 1:
        return None
    sizes = [size(index.dimension) for index in unused]
    return multiply(*sizes, *outside, *(summation(i, multiply(*f)) for i, f in parts))


def components(
    indices: Sequence[Index], factors: Iterable[Expression]
) -> list[tuple[tuple[Index, ...], list[Expression]]]:
    """Factors that are connected by the indices, with the indices that connect them."""
    parts: list[tuple[frozenset[Index], list[int]]] = []
    listed = list(factors)
    for k, factor in enumerate(listed):
        own = factor.free & frozenset(indices)
        places = [k]
        apart = []
        for part in parts:
            if own.isdisjoint(part[0]):
                apart.append(part)
            else:
                own |= part[0]
                places += part[1]
        parts = [*apart, (own, sorted(places))]
    parts.sort(key=lambda part: part[1])
    return [(tuple(i for i in indices if i in own), [listed[k] for k in places]) for own, places in parts]


def sum_joined(expression: Expression) -> Expression | None:
    """Σ[i] a[i] (Σ[j] b[i,j]) = Σ[i,j] a[i] b[i,j]."""
    if not isinstance(expression, Sum):
        return None
    factors = factors_of(expression.body)
    if not any(isinstance(factor, Sum) and not is_size(factor) for factor in factors):
        return None
    bound = list(expression.indices)
    flat = _opened(factors, bound, frozenset(expression.indices))
    joined = summation(bound, multiply(*flat))
    return None if joined == expression else joined


def _opened(
    factors: Iterable[Expression], bound: list[Index], touching: frozenset[Index] | None
) -> list[Expression]:
    # The factors with those sums opened that have one of the indices, all if None; their indices, made
    # fresh, since an inner sum elsewhere may bind the same ones, go to `bound`.
    flat: list[Expression] = []
    for factor in factors:
        wanted = isinstance(factor, Sum) and not is_size(factor)
        if wanted and (touching is None or not factor.free.isdisjoint(touching)):
            inner = freshened(factor)
            assert isinstance(inner, Sum)
            bound += inner.indices
            flat += _opened(factors_of(inner.body), bound, touching)
        else:
            flat.append(factor)
    return flat


def one_sum(expression: Expression) -> Expression:
    """A product with sums among its factors as one sum over one product, for one call of einsum:
    `a[i] (Σ[j] b[i,j]) (Σ[k] c[k])` is `Σ[j,k] a[i] b[i,j] c[k]`. Sizes stay factors."""
    bound: list[Index] = []
    if isinstance(expression, Sum) and not is_size(expression):
        bound += expression.indices
        expression = expression.body
    flat = _opened(factors_of(expression), bound, None)
    return summation(bound, multiply(*flat))


def delta_summed(expression: Expression) -> Expression | None:
    """Σ[j] δ[i,j] f(j) = f(i), of one dimension; i may be a number or a gathered position."""
    if not isinstance(expression, Sum):
        return None
    factors = factors_of(expression.body)
    for place, factor in enumerate(factors):
        if not isinstance(factor, Delta):
            continue
        rest = (*factors[:place], *factors[place + 1 :])
        # The index that is bound further in goes, so that the reader's outer one stays.
        sides = ((factor.left, factor.right), (factor.right, factor.left))
        for index in reversed(expression.indices):
            for side, other in sides:
                if side == index and fits(index, other, rest):
                    left = tuple(i for i in expression.indices if i != index)
                    return summation(left, multiply(*substitute_all(rest, {index: other})))
    return None


def fits(index: Index, other: Position, factors: Iterable[Expression]) -> bool:
    """Whether the factors may be read at `other` where a delta says that the index is that."""
    match other:
        case Index():
            return other != index and other.dimension == index.dimension
        case int():
            fixed = index.dimension.fixed
            return other >= 0 and (fixed is None or other < fixed)
        case Gather():
            alone = index not in position_indices((other,))
            return alone and not any(_shifts(factor, index) for factor in factors)
        case Affine():
            # It may lie outside of the range, where the delta is zero and the factors may not be.
            return False


def _shifts(expression: Expression, index: Index) -> bool:
    # Whether the index stands where no gathered position can: in an affine one, or in the range.
    for part in subexpressions(expression):
        if index not in part.free:
            continue
        match part:
            case Ref(tensor, positions):
                if tensor == RANGE or _in_affine(positions, index):
                    return True
            case Delta(left, right):
                if _in_affine((left, right), index):
                    return True
            case Op(_, _, out, _, _):
                if _in_affine(out, index):
                    return True
            case _:
                pass
    return False


def _in_affine(positions: Iterable[Position], index: Index) -> bool:
    for position in positions:
        if isinstance(position, Affine) and any(i == index for _, i in position.terms):
            return True
        if isinstance(position, Gather) and _in_affine(position.positions, index):
            return True
    return False


def delta_spread(expression: Expression) -> Expression | None:
    """Σ[j] a[j] (δ[i,j] - p[j]) = a[i] - Σ[j] a[j] p[j]: multiplied out only where a delta goes."""
    if not isinstance(expression, Sum):
        return None
    bound = frozenset(expression.indices)
    factors = factors_of(expression.body)
    offering = [k for k, f in enumerate(factors) if isinstance(f, Add) and _offers(f, bound)]
    count = 1
    for k in offering:
        part = factors[k]
        count *= len(part.terms) if isinstance(part, Add) else 1
    if not offering or count > _SPREAD:
        return None
    first = offering[0]
    spread = factors[first]
    assert isinstance(spread, Add)
    before, after = factors[:first], factors[first + 1 :]
    bodies = (multiply(*before, term, *after) for term in spread.terms)
    return add(*(summation(expression.indices, body) for body in bodies))


def _offers(expression: Expression, bound: frozenset[Index]) -> bool:
    match expression:
        case Delta(left, right):
            pairs = ((left, right), (right, left))
            return any(isinstance(i, Index) and i in bound and fits(i, p, ()) for i, p in pairs)
        case Product(parts) | Add(parts):
            return any(_offers(part, bound) for part in parts)
        case Sum(_, body):
            return _offers(body, bound)
        case Const() | Ref() | Apply() | Op():
            return False


def sums_last(expression: Expression) -> Expression | None:
    """A written sum stands last in its product, where it needs no parentheses."""
    if not isinstance(expression, Product):
        return None
    last = [f for f in expression.factors if isinstance(f, Sum) and not is_size(f)]
    if not last:
        return None
    ordered = (*(f for f in expression.factors if f not in last), *last)
    return None if ordered == expression.factors else Product(ordered)


SUM_RULES = (
    delta_decided,
    delta_summed,
    delta_spread,
    sum_separated,
    sum_joined,
    sums_last,
)
