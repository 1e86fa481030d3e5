"""Written sums, products and operations over bracketed indices: what they bind, and what they become."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from tensorgrad_cli.algebra.expression import (
    Apply,
    Const,
    Dimension,
    Expression,
    Index,
    Op,
    constant,
    divide,
    fresh,
    multiply,
    power,
    size,
    subtract,
    summation,
)
from tensorgrad_cli.algebra.library import BUILTINS
from tensorgrad_cli.algebra.occurrences import ALONG
from tensorgrad_cli.algebra.operations import OPERATIONS
from tensorgrad_cli.algebra.ranges import plus, times
from tensorgrad_cli.algebra.reading import Reading
from tensorgrad_cli.algebra.substitution import freshened, substitute
from tensorgrad_cli.notation.tree import (
    Call,
    IndexRange,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Summed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.source import Issue, Span

__all__ = [
    "Env",
    "Reader",
    "along",
    "bind",
    "number_of",
    "operation",
    "parameters_of",
    "product_over",
    "reduced",
]

# A range has no more terms than these, multiplied out.
LONG = 20
_POWERS = (2, 3)

Env = dict[str, Index]
Reader = Callable[[Reading, Tree, Env], Expression]


def bind(reading: Reading, indices: Sequence[IndexRange], env: Env, span: Span) -> Env:
    """Fresh bound indices for those that a written sum or an operation binds; hiding is remarked on."""
    bound: Env = {}
    for index in indices:
        name = index.name.text
        if name in bound:
            raise Issue("repeated-index", index.span, f"the index {name} is bound twice by the same brackets")
        if name in env:
            whose = "free index" if env[name].serial == 0 else "index around it"
            reading.remark(f"the {name} that {span.text} binds hides the {whose} {name}")
        bound[name] = reading.ranges.bound(name, index.name.span)
        if index.range is not None:
            reading.ranges.meet(bound[name], _range(reading, index.range), index.span)
    return bound


def _range(reading: Reading, tree: Tree) -> Dimension:
    """A whole number, a dimension, or a product or sum of such: the rows of a Kronecker product are `m n`."""
    match tree:
        case Number(value) if value.denominator == 1 and value > 0:
            return Dimension(str(int(value)))
        case Name(text) if text in reading.scope.dimensions:
            return reading.scope.dimensions[text]
        case Juxtaposed(parts):
            return _combined(reading, tree, times, parts)
        case Multiplied(first, rest) if all(sign == "*" for sign, _ in rest):
            return _combined(reading, tree, times, (first, *(part for _, part in rest)))
        case Summed(first, rest) if all(sign == "+" for sign, _ in rest):
            return _combined(reading, tree, plus, (first, *(part for _, part in rest)))
        case Power(base, Number(value)) if value in _POWERS:
            return _combined(reading, tree, times, (base,) * int(value))
        case Parenthesis(body):
            return _range(reading, body)
        case _:
            raise Issue(
                "range",
                tree.span,
                f"{tree.span.text} is no range",
                "write a whole number or a dimension, or a product of such, as in sum[k:3]",
            )


def _combined(
    reading: Reading, tree: Tree, join: Callable[[Dimension, Dimension], Dimension], parts: Sequence[Tree]
) -> Dimension:
    whole = _range(reading, parts[0])
    for part in parts[1:]:
        whole = join(whole, _range(reading, part))
        if len(whole.terms) > LONG:
            raise Issue("range", tree.span, f"{tree.span.text} is too long for a range")
    return whole


def product_over(reading: Reading, tree: WrittenSum, env: Env, read: Reader) -> Expression:
    """`prod[i] …`: the body is a product of its own, since a sum does not go through it."""
    bound = bind(reading, tree.indices, env, tree.span)
    value = read(reading, tree.body, {**env, **bound})
    return reduced("prod", tuple(bound.values()), value, ())


def operation(reading: Reading, tree: Call, env: Env, read: Reader) -> Expression:
    """`max[j](z[i,j])` and the like; `softmax[j](z[i,j])` runs along an index that is the line's own."""
    name, written, indices = tree.function.text, tree.function.span.text, tree.indices or ()
    if reading.is_function(name) or BUILTINS.get(name) != "operation":
        raise Issue(
            "not-an-operation",
            tree.function.span,
            f"{written} is no operation over indices, it takes no brackets before its argument",
            f"write {written}({tree.arguments[0].span.text})" if tree.arguments else None,
        )
    if len(tree.arguments) != 1:
        raise Issue(
            "arguments", tree.span, f"{written}[…] takes one argument, here are {len(tree.arguments)}"
        )
    if tree.primes or tree.partials:
        raise Issue(
            "arguments", tree.span, f"{written} has no primed form", f"write a derivative of {written}"
        )
    parameters = parameters_of(tree, name, ())
    argument = tree.arguments[0]
    if name not in ALONG:
        bound = bind(reading, indices, env, tree.span)
        return reduced(name, tuple(bound.values()), read(reading, argument, {**env, **bound}), parameters)
    return _along(reading, tree, env, read)


def _along(reading: Reading, tree: Call, env: Env, read: Reader) -> Expression:
    outer: list[Index] = []
    inner: Env = {}
    for index in tree.indices or ():
        name = index.name.text
        if name not in env:
            raise Issue("unbound-index", index.span, f"the index {name} is neither free nor summed here")
        outer.append(env[name])
        inner[name] = fresh(env[name])
        if index.range is not None:
            reading.ranges.meet(inner[name], _range(reading, index.range), index.span)
    value = read(reading, tree.arguments[0], {**env, **inner})
    return along(tree.function.text, tuple(inner.values()), tuple(outer), value)


def parameters_of(tree: Call, name: str, besides: Sequence[str]) -> tuple[tuple[str, Fraction], ...]:
    """The named numbers of an operation, such as ddof=1; names in `besides` are left to the caller."""
    row = OPERATIONS.get(name)
    allowed = tuple(row.parameters) if row is not None else ()
    found: list[tuple[str, Fraction]] = []
    for key, value in tree.keywords:
        if key.text in besides:
            continue
        if key.text not in allowed:
            offered = ", ".join(f"{n}=" for n in (*allowed, *besides))
            raise Issue(
                "keyword",
                key.span,
                f"{tree.function.span.text} takes no {key.span.text}=",
                f"it takes {offered}" if offered else None,
            )
        number = number_of(value)
        if number is None:
            raise Issue("keyword", value.span, f"{key.span.text}= wants a number")
        found.append((key.text, number))
    return tuple(found)


def number_of(tree: Tree) -> Fraction | None:
    """The value of a numeral with or without a sign."""
    match tree:
        case Number(value):
            return value
        case Signed(sign, operand):
            inner = number_of(operand)
            return None if inner is None else -inner if sign == "-" else inner
        case _:
            return None


def reduced(
    name: str,
    bound: Sequence[Index],
    value: Expression,
    parameters: tuple[tuple[str, Fraction], ...],
) -> Expression:
    """An operation that uses its indices up. Sums and means become sums; an operation over several indices
    is nested where it may be, and written out by its definition where not (var, std)."""
    if name == "sum":
        return summation(bound, value)
    if name == "mean":
        return divide(summation(bound, value), _count(bound))
    if len(bound) == 1:
        return Op(name, tuple(bound), (), (value,), parameters)
    if name in ("var", "std"):
        ddof = dict(parameters).get("ddof", Fraction(0))
        centre = divide(summation(bound, value), _count(bound))
        deviation = power(subtract(value, freshened(centre)), constant(2))
        spread = divide(summation(bound, deviation), subtract(_count(bound), Const(ddof)))
        return spread if name == "var" else Apply("sqrt", (0,), (spread,))
    for index in reversed(bound):
        value = Op(name, (index,), (), (value,), parameters)
    return value


def _count(bound: Sequence[Index]) -> Expression:
    return multiply(*(size(index.dimension) for index in bound))


def along(name: str, inner: Sequence[Index], outer: Sequence[Index], value: Expression) -> Expression:
    """An operation along indices that stay free: `value` has the inner ones, the result the outer ones."""
    if len(inner) == 1:
        return Op(name, tuple(inner), tuple(outer), (value,))
    here = substitute(value, dict(zip(inner, outer, strict=True)))
    if name == "cumsum":
        for bound, free in zip(inner, outer, strict=True):
            value = Op(name, (bound,), (free,), (value,))
        return value
    if name == "normalize":
        return divide(here, reduced("norm", inner, freshened(value), ()))
    shifted = subtract(here, reduced("logsumexp", inner, freshened(value), ()))
    return shifted if name == "log_softmax" else Apply("exp", (0,), (shifted,))
