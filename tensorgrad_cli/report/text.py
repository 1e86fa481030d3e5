"""The report for the terminal: lines that one can read aloud. The only module that knows rich.

A line is made of pieces, each with a style. Without colour the pieces are joined as they are and rich is
not imported; with colour they go through one console that reads no markup, so no index is ever eaten.
"""

from __future__ import annotations

from typing import TextIO

from tensorgrad_cli.report.fold import Line, folded
from tensorgrad_cli.report.lines import lines
from tensorgrad_cli.report.plain import ascii_text, same_length
from tensorgrad_cli.verify.verdict import Report

__all__ = ["render", "write"]

_STYLES = {
    "proved": "bold green",
    "verified": "green",
    "refuted": "bold red",
    "ill-formed": "bold red",
    "inconclusive": "bold yellow",
    "error": "bold red",
    "title": "bold",
    "quiet": "dim",
    "good": "green",
    "bad": "red",
    "help": "cyan",
}
# What a terminal would not print but obey; a carriage return or an escape may come in with a quoted YAML text.
_CONTROLS = dict.fromkeys((*range(32), *range(127, 160)), "\ufffd") | {9: "    "}


def render(report: Report, verbosity: int = 0) -> str:
    """The report as plain text, uncoloured and unwrapped."""
    return "".join(_plain(_safe(line)) + "\n" for line in lines(report, verbosity))


def write(
    report: Report, stream: TextIO, *, verbosity: int = 0, colour: bool = False, width: int | None = None
) -> None:
    """Print the report, coloured or not, long lines folded where a width is given; in ASCII where the
    stream's encoding has nothing else."""
    content = [_safe(line) for line in lines(report, verbosity)]
    if not _encodes(stream, content):
        names = frozenset[str]().union(*(spec.names for spec in report.specs))
        content = [[(_ascii(text, style, names), style) for text, style in line] for line in content]
    content = [part for line in content for part in folded(line, width)]
    if not colour:
        stream.write("".join(_plain(line) + "\n" for line in content))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(
        file=stream,
        markup=False,
        emoji=False,
        highlight=False,
        force_terminal=True,
        color_system="standard",
        no_color=False,
        soft_wrap=True,
    )
    for line in content:
        text = Text.assemble(*((piece, _STYLES.get(style, "")) for piece, style in line))
        text.rstrip()
        console.print(text, soft_wrap=True)


def _safe(line: Line) -> Line:
    return [(text.translate(_CONTROLS), style) for text, style in line]


def _encodes(stream: TextIO, content: list[Line]) -> bool:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    try:
        for line in content:
            _plain(line).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def _ascii(text: str, style: str, names: frozenset[str]) -> str:
    return same_length(text) if style == "verbatim" else ascii_text(text, names)


def _plain(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()
