"""Where text came from, and what is wrong with it: sources, spans and issues.

Every message of the tool points at a place in a file. A formula that stands in a YAML scalar is a
`Source` of its own whose characters map back, one by one, to the file it was read from, so that a
caret stands right under quoted and folded text too.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from functools import cached_property
from typing import Any

__all__ = ["Issue", "Source", "Span"]


class Source:
    """A text with a name. Offsets count code points from 0, lines and columns from 1.

    `parent` and `offsets` are given for a piece of a file: character k of `text` came from character
    `offsets[k]` of the parent's text; `offsets` has one more entry, for the end.
    """

    def __init__(
        self,
        path: str,
        text: str,
        parent: Source | None = None,
        offsets: tuple[int, ...] | None = None,
    ) -> None:
        self.path = path
        self.text = text
        self.parent = parent
        self.offsets = offsets

    @cached_property
    def line_starts(self) -> tuple[int, ...]:
        """The offset at which each line begins."""
        starts = [0]
        starts += [k + 1 for k, character in enumerate(self.text) if character == "\n"]
        return tuple(starts)

    def position(self, offset: int) -> tuple[int, int]:
        """The line and the column of an offset, both from 1."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")

    def span(self, start: int = 0, end: int | None = None) -> Span:
        """The span from `start` to `end`, or all of the text."""
        return Span(self, start, len(self.text) if end is None else end)


class Span:
    """The characters of a source from `start` up to, not including, `end`."""

    __slots__ = ("end", "source", "start")

    def __init__(self, source: Source, start: int, end: int) -> None:
        self.source = source
        self.start = start
        self.end = end

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """The span from the beginning of this one to the end of another."""
        return Span(self.source, self.start, max(self.end, other.end))

    def root(self) -> Span:
        """The same place in the file that the text was read from."""
        span = self
        while span.source.parent is not None and span.source.offsets is not None:
            offsets = span.source.offsets
            last = len(offsets) - 1
            start = offsets[min(span.start, last)]
            end = offsets[min(span.end, last) - 1] + 1 if span.end > span.start else start
            span = Span(span.source.parent, start, max(start, end))
        return span

    @property
    def line(self) -> int:
        """The line in the file, from 1."""
        root = self.root()
        return root.source.position(root.start)[0]

    @property
    def column(self) -> int:
        """The column in the file, in code points from 1."""
        root = self.root()
        return root.source.position(root.start)[1]

    def __repr__(self) -> str:
        return f"Span({self.start}, {self.end})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Span):
            return NotImplemented
        return (self.source, self.start, self.end) == (other.source, other.start, other.end)

    def __hash__(self) -> int:
        return hash((id(self.source), self.start, self.end))


class Issue(Exception):
    """Something wrong in a text: a code, where it is, what is wrong, and one help.

    `others` are further places with a word each, shown as secondary carets (two shapes that do not meet).
    """

    def __init__(
        self,
        code: str,
        span: Span | None,
        message: str,
        help: str | None = None,
        others: tuple[tuple[Span, str], ...] = (),
    ) -> None:
        super().__init__(message)
        self.code = code
        self.span = span
        self.message = message
        self.help = help
        self.others = others

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # An exception is else made anew from the arguments of Exception, of which there is one.
        return Issue, (self.code, self.span, self.message, self.help, self.others)

    def rendered(self, path: str = "") -> str:
        """The issue as a document: headline, place, source line, caret, help. Plain text."""
        out = [f"error[{self.code}]: {self.message}"]
        if self.span is None:
            if path:
                out.append(f"  --> {path}")
        else:
            out += excerpt(self.span, self.others)
        if self.help:
            out.append(f"help: {self.help}")
        return "\n".join(out)


def excerpt(span: Span, others: tuple[tuple[Span, str], ...] = ()) -> list[str]:
    """The place, the line of the file and a caret under it, as lines of text."""
    root = span.root()
    line, column = root.source.position(root.start)
    first = max(0, column - 1 - _WIDTH // 2) if len(root.source.line(line)) > _WIDTH else 0
    gutter = " " * len(str(line))
    out = [f"{gutter} --> {root.source.path}:{line}:{column}", f"{gutter}  |"]
    out.append(f"{line}  | {_expanded(root.source.line(line)[first : first + _WIDTH])}")
    out.append(f"{gutter}  | {_carets(root, first)}")
    for other, label in others:
        place = other.root()
        number, start = place.source.position(place.start)
        if place.source is root.source and number == line and 0 <= start - 1 - first < _WIDTH:
            out.append(f"{gutter}  | {_carets(place, first)} {label}")
        else:
            out.append(f"{gutter}  = line {number}: {label}")
    return out


# A longer line is shown as far as it stands around the caret.
_WIDTH = 400


def _carets(root: Span, first: int) -> str:
    line, column = root.source.position(root.start)
    text = root.source.line(line)[first : first + _WIDTH]
    at = column - 1 - first
    under = text[at : at + max(root.end - root.start, 1)]
    return " " * cells(_expanded(text[:at])) + "^" * max(cells(_expanded(under)), 1)


# Control characters would move the cursor of a terminal, or worse.
_SHOWN = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd") | {9: "    "}


def _expanded(text: str) -> str:
    return text.translate(_SHOWN)


def cells(text: str) -> int:
    """How many terminal cells a text takes: combining marks none, wide characters two."""
    total = 0
    for character in text:
        if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
            continue
        total += 2 if unicodedata.east_asian_width(character) in "WF" else 1
    return total
