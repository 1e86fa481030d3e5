"""The key `functions`: abstract ones and definitions; and `layers`, which is to come."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import elaborate_function
from tensorgrad_cli.algebra.library import Scope
from tensorgrad_cli.notation.names import canonical, is_name
from tensorgrad_cli.source import Issue, Source
from tensorgrad_cli.spec.entries import Notes, clipped, is_empty
from tensorgrad_cli.spec.nodes import Items, Node, Scalar

__all__ = ["Heads", "define", "read_function_heads", "refuse_layers"]

_HEAD = re.compile(r"\s*([^\s(=\[]+)\s*(\()?")


class Heads(Struct, frozen=True):
    """The functions' names: `abstract` ones, and the sources of `definitions` by canonical name."""

    abstract: tuple[str, ...] = ()
    definitions: Mapping[str, Source] = {}
    spellings: Mapping[str, str] = {}


def read_function_heads(node: Node | None, notes: Notes) -> Heads:
    """The names of the functions, which the parser needs before any formula can be read."""
    abstract: list[str] = []
    definitions: dict[str, Source] = {}
    spellings: dict[str, str] = {}
    items = notes.items(node, "`functions`", "`functions: [f, C]`") if node is not None else ()
    for item in items:
        source = notes.formula(item, "a function")
        name = None if source is None else _name(source, notes)
        if source is None or name is None:
            continue
        spelling, defined = name
        own = canonical(spelling)
        if own in spellings:
            notes.issue("duplicate-name", item.span, f"the function `{spelling}` is declared twice")
            continue
        spellings[own] = spelling
        if defined:
            definitions[own] = source
        else:
            abstract.append(own)
    return Heads(tuple(abstract), definitions, spellings)


def _name(source: Source, notes: Notes) -> tuple[str, bool] | None:
    """The name as written and whether a definition follows."""
    found = _HEAD.match(source.text)
    name = found.group(1) if found else ""
    rest = source.text[found.end() :] if found else source.text
    if found is None or not is_name(name) or (found.group(2) is None and rest.strip()):
        message = f"`{clipped(source.text)}` is neither a function's name nor a definition"
        notes.issue("bad-function", source.span(), message, "write `f` or `C(u, t) = (u - t)^2 / 2`")
        return None
    if found.group(2) is None:
        return name, False
    if "=" not in rest:
        message = f"the function `{name}` has arguments and no formula"
        help = f"write `{name}` alone, or a definition such as `{name}(u) = u^2`"
        notes.issue("bad-function", source.span(), message, help)
        return None
    return name, True


def define(heads: Heads, scope: Scope, notes: Notes) -> tuple[Scope, frozenset[str]]:
    """The scope with the functions defined, and the names of those that could not be.

    A definition uses the abstract functions and the definitions before it.
    """
    failed: set[str] = set()
    for name, source in heads.definitions.items():
        try:
            function = elaborate_function(source, scope)
        except Issue as issue:
            notes.issues.append(issue)
            failed.add(name)
            continue
        scope = replace(scope, defined={**scope.defined, name: function})
    return scope, frozenset(failed)


def refuse_layers(node: Node | None, notes: Notes) -> frozenset[str]:
    """Layers of one's own are not read yet; their names, so that no call of one is a second mistake."""
    if node is None or is_empty(node):
        return frozenset()
    help = "write the layer's equations as steps of the chain"
    notes.issue("not-yet", node.span, "`layers` cannot be used yet", help)
    lines = node.items if isinstance(node, Items) else (node,)
    heads = (_HEAD.match(line.text) for line in lines if isinstance(line, Scalar))
    return frozenset(canonical(head.group(1)) for head in heads if head and is_name(head.group(1)))
