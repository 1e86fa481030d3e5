"""The slips that `planted.py` plants: functions from a claim to texts that are wrong by one of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from slips_of_axes import (
    diagonals,
    free_names,
    in_derivative,
    inverses,
    is_indexed,
    layouts,
    left_of,
    orders,
    products,
    rank_of,
    transposes,
    wrong_indices,
)

from tensorgrad_cli.algebra.expression import Apply, Ref
from tensorgrad_cli.notation.tree import (
    Call,
    Derivative,
    Juxtaposed,
    Multiplied,
    Name,
    Number,
    Parenthesis,
    Power,
    Tree,
    WrittenSum,
)
from tensorgrad_cli.verify.diagnoses.scaling import dropped
from tensorgrad_cli.verify.diagnoses.splice import Edit, factors, put, removed, terms, walk
from tensorgrad_cli.verify.workbench import Workbench

Slip = Callable[[str, Tree, Workbench], Iterator[str]]


def signs(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sign turned round."""
    for term in terms(side):
        if term.sign_at is None:
            at = term.operand.span.start
            yield put(text, [Edit(at, at, "-")])
        else:
            new = ("" if term.first else " + ") if term.negative else " - "
            yield put(text, [Edit.at(term.sign_at, new)])


def constant_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A 2, a 1/2, a dimension's root or inverse put in front of a term; a numeral taken out."""
    for term in terms(side):
        if not term.linear:
            continue
        at = term.operand.span.start
        if not term.operand.span.text[0].isdigit():
            for number in ("2 ", "1/2 "):
                yield put(text, [Edit(at, at, number)])
            for name in sorted(bench.spec.dimensions)[:1]:
                if name not in bench.scope.tensors:
                    yield put(text, [Edit(at, at, f"sqrt({name}) ")])
                    yield put(text, [Edit(at, at, f"1/{name} ")])
    for factor in factors(side):
        if isinstance(factor.tree, Number) and factor.count > 1:
            yield put(text, [removed(factor)])


def means(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A mean for a sum, a sum for a mean, a division by a dimension forgotten."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", indices, body):
                head = ",".join(i.span.text for i in indices)
                yield put(text, [Edit.at(node.span, f"mean[{head}]({body.span.text})")])
            case Call(function, _, _, _, _, None) if function.text in ("sum", "mean"):
                yield put(text, [Edit.at(function.span, "mean" if function.text == "sum" else "sum")])
            case Call(function, (argument,), _, _, _, indices) if function.text == "mean" and indices:
                head = ",".join(i.span.text for i in indices)
                yield put(text, [Edit.at(node.span, f"(sum[{head}] ({argument.span.text}))")])
            case _:
                pass
    for factor in factors(side):
        match factor.tree:
            case Name(text_) if factor.before == "/" and text_ in bench.scope.dimensions:
                yield put(text, [removed(factor)])
            case _:
                pass


def lost_sums(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A written sum left out; its letter put in place of nothing."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", _, body):
                yield put(text, [Edit.at(node.span, f"({body.span.text})")])
            case Call(function, (argument,), _, _, _, None) if function.text == "sum":
                yield put(text, [Edit.at(node.span, f"({argument.span.text})")])
            case _:
                pass


def extra_sums(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sum over everything, or over an axis, that does not belong."""
    if is_indexed(side):
        return
    for node in walk(side):
        if isinstance(node, Name) and rank_of(bench, node) == 2 and not in_derivative(side, node):
            yield put(text, [Edit.at(node.span, f"sum({node.span.text})")])


def sums_elsewhere(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A sum taken before a function or power that it should be taken after, and the other way round."""
    for node in walk(side):
        match node:
            case WrittenSum("sum", _, Power(base, _) as body):
                head = text[node.span.start : body.span.start]
                yield put(
                    text,
                    [Edit.at(node.span, f"({head}{base.span.text}){text[base.span.end : body.span.end]}")],
                )
            case Power(Parenthesis(WrittenSum("sum", _, body) as inner) as base, _):
                head = text[inner.span.start : body.span.start]
                tail = text[base.span.end : node.span.end]
                yield put(text, [Edit.at(node.span, f"({head}({body.span.text}){tail})")])
            case Call(function, (WrittenSum("sum", _, body) as inner,), _, _, _, None) if (
                function.text not in ("sum", "mean")
            ):
                head = text[inner.span.start : body.span.start]
                before = text[node.span.start : inner.span.start]
                yield put(text, [Edit.at(node.span, f"({head}{before}{body.span.text}))")])
            case _:
                pass


def wrong_functions(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A prime forgotten or added."""
    for node in walk(side):
        if isinstance(node, Call) and node.indices is None and len(node.arguments) == 1:
            name, end = node.function, node.function.span.end
            if node.primes:
                yield put(text, [Edit(name.span.start, end + 1, name.span.text)])
            elif name.text in bench.scope.abstract or name.text in ("tanh", "sigmoid", "exp", "softplus"):
                yield put(text, [Edit(end, end, "'")])


def wrong_arguments(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """What a function is applied to is put for its value, and the value for the argument: everywhere at once."""
    pairs = []
    for step in bench.spec.chain:
        match step.equation.expression:
            case Apply(_, _, (Ref(inner, _),)):
                pairs += [(step.name, inner), (inner, step.name)]
            case _:
                pass
    for old, new in pairs:
        places = [
            n for n in walk(side) if isinstance(n, Name) and n.text == old and not in_derivative(side, n)
        ]
        spelled = bench.scope.spelling(new)
        if places:
            yield put(text, [Edit.at(place.span, spelled) for place in places])


def lost_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A factor forgotten: that of an activation's derivative, an upstream gradient, a delta."""
    for factor in factors(side):
        if isinstance(factor.tree, Number) or _is_constant(factor.tree, bench) or factor.count < 2:
            continue
        if isinstance(factor.tree, WrittenSum | Juxtaposed):
            continue
        yield put(text, [removed(factor)])
    for mutant in _without_a_term(text, side):
        if _LONE_NUMBER.search(mutant):
            yield mutant


def _is_constant(tree: Tree, bench: Workbench) -> bool:
    match tree:
        case Name(text):
            return text in bench.scope.dimensions and bench.scope.shape(text) is None
        case Parenthesis(body) | Call(_, (body,)):
            return _is_constant(body, bench)
        case Number():
            return True
        case Multiplied(first, rest):
            return all(_is_constant(t, bench) for t in (first, *(p for _, p in rest)))
        case Juxtaposed(parts):
            return all(_is_constant(t, bench) for t in parts)
        case _:
            return False


def extra_factors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A factor twice: an activation's derivative taken again."""
    for factor in factors(side):
        tree = factor.tree
        if factor.before == "/" or isinstance(tree, Number | WrittenSum) or _is_constant(tree, bench):
            continue
        if is_indexed(side):
            yield put(text, [Edit.at(tree.span, f"({tree.span.text}) ({tree.span.text})")])
        else:
            yield put(text, [Edit.at(tree.span, f"(({tree.span.text}) ⊙ ({tree.span.text}))")])


def lost_terms(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A term forgotten. Not where a number alone is left as a factor: of `(1 - y²)` a whole factor is lost then."""
    for mutant in _without_a_term(text, side):
        if not _LONE_NUMBER.search(mutant):
            yield mutant


_LONE_NUMBER = re.compile(r"(?<!\w)\(\d+\)")


def _without_a_term(text: str, side: Tree) -> Iterator[str]:
    for term in terms(side):
        if not term.alone and term.linear:
            yield put(text, dropped(term))


def extra_terms(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """A term too many: one of another tensor of the same shape as the claim's left side, or one twice."""
    for term in terms(side):
        if not term.alone and term.linear:
            end = term.operand.span.end
            sign = "-" if term.negative else "+"
            yield put(text, [Edit(end, end, f" {sign} 3 * {term.operand.span.text}")])


def assumptions(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """2 A for A + Aᵀ."""
    for node in walk(side):
        written = node.span.text
        for name, tensor in bench.spec.tensors.items():
            if tensor.structure or len(tensor.shape) != 2 or tensor.shape[0] != tensor.shape[1]:
                continue
            if written in (f"({name} + {name}ᵀ)", f"({name}ᵀ + {name})"):
                yield put(text, [Edit.at(node.span, f"(2 {name})")])


def own_derivatives(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The step's own derivative for the total one."""
    left = left_of(text, bench)
    if _is_total(left):
        yield put(text, [Edit.at(side.span, _own(left))])
    for node in walk(side):
        if _is_total(node):
            yield put(text, [Edit.at(node.span, _own(node))])


def _is_total(node: Tree) -> bool:
    match node:
        case Derivative(_, (_,), False):
            return node.span.text.startswith("∂")
        case _:
            return False


def _own(derivative: Tree) -> str:
    return "∂⁺" + derivative.span.text.removeprefix("∂")


def relative_errors(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """The whole side wrong by a small part of it, down to one millionth."""
    for error in ("1.001", "0.9999", "1.00001", "0.999999"):
        yield put(text, [Edit.at(side.span, f"{error} * ({side.span.text})")])


def single_entries(text: str, side: Tree, bench: Workbench) -> Iterator[str]:
    """One entry wrong, by a thousandth of itself."""
    free = free_names(left_of(text, bench))
    if free and is_indexed(side):
        mask = " ".join(f"delta[{name},{k % 2}]" for k, name in enumerate(free))
        yield put(text, [Edit.at(side.span, f"(1 + 0.001 {mask}) ({side.span.text})")])


_PLACES = ("transpose", "layout", "missing-assumption", "wrong-index")


SLIPS: dict[str, tuple[Slip, frozenset[str]]] = {
    "transpose": (transposes, frozenset({*_PLACES, "order"})),
    "layout": (layouts, frozenset({*_PLACES, "order"})),
    "sign": (signs, frozenset({"sign"})),
    "constant factor": (constant_factors, frozenset({"factor", "mean-or-sum"})),
    "mean or sum": (means, frozenset({"mean-or-sum", "factor"})),
    "sum missing": (lost_sums, frozenset({"sum", "mean-or-sum"})),
    "sum too many": (extra_sums, frozenset({"sum"})),
    "sum elsewhere": (sums_elsewhere, frozenset({"sum"})),
    "wrong index": (wrong_indices, frozenset({*_PLACES, "sum"})),
    "wrong function": (wrong_functions, frozenset({"wrong-function"})),
    "wrong argument": (wrong_arguments, frozenset({"wrong-argument", "missing-factor", "extra-factor"})),
    "factor missing": (lost_factors, frozenset({"missing-factor", "missing-assumption"})),
    "factor too many": (extra_factors, frozenset({"extra-factor"})),
    "diagonal only": (diagonals, frozenset({"diagonal-only", "extra-factor"})),
    # Where the terms left are the derivative of the step's own equation, that explains the loss.
    "term missing": (lost_terms, frozenset({"missing-term", "partial-derivative"})),
    "term too many": (extra_terms, frozenset({"extra-term", "factor"})),
    "product": (products, frozenset({"product"})),
    "inverse": (inverses, frozenset({"inverse", "missing-assumption"})),
    "order": (orders, frozenset({"order", "transpose", "missing-assumption"})),
    "assumption": (assumptions, frozenset({"missing-assumption"})),
    "own derivative": (own_derivatives, frozenset({"partial-derivative"})),
    "relative error": (relative_errors, frozenset()),
    "single entry": (single_entries, frozenset()),
}
