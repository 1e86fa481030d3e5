"""Slips in products: the order of factors, matrix for entry by entry, inverses."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Indexed,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Signed,
    Transposed,
    Tree,
)
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_factor, as_power_base, walk

__all__ = ["inverse", "order", "other_product"]


def order(draft: Draft) -> Iterator[Candidate]:
    """Two factors of a matrix product have changed places, or all stand in reverse."""
    if "[" in draft.side.span.text:
        return
    for parts, signs in _chains(draft.side):
        for a in range(len(parts) - 1):
            swapped = list(range(len(parts)))
            swapped[a], swapped[a + 1] = swapped[a + 1], swapped[a]
            yield _reordered(draft, parts, signs, swapped)
        if len(parts) > 2:
            yield _reordered(draft, parts, signs, list(reversed(range(len(parts)))))
            for a in range(len(parts)):
                for b in range(a + 2, len(parts)):
                    swapped = list(range(len(parts)))
                    swapped[a], swapped[b] = swapped[b], swapped[a]
                    yield _reordered(draft, parts, signs, swapped)


def _chains(tree: Tree) -> Iterator[tuple[tuple[Tree, ...], tuple[str, ...]]]:
    for node in walk(tree):
        match node:
            case Juxtaposed(parts):
                yield parts, ("",) * (len(parts) - 1)
            case Multiplied(first, rest):
                parts = (first, *(p for _, p in rest))
                yield parts, tuple(sign for sign, _ in rest)
            case _:
                pass


def _reordered(draft: Draft, parts: tuple[Tree, ...], signs: tuple[str, ...], new: list[int]) -> Candidate:
    edits = [
        Edit.at(place.span, parts[k].span.text)
        for place, k in zip(parts, new, strict=True)
        if place is not parts[k]
    ]
    changed = [parts[k] for k, place in zip(new, parts, strict=True) if place is not parts[k]]
    written = " ".join(part.span.text for part in changed)
    what = f"the factors are in the wrong order: write {written}"
    del signs
    kind = "transpose" if len(changed) == 2 and _upstream_transposed(draft, changed) else "order"
    if kind == "transpose":
        what = f"transposes and factors have changed places: write {written}"
    return Candidate(kind, what, draft.replaced(edits))


def _upstream_transposed(draft: Draft, pair: list[Tree]) -> bool:
    """Of `A Bᵀ` for `Bᵀ A`: whether the transposed one is what comes from upstream, the later one in the
    chain (its derivatives last); then the slip is in the transposes, else in the order. Of `X … Xᵀ` it always
    is."""
    turned = [part for part in pair if isinstance(part, Transposed)]
    if len(turned) != 1:
        return False
    (other,) = (part for part in pair if part is not turned[0])
    if turned[0].base.span.text == other.span.text:
        return True
    return _lateness(draft, turned[0]) > _lateness(draft, other)


def _lateness(draft: Draft, tree: Tree) -> int:
    steps = list(draft.scope.steps)
    latest = -1
    for node in walk(tree):
        if isinstance(node, Derivative):
            return len(steps)
        if isinstance(node, Name) and node.text in steps:
            latest = max(latest, steps.index(node.text))
    return latest


def other_product(draft: Draft) -> Iterator[Candidate]:
    """A matrix product where ⊙ should stand, or the other way round."""
    if "[" in draft.side.span.text:
        return
    text = draft.text
    for parts, signs in _chains(draft.side):
        for part in parts[1:-1] if all(sign in ("", "@") for sign in signs) else ():
            new = f"diag({part.body.span.text if isinstance(part, Parenthesis) else part.span.text})"
            what = f"{part.span.text} is to scale what follows: write {new}"
            yield Candidate("product", what, draft.replaced([Edit.at(part.span, new)]))
        for k, sign in enumerate(signs):
            a, b = parts[k], parts[k + 1]
            gap = Edit(a.span.end, b.span.start, "")
            if sign in ("", "@"):
                what = f"{a.span.text} {b.span.text} should be entry by entry: write ⊙"
                yield Candidate("product", what, draft.replaced([Edit(gap.start, gap.end, " ⊙ ")]))
                if isinstance(b, Transposed):
                    edits = [Edit(gap.start, gap.end, " ⊙ "), Edit.at(b.span, b.base.span.text)]
                    yield Candidate("product", what, draft.replaced(edits))
                if isinstance(a, Transposed):
                    edits = [Edit.at(a.span, a.base.span.text), Edit(gap.start, gap.end, " ⊙ ")]
                    yield Candidate("product", what, draft.replaced(edits))
                if len(parts) > 2 and all(s in ("", "@") for s in signs):
                    edits = [
                        Edit(a.span.start, a.span.start, "("),
                        Edit(gap.start, gap.end, " ⊙ "),
                        Edit(b.span.end, b.span.end, ")"),
                    ]
                    yield Candidate("product", what, draft.replaced(edits))
            elif sign in ("⊙", "∘", "*"):
                what = f"{a.span.text} {sign} {b.span.text} should be a matrix product"
                yield Candidate("product", what, draft.replaced([Edit(gap.start, gap.end, " @ ")]))
                edits = [
                    Edit(a.span.start, a.span.end, as_factor(a)),
                    Edit(gap.start, gap.end, " "),
                    Edit(b.span.start, b.span.end, as_factor(b)),
                ]
                yield Candidate("product", what, draft.replaced(edits))
    for node in walk(draft.side):
        if isinstance(node, Power) and text[node.base.span.end : node.base.span.end + 2] == "**":
            new = f"{node.base.span.text}^{node.exponent.span.text}"
            what = f"{node.span.text} is entry by entry, it should be a matrix power"
            yield Candidate("product", what, draft.replaced([Edit.at(node.span, new)]))
        elif isinstance(node, Power) and isinstance(node.exponent, Number):
            new = f"{node.base.span.text}**{node.exponent.value}"
            what = f"{node.span.text} is a matrix power, it should be entry by entry"
            yield Candidate("product", what, draft.replaced([Edit.at(node.span, new)]))


# --- inverses -----------------------------------------------------------------------------------------


def inverse(draft: Draft) -> Iterator[Candidate]:
    """An inverse that is none, one too many, or of the transpose."""
    for node in walk(draft.side):
        shape = draft.scope.shape(node.text) if isinstance(node, Name) else None
        if isinstance(node, Name) and (shape is None or len(shape) != 2 or shape[0] != shape[1]):
            continue
        for new, what in _inverses(node):
            yield Candidate("inverse", what, draft.replaced([Edit.at(node.span, new)]))


def _inverses(node: Tree) -> Iterator[tuple[str, str]]:
    written = node.span.text
    match node:
        case Call(function, (argument,)) if function.text == "inv":
            inside = argument.span.text
            yield as_factor(argument), f"{inside} is not to be inverted"
            yield f"inv({inside})ᵀ", f"the inverse is that of the transpose: write inv({inside})ᵀ"
            yield f"{as_power_base(argument)}ᵀ", f"{inside} is to be transposed, not inverted"
        case Power(base, Signed("-", Number(value))) if value == 1:
            inside = base.span.text
            yield inside, f"{inside} is not to be inverted"
            yield f"inv({inside})ᵀ", f"the inverse is that of the transpose: write inv({inside})ᵀ"
            yield f"{as_power_base(base)}ᵀ", f"{inside} is to be transposed, not inverted"
        case Transposed(base, True):
            inside = base.span.text
            yield f"inv({inside})", f"write inv({inside}): not of the transpose"
            yield f"{inside}ᵀ", f"{inside} is not to be inverted"
            yield inside, f"{inside} is not to be inverted"
        case Transposed(base, False):
            inside = base.span.text
            yield f"inv({inside})", f"{inside} is to be inverted, not transposed"
            yield f"inv({inside})ᵀ", f"{inside} is to be inverted as well"
        case Indexed(indexed):
            name = indexed.span.text
            rest = node.span.source.text[indexed.span.end : node.span.end]
            yield f"inv({name}){rest}", f"{name} is to be inverted"
        case Name() | Parenthesis():
            yield f"inv({written})", f"{written} is to be inverted"
            yield f"inv({written})ᵀ", f"{written} is to be inverted and transposed"
        case _:
            pass
