"""A report in ASCII, for where the encoding of the output has nothing else: signs and names as words."""

from __future__ import annotations

import re

from tensorgrad_cli.notation.names import canonical

__all__ = ["ascii_text", "same_length"]

_SIGNS = {
    "✓": "+",
    "✗": "x",
    "·": "|",
    "×": "x",
    "…": "...",
    "∂²": "d^2 ",
    "∂⁺": "d^+ ",
    "∂": "d",
    "Σ[": "sum[",
    "∑[": "sum[",
    "Π[": "prod[",
    "∏[": "prod[",
    "ᵀ": "^T",
    "⁻": "^-",
    "⊙": "*",
    "∘": "*",
    "√": "sqrt ",
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
_NAME = re.compile(r"[^\W\d][\w\u0300-\u036f]*")
# A second denominator stands apart, and a call under d: `d^2 c/dx dy`, `d vec(A)[i]/dA[p,q]`.
_SECOND = re.compile(r"(?<=[\w\]\u0300-\u036f])∂")
_CALL = re.compile(rf"∂(?={_NAME.pattern}['.\d]*\()")


def ascii_text(text: str) -> str:
    """The text in ASCII; formulas in it read back as the same ones, but for derivatives where something is named d:
    the letter alone is none there."""
    if text.isascii():
        return text
    text = _CALL.sub("∂ ", _SECOND.sub(" ∂", text))
    for sign, plain in _SIGNS.items():
        text = text.replace(sign, plain)
    text = re.sub(f"[{_RAISED}]+", _exponent, text)
    text = text.replace("^-^", "^-")
    text = _NAME.sub(lambda match: canonical(match[0]), text)
    return text.encode("ascii", errors="replace").decode()


def _exponent(match: re.Match[str]) -> str:
    return "^" + "".join(str(_RAISED.index(digit)) for digit in match[0])


def same_length(text: str) -> str:
    """The text in ASCII, a sign for a sign, so that carets under it stay where they are."""
    return re.sub("[\u0300-\u036f]", "", text).encode("ascii", errors="replace").decode()
