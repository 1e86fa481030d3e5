"""Long lines of a report, folded to the width of a terminal: formulas at +, = and between factors, under
their right-hand side; prose between words, under its beginning.

A line is pieces of (text, style). Only blanks are taken away where a line is folded, so what is printed reads on
as the same formula.
"""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.source import cells

__all__ = ["FORMULAS", "Line", "Piece", "folded"]

Piece = tuple[str, str]
Line = list[Piece]

# The styles of pieces that are formulas; "verbatim" is never folded.
FORMULAS = frozenset({"formula", "title"})
_SIGNS = frozenset({"+", "-"})
_OPERATORS = frozenset({"*", "/", "@", "⊙", "∘", "⊗"})
# How bad a place to fold is: a sum, a product, an equals sign; within brackets is worse than outside.
_SUM, _PRODUCT, _EQUALS, _INSIDE = 0, 1, 2, 3


def folded(line: Line, width: int | None) -> Iterator[Line]:
    """The line in as many lines as the width needs."""
    if width is None or cells("".join(text for text, _ in line)) <= width:
        yield line
        return
    if any(style == "verbatim" for _, style in line):
        yield line
        return
    words = _words(line)
    hang = _hang(line, width)
    out: list[tuple[str, str, float]] = []
    used, indent = 0, 0
    for word in words:
        out.append(word)
        used += cells(word[0])
        while used > width and (at := _best(out, indent)) is not None:
            yield _line(out[:at])
            out = [(" " * hang, "", -1.0), (out[at][0].lstrip(" "), out[at][1], -1.0), *out[at + 1 :]]
            used, indent = sum(cells(text) for text, _, _ in out), hang
    if any(text.strip() for text, _, _ in out):
        yield _line(out)


def _line(words: list[tuple[str, str, float]]) -> Line:
    line: Line = []
    for text, style, _ in words:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text, style)
        else:
            line.append((text, style))
    line[-1] = (line[-1][0].rstrip(" "), line[-1][1])
    return line


def _best(words: list[tuple[str, str, float]], indent: int) -> int | None:
    """Where to fold: the last of the best places before the word that does not fit."""
    found: tuple[float, int] | None = None
    for k, (_, _, cost) in enumerate(words):
        seen = any(text.strip() for text, _, _ in words[:k])
        if cost >= 0 and seen and (found is None or cost <= found[0]):
            found = (cost, k)
    return None if found is None else found[1]


def _words(line: Line) -> list[tuple[str, str, float]]:
    """The pieces cut at blanks: each word with the blanks before it, its style, and what a fold before it
    costs; -1 where none may be."""
    words: list[tuple[str, str, float]] = []
    for number, (text, style) in enumerate(line):
        formula = style in FORMULAS
        depth, before = 0, ""
        for k, word in enumerate(_cut(text)):
            bare = word.strip(" ")
            cost = _cost(bare, before, depth) if formula else 0.0
            if (k == 0 and not word.startswith(" ") and number) or (k == 0 and number == 0):
                cost = -1.0
            elif k == 0:
                cost = 0.0
            words.append((word, style, cost))
            depth += sum((c in "([{") - (c in ")]}") for c in bare)
            before = bare or before
    return words


def _cost(word: str, before: str, depth: int) -> float:
    if before in _SIGNS or before in _OPERATORS or before == "=" or before.startswith(("Σ[", "sum[")):
        return -1.0
    rank = _SUM if word in _SIGNS else _EQUALS if word == "=" else _PRODUCT
    return rank + _INSIDE * depth


def _cut(text: str) -> Iterator[str]:
    """Words, each with the blanks before it."""
    start, k = 0, 0
    while k < len(text):
        while k < len(text) and text[k] == " ":
            k += 1
        while k < len(text) and text[k] != " ":
            k += 1
        yield text[start:k]
        start = k


def _hang(line: Line, width: int) -> int:
    """The column under which a line goes on: that of the right-hand side, or of the last piece."""
    column = 0
    hang = 0
    for text, style in line:
        blank = len(text) - len(text.lstrip(" "))
        if text.strip():
            hang = column + blank
            if style in FORMULAS:
                left = _left(text)
                if left is not None:
                    hang = column + cells(text[: left + 2])
                    break
        column += cells(text)
    if hang > width // 2:
        hang = len(line[0][0]) - len(line[0][0].lstrip(" ")) + 4
    return min(hang, width // 2)


def _left(text: str) -> int | None:
    """Where the equals sign stands that is outside all brackets."""
    depth = 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "=" and depth == 0:
            return k
    return None
