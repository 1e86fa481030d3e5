"""Tokens: a formula cut into names, numerals and signs, its brackets matched.

Matching the brackets beforehand is what keeps the parser from recursing into them: it reads the innermost
first. Look-alikes are read here as the sign that they stand for.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from tensorgrad_cli.notation.names import is_wide, name_pattern, plain_letter
from tensorgrad_cli.source import Issue, Source, Span

__all__ = ["COMPARISONS", "DEEPEST", "PRIMES", "Tokens", "is_numeral", "too_deep"]

DEEPEST = 200
"""How deep a formula may nest."""

COMPARISONS = frozenset(("<", "<=", ">", ">=", "=", "==", "!="))

PRIMES = {"″": 2, "‴": 3}
"""How many primes a sign stands for, where it is more than one."""

_KINDS: dict[str, str] = {
    **{sign: sign for sign in "+-*/@⊙∘⊗^=,:()[]<>|‖√∛∂∇Σ'"},
    **{sign: sign for sign in ("**", "<=", ">=", "==", "!=", "||")},
    **dict.fromkeys("−–", "-"),
    **dict.fromkeys("·×⋅∗∙", "*"),
    **dict.fromkeys("∕÷⁄", "/"),
    **dict.fromkeys("′’″‴ʹ´", "'"),
    **{"◦": "∘", "≤": "<=", "≥": ">=", "≠": "!=", "∥": "‖", "𝜕": "∂", "⁺": "⁺"},
    **{"∑": "Σ", "Π": "Π", "∏": "Π"},
}

_TOKEN = rf"""\s*(?:
      (?P<name>NAME)(?P<partials>(?:\.[0-9]+)+)?
    | (?P<number>(?:[0-9]+(?:\.[0-9]+|\.(?![0-9A-Za-z]))?|\.[0-9]+)(?:[eE][+\-−]?[0-9]+)?)
    | (?P<superscript>⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+)
    | (?P<inverse>⁻[ᵀ⊤])
    | (?P<transpose>[ᵀ⊤]|\.T(?![A-Za-z0-9_]))
    | (?P<sign>\*\*|<=|>=|==|!=|\|\||[{re.escape("".join(s for s in _KINDS if len(s) == 1))}])
    | (?P<other>\S)
    )"""


@lru_cache
def _compiled(wide: bool) -> re.Pattern[str]:
    return re.compile(_TOKEN.replace("NAME", name_pattern(wide)), re.VERBOSE)


_CLOSERS = {")": "(", "]": "["}
_BARS = frozenset(("|", "‖", "||"))
_NESTING = COMPARISONS | _BARS | frozenset("()[]")

_OTHER_HELP = {
    "{": "write parentheses for braces",
    "}": "write parentheses for braces",
    "\\": "LaTeX is not read: write `(a) / (b)`, `sum[i] x[i]`, `sqrt(x)`, `x^2`",
    "$": "leave the dollar signs out",
    ".": "behind a dot stands T (`x.T`) or the number of an argument (`C.1(u, t)`); functions have no prefix",
    ";": "separate indices and arguments by commas",
    "…": "write what the dots stand for: a written sum, `sum[i] x[i]`",
    "⁻": "write `^-1` or `⁻¹`",
    "~": "an equation has an equals sign",
    "≈": "an equation has an equals sign",
    "≡": "an equation has an equals sign",
    '"': "write two primes, `''`",
}


class Tokens:
    """The tokens of a source, as parallel lists that end with one of kind `end`.

    `kinds` are 'name', 'partials' (a name with positions behind it, `C.1.2`), 'number', 'superscript',
    'inverse' (`⁻ᵀ`), 'transpose', or the sign itself. A bracket that holds a comparison is of kind 'mask'
    instead of `[`; an opening bar is `|`, `‖` or `||`, a closing one 'bar'. `match` leads from each opening
    to its closing token; `groups` lists the opening ones, innermost first, each with the one around it
    (-1: none) and its depth.
    """

    __slots__ = ("ends", "groups", "kinds", "match", "source", "starts")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.kinds: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.match: dict[int, int] = {}
        self.groups: list[tuple[int, int, int]] = []
        self._cut()

    def _cut(self) -> None:
        text = self.source.text
        kinds, starts, ends = self.kinds, self.starts, self.ends
        stack: list[int] = []
        end = len(text.rstrip())
        for found in _compiled(is_wide(text)).finditer(text, 0, end):
            kind = found.lastgroup or ""
            starts.append(found.start("name" if kind == "partials" else kind))
            ends.append(found.end())
            if kind == "sign":
                kind = _KINDS[found[kind]]
                kinds.append(kind)
                if kind in _NESTING:
                    self._nest(kind, stack)
                continue
            if kind == "other":
                raise _stray(self.span(-1))
            kinds.append(kind)
        if stack:
            opener = stack[-1]
            raise Issue("unbalanced", self.span(opener), f"`{self.text(opener)}` is never closed")
        kinds.append("end")
        starts.append(end)
        ends.append(end)

    def _nest(self, kind: str, stack: list[int]) -> None:
        here = len(self.kinds) - 1
        innermost = self.kinds[stack[-1]] if stack else ""
        if kind in COMPARISONS:
            if innermost == "[":
                self.kinds[stack[-1]] = "mask"
        elif kind in _CLOSERS:
            if ("[" if innermost == "mask" else innermost) != _CLOSERS[kind]:
                raise self._unbalanced(here, stack)
            self._close(here, stack)
        elif kind in _BARS and kind == innermost:
            self.kinds[here] = "bar"
            self._close(here, stack)
        elif kind == "||" and innermost == "|":
            self._split(here, stack)
        else:
            stack.append(here)
            if len(stack) > DEEPEST:
                raise too_deep(self.span(here))

    def _close(self, here: int, stack: list[int]) -> None:
        opener = stack.pop()
        self.match[opener] = here
        self.groups.append((opener, stack[-1] if stack else -1, len(stack) + 1))

    def _split(self, here: int, stack: list[int]) -> None:
        """The two bars of `|a||b|`: the first one closes, the second one opens."""
        middle = self.starts[here] + 1
        self.kinds[here] = "bar"
        self.ends[here] = middle
        self._close(here, stack)
        self.kinds.append("|")
        self.starts.append(middle)
        self.ends.append(middle + 1)
        stack.append(here + 1)

    def _unbalanced(self, here: int, stack: list[int]) -> Issue:
        closer = self.text(here)
        if not stack:
            return Issue("unbalanced", self.span(here), f"`{closer}` closes nothing")
        opener = self.text(stack[-1])
        help = "bars inside bars need parentheses" if opener in _BARS else None
        message = f"`{opener}` is not closed before this `{closer}`"
        return Issue("unbalanced", self.span(here), message, help, ((self.span(stack[-1]), "opened here"),))

    def span(self, k: int) -> Span:
        """The span of a token."""
        return Span(self.source, self.starts[k], self.ends[k])

    def text(self, k: int) -> str:
        """The characters of a token."""
        return self.source.text[self.starts[k] : self.ends[k]]


def is_numeral(text: str) -> bool:
    """Whether the text is one numeral: `2`, `.5`, `1e-3`."""
    found = _compiled(False).match(text)
    return found is not None and found["number"] == text


def too_deep(span: Span) -> Issue:
    """The issue of a formula that nests deeper than `DEEPEST`."""
    return Issue(
        "too-deep",
        span,
        f"formulas nest at most {DEEPEST} deep",
        "give a part of the formula a name, as a step of its own",
    )


def _stray(span: Span) -> Issue:
    character = span.text
    code = f"U+{ord(character):04X}"
    shown = (
        f"`{character}` ({code})" if character.isprintable() and not character.isascii() else f"`{character}`"
    )
    if not character.isprintable() or unicodedata.combining(character):
        shown = code
    return Issue("unknown-character", span, f"{shown} is not part of the notation", _stray_help(character))


def _stray_help(character: str) -> str | None:
    if character in _OTHER_HELP:
        return _OTHER_HELP[character]
    if unicodedata.combining(character):
        return "an accent stands on a letter: `ŷ`, or `y_hat`"
    described = unicodedata.name(character, "")
    if "SUBSCRIPT" in described and character not in "₀₁₂₃₄₅₆₇₈₉":
        plain = unicodedata.normalize("NFKC", character)
        return f"an index stands in brackets: `x[{plain}]`"
    if "SUBSCRIPT" in described:
        return "a subscript digit is part of a name: `x₁`"
    if "VULGAR FRACTION" in described:
        return f"write `{unicodedata.normalize('NFKC', character).replace('⁄', '/')}`"
    plain_name = plain_letter(character)
    if "SUPERSCRIPT" in described or "MODIFIER LETTER" in described:
        return f"write `^{unicodedata.normalize('NFKC', character)}`"
    return f"write `{plain_name}`" if plain_name else None
