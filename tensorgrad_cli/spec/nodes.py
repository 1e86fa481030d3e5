"""A YAML file as nodes that know where they stand.

Events are read one at a time, so that depth, size and aliases are bounded before anything is built and
nothing recurses. Scalars mean what YAML 1.2's core schema says: `no`, `on`, `y` and `1:30` are texts,
`012` is twelve. Each scalar is a `Source` whose characters map back to the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from tensorgrad_cli.source import Issue, Source, Span
from tensorgrad_cli.spec.offsets import offset_map
from tensorgrad_cli.spec.yaml_errors import CODE, MAX_DEPTH, explained, forbidden_character, too_deep

__all__ = ["MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "Items", "Node", "Scalar", "Table", "parsed"]

MAX_BYTES = 4 << 20
MAX_NODES = 100_000

_INTEGER = re.compile(r"[-+]?[0-9]{1,1000}")
_BASED = re.compile(r"0o[0-7]{1,100}|0x[0-9a-fA-F]{1,100}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,6})?")
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


class Scalar(Struct, frozen=True, eq=False):
    """A text, a number, a truth value or nothing. `source` is its text, mapped to the file."""

    source: Source
    plain: bool = True
    weight: int = 1

    @property
    def text(self) -> str:
        """The text after YAML's quoting."""
        return self.source.text

    @property
    def span(self) -> Span:
        """All of it."""
        return self.source.span()

    @property
    def value(self) -> str | int | float | bool | None:
        """The value by YAML 1.2's core schema; a quoted scalar is always a text."""
        text = self.source.text
        if not self.plain:
            return text
        if text in _NULLS:
            return None
        if text in _TRUTH:
            return _TRUTH[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
        if _FLOAT.fullmatch(text) and len(text) < 1000:
            return float(text)
        return text


class Items(Struct, frozen=True, eq=False):
    """A list."""

    items: tuple[Node, ...]
    span: Span
    weight: int = 1


class Table(Struct, frozen=True, eq=False):
    """A mapping, in the file's order. Its keys are texts, no two alike."""

    entries: tuple[tuple[Scalar, Node], ...]
    span: Span
    weight: int = 1

    def get(self, key: str) -> Node | None:
        """The value of a key, or None."""
        for name, value in self.entries:
            if name.text == key:
                return value
        return None


Node = Scalar | Items | Table


def parsed(source: Source) -> tuple[Node | None, tuple[Issue, ...]]:
    """The file's only document, None where it is empty or unreadable, and what is wrong with it."""
    builder = _Builder(source)
    try:
        root = builder.document()
    except Issue as issue:
        return None, (*builder.issues, issue)
    return root, tuple(builder.issues)


class _Open:
    """A list or mapping whose end has not been read."""

    def __init__(self, start: int, mapping: bool, anchor: str | None) -> None:
        self.start = start
        self.mapping = mapping
        self.anchor = anchor
        self.weight = 1
        self.items: list[Node] = []
        self.entries: dict[str, tuple[Scalar, Node]] = {}
        self.key: Scalar | None = None


class _Builder:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.issues: list[Issue] = []
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node | None] = {}
        self.root: Node | None = None

    def document(self) -> Node | None:
        """The root node. Raises the first issue that ends the reading."""
        forbidden = forbidden_character(self.source)
        if forbidden is not None:
            raise forbidden
        documents = 0
        for event in _events(self.source):
            name = type(event).__name__
            start, end = event.start_mark.index, event.end_mark.index
            if name == "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise Issue(
                        "several-documents",
                        self.source.span(start, end),
                        "a second document begins here",
                        "a file holds one spec; take out the `---`",
                    )
            else:
                self.take(name, event, start, end)
        return self.root

    def take(self, name: str, event: Any, start: int, end: int) -> None:
        """One event."""
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            span = self.source.span(start, start + 1)
            raise Issue(
                CODE, span, "a text that begins with `!` is a YAML tag", "put the text in single quotes"
            )
        if name == "ScalarEvent":
            self.scalar(event, start, end)
        elif name in ("SequenceStartEvent", "MappingStartEvent"):
            self.open(name == "MappingStartEvent", event.anchor, start)
        elif name in ("SequenceEndEvent", "MappingEndEvent"):
            self.close(end)
        elif name == "AliasEvent":
            self.alias(event.anchor, start, end)

    def scalar(self, event: Any, start: int, end: int) -> None:
        """A scalar, with its map to the file."""
        offsets = offset_map(self.source.text, start, end, event.value, event.style)
        source = Source(self.source.path, event.value, self.source, offsets)
        node = Scalar(source, not event.style)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self.put(node)

    def open(self, mapping: bool, anchor: str | None, start: int) -> None:
        """The beginning of a list or a mapping."""
        if len(self.stack) >= MAX_DEPTH:
            raise too_deep(self.source, start)
        if self.stack and self.stack[-1].mapping and self.stack[-1].key is None:
            raise Issue(
                CODE,
                self.source.span(start, start + 1),
                "a key is a name, no list and no mapping",
                "put the line in single quotes",
            )
        self.stack.append(_Open(start, mapping, anchor))
        if anchor is not None:
            self.anchors[anchor] = None

    def close(self, end: int) -> None:
        """The end of a list or a mapping."""
        done = self.stack.pop()
        span = self.source.span(done.start, self.trimmed(done.start, end))
        node: Node
        if done.mapping:
            node = Table(tuple(done.entries.values()), span, done.weight)
        else:
            node = Items(tuple(done.items), span, done.weight)
        if done.anchor is not None:
            self.anchors[done.anchor] = node
        self.put(node)

    def alias(self, name: str, start: int, end: int) -> None:
        """A node named before, once more."""
        if name not in self.anchors:
            raise Issue(
                CODE,
                self.source.span(start, end),
                f"`*{name}` is a YAML alias, and nothing is named `&{name}`",
                "a formula that begins with `*` stands in single quotes",
            )
        node = self.anchors[name]
        if node is None:
            raise Issue(CODE, self.source.span(start, end), f"`*{name}` stands inside itself")
        self.put(node)

    def put(self, node: Node) -> None:
        """A finished node into what is open."""
        if not self.stack:
            self.root = node
            return
        inner = self.stack[-1]
        inner.weight += node.weight
        if inner.weight > MAX_NODES:
            raise Issue("too-large", node.span, f"the file has more than {MAX_NODES} entries")
        if not inner.mapping:
            inner.items.append(node)
        elif inner.key is None:
            self.key(inner, node)
        else:
            inner.entries.setdefault(inner.key.text, (inner.key, node))
            inner.key = None

    def key(self, inner: _Open, node: Node) -> None:
        """A key, which must be new."""
        if not isinstance(node, Scalar):
            raise Issue(CODE, node.span, "a key is a name, no list and no mapping")
        inner.key = node
        if node.text in inner.entries:
            first = inner.entries[node.text][0].span
            self.issues.append(
                Issue(
                    "duplicate-key",
                    node.span,
                    f"`{node.text}` stands twice in this mapping, first in line {first.line}",
                    "keep one of them",
                )
            )

    def trimmed(self, start: int, end: int) -> int:
        """A block ends where the next line begins: the end of what it holds instead."""
        return max(start, len(self.source.text[:end].rstrip()) if end - start < 4096 else end)


def _events(source: Source) -> Iterator[Any]:
    """The parser's events, libyaml's where it is there; its errors as issues."""
    import yaml

    loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
    reading = loader(source.text)
    try:
        while (event := reading.get_event()) is not None:
            yield event
    except yaml.YAMLError as error:
        raise explained(source, error) from None
    finally:
        dispose = getattr(reading, "dispose", None)
        if dispose is not None:
            dispose()
