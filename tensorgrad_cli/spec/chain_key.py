"""The key `chain`: the steps, each elaborated in the scope of those before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from tensorgrad_cli.algebra.elaborate import elaborate_step
from tensorgrad_cli.algebra.expression import Apply, Dimension, Expression
from tensorgrad_cli.algebra.library import BUILTINS, Scope, function_name
from tensorgrad_cli.algebra.walking import occurring
from tensorgrad_cli.notation.later import not_yet
from tensorgrad_cli.notation.names import canonical, is_name
from tensorgrad_cli.notation.parse import left_name, parse_equation
from tensorgrad_cli.notation.tree import Call, EquationTree, Indexed, IndexRange, Mask, Name, Vocabulary
from tensorgrad_cli.source import Issue, Source, Span
from tensorgrad_cli.spec.dims_key import read_shape
from tensorgrad_cli.spec.entries import Notes, cut_off, is_empty
from tensorgrad_cli.spec.model import Step
from tensorgrad_cli.spec.nodes import Items, Node, Scalar

__all__ = ["Head", "Heads", "elaborate_chain", "read_chain_heads", "with_arities"]

_Part = TypeVar("_Part")
_KEYS = ("step", "note", "shape")
_FIRST_WORD = re.compile(r"\s*([^\s\[(=]*)")
_EXAMPLE = "one step a line, `- z = x w + b`"


class Head(Struct, frozen=True, eq=False):
    """A line of the chain before its formula is read: its name, and what stands beside it."""

    name: str
    spelling: str
    span: Span
    source: Source
    note: str | None = None
    shape: tuple[Dimension, ...] | None = None
    comment: Span | None = None
    shifted: bool = False


class Heads(Struct, frozen=True, eq=False):
    """The steps whose names could be read, and the names of lines whose left side has a mistake."""

    heads: tuple[Head, ...] = ()
    broken: frozenset[str] = frozenset()


def read_chain_heads(node: Node | None, tensors: Mapping[str, Span], root: Span, notes: Notes) -> Heads:
    """The steps' names, in order. A name that is taken is an issue, and its line is dropped."""
    if node is None:
        notes.issue("missing-key", root, "the spec has no `chain`", f"write `chain:` and {_EXAMPLE}")
        return Heads()
    if is_empty(node) or (isinstance(node, Items) and not node.items):
        notes.issue("empty-chain", node.span, "the chain is empty", f"write {_EXAMPLE}")
        return Heads()
    if isinstance(node, Scalar):
        notes.wrong_type(node, "`chain`", "a list", f"write {_EXAMPLE}")
        return Heads()
    heads: dict[str, Head] = {}
    broken: set[str] = set()
    for item in notes.items(node, "`chain`", _EXAMPLE):
        head = _head(item, notes)
        if head is None:
            continue
        if isinstance(head, str):
            broken.add(head)
        elif head.name in heads and (head.shifted or heads[head.name].shifted):
            # The start of a sequence has the name of its step; which of the two lines comes first is free.
            both = (heads[head.name], head)
            start = next(one for one in both if one.shifted)
            heads[head.name] = next((one for one in both if not one.shifted), head)
            left = start.source.span(0, start.source.text.index("]") + 1)
            notes.issues.append(not_yet(left, "the start of a sequence"))
        elif head.name in heads:
            first = heads[head.name].span.line
            message = f"the step `{head.spelling}` is defined twice, first in line {first}"
            notes.issue("duplicate-step", head.span, message, "give one of them another name")
        elif head.name in tensors:
            line = tensors[head.name].line
            message = f"the step `{head.spelling}` has the name of a tensor, declared in line {line}"
            notes.issue("duplicate-name", head.span, message, "give one of them another name")
        else:
            heads[head.name] = head
    return Heads(tuple(heads.values()), frozenset(broken) - set(heads))


def _head(node: Node, notes: Notes) -> Head | str | None:
    """A step's head; where its left side has a mistake, the name that it seems to have."""
    fields = notes.entry(node, "step", _KEYS, "a step")
    if fields is None:
        return None
    step = fields["step"]
    source = notes.formula(step, "a step")
    note = notes.text(fields["note"], "`note`") if "note" in fields else None
    shape = read_shape(fields["shape"], "the shape of a step", notes) if "shape" in fields else None
    if source is None:
        return None
    try:
        name, spelling, span, positions = left_name(source)
    except Issue as issue:
        notes.issues.append(issue)
        first = _FIRST_WORD.match(source.text)
        return canonical(first.group(1)) if first and is_name(first.group(1)) else None
    comment = cut_off(step) if isinstance(step, Scalar) else None
    shifted = any(not is_name(position) for position in positions or ())
    return Head(name, spelling, span, source, note, shape, comment, shifted)


def elaborate_chain(
    heads: tuple[Head, ...], scope: Scope, broken: frozenset[str], functions: frozenset[str], notes: Notes
) -> tuple[tuple[Step, ...], Scope]:
    """The steps that can be elaborated, and the scope with them.

    `broken` are tensors and lines, `functions` functions with a mistake: what needs one of them, or a step
    that needs one, is left out silently, for the mistake has been said.
    """
    all_names = frozenset(head.name for head in heads)
    own = scope.vocabulary
    # What hides what holds in the whole spec, so later steps are known as names to every line.
    vocabulary = Vocabulary(
        own.functions | functions, own.tensors | all_names | broken, own.dimensions, BUILTINS, own.layers
    )
    lines = {head.name: head.span.line for head in heads}
    failed = set(broken)
    steps: list[Step] = []
    for head in heads:
        try:
            tree = parse_equation(head.source, vocabulary)
            used = {name.text: name for name in tensor_names(tree)}
            _refuse_later(head, tree, used, all_names - set(scope.steps) - failed, lines)
            if failed.isdisjoint(used) and functions.isdisjoint(called(tree)):
                step, scope = _elaborated(head, tree, scope)
                steps.append(step)
                continue
        except Issue as issue:
            notes.issues.append(_with_comment(issue, head))
        failed.add(head.name)
    return tuple(steps), scope


def _elaborated(head: Head, tree: EquationTree, scope: Scope) -> tuple[Step, Scope]:
    name, spelling, equation, derivatives, definitions, remarks, matrix = elaborate_step(
        tree, scope, head.shape
    )
    step = Step(name, equation, head.source, derivatives, definitions, remarks, head.note, matrix)
    bodies = [equation.expression, *(definition.expression for definition in definitions)]
    return step, with_arities(scope.with_step(name, equation.shape, spelling), bodies)


def with_arities(scope: Scope, expressions: Iterable[Expression]) -> Scope:
    """The scope in which an abstract function has as many arguments as its first use."""
    unused = {function_name(name): name for name, arity in scope.abstract.items() if arity == 0}
    found: dict[str, int] = {}
    for expression in expressions if unused else ():
        for part in occurring(expression):
            if isinstance(part, Apply) and part.function in unused:
                found.setdefault(unused[part.function], len(part.arguments))
    return replace(scope, abstract={**scope.abstract, **found}) if found else scope


def _refuse_later(
    head: Head,
    tree: EquationTree,
    used: Mapping[str, Name],
    later: frozenset[str],
    lines: Mapping[str, int],
) -> None:
    """Raises an issue where a step refers to itself or to one further down."""
    for name, place in used.items():
        if name not in later:
            continue
        if name == head.name:
            raise _self_reference(head, place, tree)
        raise Issue(
            "later-step",
            place.span,
            f"`{place.span.text}` is defined further down, in line {lines[name]}",
            "a step refers to declared tensors and to steps above it: change the order",
        )


def _self_reference(head: Head, place: Name, tree: EquationTree) -> Issue:
    """A step at other positions of its own is a sequence, at the same ones a mistake."""
    for entry in _parts(tree.right, Indexed):
        own = isinstance(entry.base, Name) and entry.base.text == head.name
        if own and not all(isinstance(position, Name) for position in entry.positions):
            return not_yet(entry.span, "a step that refers to itself at other positions")
    return Issue(
        "self-reference",
        place.span,
        f"the step `{head.spelling}` refers to itself",
        "a step refers to declared tensors and to steps above it: give one of the two another name",
    )


def _with_comment(issue: Issue, head: Head) -> Issue:
    """An issue whose cause is mostly that YAML cut the formula off at a ` #`."""
    if head.comment is None:
        return issue
    help = "` #` begins a comment in YAML: put the line in single quotes if it belongs to the formula"
    return Issue(issue.code, issue.span, issue.message, help, (*issue.others, (head.comment, "not read")))


def tensor_names(tree: object) -> Iterator[Name]:
    """The names in a tree that may be tensors and steps: none in brackets but gathers, no function's."""
    stack: list[object] = [tree.right if isinstance(tree, EquationTree) else tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Name):
            yield part
        elif isinstance(part, Indexed):
            stack.append(part.base)
            stack += [inner for position in part.positions for inner in _parts(position, Indexed)]
        elif isinstance(part, Mask):
            stack += [side for side in (part.left, part.right) if not isinstance(side, Name)]
        elif isinstance(part, Call):
            stack += [part.arguments, part.keywords]
        elif not isinstance(part, IndexRange):
            stack += _inside(part)


def called(tree: object) -> frozenset[str]:
    """The names of the functions that a tree calls."""
    return frozenset(call.function.text for call in _parts(tree, Call))


def _parts(tree: object, kind: type[_Part]) -> Iterator[_Part]:
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, kind):
            yield part
        stack += _inside(part)


def _inside(part: object) -> Iterable[object]:
    if isinstance(part, tuple):
        return part
    return [getattr(part, field) for field in part.__struct_fields__] if isinstance(part, Struct) else ()
