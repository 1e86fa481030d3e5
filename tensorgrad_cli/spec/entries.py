"""What stands at a key, as the type that belongs there; what does not fit becomes an issue."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from tensorgrad_cli.notation.names import canonical, is_name
from tensorgrad_cli.notation.spelling import nearest
from tensorgrad_cli.source import Issue, Source, Span
from tensorgrad_cli.spec.nodes import Items, Node, Scalar, Table

__all__ = [
    "Notes",
    "clipped",
    "cut_off",
    "did_you_mean",
    "is_empty",
    "kind",
    "listed",
    "piece",
    "spelled",
    "whole",
]

_COMMENT = re.compile(r"[ \t]+(#[^\n\r]*)")
_UNFINISHED = ("=", "+", "-", "*", "/", "@", "⊙", "∘", "⊗", "^", "·", "×", "−", ",")


class Notes:
    """The issues and remarks of one reading, in the order they were found."""

    def __init__(self) -> None:
        self.issues: list[Issue] = []
        self.remarks: list[str] = []

    def issue(self, code: str, span: Span | None, message: str, help: str | None = None) -> None:
        """Adds an issue."""
        self.issues.append(Issue(code, span, message, help))

    def remark(self, text: str) -> None:
        """Adds a remark."""
        self.remarks.append(text)

    def fields(self, node: Node, keys: Iterable[str], where: str) -> dict[str, Node]:
        """The values of a mapping's keys; unknown ones are issues. Empty where it is no mapping."""
        allowed = tuple(keys)
        if not isinstance(node, Table):
            self.wrong_type(node, where, "a mapping")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.entries:
            if key.text in allowed:
                found[key.text] = value
            else:
                self.unknown_key(key, allowed, where)
                # What was meant is read too, so that one misspelt key is one message.
                meant = closest(key.text, allowed)
                if meant is not None:
                    found.setdefault(meant, value)
        return found

    def unknown_key(self, key: Scalar, allowed: tuple[str, ...], where: str) -> None:
        """A key that is not ours."""
        helped = did_you_mean(key.text, allowed) or f"the keys are {listed(allowed)}"
        self.issue("unknown-key", key.span, f"{where} has no key `{clipped(key.text)}`", helped)

    def wrong_type(self, node: Node, where: str, wanted: str, help: str | None = None) -> None:
        """Something of another kind than belongs here."""
        self.issue("wrong-type", node.span, f"{where} is {wanted}, and {kind(node)} stands here", help)

    def items(self, node: Node, where: str, example: str) -> tuple[Node, ...]:
        """The items of a list; nothing is an empty list."""
        if isinstance(node, Items):
            return node.items
        if not is_empty(node):
            self.wrong_type(node, where, "a list", f"write {example}")
        return ()

    def entries(self, node: Node, where: str, example: str) -> tuple[tuple[Scalar, Node], ...]:
        """The entries of a mapping; nothing is an empty one."""
        if isinstance(node, Table):
            return node.entries
        if not is_empty(node):
            self.wrong_type(node, where, "a mapping", f"write {example}")
        return ()

    def text(self, node: Node, where: str) -> str | None:
        """A text; a number counts as the text it was written as."""
        if not isinstance(node, Scalar):
            self.wrong_type(node, where, "a text", "put it in single quotes")
            return None
        if is_empty(node):
            self.issue("missing-value", node.span, f"{where} is empty")
            return None
        return node.text

    def choice(self, node: Node, where: str, options: tuple[str, ...]) -> str | None:
        """One of some words."""
        text = self.text(node, where)
        if text is None or text in options:
            return text
        helped = did_you_mean(text, options) or f"it is one of {listed(options)}"
        self.issue("bad-value", node.span, f"{where} cannot be `{clipped(text)}`", helped)
        return None

    def truth(self, node: Node, where: str) -> bool | None:
        """`true` or `false`."""
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, bool):
            return value
        self.wrong_type(node, where, "`true` or `false`")
        return None

    def whole(self, node: Node, where: str, least: int = 0) -> int | None:
        """A whole number, at least `least`."""
        number = whole(node)
        if number is None:
            self.wrong_type(node, where, "a whole number")
        elif number < least:
            self.issue("bad-value", node.span, f"{where} is at least {least}, and {number} stands here")
            return None
        return number

    def name(self, node: Node, where: str) -> tuple[str, str] | None:
        """A name, as (canonical, as written)."""
        text = self.text(node, where)
        if text is None:
            return None
        if not is_name(text):
            self.issue(
                "bad-name",
                node.span,
                f"`{clipped(text)}` is no name",
                "a name is a letter or `_`, then letters, digits, `_`",
            )
            return None
        return canonical(text), text

    def formula(self, node: Node, where: str) -> Source | None:
        """A formula; YAML's traps (a colon, a dash, a comment) are issues and remarks of their own."""
        if isinstance(node, Table):
            self.colon(node, where)
            return None
        if isinstance(node, Items):
            self.issue(
                "wrong-type",
                node.span,
                f"{where} is a text, and YAML reads a list here",
                "put the line in single quotes",
            )
            return None
        if self.text(node, where) is None:
            return None
        comment = cut_off(node)
        if comment is not None:
            line = comment.line
            self.remark(f"line {line}: ` #` begins a comment in YAML; `{comment.text}` is not read")
        return node.source

    def entry(self, node: Node, key: str, keys: tuple[str, ...], where: str) -> dict[str, Node] | None:
        """An entry that is a text (that of `key`) or a mapping with `key`; None where it is neither."""
        if isinstance(node, Scalar):
            return {key: node}
        if isinstance(node, Items):
            help = "take out the second dash, or put the line in single quotes"
            self.wrong_type(node, where, "a text or a mapping", help)
            return None
        names = [name.text for name, _ in node.entries]
        if not any(name in keys or did_you_mean(name, keys) for name in names):
            self.colon(node, where)
            return None
        before = len(self.issues)
        found = self.fields(node, keys, where)
        if key in found:
            return found
        if len(self.issues) == before:
            self.issue("missing-key", node.span, f"{where} has no `{key}`")
        return None

    def colon(self, node: Table, where: str) -> None:
        """A mapping where a formula belongs: mostly a colon within the line."""
        if len(node.entries) == 1 and node.span.text[:1] != "{":
            self.issue(
                "yaml-colon",
                node.entries[0][0].source.span(),
                "a colon and a blank make a YAML mapping of this line",
                "put the line in single quotes",
            )
            return
        self.wrong_type(node, where, "a text", "put the formula in single quotes")


def is_empty(node: Node) -> bool:
    """Whether nothing stands here."""
    return isinstance(node, Scalar) and (node.value is None or not node.text.strip())


def whole(node: Node) -> int | None:
    """The whole number that stands here, or None."""
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def kind(node: Node) -> str:
    """What stands here, in a reader's words."""
    if isinstance(node, Items):
        return "a list"
    if isinstance(node, Table):
        return "a mapping"
    value = node.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"`{node.text}`"
    if isinstance(value, int | float):
        return f"the number {clipped(node.text)}"
    return f"the text `{clipped(value)}`"


def clipped(text: str, width: int = 60) -> str:
    """A text short enough for a message, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= width else line[: width - 1] + "…"


def listed(names: Iterable[str]) -> str:
    """Names as a list in a sentence."""
    quoted = [f"`{name}`" for name in names]
    if len(quoted) > 1:
        return ", ".join(quoted[:-1]) + " and " + quoted[-1]
    return "".join(quoted) or "none"


def did_you_mean(name: str, options: Iterable[str]) -> str | None:
    """A suggestion for a misspelt name."""
    close = closest(name, options)
    return f"did you mean `{close}`?" if close is not None else None


def closest(name: str, options: Iterable[str]) -> str | None:
    """The option that a misspelt name most likely stands for."""
    return next(iter(nearest(name, tuple(options))), None)


def cut_off(node: Scalar) -> Span | None:
    """The comment that cuts a formula, where it looks as if it belonged to it.

    A comment behind a whole formula is everyday; one behind an open bracket or an operator, or without a
    blank after its `#`, is mostly a piece of the formula.
    """
    root = node.span.root()
    found = _COMMENT.match(root.source.text, root.end) if node.plain else None
    if found is None:
        return None
    text = node.text.rstrip()
    depth = sum(text.count(c) for c in "([{") - sum(text.count(c) for c in ")]}")
    if depth <= 0 and not text.endswith(_UNFINISHED) and found.group(1)[1:2] in ("", " ", "\t", "#"):
        return None
    return root.source.span(found.start(1), found.end(1))


def piece(source: Source, start: int, end: int | None = None) -> Source:
    """A part of a source as a source of its own."""
    stop = len(source.text) if end is None else end
    return Source(source.path, source.text[start:stop], source, tuple(range(start, stop + 1)))


def spelled(names: Mapping[str, str], options: Iterable[str]) -> tuple[str, ...]:
    """Names as the reader wrote them."""
    return tuple(names.get(option, option) for option in options)
