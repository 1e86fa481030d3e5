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
from tensorgrad_cli.verify.diagnoses.coefficients import scales_in_vain
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.ingredients import ingredients
from tensorgrad_cli.verify.diagnoses.missing_factors import shape_of
from tensorgrad_cli.verify.diagnoses.splice import (
    Edit,
    as_factor,
    as_power_base,
    factors,
    is_number_like,
    removed,
    terms,
    walk,
)

__all__ = ["inverse", "order", "other_product", "other_side_of_bar", "too_many_axes"]

# In products of so many factors one is moved anywhere.
MOVED = 5


def order(draft: Draft) -> Iterator[Candidate]:
    """Two factors of a matrix product have changed places, one stands elsewhere, or all stand in reverse."""
    if "[" in draft.side.span.text:
        return
    for parts, signs in _chains(draft.side):
        for new in _orders(len(parts)):
            if not _crosses_a_bar(signs, new):
                yield _reordered(draft, parts, new)
    for node in walk(draft.side):
        if isinstance(node, Juxtaposed):
            yield from _apart(draft, node)


def _orders(count: int) -> Iterator[list[int]]:
    """Neighbours exchanged, all in reverse, any two exchanged, one moved."""
    plain = list(range(count))
    pairs = [(a, b) for gap in range(1, count) for a in range(count - gap) for b in [a + gap]]
    seen = [plain]
    swaps = []
    for a, b in pairs:
        swapped = plain.copy()
        swapped[a], swapped[b] = b, a
        swaps.append(swapped)
    moves = []
    for a in plain if count <= MOVED else ():
        for b in plain:
            rest = [k for k in plain if k != a]
            moves.append([*rest[:b], a, *rest[b:]])
    for new in (*swaps[: count - 1], plain[::-1], *swaps[count - 1 :], *moves):
        if new not in seen:
            seen.append(new)
            yield new


def _crosses_a_bar(signs: tuple[str, ...], new: list[int]) -> bool:
    """Whether something above a fraction bar comes below it: not an order, an inverse."""
    below = [False, *(sign == "/" for sign in signs)]
    return any(below[k] != below[place] for place, k in enumerate(new))


def _apart(draft: Draft, product: Juxtaposed) -> Iterator[Candidate]:
    """`X A X` for `A X²`: the factors of a matrix power do not stand together."""
    for k, part in enumerate(product.factors):
        match part:
            case Power(base, Number(value)) if value in (2, 3):
                pass
            case _:
                continue
        before = [p.span.text for p in product.factors[:k]]
        after = [p.span.text for p in product.factors[k + 1 :]]
        written = [*before, *[base.span.text] * int(value), *after]
        for new in _orders(len(written)):
            text = " ".join(written[j] for j in new)
            what = f"the factors are in the wrong order: write {text}"
            yield Candidate("order", what, draft.replaced([Edit.at(product.span, text)]))


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


def _reordered(draft: Draft, parts: tuple[Tree, ...], new: list[int]) -> Candidate:
    edits = [
        Edit.at(place.span, parts[k].span.text)
        for place, k in zip(parts, new, strict=True)
        if place is not parts[k]
    ]
    changed = [parts[k] for k, place in zip(new, parts, strict=True) if place is not parts[k]]
    written = " ".join(part.span.text for part in changed)
    what = f"the factors are in the wrong order: write {written}"
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


def too_many_axes(draft: Draft) -> bool:
    """Whether a claim in matrix notation cannot be read since a tensor of more than two axes stands in a product: no
    transpose, sum or factor around it mends that."""
    issue = draft.judged.issue
    if not draft.matrix or draft.judged.reading is not None or issue is None or issue.span is None:
        return False
    at_fault = issue.span.text
    for parts, _ in _chains(draft.side):
        start, end = parts[0].span.start, parts[-1].span.end
        written = draft.text[start:end]
        if at_fault in written or written in at_fault:
            shapes = [shape_of(draft, part.span.text) for part in parts]
            tensors = [shape for shape in shapes if shape != ()]
            if len(tensors) > 1 and any(shape is not None and len(shape) > 2 for shape in tensors):
                return True
    return False


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
    # Where nothing is inverted no inverse comes of a derivative.
    for node in walk(draft.side) if ingredients(draft).inverses else ():
        shape = draft.scope.shape(node.text) if isinstance(node, Name) else None
        if isinstance(node, Name) and (shape is None or len(shape) != 2 or shape[0] != shape[1]):
            continue
        for new, what in _inverses(node):
            yield Candidate("inverse", what, draft.replaced([Edit.at(node.span, new)]))
    for node in walk(draft.side):
        if isinstance(node, Multiplied):
            yield from _upside_down(draft, node)


def _upside_down(draft: Draft, node: Multiplied) -> Iterator[Candidate]:
    """`a / b` for `b / a`: what stands below the bar and one factor above it, or all of them, have changed places."""
    for k, (sign, below) in enumerate(node.rest):
        if sign != "/":
            continue
        before = (node.first, *(part for _, part in node.rest[:k]))[-1]
        inner = before.factors if isinstance(before, Juxtaposed) else ()
        for above in (before, *inner):
            edits = [Edit.at(above.span, as_factor(below)), Edit.at(below.span, as_factor(above))]
            new = f"{as_factor(below)} / {as_factor(above)}"
            what = f"{above.span.text} / {below.span.text} is upside down: write {new}"
            yield Candidate("inverse", what, draft.replaced(edits))


def other_side_of_bar(draft: Draft) -> Iterator[Candidate]:
    """A factor that should be divided by, or is divided by and should not be."""
    for factor in factors(draft.side):
        written, product = factor.tree.span.text, factor.product
        if is_number_like(factor.tree) or isinstance(factor.tree, Signed):
            continue
        if scales_in_vain(draft, factor.tree):
            continue
        below = f"{written} is to be divided by"
        if isinstance(product, Juxtaposed):
            edits = [removed(factor), Edit(product.span.end, product.span.end, f" / {written}")]
            if factor.index == factor.count - 1:
                edits = [Edit(removed(factor).start, product.span.end, f" / {written}")]
            yield Candidate("inverse", below, draft.replaced(edits))
        elif factor.before == "/":
            for sign in ("*", "⊙") if draft.matrix else ("*",):
                end = factor.tree.span.start
                text = product.span.source.text
                start = text.rindex("/", 0, end)
                what = f"{written} is not to be divided by"
                yield Candidate("inverse", what, draft.replaced([Edit(start, start + 1, sign)]))
        elif factor.before is not None:
            start = product.span.source.text.rindex(factor.before, 0, factor.tree.span.start)
            edit = Edit(start, start + len(factor.before), "/")
            yield Candidate("inverse", below, draft.replaced([edit]))
    for term in terms(draft.side):
        if isinstance(term.operand, Name | Indexed | Call):
            new = f"1 / {term.operand.span.text}"
            what = f"{term.operand.span.text} is upside down: write {new}"
            yield Candidate("inverse", what, draft.replaced([Edit.at(term.operand.span, new)]))


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
