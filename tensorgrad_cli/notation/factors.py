"""Factors, the tightest level: what stands alone, and the brackets, transposes and powers behind it."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from tensorgrad_cli.notation.calls import index_brackets, named, needs_parentheses, transposed_instead
from tensorgrad_cli.notation.cursor import FACTOR_STARTS, Cursor
from tensorgrad_cli.notation.derivatives import closed_derivative, curly, letter_derivative, parenthesis
from tensorgrad_cli.notation.tokens import COMPARISONS
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    Derivative,
    Indexed,
    Mask,
    Name,
    Number,
    Power,
    Signed,
    Transposed,
    Tree,
)
from tensorgrad_cli.source import Issue, Span

__all__ = ["factor", "unexpected"]

_BEHIND = frozenset(("[", "transpose", "inverse", "superscript", "^", "**", "'"))
_POWERS = frozenset(("superscript", "^", "**"))
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_ROOTS = {"√": "sqrt", "∛": "cbrt"}

MOST_DIGITS = 100
LARGEST_EXPONENT = 999


def factor(p: Cursor, in_exponent: bool = False) -> Tree:
    """One factor: an entry, call, parenthesis, mask, bars, root, numeral or derivative, with its powers.

    In an exponent a numeral takes powers only: `A^-1[i,j]` is an entry of the inverse, `A^2ᵀ` a square's
    transpose.
    """
    base = _primary(p)
    kind = p.kinds[p.k]
    if kind not in _BEHIND or type(base) is Derivative:
        return base
    powers_only = in_exponent and type(base) is Number
    behind = 0
    while kind in _BEHIND and not (powers_only and kind not in _POWERS):
        if kind == "[" and type(base) is Number:
            break
        behind += 1
        p.deeper()
        base = _with_behind(p, base, kind)
        kind = p.kinds[p.k]
    p.depth -= behind
    return base


def _primary(p: Cursor) -> Tree:
    kind = p.kinds[p.k]
    if kind == "name" or kind == "partials":
        return _name(p)
    if kind == "number":
        return _numeral(p)
    if kind == "(":
        return parenthesis(p)
    if kind == "mask":
        mask = p.groups[p.k]
        p.k = p.match[p.k] + 1
        assert isinstance(mask, Mask)
        return mask
    if kind in ("|", "‖", "||"):
        return _bars(p, kind)
    if kind == "∂":
        return curly(p)
    if kind in _ROOTS:
        return _root(p, kind)
    raise unexpected(p)


def _name(p: Cursor) -> Tree:
    k = p.k
    if not p.positions and p.source.text[p.starts[k]] == "d" and p.kinds[k] == "name":
        long = p.ends[k] - p.starts[k] > 1
        derivative = closed_derivative(p) if long else letter_derivative(p)
        if derivative is not None:
            return derivative
    return named(p)


def _numeral(p: Cursor) -> Number:
    k = p.k
    p.k += 1
    text = p.text(k)
    if len(text) > 4:
        _check_digits(p, k, text)
    return Number(_value(text), p.span(k))


def _check_digits(p: Cursor, k: int, text: str) -> None:
    mantissa, _, exponent = text.lower().partition("e")
    if len(mantissa.replace(".", "")) > MOST_DIGITS:
        raise Issue("long-numeral", p.span(k), f"a numeral has at most {MOST_DIGITS} digits")
    if len(exponent.lstrip("+-−")) > 3:
        raise Issue("large-exponent", p.span(k), "an exponent has at most 3 digits")


@lru_cache(maxsize=1024)
def _value(text: str) -> Fraction:
    if text.isdecimal():
        return Fraction(int(text))
    mantissa, _, exponent = text.lower().replace("−", "-").partition("e")
    whole, _, decimals = mantissa.partition(".")
    return int(whole + decimals) * Fraction(10) ** (int(exponent or "0") - len(decimals))


def _bars(p: Cursor, kind: str) -> Bars:
    opener = p.k
    p.k = p.match[opener] + 1
    body: Tree = p.groups[opener]  # type: ignore[assignment]
    return Bars(body, kind != "|", p.since(p.starts[opener]))


def _root(p: Cursor, kind: str) -> Tree:
    k = p.k
    p.k += 1
    p.deeper()
    if p.kinds[p.k] == "-":
        message = "what stands under a root needs parentheses where it has a sign"
        raise Issue("root", Span(p.source, p.starts[k], p.ends[p.k]), message, f"write `{kind}(-…)`")
    operand = _primary(p)
    while (
        p.kinds[p.k] in ("[", "transpose") and type(operand) is not Derivative and type(operand) is not Number
    ):
        operand = _with_behind(p, operand, p.kinds[p.k])
    p.depth -= 1
    if p.kinds[p.k] in _POWERS:
        raise _powered_root(p, k, operand)
    name = Name(_ROOTS[kind], p.span(k))
    return Call(name, (operand,), (), 0, (), None, p.since(p.starts[k]))


def _powered_root(p: Cursor, k: int, operand: Tree) -> Issue:
    last = p.k if p.kinds[p.k] == "superscript" else p.k + 1
    power = p.slice(p.starts[p.k], p.ends[min(last, len(p.kinds) - 1)])
    inner = operand.span.text
    bare = inner[1:-1] if inner[:1] == "(" and inner[-1:] == ")" else inner
    function = _ROOTS[p.kinds[k]]
    message = "a power behind a root can be read in two ways"
    help = f"write `{function}({inner}{power})` or `{function}({bare}){power}`"
    return Issue(
        "powered-root", Span(p.source, p.starts[k], p.ends[min(last, len(p.kinds) - 1)]), message, help
    )


def _with_behind(p: Cursor, base: Tree, kind: str) -> Tree:
    start = base.span.start
    if kind == "[":
        return _indexed(p, base, start)
    if kind == "^" or kind == "**":
        return _power(p, base, start, kind)
    if kind == "'":
        p.k += 1
        raise _prime(p, base)
    p.k += 1
    if kind == "superscript":
        text = p.text(p.k - 1).translate(_SUPERSCRIPTS)
        if len(text.lstrip("-")) > 3:
            raise Issue("large-exponent", p.span(p.k - 1), "an exponent has at most 3 digits")
        exponent = Number(Fraction(int(text)), p.span(p.k - 1))
        return Power(base, exponent, "superscript", p.since(start))
    return Transposed(base, kind == "inverse", p.since(start))


def _indexed(p: Cursor, base: Tree, start: int) -> Indexed:
    if type(base) is Indexed:
        first = base.span.text
        second = p.factor_text(p.k)
        message = "the indices of an entry stand in one pair of brackets"
        span = Span(p.source, start, p.ends[p.match[p.k]])
        raise Issue("two-brackets", span, message, f"write `{first[:-1]},{second[1:]}`")
    positions = index_brackets(p)
    return Indexed(base, positions, p.since(start))


def _power(p: Cursor, base: Tree, start: int, spelling: str) -> Tree:
    p.k += 1
    k = p.k
    sign = p.kinds[k] if p.kinds[k] in ("+", "-") else ""
    after = k + 1 if sign else k
    if spelling == "^" and _is_transpose(p, after):
        p.k = after + 1
        return Transposed(base, sign == "-", p.since(start))
    p.k = after
    if p.written_sum():
        raise needs_parentheses(p, p.k)
    if p.kinds[p.k] not in FACTOR_STARTS:
        raise unexpected(p, "an exponent is one factor with an optional sign")
    exponent = factor(p, in_exponent=True)
    if type(exponent) is Number and exponent.value > LARGEST_EXPONENT:
        raise Issue("large-exponent", exponent.span, "an exponent has at most 3 digits")
    if sign:
        exponent = Signed(sign, exponent, p.since(p.starts[k]))
    return Power(base, exponent, spelling, p.since(start))


def _is_transpose(p: Cursor, k: int) -> bool:
    return p.kinds[k] == "transpose" or (p.kinds[k] == "name" and p.text(k) == "T")


def _prime(p: Cursor, base: Tree) -> Issue:
    if p.positions:
        help = "give the index another letter or a number, `i2`"
        return Issue("prime", p.since(base.span.start), "an index has no prime", help)
    if type(base) is Indexed:
        text = base.base.span.text
        message = f"a prime is the derivative of a function, and `{base.span.text}` is none"
        return Issue("prime", p.since(base.span.start), message, f"a transpose is written `{text}ᵀ`")
    return transposed_instead(base.span.text, p.since(base.span.start))


def unexpected(p: Cursor, help: str | None = None) -> Issue:
    """The issue of a token that cannot stand where it does."""
    k, kind, span = p.k, p.kinds[p.k], p.span(p.k)
    if kind in ("Σ", "Π"):
        return needs_parentheses(p, k)
    if kind == "∇":
        named_next = p.kinds[k + 1] == "name"
        end = k + 1 if named_next else k
        ours = p.role(p.name(k + 1).text) in ("our function", "operation", "matrix") if named_next else True
        following = "(…)" if ours else p.text(k + 1)
        span = Span(p.source, p.starts[k], p.ends[end])
        message = f"`{span.text}` does not say by what to differentiate"
        return Issue("nabla", span, message, f"write `∂{following}/∂x`")
    if kind == "end":
        return Issue("unexpected-end", span, "the formula ends where something should follow", help)
    if kind == "=" and not p.positions:
        help = help or "an equation has one equals sign, outside all brackets; a mask is written `[i = j]`"
        return Issue("equals-sign", span, "an equals sign cannot stand here", help)
    if kind in COMPARISONS:
        help = help or "a comparison is a mask and stands in square brackets: `[x > 0]`"
        return Issue("comparison", span, f"`{p.text(k)}` cannot stand here", help)
    return Issue("syntax", span, f"`{p.text(k)}` cannot stand here", help or _syntax_help(kind))


def _syntax_help(kind: str) -> str | None:
    if kind == "[":
        return "brackets stand behind a tensor (`x[i]`) or hold a comparison (`[i <= j]`)"
    if kind == ":":
        return "a range is written in a sum, `sum[k:3] …`; an entry has a position for every index, no slice"
    if kind == ",":
        return "commas stand between indices, `x[i,j]`, and between arguments, `f(u, t)`"
    return None
