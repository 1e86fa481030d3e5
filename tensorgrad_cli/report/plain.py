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
    "∂⁺": "d+ ",
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


def ascii_text(text: str) -> str:
    """The text in ASCII; formulas in it read back as the same ones."""
    if text.isascii():
        return text
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
