"""A report in ASCII, for where the encoding of the output has nothing else: signs and names as words."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from tensorgrad_cli.notation.names import canonical

__all__ = ["ascii_text", "names_in", "same_length"]

_SIGNS = {
    "✓": "+",
    "✗": "x",
    "·": "|",
    "×": "x",
    "…": "...",
    "Σ[": "sum[",
    "∑[": "sum[",
    "Π[": "prod[",
    "∏[": "prod[",
    "ᵀ": "^T",
    "⁻": "^-",
    "⊙": "*",
    "∘": "*",
    "‖": "||",
    "−": "-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "→": "->",
    "–": "-",
    "—": "-",
    "′": "'",
    "’": "'",
}
_RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹"
# Python's own `\w` would take a superscript for a part of a name.
_NAME = rf"[^\W\d{_RAISED}²³¹ᵀ⁺⁻][\w\u0300-\u036f]*"
_NAMES = re.compile(_NAME)
_BRACKETS = r"\[[^\[\]]*\]"
# An index is no name that d could be taken for, nor is what somebody wrote as a derivative: `dz[i,j]/dw[p,q]`.
_NO_NAMES = re.compile(rf"\bd\w+(?:{_BRACKETS})?/d\w+|{_BRACKETS}")
# A second denominator stands apart, and a call under d: `d^2 c/dx dy`, `d vec(A)[i]/dA[p,q]`.
_SECOND = re.compile(r"(?<=[\w\]\u0300-\u036f])∂")
_CALL = re.compile(rf"∂(?={_NAME}['.\d]*\()")
_FACTOR = re.compile(rf"\s*(?:{_NAME}'*|\d+(?:\.\d+)?|\|[^|]*\|)")
_CLOSED = re.compile(rf"∂(({_NAME})(?:{_BRACKETS})?)/∂({_NAME})")


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """The names in some texts that the letter d, alone or before another one, could be taken for, in ASCII."""
    return frozenset(canonical(name) for text in texts for name in _NAMES.findall(_NO_NAMES.sub("", text)))


def ascii_text(text: str, names: Collection[str] = frozenset()) -> str:
    """The text in ASCII; formulas in it read back as the same ones. `names` are those of `names_in` the whole report."""
    if text.isascii():
        return text
    text = _SECOND.sub(" ∂", text)
    if "d" in names or any(f"d{name}" in names for name in names):
        text = _CLOSED.sub(lambda match: _closed(match, names), text)
        word = "partial" if "d" in names else "d"
        text = text.replace("∂²", f"{word}^2 ").replace("∂⁺", f"{word}^+ ").replace("∂", f"{word} ")
    else:
        text = _CALL.sub("∂ ", text).replace("∂²", "d^2 ").replace("∂⁺", "d^+ ").replace("∂", "d")
    text = _rooted(text)
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    text = re.sub(f"[{_RAISED}]+", _exponent, text)
    text = text.replace("^-^", "^-")
    text = _NAMES.sub(lambda match: canonical(match[0]), text)
    return text.encode("ascii", errors="replace").decode()


def _rooted(text: str) -> str:
    """Roots as calls: the sign takes one factor, a numeral or a name, a parenthesis or bars, with the brackets behind."""
    while (root := max(text.rfind("√"), text.rfind("∛"))) >= 0:
        head = _FACTOR.match(text, root + 1)
        end = head.end() if head is not None else root + 1
        while text[end : end + 1] in ("(", "["):
            end = _behind(text, end)
        if text.startswith(("ᵀ", ".T"), end):
            end += 1 if text[end] == "ᵀ" else 2
        operand = text[root + 1 : end].strip()
        alone = operand.startswith("(") and _behind(operand, 0) == len(operand)
        word = "sqrt" if text[root] == "√" else "cbrt"
        text = f"{text[:root]}{word}{operand if alone else f'({operand})'}{text[end:]}"
    return text


def _behind(text: str, opener: int) -> int:
    """Where the bracket that opens at a place has been closed; the end of the text where it never is."""
    depth = 0
    for k in range(opener, len(text)):
        depth += (text[k] in "([") - (text[k] in ")]")
        if depth == 0:
            return k + 1
    return len(text)


def _closed(derivative: re.Match[str], names: Collection[str]) -> str:
    """`dc/dx`, where neither is a name of its own."""
    whole, above, below = derivative.groups()
    if {f"d{canonical(above)}", f"d{canonical(below)}"} & {*names}:
        return derivative[0]
    return f"d{whole}/d{below}"


def _exponent(match: re.Match[str]) -> str:
    return "^" + "".join(str(_RAISED.index(digit)) for digit in match[0])


def same_length(text: str) -> str:
    """The text in ASCII, a sign for a sign, so that carets under it stay where they are."""
    return re.sub("[\u0300-\u036f]", "", text).encode("ascii", errors="replace").decode()
