"""The keys `claims`, `derivations` and `implementations`: formulas kept as they were written.

What cannot be read in a claim is a verdict, not an error of the spec; here only YAML and keys are judged.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from tensorgrad_cli.source import Source
from tensorgrad_cli.spec.entries import Notes, clipped, did_you_mean, is_empty, piece
from tensorgrad_cli.spec.model import Claim, Derivation, Line
from tensorgrad_cli.spec.nodes import Items, Node, Scalar

__all__ = ["EXPECTATIONS", "read_claims", "read_derivations", "read_implementations"]

EXPECTATIONS = ("holds", "proved", "verified", "refuted", "ill-formed", "inconclusive")

_CALL = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def read_claims(node: Node | None, tensors: Mapping[str, str], notes: Notes) -> tuple[Claim, ...]:
    """The claims; `tensors` maps the declared names to their spellings, for `at`."""
    claims: list[Claim] = []
    items = notes.items(node, "`claims`", "one claim a line, `- ∂cost/∂w = …`") if node is not None else ()
    for item in items:
        fields = notes.entry(item, "claim", ("claim", "expect", "note", "at"), "a claim")
        if fields is None:
            continue
        source = notes.formula(fields["claim"], "a claim")
        expect, note = _expect_and_note(fields, notes)
        at = _at(fields["at"], tensors, notes) if "at" in fields else {}
        if source is not None:
            claims.append(Claim(source, expect or "holds", note, at))
    return tuple(claims)


def _expect_and_note(fields: Mapping[str, Node], notes: Notes) -> tuple[str | None, str | None]:
    expect = notes.choice(fields["expect"], "`expect`", EXPECTATIONS) if "expect" in fields else None
    note = notes.text(fields["note"], "`note`") if "note" in fields else None
    return expect, note


def _at(node: Node, tensors: Mapping[str, str], notes: Notes) -> dict[str, Source]:
    values: dict[str, Source] = {}
    for key, value in notes.entries(node, "`at`", "`at: {w: 'x'}`"):
        name = notes.name(key, "the name of a tensor")
        source = notes.formula(value, f"the value of `{key.text}`")
        if name is None or source is None:
            continue
        if name[0] not in tensors:
            helped = did_you_mean(name[1], tensors.values())
            notes.issue("unknown-tensor", key.span, f"`{key.text}` is no tensor of the spec", helped)
        else:
            values[name[0]] = source
    return values


def read_derivations(node: Node | None, notes: Notes) -> tuple[Derivation, ...]:
    """The derivations, each with a start and at least one line."""
    found: list[Derivation] = []
    example = "`- start: ∂cost/∂w`, below it `steps:` and a line each"
    for item in notes.items(node, "`derivations`", example) if node is not None else ():
        derivation = _derivation(item, notes)
        if derivation is not None:
            found.append(derivation)
    return tuple(found)


def _derivation(node: Node, notes: Notes) -> Derivation | None:
    before = len(notes.issues)
    keys = ("title", "note", "start", "steps", "where", "first-wrong")
    fields = notes.fields(node, keys, "a derivation")
    for key in ("start", "steps"):
        if key not in fields and len(notes.issues) == before:
            notes.issue("missing-key", node.span, f"the derivation has no `{key}`")
    if "start" not in fields or "steps" not in fields:
        return None
    start = notes.formula(fields["start"], "`start`")
    lines = _lines(fields["steps"], notes)
    title = notes.text(fields["title"], "`title`") if "title" in fields else None
    note = notes.text(fields["note"], "`note`") if "note" in fields else None
    where = _where(fields["where"], notes) if "where" in fields else ()
    first_wrong = None
    if "first-wrong" in fields:
        first_wrong = notes.whole(fields["first-wrong"], "`first-wrong`", 1)
        if first_wrong is not None and first_wrong > len(lines) and len(notes.issues) == before:
            message = f"`first-wrong` is line {first_wrong}, and the derivation has {len(lines)}"
            notes.issue("bad-value", fields["first-wrong"].span, message)
    if start is None or len(notes.issues) > before:
        return None
    return Derivation(title, start, lines, where, first_wrong, note)


def _lines(node: Node, notes: Notes) -> tuple[Line, ...]:
    items = notes.items(node, "`steps`", "one line each, `- = …`")
    if not items and (is_empty(node) or isinstance(node, Items)):
        notes.issue("missing-value", node.span, "the derivation has no lines", "write `- = …`")
    lines: list[Line] = []
    for item in items:
        fields = notes.entry(item, "step", ("step", "expect", "note"), "a line of a derivation")
        if fields is None:
            continue
        expect, note = _expect_and_note(fields, notes)
        source = notes.formula(fields["step"], "a line of a derivation")
        right = None if source is None else _right_side(source, notes)
        if right is not None:
            lines.append(Line(right, expect, note))
    return tuple(lines)


def _right_side(source: Source, notes: Notes) -> Source | None:
    """The line behind its equals sign."""
    text = source.text
    start = len(text) - len(text.lstrip())
    if text[start : start + 1] != "=":
        message = "a line of a derivation begins with `=`"
        notes.issue("bad-line", source.span(), message, f"write `= {clipped(text)}`")
        return None
    rest = text[start + 1 :]
    if not rest.strip():
        notes.issue("bad-line", source.span(), "nothing stands behind the equals sign")
        return None
    return piece(source, len(text) - len(rest.lstrip()))


def _where(node: Node, notes: Notes) -> tuple[Source, ...]:
    items = notes.items(node, "`where`", "one abbreviation a line, `- δ = …`")
    sources = (notes.formula(item, "an abbreviation") for item in items)
    return tuple(source for source in sources if source is not None)


def read_implementations(node: Node | None, notes: Notes) -> tuple[tuple[Source, str], ...]:
    """Pairs of the derivative that the user's code computes and where that code is."""
    found: list[tuple[Source, str]] = []
    example = "`- {of: ∂cost/∂w, call: 'model:gradient'}`"
    for item in notes.items(node, "`implementations`", example) if node is not None else ():
        before = len(notes.issues)
        fields = notes.fields(item, ("of", "call"), "an implementation")
        for key in ("of", "call"):
            if key not in fields and len(notes.issues) == before:
                notes.issue(
                    "missing-key", item.span, f"the implementation has no `{key}`", f"write {example}"
                )
        if "of" not in fields or "call" not in fields:
            continue
        of = notes.formula(fields["of"], "`of`")
        call = _call(fields["call"], notes)
        if of is not None and call is not None:
            found.append((of, call))
    return tuple(found)


def _call(node: Node, notes: Notes) -> str | None:
    text = notes.text(node, "`call`")
    if text is None or _CALL.fullmatch(text):
        return text
    assert isinstance(node, Scalar)
    message = f"`{clipped(text)}` names no Python function"
    notes.issue("bad-value", node.span, message, "write `package.module:function`")
    return None
