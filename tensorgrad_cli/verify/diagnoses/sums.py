"""Slips in sums: one missing, one too many, one in another place."""

from __future__ import annotations

from collections.abc import Iterator

from tensorgrad_cli.algebra.occurrences import bound_names, terms_of
from tensorgrad_cli.notation.tree import (
    Bars,
    Call,
    IndexRange,
    Multiplied,
    Name,
    Parenthesis,
    Power,
    Summed,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.draft import Candidate, Draft
from tensorgrad_cli.verify.diagnoses.splice import Edit, as_factor, positions, put, terms, walk

__all__ = ["sum_along", "sum_elsewhere", "sum_missing", "sum_of_free", "sum_reaches", "sum_too_many"]


def sum_too_many(draft: Draft) -> Iterator[Candidate]:
    """A sum that should not be there."""
    for node in walk(draft.side):
        match node:
            case WrittenSum("sum", indices, body):
                what = f"the sum over {_names(indices)} is one too many"
                yield Candidate("sum", what, draft.replaced([Edit.at(node.span, as_factor(body))]))
            case Call(function, (argument,)) if function.text in ("sum", "mean"):
                what = f"the {function.text} in {node.span.text} is one too many"
                yield Candidate("sum", what, draft.replaced([Edit.at(node.span, as_factor(argument))]))
                for axis in () if node.keywords else ("0", "1"):
                    new = f"{function.span.text}({argument.span.text}, axis={axis})"
                    what = f"the {function.text} is over all entries, it should be over one axis: write {new}"
                    yield Candidate("sum", what, draft.replaced([Edit.at(node.span, new)]))
                    if axis == "1":
                        yield Candidate(
                            "sum", f"{what} 1ᵀ", draft.replaced([Edit.at(node.span, f"{new} 1ᵀ")])
                        )
            case _:
                pass


def _names(indices: tuple[IndexRange, ...]) -> str:
    return " and ".join(i.name.text for i in indices)


def sum_missing(draft: Draft) -> Iterator[Candidate]:
    """A sum over one index (or one axis, or everything) that should be there."""
    if "[" in draft.side.span.text:
        yield from _indexed_sums(draft)
    else:
        yield from _matrix_sums(draft)


def _indexed_sums(draft: Draft) -> Iterator[Candidate]:
    left = {p.text for _, _, p in positions(draft.other) if isinstance(p, Name)} - bound_names(draft.other)
    standing: dict[str, None] = {}
    for _, _, place in positions(draft.side):
        if isinstance(place, Name):
            standing.setdefault(place.text)
    names = [n for n in standing if n not in left]
    for count in (1, 2):
        for chosen in _subsets(names, count):
            head = ",".join(chosen)
            what = f"the sum over {' and '.join(chosen)} is missing: write sum[{head}]"
            for operand in _indexed_places(draft.side, draft.reading is None):
                body = operand.span.text
                if isinstance(operand, Summed):
                    body = f"({body})"
                yield Candidate("sum", what, draft.replaced([Edit.at(operand.span, f"sum[{head}] {body}")]))
            whole = f"sum[{head}] ({draft.side.span.text})"
            yield Candidate("sum", what, draft.with_side(whole))


def _indexed_places(side: Tree, within: bool) -> list[Tree]:
    """What a written sum may be put in front of: terms, and what stands in parentheses where `within`."""
    found: dict[tuple[int, int], Tree] = {}
    for term in terms(side):
        found.setdefault((term.operand.span.start, term.operand.span.end), term.operand)
    for node in walk(side):
        if within and isinstance(node, Parenthesis):
            found.setdefault((node.body.span.start, node.body.span.end), node.body)
    return list(found.values())


def _subsets(names: list[str], count: int) -> Iterator[tuple[str, ...]]:
    from itertools import combinations

    yield from combinations(names, count)


_ENDINGS = (
    (", axis=0", "over the rows, axis=0,"),
    (", axis=1", "over the columns, axis=1,"),
    ("", "over all entries"),
)


def _matrix_sums(draft: Draft) -> Iterator[Candidate]:
    for operand in _summable(draft.side):
        body = operand.span.text
        inner = operand.body.span.text if isinstance(operand, Parenthesis) else body
        for ending, what in _ENDINGS if draft.reading is None else _ENDINGS[-1:]:
            said = f"the sum {what} is missing"
            for word in ("sum", "mean"):
                kind = "sum" if word == "sum" else "mean-or-sum"
                new = f"{word}({inner}{ending})"
                yield Candidate(kind, said, draft.replaced([Edit.at(operand.span, new)]))


def _summable(tree: Tree) -> list[Tree]:
    found: dict[tuple[int, int], Tree] = {}
    found[(tree.span.start, tree.span.end)] = tree
    for term in terms(tree):
        found.setdefault((term.operand.span.start, term.operand.span.end), term.operand)
    for node in walk(tree):
        if isinstance(node, Parenthesis):
            found.setdefault((node.span.start, node.span.end), node)
    return list(found.values())[:8]


def sum_elsewhere(draft: Draft) -> Iterator[Candidate]:
    """A sum outside that belongs inside, or inside that belongs outside, or reaches too far."""
    for node in walk(draft.side):
        for new in _moved(node):
            what = f"the sum is in the wrong place: write {new}"
            yield Candidate("sum", what, draft.replaced([Edit.at(node.span, new)]))


def _moved(node: Tree) -> Iterator[str]:
    text = node.span.source.text
    match node:
        case WrittenSum("sum", _, body):
            head = text[node.span.start : body.span.start].rstrip()
            inner = body.body if isinstance(body, Parenthesis) else body
            match inner:
                case Power(base, _):
                    tail = text[base.span.end : inner.span.end]
                    yield f"({head} {base.span.text}){tail}"
                case Call(_, (argument,)):
                    before = text[inner.span.start : argument.span.start]
                    yield f"{before}{head} {as_factor(argument)})"
                case Bars(argument):
                    yield f"|{head} {as_factor(argument)}|"
                case _:
                    pass
        case Power(Parenthesis(WrittenSum("sum", _, body) as inner) as base, _):
            head = text[inner.span.start : body.span.start].rstrip()
            tail = text[base.span.end : node.span.end]
            yield f"({head} {as_factor(body)}{tail})"
        case Call(_, (WrittenSum("sum", _, body) as inner,), _, _, _, None):
            head = text[inner.span.start : body.span.start].rstrip()
            before = text[node.span.start : inner.span.start]
            yield f"({head} {before}{body.span.text}))"
        case Call(operation, (Power(base, _) as inner,), _, _, _, indices) if _adds(operation, indices):
            head, tail = text[node.span.start : inner.span.start], text[base.span.end : inner.span.end]
            yield f"{head}{base.span.text}){tail}"
        case Call(operation, (Call(_, (argument,), _, _, _, None) as inner,), _, _, _, indices) if _adds(
            operation, indices
        ):
            head = text[node.span.start : inner.span.start]
            yield f"{text[inner.span.start : argument.span.start]}{head}{argument.span.text}))"
        case Power(Call(operation, (argument,), _, _, _, indices) as inner, _) if _adds(operation, indices):
            head, tail = text[inner.span.start : argument.span.start], text[inner.span.end : node.span.end]
            yield f"{head}({argument.span.text}){tail})"
        case Call(_, (Call(operation, (argument,), _, _, _, indices) as inner,), _, _, _, None) if _adds(
            operation, indices
        ):
            head = text[inner.span.start : argument.span.start]
            yield f"{head}{text[node.span.start : inner.span.start]}{argument.span.text}))"
        case Bars(WrittenSum("sum", _, body) as inner):
            head = text[inner.span.start : body.span.start].rstrip()
            yield f"({head} |{body.span.text}|)"
        case _:
            pass


def _adds(operation: Name, indices: tuple[IndexRange, ...] | None) -> bool:
    return operation.text in ("sum", "mean") and (indices is None or bool(indices))


def sum_reaches(draft: Draft) -> Iterator[Candidate]:
    """A written sum that reaches over more terms, or fewer, than it should."""
    what = "the sum is in the wrong place: it reaches over the wrong terms"
    for node in walk(draft.side):
        match node:
            case WrittenSum("sum", _, Parenthesis(Summed() as body)):
                head = node.span.source.text[node.span.start : node.body.span.start].rstrip()
                for kept in terms_of(body):
                    edits = [
                        Edit(node.span.start, node.body.span.start, ""),
                        Edit(kept.span.start, kept.span.start, f"({head} "),
                        Edit(kept.span.end, kept.span.end, ")"),
                    ]
                    yield Candidate("sum", what, draft.replaced(edits))
            case Multiplied(Call(function, (argument,)) as call) if function.text in ("sum", "mean"):
                if call.keywords and not isinstance(argument, Summed):
                    factors = node.span.source.text[call.span.end : node.span.end]
                    edits = [
                        Edit(argument.span.end, argument.span.end, factors),
                        Edit(call.span.end, node.span.end, ""),
                    ]
                    yield Candidate("sum", f"the {function.text} ends too early", draft.replaced(edits))
            case Summed():
                for k, part in enumerate(terms_of(node)[:-1]):
                    if isinstance(part, WrittenSum) and part.kind == "sum":
                        rest = terms_of(node)[k + 1 :]
                        for last in rest:
                            edits = [
                                Edit(part.body.span.start, part.body.span.start, "("),
                                Edit(last.span.end, last.span.end, ")"),
                            ]
                            yield Candidate("sum", what, draft.replaced(edits))
            case _:
                pass


def sum_of_free(draft: Draft) -> Iterator[Candidate]:
    """A term in which an index is free that should be summed over: `a[i] b[i]` for `sum[k] a[k] b[k]`."""
    free = {p.text for _, _, p in positions(draft.other) if isinstance(p, Name)} - bound_names(draft.other)
    fresh = _fresh(draft)
    for operand in _indexed_places(draft.side, True):
        places = [p for _, _, p in positions(operand) if isinstance(p, Name)]
        for name in sorted({p.text for p in places} & free):
            here = [p for p in places if p.text == name]
            if len(here) < 2:
                continue
            inside = _renamed(operand, {name: fresh})
            body = f"({inside})" if isinstance(operand, Summed) else inside
            new = f"sum[{fresh}] {body}"
            what = f"the sum over {name} is missing in {operand.span.text}: write {new}"
            yield Candidate("sum", what, draft.replaced([Edit.at(operand.span, new)]))


def sum_along(draft: Draft) -> Iterator[Candidate]:
    """A sum or mean that runs along another axis than it should: `sum[k] a[i,k]` for `sum[k] a[k,j]`."""
    free = {p.text for _, _, p in positions(draft.other) if isinstance(p, Name)} - bound_names(draft.other)
    for node in walk(draft.side):
        match node:
            case WrittenSum(_, (bound,), body) | Call(_, (body,), _, _, _, (bound,)):
                pass
            case _:
                continue
        k = bound.name.text
        here = {p.text for _, _, p in positions(body) if isinstance(p, Name)} & free
        for a in sorted(here):
            for b in sorted(free - {a}):
                inside = _renamed(body, {a: k, k: b})
                what = f"the sum is along the wrong axis: over {b}, where {a} is meant"
                yield Candidate("wrong-index", what, draft.replaced([Edit.at(body.span, inside)]))


def _renamed(tree: Tree, names: dict[str, str]) -> str:
    start = tree.span.start
    edits = [
        Edit(p.span.start - start, p.span.end - start, names[p.text])
        for _, _, p in positions(tree)
        if isinstance(p, Name) and p.text in names
    ]
    return put(tree.span.text, edits)


def _fresh(draft: Draft) -> str:
    """An index that stands nowhere in the claim."""
    used = {
        p.text for side in (draft.side, draft.other) for _, _, p in positions(side) if isinstance(p, Name)
    }
    used |= bound_names(draft.side) | bound_names(draft.other)
    return next(letter for letter in "kqrstuvabcdefgh" if letter not in used)
