"""Products and sums, the looser levels: juxtaposition, `* / @ ⊙ ∘ ⊗`, signs and written sums, `+` and `-`."""

from __future__ import annotations

from tensorgrad_cli.notation.cursor import FACTOR_STARTS, Cursor
from tensorgrad_cli.notation.derivatives import closed_derivative
from tensorgrad_cli.notation.factors import factor, unexpected
from tensorgrad_cli.notation.tokens import is_numeral
from tensorgrad_cli.notation.tree import (
    Juxtaposed,
    Multiplied,
    Signed,
    Summed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.source import Issue, Span

__all__ = ["terms"]

_SIGNS = frozenset(("+", "-"))
_PRODUCT_SIGNS = frozenset(("*", "/", "@", "⊙", "∘", "⊗"))


def terms(p: Cursor) -> Tree:
    """Terms joined by `+` and `-`, the loosest level."""
    first = _term(p)
    if p.kinds[p.k] not in _SIGNS:
        return first
    rest = []
    while (sign := p.kinds[p.k]) in _SIGNS:
        p.k += 1
        rest.append((sign, _term(p)))
    return Summed(first, tuple(rest), p.since(first.span.start))


def _term(p: Cursor) -> Tree:
    """A product, perhaps with signs in front of it."""
    if p.kinds[p.k] not in _SIGNS:
        return _product(p)
    signs = _signs(p)
    return _signed(p, signs, _product(p))


def _signs(p: Cursor) -> list[int]:
    signs = []
    while p.kinds[p.k] in _SIGNS:
        signs.append(p.k)
        p.k += 1
        p.deeper()
    return signs


def _signed(p: Cursor, signs: list[int], operand: Tree) -> Tree:
    p.depth -= len(signs)
    for k in reversed(signs):
        operand = Signed(p.kinds[k], operand, Span(p.source, p.starts[k], operand.span.end))
    return operand


def _product(p: Cursor) -> Tree:
    """Operands joined by written signs, left to right."""
    first = _operand(p, "")
    if p.kinds[p.k] not in _PRODUCT_SIGNS:
        return first
    start = first.span.start
    rest = []
    while (sign := p.kinds[p.k]) in _PRODUCT_SIGNS:
        p.k += 1
        signs = _signs(p) if p.kinds[p.k] in _SIGNS else []
        at = p.k
        operand = _operand(p, sign)
        if sign == "/":
            _check_divisor(p, operand, Span(p.source, start, p.ends[at - 1 - len(signs) - 1]), signs)
        rest.append((sign, _signed(p, signs, operand)))
    return Multiplied(first, tuple(rest), p.since(start))


def _operand(p: Cursor, sign: str) -> Tree:
    """Factors side by side; a written sum may be the last one. `sign` is the one in front, if any."""
    kind = p.kinds[p.k]
    if kind not in FACTOR_STARTS:
        raise unexpected(p)
    factors: list[Tree]
    if p.kinds[p.k + 1] == "/" and sign != "/" and _coefficient_ahead(p):
        factors = [_coefficient(p)]
    elif kind in _WORDED and (word := p.written_sum()):
        return _written_sum(p, word)
    else:
        first = factor(p)
        if p.kinds[p.k] not in FACTOR_STARTS:
            return first
        factors = [first]
    while (kind := p.kinds[p.k]) in FACTOR_STARTS:
        if kind == "number" and p.kinds[p.k - 1] == "number" and not _row_of_ones(p):
            raise _two_numerals(p)
        if kind in _WORDED and (word := p.written_sum()):
            factors.append(_written_sum(p, word))
            break
        factors.append(factor(p))
    return Juxtaposed(tuple(factors), p.since(factors[0].span.start))


_WORDED = frozenset(("name", "Σ", "Π"))


def _row_of_ones(p: Cursor) -> bool:
    """Whether the numeral at the cursor is transposed, as in `2 1ᵀ x`."""
    following = p.kinds[p.k + 1]
    return following == "transpose" or (following == "^" and p.text(p.k + 2) == "T")


def _two_numerals(p: Cursor) -> Issue:
    span = Span(p.source, p.starts[p.k - 1], p.ends[p.k])
    first, second = p.text(p.k - 1), p.text(p.k)
    if p.ends[p.k - 1] == p.starts[p.k]:
        # `0.1.2` is cut into 0.1 and .2, which nobody wrote.
        while p.kinds[p.k + 1] == "number" and p.starts[p.k + 1] == p.ends[p.k]:
            p.k += 1
        span = span.to(p.span(p.k))
        return Issue("two-numerals", span, f"`{span.text}` is no numeral", "a numeral has one point at most")
    message = "two numerals stand side by side"
    joined = f", or `{first}{second}` for one numeral" if is_numeral(first + second) else ""
    return Issue("two-numerals", span, message, f"write `{first} * {second}`{joined}")


def _coefficient_ahead(p: Cursor) -> bool:
    """Whether a number over a number (numerals, dimensions) stands here with a factor behind it: `1/2 x`."""
    k = p.k
    if p.positions or p.kinds[k + 3 : k + 4] == [] or p.kinds[k + 3] not in FACTOR_STARTS:
        return False
    if not (_is_number(p, k) and _is_number(p, k + 2)):
        return False
    if p.kinds[k] == "name" and p.text(k)[0] == "d":
        derivative = closed_derivative(p)
        p.k = k
        return derivative is None
    return True


def _is_number(p: Cursor, k: int) -> bool:
    return p.kinds[k] == "number" or (p.kinds[k] == "name" and p.role(p.name(k).text) == "dimension")


def _coefficient(p: Cursor) -> Multiplied:
    start = p.k
    above = factor(p)
    p.k += 1
    below = factor(p)
    span = p.since(p.starts[start])
    if p.starts[p.k] == p.ends[p.k - 1]:
        a, b, c = above.span.text, below.span.text, p.factor_text(p.k)
        message = f"`{span.text}{c}` can be read in two ways"
        help = f"write `{a}/{b} {c}` or `{a} / ({b} {c})`"
        raise Issue("ambiguous-division", Span(p.source, span.start, p.starts[p.k] + len(c)), message, help)
    return Multiplied(above, (("/", below),), span)


def _check_divisor(p: Cursor, operand: Tree, above: Span, signs: list[int]) -> None:
    """Raises Issue where a product or a long written sum stands right after a division."""
    if isinstance(operand, Juxtaposed):
        first, second = operand.factors[0], operand.factors[1]
    elif isinstance(operand, WrittenSum):
        inner = _innermost(operand)
        if not isinstance(inner, Juxtaposed | Multiplied):
            return
        first = inner.factors[0] if isinstance(inner, Juxtaposed) else inner.first
        second = None
    else:
        return
    minus = "".join(p.text(k) for k in signs)
    a, b = above.text, minus + p.slice(operand.span.start, first.span.end)
    rest = p.slice(first.span.end if second is None else second.span.start, operand.span.end)
    message = f"what `/ {b}` divides can be read in two ways"
    if isinstance(operand, WrittenSum):
        message = "after `/` a written sum ends the product and is one factor long"
    help = f"write `{a} / ({minus}{operand.span.text})` or `({a} / {b}) {rest}`"
    raise Issue("ambiguous-division", above.to(operand.span), message, help)


def _innermost(written: WrittenSum) -> Tree:
    body: Tree = written
    while isinstance(body, WrittenSum | Signed):
        body = body.body if isinstance(body, WrittenSum) else body.operand
    return body


def _written_sum(p: Cursor, word: str) -> WrittenSum:
    """A written sum (product), which takes the whole product that follows."""
    start = p.starts[p.k]
    if p.kinds[p.k + 1] not in ("[", "mask"):
        raise _without_indices(p, word)
    p.k += 1
    indices = p.ranges(p.k)
    p.k = p.match[p.k] + 1
    if p.kinds[p.k] == "end":
        raise unexpected(p, f"write what to add up: `{p.slice(start, p.ends[p.k - 1])} x[i]`")
    at_parenthesis = p.kinds[p.k] == "("
    p.deeper()
    body = _term(p)
    p.depth -= 1
    written = WrittenSum(word, indices, body, p.since(start))
    if word == "prod" and at_parenthesis and isinstance(body, Juxtaposed | Multiplied):
        raise _ambiguous_product(p, written, body)
    return written


def _ambiguous_product(p: Cursor, written: WrittenSum, body: Juxtaposed | Multiplied) -> Issue:
    first = body.factors[0] if isinstance(body, Juxtaposed) else body.first
    if isinstance(first, Juxtaposed):
        first = first.factors[0]
    head = p.slice(written.span.start, body.span.start)
    rest = p.slice(first.span.end, body.span.end)
    message = f"`{head}` can end at its parenthesis or take all that follows"
    help = f"write `({head} {first.span.text}) {rest}` or `{head} ({body.span.text})`"
    return Issue("ambiguous-product", written.span, message, help)


def _without_indices(p: Cursor, word: str) -> Issue:
    sign = p.text(p.k)
    call = f"; the sum of all entries is `sum{p.factor_text(p.k + 1)}`" if p.kinds[p.k + 1] == "(" else ""
    capital = "Sigma" if word == "sum" else "Pi"
    message = f"`{sign}` needs the indices that it runs over"
    help = f"write `{sign}[i] …`{call}; a tensor may be named {capital}"
    return Issue("sum-indices", p.span(p.k), message, help)
