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
# A word with the blanks before it, its style, and what a fold before it costs: -1 where none may be.
Word = tuple[str, str, float]

# The styles of pieces that are formulas; "verbatim" is never folded.
FORMULAS = frozenset({"formula", "title"})
_SIGNS = frozenset({"+", "-"})
_OPERATORS = frozenset({"*", "/", "@", "⊙", "∘", "⊗"})
# How bad a place to fold is: a sum, a product, an equals sign; within brackets is worse than outside.
_SUM, _PRODUCT, _EQUALS, _INSIDE = 0, 1, 2, 3
# Between arguments only where nothing else is left.
_LAST = 100.0
# The column under which a line goes on that finds no room under its beginning.
_LEAST = 8


def folded(line: Line, width: int | None) -> Iterator[Line]:
    """The line in as many lines as the width needs."""
    if width is None or _cells(line) <= width or any(style == "verbatim" for _, style in line):
        yield line
        return
    start = _start(line)
    if start is not None and _crowded(line, start, width):
        yield from folded(_line([(text, style, -1.0) for text, style in line[:start]]), width)
        yield from folded([(" " * (_indent(line) + 4), ""), *line[start:]], width)
        return
    words = _words(line)
    hang = _fitting(words, (_hang(line, width), _indent(line) + 4, _LEAST), width)
    out: list[Word] = []
    for word in words:
        out.append(word)
        while sum(cells(text) for text, _, _ in out) > width and (at := _best(out, width)) is not None:
            yield _line(out[:at])
            text, style, _ = out[at]
            out = [(" " * hang, "", -1.0), (text.lstrip(" "), style, -1.0), *out[at + 1 :]]
    yield _line(out)


def _fitting(words: list[Word], hangs: tuple[int, ...], width: int) -> int:
    """The first of some columns under which each part that may stand on a line of its own finds room; where none is,
    the first."""
    widest, part, seen = 0, -1, False
    for text, _, cost in words:
        if cost >= 0 and seen and text.strip():
            part = cells(text.lstrip(" "))
        elif part >= 0:
            part += cells(text)
        seen = seen or bool(text.strip())
        widest = max(widest, part)
    return next((hang for hang in hangs if hang + widest <= width), hangs[0])


def _cells(line: Line) -> int:
    return cells("".join(text for text, _ in line).rstrip(" "))


def _indent(line: Line) -> int:
    text = "".join(text for text, _ in line)
    return len(text) - len(text.lstrip(" "))


def _start(line: Line) -> int | None:
    """Where a formula begins that stands behind a label; None where there is no label."""
    for k, (_, style) in enumerate(line):
        if style in FORMULAS:
            return k if any(text.strip() for text, _ in line[:k]) else None
    return None


def _crowded(line: Line, start: int, width: int) -> bool:
    """Whether a formula had better begin on a line of its own."""
    label, formula = _cells(line[:start]) + 2, _cells(line[start:])
    fits = _indent(line) + 4 + formula <= width
    return label > width // 2 or (fits and label > _indent(line) + 4)


def _line(words: list[Word]) -> Line:
    line: Line = []
    for text, style, _ in words:
        if line and line[-1][1] == style:
            line[-1] = (line[-1][0] + text, style)
        else:
            line.append((text, style))
    line[-1] = (line[-1][0].rstrip(" "), line[-1][1])
    return line


def _best(words: list[Word], width: int) -> int | None:
    """Where to fold: the last of the best places before the word that does not fit."""
    found: tuple[float, int] | None = None
    seen, before = False, 0
    for k, (text, _, cost) in enumerate(words):
        if found is not None and before > width:
            break
        if cost >= 0 and seen and text.strip() and (found is None or cost <= found[0]):
            found = (cost, k)
        seen, before = seen or bool(text.strip()), before + cells(text)
    return None if found is None else found[1]


def _words(line: Line) -> list[Word]:
    """The pieces cut at blanks. Between pieces a line is folded only where one ends or begins with a blank, and
    never before a formula or in its label: they stay together."""
    words: list[Word] = []
    blank = False
    label = _start(line) or 0
    for number, (text, style) in enumerate(line):
        formula = style in FORMULAS
        depth, before = 0, ""
        for k, word in enumerate(_cut(text)):
            bare = word.strip(" ")
            cost = _cost(bare, before, depth) if formula else 0.0
            if number < label or (k == 0 and (formula or not (blank or word.startswith(" ")))):
                cost = -1.0
            words.append((word, style, cost))
            depth += sum((c in "([{") - (c in ")]}") for c in bare)
            before = bare or before
        blank = text.endswith(" ") if text else blank
    return words


def _cost(word: str, before: str, depth: int) -> float:
    if before in _SIGNS or before in _OPERATORS or before == "=" or before.startswith(("Σ[", "sum[")):
        return -1.0
    if before.endswith(","):
        return _LAST
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
    """The column under which a line goes on: that of a formula's right-hand side, of the beginning of the prose
    behind a label; a little indented where that would leave too little room."""
    column, hang = 0, _indent(line) + 4
    for text, style in line:
        blank = len(text) - len(text.lstrip(" "))
        if style in FORMULAS:
            left = _left(text)
            under = column + (cells(text[: left + 2]) if left is not None else blank + 2)
            near = column + blank + 4 if column else hang
            return under if under <= width // 2 else near if near <= width // 2 else hang
        if text.strip() and column and column + blank <= width // 3:
            under = column + blank
            return under if under > _indent(line) else _indent(line)
        if text.strip() and not column:
            hang = blank if len(line) == 1 else hang
        column += cells(text)
    return hang


def _left(text: str) -> int | None:
    """Where the equals sign stands that is outside all brackets."""
    depth = 0
    for k, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if character == "=" and depth == 0:
            return k
    return None
