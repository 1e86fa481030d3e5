"""Slips of axes: an index for another, a transpose, the order of a product, the product, the inverse."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from tensorgrad_cli.algebra.occurrences import bound_names
from tensorgrad_cli.notation.parse import parse_equation
from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Juxtaposed,
    Multiplied,
    Name,
    Power,
    Transposed,
    Tree,
)
from tensorgrad_cli.source import Source
from tensorgrad_cli.verify.diagnoses.splice import Edit, positions, put, walk
from tensorgrad_cli.verify.workbench import Workbench


def rank_of(bench: Workbench, name: Name) -> int:
    shape = bench.scope.shape(name.text)
    return -1 if shape is None else len(shape)


def is_indexed(side: Tree) -> bool:
    return "[" in side.span.text


def in_derivative(side: Tree, name: Name) -> bool:
    return any(
        isinstance(node, Derivative) and node.span.start <= name.span.start and name.span.end <= node.span.end
        for node in walk(side)
    )


def left_of(text: str, bench: Workbench) -> Tree:
    return parse_equation(Source("claim", text), bench.scope.vocabulary).left


def free_names(left: Tree) -> list[str]:
    """The free indices of a left side, each once."""
    names = [p.text for _, _, p in positions(left) if isinstance(p, Name)]
    return [name for name in dict.fromkeys(names) if name not in bound_names(left)]


def transposes(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A transpose forgotten or put where none belongs; two indices of an entry exchanged."""
    for node in walk(side):
        if isinstance(node, Transposed) and not node.inverse:
            yield put(text, [Edit.at(node.span, node.base.span.text)])
        elif (
            isinstance(node, Name)
            and rank_of(bench, node) == 2
            and not is_indexed(side)
            and not in_derivative(side, node)
        ):
            yield put(text, [Edit.at(node.span, node.span.text + "ᵀ")])
    seen = set()
    for node, _, _ in positions(side):
        if node.span.start in seen or len(node.positions) != 2:
            continue
        seen.add(node.span.start)
        a, b = node.positions
        if a.span.text != b.span.text:
            yield put(text, [Edit.at(a.span, b.span.text), Edit.at(b.span, a.span.text)])


def wrong_indices(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """One index of an entry, of a sum or of an axis is another one."""
    names = sorted({p.text for _, _, p in positions(side) if isinstance(p, Name)})
    for _, _, place in positions(side):
        if isinstance(place, Name):
            for other in names:
                if other != place.text:
                    yield put(text, [Edit.at(place.span, other)])
    for node in walk(side):
        if isinstance(node, Call):
            for name, value in node.keywords:
                if name.text == "axis" and value.span.text in ("0", "1"):
                    yield put(text, [Edit.at(value.span, "1" if value.span.text == "0" else "0")])


def diagonals(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The diagonal of a Jacobian alone."""
    free = free_names(left_of(text, bench))
    if "delta" in side.span.text:
        for a, b in combinations(free, 2):
            yield put(text, [Edit.at(side.span, f"delta[{a},{b}] ({side.span.text})")])


def products(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A matrix product for ⊙, and ⊙ for a matrix product."""
    if is_indexed(side):
        return
    for node in walk(side):
        match node:
            case Juxtaposed(parts) if len(parts) == 2:
                yield put(text, [Edit(parts[0].span.end, parts[1].span.start, " ⊙ ")])
            case Multiplied(first, rest):
                before = first
                for sign, part in rest:
                    if sign in ("⊙", "∘"):
                        yield put(text, [Edit(before.span.end, part.span.start, " @ ")])
                    before = part
            case _:
                pass


def inverses(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """Not inverted, the transpose for the inverse, the inverse for its transpose."""
    for node in walk(side):
        match node:
            case Call(function, (argument,)) if function.text == "inv":
                yield put(text, [Edit.at(node.span, f"({argument.span.text})")])
                yield put(text, [Edit.at(node.span, f"({argument.span.text})ᵀ")])
                if not is_indexed(side):
                    yield put(text, [Edit.at(node.span, f"{node.span.text}ᵀ")])
            case Power(base) if node.span.text.endswith(("^-1", "⁻¹")):
                yield put(text, [Edit.at(node.span, base.span.text)])
                yield put(text, [Edit.at(node.span, f"({base.span.text})⁻ᵀ")])
            case Transposed(base, True):
                yield put(text, [Edit.at(node.span, f"({base.span.text})⁻¹")])
            case _:
                pass


def orders(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """Two neighbours of a matrix product exchanged."""
    if is_indexed(side):
        return
    for node in walk(side):
        if isinstance(node, Juxtaposed):
            for a, b in zip(node.factors, node.factors[1:], strict=False):
                yield put(text, [Edit.at(a.span, b.span.text), Edit.at(b.span, a.span.text)])


def layouts(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The whole side transposed; in index notation two of its free indices exchanged wherever they stand."""
    if not is_indexed(side):
        yield put(text, [Edit.at(side.span, f"({side.span.text})ᵀ")])
        return
    free = free_names(left_of(text, bench))
    for a, b in combinations(free, 2):
        exchanged = {a: b, b: a}
        places = [p.span for _, _, p in positions(side) if isinstance(p, Name) and p.text in exchanged]
        yield put(text, [Edit.at(span, exchanged[span.text]) for span in places if span.text in exchanged])
