"""Where each character of a YAML scalar stands in the file: quoting, folding and escapes undone backwards.

The parser gives the scalar's value and where it begins and ends. A caret must stand under the character
itself, so the value is laid over the raw text once more, character by character.
"""

from __future__ import annotations

import re

__all__ = ["offset_map"]

_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)*")
_ESCAPE_WIDTHS = {"x": 4, "u": 6, "U": 10}


def offset_map(text: str, start: int, end: int, value: str, style: str | None) -> tuple[int, ...]:
    """For each character of `value`, and for its end, the offset in `text` that it came from.

    `start` and `end` enclose the scalar as the parser saw it; `style` is None or '' for a plain one, else
    the character it begins with. A line break that was folded into a blank maps to the break.
    """
    at = _content(text, start, end, style or "")
    if text.startswith(value, at) and "\\" not in value:
        return tuple(range(at, at + len(value) + 1))
    found: list[int] = []
    for character in value:
        at = min(_find(text, at, end, character, style or ""), max(end - 1, start))
        found.append(at)
        at += _width(text, at, style or "")
    found.append(min(at, end))
    return tuple(found)


def _content(text: str, start: int, end: int, style: str) -> int:
    """The offset behind anchor, tag, quote or block header."""
    properties = _PROPERTIES.match(text, start, end)
    at = properties.end() if properties else start
    if style in ("'", '"'):
        return at + 1
    if style in ("|", ">"):
        newline = text.find("\n", at, end)
        return newline + 1 if newline >= 0 else end
    return at


def _find(text: str, at: int, end: int, character: str, style: str) -> int:
    """The next offset from `at` that `character` of the value can have come from."""
    while at < end:
        if style == '"' and text[at] == "\\":
            if text[at + 1 : at + 2] not in ("\n", "\r"):
                return at
            at = _past_blanks(text, at + 1, end)
            continue
        if text[at] == character:
            return at
        if character in " \n":
            newline = text.find("\n", at, end)
            if newline >= 0 and not text[at:newline].strip():
                return newline
        if not text[at].isspace():
            return at
        at = _past_blanks(text, at, end)
    return at


def _past_blanks(text: str, at: int, end: int) -> int:
    while at < end and text[at].isspace():
        at += 1
    return at


def _width(text: str, at: int, style: str) -> int:
    """How many raw characters the one at `at` takes."""
    if style == "'" and text.startswith("''", at):
        return 2
    if style == '"' and text.startswith("\\", at):
        return _ESCAPE_WIDTHS.get(text[at + 1 : at + 2], 2)
    return 1
