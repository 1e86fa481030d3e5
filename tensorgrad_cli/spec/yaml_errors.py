"""What YAML's parser complains of, in our words: which character did it, and that quotes mend it."""

from __future__ import annotations

import re
from typing import Any

from tensorgrad_cli.source import Issue, Source

__all__ = ["CODE", "MAX_DEPTH", "explained", "forbidden_character", "too_deep"]

CODE = "yaml"
MAX_DEPTH = 50

# Listed one by one: the complement, a class of a million characters, takes 5 ms to compile.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
# What precedes the text of an entry: dashes, then perhaps a key.
_LEAD = re.compile(r"\s*(?:-[ \t]+)*(?:[\w.-]+[ \t]*:[ \t]+)?")
_SPECIAL = {
    "@": "`@` cannot begin a text in YAML",
    "`": "a backquote cannot begin a text in YAML",
    "%": "`%` cannot begin a text in YAML",
    "*": "a text that begins with `*` is a YAML alias",
    "&": "a text that begins with `&` is a YAML anchor",
    "!": "a text that begins with `!` is a YAML tag",
    "|": "a text that begins with `|` is a YAML block",
    ">": "a text that begins with `>` is a YAML block",
    "[": "a text that begins with `[` is a YAML list",
    "{": "a text that begins with `{` is a YAML mapping",
    "]": "`]` cannot begin a text in YAML",
    "}": "`}` cannot begin a text in YAML",
    ",": "`,` cannot begin a text in YAML",
}
_QUOTE = "put the line in single quotes, a quote inside doubled: '…'"


def forbidden_character(source: Source) -> Issue | None:
    """The first control character, which no YAML file may hold."""
    found = _FORBIDDEN.search(source.text)
    if found is None:
        return None
    name = f"U+{ord(found.group()):04X}"
    span = source.span(found.start(), found.end())
    return Issue(CODE, span, f"the file holds a control character ({name})", "take it out")


def too_deep(source: Source, at: int) -> Issue:
    """Brackets within brackets within brackets."""
    return Issue("too-deep", _one(source, at), f"lists and mappings nest deeper than {MAX_DEPTH} here")


def explained(source: Source, error: Any) -> Issue:
    """An error of PyYAML (`yaml.YAMLError`) as an issue; never its own words."""
    mark = getattr(error, "problem_mark", None)
    context = getattr(error, "context_mark", None)
    problem = str(getattr(error, "problem", None) or "")
    words = str(getattr(error, "context", None) or "")
    if mark is None:
        return Issue(CODE, None, "the file is not YAML")
    at = min(mark.index, len(source.text))
    begun = min(context.index, len(source.text)) if context is not None else at
    for rule in (_nesting, _tab, _quoted, _never_closed, _in_brackets, _after_quote, _special, _by_words):
        issue = rule(source, problem, words, at, begun)
        if issue is not None:
            return issue
    return Issue(
        CODE,
        _one(source, at),
        "the file is not YAML: what stands here fits nothing before it",
        "look at the indentation and the brackets; a formula in single quotes is always safe",
    )


def _one(source: Source, at: int) -> Any:
    return source.span(at, min(at + 1, len(source.text)))


def _content(source: Source, at: int) -> int:
    """The offset at which the text of the line's entry begins."""
    line = source.position(at)[0]
    start = source.line_starts[line - 1]
    lead = _LEAD.match(source.text, start)
    return lead.end() if lead else start


def _nesting(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    if "nesting" not in problem:
        return None
    return too_deep(source, begun)


def _tab(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    before = source.text[source.line_starts[source.position(at)[0] - 1] : at + 1]
    if "\t" in before and not before.strip():
        return Issue(CODE, _one(source, at), "a tab cannot indent a line in YAML", "indent with blanks")
    if source.text[at : at + 1] == "\t":
        return Issue(CODE, _one(source, at), "a tab cannot stand here in YAML", "write a blank")
    return None


def _quoted(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    if "escape" not in problem and "hexdecimal" not in problem:
        return None
    start = source.text.rfind("\\", 0, at + 1)
    return Issue(
        CODE,
        source.span(max(start, 0), max(start, 0) + 2),
        "within double quotes a backslash begins an escape, and this is none",
        "use single quotes, which leave everything as it is",
    )


def _never_closed(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    if source.text[at:].strip():
        return None
    if "unexpected end of stream" in problem and source.text[begun : begun + 1] in ("'", '"'):
        return Issue(CODE, _one(source, begun), "this quote is never closed")
    opened = _open_bracket(source.text[:at])
    if opened is not None:
        bracket = source.text[opened]
        return Issue(CODE, _one(source, opened), f"this `{bracket}` is never closed")
    return None


def _open_bracket(text: str) -> int | None:
    stack: list[int] = []
    for k, character in enumerate(text):
        if character in "[{":
            stack.append(k)
        elif character in "]}" and stack:
            stack.pop()
    return stack[-1] if stack else None


def _in_brackets(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    if "',' or '" not in problem:
        return None
    bracket = source.text[begun : begun + 1]
    if source.position(begun)[0] != source.position(at)[0]:
        return Issue(CODE, _one(source, begun), f"this `{bracket}` is not closed where it should be")
    if source.text[max(begun, at - 1)] in "'\"":
        return _after_quote(source, "expected", context, at, begun)
    return Issue(
        CODE,
        _one(source, at),
        f"within `{bracket}` brackets and commas are YAML's own",
        "put the formula in single quotes, or write one key a line",
    )


def _after_quote(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    before = source.text[:at].rstrip(" ")
    line = source.line_starts[source.position(at)[0] - 1]
    if "expected" not in problem or len(before) <= line or before[-1] not in "'\"":
        return None
    quote = before[-1]
    doubled = "a single quote inside is written twice: ''" if quote == "'" else "use single quotes"
    return Issue(CODE, source.span(len(before) - 1, at + 1), "the quoted text ended before this", doubled)


def _special(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    start = _content(source, at)
    character = source.text[start : start + 1]
    message = _SPECIAL.get(character)
    if message is None or start > at:
        return None
    return Issue(CODE, _one(source, start), message, _QUOTE)


def _by_words(source: Source, problem: str, context: str, at: int, begun: int) -> Issue | None:
    one = _one(source, at)
    if "mapping values are not allowed" in problem:
        return _colon(source, at)
    if "could not find expected ':'" in problem:
        end = source.text.find("\n", begun)
        span = source.span(begun, max(begun + 1, end if end >= 0 else len(source.text)))
        return Issue(CODE, span, "this line is no `key: value`, and it stands where a key belongs")
    if "document start" in problem:
        help = "look at the indentation; the keys of a spec begin in the first column"
        return Issue(CODE, one, "the file was complete above this line", help)
    if "node content" in problem and "flow" in context:
        opened = _open_bracket(source.text[:at])
        if opened is not None:
            return Issue(
                CODE, _one(source, opened), f"this `{source.text[opened]}` is not closed where it should be"
            )
    if "unexpected ':'" in problem:
        return Issue(CODE, one, "within brackets a colon is YAML's own", _QUOTE)
    if "sequence entries are not allowed" in problem:
        return Issue(CODE, one, "a list begins on a line of its own", "begin a new line before `-`")
    if "mapping keys are not allowed" in problem:
        return Issue(CODE, one, "`?` cannot begin a text in YAML", _QUOTE)
    if "expected '-'" in problem or "block collection" in context:
        return Issue(
            CODE,
            one,
            "the list that began above goes on with something else than `- …`",
            "begin the entry with `- `, indented as the entries above it",
        )
    if "expected key" in problem or "block mapping" in context:
        return Issue(
            CODE,
            one,
            "this line is indented as a key of the mapping above, and is none",
            "a line is `key: value`; look at its indentation",
        )
    if "end of stream" in problem or "document indicator" in problem:
        return Issue(CODE, _one(source, begun), "this is never closed")
    for offset in (begun, at):
        message = _SPECIAL.get(source.text[offset : offset + 1])
        if message is not None:
            return Issue(CODE, _one(source, offset), message, _QUOTE)
    return None


def _colon(source: Source, at: int) -> Issue:
    line = source.position(at)[0]
    start = source.line_starts[line - 1]
    if ": " in source.text[start:at] or source.text[start:at].lstrip().startswith("- "):
        return Issue(CODE, _one(source, at), "a colon and a blank begin the value of a key in YAML", _QUOTE)
    return Issue(
        CODE,
        _one(source, at),
        "no key can stand here: the line above has a value, or is indented otherwise",
        "indent the line as the other keys of its mapping",
    )
