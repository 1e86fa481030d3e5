"""The key `dims`: sizes of dimensions and conditions on them; and shapes, which are made of dimensions."""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from tensorgrad_cli.algebra.expression import Dimension
from tensorgrad_cli.notation.names import canonical, is_name
from tensorgrad_cli.source import Span
from tensorgrad_cli.spec.entries import Notes, clipped, did_you_mean, is_empty, kind, whole
from tensorgrad_cli.spec.model import DimensionFact
from tensorgrad_cli.spec.nodes import Items, Node, Scalar

__all__ = ["Dims", "check_conditions", "read_dims", "read_shape"]

_CONDITION = re.compile(r"\s*(>=|<=|!=|>|<)\s*(\S+)\s*")
_EXAMPLE = "`dims: {m: 5, n: '>= p'}`"


class Dims(Struct, frozen=True):
    """What `dims` says: facts by canonical name, how each name was written, and where."""

    facts: Mapping[str, DimensionFact] = {}
    spellings: Mapping[str, str] = {}
    spans: Mapping[str, Span] = {}


def read_dims(node: Node | None, notes: Notes) -> Dims:
    """The facts of the key `dims`; without it, none."""
    facts: dict[str, DimensionFact] = {}
    spellings: dict[str, str] = {}
    spans: dict[str, Span] = {}
    for key, value in notes.entries(node, "`dims`", _EXAMPLE) if node is not None else ():
        name = notes.name(key, "the name of a dimension")
        if name is None:
            continue
        if name[0] in facts:
            other = spellings[name[0]]
            notes.issue("duplicate-name", key.span, f"`{key.text}` and `{other}` are the same name")
            continue
        fact = _fact(value, key.text, notes)
        if fact is not None:
            facts[name[0]] = fact
            spellings[name[0]] = name[1]
            spans[name[0]] = value.span
    return Dims(facts, spellings, spans)


def _fact(node: Node, name: str, notes: Notes) -> DimensionFact | None:
    if is_empty(node):
        return DimensionFact()
    size = whole(node)
    if size is not None:
        if size >= 1:
            return DimensionFact(size=size)
        notes.issue("bad-size", node.span, f"`{name}` cannot have the size {clipped(str(size))}: at least 1")
        return None
    conditions: list[tuple[str, str]] = []
    for item in node.items if isinstance(node, Items) else (node,):
        for part in re.split(r",|\band\b", item.text) if isinstance(item, Scalar) else ("",):
            found = _CONDITION.fullmatch(part)
            if found is None or not (is_name(found.group(2)) or found.group(2).isdecimal()):
                notes.issue(
                    "bad-size",
                    item.span,
                    f"`{name}` has a whole number or a condition, and {kind(item)} stands here",
                    f"write `{name}: 5` or `{name}: '>= 5'`",
                )
                return None
            other = found.group(2)
            conditions.append((found.group(1), other if other.isdecimal() else canonical(other)))
    return DimensionFact(conditions=tuple(conditions))


def read_shape(node: Node, where: str, notes: Notes) -> tuple[Dimension, ...] | None:
    """A list of dimension names and whole numbers; None where something is wrong with it."""
    if not isinstance(node, Items):
        text = node.text if isinstance(node, Scalar) and not is_empty(node) else ""
        helped = f"write `[{clipped(text)}]`" if text else "`[]` is a scalar"
        notes.issue("bad-shape", node.span, f"{where} is a list, and {kind(node)} stands here", helped)
        return None
    shape: list[Dimension] = []
    for item in node.items:
        dimension = _dimension(item, where, notes)
        if dimension is not None:
            shape.append(dimension)
    return tuple(shape) if len(shape) == len(node.items) else None


def _dimension(node: Node, where: str, notes: Notes) -> Dimension | None:
    size = whole(node)
    if size is not None and size >= 1:
        return Dimension(str(size))
    if size is None and isinstance(node, Scalar) and is_name(node.text):
        return Dimension(canonical(node.text))
    message = f"{where} holds dimension names and whole numbers from 1, and {kind(node)} stands in it"
    notes.issue("bad-shape", node.span, message)
    return None


def check_conditions(
    dims: Dims, facts: Mapping[str, DimensionFact], known: Mapping[str, str], notes: Notes
) -> None:
    """Issues for conditions on unknown dimensions and for those that cannot all be met.

    `facts` are those of `dims` with the sizes that data gave; `known` maps every dimension to its spelling.
    """
    for name, fact in facts.items():
        for _, other in fact.conditions:
            if not other.isdecimal() and other not in known:
                helped = did_you_mean(other, known.values())
                message = f"`{other}` is no dimension of the spec"
                notes.issue("unknown-dimension", dims.spans.get(name), message, helped)
                return
    culprit = _unmet(facts)
    if culprit is not None:
        name, sign, other = culprit
        sizes = [
            f"`{known.get(key, key)}` is {facts[key].size}"
            for key in (name, other)
            if key in facts and facts[key].size is not None
        ]
        said = "; ".join(
            [f"`{known.get(name, name)} {sign} {known.get(other, other)}` cannot be met", *sizes]
        )
        notes.issue("bad-size", dims.spans.get(name) or dims.spans.get(other), said)


def _unmet(facts: Mapping[str, DimensionFact]) -> tuple[str, str, str] | None:
    """A condition that cannot be met beside the others: bounds from below, raised once per condition."""
    least: dict[str, int] = {}
    rules: list[tuple[str, str, int, tuple[str, str, str]]] = []
    for name, fact in facts.items():
        for sign, other in fact.conditions:
            said = (name, sign, other)
            if sign in (">=", ">"):
                rules.append((name, other, int(sign == ">"), said))
            elif sign in ("<=", "<"):
                rules.append((other, name, int(sign == "<"), said))
            elif _size(facts, name) is not None and _size(facts, name) == _size(facts, other):
                return said
    for _ in range(len(rules) + 1):
        raised = None
        for greater, smaller, gap, said in rules:
            fixed = _size(facts, smaller)
            bound = (fixed if fixed is not None else least.get(smaller, 1)) + gap
            top = _size(facts, greater)
            if top is not None and top < bound:
                return said
            if top is None and bound > least.get(greater, 1):
                least[greater] = bound
                raised = said
        if raised is None:
            return None
    return raised


def _size(facts: Mapping[str, DimensionFact], name: str) -> int | None:
    if name.isdecimal():
        return int(name)
    return facts[name].size if name in facts else None
