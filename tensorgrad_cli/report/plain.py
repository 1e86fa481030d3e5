"""A report in ASCII, for where the encoding of the output has nothing else: signs and names as words."""

from __future__ import annotations

import re
from collections.abc import Collection

from tensorgrad_cli.notation.names import canonical, word_for

__all__ = ["ascii_text", "same_length"]

_SIGNS = {
    "✓": "+",
    "✗": "x",
    "·": "|",
    "×": "x",
    "…": "...",
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
# A second denominator stands apart, and a call under d: `d^2 c/dx dy`, `d vec(A)[i]/dA[p,q]`.
_SECOND = re.compile(r"(?<=[\w\]\u0300-\u036f])∂")
_CALL = re.compile(rf"∂(?={_NAME}['.\d]*\()")
_FACTOR = re.compile(rf"\s*(?:{_NAME}'*|\d+(?:\.\d+)?|\|[^|]*\|)")
_CLOSED = re.compile(rf"∂(({_NAME})(?:{_BRACKETS})?)/∂({_NAME})")


def ascii_text(text: str, names: Collection[str] = frozenset()) -> str:
    """The text in ASCII; formulas in it read back as the same ones. `names` are those that the spec declares: a sign
    is not written as a word that is one of them."""
    if text.isascii():
        return text
    text = _SECOND.sub(" ∂", text)
    if "d" in names or any(f"d{name}" in names for name in names):
        text = _CLOSED.sub(lambda match: _closed(match, names), text)
        word = word_for("∂", names)
        text = text.replace("∂²", f"{word}^2 ").replace("∂⁺", f"{word}^+ ").replace("∂", f"{word} ")
    else:
        text = _CALL.sub("∂ ", text).replace("∂²", "d^2 ").replace("∂⁺", "d^+ ").replace("∂", "d")
    text = re.sub(r"[Σ∑](?=\[)", word_for("Σ", names), text)
    text = re.sub(r"[Π∏](?=\[)", word_for("Π", names), text)
    text = _rooted(text, names)
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    text = re.sub(f"[{_RAISED}]+", _exponent, text)
    text = text.replace("^-^", "^-")
    text = _NAMES.sub(lambda match: canonical(match[0]), text)
    return text.encode("ascii", errors="replace").decode()


def _rooted(text: str, names: Collection[str]) -> str:
    """Roots as calls, or as powers where the word is a name: the sign takes one factor, a numeral or a name, a parenthesis
    or bars, with the brackets behind."""
    while (root := max(text.rfind("√"), text.rfind("∛"))) >= 0:
        head = _FACTOR.match(text, root + 1)
        end = head.end() if head is not None else root + 1
        while text[end : end + 1] in ("(", "["):
            end = _behind(text, end)
        if text.startswith(("ᵀ", ".T"), end):
            end += 1 if text[end] == "ᵀ" else 2
        operand = text[root + 1 : end].strip()
        alone = operand.startswith("(") and _behind(operand, 0) == len(operand)
        inside = operand if alone else f"({operand})"
        word, power = ("sqrt", "^(1/2)") if text[root] == "√" else ("cbrt", "^(1/3)")
        called = f"{inside}{power}" if word in names else f"{word}{inside}"
        text = f"{text[:root]}{called}{text[end:]}"
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
