"""Names: which characters they may have, and the one spelling under which a name is known.

`ŷ` and `y_hat`, `ω` and `omega`, `x₁` and `x1` are the same name. Everything behind the parser knows a
name by `canonical`, which is plain ASCII, so that what is printed as ASCII is read back as the same name.
Python's `\\w` would not do: it takes `ᵀ` and `²` for parts of a name and leaves accents such as `w̄` out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from functools import lru_cache

__all__ = [
    "GREEK",
    "PARTIAL",
    "SIGNS",
    "canonical",
    "is_name",
    "is_wide",
    "leading_name",
    "name_pattern",
    "plain_letter",
    "unicode_name",
    "word_for",
]

# Greek without Π and Σ, which are always the product and the sum; of the letter-like signs only those that
# are a letter (`ℓ`) or look like one of these (the signs for micro, ohm, kelvin, ångström and increment).
_LETTERS = (
    "A-Za-z"
    "\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02af"
    "\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u039f\u03a1\u03a4-\u03f5\u03f7-\u03ff"
    "\u0400-\u0481\u048a-\u052f\u0531-\u0556\u0561-\u0587\u05d0-\u05ea\u0620-\u063f\u0641-\u064a"
    "\u1e00-\u1fbc\u1fc2-\u1fcc\u1fd0-\u1fdb\u1fe0-\u1fec\u1ff2-\u1ffc"
    "\u2113\u2126\u212a\u212b\u2206"
)
_SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"

WIDE_LETTERS = "\u3041-\u3096\u30a1-\u30fa\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3"
"""Kana, ideographs and Hangul: letters too. A class that has them takes ten times as long to compile (6 ms), so
they are put into a pattern only for a text that `is_wide`."""

_NAME_REST = f"{_LETTERS}0-9_{_SUBSCRIPTS}\u0300-\u036f"


def is_wide(text: str) -> bool:
    """Whether the text may hold letters from `WIDE_LETTERS`."""
    return not text.isascii() and max(text) >= WIDE_LETTERS[0]


def name_pattern(wide: bool = False) -> str:
    """The pattern of a name: never `ᵀ`, a superscript or a prime."""
    more = WIDE_LETTERS if wide else ""
    return f"[{_LETTERS}_{more}][{_NAME_REST}{more}]*"


@lru_cache
def _compiled(wide: bool) -> re.Pattern[str]:
    return re.compile(rf"\s*({name_pattern(wide)})")


def leading_name(text: str) -> re.Match[str] | None:
    """The name that the text begins with, as group 1, blanks before it left out."""
    return _compiled(is_wide(text)).match(text)


GREEK: dict[str, str] = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "ι": "iota",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "ο": "omicron",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "υ": "upsilon",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
}
"""The small Greek letters and their words; the capital ones are the same with a capital (`Ω`, `Omega`)."""

_VARIANTS = {
    "ϵ": "epsilon",
    "ϑ": "theta",
    "ϕ": "phi",
    "ϱ": "rho",
    "ς": "sigma",
    "ϖ": "pi",
    "ϰ": "kappa",
    "ϴ": "Theta",
    "µ": "mu",
    "∆": "Delta",
    "ℓ": "ell",
}

_WORDS: dict[str, str] = (
    GREEK | {letter.upper(): word.capitalize() for letter, word in GREEK.items()} | _VARIANTS
)

_ACCENTS = {
    "\u0300": "grave",
    "\u0301": "acute",
    "\u0302": "hat",
    "\u0303": "tilde",
    "\u0304": "bar",
    "\u0305": "bar",
    "\u0306": "breve",
    "\u0307": "dot",
    "\u0308": "ddot",
    "\u030a": "ring",
    "\u030c": "check",
}

# Capital Greek letters that look like Latin ones are left as words; Π and Σ could not be read back.
_LETTER_OF = {word: letter for letter, word in GREEK.items()} | {
    word: letter for letter, word in _WORDS.items() if letter in "ΓΔΘΛΞΦΨΩ"
}
_MARK_OF = {word: mark for mark, word in _ACCENTS.items() if mark != "\u0305"}

_PRINTABLE = (
    rf"(u[0-9a-f]{{4}}|[A-Za-z]|{'|'.join(_LETTER_OF)})"
    rf"((?:_(?:{'|'.join(_MARK_OF)})(?![A-Za-z]))*)"
    r"([0-9]*(?:_[A-Za-z0-9_]*)?)"
)


SIGNS = {"∂": "u2202", "Σ": "u03a3", "Π": "u03a0"}
"""Signs that are no letters, in the ASCII spelling that other letters have: what always stands for them, as no name is
called so. Printed where the words for them are names."""

PARTIAL = "partial"
"""The word for ∂, in ASCII the other spelling where something is named d."""

_CODES = frozenset(SIGNS.values())
_SAID = {"∂": ("d", PARTIAL), "Σ": ("sum",), "Π": ("prod",)}


def word_for(sign: str, taken: Container[str]) -> str:
    """What is written for a sign in ASCII where some words are names: its word, another one, its code."""
    return next((word for word in _SAID[sign] if word not in taken), SIGNS[sign])


def is_name(text: str) -> bool:
    """Whether the text is a name: `ŷ`, `W1`, `y_hat`, `x₁`, `w̄`, and not `xᵀ`, `x²`, `f'`, `Σ`, `u03a3`."""
    found = leading_name(text)
    return found is not None and found[1] == text and text not in _CODES


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """The one spelling of a name, in ASCII.

    >>> canonical("ŷ"), canonical("w̄"), canonical("ω"), canonical("x₁"), canonical("x_1")
    ('y_hat', 'w_bar', 'omega', 'x1', 'x_1')

    An accent becomes a word behind its letter, a Greek letter its word, a subscript digit a digit; any
    other letter becomes `u` and its code point in four hexadecimal digits (`ж`, `u0436`).
    """
    if name.isascii():
        return name
    return "".join(_spelled(character) for character in unicodedata.normalize("NFD", name))


def _spelled(character: str) -> str:
    if character.isascii():
        return character
    if character in _SUBSCRIPTS:
        return str(_SUBSCRIPTS.index(character))
    if "\u0300" <= character <= "\u036f":
        return "_" + _ACCENTS.get(character, f"u{ord(character):04x}")
    return _WORDS.get(character) or f"u{ord(character):04x}"


@lru_cache(maxsize=4096)
def unicode_name(name: str) -> str:
    """The spelling with Greek letters and accents, read back as the same name: `w_bar` is `w̄`, `omega` `ω`.

    Where no letter stands for a part of the name (`cost`, `Sigma`, `y_hatted`) the name stays as it is.
    """
    found = re.fullmatch(_PRINTABLE, name)
    if found is None:
        return name
    base, accents, rest = found.groups()
    letter = _LETTER_OF.get(base) or (chr(int(base[1:], 16)) if len(base) == 5 and base[0] == "u" else base)
    marks = "".join(_MARK_OF[accent] for accent in accents.split("_")[1:])
    spelling = unicodedata.normalize("NFC", letter + marks) + rest
    return spelling if is_name(spelling) and canonical(spelling) == name else name


def plain_letter(character: str) -> str | None:
    """The letter that an ornate one stands for (`𝑥`, `ℝ`, `ℎ`): what to write in its place, if anything."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if plain != character and is_name(plain) else None
