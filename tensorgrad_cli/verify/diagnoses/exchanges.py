"""Slips in which several names are wrong together: an index throughout, two that have changed places,
arguments that have, a whole layer."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, combinations_with_replacement

from tensorgrad_cli.algebra.occurrences import bound_names
from tensorgrad_cli.notation.tree import Call, Name
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.names import mentions
from tensorgrad_cli.verify.diagnoses.splice import Edit, positions, walk

__all__ = ["arguments_exchanged", "changed_places", "other_layer", "other_name"]

_NUMBERED = re.compile(r"(.*\D)(\d+)")


def other_name(draft: Draft) -> Iterator[Candidate]:
    """An index that is left over in a claim that cannot be read is called by another name than it should be."""
    if draft.judged.reading is not None:
        return
    free = {p.text for _, _, p in positions(draft.other) if isinstance(p, Name)} - bound_names(draft.other)
    places: dict[str, list[Name]] = {}
    for _, _, place in positions(draft.side):
        if isinstance(place, Name):
            places.setdefault(place.text, []).append(place)
    for node in walk(draft.side):
        if isinstance(node, Call) and node.indices is not None:
            for index in node.indices:
                places.setdefault(index.name.text, []).append(index.name)
    for old in sorted(places.keys() - free):
        for new in sorted(free):
            edits = [Edit.at(place.span, new) for place in places[old]]
            yield Candidate("wrong-index", f"the index {old} should be {new}", draft.replaced(edits))


def changed_places(draft: Draft) -> Iterator[Candidate]:
    """Two tensors or steps of the same shape stand in each other's place."""
    for within in (False, True):
        found = mentions(draft.side, within)
        named = [name for name in found if draft.scope.shape(name) is not None]
        for a, b in combinations(named, 2):
            if draft.scope.shape(a) == draft.scope.shape(b):
                names = {a: draft.scope.spelling(b), b: draft.scope.spelling(a)}
                what = f"{names[b]} and {names[a]} have changed places"
                yield Candidate("wrong-argument", what, _renamed(draft, found, names))


def arguments_exchanged(draft: Draft) -> Iterator[Candidate]:
    """The arguments of a function have changed places, or its derivative is in another one of them: `l.2` for `l.1`."""
    for node in walk(draft.side):
        if not isinstance(node, Call) or node.indices is not None or len(node.arguments) < 2:
            continue
        for a, b in combinations(node.arguments, 2):
            if a.span.text != b.span.text:
                edits = [Edit.at(a.span, b.span.text), Edit.at(b.span, a.span.text)]
                what = f"{a.span.text} and {b.span.text} have changed places in {node.span.text}"
                yield Candidate("wrong-argument", what, draft.replaced(edits))
        if node.partials:
            yield from _other_partials(draft, node)


def _other_partials(draft: Draft, node: Call) -> Iterator[Candidate]:
    name = node.function.span
    end = name.end + sum(1 + len(str(k)) for k in node.partials)
    every = range(1, len(node.arguments) + 1)
    for partials in combinations_with_replacement(every, len(node.partials)):
        if partials != tuple(sorted(node.partials)):
            new = f"{name.text}{''.join(f'.{k}' for k in partials)}"
            what = f"{new} should stand for {node.span.source.text[name.start : end]}: another argument"
            yield Candidate("wrong-argument", what, draft.replaced([Edit(name.start, end, new)]))


def other_layer(draft: Draft) -> Iterator[Candidate]:
    """All numbers at the names are one too large or too small: `h2`, `h1` for `h1`, `h0`."""
    for within in (False, True):
        found = {
            name: places
            for name, places in mentions(draft.side, within).items()
            if draft.scope.shape(name) is not None and _NUMBERED.fullmatch(name)
        }
        for step in (-1, 1):
            names = {name: _moved(name, step) for name in found}
            if len(names) > 1 and all(draft.scope.shape(new) is not None for new in names.values()):
                said = ", ".join(f"{new} for {old}" for old, new in names.items())
                what = (
                    f"the numbers are one {'more' if step < 0 else 'less'} than they should be: write {said}"
                )
                yield Candidate("wrong-argument", what, _renamed(draft, found, names))


def _moved(name: str, step: int) -> str:
    match = _NUMBERED.fullmatch(name)
    assert match is not None
    return f"{match[1]}{max(int(match[2]) + step, 0)}"


def _renamed(draft: Draft, found: dict[str, list[Name]], names: dict[str, str]) -> str:
    return draft.replaced(Edit.at(place.span, new) for name, new in names.items() for place in found[name])
